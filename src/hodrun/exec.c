/* exec.c - exec: one more process in a container. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/file.h"
#include "hodrun/hodrun.h"
#include "hodrun/io.h"
#include "sys/process.h"

struct exec_args {
        const char *console_socket, *pidfd_socket, *cwd, *user, *process, *pid_file, *label, *apparmor;
        bool tty, detach, no_new_privs, ignore_paused;
        char **env, **groups, **caps, **cgroups;
        int64_t preserve_fds;
};

static const struct opt exec_opts[] = {
        OPT_STR(0, "console-socket", struct exec_args, console_socket, "string",
                "path to an AF_UNIX socket which will receive the master end of the console's pseudoterminal",
                .complete = OPT_COMPLETE_FILE),
        OPT_STR(0, "pidfd-socket", struct exec_args, pidfd_socket, "string",
                "path to an AF_UNIX socket which will receive a file descriptor of the new process",
                .complete = OPT_COMPLETE_FILE),
        OPT_STR(0, "cwd", struct exec_args, cwd, "string", "current working directory in the container"),
        OPT_LIST('e', "env", struct exec_args, env, "string", "set environment variables"),
        OPT_FLAG('t', "tty", struct exec_args, tty, "allocate a pseudo-TTY"),
        OPT_STR('u', "user", struct exec_args, user, "string", "UID (format: <uid>[:<gid>])"),
        OPT_LIST('g', "additional-gids", struct exec_args, groups, "int", "additional gids"),
        OPT_STR('p', "process", struct exec_args, process, "string", "path to the process.json",
                .complete = OPT_COMPLETE_FILE),
        OPT_FLAG('d', "detach", struct exec_args, detach, "detach from the container's process"),
        OPT_STR(0, "pid-file", struct exec_args, pid_file, "string", "specify the file to write the process id to",
                .complete = OPT_COMPLETE_FILE),
        OPT_STR(0, "process-label", struct exec_args, label, "string", "set the label of the process"),
        OPT_STR(0, "apparmor", struct exec_args, apparmor, "string", "set the apparmor profile for the process"),
        OPT_FLAG(0, "no-new-privs", struct exec_args, no_new_privs, "set the no new privileges value for the process"),
        OPT_LIST('c', "cap", struct exec_args, caps, "string", "add a capability to the bounding set for the process",
                 .complete = OPT_COMPLETE_CAPABILITY),
        OPT_INT(0, "preserve-fds", struct exec_args, preserve_fds,
                "pass N additional file descriptors to the container (stdio + N in total)", .max = 1000),
        OPT_LIST(0, "cgroup", struct exec_args, cgroups, "string",
                 "run the process in an (existing) sub-cgroup(s). Format is [<controller>:]<cgroup>"),
        OPT_FLAG(0, "ignore-paused", struct exec_args, ignore_paused, "allow exec in a paused container"),
        OPT_END};

/* ---- the process: the container's own, changed by flags ---- */

/* What the changed process points to besides the spec. */
struct session {
        struct oci_process process, *from_file;
        char **env;
        uint32_t *groups;
        struct seccomp_known seccomp;
        char *seccomp_cache;
};

static void session_done(struct session *s)
{
        oci_process_free(s->from_file);
        strv_free(s->env);
        free(s->groups);
        seccomp_known_done(&s->seccomp);
        free(s->seccomp_cache);
}

static err *parse_id(const char *what, const char *text, size_t n, uint32_t *ret)
{
        char digits[16];
        uint64_t id;

        (void)snprintf(digits, sizeof(digits), "%.*s", n < sizeof(digits) ? (int)n : 0, text);
        if (!parse_u64(digits, &id) || id >= UINT32_MAX)
                return err_new(ERR_INVALID, "bad %s: \"%.*s\" is not a number", what, (int)n, text);
        *ret = (uint32_t)id;
        return NULL;
}

static err *set_user(const char *text, struct oci_user *u)
{
        size_t n = strcspn(text, ":");

        TRY(parse_id("uid", text, n, &u->uid));
        return text[n] ? parse_id("gid", text + n + 1, strlen(text + n + 1), &u->gid) : NULL;
}

/* Whatever the container: a group that is no number is a misuse of the flag. Several may be in one word. */
static err *check_groups(struct invocation *inv, char *const *list)
{
        for (size_t i = 0; list && list[i]; i++) {
                const char *p = list[i];
                uint32_t gid;
                err *e;

                do {
                        size_t n = strcspn(p, ",");

                        e = parse_id("gid", p, n, &gid);
                        if (e) {
                                err_free(e);
                                inv->problem = OPT_PROBLEM_VALUE;
                                inv->problem_word = list[i];
                                return err_new(ERR_USAGE,
                                               "invalid argument \"%s\" for \"--additional-gids\" flag: "
                                               "strconv.ParseInt: parsing \"%.*s\": invalid syntax",
                                               list[i], (int)n, p);
                        }
                        p += n;
                } while (*p++);
        }
        return NULL;
}

/* Of a list that check_groups() has seen. */
static err *set_groups(char *const *list, struct session *s)
{
        size_t old = s->process.user.n_groups, n = 0;

        for (size_t i = 0; list[i]; i++) {
                n++;
                for (const char *p = list[i]; *p; p++)
                        n += *p == ',';
        }
        s->groups = MEM_NEW0(uint32_t, old + n);
        if (!s->groups)
                return err_nomem();
        if (old)
                memcpy(s->groups, s->process.user.groups, old * sizeof(uint32_t));
        for (; *list; list++) {
                const char *p = *list;

                do {
                        size_t size = strcspn(p, ",");

                        TRY(parse_id("gid", p, size, &s->groups[old++]));
                        p += size;
                } while (*p++);
        }
        s->process.user.groups = s->groups;
        s->process.user.n_groups = old;
        return NULL;
}

/* Ambient too where the container has inheritable ones, as runc. */
static err *add_caps(char *const *list, struct oci_caps *c)
{
        bool inheritable = c->inheritable;

        for (; list && *list; list++) {
                int n = oci_cap_number(*list);

                if (n < 0) {
                        hodrun_warn("ignoring unknown or unavailable capabilities: [%s]", *list);
                        continue;
                }
                c->set = true;
                c->bounding |= 1ull << n;
                c->effective |= 1ull << n;
                c->permitted |= 1ull << n;
                if (inheritable)
                        c->ambient |= 1ull << n;
        }
        return NULL;
}

static err *apply_flags(struct invocation *inv, struct session *s)
{
        const struct exec_args *a = inv->args;
        struct oci_process *p = &s->process;

        if (inv->n_operands < 2)
                return err_new(ERR_INVALID, "exec args cannot be empty");
        p->args = inv->operands + 1;
        p->terminal = a->tty;
        if (a->cwd)
                p->cwd = a->cwd;
        if (a->user)
                TRY(set_user(a->user, &p->user));
        if (a->groups)
                TRY(set_groups(a->groups, s));
        if (a->label)
                p->selinux_label = a->label;
        if (a->apparmor)
                p->apparmor_profile = a->apparmor;
        if (opt_given(inv, &a->no_new_privs))
                p->no_new_privileges = a->no_new_privs;
        if (a->env) {
                TRY(strv_copy(p->env, &s->env));
                for (size_t i = 0; a->env[i]; i++)
                        TRY(strv_add(&s->env, a->env[i]));
                p->env = s->env;
        }
        return add_caps(a->caps, &p->caps);
}

/* Where the file says nothing, the container's own stands, as with runc. */
static void fill_process(struct oci_process *p, const struct oci_process *of)
{
        if (!p->caps.set)
                p->caps = of->caps;
        if (!p->n_rlimits) {
                p->rlimits = of->rlimits;
                p->n_rlimits = of->n_rlimits;
        }
        if (!p->scheduler.set)
                p->scheduler = of->scheduler;
        if (!p->io_priority.set)
                p->io_priority = of->io_priority;
        if (!p->oom_score_adj_set) {
                p->oom_score_adj_set = of->oom_score_adj_set;
                p->oom_score_adj = of->oom_score_adj;
        }
        if (!p->user.umask_set) {
                p->user.umask_set = of->user.umask_set;
                p->user.umask = of->user.umask;
        }
        if (str_empty(p->apparmor_profile))
                p->apparmor_profile = of->apparmor_profile;
        if (str_empty(p->selinux_label))
                p->selinux_label = of->selinux_label;
}

static err *make_process(struct invocation *inv, const struct state *state, struct session *s)
{
        const struct exec_args *a = inv->args;

        if (!state->spec->process)
                return err_new(ERR_CORRUPT, "container %s has no process section", state->id);
        if (a->process) {
                _cleanup_json_ json *doc = NULL;

                TRY(json_read(AT_FDCWD, a->process, &doc));
                TRY_WRAP(oci_process_from_json(doc, &s->from_file), "%s", a->process);
                s->process = *s->from_file;
                fill_process(&s->process, state->spec->process);
        } else {
                s->process = *state->spec->process;
                s->process.console_height = s->process.console_width = 0;
                TRY(apply_flags(inv, s));
        }
        s->process.arena = NULL; /* borrowed */
        s->process.doc = NULL;
        return oci_process_check(&s->process);
}

/* ---- run ---- */

static err *check_state(const struct state *s, const struct exec_args *a)
{
        switch (state_status(s)) {
        case STATE_STOPPED:
                return err_new(ERR_NOT_RUNNING, "cannot exec in a stopped container");
        case STATE_CREATING:
                return err_new(ERR_CONFLICT, "cannot exec in a container that is being created");
        case STATE_PAUSED:
                if (!a->ignore_paused)
                        return err_new(ERR_CONFLICT,
                                       "cannot exec in a paused container (use --ignore-paused to override)");
                return NULL;
        default:
                return NULL;
        }
}

static err *start(struct invocation *inv, struct state *state, struct session *s, struct runtime_process *ret)
{
        const struct exec_args *a = inv->args;
        _cleanup_free_ char *keyring = str_format("_ses.%s", state->id);
        _cleanup_close_ int pidfd = state_pidfd(state);
        struct runtime_exec x = {.id = state->id,
                                 .bundle = state->bundle,
                                 .status = state_status_name(state_status(state)),
                                 .pid = state->pid,
                                 .pidfd = pidfd,
                                 .spec = state->spec,
                                 .process = &s->process,
                                 .cgroup = str_empty(state->cgroup) ? NULL : state->cgroup,
                                 .unit = state->unit.name ? &state->unit : NULL,
                                 .sub_cgroups = a->cgroups,
                                 .stdio = {0, 1, 2},
                                 .fix_stdio_owner = true,
                                 .runc_words = true,
                                 .relayed = str_empty(a->console_socket),
                                 .keyring = keyring,
                                 .shared_pid = true, /* who knows */
                                 .preserve_fds = (int)a->preserve_fds};

        if (!keyring)
                return err_nomem();
        if (pidfd < 0)
                return err_new(ERR_NOT_RUNNING, "cannot exec in a stopped container");
        x.seccomp_cache = s->seccomp_cache;
        x.seccomp_known = &s->seccomp;
        if (a->cgroups && !x.cgroup)
                return err_new(ERR_UNSUPPORTED, "--cgroup: the container has no cgroup");
        return runtime_exec(&x, ret);
}

static err *announce(const struct exec_args *a, const struct runtime_process *p)
{
        TRY(hodrun_pid_file(a->pid_file, p->pid));
        if (!str_empty(a->console_socket) && p->terminal_fd >= 0)
                TRY(io_send_fd(a->console_socket, "/dev/pts/ptmx", p->terminal_fd));
        if (!str_empty(a->pidfd_socket))
                TRY(io_send_fd(a->pidfd_socket, "exec", p->pidfd));
        return NULL;
}

static err *exec_run(struct invocation *inv)
{
        const struct exec_args *a = inv->args;
        _cleanup_(runtime_process_done) struct runtime_process p = {.pidfd = -1, .terminal_fd = -1};
        _cleanup_(session_done) struct session s = {.env = NULL};
        _cleanup_state_ struct state *state = NULL;
        bool socket = !str_empty(a->console_socket);
        err *e;

        TRY(check_groups(inv, a->groups));
        TRY(state_open(hodrun_root(inv), inv->operands[0], false, &state));
        TRY(check_state(state, a));
        TRY(hodrun_seccomp_cache(inv, &s.seccomp_cache));
        TRY(state_load_spec_but_seccomp(state, s.seccomp_cache, &s.seccomp));
        TRY(make_process(inv, state, &s));
        if (s.process.terminal && a->detach && !socket)
                return err_new(ERR_INVALID, "cannot allocate tty if %s will detach without setting console socket",
                               hodrun_name());
        if (!(s.process.terminal && a->detach) && socket)
                return err_new(ERR_INVALID, "cannot use console socket if %s will not detach or allocate tty",
                               hodrun_name());
        if (!a->detach)
                TRY(io_block_signals());
        TRY(start(inv, state, &s, &p));
        e = announce(a, &p);
        if (e) {
                (void)process_signal(p.pidfd, SIGKILL);
                return e;
        }
        return a->detach ? NULL : io_foreground(&p, &inv->status);
}

const struct command cmd_exec = {
        .name = "exec",
        .operands = "<container-id> <command> [argument...]\n--process process.json <container-id>",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Execute new process inside the container",
        .opts = exec_opts,
        .args_size = sizeof(struct exec_args),
        .run = exec_run,
        .stop_at_operand = true,
};
