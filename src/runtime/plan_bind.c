/* plan_bind.c - bind mounts of a plan: where the source is, who opens it, whose ids it shows.
 *
 * Three kinds of sources:
 *   - of the host: the parent clones them at once.
 *   - of the host, for a container whose mount namespace belongs to another user namespace: the parent clones them too,
 *     but in the container's mount namespace (plan_send_trees). There the kernel has locked the attributes of the
 * host's mounts: the container may not clear ro, nosuid, nodev or noexec, whatever it is capable of in its user
 * namespace. What the parent may not do (rootless), the child does for itself.
 *   - below the root file system ("mnt/x" of a mount that came before it): the child opens them when it gets there. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "runtime/bind.h"
#include "runtime/plan.h"
#include "runtime/userns.h"
#include "sys/fdpass.h"

/* ---- paths ---- */

const char *plan_clean_path(struct plan *p, const char *base, const char *path)
{
        char *text = *path == '/' ? arena_printf(&p->arena, "%s", path) : arena_printf(&p->arena, "%s/%s", base, path);
        char *to = text;

        for (const char *at = text; at && *at;) {
                size_t n;

                at += strspn(at, "/");
                n = strcspn(at, "/");
                if (n == 2 && at[0] == '.' && at[1] == '.') {
                        while (to > text && *--to != '/')
                                ;
                } else if (n > 1 || (n == 1 && *at != '.')) {
                        *to++ = '/';
                        memmove(to, at, n);
                        to += n;
                }
                at += n;
        }
        if (text)
                *to = '\0';
        return text && !*text ? "/" : text;
}

const char *plan_path_below(const char *path, const char *dir)
{
        size_t n = strlen(dir);

        if (n == 1)
                return path; /* "/" */
        return strncmp(path, dir, n) == 0 && (!path[n] || path[n] == '/') ? path + n : NULL;
}

/* ---- opening ---- */

bool plan_source_is_of_process(const char *source, char pid_dir[32], const char **ret_path)
{
        size_t digits = strncmp(source, "/proc/", 6) == 0 ? strspn(source + 6, "0123456789") : 0;

        if (!digits || digits > 10 || strncmp(source + 6 + digits, "/root/", 6) != 0)
                return false;
        (void)snprintf(pid_dir, 32, "%.*s", (int)(6 + digits), source);
        *ret_path = source + 6 + digits + strlen("/root");
        return true;
}

/* In another mount namespace for a moment. */
struct visit {
        int ns, root, cwd; /* where we come from */
};

static void visit_end(struct visit *v)
{
        /* Cannot fail: they are our own, and visit_begin() has tried. */
        if (v->ns >= 0 &&
            (setns(v->ns, CLONE_NEWNS) < 0 || fchdir(v->root) < 0 || chroot(".") < 0 || fchdir(v->cwd) < 0))
                abort();
        (void)file_close(v->ns);
        (void)file_close(v->root);
        (void)file_close(v->cwd);
}

/* @root: what is to be the root there, -1 = that namespace's own. */
static int visit_begin(struct visit *v, int ns, int root)
{
        _cleanup_close_ int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

        v->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        v->cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        /* Root of a user namespace might find the way there, but not back: into one's own is the way back. */
        if (own < 0 || v->root < 0 || v->cwd < 0 || setns(own, CLONE_NEWNS) < 0)
                return -errno;
        v->ns = TAKE_FD(own);
        if (setns(ns, CLONE_NEWNS) < 0)
                return -errno;
        return root >= 0 && (fchdir(root) < 0 || chroot(".") < 0) ? -errno : 0;
}

static int clone_from_process(const char *pid_dir, const char *path, const struct plan_mount *m)
{
        _cleanup_(visit_end) struct visit visit = {-1, -1, -1};
        _cleanup_close_ int theirs = -1;
        char ns[64];
        int r;

        (void)snprintf(ns, sizeof(ns), "%s/ns/mnt", pid_dir);
        theirs = open(ns, O_RDONLY | O_CLOEXEC);
        if (theirs < 0)
                return -errno;
        r = visit_begin(&visit, theirs, -1);
        return r < 0 ? r : bind_clone(AT_FDCWD, path, m);
}

static err *open_error(const struct plan *p, const struct plan_mount *m, int r)
{
        if (r == -ENOENT)
                return err_new(ERR_NOT_FOUND, "failed to fulfil mount request: open %s: no such file or directory",
                               m->shown);
        if (r == -EINVAL && p->lower_mount && !m->recursive)
                return err_new(ERR_INVALID,
                               "opening mount source %s: there are mounts below it, and what they cover may not be "
                               "shown to a user namespace: rbind is needed",
                               m->shown);
        return err_sys(-r, "opening mount source %s", m->shown);
}

/* @fd (consumed) is @m's tree: map it, set what is to be set, keep it. */
static err *finish_tree(struct plan *p, struct plan_mount *m, int fd)
{
        const char *what;
        struct stat st;
        int r;

        m->tree_fd = plan_own_fd(p, fd);
        if (m->tree_fd < 0 || fstat(m->tree_fd, &st) < 0)
                return err_sys(errno, "examining mount source %s", m->shown);
        m->is_dir = S_ISDIR(st.st_mode);
        r = bind_idmap(m->tree_fd, m);
        if (r < 0)
                return err_sys(-r, "error mounting \"%s\" to rootfs at \"%s\": the file system cannot map ids",
                               m->shown, m->destination);
        r = bind_finish(m->tree_fd, m, &what); /* before anybody can see the mount: never read-only "a moment later" */
        if (r == -EPERM)
                return err_new(ERR_DENIED, "error mounting \"%s\" to rootfs at \"%s\": %s: operation not permitted",
                               m->shown, m->destination, what);
        return r < 0 ? err_sys(-r, "error mounting \"%s\" to rootfs at \"%s\": %s", m->shown, m->destination, what)
                     : NULL;
}

/* ---- ids ---- */

static bool same_maps(const struct oci_idmaps *a, const struct oci_idmaps *b)
{
        return a->n == b->n && (!a->n || memcmp(a->map, b->map, a->n * sizeof(*a->map)) == 0);
}

/* One user namespace for equal maps. */
static err *idmap_open(struct plan *p, const struct oci_idmaps *uids, const struct oci_idmaps *gids, size_t room,
                       int *ret_fd)
{
        struct plan_idmap *made;
        int fd;

        for (size_t i = 0; i < p->n_idmaps; i++)
                if (same_maps(&p->idmaps[i].uids, uids) && same_maps(&p->idmaps[i].gids, gids)) {
                        *ret_fd = p->idmaps[i].fd;
                        return NULL;
                }
        if (!p->idmaps)
                p->idmaps = ARENA_NEW(&p->arena, struct plan_idmap, room);
        TRY(arena_check(&p->arena));
        TRY(userns_open(uids, gids, &fd));
        made = &p->idmaps[p->n_idmaps++];
        *made = (struct plan_idmap){*uids, *gids, plan_own_fd(p, fd)};
        *ret_fd = made->fd;
        return arena_check(&p->arena);
}

static err *set_idmap(struct plan *p, const struct oci_spec *spec, const struct oci_mount *m, struct plan_mount *to)
{
        bool given = m->uid_map.n || m->gid_map.n;
        const struct oci_idmaps *uids = given ? &m->uid_map : &spec->linux_.uid_map;
        const struct oci_idmaps *gids = given ? &m->gid_map : &spec->linux_.gid_map;

        if (!given && m->options.idmap == MOUNT_IDMAP_NONE)
                return NULL;
        to->idmap_recursive = m->options.idmap == MOUNT_IDMAP_RECURSIVE;
        if (!given && p->user_fd >= 0) {
                to->idmap_fd = p->user_fd;
                return NULL;
        }
        if (!uids->n || !gids->n)
                return err_new(ERR_INVALID, "mount %s: id-mapped mounts must have both uid and gid mappings specified",
                               m->destination);
        return err_wrap(idmap_open(p, uids, gids, spec->n_mounts, &to->idmap_fd), "mount %s", m->destination);
}

/* ---- the plan ---- */

static void set_propagation(const struct runtime_request *r, const struct mount_options *o, struct plan_mount *to)
{
        unsigned long root = r->spec->linux_.rootfs_propagation;

        /* Nothing said: as the root file system. A shared one is no reason to share with the host. */
        to->propagation[0] = (root & (MS_SLAVE | MS_SHARED) ? MS_SLAVE : MS_PRIVATE) | MS_REC;
        to->n_propagation = 1;
        if (!o->n_propagations)
                return;
        memcpy(to->propagation, o->propagations, sizeof(to->propagation));
        to->n_propagation = o->n_propagations;
}

/* crun's "copy-symlink": a link is made anew, not followed. False if the source is none. */
static bool copy_symlink(struct plan *p, const struct runtime_request *r, const struct oci_mount *m,
                         struct plan_mount *to)
{
        char target[4096];
        ssize_t n = m->options.copy_symlink ? readlinkat(r->bundle_fd, m->source, target, sizeof(target)) : -1;

        if (n <= 0 || n == (ssize_t)sizeof(target))
                return false;
        to->kind = PLAN_MOUNT_SYMLINK;
        to->source = arena_copy(&p->arena, target, (size_t)n);
        return true;
}

err *plan_add_bind(struct plan *p, const struct runtime_request *r, const struct oci_mount *m, struct plan_mount *to)
{
        const struct mount_options *o = &m->options;
        char pid_dir[32];
        const char *path, *inside;
        int fd;

        if (str_empty(m->source))
                return err_new(ERR_INVALID, "mount %s: a bind mount needs a source", m->destination);
        if (o->data_list)
                return err_new(ERR_INVALID,
                               "invalid mount %s: bind mounts cannot have any filesystem-specific options applied (%s)",
                               m->destination, o->data);
        to->shown = m->source;
        if (copy_symlink(p, r, m, to))
                return arena_check(&p->arena);
        to->bind = true;
        to->nofollow = o->dest_nofollow;
        to->src_nofollow = o->src_nofollow;
        to->recursive = o->flags & MS_REC;
        to->rec_set = o->rec_set;
        to->rec_clear = o->rec_clear;
        to->wish = (struct mount_wish){o->attr_set, o->attr_clear,
                                       o->flags & ~(unsigned long)(MS_BIND | MS_REC) || o->flags_clear};
        set_propagation(r, o, to);
        TRY(set_idmap(p, r->spec, m, to));
        to->source = plan_clean_path(p, p->bundle_path, m->source);
        TRY(arena_check(&p->arena));
        /* What rootless has for a sysfs: with the host's cgroups below it, some of which the user may write to.
         * Read-only means those as well (CVE-2023-25809). */
        if (p->rootless && to->recursive && o->attr_set & MOUNT_ATTR_RDONLY && str_eq(to->source, "/sys"))
                to->rec_set |= MOUNT_ATTR_RDONLY;
        inside = p->root_path && p->root_path[1] ? plan_path_below(to->source, p->root_path) : NULL;
        if (inside) {
                to->inside = true;
                to->source = inside;
                return NULL;
        }
        if (plan_source_is_of_process(m->source, pid_dir, &path))
                fd = clone_from_process(pid_dir, path, to);
        else if (p->lower_mount)
                return NULL; /* plan_send_trees() */
        else
                fd = bind_clone(r->bundle_fd, m->source, to);
        return fd < 0 ? open_error(p, to, fd) : finish_tree(p, to, fd);
}

/* ---- with the child ---- */

static err *send_tree(int socket, uint32_t what, int fd)
{
        struct plan_go go = {.what = what};
        ssize_t n = fdpass_send(socket, &go, sizeof(go), fd);

        return n < 0 ? err_sys((int)-n, "speaking with the new process") : NULL;
}

static bool is_left(const struct plan_mount *m)
{
        return m->kind == PLAN_MOUNT_TREE && m->bind && !m->inside && m->tree_fd < 0;
}

/* In the child's mount namespace. Host names are resolved with our privileges, as everywhere. */
static err *send_all(struct plan *p, int socket)
{
        if (p->rootfs_fd < 0) {
                TRY(plan_clone_root(p, AT_FDCWD, p->root_path));
                TRY(send_tree(socket, PLAN_GO_ROOT, p->rootfs_fd));
        }
        for (size_t i = 0; i < p->n_mounts; i++) {
                struct plan_mount *m = &p->mounts[i];
                int fd;

                if (!is_left(m))
                        continue;
                fd = bind_clone(AT_FDCWD, m->source, m);
                if (fd < 0)
                        return open_error(p, m, fd);
                TRY(finish_tree(p, m, fd));
                TRY(send_tree(socket, (uint32_t)(PLAN_GO_MOUNT + i), m->tree_fd));
        }
        return NULL;
}

err *plan_send_trees(struct plan *p, pid_t pid, int pidfd, int socket)
{
        _cleanup_(visit_end) struct visit visit = {-1, -1, -1};
        bool any = p->rootfs_fd < 0;
        _cleanup_close_ int root = -1;
        char path[40];
        int r;

        for (size_t i = 0; i < p->n_mounts; i++)
                any |= is_left(&p->mounts[i]);
        if (!any)
                return NULL;
        (void)snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
        root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = root < 0 ? -errno : visit_begin(&visit, pidfd, root);
        if (r == -EPERM || r == -EACCES)
                return NULL; /* not privileged: nor does the child need us then */
        if (r < 0)
                return err_sys(-r, "entering the mount namespace of the new process");
        return send_all(p, socket);
}

err *plan_idmap_for_child(struct plan *p, unsigned index, int tree)
{
        const struct plan_mount *m;
        int r;

        if (index >= p->n_mounts || tree < 0 || !p->mounts[index].inside || p->mounts[index].idmap_fd < 0)
                return err_new(ERR_INTERNAL, "the new process sent no tree");
        m = &p->mounts[index];
        r = bind_idmap(tree, m);
        return r < 0 ? err_sys(-r, "error mounting \"%s\" to rootfs at \"%s\": the file system cannot map ids",
                               m->shown, m->destination)
                     : NULL;
}
