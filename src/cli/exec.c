/* exec.c - `hod exec`. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/explain.h"
#include "cli/stream.h"
#include "cli/ui.h"
#include "engine/exec.h"

struct exec_args {
        bool detach, interactive, tty, privileged, explain;
        const char *detach_keys, *user, *workdir;
        char **env, **env_files;
};

/* Three pipes; [0] of each is the reading end. */
struct pipes {
        int in[2], out[2], errors[2];
};

static void pipes_done(struct pipes *p)
{
        for (int i = 0; i < 2; i++) {
                (void)file_close(p->in[i]);
                (void)file_close(p->out[i]);
                (void)file_close(p->errors[i]);
        }
}

static err *make_pipes(struct pipes *p, bool interactive)
{
        int r = file_pipe(p->out);

        if (r == 0)
                r = file_pipe(p->errors);
        if (r == 0 && interactive)
                r = file_pipe(p->in);
        if (r == 0 && !interactive) {
                p->in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
                r = p->in[0] < 0 ? -errno : 0;
        }
        return r < 0 ? err_sys(r, "making the session's pipes") : NULL;
}

static err *follow(const struct exec_args *a, struct exec_session *session, struct pipes *p,
                   const struct detach_keys *keys, int trace, int *ret_status)
{
        struct stream s = {
                .monitor = session->fd,
                .in = a->tty ? session->terminal : TAKE_FD(p->in[1]),
                .out = a->tty ? session->terminal : p->out[0],
                .errors = a->tty ? -1 : p->errors[0],
                .tty = a->tty,
                .stdin_wanted = a->interactive,
                .sig_proxy = false,
                .keys = *keys,
                .trace = trace,
        };
        struct proto_exit exit;
        enum stream_end end;

        TRY(stream_relay(&s, &end, &exit));
        if (end == STREAM_DETACHED)
                (void)fprintf(stderr, "read escape sequence\n");
        *ret_status = end == STREAM_EXITED   ? exit.code
                      : end == STREAM_LOST   ? 137
                      : end == STREAM_BROKEN ? STREAM_BROKEN_STATUS
                                             : 1;
        return NULL;
}

static err *exec_run(struct invocation *inv)
{
        const struct exec_args *a = inv->args;
        struct exec_options o = {
                .argv = inv->operands + 1,
                .cwd = a->workdir,
                .user = a->user,
                .tty = a->tty,
                .privileged = a->privileged,
                .detach = a->detach,
        };
        _cleanup_(pipes_done) struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
        struct exec_session session = {.fd = -1, .terminal = -1};
        _cleanup_close_ int fd = -1, terminal = -1, trace = -1;
        _cleanup_container_ struct container *c = NULL;
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_strv_ char **env = NULL;
        struct detach_keys keys;
        err *error = NULL;

        if (a->interactive && a->tty && !a->detach && !isatty(STDIN_FILENO))
                return err_new(ERR_CONFLICT, "the input device is not a TTY");
        TRY(detach_keys_parse(a->detach_keys, &keys));
        TRY(ui_env(a->env_files, a->env, &env));
        o.env = env;
        if (a->explain)
                TRY(explain_start(&trace));
        TRY(ui_engine(inv, &e));
        TRY(container_find_monitor(e, inv->operands[0], &c));
        if (a->tty)
                terminal_size(STDIN_FILENO, &o.rows, &o.cols);
        if (!a->tty && !a->detach)
                TRY(make_pipes(&pipes, a->interactive));
        o.stdio[0] = pipes.in[0];
        o.stdio[1] = pipes.out[1];
        o.stdio[2] = pipes.errors[1];
        if (!a->detach)
                stream_signals(false);
        error = exec_start(c, &o, &session);
        if (error && a->detach && (err_code(error) == ERR_EXEC_NOT_FOUND || err_code(error) == ERR_EXEC_DENIED)) {
                ui_fail(error); /* docker: nobody waits for the program's status, so that 1 says it all */
                inv->status = 1;
                return NULL;
        }
        TRY(error);
        fd = session.fd;
        terminal = session.terminal;
        pipes.in[0] = file_close(pipes.in[0]);
        pipes.out[1] = file_close(pipes.out[1]);
        pipes.errors[1] = file_close(pipes.errors[1]);
        if (!a->detach)
                error = follow(a, &session, &pipes, &keys, trace, &inv->status);
        explain_end(trace);
        return error;
}

static const struct opt exec_opts[] = {
        OPT_FLAG('d', "detach", struct exec_args, detach, "Detached mode: run command in the background"),
        OPT_STR(0, "detach-keys", struct exec_args, detach_keys, "string",
                "Override the key sequence for detaching a container"),
        OPT_LIST('e', "env", struct exec_args, env, "list", "Set environment variables", .check = parse_check_env,
                 .complete = OPT_COMPLETE_ENV),
        OPT_LIST(0, "env-file", struct exec_args, env_files, "list", "Read in a file of environment variables",
                 .complete = OPT_COMPLETE_FILE),
        OPT_FLAG(0, "explain", struct exec_args, explain,
                 "Show each step as it happens: what it does, by which call, and how to do it by hand"),
        OPT_FLAG('i', "interactive", struct exec_args, interactive, "Keep STDIN open even if not attached"),
        OPT_FLAG(0, "privileged", struct exec_args, privileged, "Give extended privileges to the command"),
        OPT_FLAG('t', "tty", struct exec_args, tty, "Allocate a pseudo-TTY"),
        OPT_STR('u', "user", struct exec_args, user, "string",
                "Username or UID (format: \"<name|uid>[:<group|gid>]\")"),
        OPT_STR('w', "workdir", struct exec_args, workdir, "string", "Working directory inside the container"),
        OPT_END,
};

const struct command cmd_exec = {
        .name = "exec",
        .operands = "CONTAINER COMMAND [ARG...]",
        .min_operands = 2,
        .max_operands = OPERANDS_ANY,
        .summary = "Execute a command in a running container",
        .opts = exec_opts,
        .args_size = sizeof(struct exec_args),
        .run = exec_run,
        .stop_at_operand = true,
        .complete = OPT_COMPLETE_RUNNING,
};
