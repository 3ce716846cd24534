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
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "runtime/plan.h"
#include "runtime/userns.h"
#include "sys/device.h"

#define CGROUP_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static uint64_t propagation_or_private(unsigned long propagation)
{
        return propagation ? propagation : MS_PRIVATE | MS_REC;
}

/* Is the descriptor the root of a mount (as every detached mount is)? */
static bool is_mount_root(int fd)
{
        struct statx sx = {0};

        return statx(fd, "", AT_EMPTY_PATH, 0, &sx) == 0 && sx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

err *plan_open_root(struct plan *p, const struct runtime_request *r)
{
        unsigned long propagation = r->spec->linux_.rootfs_propagation;
        const char *path = r->spec->root_path;
        int fd, e;

        p->root_propagation = propagation;
        p->root_readonly = r->spec->root_readonly;
        if (r->rootfs_fd >= 0 && (!p->has_mount || is_mount_root(r->rootfs_fd))) {
                p->rootfs_fd = r->rootfs_fd;
                return NULL;
        }
        if (r->rootfs_fd < 0 && !path)
                return err_new(ERR_INVALID, "root must be specified");
        if (!p->has_mount) {
                fd = openat(r->bundle_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
                fd = fd < 0 ? -errno : fd;
        } else if (r->rootfs_fd >= 0) {
                fd = mountfd_clone(r->rootfs_fd, "", AT_RECURSIVE);
        } else {
                fd = mountfd_clone(r->bundle_fd, path, AT_RECURSIVE);
        }
        if (fd == -ENOENT)
                return err_new(ERR_NOT_FOUND, "invalid rootfs: stat %s: no such file or directory", path);
        if (fd < 0)
                return err_sys(-fd, "opening the root file system %s", path ? path : "");
        p->rootfs_fd = plan_own_fd(p, fd);
        if (!p->has_mount)
                return arena_check(&p->arena);
        /* "shared" is applied after pivot_root, which refuses shared roots. */
        e = mountfd_set(p->rootfs_fd, AT_RECURSIVE, 0, 0, propagation & MS_SLAVE ? MS_SLAVE : MS_PRIVATE);
        if (e < 0)
                return err_sys(-e, "making the root file system %s private", path ? path : "");
        return arena_check(&p->arena);
}

static struct plan_mount *add(struct plan *p, const char *destination, enum plan_mount_kind kind)
{
        struct plan_mount *m = &p->mounts[p->n_mounts++];

        m->kind = kind;
        m->destination = destination;
        m->is_dir = true;
        m->tree_fd = -1;
        return m;
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

static bool is_dev(const char *destination)
{
        const char *rest = str_after(destination, "/dev");

        return rest && strspn(rest, "/") == strlen(rest);
}

static err *add_new(struct plan *p, const struct oci_mount *m, const char *label)
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
        pm->fs.source = m->source;
        pm->fs.sb_flags = o->sb_flags | (o->flags & MS_RDONLY);
        pm->fs.attrs = (uint32_t)o->attr_set;
        pm->fs.pidns = p->stages && str_eq(m->type, "proc");
        pm->fs.pidns_fd = p->pid_ns_fd;
        pm->rec_set = o->rec_set;
        pm->rec_clear = o->rec_clear;
        pm->propagation = o->propagation & ~(unsigned long)MS_PRIVATE; /* new mounts are private */
        pm->is_dev = is_dev(m->destination);
        pm->ordinary = pm->is_dev || str_eq(m->type, "proc") || str_eq(m->type, "sysfs");
        pm->nofollow = o->dest_nofollow;
        if (tmpfs) {
                pm->mode_from_target = !has_data(o, "mode");
                pm->copy_up = o->tmpcopyup;
                pm->make_readonly = o->tmpcopyup && o->attr_set & MOUNT_ATTR_RDONLY;
                if (pm->make_readonly) {
                        pm->fs.attrs &= ~(uint32_t)MOUNT_ATTR_RDONLY;
                        pm->fs.sb_flags &= ~(unsigned long)MS_RDONLY;
                }
        }
        split_params(p, &pm->fs, o->data_list, 1);
        if (label && pm->fs.params && (tmpfs || str_eq(m->type, "devpts")))
                ((struct mount_param *)(uintptr_t)pm->fs.params)[pm->fs.n_params++] =
                        (struct mount_param){"context", label};
        return arena_check(&p->arena);
}

static err *idmap_tree(struct plan *p, const struct plan_mount *pm, const struct oci_mount *m,
                       const struct oci_spec *spec)
{
        const struct oci_idmaps *uids = m->uid_map.n ? &m->uid_map : &spec->linux_.uid_map;
        const struct oci_idmaps *gids = m->gid_map.n ? &m->gid_map : &spec->linux_.gid_map;
        _cleanup_close_ int userns = -1;
        int r;

        if (!uids->n || !gids->n)
                return err_new(ERR_INVALID, "mount %s: idmap needs maps", m->destination);
        TRY_WRAP(userns_open(uids, gids, &userns), "mount %s", m->destination);
        r = mountfd_idmap(pm->tree_fd, m->options.idmap == MOUNT_IDMAP_RECURSIVE ? AT_RECURSIVE : 0, userns);
        if (r < 0)
                return err_sys(-r, "the file system of %s cannot map ids", pm->shown);
        return NULL;
}

/* "/proc/PID/root/dev/shm" is a mount of another container: only inside its own mount namespace can it be cloned, and
 * its path be resolved without its links leading to the host's files. Enter it for one call, and come back. */
static int clone_from_process(const char *pid_dir, const char *path, unsigned flags)
{
        _cleanup_close_ int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), theirs = -1;
        char ns[64];
        int fd;

        (void)snprintf(ns, sizeof(ns), "%s/ns/mnt", pid_dir);
        theirs = open(ns, O_RDONLY | O_CLOEXEC);
        if (own < 0 || theirs < 0 || setns(theirs, CLONE_NEWNS) < 0)
                return -errno;
        fd = mountfd_clone(AT_FDCWD, path, flags);
        if (setns(own, CLONE_NEWNS) < 0)
                abort(); /* cannot be: it is ours */
        return fd;
}

static int clone_source(int dirfd, const char *source, unsigned flags)
{
        size_t digits = strncmp(source, "/proc/", 6) == 0 ? strspn(source + 6, "0123456789") : 0;
        char pid_dir[32];

        if (!digits || digits > 10 || strncmp(source + 6 + digits, "/root/", 6) != 0)
                return mountfd_clone(dirfd, source, flags);
        (void)snprintf(pid_dir, sizeof(pid_dir), "%.*s", (int)(6 + digits), source);
        return clone_from_process(pid_dir, source + 6 + digits + strlen("/root"), flags);
}

static err *add_bind(struct plan *p, const struct runtime_request *r, const struct oci_mount *m)
{
        struct plan_mount *pm = add(p, m->destination, PLAN_MOUNT_TREE);
        const struct mount_options *o = &m->options;
        bool recursive = o->flags & MS_REC;
        struct stat st;
        int fd, e;

        if (str_empty(m->source))
                return err_new(ERR_INVALID, "mount %s: a bind mount needs a source", m->destination);
        pm->shown = m->source;
        pm->nofollow = o->dest_nofollow;
        fd = clone_source(r->bundle_fd, m->source,
                          (recursive ? AT_RECURSIVE : 0) | (o->src_nofollow ? AT_SYMLINK_NOFOLLOW : 0));
        if (fd == -ENOENT)
                return err_new(ERR_NOT_FOUND, "failed to fulfil mount request: open %s: no such file or directory",
                               m->source);
        if (fd < 0)
                return err_sys(-fd, "opening mount source %s", m->source);
        pm->tree_fd = plan_own_fd(p, fd);
        if (fstat(pm->tree_fd, &st) < 0)
                return err_sys(errno, "examining mount source %s", m->source);
        pm->is_dir = S_ISDIR(st.st_mode);
        if (m->uid_map.n || m->gid_map.n || o->idmap)
                TRY(idmap_tree(p, pm, m, r->spec));
        /* All attributes before anybody can see the mount: never read-only "a moment later". */
        e = mountfd_set(pm->tree_fd, AT_RECURSIVE, o->rec_set, o->rec_clear,
                        propagation_or_private(o->propagation) & ~(uint64_t)MS_REC);
        if (e == 0)
                e = mountfd_set(pm->tree_fd, 0, o->attr_set, o->attr_clear, 0);
        if (e < 0)
                return err_sys(-e, "setting the options of mount %s", m->destination);
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
        pm->propagation = m->options.propagation;
        return NULL;
}

/* Directory name of a v1 hierarchy, as everybody mounts it: "cpu,cpuacct", "systemd". */
static char *hierarchy_name(struct plan *p, const struct cgroup_hierarchy *h)
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

/* The container's own directory of one hierarchy, bound: the same view as a new mount in the new cgroup namespace
 * gives, and the only possible one without that. */
static err *add_cgroup_tree(struct plan *p, const struct cgroup_hierarchy *h, const char *path, const char *destination,
                            const struct oci_mount *m)
{
        struct plan_mount *pm = add(p, destination, PLAN_MOUNT_TREE);
        int fd = mountfd_clone(h->fd, path[1] ? path + 1 : "", 0), r;

        if (fd < 0)
                return err_sys(-fd, "opening cgroup %s", path);
        pm->tree_fd = plan_own_fd(p, fd);
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
        for (size_t i = 0; i < l->n; i++) {
                char *name;

                if (l->h[i].v2)
                        continue;
                name = hierarchy_name(p, &l->h[i]);
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
        if (l->mode == CGROUP_MODE_V2)
                return add_cgroup_tree(p, &l->h[l->unified], p->new_cgroup ? path : "/", m->destination, m);
        return add_cgroup_v1(p, l, path, m);
}

err *plan_add_mounts(struct plan *p, const struct runtime_request *r, const char *cgroup)
{
        const struct oci_spec *s = r->spec;
        size_t room = 0;

        /* A cgroup mount on v1 becomes a tmpfs, a tree a hierarchy and links for co-mounted controllers. */
        for (size_t i = 0; i < s->n_mounts; i++)
                room += str_eq(s->mounts[i].type, "cgroup") ? 2 + CGROUP_HIERARCHIES_MAX + CGROUP_CONTROLLER_MAX_ : 1;
        p->mounts = ARENA_NEW(&p->arena, struct plan_mount, room);
        TRY(arena_check(&p->arena));
        p->setup_dev = p->has_mount;
        for (size_t i = 0; i < s->n_mounts; i++) {
                const struct oci_mount *m = &s->mounts[i];
                bool bind = m->options.is_bind || str_eq(m->type, "bind");

                if (strspn(m->destination, "/") == strlen(m->destination))
                        return err_new(ERR_INVALID, "mount destination / is the root file system itself");
                if (bind && is_dev(m->destination))
                        p->setup_dev = false;
                if (m->options.flags & MS_REMOUNT)
                        TRY(add_remount(p, m));
                else if (bind)
                        TRY(add_bind(p, r, m));
                else if (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"))
                        TRY(add_cgroup(p, cgroup, m));
                else
                        TRY(add_new(p, m, s->linux_.mount_label));
        }
        return NULL;
}
