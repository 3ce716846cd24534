/* pull_policy.c - see pull_policy.h. */
#include "cli/pull_policy.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/create_args.h"
#include "cli/ui.h"
#include "oci/image.h"
#include "oci/reference.h"
#include "sys/process.h"

#define ERROR_FD 3
#define ERROR_MAX 8192

const char *const pull_policy_words[] = {"always", "missing", "never", "newer", NULL};

/* What the child is told of our global options, as they were typed. */
static err *add_globals(const struct invocation *inv, char ***argv)
{
        const struct opt_values *g = &inv->global;

        for (size_t i = 0; i < g->count; i++) {
                const struct opt *o = &g->opts[i];
                const void *value = (const char *)g->args + o->offset;
                char *const *list = NULL;

                if (g->source[i] != OPT_COMMAND_LINE)
                        continue;
                if (o->kind == OPT_KIND_STR)
                        TRY(strv_push(argv, str_format("--%s=%s", o->name, *(char *const *)value)));
                else if (o->kind == OPT_KIND_FLAG)
                        TRY(strv_push(argv, str_format("--%s=%s", o->name, *(const bool *)value ? "true" : "false")));
                else if (o->kind == OPT_KIND_DURATION)
                        TRY(strv_push(argv, str_format("--%s=%lldns", o->name, (long long)*(const int64_t *)value)));
                else if (o->kind == OPT_KIND_LIST)
                        list = *(char *const *const *)value;
                for (; list && *list; list++)
                        TRY(strv_push(argv, str_format("--%s=%s", o->name, *list)));
        }
        return NULL;
}

/* What to ask for, and for which platform (NULL = this machine's). */
struct wanted {
        const char *name, *platform;
};

/* The tag that is meant is said: run does not tell that it took the default. */
static err *add_name(const char *name, char ***argv)
{
        _cleanup_reference_ struct reference r = {0};

        TRY(reference_parse(name, false, &r));
        return strv_push(argv, str_format("%s%s", name, r.tag || r.digest ? "" : ":latest"));
}

static err *child_argv(const struct invocation *inv, const struct wanted *w, char ***ret)
{
        const struct create_args *a = inv->args;
        _cleanup_strv_ char **argv = NULL;

        TRY(strv_add(&argv, "hod"));
        TRY(add_globals(inv, &argv));
        TRY(strv_add(&argv, "internal"));
        TRY(strv_add(&argv, "pull"));
        TRY(strv_push(&argv, str_format("--error-fd=%d", ERROR_FD)));
        if (a->quiet)
                TRY(strv_add(&argv, "--quiet"));
        if (w->platform)
                TRY(strv_push(&argv, str_format("--platform=%s", w->platform)));
        TRY(strv_add(&argv, "--"));
        TRY(add_name(w->name, &argv));
        *ret = TAKE_PTR(argv);
        return NULL;
}

/* In the child: stdout belongs to the container, stdin too. */
static _noreturn_ void become_pull(const char *path, char **argv, pid_t parent, int error_fd)
{
        int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() == parent && null_fd >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 &&
            dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 &&
            (error_fd == ERROR_FD ? fcntl(error_fd, F_SETFD, 0) : dup2(error_fd, ERROR_FD)) >= 0)
                (void)execv(path, argv);
        _exit(127);
}

/* "12 text" as an error. */
static err *read_error(const char *text, int status)
{
        int64_t code = ERR_INTERNAL;
        const char *blank = strchr(text, ' ');
        _cleanup_free_ char *number = blank ? strndup(text, (size_t)(blank - text)) : NULL;

        if (!number)
                return status ? err_new(ERR_INTERNAL, "the pull ended with status %d", status) : NULL;
        TRY(parse_int(number, ERR_INTERNAL, ERR_CODE_MAX_ - 1, &code));
        return err_new(code == ERR_SYS ? ERR_INTERNAL : (enum err_code)code, "%s", blank + 1);
}

/* Ctrl-C reaches both of us: the child says what becomes of what it has. */
static err *wait_for_pull(int pidfd, int error_fd)
{
        const struct sigaction ignore = {.sa_handler = SIG_IGN};
        _cleanup_free_ char *text = NULL;
        struct sigaction old;
        int status = 0, r, r2;

        (void)sigaction(SIGINT, &ignore, &old);
        r = file_read_fd(error_fd, ERROR_MAX, &text, NULL);
        r2 = process_reap(pidfd, &status);
        (void)sigaction(SIGINT, &old, NULL);
        if (r < 0 || r2 < 0)
                return err_sys(r < 0 ? r : r2, "waiting for the pull");
        return read_error(text, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static err *pull(const struct invocation *inv, const struct wanted *w)
{
        _cleanup_close_ int read_fd = -1, write_fd = -1, pidfd = -1;
        _cleanup_strv_ char **argv = NULL;
        _cleanup_free_ char *path = NULL;
        pid_t self = getpid(), pid;
        int ends[2], r;

        TRY(ui_program(UI_FULL_PROGRAM, &path));
        TRY(child_argv(inv, w, &argv));
        r = file_pipe(ends);
        if (r < 0)
                return err_sys(r, "making a pipe");
        read_fd = ends[0];
        write_fd = ends[1];
        (void)fflush(NULL);
        pid = process_clone(0, -1, &pidfd);
        if (pid < 0)
                return err_sys((int)pid, "starting %s", path);
        if (pid == 0)
                become_pull(path, argv, self, write_fd);
        write_fd = file_close(write_fd);
        return wait_for_pull(pidfd, read_fd);
}

/* An id is nothing that a registry knows. */
static bool is_id(const char *name)
{
        const char *hex = str_after(name, "sha256:");

        if (!hex)
                hex = name;
        return strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64;
}

static void say_missing(const struct create_args *a, const char *name)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *familiar = NULL;
        err *e = reference_parse(name, true, &r);

        if (!e)
                e = reference_familiar(&r, &familiar);
        err_free(e);
        if (!a->quiet)
                (void)fprintf(stderr, "Unable to find image '%s' locally\n", familiar ? familiar : name);
}

static err *check_policy(const char *policy)
{
        for (const char *const *w = pull_policy_words; *w; w++)
                if (strcmp(policy, *w) == 0)
                        return NULL;
        return err_new(ERR_INVALID,
                       "invalid pull option: '%s': must be one of \"always\", \"missing\", \"never\" or \"newer\"",
                       policy);
}

/* What lacks is fetched again, as it was: by digest, as the name may mean something else by now. */
static err *pull_layer(const struct invocation *inv, const struct image_origin *origin)
{
        const struct wanted again = {origin->name, origin->platform};
        const struct create_args *a = inv->args;

        if (!a->quiet)
                (void)fprintf(stderr, "Image '%s' lacks a layer: pulling %s\n", inv->operands[0], origin->name);
        return err_wrap(pull(inv, &again), "image %s lacks a layer", inv->operands[0]);
}

err *pull_policy_create(const struct invocation *inv, struct engine *e, struct create_options *o,
                        struct container **ret, char ***warnings)
{
        const struct create_args *a = inv->args;
        const char *policy = a->pull, *name = inv->operands[0];
        const struct wanted wanted = {name, a->platform};
        bool possible = !a->rootfs && !is_id(name), no_image = false;
        _cleanup_image_origin_ struct image_origin origin = {0};
        _cleanup_err_ err *pull_error = NULL;
        struct create_options asked = *o;
        err *error;

        TRY(check_policy(policy));
        asked.ret_no_image = &no_image;
        asked.ret_origin = &origin;
        if (possible && strcmp(policy, "always") == 0)
                TRY(pull(inv, &wanted));
        if (possible && strcmp(policy, "newer") == 0)
                pull_error = pull(inv, &wanted);
        if (pull_error && err_code(pull_error) == ERR_INTERRUPTED)
                return TAKE_PTR(pull_error);
        error = create_container(e, &asked, ret, warnings);
        asked.ret_origin = NULL; /* once */
        if (origin.name && strcmp(policy, "never") != 0) {
                err_free(error);
                TRY(pull_layer(inv, &origin));
                error = create_container(e, &asked, ret, warnings);
        }
        if (!error || !no_image || !possible || origin.name)
                return error;
        if (pull_error) { /* what is missing here is so because of that */
                err_free(error);
                return TAKE_PTR(pull_error);
        }
        if (strcmp(policy, "missing") != 0)
                return error;
        err_free(error);
        say_missing(a, name);
        TRY(pull(inv, &wanted));
        return create_container(e, &asked, ret, warnings);
}
