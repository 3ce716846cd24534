/* child_live.c - mounts of a running container: more of them, or fewer. See live_mounts.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "runtime/child/child.h"

/* Sources are opened in a mount namespace that belongs to the container's user namespace: then the kernel locks their
 * attributes, and the container cannot take "ro" away. */
static int lower(struct child *c)
{
        if (setns(c->p->join_all_pidfd, CLONE_NEWUSER) < 0)
                return child_fail(c, PLAN_STEP_NAMESPACE, errno, "user");
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return child_fail(c, PLAN_STEP_SELF, errno, NULL);
        if (unshare(CLONE_NEWNS) < 0)
                return child_fail(c, PLAN_STEP_NAMESPACE, errno, "mount");
        if (child_send(c, PLAN_REPORT_WANT_MAP, -1) < 0 || child_wait_go(c) < 0 || child_open_trees(c) < 0)
                return -1;
        if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
                return child_fail(c, PLAN_STEP_USERNS, errno, NULL);
        return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? child_fail(c, PLAN_STEP_SELF, errno, NULL) : 0;
}

static int enter(struct child *c)
{
        /* Whoever is in there must not look into us. */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return child_fail(c, PLAN_STEP_SELF, errno, NULL);
        if (c->p->lower_mount && lower(c) < 0)
                return -1;
        if (setns(c->p->join_all_pidfd, c->p->join_all_flags) < 0)
                return child_fail(c, PLAN_STEP_NAMESPACE, errno, "of the container");
        c->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return c->root < 0 ? child_fail(c, PLAN_STEP_ROOT, errno, NULL) : 0;
}

/* The mount that @fd is the root of. umount2(2) knows only names: one of ours in the host's procfs. */
static int unmount_fd(struct child *c, int fd)
{
        CHILD_TEXT(name, 32);

        child_text_add(&name, "self/fd/");
        child_text_number(&name, fd);
        if (fchdir(c->p->proc_fd) < 0 || umount2(name.buf, MNT_DETACH) < 0)
                return -errno;
        return 0;
}

static int add_all(struct child *c)
{
        int r = child_mounts(c);

        if (r == 0)
                r = child_mounts_readonly(c);
        for (size_t i = c->p->n_mounts; r < 0 && i-- > 0;)
                if (c->attached[i] >= 0)
                        (void)unmount_fd(c, c->attached[i]);
        return r;
}

static int remove_one(struct child *c, size_t i)
{
        const char *path = c->p->mounts[i].destination;
        _cleanup_close_ int fd = child_path_open(c->root, path, O_PATH | O_NOFOLLOW, 0);
        struct statx sx = {0};
        int r;

        if (fd < 0)
                return child_fail(c, PLAN_STEP_UNMOUNT, fd, path);
        /* A link is followed, inside the root, unless something is mounted on the link itself. */
        if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0, &sx) < 0)
                return child_fail(c, PLAN_STEP_UNMOUNT, errno, path);
        if (!(sx.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
                (void)file_close(fd);
                fd = child_path_open(c->root, path, O_PATH, 0);
                if (fd < 0)
                        return child_fail(c, PLAN_STEP_UNMOUNT, fd, path);
        }
        r = unmount_fd(c, fd); /* EINVAL: nothing is mounted there */
        return r < 0 ? child_fail(c, PLAN_STEP_UNMOUNT, r, path) : 0;
}

/* From the last to the first: they may be in each other. */
static int remove_all(struct child *c)
{
        for (size_t i = c->p->n_mounts; i-- > 0;)
                if (remove_one(c, i) < 0)
                        return -1;
        return 0;
}

static _noreturn_ void work(const struct plan *p, int (*what)(struct child *c))
{
        struct child c = {.p = p, .root = -1, .dev = -1, .null = -1, .master = -1, .slave = -1};

        (void)close(p->parent_socket);
        c.attached = p->attached;
        if (enter(&c) == 0 && what(&c) == 0)
                (void)child_send(&c, PLAN_REPORT_READY, -1);
        child_end(&c);
}

_noreturn_ void child_live_add(const struct plan *p)
{
        work(p, add_all);
}

_noreturn_ void child_live_remove(const struct plan *p)
{
        work(p, remove_all);
}
