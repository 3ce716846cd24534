/* child_hook.c - hooks that run inside: createContainer (before pivot_root: programs of the host) and startContainer.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "runtime/child/child.h"
#include "sys/process.h"

#define NULL_STATUS (-1)

/* The state document for the hook's standard input. */
static int state_file(struct child *c, const char *status)
{
        CHILD_TEXT(pid, 24);
        const char *parts[] = {c->p->hook_state_before, status, "\",\"pid\":", pid.buf, c->p->hook_state_after};
        _cleanup_close_ int fd = (int)syscall(SYS_memfd_create, "state", MFD_CLOEXEC);

        if (fd < 0)
                return -errno;
        child_text_number(&pid, c->pid);
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                int r = file_write_all(fd, parts[i], strlen(parts[i]));

                if (r < 0)
                        return r;
        }
        return lseek(fd, 0, SEEK_SET) < 0 ? -errno : TAKE_FD(fd);
}

_noreturn_ static void run(const struct plan_hook *h, int in)
{
        (void)umask(0022); /* ours is 0, for the nodes that we make */
        (void)dup2(in, 0);
        (void)syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
        (void)execve(h->path, h->argv, h->envp);
        _exit(errno == ENOENT ? 127 : 126);
}

static int wait_hook(const struct plan_hook *h, int pidfd, int *ret_status)
{
        int r = process_wait(pidfd, h->timeout_ms);

        if (r < 0)
                (void)process_signal(pidfd, SIGKILL);
        *ret_status = NULL_STATUS;
        if (process_reap(pidfd, ret_status) < 0)
                return r < 0 ? r : -ECHILD;
        return r;
}

static int one_hook(const struct plan_hook *h, int in, int *ret_status)
{
        int pidfd, r;
        pid_t pid = process_clone(0, -1, &pidfd);

        if (pid < 0)
                return pid;
        if (pid == 0)
                run(h, in);
        r = wait_hook(h, pidfd, ret_status);
        (void)file_close(pidfd);
        return r;
}

int child_hooks(struct child *c, const struct plan_hook *hooks, size_t n, const char *kind)
{
        for (size_t i = 0; i < n; i++) {
                _cleanup_close_ int in = state_file(c, kind[0] == 's' ? "created" : "creating");
                CHILD_TEXT(detail, 400);
                int r, status = 0;

                child_text_add(&detail, kind);
                child_text_add(&detail, " #");
                child_text_number(&detail, (long)i);
                child_text_add(&detail, " (");
                child_text_add(&detail, hooks[i].path);
                child_text_add(&detail, ")");
                if (in < 0)
                        return child_fail(c, PLAN_STEP_HOOK, in, detail.buf);
                r = one_hook(&hooks[i], in, &status);
                if (r == 0 && status) {
                        child_text_add(&detail, status & 0x7f ? ": killed by signal " : ": exit status ");
                        child_text_number(&detail, status & 0x7f ? status & 0x7f : status >> 8);
                }
                if (r < 0 || status)
                        return child_fail(c, PLAN_STEP_HOOK, r, detail.buf);
        }
        return 0;
}
