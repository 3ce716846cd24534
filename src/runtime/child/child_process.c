/* child_process.c - what the new process is: its limits, descriptors, user, privileges. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "runtime/child/child.h"
#include "sys/caps.h"
#include "sys/lsm.h"
#include "sys/pty.h"

#define OUR_FILES 64 /* descriptors that we may need at a time */

/* Enter the working directory by descriptor. It was resolved inside the root without magic links, so that no inherited
 * descriptor of the host can be meant (CVE-2024-21626); getcwd is asked all the same. */
int child_cwd(struct child *c)
{
        const char *cwd = c->p->process.cwd;
        _cleanup_close_ int fd = child_path_open(c->root, cwd, O_PATH | O_DIRECTORY, 0);
        char where[PATH_MAX];
        CHILD_TEXT(detail, 400);
        int r = 0;

        child_text_add(&detail, "(");
        child_text_quote(&detail, cwd);
        child_text_add(&detail, ") set in config.json failed");
        /* A container's missing directory is made, a session's is not: both as docker. */
        if (fd == -ENOENT && !c->p->exec)
                fd = child_path_mkdir_p(c->root, cwd, 0755);
        if (fd < 0)
                return child_fail(c, PLAN_STEP_CWD, fd, detail.buf);
        if (fchdir(fd) < 0)
                return child_fail(c, PLAN_STEP_CWD, errno, detail.buf);
        /* The system call: glibc falls back to walking up the tree. "(unreachable)/..." is outside. */
        r = (int)syscall(SYS_getcwd, where, sizeof(where));
        if (r < 0 || where[0] != '/')
                return child_fail(c, PLAN_STEP_CWD, r < 0 ? errno : EXDEV, detail.buf);
        return 0;
}

/* First of all: our own files in /proc are the host root's (we are not dumpable), which a mapped root is not. */
int child_oom_score(struct child *c)
{
        CHILD_TEXT(text, 24);
        _cleanup_close_ int fd = -1;

        if (!c->p->process.oom_set)
                return 0;
        child_text_number(&text, c->p->process.oom_score_adj);
        fd = file_openat2(c->p->proc_fd, "self/oom_score_adj", O_RDWR, 0,
                          RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
        if (fd < 0)
                return child_fail(c, PLAN_STEP_OOM, fd, text.buf);
        if (write(fd, text.buf, text.len) < 0)
                return child_fail(c, PLAN_STEP_OOM, errno, text.buf);
        return 0;
}

static int set_scheduler(struct child *c, const struct oci_scheduler *s)
{
        /* <linux/sched/types.h> and glibc's <sched.h> both define sched_param. */
        struct {
                uint32_t size, sched_policy;
                uint64_t sched_flags;
                int32_t sched_nice;
                uint32_t sched_priority;
                uint64_t sched_runtime, sched_deadline, sched_period;
        } attr = {
                .size = sizeof(attr),
                .sched_policy = s->policy,
                .sched_flags = s->flags,
                .sched_nice = s->nice,
                .sched_priority = (uint32_t)s->priority,
                .sched_runtime = s->runtime,
                .sched_deadline = s->deadline,
                .sched_period = s->period,
        };

        return syscall(SYS_sched_setattr, 0, &attr, 0) < 0 ? child_fail(c, PLAN_STEP_SCHEDULER, errno, NULL) : 0;
}

/* By now in the cgroup, whose CPUs the kernel cuts this down to. */
static int set_affinity(struct child *c)
{
        static const unsigned char all[OCI_BITMAP_MAX / 8] = {[0 ... OCI_BITMAP_MAX / 8 - 1] = 0xff};
        const struct oci_bitmap *final = c->p->process.affinity_final;

        if (final && syscall(SYS_sched_setaffinity, 0, final->size, final->bits) < 0)
                return child_fail(c, PLAN_STEP_AFFINITY, errno, NULL);
        if (c->p->process.affinity_reset)
                (void)syscall(SYS_sched_setaffinity, 0, sizeof(all), all); /* what the caller had is no error */
        return 0;
}

static int set_scheduling(struct child *c)
{
        const struct plan_process *process = &c->p->process;
        const struct oci_memory_policy *memory = c->p->memory_policy;

        if (set_affinity(c) < 0)
                return -1;
        if (process->scheduler && set_scheduler(c, process->scheduler) < 0)
                return -1;
        if (process->io_priority) {
                int value = IOPRIO_PRIO_VALUE(process->io_priority->class, process->io_priority->priority);

                if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) < 0)
                        return child_fail(c, PLAN_STEP_IOPRIO, errno, NULL);
        }
        if (memory && syscall(SYS_set_mempolicy, memory->mode, memory->nodes.bits, memory->nodes.size * 8 + 1) < 0)
                return child_fail(c, PLAN_STEP_MEMPOLICY, errno, NULL);
        return 0;
}

/* What needs privileges that the user will not have any more. */
int child_process_early(struct child *c)
{
        const struct plan *p = c->p;

        if (set_scheduling(c) < 0)
                return -1;
        if (p->personality_set && personality(p->personality) < 0)
                return child_fail(c, PLAN_STEP_PERSONALITY, errno, NULL);
        return child_labels(c);
}

/* What the program will run as; it is kept over fork, so that a stage can set it. */
int child_labels(struct child *c)
{
        const struct plan *p = c->p;
        const struct plan_process *process = &p->process;
        int r = 0;

        if (c->labelled)
                return 0;
        c->labelled = true;
        if (process->apparmor)
                r = lsm_apparmor_onexec(p->proc_fd, process->apparmor);
        if (r < 0)
                return child_fail(c, PLAN_STEP_LABEL, r, process->apparmor);
        if (process->selinux)
                r = lsm_selinux_onexec(p->proc_fd, process->selinux);
        return r < 0 ? child_fail(c, PLAN_STEP_LABEL, r, process->selinux) : 0;
}

/* A limit of open files under which we could not open what is still to come: the FIFO, pipes of hooks. To lower it
 * takes no privilege later. */
static bool is_late(const struct child *c, const struct oci_rlimit *l)
{
        return l->resource == RLIMIT_NOFILE && l->soft < OUR_FILES && (c->p->start_fd >= 0 || c->p->n_hooks_start);
}

static int set_some_rlimits(struct child *c, bool late)
{
        const struct plan_process *process = &c->p->process;

        for (size_t i = 0; i < process->n_rlimits; i++) {
                const struct oci_rlimit *l = &process->rlimits[i];
                struct rlimit limit = {.rlim_cur = l->soft, .rlim_max = l->hard};
                CHILD_TEXT(number, 24);

                if (is_late(c, l) != late)
                        continue;
                child_text_number(&number, l->resource);
                if (prlimit(0, (enum __rlimit_resource)l->resource, &limit, NULL) < 0)
                        return child_fail(c, PLAN_STEP_RLIMIT, errno, number.buf);
        }
        return 0;
}

/* While we may raise them. */
static int set_rlimits(struct child *c)
{
        return set_some_rlimits(c, false);
}

int child_late_rlimits(struct child *c)
{
        return set_some_rlimits(c, true);
}

/* Pipes and FIFOs become the user's, so that he can reopen them as /dev/stdout. Nothing else does: a file, a device or
 * a socket of the caller's keeps its owner (CVE-2026-88265). */
static int give_to_user(int fd, uid_t uid)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISFIFO(st.st_mode) || st.st_uid == uid)
                return 0;
        if (fchown(fd, uid, (gid_t)-1) < 0 && errno != EPERM && errno != EROFS && errno != EINVAL)
                return -errno;
        return 0;
}

int child_control_terminal(struct child *c)
{
        int r = c->p->process.terminal ? pty_control(0) : 0;

        return r < 0 ? child_fail(c, PLAN_STEP_CONSOLE, r, "TIOCSCTTY") : 0;
}

static int set_terminal(struct child *c)
{
        if (fchown(c->slave, c->p->process.uid, (gid_t)-1) < 0)
                return child_fail(c, PLAN_STEP_CONSOLE, errno, "chown");
        for (int i = 0; i < 3; i++)
                if (dup2(c->slave, i) < 0)
                        return child_fail(c, PLAN_STEP_STDIO, errno, NULL);
        if (c->slave > 2)
                c->slave = file_close(c->slave);
        return 0;
}

int child_stdio(struct child *c)
{
        const struct plan_process *process = &c->p->process;

        if (process->terminal)
                return set_terminal(c);
        for (int i = 0; i < 3; i++) {
                int fd = process->stdio[i], r;

                if (fd < 0)
                        continue;
                if (fd != i && dup2(fd, i) < 0)
                        return child_fail(c, PLAN_STEP_STDIO, errno, NULL);
                if (fd == i && fcntl(i, F_SETFD, 0) < 0)
                        return child_fail(c, PLAN_STEP_STDIO, errno, NULL);
                r = process->fix_stdio_owner ? give_to_user(i, process->uid) : 0;
                if (r < 0)
                        return child_fail(c, PLAN_STEP_STDIO, r, "chown");
        }
        return 0;
}

/* The calls themselves: glibc's setresuid() wants to signal the other threads it believes to have. */
static int set_ids(struct child *c)
{
        const struct plan_process *process = &c->p->process;

        if (!process->keep_groups && syscall(SYS_setgroups, process->n_groups, process->groups) < 0 &&
            (errno != EPERM || process->n_groups))
                return child_fail(c, PLAN_STEP_USER, errno,
                                  c->p->rootless ? "cannot set any additional groups in a rootless container"
                                                 : "setgroups");
        if (syscall(SYS_setresgid, process->gid, process->gid, process->gid) < 0)
                return child_fail(c, PLAN_STEP_USER, errno, "setgid");
        if (syscall(SYS_setresuid, process->uid, process->uid, process->uid) < 0)
                return child_fail(c, PLAN_STEP_USER, errno, "setuid");
        /* As fs.suid_dumpable has it, we might be dumpable now, with descriptors of the host still open. */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return child_fail(c, PLAN_STEP_SELF, errno, NULL);
        (void)umask(process->umask);
        return 0;
}

/* The filter decides about every call from here on. So the parent is told with write, takes the listener itself
 * (pidfd_getfd), and answers to read: what runc needs too, and so what profiles with SCMP_ACT_NOTIFY permit. */
static int give_listener(struct child *c, int fd)
{
        struct plan_report r = {.kind = PLAN_REPORT_SECCOMP, .index = (uint32_t)fd};
        struct plan_go go;
        ssize_t n;

        n = child_say(c, &r);
        if (n < 0)
                return child_fail(c, PLAN_STEP_SECCOMP, (int)n, "write");
        do
                n = read(c->p->socket, &go, sizeof(go));
        while (n < 0 && errno == EINTR);
        if (n != (ssize_t)sizeof(go))
                return child_fail(c, PLAN_STEP_SECCOMP, n < 0 ? errno : EPIPE, "read");
        (void)close(fd);
        return 0;
}

int child_seccomp(struct child *c)
{
        struct trace_span span = trace_begin(TRACE_CHILD_SECCOMP);
        int r;

        if (c->p->open_to_parent && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
                return child_fail(c, PLAN_STEP_SELF, errno, NULL);
        r = seccomp_install(&c->p->seccomp);
        if (r < 0)
                return child_fail(c, PLAN_STEP_SECCOMP, r, NULL);
        trace_end(&span, 0, NULL);
        return c->p->seccomp.notify ? give_listener(c, r) : 0;
}

int child_become_user(struct child *c)
{
        struct trace_span span = trace_begin(TRACE_CHILD_CREDS);
        const struct plan_process *process = &c->p->process;
        const struct oci_caps *caps = &process->caps;
        int r;

        if (set_rlimits(c) < 0)
                return -1;
        r = caps_set_bounding(caps->bounding);
        if (r < 0)
                return child_fail(c, PLAN_STEP_CAPS, r, "bounding set");
        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
                return child_fail(c, PLAN_STEP_CAPS, errno, "PR_SET_KEEPCAPS");
        if (set_ids(c) < 0)
                return -1;
        if (process->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return child_fail(c, PLAN_STEP_NNP, errno, NULL);
        /* Without no_new_privs a filter needs CAP_SYS_ADMIN: install it while we have it; what follows (capset, stat,
         * execve) every usable filter permits. A change of ids has emptied the effective set. */
        if (c->p->seccomp_set && !process->no_new_privs) {
                uint64_t effective, permitted, inheritable;

                r = caps_get(&effective, &permitted, &inheritable);
                if (r == 0)
                        r = caps_set(permitted, permitted, inheritable);
                if (r < 0)
                        return child_fail(c, PLAN_STEP_CAPS, r, "raising for seccomp");
                trace_end(&span, 0, NULL);
                if (child_seccomp(c) < 0)
                        return -1;
                span = trace_begin(TRACE_CHILD_CREDS);
        }
        r = caps_set(caps->effective, caps->permitted, caps->inheritable);
        if (r < 0)
                return child_fail(c, PLAN_STEP_CAPS, r, "capset");
        r = caps_set_ambient(caps->ambient);
        if (r < 0)
                return child_fail(c, PLAN_STEP_CAPS, r, "ambient set");
        trace_end(&span, 0, NULL);
        return 0;
}
