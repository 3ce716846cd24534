/* main.c - the program hodrun: the table of its commands, and how failures are told (in runc's form, which containerd
 * and docker read). */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/trace.h"
#include "codec/json.h"
#include "hodrun/hodrun.h"
#include "oci/spec.h"
#include "sys/exe.h"
#include "sys/process.h"

#define EXIT_EXEC 255

static const struct opt global_opts[] = {
        OPT_STR(0, "root", struct global_args, root, "string", "root directory for storage of container state",
                .def = "/run/hodrun"),
        OPT_STR(0, "log", struct global_args, log, "string",
                "set the log file to write hodrun logs to (default is stderr)"),
        OPT_STR(0, "log-format", struct global_args, log_format, "string", "set the log format (text or json)",
                .def = "text"),
        OPT_FLAG(0, "debug", struct global_args, debug, "enable debug logging"),
        OPT_FLAG(0, "systemd-cgroup", struct global_args, systemd_cgroup, "enable systemd cgroup support"),
        OPT_STR(0, "rootless", struct global_args, rootless, "string",
                "ignore cgroup permission errors (true, false or auto)", .def = "auto"),
        OPT_FLAG('v', "version", struct global_args, version, "print the version"),
        OPT_END};

static const struct subcommand commands[] = {
        {&cmd_create, NULL, NULL, SECTION_COMMANDS},
        {&cmd_delete, NULL, NULL, SECTION_COMMANDS},
        {&cmd_exec, NULL, NULL, SECTION_COMMANDS},
        {&cmd_features, NULL, NULL, SECTION_COMMANDS},
        {&cmd_kill, NULL, NULL, SECTION_COMMANDS},
        {&cmd_list, NULL, NULL, SECTION_COMMANDS},
        {&cmd_pause, NULL, NULL, SECTION_COMMANDS},
        {&cmd_ps, NULL, NULL, SECTION_COMMANDS},
        {&cmd_resume, NULL, NULL, SECTION_COMMANDS},
        {&cmd_run, NULL, NULL, SECTION_COMMANDS},
        {&cmd_spec, NULL, NULL, SECTION_COMMANDS},
        {&cmd_start, NULL, NULL, SECTION_COMMANDS},
        {&cmd_state, NULL, NULL, SECTION_COMMANDS},
        {&cmd_update, NULL, NULL, SECTION_COMMANDS},
        {0},
};

static const struct command cmd_hodrun = {
        .name = "hodrun",
        .summary = "Run containers as the Open Container Initiative's runtime specification describes them",
        .opts = global_opts,
        .args_size = sizeof(struct global_args),
        .subcommands = commands,
};

/* ---- log ---- */

static struct {
        int fd; /* 2, or the file of --log */
        bool is_json;
} logging = {2, false};

static void log_line(const char *level, const char *text)
{
        _cleanup_str_ struct str s = {0};
        char when[CLOCK_TEXT_MAX];
        _cleanup_json_ json *j = json_new_object();
        _cleanup_free_ char *quoted = NULL;

        clock_format(clock_now_ns(), when);
        if (logging.is_json) {
                json_set_str(j, "level", level);
                json_set_str(j, "msg", text);
                json_set_str(j, "time", when);
                err_free(json_print(j, JSON_COMPACT, &quoted));
                str_printf(&s, "%s\n", quoted ? quoted : "{}");
        } else {
                json *message = json_new_str(text);

                err_free(json_print(message, JSON_COMPACT, &quoted)); /* quoting as in Go, near enough */
                json_free(message);
                str_printf(&s, "time=\"%s\" level=%s msg=%s\n", when, level, quoted ? quoted : "\"\"");
        }
        (void)file_write_all(logging.fd, str_text(&s), s.len);
}

void hodrun_warn(const char *fmt, ...)
{
        char text[1024];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        log_line("warning", text);
}

static err *log_open(const struct global_args *g)
{
        if (!str_eq(g->log_format, "text") && !str_eq(g->log_format, "json"))
                return err_new(ERR_USAGE, "invalid log-format: %s", g->log_format);
        logging.is_json = str_eq(g->log_format, "json");
        log_setup_writer(g->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, log_line);
        if (str_empty(g->log))
                return NULL;
        int fd = open(g->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0)
                return err_sys(errno, "open %s", g->log);
        logging.fd = fd;
        return NULL;
}

/* "create" and "run" say which one failed, as runc does. */
static void tell(const struct invocation *inv, err *e)
{
        const char *name = inv->command && inv->command != &cmd_hodrun ? inv->command->name : "";
        bool usage = err_code(e) == ERR_USAGE;
        char text[4096], full[4200];
        const char *prefix = usage                    ? ""
                             : str_eq(name, "create") ? "hodrun create failed: "
                             : str_eq(name, "run")    ? "hodrun run failed: "
                             : str_eq(name, "exec")   ? "exec failed: "
                                                      : "";

        (void)snprintf(full, sizeof(full), "%s%s", prefix, err_text(e, text, sizeof(text)));
        log_line("error", full);
        if (logging.fd != 2)
                (void)fprintf(stderr, "%s\n", full);
}

/* ---- helpers of the commands ---- */

const char *hodrun_root(const struct invocation *inv)
{
        return ((const struct global_args *)inv->global.args)->root;
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

        (void)printf("hodrun version %s\nspec: %s\n", HOD_VERSION, OCI_SPEC_VERSION);
        if (v)
                (void)printf("libseccomp: %u.%u.%u\n", v->major, v->minor, v->micro);
}

static err *protect(char **argv)
{
        int r = exe_protect_self(argv, environ);

        /* Who is not root has no program of root's to lose. */
        return r < 0 && geteuid() == 0 ? err_sys(r, "protecting this program from the container") : NULL;
}

static err *run(struct invocation *inv, char *argv[])
{
        const struct global_args *g = inv->global.args;
        const char *trace = getenv("HOD_TRACE_FD");
        _cleanup_str_ struct str help = {0};
        int64_t fd;

        if (g->version && !inv->help) {
                print_version();
                return NULL;
        }
        if (inv->help || !inv->command->run) {
                opt_help(inv, 0, &help);
                (void)fputs(str_text(&help), stdout);
                return NULL;
        }
        if (inv->command == &cmd_create || inv->command == &cmd_run || inv->command == &cmd_exec)
                TRY(protect(argv));
        if (trace && parse_i64(trace, &fd) && fd > 2 && fd < 65536 && fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0)
                trace_fd = (int)fd;
        TRY(log_open(g));
        if (g->systemd_cgroup)
                return err_new(ERR_UNSUPPORTED, "the systemd cgroup driver is not supported yet");
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
        open_standard_fds();
        (void)umask(022);
        process_expect_children();
        e = opt_parse(&cmd_hodrun, argv, &inv);
        if (!e)
                e = run(&inv, argv);
        status = inv.status;
        if (e) {
                tell(&inv, e);
                status = inv.command == &cmd_exec && err_code(e) != ERR_USAGE ? EXIT_EXEC : 1;
                err_free(e);
        }
        if (fflush(stdout) != 0 && status == 0)
                status = 1;
        opt_done(&inv);
        return status;
}
