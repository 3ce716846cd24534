/* child_stage.c - entering a PID namespace in which somebody may trace (CAP_SYS_PTRACE without a user namespace): the
 * container's own processes, or those of another container that shares it.
 *
 * A process that is not dumpable is safe from everybody but them. So what enters the PID namespace, where it can be
 * seen, must hold nothing of the host: a first process enters or makes all other namespaces, sets label and working
 * directory, closes every descriptor that is not needed any more, and only then clones the process that counts into the
 * PID namespace. That is its sibling (CLONE_PARENT); the first process reports it and ends. (CVE-2016-9962 and its
 * kin.) */
#include <errno.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/trace.h"
#include "runtime/child/child.h"
#include "sys/fdpass.h"
#include "sys/process.h"

#define KEEP_MAX (CGROUP_HIERARCHIES_MAX + 16)

static void keep(int *list, size_t *n, int fd)
{
        size_t at = *n;

        if (fd < 0)
                return;
        for (; at > 0 && list[at - 1] > fd; at--)
                list[at] = list[at - 1];
        list[at] = fd;
        (*n)++;
}

/* Close everything from the first descriptor that is not the program's on, but the @n in @list (in order). */
static int close_but(const struct child *c, const int *list, size_t n)
{
        unsigned from = 3u + (unsigned)c->p->preserve_fds;

        for (size_t i = 0; i < n; i++) {
                unsigned fd = (unsigned)list[i];

                if (fd < from)
                        continue;
                if (fd > from && syscall(SYS_close_range, from, fd - 1, 0) < 0)
                        return -errno;
                from = fd + 1;
        }
        return syscall(SYS_close_range, from, ~0u, 0) < 0 ? -errno : 0;
}

/* Close everything but what the session needs; 0, 1 and 2 are its own already. */
static int close_rest(struct child *c)
{
        const struct plan *p = c->p;
        int list[KEEP_MAX];
        size_t n = 0;

        keep(list, &n, p->socket);
        keep(list, &n, p->pid_ns_fd); /* or the pidfd of a process inside; closed below */
        keep(list, &n, p->exec ? c->root : -1);
        keep(list, &n, trace_fd);
        keep(list, &n, p->hook_out[0]);
        keep(list, &n, p->hook_out[1]);
        for (size_t i = 0; i < p->n_cgroup_fds; i++)
                keep(list, &n, p->cgroup_fds[i]);
        return close_but(c, list, n);
}

int child_close_before_start(struct child *c)
{
        const struct plan *p = c->p;
        int list[KEEP_MAX], r;
        size_t n = 0;

        keep(list, &n, p->socket);
        keep(list, &n, p->start_fd);
        keep(list, &n, p->proc_fd);
        keep(list, &n, c->hook_state);
        keep(list, &n, trace_fd);
        keep(list, &n, p->hook_out[0]);
        keep(list, &n, p->hook_out[1]);
        r = close_but(c, list, n);
        return r < 0 ? child_fail(c, PLAN_STEP_SELF, r, "closing descriptors") : 0;
}

static int report_session(struct child *c, pid_t pid, int pidfd)
{
        struct plan_report r = {.kind = PLAN_REPORT_PID, .index = (uint32_t)pid};
        ssize_t n = fdpass_send(c->p->socket, &r, sizeof(r), pidfd);

        return n < 0 ? (int)n : 0;
}

/* Returns 0 in the session only. */
int child_stage_split(struct child *c)
{
        const struct plan *p = c->p;
        int pidfd, r = close_rest(c);
        pid_t pid;

        if (r < 0)
                return child_fail(c, PLAN_STEP_SELF, r, "closing descriptors");
        if (setns(p->pid_ns_fd, CLONE_NEWPID) < 0)
                return child_fail(c, PLAN_STEP_NAMESPACE, errno, "pid");
        (void)close(p->pid_ns_fd);
        pid = process_clone(CLONE_PARENT, -1, &pidfd);
        if (pid < 0)
                return child_fail(c, PLAN_STEP_SELF, pid, "creating the session");
        if (pid > 0) {
                r = report_session(c, pid, pidfd);
                if (r < 0)
                        (void)process_signal(pidfd, 9);
                _exit(r < 0);
        }
        child_new_session();
        /* A new container's first process has joined them, and its sibling with it. So has who is not root: he may move
         * only what is still his. */
        r = p->exec && !p->rootless ? cgroup_join_self(p->cgroup_fds, p->n_cgroup_fds) : 0;
        return r < 0 ? child_fail(c, PLAN_STEP_CGROUP, r, NULL) : 0;
}
