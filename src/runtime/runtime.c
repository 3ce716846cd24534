/* runtime.c - see runtime.h: the parent's side of starting a process in a container. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "runtime/cgroup_ops.h"
#include "runtime/hooks.h"
#include "runtime/rdt.h"
#include "runtime/runtime_private.h"
#include "runtime/systemd_ops.h"
#include "sys/process.h"

#define ENDING_MS 2000
#define CGROUP_WAIT_MS 2000

static void session_undo(struct runtime_session *s)
{
        struct resctrl_group rdt;
        int status;

        ahead_done(&s->ahead);
        if (!s->done && s->pidfd >= 0) {
                (void)process_signal(s->pidfd, SIGKILL);
                (void)process_wait(s->pidfd, RUNTIME_KILL_WAIT_MS);
                (void)process_reap(s->pidfd, &status); /* a sibling is reaped by its parent */
        }
        if (!s->done)
                plan_undo_root(&s->plan);
        if (!s->done && s->unit_made) {
                err_free(cgroup_kill(s->layout, s->cgroup, SIGKILL));
                err_free(runtime_unit_stop(s->unit));
        }
        if (!s->done && s->rdt_made && rdt_group(s->request->spec, s->request->id, &rdt))
                err_free(rdt_remove(&rdt));
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

static struct runtime_session session_new(const struct runtime_request *r)
{
        return (struct runtime_session){.request = r,
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

static void finish(struct runtime_session *s, struct runtime_process *ret)
{
        s->done = true;
        s->release = trace_begin(TRACE_RELEASE);
        *ret = (struct runtime_process){s->pid, s->pidfd, s->terminal_fd, TAKE_PTR(s->cgroup)};
}

static err *know_bundle(struct runtime_session *s)
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

static err *open_mounts(struct runtime_session *s)
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

static err *stage(const struct runtime_session *s, const char *words, err *e)
{
        return s->request->runc_words ? err_wrap(e, "%s", words) : e;
}

/* The network namespace that was made ahead is joined. */
static err *take_net(struct runtime_session *s)
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

static err *prepare(struct runtime_session *s)
{
        const struct runtime_request *r = s->request;

        struct trace_span span = trace_begin(TRACE_PLAN);

        if (!r->ahead)
                ahead_begin(&s->ahead, r->spec);
        TRY(plan_for_create(&s->plan, r));
        TRY(plan_open_root(&s->plan, r));
        trace_end(&span, 0, r->id);
        TRY(stage(s, STAGE_CGROUP, runtime_cgroup_make(s)));
        TRY(rdt_open(r->spec, r->id, true, s->plan.cgroup_fds, &s->plan.n_cgroup_fds));
        s->rdt_made = true;
        TRY(stage(s, STAGE_INIT, open_mounts(s)));
        TRY(take_net(s));
        return has_hooks(r->spec) || s->plan.seccomp.notify ? know_bundle(s) : NULL;
}

/* Where the namespace is there already, while the child goes on. If that has failed meanwhile, why it did is the
 * reason. */
static err *make_network_beside(struct runtime_session *s)
{
        err *e = runtime_talk_network(s), *told;

        if (!e || process_wait(s->pidfd, ENDING_MS / 10) != 0)
                return e;
        told = stage(s, STAGE_INIT, runtime_talk(s));
        if (!told)
                return e;
        err_free(e);
        return told;
}

err *runtime_create(const struct runtime_request *r, struct runtime_process *ret)
{
        _cleanup_(session_undo) struct runtime_session s = session_new(r);

        TRY(prepare(&s));
        if (r->opened)
                TRY(r->opened(r->opened_arg));
        TRY(stage(&s, STAGE_START, runtime_clone(&s, r->as_sibling)));
        if ((s.net_ns >= 0 || s.plan.clone_flags & CLONE_NEWNET) && !s.plan.stages && !s.plan.split)
                TRY(make_network_beside(&s));
        TRY(stage(&s, STAGE_INIT, runtime_talk(&s)));
        if (r->start_fd < 0)
                TRY(hooks_run(r->spec, OCI_HOOK_POSTSTART, r->id, s.bundle, "running", s.pid));
        finish(&s, ret);
        return NULL;
}

/* Go to the v2 cgroup in which the container's init is; @below: only if that is below the container's own. False: no.
 */
static bool follow_init(struct runtime_session *s, const struct runtime_exec *x, bool below)
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
static err *start_session(struct runtime_session *s, const struct runtime_exec *x)
{
        err *e = runtime_clone(s, x->as_sibling);

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
                return runtime_clone(s, x->as_sibling);
        }
        if (err_errno(e) != EBUSY || s->clone_fd < 0)
                return e;
        if (s->sub.chosen || !follow_init(s, x, true))
                return err_wrap(e, "error adding pid of the session to cgroups");
        err_free(e);
        s->socket = file_close(s->socket);
        return runtime_clone(s, x->as_sibling);
}

static err *open_session_cgroup(struct runtime_session *s, const struct runtime_exec *x)
{
        err *e;

        TRY(cgroup_path_clean(x->cgroup, &s->cgroup));
        if (x->sub_cgroups)
                TRY(exec_cgroup_parse(s->layout, s->cgroup, x->sub_cgroups, &s->sub));
        e = runtime_cgroup_open(s);
        /* Somebody has moved init elsewhere and removed the cgroup. */
        if (err_errno(e) == ENOENT && s->layout->mode == CGROUP_MODE_V2 && !s->sub.chosen && follow_init(s, x, false))
                return err_free(e);
        return e ? err_wrap(e, "error adding pid of the session to cgroups") : NULL;
}

static err *exec_session(struct runtime_session *s, const struct runtime_exec *x)
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
        TRY(runtime_talk(s));
        return NULL;
}

/* Whatever went wrong in a container that ends: that it ends is the reason. Its namespaces are gone (ESRCH), its PID
 * namespace takes no more processes (ENOMEM), or has killed ours, a moment before init can be waited for. */
static bool is_ending(const struct runtime_session *s, const err *e)
{
        int ms = s->died || err_errno(e) == ESRCH || err_errno(e) == ENOMEM ? ENDING_MS : 0, status;

        if (s->died && s->pidfd >= 0 && process_wait(s->pidfd, ms) == 0)
                (void)process_reap(s->pidfd, &status); /* init waits for this; a sibling is reaped by its parent */
        return process_wait(s->exec->pidfd, ms) == 0;
}

err *runtime_exec(const struct runtime_exec *x, struct runtime_process *ret)
{
        _cleanup_(session_undo) struct runtime_session s = session_new(NULL);
        err *e;

        s.exec = x;
        e = exec_session(&s, x);
        if (e && is_ending(&s, e)) {
                err_free(e);
                return err_new(ERR_NOT_RUNNING,
                               x->runc_words ? "cannot exec in a stopped container" : "the container is not running");
        }
        if (!e)
                finish(&s, ret);
        return x->runc_words ? err_wrap(e, STAGE_START) : e;
}
