/* plan_mounts.c - the file systems of a plan: everything that lies on the host is opened here, by the parent.
 *
 * Paths of the host come from the user (mount sources, root.path) and are followed as the user's own; paths of the
 * container (destinations) are only copied: the child resolves them inside the root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "runtime/plan.h"
#include "sys/device.h"

#define CONTEXT_TYPE "run.oci.mount_context_type" /* crun's annotation */
#define CGROUP_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* Is the descriptor the root of a mount (as every detached mount is)? */
static bool is_mount_root(int fd)
{
        struct statx sx = {0};

        return statx(fd, "", AT_EMPTY_PATH, 0, &sx) == 0 && sx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

err *plan_clone_root(struct plan *p, int dirfd, const char *path)
{
        int fd = mountfd_clone(dirfd, path, AT_RECURSIVE), r;

        if (fd == -ENOENT)
                return err_new(ERR_NOT_FOUND, "invalid rootfs: stat %s: no such file or directory", path);
        if (fd < 0)
                return err_sys(-fd, "opening the root file system %s", path);
        p->rootfs_fd = plan_own_fd(p, fd);
        /* "shared" is applied after pivot_root, which refuses shared roots. */
        r = mountfd_set(p->rootfs_fd, AT_RECURSIVE, 0, 0, p->root_propagation & MS_SLAVE ? MS_SLAVE : MS_PRIVATE);
        return r < 0 ? err_sys(-r, "making the root file system %s private", path) : arena_check(&p->arena);
}

/* The bundle's and the root's own names: sources and destinations may be below them. */
static err *know_paths(struct plan *p, const struct runtime_request *r)
{
        char link[40], text[4096];
        ssize_t n;

        p->bundle_path = "/";
        if (r->rootfs_fd >= 0 && !p->lower_mount)
                return NULL; /* hod's own specifications: all paths are absolute */
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", r->bundle_fd);
        n = readlink(link, text, sizeof(text));
        if (n < 0 || n == (ssize_t)sizeof(text))
                return err_sys(n < 0 ? errno : ENAMETOOLONG, "readlink %s", link);
        p->bundle_path = arena_copy(&p->arena, text, (size_t)n);
        TRY(arena_check(&p->arena));
        if (r->rootfs_fd < 0)
                p->root_path = plan_clean_path(p, p->bundle_path, r->spec->root_path);
        return arena_check(&p->arena);
}

/* As runc, a link is no root file system: what it means may change between two looks. */
static err *check_root(const struct plan *p, const char *given)
{
        struct stat st;

        if (!p->root_path)
                return NULL;
        if (lstat(p->root_path, &st) < 0)
                return errno == ENOENT
                               ? err_new(ERR_NOT_FOUND, "invalid rootfs: stat %s: no such file or directory", given)
                               : err_sys(errno, "invalid rootfs: stat %s", given);
        if (S_ISLNK(st.st_mode))
                return err_new(ERR_INVALID, "invalid rootfs: not an absolute path, or a symlink");
        return S_ISDIR(st.st_mode) ? NULL : err_new(ERR_INVALID, "invalid rootfs: %s is not a directory", given);
}

/* Without a mount namespace the container is a directory of the caller's namespace. If something is to be mounted, the
 * root file system is bound on itself first, so that one umount takes everything away; as with runc, that is the
 * caller's to do. */
static err *open_root_place(struct plan *p, const struct runtime_request *r)
{
        const char *path = r->spec->root_path;
        int fd = r->rootfs_fd >= 0 ? fcntl(r->rootfs_fd, F_DUPFD_CLOEXEC, 3)
                                   : openat(r->bundle_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 && errno == ENOENT)
                return err_new(ERR_NOT_FOUND, "invalid rootfs: stat %s: no such file or directory", path);
        if (fd < 0)
                return err_sys(errno, "opening the root file system %s", path);
        fd = plan_own_fd(p, fd);
        TRY(arena_check(&p->arena));
        if (!r->spec->n_mounts) {
                p->rootfs_fd = fd;
                return NULL;
        }
        p->root_place = fd;
        return plan_clone_root(p, fd, "");
}

void plan_undo_root(const struct plan *p)
{
        char path[40];

        if (p->root_place < 0)
                return;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", p->rootfs_fd);
        (void)umount2(path, MNT_DETACH); /* all that is on it goes, too; EINVAL: was not attached yet */
}

err *plan_open_root(struct plan *p, const struct runtime_request *r)
{
        p->root_propagation = r->spec->linux_.rootfs_propagation;
        p->root_readonly = r->spec->root_readonly;
        if (r->rootfs_fd < 0 && !r->spec->root_path)
                return err_new(ERR_INVALID, "root must be specified");
        TRY(know_paths(p, r));
        TRY(check_root(p, r->spec->root_path));
        if (!p->has_mount)
                return open_root_place(p, r);
        if (r->rootfs_fd >= 0 && is_mount_root(r->rootfs_fd)) {
                p->rootfs_fd = r->rootfs_fd;
                return NULL;
        }
        if (r->rootfs_fd >= 0)
                return plan_clone_root(p, r->rootfs_fd, "");
        return p->lower_mount ? NULL : plan_clone_root(p, r->bundle_fd, r->spec->root_path);
}

static struct plan_mount *add(struct plan *p, const char *destination, enum plan_mount_kind kind)
{
        struct plan_mount *m = &p->mounts[p->n_mounts++];

        m->kind = kind;
        m->destination = destination;
        m->is_dir = true;
        m->tree_fd = m->idmap_fd = -1;
        return m;
}

static void copy_propagation(struct plan_mount *to, const struct mount_options *o)
{
        memcpy(to->propagation, o->propagations, sizeof(to->propagation));
        to->n_propagation = o->n_propagations;
}

/* "key=value" and "key" as fsconfig wants them. A long overlay lowerdir becomes single layers: one parameter may have
 * at most 255 bytes ("lowerdir+" needs Linux 6.8). */
static void split_params(struct plan *p, struct mount_fs *fs, char *const *list, size_t extra)
{
        struct mount_param *params;
        size_t n = extra;

        for (size_t i = 0; list && list[i]; i++) {
                n++;
                for (const char *c = list[i]; *c; c++)
                        n += *c == ':';
        }
        params = ARENA_NEW(&p->arena, struct mount_param, n);
        fs->params = params;
        if (!params)
                return;
        for (size_t i = 0; list && list[i]; i++) {
                const char *eq = strchr(list[i], '=');
                bool layers = str_eq(fs->type, "overlay") && str_starts(list[i], "lowerdir=") && strlen(list[i]) > 250;

                if (!eq || eq == list[i]) {
                        params[fs->n_params++] = (struct mount_param){list[i], NULL};
                        continue;
                }
                for (const char *v = eq + 1, *end; layers; v = end + 1) {
                        end = strchrnul(v, ':');
                        params[fs->n_params++] =
                                (struct mount_param){"lowerdir+", arena_copy(&p->arena, v, (size_t)(end - v))};
                        if (!*end)
                                break;
                }
                if (!layers)
                        params[fs->n_params++] =
                                (struct mount_param){arena_copy(&p->arena, list[i], (size_t)(eq - list[i])), eq + 1};
        }
}

static bool has_data(const struct mount_options *o, const char *key)
{
        size_t n = strlen(key);

        for (size_t i = 0; o->data_list && o->data_list[i]; i++)
                if (strncmp(o->data_list[i], key, n) == 0 && (o->data_list[i][n] == '=' || !o->data_list[i][n]))
                        return true;
        return false;
}

/* File systems that a user namespace may mount only if it owns a namespace that is another's here: what the host shows
 * of the same is the same. */
static const char *fallback(const struct plan *p, const char *type)
{
        bool own_pid = p->clone_flags & CLONE_NEWPID || p->pid_ns_fd >= 0;

        if (!p->lower_mount)
                return NULL;
        return str_eq(type, "sysfs")              ? "/sys"
               : str_eq(type, "mqueue")           ? "/dev/mqueue"
               : str_eq(type, "proc") && !own_pid ? "/proc"
                                                  : NULL;
}

/* The parameter that linux.mountLabel is given by. */
static err *label_key(const struct oci_spec *s, const char **ret)
{
        static const char *const types[] = {"context", "fscontext", "defcontext", "rootcontext"};
        const char *type = oci_spec_annotation(s, CONTEXT_TYPE);

        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (str_eq(str_empty(type) ? types[0] : type, types[i])) {
                        *ret = types[i];
                        return NULL;
                }
        return err_new(ERR_INVALID,
                       "annotation " CONTEXT_TYPE ": %s is none of context, fscontext, defcontext, rootcontext", type);
}

static err *add_new(struct plan *p, const struct oci_mount *m, const struct mount_param *label)
{
        struct plan_mount *pm = add(p, m->destination, PLAN_MOUNT_NEW);
        const struct mount_options *o = &m->options;
        bool tmpfs = str_eq(m->type, "tmpfs");

        if (!m->type)
                return err_new(ERR_INVALID, "mount %s: a type or the option bind is needed", m->destination);
        if (m->uid_map.n || o->idmap)
                return err_new(ERR_UNSUPPORTED, "mount %s: id maps are for bind mounts", m->destination);
        pm->shown = m->source ? m->source : m->type;
        pm->fs.type = m->type;
        pm->fallback = fallback(p, m->type);
        pm->fs.source = m->source;
        pm->fs.sb_flags = o->sb_flags | (o->flags & MS_RDONLY);
        pm->fs.attrs = (uint32_t)o->attr_set;
        pm->fs.pidns = p->stages && str_eq(m->type, "proc");
        pm->fs.pidns_fd = p->pid_ns_fd;
        pm->rec_set = o->rec_set;
        pm->rec_clear = o->rec_clear;
        copy_propagation(pm, o);
        pm->is_dev = str_eq(m->destination, "/dev");
        pm->ordinary = pm->is_dev || str_eq(m->type, "proc") || str_eq(m->type, "sysfs");
        pm->nofollow = o->dest_nofollow;
        if (tmpfs) {
                pm->mode_from_target = !has_data(o, "mode");
                pm->copy_up = o->tmpcopyup;
        }
        /* Later mounts may need mount points on it, /dev needs its nodes. */
        pm->make_readonly = (tmpfs || str_eq(m->destination, "/dev")) && o->attr_set & MOUNT_ATTR_RDONLY;
        if (pm->make_readonly) {
                pm->fs.attrs &= ~(uint32_t)MOUNT_ATTR_RDONLY;
                pm->fs.sb_flags &= ~(unsigned long)MS_RDONLY;
        }
        split_params(p, &pm->fs, o->data_list, 1);
        if (!str_empty(label->value) && pm->fs.params && (tmpfs || str_eq(m->type, "devpts")))
                ((struct mount_param *)(uintptr_t)pm->fs.params)[pm->fs.n_params++] = *label;
        return arena_check(&p->arena);
}

static err *add_remount(struct plan *p, const struct oci_mount *m)
{
        struct plan_mount *pm = add(p, m->destination, PLAN_MOUNT_REMOUNT);

        pm->shown = m->destination;
        pm->set = m->options.attr_set;
        pm->clear = m->options.attr_clear;
        pm->rec_set = m->options.rec_set;
        pm->rec_clear = m->options.rec_clear;
        copy_propagation(pm, &m->options);
        if (m->options.is_bind)
                return NULL;
        /* mount(2) without MS_BIND means the file system: its parameters and flags. "ro" and "rw" change the mount
         * only: others may use the same file system. */
        pm->fs = (struct mount_fs){.type = "", .sb_flags = m->options.sb_flags};
        split_params(p, &pm->fs, m->options.data_list, 0);
        pm->reconfigure = pm->fs.n_params || pm->fs.sb_flags;
        return arena_check(&p->arena);
}

char *plan_hierarchy_name(struct plan *p, const struct cgroup_hierarchy *h)
{
        _cleanup_str_ struct str name = {0};

        for (unsigned c = 0; c < CGROUP_CONTROLLER_MAX_; c++)
                if (h->controllers >> c & 1) {
                        if (name.len)
                                str_add_char(&name, ',');
                        str_add(&name, cgroup_controller_name((enum cgroup_controller)c));
                }
        if (name.failed)
                p->arena.failed = true;
        return arena_copy(&p->arena, str_text(&name), name.len);
}

/* Rootless: the child binds it, by name. Never writable where the container sees more than its own: what the user may
 * write there (a delegated tree, his session's) are limits of others (CVE-2023-25809). */
static err *leave_cgroup_tree(struct plan *p, const struct cgroup_hierarchy *h, const char *path, struct plan_mount *pm,
                              const struct oci_mount *m)
{
        char link[40], top[4096];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", h->fd);
        n = readlink(link, top, sizeof(top) - 1);
        if (n < 0)
                return err_sys(errno, "readlink %s", link);
        top[n] = '\0';
        pm->bind = true;
        pm->shown = "cgroup";
        pm->source = path[1] ? arena_printf(&p->arena, "%s%s", top, path) : arena_copy(&p->arena, top, (size_t)n);
        pm->wish = (struct mount_wish){
                m->options.attr_set | CGROUP_ATTRS | (p->new_cgroup && path[1] ? 0 : MOUNT_ATTR_RDONLY), 0, true};
        pm->propagation[0] = MS_PRIVATE;
        pm->n_propagation = 1;
        return arena_check(&p->arena);
}

/* The container's own directory of one hierarchy, bound: the same view as a new mount in the new cgroup namespace
 * gives, and the only possible one without that. */
static err *add_cgroup_tree(struct plan *p, const struct cgroup_hierarchy *h, const char *path, const char *destination,
                            const struct oci_mount *m)
{
        struct plan_mount *pm = add(p, destination, PLAN_MOUNT_TREE);
        int fd = mountfd_clone(h->fd, path[1] ? path + 1 : "", 0), r;

        if (fd == -EPERM && p->lower_mount)
                return leave_cgroup_tree(p, h, path, pm, m);
        if (fd < 0)
                return err_sys(-fd, "opening cgroup %s", path);
        pm->tree_fd = plan_own_fd(p, fd);
        TRY(arena_check(&p->arena));
        pm->shown = "cgroup";
        r = mountfd_set(pm->tree_fd, 0, m->options.attr_set | CGROUP_ATTRS,
                        m->options.attr_clear & ~(uint64_t)CGROUP_ATTRS, MS_PRIVATE);
        return r < 0 ? err_sys(-r, "setting the options of mount %s", destination) : NULL;
}

static err *add_cgroup_v1(struct plan *p, const struct cgroup_layout *l, const char *path, const struct oci_mount *m)
{
        struct plan_mount *top = add(p, m->destination, PLAN_MOUNT_NEW);
        struct mount_param *mode = ARENA_NEW(&p->arena, struct mount_param, 1);

        TRY(arena_check(&p->arena));
        *mode = (struct mount_param){"mode", "755"};
        top->shown = "cgroup";
        top->fs = (struct mount_fs){
                .type = "tmpfs", .source = "tmpfs", .params = mode, .n_params = 1, .attrs = CGROUP_ATTRS};
        top->make_readonly = m->options.attr_set & MOUNT_ATTR_RDONLY;
        for (size_t i = 0; i < l->n; i++) {
                char *name;

                if (l->h[i].v2)
                        continue;
                name = plan_hierarchy_name(p, &l->h[i]);
                TRY(arena_check(&p->arena));
                TRY(add_cgroup_tree(p, &l->h[i], path, arena_printf(&p->arena, "%s/%s", m->destination, name), m));
                for (char *part = strchr(name, ',') ? name : NULL, *end; part; part = *end ? end + 1 : NULL) {
                        struct plan_mount *link;

                        end = strchrnul(part, ',');
                        link = add(p, arena_printf(&p->arena, "%s/%.*s", m->destination, (int)(end - part), part),
                                   PLAN_MOUNT_SYMLINK);
                        link->source = link->shown = name;
                }
        }
        return arena_check(&p->arena);
}

static err *add_cgroup(struct plan *p, const char *path, const struct oci_mount *m)
{
        const struct cgroup_layout *l;

        TRY(cgroup_layout_get(&l));
        if (!path) /* none of its own: it stays where we are, and sees what we see */
                path = "/";
        if (str_eq(m->type, "cgroup2") && l->unified < 0)
                return err_new(ERR_UNSUPPORTED, "mount %s: this machine has no cgroup2 hierarchy", m->destination);
        if (!path)
                path = "/"; /* rootless, without a cgroup */
        if (l->mode == CGROUP_MODE_V2 || str_eq(m->type, "cgroup2"))
                return add_cgroup_tree(p, &l->h[l->unified], p->new_cgroup ? path : "/", m->destination, m);
        return add_cgroup_v1(p, l, path, m);
}

/* /proc belongs to the kernel: over its files only what lxcfs and the like emulate may be mounted (CVE-2019-16884: a
 * mount on /proc/self/attr turns labels off). What the names really lead to, the child looks at. */
static err *check_proc(struct plan_mount *m, const char *destination, bool bind, const char *type)
{
        static const char *const emulated[] = {
                "/cpuinfo",
                "/diskstats",
                "/meminfo",
                "/stat",
                "/swaps",
                "/uptime",
                "/loadavg",
                "/slabinfo",
                "/sys/kernel/ns_last_pid",
                "/sys/crypto/fips_enabled",
        };
        const char *below = plan_path_below(destination, "/proc");

        if (!below)
                return NULL;
        if (!*below) {
                m->on_proc = true;
                if (!bind && !str_eq(type, "proc"))
                        return err_new(ERR_INVALID, "\"%s\" cannot be mounted because it is not of type proc",
                                       destination);
                return NULL;
        }
        for (size_t i = 0; i < sizeof(emulated) / sizeof(emulated[0]); i++)
                if (str_eq(below, emulated[i])) {
                        m->in_proc = true;
                        return NULL;
                }
        return err_new(ERR_INVALID, "\"%s\" cannot be mounted because it is inside /proc", destination);
}

/* A destination is a path of the container; one below the root file system's own path on the host is meant as that, too
 * (as with runc). */
static err *clean_destination(struct plan *p, const char *given, const char **ret)
{
        const char *clean = plan_clean_path(p, "", given), *below;

        TRY(arena_check(&p->arena));
        below = p->root_path && p->root_path[1] ? plan_path_below(clean, p->root_path) : NULL;
        if (below)
                clean = *below ? below : "/";
        if (!clean[1])
                return err_new(ERR_INVALID, "mount destination %s is the root file system itself", given);
        *ret = clean;
        return NULL;
}

static err *add_mount(struct plan *p, const struct runtime_request *r, const struct oci_mount *given,
                      const char *cgroup, const struct mount_param *label)
{
        bool bind = given->options.is_bind || str_eq(given->type, "bind");
        bool remount = given->options.flags & MS_REMOUNT;
        size_t at = p->n_mounts;
        struct oci_mount m = *given;

        TRY(clean_destination(p, given->destination, &m.destination));
        if (bind && !remount && str_eq(m.destination, "/dev"))
                p->setup_dev = false;
        if (remount || (!bind && !m.type))
                return add_remount(p, &m);
        if (bind)
                TRY(plan_add_bind(p, r, &m, add(p, m.destination, PLAN_MOUNT_TREE)));
        else if (str_eq(m.type, "cgroup") || str_eq(m.type, "cgroup2"))
                TRY(add_cgroup(p, cgroup, &m));
        else
                TRY(add_new(p, &m, label));
        return check_proc(&p->mounts[at], m.destination, bind, m.type);
}

err *plan_add_mounts(struct plan *p, const struct runtime_request *r, const char *cgroup)
{
        const struct oci_spec *s = r->spec;
        struct mount_param label = {NULL, s->linux_.mount_label};
        size_t room = 0;

        /* A cgroup mount on v1 becomes a tmpfs, a tree a hierarchy and links for co-mounted controllers. */
        for (size_t i = 0; i < s->n_mounts; i++)
                room += str_eq(s->mounts[i].type, "cgroup") ? 2 + CGROUP_HIERARCHIES_MAX + CGROUP_CONTROLLER_MAX_ : 1;
        p->mounts = ARENA_NEW(&p->arena, struct plan_mount, room);
        TRY(arena_check(&p->arena));
        TRY(label_key(s, &label.key));
        p->setup_dev = p->has_mount || s->n_mounts;
        for (size_t i = 0; i < s->n_mounts; i++)
                TRY(add_mount(p, r, &s->mounts[i], cgroup, &label));
        return NULL;
}
