/* show.c - state, list, ps, spec. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/table.h"
#include "hodrun/hodrun.h"
#include "hodrun/rootless.h"
#include "sys/cgroup.h"

extern char **environ;

/* ---- state, list ---- */

/* The specification: s->spec, or (owned) *@ret_doc, or neither. *@ret_version is its version, or NULL. */
static err *describe_spec(struct state *s, const char **ret_version, json **ret_doc)
{
        TRY(state_load_any(s, ret_doc));
        *ret_version = s->spec ? s->spec->oci_version : json_get_str(*ret_doc, "ociVersion");
        return NULL;
}

/* The document of `state`; @owner "" there, a name in `list`. */
static err *describe(struct state *s, const char *owner, json **ret)
{
        enum state_status status = state_status(s);
        _cleanup_json_ json *doc = NULL;
        const char *version = NULL;
        char created[CLOCK_TEXT_MAX];
        json *j;

        TRY(describe_spec(s, &version, &doc));
        j = json_new_object();
        clock_format(s->created_ns, created);
        json_set_str(j, "ociVersion", version ? version : OCI_SPEC_VERSION);
        json_set_str(j, "id", s->id);
        json_set_int(j, "pid", status == STATE_STOPPED ? 0 : s->pid);
        json_set_str(j, "status", state_status_name(status));
        json_set_str(j, "bundle", s->bundle);
        json_set_str(j, "rootfs", s->rootfs);
        json_set_str(j, "created", created);
        JSON_EACH (json_get(doc, "annotations"), it)
                json_set(json_sub_object(j, "annotations"), it.key, json_ref(it.value));
        for (size_t i = 0; s->spec && i < s->spec->n_annotations; i++)
                json_set_str(json_sub_object(j, "annotations"), s->spec->annotations[i].key,
                             s->spec->annotations[i].value);
        json_set_str(j, "owner", owner);
        *ret = j;
        return NULL;
}

static err *state_run(struct invocation *inv)
{
        _cleanup_state_ struct state *s = NULL;
        _cleanup_json_ json *j = NULL;
        _cleanup_free_ char *text = NULL;

        TRY(state_open(hodrun_root(inv), inv->operands[0], false, &s));
        TRY(describe(s, "", &j));
        TRY(json_print(j, JSON_INDENT2, &text));
        (void)printf("%.*s", (int)strlen(text) - str_ends(text, "\n"), text);
        return NULL;
}

struct list_args {
        const char *format;
        bool quiet;
};

/* Name of a user from /etc/passwd, read here: a static program must not load NSS modules. */
static void user_name(uid_t uid, char *buf, size_t size)
{
        FILE *f = fopen("/etc/passwd", "re");
        struct passwd *p;

        (void)snprintf(buf, size, "#%u", (unsigned)uid);
        while (f && (p = fgetpwent(f)))
                if (p->pw_uid == uid) {
                        (void)snprintf(buf, size, "%s", p->pw_name);
                        break;
                }
        if (f)
                (void)fclose(f);
}

static err *list_one(const char *root, const char *id, json *array)
{
        _cleanup_state_ struct state *s = NULL;
        char owner[64];
        json *j;
        err *e = state_open(root, id, false, &s);

        if (!e) {
                user_name(s->owner, owner, sizeof(owner));
                e = describe(s, owner, &j);
        }
        if (!e)
                json_add(array, j);
        if (e && err_code(e) == ERR_NOT_FOUND)
                return err_free(e); /* gone meanwhile */
        return e;
}

static err *print_table(json *array)
{
        _cleanup_table_ struct table t = {.min_width = 12};
        _cleanup_str_ struct str out = {0};

        table_row(&t, "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER", NULL);
        for (size_t i = 0; i < json_len(array); i++) {
                json *j = json_at(array, i);
                char pid[16];

                (void)snprintf(pid, sizeof(pid), "%lld", (long long)json_get_int(j, "pid", 0));
                table_row(&t, json_get_str(j, "id"), pid, json_get_str(j, "status"), json_get_str(j, "bundle"),
                          json_get_str(j, "created"), json_get_str(j, "owner"), NULL);
        }
        TRY(table_print(&t, &out));
        (void)fputs(str_text(&out), stdout);
        return NULL;
}

static err *list_run(struct invocation *inv)
{
        const struct list_args *a = inv->args;
        _cleanup_strv_ char **ids = NULL;
        _cleanup_json_ json *array = json_new_array();
        _cleanup_free_ char *text = NULL;

        if (!str_eq(a->format, "table") && !str_eq(a->format, "json"))
                return err_new(ERR_INVALID, "invalid format option");
        /* No container has been made yet under the default; another one is a mistake. */
        if (opt_given_global(inv, &((const struct global_args *)inv->global.args)->root) &&
            !file_exists(AT_FDCWD, hodrun_root(inv)))
                return err_sys(ENOENT, "open %s", hodrun_root(inv));
        TRY(state_list(hodrun_root(inv), &ids));
        if (a->quiet) {
                for (size_t i = 0; ids && ids[i]; i++)
                        (void)printf("%s\n", ids[i]);
                return NULL;
        }
        for (size_t i = 0; ids && ids[i]; i++) {
                err *e = list_one(hodrun_root(inv), ids[i], array);

                if (e) { /* one damaged state must not hide the others */
                        char why[512];

                        hodrun_warn("load container %s: %s", ids[i], err_text(e, why, sizeof(why)));
                        err_free(e);
                }
        }
        if (str_eq(a->format, "table"))
                return print_table(array);
        TRY(json_print(array, JSON_COMPACT, &text));
        (void)printf("%s", json_len(array) ? text : "null"); /* Go's nil slice, which callers know */
        return NULL;
}

/* ---- ps ---- */

struct ps_args {
        const char *format;
};

static bool has_pid(const pid_t *pids, size_t n, int64_t pid)
{
        for (size_t i = 0; i < n; i++)
                if (pids[i] == pid)
                        return true;
        return false;
}

/* Output of the host's ps(1), with what it complains of. */
static err *host_ps(char *const *argv, char **ret)
{
        posix_spawn_file_actions_t actions;
        int pipe[2], r, status;
        pid_t pid;

        r = file_pipe(pipe);
        if (r < 0)
                return err_sys(-r, "making a pipe");
        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawn_file_actions_adddup2(&actions, pipe[1], 1);
        (void)posix_spawn_file_actions_adddup2(&actions, pipe[1], 2);
        /* By its place: a PATH may lead into a directory of somebody else's. */
        r = posix_spawn(&pid, "/usr/bin/ps", &actions, NULL, argv, environ);
        if (r == ENOENT)
                r = posix_spawn(&pid, "/bin/ps", &actions, NULL, argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
        (void)file_close(pipe[1]);
        if (r == 0)
                r = -file_read_fd(pipe[0], 64u << 20, ret, NULL);
        (void)file_close(pipe[0]);
        if (r > 0)
                return err_sys(r, "running ps");
        if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
                return err_new(ERR_SYS, "ps failed");
        if (WEXITSTATUS(status) != 0)
                return err_new(ERR_SYS, "exit status %d: %s", WEXITSTATUS(status), *ret);
        return NULL;
}

/* Which column of the header is "PID"; -1 if none. */
static int pid_column(const char *header)
{
        int column = 0;

        for (const char *p = header + strspn(header, " "); *p && *p != '\n'; column++) {
                size_t n = strcspn(p, " \n");

                if (n == 3 && memcmp(p, "PID", 3) == 0)
                        return column;
                p += n;
                p += strspn(p, " ");
        }
        return -1;
}

static err *filter_ps(char *text, const pid_t *pids, size_t n)
{
        int column = pid_column(text);

        if (column < 0)
                return err_new(ERR_INVALID, "couldn't find PID field in ps output");
        for (char *line = text, *end; *line; line = end) {
                char *p = line + strspn(line, " "), digits[24];
                int64_t pid;

                end = line + strcspn(line, "\n");
                end += *end == '\n';
                for (int i = 0; i < column; i++) {
                        p += strcspn(p, " \n");
                        p += strspn(p, " ");
                }
                (void)snprintf(digits, sizeof(digits), "%.*s", (int)strspn(p, "0123456789"), p);
                if (line == text || (parse_i64(digits, &pid) && has_pid(pids, n, pid)))
                        (void)printf("%.*s", (int)(end - line), line);
        }
        return NULL;
}

static err *ps_run(struct invocation *inv)
{
        const struct ps_args *a = inv->args;
        static char *defaults[] = {(char *)(uintptr_t) "ps", (char *)(uintptr_t) "-ef", NULL};
        _cleanup_state_ struct state *s = NULL;
        _cleanup_free_ pid_t *pids = NULL;
        _cleanup_free_ char *text = NULL;
        size_t n = 0;

        if (!str_eq(a->format, "table") && !str_eq(a->format, "json"))
                return err_new(ERR_INVALID, "invalid format option");
        TRY(state_open(hodrun_root(inv), inv->operands[0], false, &s));
        TRY(rootless_pids(s, &pids, &n));
        if (str_eq(a->format, "json")) {
                for (size_t i = 0; i < n; i++)
                        (void)printf("%s%d", i ? "," : "[", (int)pids[i]);
                (void)printf("%s\n", n ? "]" : "null"); /* Go's nil slice, which callers know */
                return NULL;
        }
        if (inv->n_operands > 1)
                inv->operands[0] = defaults[0];
        TRY(host_ps(inv->n_operands > 1 ? inv->operands : defaults, &text));
        return filter_ps(text, pids, n);
}

/* ---- spec ---- */

struct spec_args {
        const char *bundle, *file;
        bool rootless;
};

static err *spec_run(struct invocation *inv)
{
        const struct spec_args *a = inv->args;
        const char *path = str_empty(a->bundle) ? "." : a->bundle;
        const char *name = str_empty(a->file) ? "config.json" : a->file;
        const struct cgroup_layout *layout;
        _cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;
        int r;

        if (dir < 0)
                return err_sys(errno, "chdir %s", path);
        TRY(cgroup_layout_get(&layout));
        TRY(oci_spec_default_text(a->rootless, layout->mode == CGROUP_MODE_V2, &text));
        fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0)
                return errno == EEXIST ? err_new(ERR_CONFLICT, "File %s exists. Remove it first", name)
                                       : err_sys(errno, "open %s", name);
        r = file_write_all(fd, text, strlen(text));
        return r < 0 ? err_sys(-r, "writing %s", name) : NULL;
}

/* ---- table ---- */

static const char *const formats[] = {"table", "json", NULL};

static const struct opt list_opts[] = {
        OPT_STR('f', "format", struct list_args, format, "string", "select one of: table or json", .def = "table",
                .choices = formats, .complete = OPT_COMPLETE_CHOICES),
        OPT_FLAG('q', "quiet", struct list_args, quiet, "display only container IDs"), OPT_END};
static const struct opt ps_opts[] = {OPT_STR('f', "format", struct ps_args, format, "string",
                                             "select one of: table or json", .def = "table", .choices = formats,
                                             .complete = OPT_COMPLETE_CHOICES),
                                     OPT_END};
static const struct opt spec_opts[] = {
        OPT_STR('b', "bundle", struct spec_args, bundle, "string", "path to the root of the bundle directory",
                .complete = OPT_COMPLETE_DIR),
        OPT_STR('f', "file", struct spec_args, file, "string", "file to write in place of the bundle's config.json",
                .complete = OPT_COMPLETE_FILE),
        OPT_FLAG(0, "rootless", struct spec_args, rootless, "generate a configuration for a rootless container"),
        OPT_END};

const struct command cmd_state = {
        .name = "state",
        .operands = "<container-id>",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Output the state of a container",
        .run = state_run,
};
const struct command cmd_list = {
        .name = "list",
        .summary = "List containers started with the given root",
        .opts = list_opts,
        .args_size = sizeof(struct list_args),
        .run = list_run,
};
const struct command cmd_ps = {
        .name = "ps",
        .operands = "<container-id> [ps options]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Display the processes running inside a container",
        .opts = ps_opts,
        .args_size = sizeof(struct ps_args),
        .run = ps_run,
        .stop_at_operand = true,
};
const struct command cmd_spec = {
        .name = "spec",
        .summary = "Create a new specification file",
        .opts = spec_opts,
        .args_size = sizeof(struct spec_args),
        .run = spec_run,
};
