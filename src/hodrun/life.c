/* life.c - kill, delete, pause, resume. */
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "hodrun/hodrun.h"
#include "hodrun/rootless.h"
#include "sys/cgroup.h"
#include "sys/process.h"

/* ---- several at a time: crun's --regex ---- */

/* Call @each for every container whose id matches; all are tried, the first error is the answer. */
static err *for_matching(struct invocation *inv, const char *pattern, err *(*each)(struct invocation *, const char *id))
{
        _cleanup_strv_ char **ids = NULL;
        err *first = NULL;
        char why[200];
        regex_t re;
        int r;

        TRY(state_list(hodrun_root(inv), &ids));
        r = regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB);
        if (r != 0) {
                (void)regerror(r, &re, why, sizeof(why));
                return err_new(ERR_INVALID, "invalid regular expression \"%s\": %s", pattern, why);
        }
        for (char **id = ids; id && *id; id++) {
                err *e = regexec(&re, *id, 0, NULL, 0) == 0 ? each(inv, *id) : NULL;

                if (first)
                        err_free(e);
                else
                        first = err_wrap(e, "%s", *id);
        }
        regfree(&re);
        return first;
}

/* ---- kill ---- */

struct kill_args {
        bool all, regex;
};

static const struct opt kill_opts[] = {
        OPT_FLAG('a', "all", struct kill_args, all, "send the specified signal to all processes inside the container"),
        OPT_FLAG('r', "regex", struct kill_args, regex,
                 "the id is an extended regular expression: send the signal to all containers that match"),
        OPT_END};

static bool has_processes(const char *cgroup)
{
        const struct cgroup_layout *l;
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        err *e = cgroup_layout_get(&l);

        if (!e)
                e = cgroup_pids(l, cgroup, true, &pids, &n);
        err_free(e); /* whatever is wrong with it: none that we can reach */
        return n > 0;
}

/* If nobody knows: no, and everything in the cgroup is killed. */
static bool has_pid_namespace(struct state *s)
{
        _cleanup_json_ json *doc = NULL;
        const json *list;
        bool own = false;

        if (s->own_pids_known)
                return s->own_pids;
        err_free(state_load_any(s, &doc)); /* an older version made it */
        if (s->spec)
                return s->spec->linux_.ns[OCI_NS_PID].present && !s->spec->linux_.ns[OCI_NS_PID].path;
        list = json_get(json_get(doc, "linux"), "namespaces");
        for (size_t i = 0; i < json_len(list); i++)
                if (str_eq(json_get_str(json_at(list, i), "type"), "pid"))
                        own = str_empty(json_get_str(json_at(list, i), "path"));
        return own;
}

/* With a PID namespace of its own the end of init ends everything; without, the rest would stay. */
static err *kill_one_and_rest(struct state *s, int signal, int pidfd)
{
        bool own = signal != SIGKILL || has_pid_namespace(s);
        int r;

        if (!own && !str_empty(s->cgroup) && (pidfd >= 0 || has_processes(s->cgroup)))
                return runtime_cgroup_kill(s->cgroup, signal);
        r = pidfd < 0 ? -ESRCH : process_signal(pidfd, signal);
        if (r == -ESRCH)
                return err_new(ERR_NOT_RUNNING, "container not running");
        return r < 0 ? err_sys(-r, "unable to signal init") : NULL;
}

static err *kill_container(struct invocation *inv, const char *id)
{
        const struct kill_args *a = inv->args;
        const char *name = inv->n_operands > 1 ? inv->operands[1] : "SIGTERM";
        _cleanup_state_ struct state *s = NULL;
        _cleanup_close_ int pidfd = -1;
        uint64_t number;
        int signal;

        TRY(state_open(hodrun_root(inv), id, false, &s));
        if (parse_u64(name, &number) && number < 1000)
                signal = (int)number; /* the kernel knows which there are */
        else if (parse_signal(name, &signal) < 0)
                return err_new(ERR_INVALID, "unknown signal \"%s\"", name);
        if (a->all)
                return str_empty(s->cgroup) ? rootless_kill(s, signal) : runtime_cgroup_kill(s->cgroup, signal);
        pidfd = state_pidfd(s);
        return kill_one_and_rest(s, signal, pidfd);
}

static err *kill_run(struct invocation *inv)
{
        const struct kill_args *a = inv->args;

        return a->regex ? for_matching(inv, inv->operands[0], kill_container) : kill_container(inv, inv->operands[0]);
}

/* ---- delete ---- */

struct delete_args {
        bool force, regex;
};

static const struct opt delete_opts[] = {
        OPT_FLAG('f', "force", struct delete_args, force,
                 "forcibly deletes the container if it is still running (uses SIGKILL)"),
        OPT_FLAG('r', "regex", struct delete_args, regex,
                 "the id is an extended regular expression: delete all containers that match"),
        OPT_END};

static err *delete_container(struct invocation *inv, const char *id)
{
        const struct delete_args *a = inv->args;
        _cleanup_state_ struct state *s = NULL;
        enum state_status status;
        err *e = state_open(hodrun_root(inv), id, true, &s);

        if (e)
                return a->force && err_code(e) == ERR_NOT_FOUND ? err_free(e) : e;
        status = state_status(s);
        if (!a->force && status != STATE_STOPPED && status != STATE_CREATED)
                return err_new(ERR_CONFLICT, "cannot delete container %s that is not stopped: %s", s->id,
                               state_status_name(status));
        return err_wrap(state_destroy(s), "unable to destroy container");
}

static err *delete_run(struct invocation *inv)
{
        const struct delete_args *a = inv->args;

        return a->regex ? for_matching(inv, inv->operands[0], delete_container)
                        : delete_container(inv, inv->operands[0]);
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
        if (str_empty(s->cgroup))
                return err_new(ERR_UNSUPPORTED, "cannot pause the container: it has no cgroup");
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
