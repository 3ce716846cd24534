/* exec.c - sessions: more processes in the running container. Their standard streams are the client's; of a terminal
 * the master goes to the client, and a copy stays here, so that the session survives a client that leaves. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/trace.h"
#include "monitor/builder.h"
#include "oci/spec.h"
#include "runtime/runtime.h"
#include "sys/caps.h"

#define REQUEST_MAX (16u << 20) /* bytes of arguments and environment; the kernel's own limit is 6 MiB */

/* ---- in the builder ---- */

static err *request_strings(const struct proto_exec *x, const struct proto_packet *p, struct proto_exec_strings *ret)
{
        char *text = (char *)p->data + sizeof(*x);
        size_t size = p->size - sizeof(*x);

        if (x->flags & PROTO_EXEC_MEMFD) {
                int fd = p->fds[p->n_fds - 1], r;
                struct stat st;

                if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_SET) < 0)
                        return err_new(ERR_CORRUPT, "malformed request");
                r = file_read_fd(fd, REQUEST_MAX, &text, &size);
                if (r < 0)
                        return err_sys(-r, "reading the arguments");
        }
        return proto_exec_split(x, text, size, ret);
}

static bool same_variable(const char *a, const char *b)
{
        size_t n = strcspn(a, "=");

        return strncmp(a, b, n) == 0 && b[n] == '=';
}

/* The session's environment: the container's, then what the request adds (same names replaced), TERM with a terminal.
 * @base and @added stay (a builder frees nothing). */
static err *session_env(const struct monitor *m, char **base, char **added, bool tty, char ***ret)
{
        char **env = MEM_NEW0(char *, strv_len(base) + strv_len(added) + 2);
        size_t n = 0;

        if (!env)
                return err_nomem();
        for (char **p = base; p && *p; p++) {
                bool replaced = m->conf.term_added && same_variable("TERM", *p);

                for (char **q = added; *q && !replaced; q++)
                        replaced = same_variable(*q, *p);
                if (!replaced)
                        env[n++] = *p;
        }
        for (char **q = added; *q; q++)
                env[n++] = *q;
        if (tty && !strv_env(env, "TERM"))
                env[n] = (char *)"TERM=xterm";
        *ret = env;
        return NULL;
}

/* What docker gives a session: everything of the container's process but what the request names. */
static err *describe(const struct monitor *m, const struct proto_exec *x, const struct proto_exec_strings *s,
                     const struct oci_spec *spec, struct oci_process *ret)
{
        *ret = *spec->process;
        ret->args = s->argv;
        TRY(session_env(m, spec->process->env, s->envp, x->flags & PROTO_EXEC_TTY, &ret->env));
        if (*s->cwd)
                ret->cwd = s->cwd;
        ret->terminal = x->flags & PROTO_EXEC_TTY;
        ret->console_height = x->rows;
        ret->console_width = x->cols;
        if (x->flags & PROTO_EXEC_PRIVILEGED) {
                uint64_t all, effective, inheritable;
                int r = caps_get(&effective, &all, &inheritable);

                if (r < 0)
                        return err_sys(r, "reading our capabilities");

                ret->caps = (struct oci_caps){.set = true, .bounding = all, .effective = all, .permitted = all};
                ret->apparmor_profile = NULL;
        }
        TRY(builder_user(m, *s->user ? s->user : m->conf.user, m->rootfs, ret));
        return oci_process_check(ret);
}

static err *build(struct monitor *m, const struct proto_packet *p, struct runtime_process *ret)
{
        const struct proto_exec *x = p->data;
        struct proto_exec_strings strings;
        struct oci_process process;
        struct oci_spec *spec;
        char *keyring;
        struct runtime_exec r = {
                .id = m->conf.id,
                .status = "running",
                .pid = m->status.pid,
                .pidfd = m->init.fd,
                .cgroup = m->status.cgroup[0] ? m->status.cgroup : NULL,
                .stdio = {p->fds[0], p->fds[1], p->fds[2]},
                .fix_stdio_owner = true,
                .as_sibling = true,
                .shared_pid = faccessat(m->dirfd, STATUS_SHARED_PID, F_OK, 0) == 0,
                .seccomp_cache = str_empty(m->conf.seccomp_cache) ? NULL : m->conf.seccomp_cache,
                .seccomp_name = str_empty(m->conf.seccomp_name) ? NULL : m->conf.seccomp_name,
        };
        int bundle = -1;

        TRY(request_strings(x, p, &strings));
        r.keyring = keyring = str_format("_ses.%s", m->conf.id);
        if (!keyring)
                return err_nomem();
        if (x->flags & PROTO_EXEC_PRIVILEGED)
                TRY(status_share(m->dirfd, STATUS_SHARED_PID)); /* it may trace the sessions that come after it */
        TRY(builder_spec(m, &spec, &bundle));
        if (!spec->process)
                return err_new(ERR_INVALID, "config.json has no process");
        TRY(describe(m, x, &strings, spec, &process));
        if (!process.oom_score_adj_set)
                setup_oom_restore(m->oom_original);
        r.spec = spec;
        r.process = &process;
        return runtime_exec(&r, ret);
}

static _noreturn_ void build_and_report(struct monitor *m, int socket, const struct proto_packet *p)
{
        const struct proto_exec *x = p->data;
        struct runtime_process process = {.pidfd = -1, .terminal_fd = -1};
        err *e;

        trace_fd = x->flags & PROTO_EXEC_TRACE ? p->fds[3] : -1;
        e = build(m, p, &process);
        if (e)
                builder_fail(socket, e);
        builder_report(socket, process.pid, (int[BUILDER_FDS]){-1, process.terminal_fd, -1, -1, -1});
}

/* ---- in the monitor ---- */

static err *refusal(const struct monitor *m)
{
        if (m->phase == PHASE_DELAY || (m->phase == PHASE_STARTING && m->status.started_ns))
                return err_new(ERR_CONFLICT, "Container %s is restarting, wait until the container is running",
                               m->conf.id);
        if (m->phase != PHASE_RUNNING)
                return err_new(ERR_NOT_RUNNING, "container %s is not running", m->conf.id);
        if (m->status.state == STATUS_PAUSED)
                return err_new(ERR_CONFLICT, "Container %s is paused, unpause the container before exec",
                               str_empty(m->conf.name) ? m->conf.id : m->conf.name);
        return NULL;
}

void exec_begin(struct monitor *m, struct client *c, struct proto_packet *p)
{
        const struct proto_exec *x = p->data;
        size_t fds = 3 + !!(x->flags & PROTO_EXEC_TRACE) + !!(x->flags & PROTO_EXEC_MEMFD);
        struct builder *b = NULL;
        int socket;
        err *e = refusal(m);

        if (!e && c->left) /* it waited for the answer until it gave us up, and said that nothing was run */
                e = err_new(ERR_INTERRUPTED, "nobody waits for the session");
        if (!e && (p->n_fds != fds || c->session || c->streams))
                e = err_new(ERR_CORRUPT, "malformed request");
        if (!e)
                e = builder_fork(m, c, &b, &socket);
        if (e) {
                client_error(m, c, e);
                return;
        }
        if (!b)
                build_and_report(m, socket, p);
        b->is_exec = true;
        b->detach = x->flags & PROTO_EXEC_DETACH;
}

static void on_terminal(struct monitor *m, struct source *s, uint32_t events)
{
        char nowhere[4096];
        ssize_t n = read(s->fd, nowhere, sizeof(nowhere));

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                loop_watch(m, s, 0); /* its last user has gone; closed when the process is reaped */
}

/* Nobody else reads the terminal any more: a session must not block in writing to it. */
static void drain_terminal(struct monitor *m, struct session *s)
{
        if (s->terminal.fd < 0)
                return;
        (void)file_set_nonblock(s->terminal.fd, true);
        loop_watch(m, &s->terminal, EPOLLIN);
}

void exec_done(struct monitor *m, struct builder *b, pid_t pid, int terminal)
{
        struct proto_started started = {.pid = pid};
        struct session *s = MEM_NEW0(struct session, 1);

        if (!s) {
                /* A process that nobody can wait for must not go on. */
                (void)kill(pid, SIGKILL);
                (void)file_close(terminal);
                if (b->client)
                        client_error(m, b->client, err_nomem());
                return;
        }
        *s = (struct session){
                .terminal = {on_terminal, terminal, 0}, .next = m->sessions, .pid = pid, .detach = b->detach};
        m->sessions = s;
        if (b->client && !b->detach) {
                s->client = b->client;
                b->client->session = s;
        }
        client_send(m, b->client, PROTO_STARTED, &started, sizeof(started), &terminal, terminal >= 0);
        if (!s->client)
                drain_terminal(m, s);
}

bool exec_reaped(struct monitor *m, pid_t pid, int status)
{
        for (struct session **p = &m->sessions; *p; p = &(*p)->next) {
                struct session *s = *p;
                struct proto_exit exit = {.code = status_exit_code(status)};

                if (s->pid != pid)
                        continue;
                *p = s->next;
                loop_close(m, &s->terminal);
                if (s->client) {
                        s->client->session = NULL;
                        client_send(m, s->client, PROTO_EXIT, &exit, sizeof(exit), NULL, 0);
                }
                free(s);
                return true;
        }
        return false;
}

void exec_client_gone(struct monitor *m, struct session *s)
{
        s->client = NULL;
        drain_terminal(m, s);
}

void exec_signal(struct monitor *m, struct client *c, int signal)
{
        /* Ours and not reaped yet: the pid cannot be anybody else's. */
        if (kill(c->session->pid, signal) < 0)
                client_error(m, c, err_sys(errno, "sending signal %d to the session", signal));
        else
                client_ok(m, c);
}

void exec_resize(struct session *s, unsigned rows, unsigned cols)
{
        struct winsize w = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

        if (s->terminal.fd >= 0)
                (void)ioctl(s->terminal.fd, TIOCSWINSZ, &w);
}
