/* life.c - start, stop, restart, kill, pause, unpause, wait, rm, rename. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"
#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/ui.h"
#include "engine/links.h"
#include "engine/start.h"
#include "engine/stop.h"
#include "monitor/protocol.h"

/* ---- start ---- */

struct start_args {
        bool attach, interactive, sig_proxy;
        const char *detach_keys;
};

static err *start_one(struct engine *e, const char *ref)
{
        _cleanup_container_ struct container *c = NULL;
        struct start_options o = {0};
        err *error;

        TRY(container_find(e, ref, &c));
        error = start_container(c, &o, NULL);
        return err_code(error) == ERR_NOT_MODIFIED ? err_free(error) : error;
}

static err *start_attached(struct engine *e, struct invocation *inv)
{
        const struct start_args *a = inv->args;
        _cleanup_container_ struct container *c = NULL;
        struct attach_options attach = {.sig_proxy = a->sig_proxy, .detach_keys = a->detach_keys, .clean_up = true};

        if (inv->n_operands > 1)
                return err_new(ERR_INVALID, "you cannot start and attach multiple containers at once");
        TRY(container_find(e, inv->operands[0], &c));
        attach.streams =
                PROTO_STREAM_OUT | PROTO_STREAM_ERR |
                (a->interactive && json_get_bool(container_config(c), "OpenStdin", false) ? PROTO_STREAM_IN : 0);
        return attach_start(c, &attach, &inv->status);
}

static err *start_run(struct invocation *inv)
{
        const struct start_args *a = inv->args;
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_str_ struct str failed = {0};

        TRY(ui_engine(inv, &e));
        if (a->attach || a->interactive)
                return start_attached(e, inv);
        for (char **o = inv->operands; *o; o++) {
                err *error = start_one(e, *o);

                if (!error) {
                        (void)printf("%s\n", *o);
                        (void)fflush(stdout);
                        continue;
                }
                ui_fail(error);
                str_printf(&failed, "%s%s", failed.len ? ", " : "", *o);
        }
        return failed.len ? err_new(ERR_CONFLICT, "failed to start containers: %s", str_text(&failed)) : NULL;
}

static const struct opt start_opts[] = {
        OPT_FLAG('a', "attach", struct start_args, attach, "Attach STDOUT/STDERR and forward signals"),
        OPT_STR(0, "detach-keys", struct start_args, detach_keys, "string",
                "Override the key sequence for detaching a container"),
        OPT_FLAG('i', "interactive", struct start_args, interactive, "Attach container's STDIN"),
        OPT_FLAG(0, "sig-proxy", struct start_args, sig_proxy, "Proxy received signals to the process", .def = "true"),
        OPT_END,
};

const struct command cmd_start = {
        .name = "start",
        .operands = "CONTAINER [CONTAINER...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Start one or more stopped containers",
        .opts = start_opts,
        .args_size = sizeof(struct start_args),
        .run = start_run,
        .complete = OPT_COMPLETE_STOPPED,
        .complete_rest = OPT_COMPLETE_STOPPED,
};

/* ---- stop, restart ---- */

struct stop_args {
        const char *signal;
        int64_t timeout;
};

#define STOP_OPTS                                                                                                      \
        OPT_STR('s', "signal", struct stop_args, signal, "string", "Signal to send to the container",                  \
                .complete = OPT_COMPLETE_SIGNAL),                                                                      \
                OPT_INT('t', "timeout", struct stop_args, timeout,                                                     \
                        "Seconds to wait before killing the container (-1 = forever)", .min = -1, .max = INT32_MAX,    \
                        .alias = "time")

/* The command line's timeout and signal as stop_container() takes them. */
static err *stop_how(const struct container *c, const struct invocation *inv, int *ret_signal, int *ret_timeout)
{
        const struct stop_args *a = inv->args;

        *ret_signal = 0;
        *ret_timeout = !opt_given(inv, &a->timeout) ? -1 : a->timeout < 0 ? -2 : (int)a->timeout;
        if (!str_empty(a->signal) && container_is_alive(c) && parse_signal(a->signal, ret_signal) < 0)
                return err_new(ERR_INVALID, "invalid signal: %s", a->signal);
        return NULL;
}

static err *stop_each(struct engine *e, const char *ref, const struct invocation *inv)
{
        _cleanup_container_ struct container *c = NULL;
        int signal, timeout;

        TRY(container_find(e, ref, &c));
        TRY(stop_how(c, inv, &signal, &timeout));
        return stop_container(c, signal, timeout);
}

static err *stop_run(struct invocation *inv)
{
        return ui_for_each(inv, stop_each);
}

static const struct opt stop_opts[] = {STOP_OPTS, OPT_END};

const struct command cmd_stop = {
        .name = "stop",
        .operands = "CONTAINER [CONTAINER...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Stop one or more running containers",
        .opts = stop_opts,
        .args_size = sizeof(struct stop_args),
        .run = stop_run,
        .complete = OPT_COMPLETE_RUNNING,
        .complete_rest = OPT_COMPLETE_RUNNING,
};

static err *restart_each(struct engine *e, const char *ref, const struct invocation *inv)
{
        _cleanup_container_ struct container *c = NULL;
        int signal, timeout;

        TRY(container_find(e, ref, &c));
        TRY(stop_how(c, inv, &signal, &timeout));
        return start_restart(c, signal, timeout);
}

static err *restart_run(struct invocation *inv)
{
        return ui_for_each(inv, restart_each);
}

static const struct opt restart_opts[] = {STOP_OPTS, OPT_END};

const struct command cmd_restart = {
        .name = "restart",
        .operands = "CONTAINER [CONTAINER...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Restart one or more containers",
        .opts = restart_opts,
        .args_size = sizeof(struct stop_args),
        .run = restart_run,
        .complete = OPT_COMPLETE_CONTAINER,
        .complete_rest = OPT_COMPLETE_CONTAINER,
};

/* ---- kill ---- */

struct kill_args {
        const char *signal;
};

static err *kill_it(struct engine *e, const char *ref, const struct kill_args *a)
{
        _cleanup_container_ struct container *c = NULL;
        int64_t number;
        int signal;

        TRY(container_find(e, ref, &c));
        if (parse_signal(a->signal, &signal) < 0) {
                if (parse_i64(a->signal, &number) && number > 0)
                        return err_new(ERR_INVALID, "the linux daemon does not support signal %s", a->signal);
                return err_new(ERR_INVALID, "invalid signal: %s", a->signal);
        }
        return stop_kill(c, signal);
}

static err *kill_each(struct engine *e, const char *ref, const struct invocation *inv)
{
        TRY_WRAP(kill_it(e, ref, inv->args), "cannot kill container: %s", ref);
        return NULL;
}

static err *kill_run(struct invocation *inv)
{
        return ui_for_each(inv, kill_each);
}

static const struct opt kill_opts[] = {
        OPT_STR('s', "signal", struct kill_args, signal, "string", "Signal to send to the container", .def = "KILL",
                .complete = OPT_COMPLETE_SIGNAL),
        OPT_END,
};

const struct command cmd_kill = {
        .name = "kill",
        .operands = "CONTAINER [CONTAINER...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Kill one or more running containers",
        .opts = kill_opts,
        .args_size = sizeof(struct kill_args),
        .run = kill_run,
        .complete = OPT_COMPLETE_RUNNING,
        .complete_rest = OPT_COMPLETE_RUNNING,
};

/* ---- pause, unpause ---- */

static err *pause_each(struct engine *e, const char *ref, const struct invocation *inv)
{
        _cleanup_container_ struct container *c = NULL;

        TRY(container_find(e, ref, &c));
        return stop_pause(c, inv->command == &cmd_pause);
}

static err *pause_run(struct invocation *inv)
{
        return ui_for_each(inv, pause_each);
}

const struct command cmd_pause = {
        .name = "pause",
        .operands = "CONTAINER [CONTAINER...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Pause all processes within one or more containers",
        .run = pause_run,
        .complete = OPT_COMPLETE_RUNNING,
        .complete_rest = OPT_COMPLETE_RUNNING,
};

const struct command cmd_unpause = {
        .name = "unpause",
        .operands = "CONTAINER [CONTAINER...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Unpause all processes within one or more containers",
        .run = pause_run,
        .complete = OPT_COMPLETE_RUNNING,
        .complete_rest = OPT_COMPLETE_RUNNING,
};

/* ---- wait ---- */

static err *wait_run(struct invocation *inv)
{
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        for (char **o = inv->operands; *o; o++) {
                _cleanup_container_ struct container *c = NULL;
                int code = 0;
                err *error = container_find(e, *o, &c);

                if (!error)
                        error = stop_wait(c, &code);
                if (error) {
                        ui_fail(error);
                        inv->status = 1;
                        continue;
                }
                (void)printf("%d\n", code);
                (void)fflush(stdout);
        }
        return NULL;
}

const struct command cmd_wait = {
        .name = "wait",
        .operands = "CONTAINER [CONTAINER...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Block until one or more containers stop, then print their exit codes",
        .run = wait_run,
        .complete = OPT_COMPLETE_RUNNING,
        .complete_rest = OPT_COMPLETE_RUNNING,
};

/* ---- rm, rename ---- */

struct rm_args {
        bool force, volumes, link;
};

static void rm_report(void *arg, const char *ref, err *error)
{
        struct invocation *inv = arg;
        const struct rm_args *a = inv->args;
        /* rm -f of what does not exist is said, but is what was wanted. */
        bool fine = a->force && err_code(error) == ERR_NOT_FOUND;

        if (error) {
                ui_fail(error);
                inv->status |= !fine;
                return;
        }
        (void)printf("%s\n", ref);
        (void)fflush(stdout);
}

static err *rm_run(struct invocation *inv)
{
        const struct rm_args *a = inv->args;
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        if (!a->link)
                stop_remove_each(e, inv->operands, a->force, a->volumes, rm_report, inv);
        for (char **o = inv->operands; a->link && *o; o++)
                rm_report(inv, *o, links_remove(e, *o));
        return NULL;
}

static const struct opt rm_opts[] = {
        OPT_FLAG('f', "force", struct rm_args, force, "Force the removal of a running container (uses SIGKILL)"),
        OPT_FLAG('l', "link", struct rm_args, link, "Remove the specified link"),
        OPT_FLAG('v', "volumes", struct rm_args, volumes, "Remove anonymous volumes associated with the container"),
        OPT_END,
};

const struct command cmd_rm = {
        .name = "rm",
        .operands = "CONTAINER [CONTAINER...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Remove one or more containers",
        .opts = rm_opts,
        .args_size = sizeof(struct rm_args),
        .run = rm_run,
        .complete = OPT_COMPLETE_CONTAINER,
        .complete_rest = OPT_COMPLETE_CONTAINER,
};

static err *rename_run(struct invocation *inv)
{
        _cleanup_container_ struct container *c = NULL;
        _cleanup_engine_ struct engine *e = NULL;

        if (str_empty(inv->operands[0]) || str_empty(inv->operands[1]))
                return err_new(ERR_INVALID, "Neither old nor new names may be empty");
        TRY(ui_engine(inv, &e));
        TRY(container_find(e, inv->operands[0], &c));
        return stop_rename(c, inv->operands[1]);
}

const struct command cmd_rename = {
        .name = "rename",
        .operands = "CONTAINER NEW_NAME",
        .min_operands = 2,
        .max_operands = 2,
        .summary = "Rename a container",
        .run = rename_run,
        .complete = OPT_COMPLETE_CONTAINER,
};
