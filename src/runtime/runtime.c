/* runtime.c - see runtime.h: the parent's side of starting a process in a container. */
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/trace.h"
#include "runtime/ahead.h"
#include "runtime/cgroup_ops.h"
#include "runtime/child/child.h"
#include "runtime/exec_cgroup.h"
#include "runtime/hooks.h"
#include "runtime/plan.h"
#include "runtime/rdt.h"
#include "runtime/report.h"
#include "runtime/seccomp_ops.h"
#include "runtime/systemd_ops.h"
#include "runtime/userns.h"
#include "sys/fdpass.h"
#include "sys/netdev.h"
#include "sys/ns.h"
#include "sys/process.h"

#define DELEGATE "run.oci.delegate-cgroup"
#define KILL_WAIT_MS 10000
#define ENDING_MS 2000
#define CGROUP_WAIT_MS 2000

/* What has been made so far and is undone unless the end is reached. */
struct session {
        struct plan plan;
        const struct runtime_request *request; /* NULL: exec */
        const struct runtime_exec *exec;       /* NULL: create */
        const struct cgroup_layout *layout;
        const struct runtime_unit *unit; /* NULL: the cgroup is our own affair */
        char *cgroup, *bundle, *state_before, *state_after;
        const char *unit_sub;
        bool cgroup_made; /* by us: what is in another's is not ours to kill */
        bool unit_made, rdt_made, network_made, done;
        struct trace_span release; /* begins when it is done */
        struct exec_cgroup sub;
        struct ahead ahead;
        int net_ns; /* made ahead; the plan's. -1: none */
        int socket, pidfd, terminal_fd, clone_fd;
        pid_t pid;
};

static void session_undo(struct session *s)
{
        int status;

        ahead_done(&s->ahead);
        if (!s->done && s->pidfd >= 0) {
                (void)process_signal(s->pidfd, SIGKILL);
                (void)process_wait(s->pidfd, KILL_WAIT_MS);
                (void)process_reap(s->pidfd, &status); /* a sibling is reaped by its parent */
        }
        if (!s->done)
                plan_undo_root(&s->plan);
        if (!s->done && s->unit_made) {
                err_free(cgroup_kill(s->layout, s->cgroup, SIGKILL));
                err_free(runtime_unit_stop(s->unit));
        }
        if (!s->done && s->rdt_made)
                err_free(runtime_rdt_remove(s->request->spec, s->request->id));
        if (!s->done && s->cgroup_made) {
                err_free(cgroup_kill(s->layout, s->cgroup, SIGKILL)); /* what hooks may have left there */
                err_free(cgroup_remove(s->layout, s->cgroup, CGROUP_WAIT_MS));
        }
        if (!s->done) {
                s->pidfd = file_close(s->pidfd);
                s->terminal_fd = file_close(s->terminal_fd);
        }
        (void)file_close(s->socket);
        (void)file_close(s->clone_fd);
        free(s->cgroup);
        exec_cgroup_done(&s->sub);
        free(s->bundle);
        free(s->state_before);
        free(s->state_after);
        plan_done(&s->plan);
        if (s->release.start)
                trace_end(&s->release, 0, NULL);
}

static struct session session_new(const struct runtime_request *r)
{
        return (struct session){.request = r,
                                .plan.root_place = -1,
                                .net_ns = -1,
                                .socket = -1,
                                .pidfd = -1,
                                .terminal_fd = -1,
                                .clone_fd = -1};
}

void runtime_process_done(struct runtime_process *p)
{
        if (!p->pid && !p->cgroup)
                return;
        (void)file_close(p->pidfd);
        (void)file_close(p->terminal_fd);
        free(p->cgroup);
        *p = (struct runtime_process){.pidfd = -1, .terminal_fd = -1};
}

/* ---- cgroup ---- */

static err *open_cgroup(struct session *s)
{
        struct plan *p = &s->plan;
        const char *unified = s->layout->unified >= 0 ? s->sub.path[(int)s->layout->unified] : NULL;

        /* v2: the clone puts the child there. v1: the child writes "0" itself, which spares the kernel's global lock.
         */
        s->clone_fd = p->split ? -ENOENT : cgroup_clone_fd(s->layout, unified ? unified : s->cgroup);
        if (s->clone_fd < 0 && s->clone_fd != -ENOENT)
                return err_sys(-s->clone_fd, "opening cgroup %s", s->cgroup);
        return cgroup_join_open_each(s->layout, s->cgroup, s->sub.path, s->clone_fd < 0, p->cgroup_fds,
                                     &p->n_cgroup_fds);
}

static bool is_permission(const err *e)
{
        return err_errno(e) == EACCES || err_errno(e) == EPERM || err_errno(e) == EROFS;
}

static err *refuse_limits(const struct session *s)
{
        const char *limit = cgroup_ops_limit(&s->request->spec->linux_.resources);

        return limit ? err_new(ERR_DENIED, "cannot set %s limit: container could not join or create cgroup", limit)
                     : NULL;
}

/* Next to where we are ourselves, as a login has it delegated on v2 (below us a cgroup could have no controllers: we
 * are in it). False: no. */
static bool make_cgroup_beside(struct session *s)
{
        _cleanup_free_ char *own = s->layout->mode == CGROUP_MODE_V2 ? exec_cgroup_of(getpid()) : NULL, *path = NULL;
        char *slash = own ? strrchr(own, '/') : NULL;
        err *e;

        if (!slash || slash == own)
                return false;
        *slash = '\0';
        path = str_format("%s/%s", own, s->request->id);
        if (!path)
                return false;
        e = cgroup_ops_create(s->layout, path, &s->request->spec->linux_.resources, &s->cgroup_made);
        if (e) {
                err_free(e);
                return false;
        }
        free(s->cgroup);
        s->cgroup = TAKE_PTR(path);
        return true;
}

/* @e (consumed) says that no cgroup may be made: as runc, that is none's loss unless one was asked for. */
static err *no_cgroup(struct session *s, err *e)
{
        if (s->request->spec->linux_.cgroups_path || !str_empty(oci_spec_annotation(s->request->spec, DELEGATE)))
                return e;
        err_free(e);
        TRY(refuse_limits(s));
        free(s->cgroup);
        s->cgroup = NULL;
        return NULL;
}

/* crun's annotation: the container begins in a cgroup below its own, which is left to it: with processes of its own the
 * latter could not give it controllers. */
static err *check_delegate(const struct session *s)
{
        if (str_empty(oci_spec_annotation(s->request->spec, DELEGATE)))
                return NULL;
        if (s->layout->mode != CGROUP_MODE_V2)
                return err_new(ERR_UNSUPPORTED, "annotation " DELEGATE ": only cgroup v2 can delegate");
        if (s->request->unit || s->request->no_cgroup)
                return err_new(ERR_UNSUPPORTED, "annotation " DELEGATE ": only with the cgroup manager cgroupfs");
        return NULL;
}

static err *delegate(struct session *s)
{
        const char *sub = oci_spec_annotation(s->request->spec, DELEGATE);
        _cleanup_free_ char *path = NULL;
        int fd;

        if (str_empty(sub))
                return NULL;
        TRY_WRAP(exec_cgroup_below(s->cgroup, sub, &path), "annotation " DELEGATE);
        if (str_eq(path, s->cgroup))
                return err_new(ERR_INVALID, "annotation " DELEGATE ": %s is the container's own cgroup", sub);
        TRY(cgroup_sub_open(s->layout, path, &fd));
        s->plan.delegate_fd = plan_own_fd(&s->plan, fd);
        TRY(arena_check(&s->plan.arena));
        return cgroup_ops_give(s->layout, path, s->request->spec);
}

static err *make_cgroup(struct session *s)
{
        const struct oci_linux *l = &s->request->spec->linux_;
        _cleanup_free_ char *by_id = NULL;
        const char *path = s->request->cgroup_path;
        struct trace_span span;
        err *e;

        TRY(cgroup_layout_get(&s->layout));
        TRY(check_delegate(s));
        if (s->request->no_cgroup)
                return refuse_limits(s);
        if (!path)
                path = l->cgroups_path;
        if (!path) {
                path = by_id = str_format("/%s", s->request->id);
                if (!by_id)
                        return err_nomem();
        }
        TRY(cgroup_path_clean(path, &s->cgroup));
        span = trace_begin(TRACE_CGROUP_CREATE);
        if (s->request->unit) {
                /* Mounts want its directories now; it becomes systemd's when there is a process to put into it. */
                s->unit = s->request->unit;
                s->plan.wait_cgroup = true;
                TRY(cgroup_create_ours(s->layout, s->cgroup, &s->cgroup_made));
        } else {
                e = cgroup_ops_create(s->layout, s->cgroup, &l->resources, &s->cgroup_made);
                if (e && s->request->rootless_cgroups && is_permission(e) && !l->cgroups_path && make_cgroup_beside(s))
                        e = err_free(e);
                if (e)
                        return s->request->rootless_cgroups && is_permission(e) ? no_cgroup(s, e) : e;
                TRY(cgroup_ops_give(s->layout, s->cgroup, s->request->spec));
                TRY(delegate(s));
                TRY(open_cgroup(s));
        }
        trace_end(&span, 0, s->cgroup);
        return NULL;
}

/* ---- namespaces that the parent has to enter for the child ---- */

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

static err *start_child(struct session *s, bool as_sibling)
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

/* ---- the conversation with the child ---- */

static err *send_go(struct session *s)
{
        struct plan_go go = {.pid = s->pid};
        ssize_t n = fdpass_send(s->socket, &go, sizeof(go), -1);

        return n < 0 ? err_sys((int)-n, "speaking with the new process") : NULL;
}

static err *open_net_ns(const struct session *s, int *ret)
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
static err *make_network(struct session *s)
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
static err *move_net_devices(const struct session *s)
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

static err *run_hooks(struct session *s)
{
        const struct runtime_request *r = s->request;

        TRY(make_network(s));
        TRY(move_net_devices(s));
        TRY(hooks_run(r->spec, OCI_HOOK_PRESTART, r->id, s->bundle, "creating", s->pid));
        TRY(hooks_run(r->spec, OCI_HOOK_CREATE_RUNTIME, r->id, s->bundle, "creating", s->pid));
        return send_go(s);
}

static err *write_maps(struct session *s)
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
static err *send_listener(struct session *s, unsigned number)
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

static err *enter_cgroup(struct session *s)
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
static err *died(const struct session *s)
{
        if (s->cgroup && s->layout && cgroup_oom_kills(s->layout, s->cgroup) > 0)
                return err_new(ERR_LIMIT, "container init was OOM-killed (memory limit too low?)");
        return err_new(ERR_SYS, "the process died while it was set up");
}

/* The process that we made has made the session and ends. */
static err *change_process(struct session *s, const struct plan_report *r, int *fd)
{
        bool split;
        int status;

        /* Once, and with a pid that is the descriptor's: whoever sends this may not name a process of the host. */
        if (*fd < 0 || !(s->plan.stages || s->plan.split) || process_pid(*fd) != (pid_t)r->index)
                return err_new(ERR_INTERNAL, "the new process sent no session");
        split = s->plan.split;
        s->plan.stages = s->plan.split = false;
        if (process_wait(s->pidfd, KILL_WAIT_MS) == 0)
                (void)process_reap(s->pidfd, &status);
        (void)file_close(s->pidfd);
        s->pidfd = TAKE_FD(*fd);
        s->pid = (pid_t)r->index;
        return split ? send_go(s) : NULL;
}

static err *answer(struct session *s, const struct plan_report *r, int *fd, bool *ready)
{
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
static err *converse(struct session *s)
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

static void finish(struct session *s, struct runtime_process *ret)
{
        s->done = true;
        s->release = trace_begin(TRACE_RELEASE);
        *ret = (struct runtime_process){s->pid, s->pidfd, s->terminal_fd, TAKE_PTR(s->cgroup)};
}

static err *know_bundle(struct session *s)
{
        char link[40], path[4096];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", s->request->bundle_fd);
        n = readlink(link, path, sizeof(path) - 1);
        path[n < 0 ? 0 : n] = '\0';
        s->bundle = str_dup(path);
        if (!s->bundle)
                return err_nomem();
        TRY(hooks_state(s->request->spec, s->request->id, s->bundle, &s->state_before, &s->state_after));
        s->plan.hook_state_before = s->state_before;
        s->plan.hook_state_after = s->state_after;
        return NULL;
}

static bool has_hooks(const struct oci_spec *spec)
{
        for (unsigned i = 0; i < OCI_HOOK_MAX_; i++)
                if (spec->hooks[i].n)
                        return true;
        return false;
}

static err *open_mounts(struct session *s)
{
        struct trace_span span = trace_begin(TRACE_MOUNTS_OPEN);
        err *e = plan_add_mounts(&s->plan, s->request, s->cgroup);

        trace_end(&span, e ? EINVAL : 0, NULL);
        return e;
}

/* Where callers of runc look for what went wrong. */
#define STAGE_START "unable to start container process"
#define STAGE_CGROUP STAGE_START ": unable to apply cgroup configuration"
#define STAGE_INIT STAGE_START ": error during container init"

static err *stage(const struct session *s, const char *words, err *e)
{
        return s->request->runc_words ? err_wrap(e, "%s", words) : e;
}

/* The network namespace that was made ahead is joined. */
static err *take_net(struct session *s)
{
        struct trace_span span = trace_begin(TRACE_NET_WAIT);
        struct plan *p = &s->plan;
        int fd = ahead_end(s->request->ahead ? s->request->ahead : &s->ahead);

        trace_end(&span, 0, NULL);
        if (fd < 0)
                return NULL;
        s->net_ns = p->join[p->n_join].fd = plan_own_fd(p, fd);
        p->join[p->n_join].flag = CLONE_NEWNET;
        p->join[p->n_join++].name = oci_ns_name(OCI_NS_NETWORK);
        p->clone_flags &= ~(uint64_t)CLONE_NEWNET;
        p->new_net = false;
        return arena_check(&p->arena);
}

static err *prepare(struct session *s)
{
        const struct runtime_request *r = s->request;

        struct trace_span span = trace_begin(TRACE_PLAN);

        if (!r->ahead)
                ahead_begin(&s->ahead, r->spec);
        TRY(plan_for_create(&s->plan, r));
        TRY(plan_open_root(&s->plan, r));
        trace_end(&span, 0, r->id);
        TRY(stage(s, STAGE_CGROUP, make_cgroup(s)));
        TRY(rdt_open(r->spec, r->id, true, s->plan.cgroup_fds, &s->plan.n_cgroup_fds));
        s->rdt_made = true;
        TRY(stage(s, STAGE_INIT, open_mounts(s)));
        TRY(take_net(s));
        return has_hooks(r->spec) || s->plan.seccomp.notify ? know_bundle(s) : NULL;
}

/* Where the namespace is there already, while the child goes on. If that has failed meanwhile, why it did is the
 * reason. */
static err *make_network_beside(struct session *s)
{
        err *e = make_network(s), *told;

        if (!e || process_wait(s->pidfd, ENDING_MS / 10) != 0)
                return e;
        told = stage(s, STAGE_INIT, converse(s));
        if (!told)
                return e;
        err_free(e);
        return told;
}

err *runtime_create(const struct runtime_request *r, struct runtime_process *ret)
{
        _cleanup_(session_undo) struct session s = session_new(r);

        TRY(prepare(&s));
        if (r->opened)
                TRY(r->opened(r->opened_arg));
        TRY(stage(&s, STAGE_START, start_child(&s, r->as_sibling)));
        if ((s.net_ns >= 0 || s.plan.clone_flags & CLONE_NEWNET) && !s.plan.stages && !s.plan.split)
                TRY(make_network_beside(&s));
        TRY(stage(&s, STAGE_INIT, converse(&s)));
        if (r->start_fd < 0)
                TRY(hooks_run(r->spec, OCI_HOOK_POSTSTART, r->id, s.bundle, "running", s.pid));
        finish(&s, ret);
        return NULL;
}

/* Go to the v2 cgroup in which the container's init is; @below: only if that is below the container's own. False: no.
 */
static bool follow_init(struct session *s, const struct runtime_exec *x, bool below)
{
        _cleanup_free_ char *path = exec_cgroup_of(x->pid);
        const char *rest = path ? str_after(path, s->cgroup) : NULL;
        int fd;

        if (!path || process_signal(x->pidfd, 0) < 0 || (below && (!rest || *rest != '/')))
                return false;
        fd = cgroup_clone_fd(s->layout, path);
        if (fd < 0)
                return false;
        (void)file_close(s->clone_fd);
        s->clone_fd = fd;
        return true;
}

/* A cgroup that has handed controllers to its children takes no processes (cgroups(7), "no internal processes"): if the
 * container has done that to its own, the session goes where its init is. */
static err *start_session(struct session *s, const struct runtime_exec *x)
{
        err *e = start_child(s, x->as_sibling);

        /* A user's own cgroups can be out of his reach: where he has logged in is not below what was delegated to him.
         */
        if ((err_errno(e) == EACCES || err_errno(e) == EPERM) && s->clone_fd >= 0 && x->unit) {
                err_free(e);
                s->unit = x->unit;
                if (s->sub.chosen) /* what follows the container's cgroup; v2 */
                        s->unit_sub = str_after(s->sub.path[(int)s->layout->unified], s->cgroup);
                s->plan.wait_cgroup = true;
                s->clone_fd = file_close(s->clone_fd);
                s->socket = file_close(s->socket);
                return start_child(s, x->as_sibling);
        }
        if (err_errno(e) != EBUSY || s->clone_fd < 0)
                return e;
        if (s->sub.chosen || !follow_init(s, x, true))
                return err_wrap(e, "error adding pid of the session to cgroups");
        err_free(e);
        s->socket = file_close(s->socket);
        return start_child(s, x->as_sibling);
}

static err *open_session_cgroup(struct session *s, const struct runtime_exec *x)
{
        err *e;

        TRY(cgroup_path_clean(x->cgroup, &s->cgroup));
        if (x->sub_cgroups)
                TRY(exec_cgroup_parse(s->layout, s->cgroup, x->sub_cgroups, &s->sub));
        e = open_cgroup(s);
        /* Somebody has moved init elsewhere and removed the cgroup. */
        if (err_errno(e) == ENOENT && s->layout->mode == CGROUP_MODE_V2 && !s->sub.chosen && follow_init(s, x, false))
                return err_free(e);
        return e ? err_wrap(e, "error adding pid of the session to cgroups") : NULL;
}

static err *exec_session(struct session *s, const struct runtime_exec *x)
{
        TRY(plan_for_exec(&s->plan, x));
        TRY(cgroup_layout_get(&s->layout));
        if (!str_empty(x->cgroup))
                TRY(open_session_cgroup(s, x));
        else if (x->sub_cgroups)
                return err_new(ERR_INVALID, "the container has no cgroup of its own that could have parts");
        if (x->id)
                TRY(rdt_open(x->spec, x->id, false, s->plan.cgroup_fds, &s->plan.n_cgroup_fds));
        if (x->spec->linux_.ns[OCI_NS_PID].present)
                s->plan.pid_ns_fd = x->pidfd;
        TRY(start_session(s, x));
        TRY(converse(s));
        return NULL;
}

err *runtime_exec(const struct runtime_exec *x, struct runtime_process *ret)
{
        _cleanup_(session_undo) struct session s = session_new(NULL);
        err *e;

        s.exec = x;
        e = exec_session(&s, x);
        /* Whatever went wrong in a container that ends: that it ends is the reason. Its namespaces are gone (ESRCH), or
         * its PID namespace takes no more processes (ENOMEM), a moment before it can be waited for. */
        if (e && process_wait(x->pidfd, err_errno(e) == ESRCH || err_errno(e) == ENOMEM ? ENDING_MS : 0) == 0) {
                err_free(e);
                return err_new(ERR_NOT_RUNNING, "the container is not running");
        }
        if (!e)
                finish(&s, ret);
        return x->runc_words ? err_wrap(e, STAGE_START) : e;
}
