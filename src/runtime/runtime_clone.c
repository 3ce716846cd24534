/* runtime_clone.c - see runtime_private.h: the clone. Namespaces that a child cannot enter itself (of processes, of
 * time) are entered by the parent, for a moment. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "runtime/child/child.h"
#include "runtime/runtime_private.h"
#include "sys/process.h"

struct detour {
        int pid_ns, time_ns; /* where we came from, -1 = did not leave */
};

static void detour_end(struct detour *d)
{
        /* Cannot fail: both are our own, and it has been tried. */
        if (d->pid_ns >= 0 && setns(d->pid_ns, CLONE_NEWPID) < 0)
                abort();
        if (d->time_ns >= 0 && setns(d->time_ns, CLONE_NEWTIME) < 0)
                abort();
        d->pid_ns = file_close(d->pid_ns);
        d->time_ns = file_close(d->time_ns);
}

static err *enter_pid_ns(struct detour *d, int fd)
{
        d->pid_ns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        if (d->pid_ns < 0)
                return err_sys(errno, "opening /proc/self/ns/pid");
        if (setns(d->pid_ns, CLONE_NEWPID) <
            0) { /* is there a way back? For root of a user namespace there may be none */
                d->pid_ns = file_close(d->pid_ns);
                return err_sys(errno, "entering the PID namespace");
        }
        return setns(fd, CLONE_NEWPID) < 0 ? err_sys(errno, "entering the PID namespace") : NULL;
}

/* Offsets can be written as long as nobody is inside. */
static err *new_time_ns(struct detour *d, const char *offsets)
{
        int r;

        d->time_ns = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
        if (d->time_ns < 0)
                return err_new(ERR_UNSUPPORTED, "this kernel has no time namespaces");
        if (setns(d->time_ns, CLONE_NEWTIME) < 0) {
                d->time_ns = file_close(d->time_ns);
                return err_sys(errno, "making a time namespace");
        }
        if (unshare(CLONE_NEWTIME) < 0)
                return err_sys(errno, "making a time namespace");
        r = offsets ? file_put(AT_FDCWD, "/proc/self/timens_offsets", offsets) : 0;
        return r < 0 ? err_sys(-r, "setting the offsets of the time namespace") : NULL;
}

/* CPUs of ours that a child shall inherit for its beginning (execCPUAffinity.initial), and what we had. */
struct borrowed_cpus {
        long size; /* 0 = nothing borrowed */
        unsigned long bits[OCI_BITMAP_MAX / 8 / sizeof(unsigned long)];
};

static void return_cpus(struct borrowed_cpus *b)
{
        if (b->size > 0)
                (void)syscall(SYS_sched_setaffinity, 0, (size_t)b->size, b->bits);
        b->size = 0;
}

static err *borrow_cpus(struct borrowed_cpus *b, const struct oci_bitmap *cpus)
{
        unsigned long long first = cpus->bits[0];

        b->size = syscall(SYS_sched_getaffinity, 0, sizeof(b->bits), b->bits);
        if (b->size < 0 || syscall(SYS_sched_setaffinity, 0, cpus->size, cpus->bits) < 0)
                return err_sys(errno, "error setting initial CPU affinity");
        log_debug("nsexec (before the session enters the container): affinity: %#llx%s", first,
                  cpus->size > sizeof(long) ? " and more" : "");
        return NULL;
}

err *runtime_clone(struct runtime_session *s, bool as_sibling)
{
        struct trace_span span = trace_begin(TRACE_CLONE);
        _cleanup_(detour_end) struct detour detour = {-1, -1};
        _cleanup_(return_cpus) struct borrowed_cpus cpus = {.size = 0};
        _cleanup_close_ int theirs = -1;
        struct plan *p = &s->plan;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_sys(errno, "making a socket pair");
        s->socket = p->parent_socket = pair[0];
        theirs = p->socket = pair[1];
        if (p->pid_ns_fd >= 0 && !p->stages && !p->split)
                TRY(enter_pid_ns(&detour, p->pid_ns_fd));
        if (p->new_time && !p->rootless) /* else the child does, in its user namespace */
                TRY(new_time_ns(&detour, p->time_offsets));
        if (p->process.affinity_initial)
                TRY(borrow_cpus(&cpus, p->process.affinity_initial));
        s->pid = process_clone((p->split ? 0 : p->clone_flags) | CLONE_CLEAR_SIGHAND | (as_sibling ? CLONE_PARENT : 0),
                               s->clone_fd, &s->pidfd);
        if (s->pid == 0) {
                if (p->exec)
                        child_exec(p);
                child_create(p);
        }
        if (s->pid < 0)
                return err_sys(-s->pid, "creating the process");
        /* These three lines have runc's words: its callers look for them. */
        log_debug("nsexec container setup: process %d, clone flags %#llx", (int)s->pid,
                  (unsigned long long)(p->clone_flags | (s->net_ns < 0 ? 0 : CLONE_NEWNET)));
        trace_end(&span, 0, NULL);
        return NULL;
}
