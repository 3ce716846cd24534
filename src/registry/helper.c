/* helper.c - see helper.h. No secret is an argument or in the environment of the program: only on its stdin. */
#include "registry/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/json.h"
#include "registry/files.h"

#define ANSWER_MAX (1u << 20)
#define IDENTITY_USER "<token>" /* docker's sign that the secret is an identity token */

static bool name_valid(const char *name)
{
        return *name && *name != '.' && strlen(name) < 128 &&
               !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")];
}

/* Could somebody else put a program there? */
static bool directory_trusted(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & 022);
}

/* Open the program in @dir, or -1. */
static int open_program(const char *dir, const char *program)
{
        _cleanup_close_ int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (dir_fd < 0 || faccessat(dir_fd, program, X_OK, AT_EACCESS) < 0)
                return -1;
        if (!directory_trusted(dir_fd)) {
                log_warn("%s/%s is not used: others may write to that directory", dir, program);
                return -1;
        }
        return openat(dir_fd, program, O_PATH | O_CLOEXEC);
}

/* The first one in PATH, as a path. Relative entries of PATH are passed over. */
static err *find_program(const struct registry_options *o, const char *name, char **ret)
{
        _cleanup_free_ char *program = str_format("docker-credential-%s", name);
        _cleanup_strv_ char **dirs = NULL;
        const char *path = files_variable(o, "PATH");

        if (!program)
                return err_nomem();
        if (!name_valid(name))
                return err_new(ERR_INVALID, "'%.100s' is not the name of a credential helper", name);
        TRY(strv_split(path ? path : "", ':', &dirs));
        for (char **p = dirs; p && *p; p++) {
                _cleanup_close_ int fd = **p == '/' ? open_program(*p, program) : -1;

                if (fd < 0)
                        continue;
                *ret = str_format("%s/%s", *p, program);
                return *ret ? NULL : err_nomem();
        }
        return err_new(ERR_UNSUPPORTED,
                       "error getting credentials - err: exec: \"%s\": executable file not found in $PATH", program);
}

/* The input as a file: a pipe could block, or end us when nobody reads. */
static err *input_file(const char *text, int *ret)
{
        _cleanup_close_ int fd = memfd_create("hod-credential", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return err_sys(errno, "making the input of a credential helper");
        r = file_write_all(fd, text, strlen(text));
        if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return err_sys(r < 0 ? r : errno, "writing the input of a credential helper");
        *ret = TAKE_FD(fd);
        return NULL;
}

/* Our environment, without credentials in it. */
static err *child_environment(const struct registry_options *o, char ***ret)
{
        _cleanup_strv_ char **list = MEM_NEW0(char *, 1);

        if (!list)
                return err_nomem();
        for (char *const *p = o->environment; p && *p; p++)
                if (!str_starts(*p, "DOCKER_AUTH_CONFIG="))
                        TRY(strv_add(&list, *p));
        *ret = TAKE_PTR(list);
        return NULL;
}

static err *spawn(const struct registry_options *o, const char *path, const char *verb, int in, int out, pid_t *ret)
{
        _cleanup_strv_ char **environment = NULL;
        char *argv[] = {(char *)(uintptr_t)path, (char *)(uintptr_t)verb, NULL};
        posix_spawn_file_actions_t actions;
        int r;

        TRY(child_environment(o, &environment));
        if (posix_spawn_file_actions_init(&actions) != 0)
                return err_nomem();
        r = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn(ret, path, &actions, NULL, argv, environment);
        (void)posix_spawn_file_actions_destroy(&actions);
        return r ? err_sys(r, "executing %s", path) : NULL;
}

/* Run it; its answer, and whether it said that all is well. */
static err *run(const struct registry_options *o, const char *name, const char *verb, const char *input, char **ret,
                bool *ret_ok)
{
        _cleanup_close_ int in = -1, from = -1, to = -1;
        _cleanup_free_ char *path = NULL;
        int status = 0, pipe_fds[2], r, read_result;
        pid_t pid;

        TRY(find_program(o, name, &path));
        TRY(input_file(input, &in));
        r = file_pipe(pipe_fds);
        if (r < 0)
                return err_sys(r, "making a pipe");
        from = pipe_fds[0];
        to = pipe_fds[1];
        log_debug("asking %s %s", path, verb);
        TRY(spawn(o, path, verb, in, to, &pid));
        to = file_close(to);
        read_result = file_read_fd(from, ANSWER_MAX, ret, NULL);
        from = file_close(from); /* whoever writes without end is told so */
        do
                r = (int)waitpid(pid, &status, 0);
        while (r < 0 && errno == EINTR);
        if (read_result < 0)
                return err_sys(read_result, "reading the answer of %s", path);
        *ret_ok = r == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        return NULL;
}

static void trim(char *text)
{
        size_t n = strlen(text);

        while (n && (text[n - 1] == '\n' || text[n - 1] == ' ' || text[n - 1] == '\r'))
                text[--n] = '\0';
}

/* What a helper says when it fails may be anything: it is shown, up to one line of it. */
static err *failed(const char *name, const char *verb, char *answer)
{
        trim(answer);
        return err_new(ERR_INVALID, "error getting credentials - err: docker-credential-%s %s failed, out: `%.200s`",
                       name, verb, answer);
}

static err *read_answer(const char *name, const char *text, struct auth_credentials *ret)
{
        _cleanup_json_ json *doc = NULL;
        const char *user, *secret;

        TRY_WRAP(json_parse(text, strlen(text), &doc), "the answer of docker-credential-%s", name);
        user = json_get_str(doc, "Username");
        secret = json_get_str(doc, "Secret");
        if (!user || !secret)
                return err_new(ERR_INVALID, "docker-credential-%s sent no Username or no Secret", name);
        if (strcmp(user, IDENTITY_USER) == 0) {
                ret->identity = str_dup(secret);
                return ret->identity ? NULL : err_nomem();
        }
        ret->user = str_dup(user);
        ret->password = str_dup(secret);
        return ret->user && ret->password ? NULL : err_nomem();
}

err *helper_get(const struct registry_options *o, const char *name, const char *server, struct auth_credentials *ret,
                bool *ret_found)
{
        _cleanup_free_ char *answer = NULL;
        err *e = NULL;
        bool ok;

        TRY(run(o, name, "get", server, &answer, &ok));
        *ret_found = false;
        if (ok) {
                e = read_answer(name, answer, ret);
                *ret_found = !e;
        } else if (!strstr(answer, "credentials not found")) {
                e = failed(name, "get", answer);
        }
        explicit_bzero(answer, strlen(answer));
        return e;
}

err *helper_store(const struct registry_options *o, const char *name, const char *server,
                  const struct auth_credentials *c)
{
        _cleanup_free_ char *text = NULL, *answer = NULL;
        _cleanup_json_ json *doc = json_new_object();
        err *e;
        bool ok;

        json_set_str(doc, "ServerURL", server);
        json_set_str(doc, "Username", c->identity ? IDENTITY_USER : c->user);
        json_set_str(doc, "Secret", c->identity ? c->identity : c->password);
        TRY(json_print(doc, JSON_COMPACT, &text));
        e = run(o, name, "store", text, &answer, &ok);
        explicit_bzero(text, strlen(text));
        TRY(e);
        return ok ? NULL : failed(name, "store", answer);
}

err *helper_erase(const struct registry_options *o, const char *name, const char *server)
{
        _cleanup_free_ char *answer = NULL;
        bool ok;

        TRY(run(o, name, "erase", server, &answer, &ok));
        return ok || strstr(answer, "credentials not found") ? NULL : failed(name, "erase", answer);
}
