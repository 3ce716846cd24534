/* child_split.c - a container in a user namespace that is joined, or with namespaces that are joined next to a new one.
 *
 * To enter a namespace takes privilege in the user namespace that owns it (namespaces(7)): those of the host are
 * entered before the container's user namespace, those that belong to it after. New ones belong to the user namespace
 * that their maker is in. So a first process joins what is to be joined and then clones the container, as its sibling
 * (CLONE_PARENT), with what is to be new; it reports that and ends. */
#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "runtime/child/child.h"
#include "sys/fdpass.h"
#include "sys/process.h"

static int join_all(struct child *c, bool last, bool joined[OCI_NS_MAX_])
{
        const struct plan *p = c->p;

        for (size_t i = 0; i < p->n_join; i++) {
                if (joined[i])
                        continue;
                joined[i] = setns(p->join[i].fd, p->join[i].flag) == 0;
                if (!joined[i] && (last || errno != EPERM))
                        return child_fail(c, PLAN_STEP_NAMESPACE, errno, p->join[i].name);
        }
        return 0;
}

static int join_pid(struct child *c, bool last, bool *joined)
{
        if (*joined || c->p->pid_ns_fd < 0)
                return 0;
        *joined = setns(c->p->pid_ns_fd, CLONE_NEWPID) == 0;
        return *joined || (!last && errno == EPERM) ? 0 : child_fail(c, PLAN_STEP_NAMESPACE, errno, "pid");
}

static int join(struct child *c)
{
        const struct plan *p = c->p;
        bool joined[OCI_NS_MAX_] = {false}, pid = false, last = p->user_fd < 0;

        if (join_all(c, last, joined) < 0 || join_pid(c, last, &pid) < 0)
                return -1;
        if (last)
                return 0;
        if (setns(p->user_fd, CLONE_NEWUSER) < 0)
                return child_fail(c, PLAN_STEP_NAMESPACE, errno, "user");
        /* New capabilities may have made us dumpable (fs.suid_dumpable). */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return child_fail(c, PLAN_STEP_SELF, errno, NULL);
        return join_all(c, true, joined) < 0 ? -1 : join_pid(c, true, &pid);
}

int child_split(struct child *c)
{
        struct plan_report report = {.kind = PLAN_REPORT_PID};
        int pidfd = -1;
        ssize_t n;
        pid_t pid;

        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return child_fail(c, PLAN_STEP_SELF, errno, NULL);
        if (join(c) < 0)
                return -1;
        pid = process_clone(c->p->clone_flags | CLONE_PARENT, -1, &pidfd);
        if (pid < 0)
                return child_fail(c, PLAN_STEP_SELF, pid, "creating the container");
        if (pid == 0)
                return child_wait_go(c); /* until our pid is known: all that follows is about us */
        report.index = (uint32_t)pid;
        n = fdpass_send(c->p->socket, &report, sizeof(report), pidfd);
        if (n < 0)
                (void)process_signal(pidfd, 9);
        _exit(n < 0);
}
