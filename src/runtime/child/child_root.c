/* child_root.c - the root file system becomes the root; kernel parameters on the way. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "runtime/child/child.h"

/* The caller's mount namespace: nothing of it changes but what is at the place of the root file system. */
static int attach_here(struct child *c)
{
        int r;

        c->root = c->p->rootfs_fd;
        if (c->p->root_place < 0)
                return 0;
        r = mountfd_attach(c->root, c->p->root_place);
        return r < 0 ? child_fail(c, PLAN_STEP_ROOT, r, NULL) : 0;
}

/* Hooks that work in our mount namespace look for the root file system where it is for the host (libnvidia-container,
 * for one). Else the place does not matter: the old root is the one directory that exists everywhere, and it goes away.
 * The same where we may not go: a mapped root is nobody on the way there. */
static int attach_to_place(struct child *c)
{
        const struct plan *p = c->p;
        _cleanup_close_ int place = -1;

        if ((p->hooks_runtime || p->n_hooks_container) && p->root_path && !p->no_pivot)
                place = open(p->root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (place >= 0)
                return mountfd_attach(c->root, place);
        return move_mount(c->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

int child_root_attach(struct child *c)
{
        struct trace_span span = trace_begin(TRACE_CHILD_PROPAGATION);
        int r;

        if (!c->p->has_mount)
                return attach_here(c);

        /* In our copy of the mount table only. Bind mounts have got their own propagation from the parent, who cloned
         * them in the host's namespace: "rshared" and "rslave" refer to the host's mounts, not to this copy. */
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return child_fail(c, PLAN_STEP_PROPAGATION, errno, NULL);
        trace_end(&span, 0, NULL);

        span = trace_begin(TRACE_CHILD_ROOT);
        if (c->root < 0)
                c->root = c->p->rootfs_fd;
        r = attach_to_place(c);
        if (r < 0)
                return child_fail(c, PLAN_STEP_ROOT, r, NULL);
        trace_end(&span, 0, NULL);
        return 0;
}

/* A file of mounts in /proc, line by line. A line is at most 3 paths and some words; a longer one is cut off. */
struct lines {
        int fd;
        size_t begin, end;
        char buf[4 * PATH_MAX];
};

static char *next_line(struct lines *l)
{
        for (;;) {
                ssize_t n;

                for (size_t i = l->begin; i < l->end; i++)
                        if (l->buf[i] == '\n') {
                                char *line = l->buf + l->begin;

                                l->buf[i] = '\0';
                                l->begin = i + 1;
                                return line;
                        }
                memmove(l->buf, l->buf + l->begin, l->end - l->begin);
                l->end -= l->begin;
                l->begin = 0;
                if (l->end == sizeof(l->buf))
                        l->end = 0;
                n = read(l->fd, l->buf + l->end, sizeof(l->buf) - l->end);
                if (n <= 0)
                        return NULL;
                l->end += (size_t)n;
        }
}

/* Cut the word that begins at @at off, undo "\040", and return what follows it. */
static char *cut_word(char *at)
{
        char *to = at;

        while (*at && *at != ' ') {
                if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] && at[3]) {
                        *to++ = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
                        at += 4;
                } else {
                        *to++ = *at++;
                }
        }
        at += *at == ' ';
        *to = '\0';
        return at;
}

/* Line of mountinfo: "36 35 98:0 /root /mount/point options optional... - type source ...". The mount point, if it is a
 * whole proc or sysfs. */
static const char *whole_kernel_mount(char *line)
{
        char *word[6], *type;

        for (int i = 0; i < 6; i++) {
                word[i] = line;
                line = cut_word(line);
        }
        while (*line && (line[0] != '-' || line[1] != ' '))
                line = cut_word(line);
        type = *line ? line + 2 : line;
        (void)cut_word(type);
        return strcmp(word[3], "/") == 0 && (strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0) ? word[4] : NULL;
}

/* Without pivot_root the old root stays in the mount namespace, below ours. Whoever may make a user namespace may mount
 * a bare procfs as long as one is there: it has to go, or be covered. All names lead into the old root: we are still in
 * it. */
static int hide_kernel_mounts(struct child *c)
{
        static struct lines lines;
        const char *where;
        char *line;

        lines.fd = openat(c->p->proc_fd, "self/mountinfo", O_RDONLY | O_CLOEXEC);
        if (lines.fd < 0)
                return child_fail(c, PLAN_STEP_PIVOT, errno, "reading mountinfo");
        while ((line = next_line(&lines))) {
                where = whole_kernel_mount(line);
                if (!where || umount2(where, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == ENOENT)
                        continue;
                if (mount("tmpfs", where, "tmpfs", MS_RDONLY, "size=4k,nr_inodes=1") < 0)
                        return child_fail(c, PLAN_STEP_PIVOT, errno, "covering the old /proc and /sys");
        }
        (void)file_close(lines.fd);
        return 0;
}

/* Without pivot_root (initramfs): ours is over "/" already, see child_root_attach(). */
static int stay_over_root(struct child *c)
{
        if (hide_kernel_mounts(c) < 0)
                return -1;
        if (chroot(".") < 0)
                return child_fail(c, PLAN_STEP_PIVOT, errno, "chroot");
        return 0;
}

static int pivot(struct child *c)
{
        int r;

        if (c->p->no_pivot)
                return stay_over_root(c);
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
                if (p->root_place < 0 || !p->root_readonly)
                        return 0;
                r = mountfd_set(c->root, 0, MOUNT_ATTR_RDONLY, 0, 0);
                return r < 0 ? child_fail(c, PLAN_STEP_PIVOT, r, "setting its attributes") : 0;
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
