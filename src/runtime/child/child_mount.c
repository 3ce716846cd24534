/* child_mount.c - the mounts of the plan, in order. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "runtime/child/child.h"

#define LOG_MAX 256

static int fail(struct child *c, const struct plan_mount *m, int errnum, const char *detail)
{
        return child_fail_at(c, PLAN_STEP_MOUNT, errnum, (size_t)(m - c->p->mounts), detail);
}

static int finish(const struct plan_mount *m, int fd)
{
        int r = mountfd_set(fd, AT_RECURSIVE, m->rec_set, m->rec_clear, m->propagation & ~(uint64_t)MS_REC);

        if (r == 0 && m->make_readonly)
                r = mountfd_set(fd, 0, MOUNT_ATTR_RDONLY, 0, 0);
        return r;
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
        int r;

        if (fd < 0)
                return fail(c, m, fd, NULL);
        r = mountfd_set(fd, 0, m->set, m->clear, 0);
        if (r == 0)
                r = mountfd_set(fd, m->propagation & MS_REC || m->rec_set || m->rec_clear ? AT_RECURSIVE : 0,
                                m->rec_set, m->rec_clear, m->propagation & ~(uint64_t)MS_REC);
        return r < 0 ? fail(c, m, r, "changing attributes") : 0;
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

static int attach(struct child *c, const struct plan_mount *m)
{
        _cleanup_close_ int target = -1, fd = -1;
        bool made;
        int r;

        target = child_path_mount_point(c->root, m->destination, m->is_dir, m->ordinary ? RESOLVE_NO_SYMLINKS : 0,
                                        &made);
        if (target == -ELOOP && m->ordinary)
                return fail(c, m, ELOOP, "must be mounted on ordinary directory");
        if (target < 0)
                return fail(c, m, target, made ? "making the mount point" : NULL);
        if (m->kind == PLAN_MOUNT_TREE) {
                r = mountfd_attach(m->tree_fd, target);
                /* A file on a directory is only "invalid" to the kernel. */
                if (r == -EINVAL && !m->is_dir && is_directory(target))
                        r = -ENOTDIR;
        } else {
                if (make_new(c, m, target, made, &fd) < 0)
                        return -1;
                r = mountfd_attach(fd, target);
                if (r == 0 && m->is_dev)
                        c->dev = TAKE_FD(fd);
        }
        return r < 0 ? fail(c, m, r, NULL) : 0;
}

int child_mounts(struct child *c)
{
        for (size_t i = 0; i < c->p->n_mounts; i++) {
                struct trace_span span = trace_begin(TRACE_CHILD_MOUNTS);
                const struct plan_mount *m = &c->p->mounts[i];
                int r;

                if (m->kind == PLAN_MOUNT_REMOUNT)
                        r = remount(c, m);
                else if (m->kind == PLAN_MOUNT_SYMLINK)
                        r = make_link(c, m);
                else
                        r = attach(c, m);
                trace_end(&span, r < 0 ? c->report.errnum : 0, m->destination);
                if (r < 0)
                        return -1;
        }
        return 0;
}
