/* runtime_talk.c - see runtime_private.h: the conversation with the child. It asks (enum plan_report_kind), we do what
 * it cannot, and say "go"; what it says last is that it is ready. It is not trusted: it may be in the container
 * already. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/hooks.h"
#include "runtime/report.h"
#include "runtime/runtime_private.h"
#include "runtime/seccomp_ops.h"
#include "runtime/systemd_ops.h"
#include "runtime/userns.h"
#include "sys/fdpass.h"
#include "sys/netdev.h"
#include "sys/ns.h"
#include "sys/process.h"

static err *send_go(struct runtime_session *s)
{
        struct plan_go go = {.pid = s->pid};
        ssize_t n = fdpass_send(s->socket, &go, sizeof(go), -1);

        return n < 0 ? err_sys((int)-n, "speaking with the new process") : NULL;
}

static err *open_net_ns(const struct runtime_session *s, int *ret)
{
        _cleanup_close_ int ns = -1;
        char path[40];

        (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)s->pid);
        TRY(ns_open(path, CLONE_NEWNET, &ns));
        if (process_signal(s->pidfd, 0) < 0) /* then it was its */
                return err_new(ERR_NOT_RUNNING, "the new process has ended");
        *ret = TAKE_FD(ns);
        return NULL;
}

/* The caller's part in the network, once. */
err *runtime_talk_network(struct runtime_session *s)
{
        struct trace_span span = trace_begin(TRACE_NETWORK);
        _cleanup_close_ int ns = -1;

        if (!s->request->network || s->network_made)
                return NULL;
        if (s->net_ns < 0)
                TRY(open_net_ns(s, &ns));
        TRY(s->request->network(s->request->network_arg, s->net_ns < 0 ? ns : s->net_ns));
        s->network_made = true;
        trace_end(&span, 0, NULL);
        return NULL;
}

/* Devices of the host that become the container's: before the hooks, which may look for them, and the sysctls. */
static err *move_net_devices(const struct runtime_session *s)
{
        const struct oci_linux *l = &s->request->spec->linux_;
        _cleanup_close_ int ns = -1;

        if (!l->n_net_devices)
                return NULL;
        TRY(open_net_ns(s, &ns));
        for (size_t i = 0; i < l->n_net_devices; i++)
                TRY(netdev_move(l->net_devices[i].host_name, l->net_devices[i].name, ns));
        return NULL;
}

static err *run_hooks(struct runtime_session *s)
{
        const struct runtime_request *r = s->request;

        TRY(runtime_talk_network(s));
        TRY(move_net_devices(s));
        TRY(hooks_run(r->spec, OCI_HOOK_PRESTART, r->id, s->bundle, "creating", s->pid));
        TRY(hooks_run(r->spec, OCI_HOOK_CREATE_RUNTIME, r->id, s->bundle, "creating", s->pid));
        return send_go(s);
}

static err *write_maps(struct runtime_session *s)
{
        const struct oci_linux *l = &s->request->spec->linux_;
        struct trace_span span = trace_begin(TRACE_IDMAP_WRITE);

        if (s->plan.new_user)
                TRY(userns_write_maps(s->pid, &l->uid_map, &l->gid_map));
        trace_end(&span, 0, NULL);
        if (s->plan.lower_mount)
                TRY(plan_send_trees(&s->plan, s->pid, s->pidfd, s->socket));
        return send_go(s);
}

/* Who decides about system calls gets the listener of the new process. */
static err *send_listener(struct runtime_session *s, unsigned number)
{
        const struct runtime_request *r = s->request;
        const struct runtime_exec *x = s->exec;
        struct listener_process p = {.spec = r ? r->spec : x->spec,
                                     .id = r ? r->id : x->id,
                                     .bundle = r ? s->bundle : x->bundle,
                                     .status = r ? "creating" : x->status,
                                     .init = r ? s->pid : x->pid,
                                     .pid = s->pid};
        _cleanup_close_ int fd = process_get_fd(s->pidfd, (int)number);

        if (fd < 0)
                return err_sys(-fd, "taking the seccomp listener of the new process");
        TRY(seccomp_ops_deliver(&p, fd));
        return send_go(s);
}

static err *enter_cgroup(struct runtime_session *s)
{
        struct trace_span span = trace_begin(TRACE_CGROUP_CREATE);

        if (!s->unit)
                return err_new(ERR_INTERNAL, "the new process asks for a cgroup");
        if (s->request)
                TRY(systemd_ops_enter(s->unit, s->layout, s->cgroup, s->request->spec, s->pid, &s->unit_made));
        else
                TRY(systemd_ops_attach(s->unit, s->unit_sub, s->pid));
        trace_end(&span, 0, s->unit->name);
        return send_go(s);
}

/* The child has gone without a word: somebody killed it. */
static err *died(struct runtime_session *s)
{
        if (s->cgroup && s->layout && cgroup_oom_kills(s->layout, s->cgroup) > 0)
                return err_new(ERR_LIMIT, "container init was OOM-killed (memory limit too low?)");
        s->died = true;
        return err_new(ERR_SYS, "the process died while it was set up");
}

/* The process that we made has made the session and ends. */
static err *change_process(struct runtime_session *s, const struct plan_report *r, int *fd)
{
        bool split;
        int status;

        /* Once, and with a pid that is the descriptor's: whoever sends this may not name a process of the host. */
        if (*fd < 0 || !(s->plan.stages || s->plan.split) || process_pid(*fd) != (pid_t)r->index)
                return err_new(ERR_INTERNAL, "the new process sent no session");
        split = s->plan.split;
        s->plan.stages = s->plan.split = false;
        if (process_wait(s->pidfd, RUNTIME_KILL_WAIT_MS) == 0)
                (void)process_reap(s->pidfd, &status);
        (void)file_close(s->pidfd);
        s->pidfd = TAKE_FD(*fd);
        s->pid = (pid_t)r->index;
        return split ? send_go(s) : NULL;
}

static err *answer(struct runtime_session *s, const struct plan_report *r, int *fd, bool *ready)
{
        if (!s->request && (r->kind == PLAN_REPORT_WANT_MAP || r->kind == PLAN_REPORT_WANT_HOOKS))
                return err_new(ERR_INTERNAL, "the session asks for what a container is made with (%u)", r->kind);
        switch (r->kind) {
        case PLAN_REPORT_FAILED:
                return report_to_err(&s->plan, r);
        case PLAN_REPORT_WANT_CGROUP:
                return enter_cgroup(s);
        case PLAN_REPORT_WANT_MAP:
                return write_maps(s);
        case PLAN_REPORT_WANT_IDMAP:
                TRY(plan_idmap_for_child(&s->plan, r->index, *fd));
                return send_go(s);
        case PLAN_REPORT_WANT_HOOKS:
                return run_hooks(s);
        case PLAN_REPORT_TERMINAL:
                (void)file_close(s->terminal_fd);
                s->terminal_fd = TAKE_FD(*fd);
                return NULL;
        case PLAN_REPORT_SECCOMP:
                return send_listener(s, r->index);
        case PLAN_REPORT_PID:
                return change_process(s, r, fd);
        case PLAN_REPORT_STAGED:
        case PLAN_REPORT_READY:
                log_debug("child process in init(): %d is ready", (int)s->pid);
                *ready = true;
                return NULL;
        default:
                return err_new(ERR_INTERNAL, "the new process said %u", r->kind);
        }
}

/* Until the program runs (the socket closes at execve) or, with a FIFO, waits for `start`. */
err *runtime_talk(struct runtime_session *s)
{
        struct trace_span exec = {0, TRACE_CHILD_EXEC};
        bool ready = false;

        for (;;) {
                _cleanup_close_ int fd = -1;
                struct plan_report r;
                ssize_t n = fdpass_receive(s->socket, &r, sizeof(r), &fd);

                /* Descriptors in flight to a process that has died give ECONNRESET instead of an end. */
                if (n == 0 || n == -ECONNRESET) {
                        log_debug(s->plan.exec ? "setns_init: about to exec"
                                               : "init: closing the pipe to signal completion");
                        if (ready)
                                trace_end(&exec, 0, NULL);
                        return ready ? NULL : died(s);
                }
                if (n < 0)
                        return err_sys((int)-n, "listening to the new process");
                if (n != (ssize_t)sizeof(r))
                        return err_new(ERR_INTERNAL, "the new process sent %zd bytes", n);
                TRY(answer(s, &r, &fd, &ready));
                if (r.kind == PLAN_REPORT_READY)
                        exec = trace_begin(TRACE_CHILD_EXEC);
                if (r.kind == PLAN_REPORT_STAGED)
                        return NULL;
        }
}
