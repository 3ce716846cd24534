/* attach.c - see attach.h. */
#include "cli/attach.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/stream.h"
#include "cli/ui.h"
#include "engine/cleanup.h"
#include "engine/start.h"
#include "monitor/proto.h"

static bool has_tty(const struct container *c)
{
        return json_get_bool(container_config(c), "Tty", false);
}

static err *check_terminal(const struct container *c, unsigned streams)
{
        if (streams & PROTO_STREAM_IN && has_tty(c) && !isatty(STDIN_FILENO))
                return err_new(ERR_INVALID, "the input device is not a TTY");
        return NULL;
}

/* Relay over the connection @fd. */
static err *relay(struct container *c, const struct attach_options *o, int fd, int *ret_status)
{
        struct stream s = {
                .monitor = fd,
                .packets = true,
                .in = -1,
                .out = -1,
                .errors = -1,
                .tty = has_tty(c),
                .stdin_wanted = o->streams & PROTO_STREAM_IN,
                .input_only = o->streams == PROTO_STREAM_IN,
                .sig_proxy = o->sig_proxy,
                .trace = o->trace > 0 ? o->trace : -1,
        };
        struct proto_exit exit;
        enum stream_end end;

        TRY(detach_keys_parse(o->detach_keys, &s.keys));
        TRY(stream_relay(&s, &end, &exit));
        switch (end) {
        case STREAM_EXITED:
                *ret_status = s.input_only ? 0 : exit.code; /* as docker: then nobody waits for the end */
                if (!o->clean_up)
                        return NULL;
                TRY(cleanup_container(c));
                cleanup_tell(fd);
                return NULL;
        case STREAM_DETACHED:
                if (o->clean_up) /* run and start -a: leaving is fine */
                        return NULL;
                (void)fflush(stdout);
                (void)fprintf(stderr, "read escape sequence\n");
                *ret_status = 1;
                return NULL;
        case STREAM_FORCED:
                *ret_status = 1;
                return NULL;
        case STREAM_BROKEN:
                *ret_status = STREAM_BROKEN_STATUS;
                return NULL;
        case STREAM_LOST:
                break;
        }
        TRY(container_refresh(c));
        return err_new(ERR_INTERNAL, "lost the connection to the monitor of container %s, which is %s", c->name,
                       status_state_name(c->state));
}

static err *attach_running(struct container *c, const struct attach_options *o, int *ret_status)
{
        struct proto_attach packet = {.streams = o->streams};
        _cleanup_close_ int fd = -1;

        TRY(container_connect(c, &fd));
        if (has_tty(c))
                terminal_size(STDIN_FILENO, &packet.rows, &packet.cols);
        TRY(proto_send(fd, PROTO_ATTACH, &packet, sizeof(packet), NULL, 0));
        TRY(proto_wait_attached(fd));
        stream_signals(o->sig_proxy); /* until now they end us */
        TRY(proto_send(fd, PROTO_WAIT, NULL, 0, NULL, 0));
        return relay(c, o, fd, ret_status);
}

err *attach_start(struct container *c, const struct attach_options *o, int *ret_status)
{
        struct start_options start = {.streams = o->streams, .stay = true, .fresh = o->fresh};
        _cleanup_close_ int fd = -1;
        struct detach_keys keys;
        err *e;

        TRY(detach_keys_parse(o->detach_keys, &keys)); /* before anything runs */
        TRY(check_terminal(c, o->streams));
        stream_signals(o->sig_proxy);
        if (has_tty(c))
                terminal_size(STDIN_FILENO, &start.rows, &start.cols);
        e = start_container(c, &start, &fd);
        if (err_code(e) == ERR_NOT_MODIFIED && !o->fresh) { /* it runs: look at it, as docker does */
                struct attach_options watch = *o;

                err_free(e);
                watch.clean_up = false;
                TRY(container_refresh(c));
                return attach_running(c, &watch, ret_status);
        }
        TRY(e);
        return relay(c, o, fd, ret_status);
}

/* ---- attach ---- */

struct attach_args {
        const char *detach_keys;
        bool no_stdin, sig_proxy;
};

static err *attach_run(struct invocation *inv)
{
        const struct attach_args *a = inv->args;
        struct attach_options o = {.sig_proxy = a->sig_proxy, .detach_keys = a->detach_keys};
        _cleanup_container_ struct container *c = NULL;
        _cleanup_engine_ struct engine *e = NULL;
        struct detach_keys keys;

        TRY(ui_engine(inv, &e));
        TRY(container_find(e, inv->operands[0], &c));
        if (c->state == STATUS_PAUSED)
                return err_new(ERR_CONFLICT, "You cannot attach to a paused container, unpause it first");
        if (c->state == STATUS_RESTARTING)
                return err_new(ERR_CONFLICT, "You cannot attach to a restarting container, wait until it is running");
        if (!container_is_running(c))
                return err_new(ERR_NOT_RUNNING, "You cannot attach to a stopped container, start it first");
        o.streams = PROTO_STREAM_OUT | PROTO_STREAM_ERR;
        if (!a->no_stdin && json_get_bool(container_config(c), "OpenStdin", false))
                o.streams |= PROTO_STREAM_IN;
        TRY(check_terminal(c, o.streams));
        TRY(detach_keys_parse(o.detach_keys, &keys));
        return attach_running(c, &o, &inv->status);
}

static const struct opt attach_opts[] = {
        OPT_STR(0, "detach-keys", struct attach_args, detach_keys, "string",
                "Override the key sequence for detaching a container"),
        OPT_FLAG(0, "no-stdin", struct attach_args, no_stdin, "Do not attach STDIN"),
        OPT_FLAG(0, "sig-proxy", struct attach_args, sig_proxy, "Proxy all received signals to the process",
                 .def = "true"),
        OPT_END,
};

const struct command cmd_attach = {
        .name = "attach",
        .operands = "CONTAINER",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Attach local standard input, output, and error streams to a running container",
        .opts = attach_opts,
        .args_size = sizeof(struct attach_args),
        .run = attach_run,
        .complete = OPT_COMPLETE_RUNNING,
};
