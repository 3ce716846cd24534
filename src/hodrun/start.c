/* start.c - create, run, start. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "hodrun/bundle.h"
#include "hodrun/hodrun.h"
#include "hodrun/io.h"
#include "hodrun/rootless.h"
#include "runtime/ahead.h"
#include "runtime/hooks.h"
#include "sys/cgroup.h"
#include "sys/process.h"

struct launch_args {
        const char *bundle, *config, *console_socket, *pidfd_socket, *pid_file;
        bool no_pivot, no_new_keyring, detach, keep, no_subreaper;
        int64_t preserve_fds;
};

#define LAUNCH_OPTS                                                                                                    \
        OPT_STR('b', "bundle", struct launch_args, bundle, "string",                                                   \
                "path to the root of the bundle directory, defaults to the current directory",                         \
                .complete = OPT_COMPLETE_DIR),                                                                         \
                OPT_STR('f', "config", struct launch_args, config, "string",                                           \
                        "file to read in place of the bundle's config.json", .complete = OPT_COMPLETE_FILE),           \
                OPT_STR(0, "console-socket", struct launch_args, console_socket, "string",                             \
                        "path to an AF_UNIX socket which will receive the master end of the console's pseudoterminal", \
                        .complete = OPT_COMPLETE_FILE),                                                                \
                OPT_STR(0, "pidfd-socket", struct launch_args, pidfd_socket, "string",                                 \
                        "path to an AF_UNIX socket which will receive a file descriptor of the init process",          \
                        .complete = OPT_COMPLETE_FILE),                                                                \
                OPT_STR(0, "pid-file", struct launch_args, pid_file, "string",                                         \
                        "specify the file to write the process id to", .complete = OPT_COMPLETE_FILE),                 \
                OPT_FLAG(0, "no-pivot", struct launch_args, no_pivot,                                                  \
                         "do not use pivot root to jail process inside rootfs"),                                       \
                OPT_FLAG(0, "no-new-keyring", struct launch_args, no_new_keyring,                                      \
                         "do not create a new session keyring for the container"),                                     \
                OPT_INT(0, "preserve-fds", struct launch_args, preserve_fds,                                           \
                        "pass N additional file descriptors to the container (stdio + N in total)", .max = 1000)

/* ---- create ---- */

static err *make_fifo(struct state *s, int *ret)
{
        if (mkfifoat(s->dirfd, STATE_FIFO, 0622) < 0)
                return err_sys(errno, "making %s", STATE_FIFO);
        /* The container's init may have lost the privilege to write when it opens it. */
        if (fchmodat(s->dirfd, STATE_FIFO, 0622, 0) < 0)
                return err_sys(errno, "chmod %s", STATE_FIFO);
        *ret = openat(s->dirfd, STATE_FIFO, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        return *ret < 0 ? err_sys(errno, "opening %s", STATE_FIFO) : NULL;
}

/* What launch() has ready before there is a state. */
struct prelude {
        struct bundle bundle;
        struct ahead ahead;
        char *seccomp_cache;
};

static void prelude_done(struct prelude *p)
{
        ahead_done(&p->ahead);
        bundle_done(&p->bundle);
        free(p->seccomp_cache);
}

static err *start_process(struct invocation *inv, struct state *s, struct prelude *pre, bool split,
                          struct runtime_process *ret)
{
        const struct launch_args *a = inv->args;
        struct bundle *b = &pre->bundle;
        _cleanup_close_ int fifo = -1;
        struct runtime_request r = {.id = s->id,
                                    .spec = b->spec,
                                    .bundle_fd = b->fd,
                                    .rootfs_fd = -1,
                                    .stdio = {0, 1, 2},
                                    .fix_stdio_owner = true,
                                    .runc_words = true,
                                    .relayed = str_empty(a->console_socket),
                                    .preserve_fds = (int)a->preserve_fds,
                                    .no_pivot = a->no_pivot,
                                    .no_new_keyring = a->no_new_keyring,
                                    .ahead = &pre->ahead,
                                    .seccomp_cache = pre->seccomp_cache,
                                    .seccomp_known = &b->seccomp,
                                    .cgroup_path = s->cgroup,
                                    .no_cgroup = b->no_cgroup,
                                    .unit = s->unit.name ? &s->unit : NULL};

        TRY(rootless_cgroups(((const struct global_args *)inv->global.args)->rootless, &r.rootless_cgroups));
        if (split)
                TRY(make_fifo(s, &fifo));
        r.start_fd = fifo;
        return runtime_create(&r, ret);
}

/* It may have become another one, or none, for want of permission. */
static err *know_cgroup(struct state *s, const struct runtime_process *p)
{
        if (str_eq(p->cgroup, s->cgroup))
                return NULL;
        free(s->cgroup);
        s->cgroup = str_dup(p->cgroup ? p->cgroup : "");
        return s->cgroup ? NULL : err_nomem();
}

/* What the caller wants to be told about the new process. */
static err *announce(const struct launch_args *a, struct state *s, const struct oci_spec *spec,
                     const struct runtime_process *p)
{
        const char *receiver = oci_spec_annotation(spec, "run.oci.pidfd_receiver"); /* crun's --pidfd-socket */

        TRY(know_cgroup(s, p));
        TRY(state_set_process(s, p->pid));
        TRY(hodrun_pid_file(a->pid_file, p->pid));
        if (!str_empty(a->console_socket) && p->terminal_fd >= 0)
                TRY(io_send_fd(a->console_socket, "/dev/pts/ptmx", p->terminal_fd));
        if (!str_empty(a->pidfd_socket))
                TRY(io_send_fd(a->pidfd_socket, s->id, p->pidfd));
        return str_empty(receiver) ? NULL : io_send_fd(receiver, s->id, p->pidfd);
}

static err *launch(struct invocation *inv, bool split, struct state **ret_state, struct runtime_process *ret)
{
        const struct launch_args *a = inv->args;
        _cleanup_(prelude_done) struct prelude pre = {.bundle.fd = -1};
        _cleanup_state_ struct state *s = NULL;
        _cleanup_(runtime_process_done) struct runtime_process p = {.pidfd = -1, .terminal_fd = -1};
        struct bundle *b = &pre.bundle;
        struct trace_span span;
        err *e;

        TRY(state_check_id(inv->operands[0]));
        TRY(hodrun_seccomp_cache(inv, &pre.seccomp_cache));
        TRY(bundle_open(a->bundle, a->config, pre.seccomp_cache, b));
        TRY(bundle_check_terminal(b->spec, a->console_socket, split || a->detach));
        ahead_begin(&pre.ahead, b->spec);
        b->no_cgroup = hodrun_no_cgroup(inv);
        span = trace_begin(TRACE_STATE_MAKE);
        TRY(state_create(hodrun_root(inv), inv->operands[0], &s));
        e = bundle_remember(b, hodrun_systemd(inv), s);
        trace_end(&span, err_errno(e), s->id);
        if (!e)
                e = start_process(inv, s, &pre, split, &p);
        if (e) {
                err_free(state_remove(s)); /* the runtime has undone the rest */
                return e;
        }
        span = trace_begin(TRACE_STATE_PROCESS);
        e = announce(a, s, b->spec, &p);
        trace_end(&span, err_errno(e), s->id);
        if (e) {
                (void)process_signal(p.pidfd, SIGKILL);
                err_free(state_destroy(s));
                return e;
        }
        s->spec = TAKE_PTR(b->spec);
        *ret_state = TAKE_PTR(s);
        *ret = p;
        p = (struct runtime_process){.pidfd = -1, .terminal_fd = -1};
        return NULL;
}

static err *create_run(struct invocation *inv)
{
        _cleanup_(runtime_process_done) struct runtime_process p = {.pidfd = -1, .terminal_fd = -1};
        _cleanup_state_ struct state *s = NULL;

        return launch(inv, true, &s, &p);
}

/* ---- run ---- */

/* What the program was for is done: whatever is wrong now is said, but the status is the program's. */
static void end_of_run(struct state *s)
{
        char why[1024];
        err *e = state_lock(s);

        if (!e)
                e = state_destroy(s);
        if (e && err_code(e) != ERR_NOT_FOUND) /* else `delete --force` was faster */
                hodrun_warn("unable to destroy container: %s", err_text(e, why, sizeof(why)));
        err_free(e);
}

/* @end: of what comes behind the last step. */
static err *run_container(struct invocation *inv, struct trace_span *end)
{
        const struct launch_args *a = inv->args;
        _cleanup_(runtime_process_done) struct runtime_process p = {.pidfd = -1, .terminal_fd = -1};
        _cleanup_state_ struct state *s = NULL;
        struct trace_span span;

        if (!a->detach) {
                if (!a->no_subreaper)
                        (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
                TRY(io_block_signals());
        }
        TRY(launch(inv, false, &s, &p));
        if (a->detach)
                return NULL;
        span = trace_begin(TRACE_RUNNING);
        state_unlock(s);
        TRY(io_foreground(&p, &inv->status));
        trace_end(&span, 0, s->id);
        if (!a->keep)
                end_of_run(s);
        *end = trace_begin(TRACE_END);
        return NULL;
}

static err *run_run(struct invocation *inv)
{
        struct trace_span end = {0, TRACE_END};
        err *e = run_container(inv, &end);

        if (end.start)
                trace_end(&end, 0, NULL);
        return e;
}

/* ---- start ---- */

/* Let the container's init go on: it waits until somebody reads its FIFO, and says "0" through it, or
 * what is wrong. */
static err *open_gate(struct state *s)
{
        _cleanup_close_ int pidfd = state_pidfd(s); /* first: behind the gate it may end at once */
        _cleanup_close_ int fifo = -1;
        char answer[4096];
        ssize_t n;

        if (pidfd < 0)
                return err_new(ERR_CONFLICT, "cannot start a container that has stopped");
        /* From here on its name does not say any more that the container waits; see state_status(). */
        if (renameat(s->dirfd, STATE_FIFO, s->dirfd, STATE_FIFO_STARTING) < 0 && errno != ENOENT)
                return err_sys(errno, "renaming %s", STATE_FIFO);
        fifo = openat(s->dirfd, STATE_FIFO_STARTING, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        if (fifo < 0)
                return err_sys(errno, "opening %s", STATE_FIFO);
        struct pollfd f[] = {{fifo, POLLIN, 0}, {pidfd, POLLIN, 0}};
        while (poll(f, ARRAY_SIZE(f), -1) < 0)
                if (errno != EINTR)
                        return err_sys(errno, "poll");
        n = read(fifo, answer, sizeof(answer) - 1);
        if (n <= 0)
                return err_new(ERR_CONFLICT, "cannot start an already running container");
        answer[n] = '\0';
        if (!str_eq(answer, "0")) /* a startContainer hook failed */
                return err_new(ERR_SYS, "%s", answer);
        if (unlinkat(s->dirfd, STATE_FIFO_STARTING, 0) < 0)
                return err_sys(errno, "removing %s", STATE_FIFO);
        return NULL;
}

static err *start_run(struct invocation *inv)
{
        _cleanup_state_ struct state *s = NULL;
        err *e;

        TRY(state_open(hodrun_root(inv), inv->operands[0], true, &s));
        switch (state_status(s)) {
        case STATE_CREATED:
                break;
        case STATE_STOPPED:
                return err_new(ERR_CONFLICT, "cannot start a container that has stopped");
        case STATE_RUNNING:
                return err_new(ERR_CONFLICT, "cannot start an already running container");
        default:
                return err_new(ERR_CONFLICT, "cannot start a container in the %s state",
                               state_status_name(state_status(s)));
        }
        TRY(state_load_spec(s)); /* or nothing runs: an error must not leave it running */
        TRY(open_gate(s));
        e = hooks_run(s->spec, OCI_HOOK_POSTSTART, s->id, s->bundle, "running", s->pid);
        if (e) {
                _cleanup_close_ int pidfd = state_pidfd(s);

                if (pidfd >= 0)
                        (void)process_signal(pidfd, SIGKILL);
        }
        return e;
}

/* ---- table ---- */

static const struct opt create_opts[] = {LAUNCH_OPTS, OPT_END};

static const struct opt run_opts[] = {
        LAUNCH_OPTS, OPT_FLAG('d', "detach", struct launch_args, detach, "detach from the container's process"),
        OPT_FLAG(0, "keep", struct launch_args, keep, "do not delete the container after it exits"),
        OPT_FLAG(0, "no-subreaper", struct launch_args, no_subreaper,
                 "disable the use of the subreaper used to reap reparented processes"),
        OPT_END};

const struct command cmd_create = {
        .name = "create",
        .operands = "<container-id>",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Create a container",
        .opts = create_opts,
        .args_size = sizeof(struct launch_args),
        .run = create_run,
};
const struct command cmd_run = {
        .name = "run",
        .operands = "<container-id>",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Create and run a container",
        .opts = run_opts,
        .args_size = sizeof(struct launch_args),
        .run = run_run,
};
const struct command cmd_start = {
        .name = "start",
        .operands = "<container-id>",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Execute the user defined process in a created container",
        .run = start_run,
};
