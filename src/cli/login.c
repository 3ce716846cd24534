/* login.c - `hod login` and `hod logout`. */
#include <errno.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/registry_args.h"
#include "cli/ui.h"
#include "engine/login.h"

#define SECRET_MAX 65536
#define CTRL_C 3

struct login_args {
        const char *user, *password, *auth_file, *cert_dir;
        bool password_stdin, tls_verify;
};

/* ---- asking a person ---- */

/* One line from standard input; without echo when it is a secret. Ctrl-C is a character then that ends the line: as a
 * signal it would leave the terminal without echo. */
static err *ask(const char *prompt, bool secret, char **ret)
{
        struct termios was, quiet;
        char line[4096];
        bool stop;
        ssize_t n;

        if (secret) {
                if (tcgetattr(STDIN_FILENO, &was) < 0)
                        return err_sys(errno, "reading the terminal's settings");
                quiet = was;
                quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
                quiet.c_cc[VEOL] = CTRL_C;
                if (tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet) < 0)
                        return err_sys(errno, "hiding what is typed");
        }
        (void)fputs(prompt, stdout);
        (void)fflush(stdout);
        n = read(STDIN_FILENO, line, sizeof(line) - 1); /* a terminal gives a line at a time */
        if (secret) {
                (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &was);
                (void)fputc('\n', stdout);
        }
        line[n > 0 ? n : 0] = '\0';
        stop = n <= 0 || strchr(line, CTRL_C);
        line[strcspn(line, "\r\n")] = '\0';
        *ret = stop ? NULL : str_dup(line);
        explicit_bzero(line, sizeof(line));
        return *ret ? NULL : stop ? err_new(ERR_INTERRUPTED, "interrupted") : err_nomem();
}

static err *no_terminal(void)
{
        return err_new(ERR_CALLER, "Cannot perform an interactive login from a non TTY device");
}

static err *from_stdin(char **ret)
{
        size_t n = 0;
        int r = file_read_fd(STDIN_FILENO, SECRET_MAX, ret, &n);

        if (r < 0)
                return err_sys(r, "reading the password from standard input");
        if (strlen(*ret) != n)
                return err_new(ERR_INVALID, "the password contains a NUL byte");
        if (n && (*ret)[n - 1] == '\n')
                (*ret)[--n] = '\0';
        if (n && (*ret)[n - 1] == '\r')
                (*ret)[--n] = '\0';
        return NULL;
}

static err *complete(const struct login_args *a, char **user, char **password)
{
        if (!*user) {
                if (!isatty(STDIN_FILENO))
                        return no_terminal();
                TRY(ask("Username: ", false, user));
        }
        if (!**user)
                return err_new(ERR_CALLER, "Non-null Username Required");
        if (a->password_stdin)
                TRY(from_stdin(password));
        if (!*password) {
                if (!isatty(STDIN_FILENO))
                        return no_terminal();
                TRY(ask("Password: ", true, password));
        }
        return **password ? NULL : err_new(ERR_CALLER, "Password Required");
}

/* ---- login ---- */

static err *check(const struct login_args *a)
{
        if (a->password && a->password_stdin)
                return err_new(ERR_CALLER, "conflicting options: cannot specify both --password and --password-stdin");
        if (a->password_stdin && str_empty(a->user))
                return err_new(ERR_CALLER, "the --password-stdin option requires --username to be set");
        if (a->password)
                (void)fputs("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n", stderr);
        return NULL;
}

/* With what is stored, when nothing else was said. */
static err *try_existing(const struct registry_options *o, const char *server, bool *ret_done)
{
        _cleanup_credentials_ struct auth_credentials c = {0};
        _cleanup_err_ err *e = NULL;

        *ret_done = false;
        TRY(login_existing(o, server, &c));
        if (!c.user && !c.identity)
                return NULL;
        (void)fprintf(stderr, "Authenticating with existing credentials... [Username: %s]\n",
                      c.user ? c.user : "<token>");
        (void)fputs("\n Info -> To login with a different account, run 'hod logout' followed by 'hod login'\n\n\n",
                    stderr);
        e = login_again(o, server, &c);
        *ret_done = !e;
        if (e && err_code(e) != ERR_DENIED)
                return TAKE_PTR(e);
        if (e) {
                char text[1024];

                (void)fprintf(stderr, "Login did not succeed, error: %s\n", err_text(e, text, sizeof(text)));
        }
        return NULL;
}

static err *login_with(const struct login_args *a, const struct registry_options *o, const char *server)
{
        _cleanup_free_ char *user = NULL, *password = NULL, *file = NULL;
        err *e;

        if (a->user)
                user = str_dup(a->user);
        if (a->password)
                password = str_dup(a->password);
        if ((a->user && !user) || (a->password && !password))
                return err_nomem();
        TRY(complete(a, &user, &password));
        e = login(o, server, user, password, &file);
        explicit_bzero(password, strlen(password));
        TRY(e);
        if (file)
                (void)fprintf(stderr,
                              "\nWARNING! Your credentials are stored unencrypted in '%s'.\n"
                              "Configure a credential helper to remove this warning. See\n"
                              "hod-login(1), \"credsStore\"\n\n",
                              file);
        return NULL;
}

static err *login_run(struct invocation *inv)
{
        const struct login_args *a = inv->args;
        _cleanup_free_ char *server = NULL;
        struct registry_options o;
        bool done = false;

        TRY(check(a));
        ui_registry(inv, &o);
        if (opt_given(inv, &a->tls_verify))
                o.tls_verify = a->tls_verify;
        o.auth_file = a->auth_file;
        o.cert_dir = a->cert_dir;
        TRY(login_server(inv->n_operands ? inv->operands[0] : NULL, &server));
        if (!a->user && !a->password)
                TRY(try_existing(&o, server, &done));
        if (!done)
                TRY(login_with(a, &o, server));
        (void)puts("Login Succeeded");
        return NULL;
}

static const struct opt login_opts[] = {
        OPT_STR(0, "authfile", struct login_args, auth_file, "path",
                "File to keep the credentials in, instead of docker's config.json", .env = "REGISTRY_AUTH_FILE",
                .complete = OPT_COMPLETE_FILE),
        OPT_STR(0, "cert-dir", struct login_args, cert_dir, "path",
                "Directory with *.crt, *.cert and *.key for the registry", .complete = OPT_COMPLETE_DIR),
        OPT_STR('p', "password", struct login_args, password, "string", "Password or Personal Access Token (PAT)"),
        OPT_FLAG(0, "password-stdin", struct login_args, password_stdin,
                 "Take the Password or Personal Access Token (PAT) from stdin"),
        OPT_FLAG(0, "tls-verify", struct login_args, tls_verify,
                 "Require HTTPS and verify the registry's certificate (default: as configured)"),
        OPT_STR('u', "username", struct login_args, user, "string", "Username"),
        OPT_END,
};

const struct command cmd_login = {
        .name = "login",
        .operands = "[SERVER]",
        .max_operands = 1,
        .summary = "Authenticate to a registry",
        .description =
                "The server is asked whether user name and password are right; then they are kept for pull and push. "
                "They go into docker's config.json ($DOCKER_CONFIG or ~/.docker), readable for you only but not "
                "encrypted, or to the credential helper that this file names: \"credHelpers\" has one for each "
                "registry, "
                "\"credsStore\" one for all. A helper NAME is a program docker-credential-NAME in a directory of PATH "
                "that "
                "nobody else can write to.\n"
                "\n"
                "Without a user name what is kept already is tried. Without SERVER it is docker.io.",
        .opts = login_opts,
        .args_size = sizeof(struct login_args),
        .run = login_run,
        .libraries = true,
};

/* ---- logout ---- */

struct logout_args {
        const char *auth_file;
};

static err *logout_run(struct invocation *inv)
{
        const struct logout_args *a = inv->args;
        _cleanup_free_ char *server = NULL;
        struct registry_options o;

        ui_registry(inv, &o);
        o.auth_file = a->auth_file;
        TRY(login_server(inv->n_operands ? inv->operands[0] : NULL, &server));
        (void)printf("Removing login credentials for %s\n", login_server_shown(server));
        TRY_WRAP(login_forget(&o, server), "could not erase credentials");
        return NULL;
}

static const struct opt logout_opts[] = {
        OPT_STR(0, "authfile", struct logout_args, auth_file, "path",
                "File that has the credentials, instead of docker's config.json", .env = "REGISTRY_AUTH_FILE",
                .complete = OPT_COMPLETE_FILE),
        OPT_END,
};

const struct command cmd_logout = {
        .name = "logout",
        .operands = "[SERVER]",
        .max_operands = 1,
        .summary = "Log out from a registry",
        .opts = logout_opts,
        .args_size = sizeof(struct logout_args),
        .run = logout_run,
};
