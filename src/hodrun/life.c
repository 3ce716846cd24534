/* life.c - kill, delete, pause, resume. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "hodrun/hodrun.h"
#include "sys/process.h"

/* ---- kill ---- */

struct kill_args {
        bool all;
};

static const struct opt kill_opts[] = {
        OPT_FLAG('a', "all", struct kill_args, all, "send the specified signal to all processes inside the container"),
        OPT_END};

static err *kill_all(const struct state *s, int signal)
{
        return str_empty(s->cgroup) ? NULL : runtime_cgroup_kill(s->cgroup, signal);
}

static err *kill_run(struct invocation *inv)
{
        const struct kill_args *a = inv->args;
        const char *name = inv->n_operands > 1 ? inv->operands[1] : "SIGTERM";
        _cleanup_state_ struct state *s = NULL;
        _cleanup_close_ int pidfd = -1;
        int signal, r;

        TRY(state_open(hodrun_root(inv), inv->operands[0], false, &s));
        if (str_eq(name, "0"))
                signal = 0;
        else if (parse_signal(name, &signal) < 0)
                return err_new(ERR_INVALID, "unknown signal \"%s\"", name);
        if (a->all)
                return kill_all(s, signal);
        pidfd = state_pidfd(s);
        if (pidfd < 0)
                return err_new(ERR_NOT_RUNNING, "container not running");
        TRY(state_load_spec(s));
        /* With a PID namespace of its own the end of init ends everything; without, the rest would stay. */
        if (signal == SIGKILL && !s->spec->linux_.ns[OCI_NS_PID].present)
                return kill_all(s, signal);
        r = process_signal(pidfd, signal);
        if (r < 0)
                return r == -ESRCH ? err_new(ERR_NOT_RUNNING, "container not running")
                                   : err_sys(-r, "unable to signal init");
        return NULL;
}

/* ---- delete ---- */

struct delete_args {
        bool force;
};

static const struct opt delete_opts[] = {
        OPT_FLAG('f', "force", struct delete_args, force,
                 "forcibly deletes the container if it is still running (uses SIGKILL)"),
        OPT_END};

static err *delete_run(struct invocation *inv)
{
        const struct delete_args *a = inv->args;
        _cleanup_state_ struct state *s = NULL;
        enum state_status status;
        err *e = state_open(hodrun_root(inv), inv->operands[0], true, &s);

        if (e)
                return a->force && err_code(e) == ERR_NOT_FOUND ? err_free(e) : e;
        status = state_status(s);
        if (!a->force && status != STATE_STOPPED && status != STATE_CREATED)
                return err_new(ERR_CONFLICT, "cannot delete container %s that is not stopped: %s", s->id,
                               state_status_name(status));
        return state_destroy(s);
}

/* ---- pause, resume ---- */

static err *pause_run(struct invocation *inv)
{
        _cleanup_state_ struct state *s = NULL;
        enum state_status status;

        TRY(state_open(hodrun_root(inv), inv->operands[0], true, &s));
        status = state_status(s);
        if (status != STATE_RUNNING && status != STATE_CREATED)
                return err_new(ERR_NOT_RUNNING, "container not running");
        return runtime_cgroup_freeze(s->cgroup, true);
}

static err *resume_run(struct invocation *inv)
{
        _cleanup_state_ struct state *s = NULL;

        TRY(state_open(hodrun_root(inv), inv->operands[0], true, &s));
        if (state_status(s) != STATE_PAUSED)
                return err_new(ERR_CONFLICT, "container not paused");
        return runtime_cgroup_freeze(s->cgroup, false);
}

const struct command cmd_kill = {
        .name = "kill",
        .operands = "<container-id> [signal]",
        .min_operands = 1,
        .max_operands = 2,
        .summary = "Send the specified signal (default: SIGTERM) to the container's init process",
        .opts = kill_opts,
        .args_size = sizeof(struct kill_args),
        .run = kill_run,
};
const struct command cmd_delete = {
        .name = "delete",
        .operands = "<container-id>",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Delete any resources held by the container",
        .opts = delete_opts,
        .args_size = sizeof(struct delete_args),
        .run = delete_run,
};
const struct command cmd_pause = {
        .name = "pause",
        .operands = "<container-id>",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Suspend all processes inside the container",
        .run = pause_run,
};
const struct command cmd_resume = {
        .name = "resume",
        .operands = "<container-id>",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Resume all processes that have been previously paused",
        .run = resume_run,
};
