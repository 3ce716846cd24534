/* run.c - `hod run` and `hod create`. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/trace.h"
#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/create_args.h"
#include "cli/explain.h"
#include "cli/pull_policy.h"
#include "cli/terminal.h"
#include "cli/ui.h"
#include "engine/create.h"
#include "engine/start.h"
#include "monitor/protocol.h"

struct run_args {
        struct create_args create; /* first: CREATE_OPTS has offsets into it */
        bool detach, sig_proxy, explain;
        const char *detach_keys;
};

/* Before anything else is made; it is filled when the id is known. */
static err *make_cidfile(const char *path, int *ret)
{
        if (!path)
                return NULL;
        *ret = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (*ret < 0 && errno == EEXIST)
                return err_new(ERR_CONFLICT,
                               "container ID file found, make sure the other container isn't running or delete %s",
                               path);
        return *ret < 0 ? err_sys(errno, "failed to create the container ID file %s", path) : NULL;
}

static err *make(struct invocation *inv, struct engine *e, bool start_follows, json *body, struct container **ret)
{
        const struct create_args *a = inv->args; /* or begins with one */
        struct create_options o = {
                .name = a->name,
                .body = body,
                .start_follows = start_follows,
                .volatile_ = a->rm,
                .platform = a->platform,
        };
        _cleanup_strv_ char **warnings = NULL;
        _cleanup_close_ int cidfile = -1;
        err *error;
        int r;

        TRY(make_cidfile(a->cidfile, &cidfile));
        error = pull_policy_create(inv, e, &o, ret, &warnings);
        if (error && cidfile >= 0)
                (void)unlink(a->cidfile);
        TRY(error);
        ui_warnings(warnings);
        r = cidfile >= 0 ? file_write_all(cidfile, (*ret)->id, strlen((*ret)->id)) : 0;
        return r < 0 ? err_sys(r, "writing %s", a->cidfile) : NULL;
}

static unsigned wanted_streams(const struct run_args *a)
{
        if (a->detach)
                return 0;
        if (!a->create.attach)
                return PROTO_STREAM_OUT | PROTO_STREAM_ERR | (a->create.interactive ? PROTO_STREAM_IN : 0);
        return (create_args_attaches(&a->create, "stdin") ? PROTO_STREAM_IN : 0) |
               (create_args_attaches(&a->create, "stdout") ? PROTO_STREAM_OUT : 0) |
               (create_args_attaches(&a->create, "stderr") ? PROTO_STREAM_ERR : 0);
}

static err *check_attach(const struct run_args *a)
{
        if (a->detach && a->create.attach)
                return err_new(ERR_CALLER, "conflicting options: cannot specify both --attach and --detach");
        if (!a->detach && a->create.interactive && a->create.tty && !isatty(STDIN_FILENO))
                return err_new(ERR_CALLER, "the input device is not a TTY");
        return NULL;
}

static void forget_attach(json *body)
{
        json_set_bool(body, "AttachStdin", false);
        json_set_bool(body, "AttachStdout", false);
        json_set_bool(body, "AttachStderr", false);
}

static err *run_run(struct invocation *inv)
{
        const struct run_args *a = inv->args;
        struct attach_options attach = {.streams = wanted_streams(a),
                                        .sig_proxy = a->sig_proxy,
                                        .clean_up = true,
                                        .fresh = true,
                                        .detach_keys = a->detach_keys};
        struct start_options detached = {.fresh = true};
        _cleanup_container_ struct container *c = NULL;
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_close_ int trace = -1;
        _cleanup_json_ json *body = NULL;
        struct detach_keys keys;
        err *error;

        TRY(check_attach(a));
        TRY(detach_keys_parse(a->detach_keys, &keys));
        if (a->explain)
                TRY(explain_start(&trace));
        TRY(create_args_body(inv, &body));
        json_set_bool(body, "StdinOnce", a->create.interactive && attach.streams & PROTO_STREAM_IN);
        if (a->detach)
                forget_attach(body);
        TRY(ui_engine(inv, &e));
        TRY(make(inv, e, true, body, &c));
        attach.trace = trace;
        if (!(attach.streams & (PROTO_STREAM_OUT | PROTO_STREAM_ERR))) /* -d, or -a stdin alone */
                (void)printf("%s\n", c->id);
        (void)fflush(stdout);
        error = a->detach ? start_container(c, &detached, NULL) : attach_start(c, &attach, &inv->status);
        explain_end(trace);
        return error;
}

static const struct opt run_opts[] = {
        CREATE_OPTS,
        OPT_FLAG('d', "detach", struct run_args, detach, "Run container in background and print container ID"),
        OPT_STR(0, "detach-keys", struct run_args, detach_keys, "string",
                "Override the key sequence for detaching a container"),
        OPT_FLAG(0, "explain", struct run_args, explain,
                 "Show each step as it happens: what it isolates, by which call, and how to do it by hand"),
        OPT_FLAG(0, "sig-proxy", struct run_args, sig_proxy, "Proxy received signals to the process", .def = "true"),
        OPT_END,
};

const struct command cmd_run = {
        .name = "run",
        .operands = "IMAGE [COMMAND] [ARG...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Create and run a new container from an image",
        .opts = run_opts,
        .args_size = sizeof(struct run_args),
        .run = run_run,
        .stop_at_operand = true,
        .run_like = true,
        .complete = OPT_COMPLETE_IMAGE,
};

static err *create_run(struct invocation *inv)
{
        const struct create_args *a = inv->args;
        _cleanup_container_ struct container *c = NULL;
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_json_ json *body = NULL;

        TRY(create_args_body(inv, &body));
        json_set_bool(body, "StdinOnce", a->interactive && json_get_bool(body, "AttachStdin", false));
        TRY(ui_engine(inv, &e));
        TRY(make(inv, e, false, body, &c));
        (void)printf("%s\n", c->id);
        return NULL;
}

static const struct opt create_opts[] = {CREATE_OPTS, OPT_END};

const struct command cmd_create = {
        .name = "create",
        .operands = "IMAGE [COMMAND] [ARG...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Create a new container",
        .opts = create_opts,
        .args_size = sizeof(struct create_args),
        .run = create_run,
        .stop_at_operand = true,
        .complete = OPT_COMPLETE_IMAGE,
};
