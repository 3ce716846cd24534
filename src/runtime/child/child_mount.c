/* child_mount.c - the mounts of the plan, in order. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "runtime/bind.h"
#include "runtime/child/child.h"
#include "sys/fdpass.h"

#define LOG_MAX 256

static int fail(struct child *c, const struct plan_mount *m, int errnum, const char *detail)
{
        return child_fail_at(c, PLAN_STEP_MOUNT, errnum, (size_t)(m - c->p->mounts), detail);
}

static int finish(const struct plan_mount *m, int fd)
{
        int r = mountfd_set(fd, AT_RECURSIVE, m->rec_set, m->rec_clear, 0);

        return r < 0 ? r : bind_propagation(fd, m);
}

/* Still the host's "/": ours is over it, and becomes it in the end. */
static int bind_host(const struct plan_mount *m)
{
        _cleanup_close_ int fd = mountfd_clone(AT_FDCWD, m->fallback, AT_RECURSIVE);
        int r = fd < 0 ? fd : mountfd_set(fd, AT_RECURSIVE, m->fs.attrs, 0, MS_PRIVATE);

        return r < 0 ? r : TAKE_FD(fd);
}

static int make_new(struct child *c, const struct plan_mount *m, int target, bool made, int *ret_fd)
{
        _cleanup_close_ int fd = -1;
        char log[LOG_MAX];
        struct stat st;
        int mode = -1, r;

        /* A tmpfs looks like what it covers, unless told otherwise, as with runc. */
        if (m->mode_from_target && !made) {
                if (fstat(target, &st) < 0)
                        return fail(c, m, errno, "examining the mount point");
                mode = (int)(st.st_mode & 07777);
        }
        fd = mountfd_new(&m->fs, mode, log, sizeof(log));
        if (fd == -EPERM && m->fallback)
                fd = bind_host(m);
        if (fd < 0)
                return fail(c, m, fd, log);
        if (m->copy_up && !made) {
                r = child_copy_up(target, fd);
                if (r < 0)
                        return fail(c, m, r, "copying what is there");
        }
        r = finish(m, fd);
        if (r < 0)
                return fail(c, m, r, "setting attributes");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int remount(struct child *c, const struct plan_mount *m)
{
        _cleanup_close_ int fd = child_path_open(c->root, m->destination, O_PATH, 0);
        char log[LOG_MAX];
        int r;

        if (fd < 0)
                return fail(c, m, fd, NULL);
        r = m->reconfigure ? mountfd_reconfigure(fd, &m->fs, log, sizeof(log)) : 0;
        if (r < 0)
                return fail(c, m, r, log);
        r = mountfd_set(fd, 0, m->set, m->clear, 0);
        if (r == 0)
                r = finish(m, fd);
        return r < 0 ? fail(c, m, r, "changing attributes") : 0;
}

/* ---- trees of bind mounts ---- */

static int finish_tree(struct child *c, const struct plan_mount *m, int fd)
{
        const char *what = NULL;
        int r = bind_finish(fd, m, &what);

        return r < 0 ? fail(c, m, r, what) : 0;
}

/* A source that is in the container, as it is now: with the mounts that came before. */
static int open_inside(struct child *c, const struct plan_mount *m)
{
        _cleanup_close_ int at = -1, fd = -1;
        struct plan_report want = {.kind = PLAN_REPORT_WANT_IDMAP, .index = (uint32_t)(m - c->p->mounts)};
        const char *path = *m->source ? m->source : "/";
        int r = 0;

        at = child_path_open(c->root, path, O_PATH | (m->src_nofollow ? O_NOFOLLOW : 0), 0);
        if (at < 0)
                return fail(c, m, at, "opening the source");
        fd = bind_clone(at, "", m);
        if (fd < 0)
                return fail(c, m, fd, "opening the source");
        if (m->idmap_fd >= 0 && c->p->lower_mount) {
                ssize_t n = fdpass_send(c->p->socket, &want, sizeof(want), fd);

                if (n < 0)
                        return child_fail(c, PLAN_STEP_SYNC, (int)n, NULL);
                if (child_wait_go(c) < 0)
                        return -1;
        } else {
                r = bind_idmap(fd, m);
        }
        if (r < 0)
                return fail(c, m, r, "the file system cannot map ids");
        return finish_tree(c, m, fd) < 0 ? -1 : TAKE_FD(fd);
}

int child_open_trees(struct child *c)
{
        const struct plan *p = c->p;
        int r;

        if (c->root < 0 && p->rootfs_fd < 0) {
                c->root = mountfd_clone(AT_FDCWD, p->root_path, AT_RECURSIVE);
                if (c->root < 0)
                        return child_fail(c, PLAN_STEP_ROOT, c->root, p->root_path);
                r = mountfd_set(c->root, AT_RECURSIVE, 0, 0, p->root_propagation & MS_SLAVE ? MS_SLAVE : MS_PRIVATE);
                if (r < 0)
                        return child_fail(c, PLAN_STEP_ROOT, r, p->root_path);
        }
        for (size_t i = 0; i < p->n_devices; i++) {
                struct plan_device *d = &p->devices[i];

                if (d->bind)
                        d->tree_fd = mountfd_clone(AT_FDCWD, d->path, 0);
                if (d->bind && d->tree_fd < 0)
                        return child_fail(c, PLAN_STEP_DEVICE, d->tree_fd, d->path);
        }
        for (size_t i = 0; i < p->n_mounts; i++) {
                struct plan_mount *m = &p->mounts[i];

                if (m->kind != PLAN_MOUNT_TREE || !m->bind || m->inside || m->tree_fd >= 0)
                        continue;
                m->tree_fd = bind_clone(AT_FDCWD, m->source, m);
                if (m->tree_fd < 0)
                        return fail(c, m, m->tree_fd, "opening the source");
                r = bind_idmap(m->tree_fd, m);
                if (r < 0)
                        return fail(c, m, r, "the file system cannot map ids");
                if (finish_tree(c, m, m->tree_fd) < 0)
                        return -1;
        }
        return 0;
}

static int make_link(struct child *c, const struct plan_mount *m)
{
        _cleanup_close_ int dir = -1;
        const char *name;

        dir = child_path_parent(c->root, m->destination, &name);
        if (dir < 0)
                return fail(c, m, dir, NULL);
        if (symlinkat(m->source, dir, name) < 0 && errno != EEXIST)
                return fail(c, m, errno, NULL);
        return 0;
}

static bool is_directory(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_procfs(int fd)
{
        struct statfs fs;

        return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* A file goes where the image's link at its destination leads; but on the link itself when that is nowhere, a directory
 * or a device, as in images whose /etc/hosts is a link to /dev/null. Its name has the file then, and nothing else
 * changes: a device that is covered would be somebody else's trouble. */
static bool must_cover_link(const struct child *c, const struct plan_mount *m)
{
        _cleanup_close_ int link = -1, fd = -1;
        struct stat st, dev;

        link = child_path_open(c->root, m->destination, O_PATH | O_NOFOLLOW, 0);
        if (link < 0 || fstat(link, &st) < 0 || !S_ISLNK(st.st_mode))
                return false;
        fd = child_path_open(c->root, m->destination, O_PATH, 0);
        if (fd == -ENOENT) { /* it would be made; in /dev devices are made later */
                fd = child_path_would_be(c->root, m->destination);
                return fd >= 0 && c->dev >= 0 && fstat(fd, &st) == 0 && fstat(c->dev, &dev) == 0 &&
                       st.st_dev == dev.st_dev;
        }
        if (fd < 0)
                return fd == -ELOOP || fd == -ENOTDIR;
        return !is_procfs(fd) && fstat(fd, &st) == 0 &&
               (S_ISDIR(st.st_mode) || S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

static int open_target(struct child *c, const struct plan_mount *m, bool is_dir, bool *made)
{
        int fd = -ENOENT;

        *made = false;
        if (m->nofollow || (m->bind && !is_dir && must_cover_link(c, m)))
                fd = child_path_open(c->root, m->destination, O_PATH | O_NOFOLLOW, 0);
        if (fd == -ENOENT)
                fd = child_path_mount_point(c->root, m->destination, is_dir, m->ordinary ? RESOLVE_NO_SYMLINKS : 0,
                                            made);
        if ((fd == -ELOOP || fd == -ENOTDIR) && m->ordinary)
                return fail(c, m, ELOOP, "must be mounted on ordinary directory");
        if (fd < 0)
                return fail(c, m, fd, *made ? "making the mount point" : NULL);
        /* Wherever the image's links have led us: nothing but what is allowed is covered in /proc. */
        if (!m->on_proc && !m->in_proc && is_procfs(fd)) {
                (void)file_close(fd);
                return fail(c, m, EPERM, "cannot be mounted because it is inside /proc");
        }
        return fd;
}

static int keep_attached(struct child *c, const struct plan_mount *m, int fd)
{
        int *at = c->attached ? &c->attached[m - c->p->mounts] : NULL;

        if (at)
                *at = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return at && *at < 0 ? fail(c, m, errno, NULL) : 0;
}

static int attach_tree(struct child *c, const struct plan_mount *m)
{
        _cleanup_close_ int target = -1, opened = m->inside ? open_inside(c, m) : -1;
        int tree = m->inside ? opened : m->tree_fd, r;
        bool is_dir = m->bind ? is_directory(tree) : m->is_dir, made;

        if (tree < 0)
                return -1;
        if (m->on_proc && !is_procfs(tree))
                return fail(c, m, EPERM, "cannot be mounted because it is not of type proc");
        target = open_target(c, m, is_dir, &made);
        if (target < 0)
                return -1;
        r = mountfd_attach(tree, target);
        /* A file on a directory is only "invalid" to the kernel. */
        if (r == -EINVAL && !is_dir && is_directory(target))
                r = -ENOTDIR;
        return r < 0 ? fail(c, m, r, NULL) : keep_attached(c, m, tree);
}

static int attach_new(struct child *c, struct plan_mount *m)
{
        _cleanup_close_ int target = -1, fd = -1;
        bool made;
        int r;

        target = open_target(c, m, true, &made);
        if (target < 0 || make_new(c, m, target, made, &fd) < 0)
                return -1;
        r = mountfd_attach(fd, target);
        if (r < 0)
                return fail(c, m, r, NULL);
        if (m->is_dev) {
                (void)file_close(c->dev); /* covered */
                c->dev = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                if (c->dev < 0)
                        return fail(c, m, errno, NULL);
        }
        if (keep_attached(c, m, fd) < 0)
                return -1;
        if (m->make_readonly)
                m->tree_fd = TAKE_FD(fd); /* for child_mounts_readonly() */
        return 0;
}

int child_mounts_readonly(struct child *c)
{
        for (size_t i = 0; i < c->p->n_mounts; i++) {
                const struct plan_mount *m = &c->p->mounts[i];
                int r;

                if (!m->make_readonly)
                        continue;
                r = mountfd_set(m->tree_fd, 0, MOUNT_ATTR_RDONLY, 0, 0);
                if (r < 0)
                        return fail(c, m, r, "making it read-only");
        }
        return 0;
}

int child_mounts(struct child *c)
{
        for (size_t i = 0; i < c->p->n_mounts; i++) {
                struct trace_span span = trace_begin(TRACE_CHILD_MOUNTS);
                struct plan_mount *m = &c->p->mounts[i];
                int r;

                if (m->kind == PLAN_MOUNT_REMOUNT)
                        r = remount(c, m);
                else if (m->kind == PLAN_MOUNT_SYMLINK)
                        r = make_link(c, m);
                else
                        r = m->kind == PLAN_MOUNT_TREE ? attach_tree(c, m) : attach_new(c, m);
                trace_end(&span, r < 0 ? c->report.errnum : 0, m->destination);
                if (r < 0)
                        return -1;
        }
        return 0;
}
