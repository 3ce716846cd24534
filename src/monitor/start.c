/* start.c - start the container: the builder's side (specification, root file system, user, runtime) and the monitor's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/trace.h"
#include "monitor/builder.h"
#include "monitor/traffic.h"
#include "oci/spec.h"
#include "runtime/runtime.h"
#include "sys/endpoint.h"
#include "sys/process.h"

/* ---- in the builder ---- */

static err *open_rootfs(const struct monitor_conf *c, int *ret)
{
        struct runtime_overlay o = {
                .lower = c->lower,
                .upper = c->upper,
                .work = c->work,
                .is_volatile = c->rootfs_volatile,
                .readonly = c->rootfs_readonly,
                .limited = c->rootfs_limited,
        };

        return runtime_rootfs_open(c->rootfs_driver, &o, ret);
}

/* config.json names namespaces by the number of a process. They are open now: was it still the same process? (It may
 * have ended long ago when the restart policy starts us again.) */
static err *check_donors(void *arg)
{
        const struct monitor *m = arg;

        for (char *const *d = m->conf.donors; d && *d; d++) {
                const char *space = strchrnul(*d, ' ');
                _cleanup_free_ char *number = strndup(*d, (size_t)(space - *d));
                uint64_t pid, start;

                if (!number)
                        return err_nomem();
                if (!parse_u64(number, &pid) || !*space || !parse_u64(space + 1, &start) || !start ||
                    status_pid_start((pid_t)pid) != start)
                        return err_new(ERR_CONFLICT, "cannot join namespace of a non running container");
        }
        return NULL;
}

static err *make_each(const struct monitor *m, char *const *lines, int ns)
{
        for (; lines && *lines; lines++) {
                struct endpoint e;

                TRY(endpoint_parse(*lines, &e));
                TRY(endpoint_make(&e, ns));
                TRY(traffic_limit(m->dirfd, &e));
        }
        return NULL;
}

/* Of the builder, which makes one container only. */
static int prepared_dns[2] = {-1, -1};

/* The interfaces of the container, in its new network namespace. Between two runs networks may have come and gone. */
static err *make_endpoints(void *arg, int ns)
{
        _cleanup_(monitor_conf_done) struct monitor_conf now = {0};
        const struct monitor *m = arg;
        _cleanup_close_ int lock = -1;

        if (m->start_lock >= 0) {
                TRY(make_each(m, m->conf.endpoints, ns));
        } else {
                lock = file_lock(m->dirfd, NETWORK_LOCK, false);
                if (lock < 0)
                        return err_sys(-lock, "locking the container's networks");
                TRY(monitor_conf_read(m->dirfd, &now));
                TRY(make_each(m, now.endpoints, ns));
        }
        return nameserver_prepare(m, ns, prepared_dns);
}

static err *build(struct monitor *m, int socket, const int stdio[3], struct runtime_process *ret, int *ret_rootfs,
                  bool *said_cgroup)
{
        struct runtime_request r = {
                .id = m->conf.id,
                .bundle_fd = -1,
                .rootfs_fd = -1,
                .fix_stdio_owner = true,
                .as_sibling = true,
                .seccomp_cache = str_empty(m->conf.seccomp_cache) ? NULL : m->conf.seccomp_cache,
                .seccomp_name = str_empty(m->conf.seccomp_name) ? NULL : m->conf.seccomp_name,
                .start_fd = -1,
                .opened = check_donors,
                .opened_arg = m,
                .network = m->start_lock < 0 || (m->conf.endpoints && *m->conf.endpoints) ? make_endpoints : NULL,
                .network_arg = m,
        };
        struct oci_spec *spec;

        TRY(builder_spec(m, &spec, &r.bundle_fd));
        if (!spec->process)
                return err_new(ERR_INVALID, "config.json has no process");
        TRY(open_rootfs(&m->conf, &r.rootfs_fd));
        TRY(builder_user(m, m->conf.user, r.rootfs_fd, spec->process));
        spec->process->terminal = m->conf.tty;
        if (m->rows && m->cols) {
                spec->process->console_height = m->rows;
                spec->process->console_width = m->cols;
        }
        if (!spec->process->oom_score_adj_set)
                setup_oom_restore(m->oom_original);
        *said_cgroup = spec->linux_.cgroups_path && *spec->linux_.cgroups_path == '/';
        if (*said_cgroup)
                builder_say_cgroup(socket, spec->linux_.cgroups_path);
        memcpy(r.stdio, stdio, sizeof(r.stdio));
        r.spec = spec;
        TRY(runtime_create(&r, ret));
        *ret_rootfs = r.rootfs_fd;
        return NULL;
}

static _noreturn_ void build_and_report(struct monitor *m, int socket, const int stdio[3])
{
        struct runtime_process process = {.pidfd = -1, .terminal_fd = -1};
        bool said = false;
        int rootfs = -1;
        err *e = build(m, socket, stdio, &process, &rootfs, &said);

        if (e)
                builder_fail(socket, e);
        if (process.cgroup && !said)
                builder_say_cgroup(socket, process.cgroup);
        builder_report(
                socket, process.pid,
                (int[BUILDER_FDS]){process.pidfd, process.terminal_fd, rootfs, prepared_dns[0], prepared_dns[1]});
}

/* ---- in the monitor ---- */

void start_begin(struct monitor *m, struct client *c)
{
        int stdio[3] = {-1, -1, -1}, socket;
        struct trace_span ready = {m->began_ns, TRACE_MONITOR_READY};
        struct builder *b = NULL;
        err *e;

        m->phase = PHASE_STARTING;
        m->status.cgroup[0] = '\0';
        m->status.error[0] = '\0';
        e = c ? ports_hold(m) : ports_reload(m); /* between two runs networks may have come and gone */
        if (!e)
                e = io_open(m, stdio);
        if (!e && c)
                trace_end(&ready, 0, m->conf.id);
        if (!e)
                e = builder_fork(m, c, &b, &socket);
        if (!e && !b)
                build_and_report(m, socket, stdio);
        io_close_ends(stdio);
        if (e)
                start_failed(m, c, e);
}

void start_done(struct monitor *m, struct client *c, pid_t pid, const int fds[BUILDER_FDS])
{
        struct trace_span span = trace_begin(TRACE_RUNNING);
        struct proto_started s = {.pid = pid};

        m->phase = PHASE_RUNNING;
        m->init.fd = fds[BUILDER_PIDFD];
        m->init_is_child = true;
        m->rootfs = fds[BUILDER_ROOTFS];
        m->started_mono_ns = loop_now_ns();
        m->status.state = STATUS_RUNNING;
        m->status.pid = pid;
        m->status.pid_start = status_pid_start(pid);
        m->status.exit_code = 0;
        m->status.exit_known = true;
        m->status.oom_killed = false;
        m->status.started_ns = clock_now_ns();
        exit_publish(m);
        m->start_lock = file_close(m->start_lock);
        client_send(m, c, PROTO_STARTED, &s, sizeof(s), NULL, 0);
        nameserver_begin(m, fds[BUILDER_DNS_UDP], fds[BUILDER_DNS_TCP]);
        io_run(m, fds[BUILDER_TERMINAL]);
        watch_start(m);
        if (m->pending_signal)
                (void)process_signal(m->init.fd, m->pending_signal);
        m->pending_signal = 0;
        trace_end(&span, 0, m->conf.id);
}

void start_signal(struct monitor *m, int signal)
{
        m->pending_signal = signal;
        /* A builder that hangs (a dead file server) must not be immortal. Its crash undoes everything. */
        for (struct builder *b = m->builders; signal == SIGKILL && b; b = b->next)
                if (!b->is_exec)
                        (void)kill(b->pid, SIGKILL);
}

void start_failed(struct monitor *m, struct client *c, err *e)
{
        bool restart = m->status.started_ns != 0;

        (void)err_text(e, m->status.error, sizeof(m->status.error));
        io_finish(m);
        m->pending_signal = 0;
        m->status.cgroup[0] = '\0';
        m->status.exit_code = err_exit_status(err_code(e), true);
        if (m->status.exit_code == 125)
                m->status.exit_code = 128; /* docker: 127 and 126 about the program, 128 about everything else */
        if (restart) {
                err_free(e);
                exit_container(m, m->status.exit_code, true);
                return;
        }
        m->phase = PHASE_FAILED;
        exit_publish(m);
        m->start_lock = file_close(m->start_lock);
        if (c) {
                c->want_exit = false; /* the error says it */
                client_error(m, c, e);
        } else {
                err_free(e);
        }
        m->last_exit = (struct proto_exit){.code = m->status.exit_code, .flags = PROTO_EXIT_NEVER_STARTED};
        client_exit_all(m);
        exit_failed(m);
}
