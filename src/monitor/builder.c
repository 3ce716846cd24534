/* builder.c - short-lived forks that do what needs memory, parses JSON or can crash: the runtime library runs in them.
 *
 * A builder answers on its socket with the packets of protocol.h: STATUS with the cgroup's path as soon as that is
 * known, then STARTED with the descriptors named in struct built, or ERROR. No answer means that it died. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/trace.h"
#include "monitor/builder.h"
#include "monitor/user.h"
#include "oci/spec.h"
#include "runtime/runtime.h"
#include "sys/process.h"

struct built {
        int32_t pid;
        uint8_t has[BUILDER_FDS]; /* which of them were sent, in this order */
};

/* ---- in the builder ---- */

_noreturn_ void builder_report(int socket, pid_t pid, const int fds[BUILDER_FDS])
{
        struct built b = {.pid = pid};
        int list[BUILDER_FDS];
        size_t n = 0;
        err *e;

        for (int i = 0; i < BUILDER_FDS; i++) {
                b.has[i] = fds[i] >= 0;
                if (fds[i] >= 0)
                        list[n++] = fds[i];
        }
        e = proto_send(socket, PROTO_STARTED, &b, sizeof(b), list, n);
        if (e && fds[BUILDER_PIDFD] >= 0) /* the monitor has died: nobody would know of this process */
                (void)process_signal(fds[BUILDER_PIDFD], SIGKILL);
        err_free(e);
        _exit(0);
}

_noreturn_ void builder_fail(int socket, err *e)
{
        char packet[sizeof(struct proto_error) + 2048];
        struct proto_error *x = (struct proto_error *)packet;

        *x = (struct proto_error){.code = err_code(e), .errnum = err_errno(e)};
        (void)err_text(e, x->text, 2048);
        err_free(proto_send(socket, PROTO_ERROR, packet, sizeof(*x) + strlen(x->text), NULL, 0));
        _exit(1);
}

void builder_say_cgroup(int socket, const char *path)
{
        err_free(proto_send(socket, PROTO_STATUS, path, strlen(path), NULL, 0));
}

/* The list belongs to the spec; a copy of the pointers is ours to extend. @variable is consumed. */
static err *add_env(struct oci_process *process, char *variable)
{
        size_t n = strv_len(process->env);
        char **env = MEM_NEW0(char *, n + 2);

        if (!env)
                return err_nomem();
        if (n)
                memcpy(env, process->env, n * sizeof(*env));
        env[n] = variable;
        process->env = env;
        return NULL;
}

err *builder_user(const struct monitor *m, const char *text, int rootfs, struct oci_process *process)
{
        struct user u;
        char *home;

        TRY(user_resolve(rootfs, text, m->conf.groups, &u));
        process->user.uid = u.uid;
        process->user.gid = u.gid;
        process->user.groups = u.groups;
        process->user.n_groups = u.n_groups;
        if (strv_env(process->env, "HOME"))
                return NULL;
        home = str_format("HOME=%s", u.home);
        if (!home)
                return err_nomem();
        return add_env(process, home);
}

err *builder_spec(const struct monitor *m, struct oci_spec **ret, int *ret_bundle)
{
        struct trace_span span = trace_begin(TRACE_SPEC_READ);
        _cleanup_close_ int bundle = open(m->conf.bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct oci_spec *spec;

        if (bundle < 0)
                return err_sys(errno, "opening %s", m->conf.bundle);
        TRY(oci_spec_read(bundle, "config.json", &spec));
        TRY(oci_spec_check(spec)); /* (a builder frees nothing: it ends) */
        trace_end(&span, 0, m->conf.bundle);
        *ret = spec;
        *ret_bundle = TAKE_FD(bundle);
        return NULL;
}

/* ---- in the monitor ---- */

/* Take the answer apart. */
static err *read_built(struct proto_packet *p, pid_t *ret_pid, int fds[BUILDER_FDS])
{
        size_t n = 0, wanted = 0;
        struct built b;

        if (p->size != sizeof(b))
                return err_new(ERR_INTERNAL, "the builder's answer is malformed");
        memcpy(&b, p->data, sizeof(b));
        for (int i = 0; i < BUILDER_FDS; i++)
                wanted += b.has[i];
        if (p->n_fds != wanted || b.pid <= 0)
                return err_new(ERR_INTERNAL, "the builder's answer is malformed");
        for (int i = 0; i < BUILDER_FDS; i++)
                fds[i] = b.has[i] ? TAKE_FD(p->fds[n]) : -1, n += b.has[i];
        p->n_fds = 0;
        *ret_pid = b.pid;
        return NULL;
}

static err *read_error(const struct proto_packet *p)
{
        const struct proto_error *x = p->data;

        if (p->size < sizeof(*x) || x->code == 0 || x->code >= ERR_CODE_MAX_)
                return err_new(ERR_INTERNAL, "the builder's answer is malformed");
        return err_new((enum err_code)x->code, "%.*s", (int)(p->size - sizeof(*x)), x->text);
}

static void unlink_builder(struct monitor *m, struct builder *b)
{
        for (struct builder **p = &m->builders; *p; p = &(*p)->next)
                if (*p == b) {
                        *p = b->next;
                        break;
                }
        free(b);
        /* While a builder works, children that we do not know yet are not reaped: look again. */
        m->look_for_children = true;
}

static void finish(struct monitor *m, struct builder *b, struct proto_packet *p, err *e)
{
        int fds[BUILDER_FDS] = {-1, -1, -1, -1, -1};
        pid_t pid = 0;

        if (!e)
                e = p->type == PROTO_STARTED ? read_built(p, &pid, fds) : read_error(p);
        loop_close(m, &b->source);
        if (e && b->is_exec) {
                if (b->client)
                        client_error(m, b->client, e);
                else
                        err_free(e);
        } else if (e) {
                start_failed(m, b->client, e);
        } else if (b->is_exec) {
                exec_done(m, b, pid, TAKE_FD(fds[BUILDER_TERMINAL]));
                for (int i = 0; i < BUILDER_FDS; i++)
                        (void)file_close(fds[i]);
        } else {
                start_done(m, b->client, pid, fds);
        }
        unlink_builder(m, b);
}

static void on_answer(struct monitor *m, struct source *s, uint32_t events)
{
        struct builder *b = (struct builder *)s;
        struct proto_packet p = {.data = m->packet, .room = sizeof(m->packet)};
        err *e = proto_receive(s->fd, &p);

        if (!e && p.type == PROTO_STATUS && !b->is_exec) {
                size_t n = p.size < sizeof(m->status.cgroup) ? p.size : sizeof(m->status.cgroup) - 1;

                memcpy(m->status.cgroup, p.data, n);
                m->status.cgroup[n] = '\0';
                proto_packet_close(&p);
                return;
        }
        if (e) {
                err_free(e);
                e = err_new(ERR_INTERNAL, "the process that builds the %s crashed; nothing of it is left",
                            b->is_exec ? "session" : "container");
                /* Whatever it had made until then is in the cgroup that it told us of. */
                if (!b->is_exec && m->status.cgroup[0])
                        err_free(runtime_cgroup_remove(m->status.cgroup, 2000));
        }
        finish(m, b, &p, e);
        proto_packet_close(&p);
}

err *builder_fork(struct monitor *m, struct client *c, struct builder **ret, int *ret_socket)
{
        _cleanup_close_ int ours = -1, theirs = -1;
        struct builder *b;
        int pair[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_sys(errno, "making a socket pair");
        ours = pair[0];
        theirs = pair[1];
        b = MEM_NEW0(struct builder, 1);
        if (!b)
                return err_nomem();
        pid = fork();
        if (pid < 0) {
                free(b);
                return err_sys(errno, "fork");
        }
        if (pid == 0) {
                setup_builder();
                /* The parent's end must not be kept open here: its closing tells us nothing, but ours tells it. */
                (void)file_close(TAKE_FD(ours));
                *ret = NULL;
                *ret_socket = TAKE_FD(theirs);
                return NULL;
        }
        *b = (struct builder){.source = {on_answer, TAKE_FD(ours), 0}, .next = m->builders, .client = c, .pid = pid};
        m->builders = b;
        loop_watch(m, &b->source, EPOLLIN);
        *ret = b;
        return NULL;
}

void builder_forget_client(struct monitor *m, struct client *c)
{
        for (struct builder *b = m->builders; b; b = b->next)
                if (b->client == c)
                        b->client = NULL;
}
