/* main.c - the program hodrun: the table of its commands, and how failures are told (in runc's form, which containerd
 * and docker read). */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "hodrun/hodrun.h"
#include "hodrun/log.h"
#include "hodrun/usage.h"
#include "hodrun/rootless.h"
#include "oci/spec.h"
#include "sys/exe.h"
#include "sys/cgroup.h"
#include "sys/ns.h"
#include "sys/process.h"

#define EXIT_EXEC 255

static const struct opt global_opts[] = {
        OPT_FLAG(0, "debug", struct global_args, debug, "enable debug logging"),
        OPT_STR(0, "log", struct global_args, log, "string",
                "set the log file to write hodrun logs to (default is '/dev/stderr')"),
        OPT_STR(0, "log-format", struct global_args, log_format, "string",
                "set the log format ('text' (default), or 'json')", .def = "text"),
        OPT_STR(0, "log-level", struct global_args, log_level, "string",
                "what to log: 'error', 'warning' or 'debug' (--debug)"),
        OPT_STR(0, "root", struct global_args, root, "string",
                "root directory for storage of container state (this should be located in tmpfs)",
                .def = "/run/hodrun"),
        OPT_FLAG(0, "systemd-cgroup", struct global_args, systemd_cgroup,
                 "enable systemd cgroup support, expects cgroupsPath to be of form \"slice:prefix:name\""),
        OPT_STR(0, "cgroup-manager", struct global_args, cgroup_manager, "string",
                "'cgroupfs', 'systemd' (--systemd-cgroup), or 'disabled'"),
        OPT_STR(0, "rootless", struct global_args, rootless, "string",
                "ignore cgroup permission errors ('true', 'false', or 'auto')", .def = "auto"),
        OPT_FLAG('v', "version", struct global_args, version, "print the version"),
        OPT_FLAG('V', "crun-version", struct global_args, version, "the same: crun has two letters for it",
                 .hidden = true),
        OPT_END};

static const struct command cmd_help;

static const struct subcommand commands[] = {
        {&cmd_checkpoint, NULL, NULL, SECTION_COMMANDS}, {&cmd_create, NULL, NULL, SECTION_COMMANDS},
        {&cmd_delete, NULL, NULL, SECTION_COMMANDS},     {&cmd_events, NULL, NULL, SECTION_COMMANDS},
        {&cmd_exec, NULL, NULL, SECTION_COMMANDS},       {&cmd_features, NULL, NULL, SECTION_COMMANDS},
        {&cmd_kill, NULL, NULL, SECTION_COMMANDS},       {&cmd_list, NULL, NULL, SECTION_COMMANDS},
        {&cmd_mounts, NULL, NULL, SECTION_COMMANDS},     {&cmd_pause, NULL, NULL, SECTION_COMMANDS},
        {&cmd_ps, NULL, NULL, SECTION_COMMANDS},         {&cmd_restore, NULL, NULL, SECTION_COMMANDS},
        {&cmd_resume, NULL, NULL, SECTION_COMMANDS},     {&cmd_run, NULL, NULL, SECTION_COMMANDS},
        {&cmd_spec, NULL, NULL, SECTION_COMMANDS},       {&cmd_start, NULL, NULL, SECTION_COMMANDS},
        {&cmd_state, NULL, NULL, SECTION_COMMANDS},      {&cmd_update, NULL, NULL, SECTION_COMMANDS},
        {&cmd_help, NULL, "h", SECTION_COMMANDS},        {0},
};

static const struct command cmd_hodrun = {
        .name = "hodrun",
        .summary = "Run containers as the Open Container Initiative's runtime specification describes them",
        .opts = global_opts,
        .args_size = sizeof(struct global_args),
        .subcommands = commands,
        .one_dash = true,
};

static err *help_run(struct invocation *inv)
{
        const struct subcommand *s = NULL;
        _cleanup_str_ struct str help = {0};

        if (inv->n_operands) {
                s = opt_find_subcommand(&cmd_hodrun, inv->operands[0]);
                if (!s) {
                        inv->problem = OPT_PROBLEM_COMMAND;
                        inv->problem_word = inv->operands[0];
                        return err_new(ERR_INVALID, "unknown command: %s", inv->operands[0]);
                }
        }
        usage_help(&cmd_hodrun, s ? s->command : &cmd_hodrun, &help);
        (void)fputs(str_text(&help), stdout);
        return NULL;
}

static const struct command cmd_help = {
        .name = "help",
        .operands = "[command]",
        .max_operands = 1,
        .summary = "Show the list of commands, or help for one command",
        .run = help_run,
};

/* ---- failures ---- */

/* A reason of the system at the end of @text as Go words it: "no such file or directory". */
static void lower_reason(char *text)
{
        size_t n = strlen(text);

        for (int errnum = 1; errnum < 134; errnum++) {
                const char *reason = strerror(errnum);
                size_t m = strlen(reason);

                if (n >= m && m > 1 && !isupper((unsigned char)reason[1]) && strcmp(text + n - m, reason) == 0) {
                        text[n - m] = (char)tolower((unsigned char)reason[0]);
                        return;
                }
        }
}

/* "create" and "run" say which one failed, as runc does. */
static int tell(const struct invocation *inv, err *e)
{
        const struct command *c = inv->command;
        bool said = c == &cmd_create || c == &cmd_run;
        _cleanup_str_ struct str full = {0};
        char text[4096];
        int status = 1;

        if (inv->problem != OPT_PROBLEM_NONE || err_code(e) == ERR_USAGE) {
                status = usage_explain(inv, e, &full);
        } else {
                (void)err_text(e, text, sizeof(text));
                lower_reason(text);
                if (said)
                        str_printf(&full, "%s %s failed: ", hodrun_name(), c->name);
                else if (c == &cmd_exec)
                        str_add(&full, "exec failed: ");
                str_add(&full, text);
                status = c == &cmd_exec ? EXIT_EXEC : 1;
        }
        hodrun_log_fatal(str_text(&full));
        err_free(e);
        return status;
}

/* ---- helpers of the commands ---- */

const char *hodrun_root(const struct invocation *inv)
{
        const struct global_args *g = inv->global.args;

        return opt_given_global(inv, &g->root) ? g->root : rootless_root();
}

bool hodrun_systemd(const struct invocation *inv)
{
        return ((const struct global_args *)inv->global.args)->systemd_cgroup;
}

bool hodrun_no_cgroup(const struct invocation *inv)
{
        return str_eq(((const struct global_args *)inv->global.args)->cgroup_manager, "disabled");
}

err *hodrun_seccomp_cache(const struct invocation *inv, char **ret)
{
        *ret = str_format("%s/@seccomp", hodrun_root(inv));
        return *ret ? NULL : err_nomem();
}

err *hodrun_pid_file(const char *path, pid_t pid)
{
        _cleanup_close_ int dir = -1;
        char text[16], parent[4096];
        const char *slash;
        int r;

        if (str_empty(path))
                return NULL;
        slash = strrchr(path, '/');
        (void)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
        dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return err_sys(errno, "open %s", path);
        (void)snprintf(text, sizeof(text), "%d", (int)pid);
        r = file_replace(dir, slash ? slash + 1 : path, text, strlen(text), 0644, FILE_VOLATILE);
        return r < 0 ? err_sys(-r, "writing %s", path) : NULL;
}

/* ---- main ---- */

static void print_version(void)
{
        const struct scmp_version *v = seccomp_version();

        (void)printf("%s version %s\ncommit: hod %s\nspec: %s\n", hodrun_name(), HOD_VERSION, HOD_VERSION,
                     OCI_SPEC_VERSION);
        if (v)
                (void)printf("libseccomp: %u.%u.%u\n", v->major, v->minor, v->micro);
}

static err *protect(char **argv)
{
        int r = exe_protect_self(argv, environ);

        /* Who is not root has no program of root's to lose. */
        return r < 0 && geteuid() == 0 ? err_sys(r, "protecting this program from the container") : NULL;
}

/* The flags of crun become those of runc. */
static err *global_check(struct invocation *inv)
{
        struct global_args *g = inv->global.args;
        const struct log_request l = {g->log, g->log_format, g->log_level, g->debug};

        TRY(hodrun_log_open(&l));
        if (str_eq(g->cgroup_manager, "systemd"))
                g->systemd_cgroup = true;
        else if (!str_empty(g->cgroup_manager) && !str_eq(g->cgroup_manager, "cgroupfs") && !hodrun_no_cgroup(inv))
                return err_new(ERR_INVALID, "invalid cgroup manager: %s (cgroupfs, systemd or disabled)",
                               g->cgroup_manager);
        if (hodrun_no_cgroup(inv) && (g->systemd_cgroup || inv->command == &cmd_restore))
                return err_new(ERR_INVALID, "--cgroup-manager disabled: not with %s",
                               g->systemd_cgroup ? "--systemd-cgroup" : "restore");
        return NULL;
}

/* Is somebody listening? @start: when we began, as entry.c has appended it; 0 if it has not. */
static void begin_trace(struct trace_span *start)
{
        const char *to = getenv("HOD_TRACE_FD"), *comma = to ? strchr(to, ',') : NULL;
        _cleanup_free_ char *number = comma ? strndup(to, (size_t)(comma - to)) : str_dup(to);
        int64_t fd;

        if (!number || !parse_i64(number, &fd) || fd <= 2 || fd >= 65536 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
                return;
        trace_fd = (int)fd;
        if (!comma || !parse_u64(comma + 1, &start->start))
                start->start = 0;
}

static err *run(struct invocation *inv, char *argv[])
{
        struct trace_span start = {0, TRACE_START};
        const struct global_args *g = inv->global.args;
        bool enters = inv->command == &cmd_create || inv->command == &cmd_run || inv->command == &cmd_exec ||
                      inv->command == &cmd_restore || inv->command == &cmd_mounts;
        _cleanup_str_ struct str help = {0};

        if (g->version && !inv->help) {
                print_version();
                return NULL;
        }
        if (inv->help || !inv->command->run) {
                usage_help(&cmd_hodrun, inv->command, &help);
                (void)fputs(str_text(&help), stdout);
                return NULL;
        }
        if (enters)
                TRY(protect(argv));
        begin_trace(&start);
        TRY(global_check(inv));
        if (enters)
                log_debug("%s exeseal: using /proc/self/exe clone: a read-only mount of this program", hodrun_name());
        if (start.start)
                trace_end(&start, 0, inv->command->name);
        return inv->command->run(inv);
}

/* Whoever starts us with 0, 1 or 2 closed must not find our files there. */
static void open_standard_fds(void)
{
        int fd;

        do
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        while (fd >= 0 && fd <= 2);
        (void)file_close(fd);
}

int main(int argc, char **argv)
{
        struct invocation inv;
        int status;
        err *e;

        (void)argc;
        /* It believes its caller in everything: what he names is opened, mounted, executed (CVE-2020-5291). */
        if (getuid() != geteuid() || getgid() != getegid()) {
                (void)fputs("hodrun must not be setuid or setgid\n", stderr);
                return 1;
        }
        open_standard_fds();
        (void)umask(022);
        process_expect_children();
        if (!ns_is_rootless()) /* whom nobody lets move into it */
                cgroup_layout_join_unified();
        hodrun_set_name(argv[0]);
        e = opt_parse(&cmd_hodrun, argv, &inv);
        if (inv.problem == OPT_PROBLEM_COMMAND && ((const struct global_args *)inv.global.args)->version)
                e = err_free(e); /* "--version whatever" */
        if (!e)
                e = run(&inv, argv);
        status = e ? tell(&inv, e) : inv.status;
        if (fflush(stdout) != 0 && status == 0)
                status = 1;
        opt_done(&inv);
        return status;
}
