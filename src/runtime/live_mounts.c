/* live_mounts.c - see live_mounts.h. */
#include "runtime/live_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "runtime/child/child.h"
#include "runtime/plan.h"
#include "runtime/report.h"
#include "sys/fdpass.h"
#include "sys/ns.h"
#include "sys/process.h"

struct session {
        struct plan plan;
        struct oci_spec spec; /* the container's, with other mounts; a borrowed copy */
        int socket, pidfd;
        pid_t pid;
};

static void session_end(struct session *s)
{
        int status;

        s->socket = file_close(s->socket); /* whoever still speaks, hears that nobody listens */
        if (s->pidfd >= 0) {
                (void)process_wait(s->pidfd, -1);
                (void)process_reap(s->pidfd, &status);
        }
        (void)file_close(s->pidfd);
        plan_done(&s->plan);
}

/* ---- the plan ---- */

static err *open_pid_ns(struct plan *p, pid_t pid, int pidfd)
{
        char path[40];
        int fd;

        (void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
        TRY(ns_open(path, CLONE_NEWPID, &fd));
        p->pid_ns_fd = plan_own_fd(p, fd);
        /* Still the same process: then it was its own. */
        if (process_signal(pidfd, 0) < 0)
                return err_new(ERR_NOT_RUNNING, "container not running");
        return arena_check(&p->arena);
}

static err *make_plan(struct session *s, const struct live_mounts *l)
{
        struct plan *p = &s->plan;

        plan_clear(p);
        if (!l->spec->linux_.ns[OCI_NS_MOUNT].present)
                return err_new(ERR_INVALID, "the container has no mount namespace of its own");
        p->has_mount = true;
        p->lower_mount = l->spec->linux_.ns[OCI_NS_USER].present;
        p->new_cgroup = l->spec->linux_.ns[OCI_NS_CGROUP].present;
        p->join_all_pidfd = l->pidfd;
        for (unsigned i = 0; i < OCI_NS_MAX_; i++)
                if (l->spec->linux_.ns[i].present && i != OCI_NS_PID && i != OCI_NS_USER && i != OCI_NS_TIME)
                        p->join_all_flags |= oci_ns_clone_flag((enum oci_ns)i);
        TRY(plan_open_proc(p, false));
        p->rootfs_fd = p->proc_fd; /* there is no root file system to be opened */
        p->attached = ARENA_NEW(&p->arena, int, l->n);
        TRY(arena_check(&p->arena));
        for (size_t i = 0; i < l->n; i++)
                p->attached[i] = -1;
        return NULL;
}

static const struct oci_mount *first_of(const struct live_mounts *l, const char *type)
{
        for (size_t i = 0; i < l->n; i++)
                if (str_eq(l->mounts[i].type, type))
                        return &l->mounts[i];
        return NULL;
}

static err *plan_to_add(struct session *s, const struct live_mounts *l)
{
        struct plan *p = &s->plan;
        struct runtime_request r = {.spec = &s->spec, .bundle_fd = l->bundle_fd, .rootfs_fd = -1};
        char link[40], text[4096];
        ssize_t n;

        s->spec.mounts = (struct oci_mount *)(uintptr_t)l->mounts;
        s->spec.n_mounts = l->n;
        /* Whoever mounts is not in the container's PID namespace. */
        if (first_of(l, "proc") && l->spec->linux_.ns[OCI_NS_PID].present) {
                TRY(open_pid_ns(p, l->pid, l->pidfd));
                if (!mountfd_proc_takes_pidns(p->pid_ns_fd))
                        return err_new(ERR_UNSUPPORTED,
                                       "mount %s: this kernel cannot mount the proc file system of a running container",
                                       first_of(l, "proc")->destination);
                p->stages = true; /* "proc" is then of pid_ns_fd */
        }
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", l->bundle_fd);
        n = readlink(link, text, sizeof(text));
        if (n < 0 || n == (ssize_t)sizeof(text))
                return err_sys(n < 0 ? errno : ENAMETOOLONG, "readlink %s", link);
        p->bundle_path = arena_copy(&p->arena, text, (size_t)n);
        TRY(arena_check(&p->arena));
        return plan_add_mounts(p, &r, l->cgroup);
}

static err *plan_to_remove(struct session *s, const struct live_mounts *l)
{
        struct plan *p = &s->plan;

        p->lower_mount = false; /* nothing is opened; setns(2) enters both at once */
        if (l->spec->linux_.ns[OCI_NS_USER].present)
                p->join_all_flags |= CLONE_NEWUSER;
        p->mounts = ARENA_NEW(&p->arena, struct plan_mount, l->n);
        TRY(arena_check(&p->arena));
        for (size_t i = 0; i < l->n; i++) {
                const char *path = plan_clean_path(p, "", l->mounts[i].destination);

                TRY(arena_check(&p->arena));
                if (!path[1])
                        return err_new(ERR_INVALID, "the root file system cannot be unmounted");
                p->mounts[p->n_mounts++] = (struct plan_mount){.destination = path, .shown = path};
        }
        return NULL;
}

/* ---- the process ---- */

static err *start(struct session *s, _noreturn_ void (*child)(const struct plan *p))
{
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_sys(errno, "making a socket pair");
        s->socket = s->plan.parent_socket = pair[0];
        s->plan.socket = pair[1];
        s->pid = process_clone(CLONE_CLEAR_SIGHAND, -1, &s->pidfd);
        if (s->pid == 0)
                child(&s->plan);
        (void)file_close(pair[1]);
        return s->pid < 0 ? err_sys(-s->pid, "creating the process") : NULL;
}

static err *send_go(struct session *s)
{
        struct plan_go go = {.what = PLAN_GO};
        ssize_t n = fdpass_send(s->socket, &go, sizeof(go), -1);

        return n < 0 ? err_sys((int)-n, "speaking with the new process") : NULL;
}

static err *answer(struct session *s, const struct plan_report *r, int fd)
{
        switch (r->kind) {
        case PLAN_REPORT_FAILED:
                return report_to_err(&s->plan, r);
        case PLAN_REPORT_WANT_MAP:
                TRY(plan_send_trees(&s->plan, s->pid, s->pidfd, s->socket));
                return send_go(s);
        case PLAN_REPORT_WANT_IDMAP:
                TRY(plan_idmap_for_child(&s->plan, r->index, fd));
                return send_go(s);
        case PLAN_REPORT_READY:
                return NULL;
        default:
                return err_new(ERR_INTERNAL, "the new process said %u", r->kind);
        }
}

static err *converse(struct session *s)
{
        for (;;) {
                _cleanup_close_ int fd = -1;
                struct plan_report r;
                ssize_t n = fdpass_receive(s->socket, &r, sizeof(r), &fd);

                if (n != (ssize_t)sizeof(r))
                        return err_new(ERR_SYS, "the process that was to mount has died");
                TRY(answer(s, &r, fd));
                if (r.kind == PLAN_REPORT_READY)
                        return NULL;
        }
}

static err *run(const struct live_mounts *l, err *(*plan)(struct session *s, const struct live_mounts *l),
                _noreturn_ void (*child)(const struct plan *p))
{
        _cleanup_(session_end) struct session s = {.spec = *l->spec, .socket = -1, .pidfd = -1};
        err *e;

        TRY(make_plan(&s, l));
        TRY(plan(&s, l));
        TRY(start(&s, child));
        e = converse(&s);
        /* Whatever went wrong in a container that ends: that it ends is the reason. */
        if (e && process_wait(l->pidfd, 0) == 0) {
                err_free(e);
                return err_new(ERR_NOT_RUNNING, "container not running");
        }
        return e;
}

err *live_mounts_add(const struct live_mounts *l)
{
        return run(l, plan_to_add, child_live_add);
}

err *live_mounts_remove(const struct live_mounts *l)
{
        return run(l, plan_to_remove, child_live_remove);
}
