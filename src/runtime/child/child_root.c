/* child_root.c - the root file system becomes the root; kernel parameters on the way. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "runtime/child/child.h"

int child_root_attach(struct child *c)
{
        struct trace_span span = trace_begin(TRACE_CHILD_PROPAGATION);
        int r;

        /* In our copy of the mount table only. Bind mounts have got their own propagation from the parent, who cloned
         * them in the host's namespace: "rshared" and "rslave" refer to the host's mounts, not to this copy. */
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return child_fail(c, PLAN_STEP_PROPAGATION, errno, NULL);
        trace_end(&span, 0, NULL);

        span = trace_begin(TRACE_CHILD_ROOT);
        c->root = c->p->rootfs_fd;
        /* The place does not matter: the old root is the one directory that exists everywhere, and it goes away. */
        r = move_mount(c->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
        if (r < 0)
                return child_fail(c, PLAN_STEP_ROOT, errno, NULL);
        trace_end(&span, 0, NULL);
        return 0;
}

/* Without pivot_root (initramfs): move the root over "/" and chroot there. */
static int move_root(struct child *c)
{
        if (mount(".", "/", NULL, MS_MOVE, NULL) < 0)
                return child_fail(c, PLAN_STEP_PIVOT, errno, "moving the mount");
        if (chroot(".") < 0)
                return child_fail(c, PLAN_STEP_PIVOT, errno, "chroot");
        return 0;
}

static int pivot(struct child *c)
{
        int r;

        if (c->p->no_pivot)
                return move_root(c);
        /* The old root is stacked on the new one (pivot_root(2), "pivot_root(".", ".")") and lazily detached: no
         * directory for it is needed, and no name of it remains. */
        r = mountfd_pivot_root(".", ".");
        if (r < 0)
                return child_fail(c, PLAN_STEP_PIVOT, r, "pivot_root");
        if (umount2(".", MNT_DETACH) < 0)
                return child_fail(c, PLAN_STEP_PIVOT, errno, "detaching the old root");
        return 0;
}

int child_root_pivot(struct child *c)
{
        struct trace_span span = trace_begin(TRACE_CHILD_PIVOT);
        const struct plan *p = c->p;
        unsigned long propagation = p->root_propagation;
        int r;

        if (fchdir(c->root) < 0)
                return child_fail(c, PLAN_STEP_PIVOT, errno, "entering it");
        if (!p->has_mount) {
                if (chroot(".") < 0)
                        return child_fail(c, PLAN_STEP_PIVOT, errno, "chroot");
                return 0;
        }
        if (pivot(c) < 0)
                return -1;
        if (chdir("/") < 0)
                return child_fail(c, PLAN_STEP_PIVOT, errno, "chdir /");
        /* By descriptor: no path of the image is resolved for it (CVE-2026-115521). */
        r = mountfd_set(c->root, 0, p->root_readonly ? MOUNT_ATTR_RDONLY : 0, 0, 0);
        if (r == 0 && propagation & (MS_SHARED | MS_UNBINDABLE))
                r = mountfd_set(c->root, propagation & MS_REC ? AT_RECURSIVE : 0, 0, 0,
                                propagation & (MS_SHARED | MS_UNBINDABLE));
        if (r < 0)
                return child_fail(c, PLAN_STEP_PIVOT, r, "setting its attributes");
        trace_end(&span, 0, NULL);
        return 0;
}

static int write_sysctl(struct child *c, const struct plan_sysctl *s)
{
        _cleanup_close_ int fd = file_openat2(c->p->proc_fd, s->path, O_WRONLY, 0,
                                              RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        size_t size = strlen(s->value);
        ssize_t n;

        if (fd < 0)
                return fd;
        n = write(fd, s->value, size);
        if (n < 0)
                return -errno;
        return (size_t)n == size ? 0 : -EINVAL;
}

int child_sysctls(struct child *c)
{
        struct trace_span span = trace_begin(TRACE_CHILD_SYSCTL);

        for (size_t i = 0; i < c->p->n_sysctls; i++) {
                int r = write_sysctl(c, &c->p->sysctls[i]);

                if (r < 0)
                        return child_fail(c, PLAN_STEP_SYSCTL, r, c->p->sysctls[i].path + strlen("sys/"));
        }
        trace_end(&span, 0, NULL);
        return 0;
}
