/* client.c - connections: accepting, taking requests apart, sending what is due. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "monitor/monitor.h"
#include "runtime/runtime.h"
#include "sys/process.h"

#define BACKLOG 64
#define INPUT_HIGH (128u << 10) /* a client that does not wait for STDIN_OK is not read any more beyond this */
#define PACKET_KEEP 16384       /* bytes of the packet buffer that may stay in memory */

/* ---- connections ---- */

void client_update(struct monitor *m, struct client *c)
{
        uint32_t events = 0;

        if (c->dead)
                return;
        if (c->input_to - c->input_from < INPUT_HIGH)
                events |= EPOLLIN;
        if (client_owes(c))
                events |= EPOLLOUT;
        loop_watch(m, &c->source, events);
}

bool client_owes(const struct client *c)
{
        return !c->dead && (c->exit_due || c->chunk_due || c->stdin_ok_due || c->tail_at != TAIL_NONE);
}

static void stop_tracing(struct client *c)
{
        /* A reader that waits for the end of the pipe must not wait for us. */
        if (c->starter)
                trace_fd = file_close(trace_fd);
}

static void thaw(struct monitor *m)
{
        err *e = runtime_cgroup_freeze(m->status.cgroup, false);

        if (!e)
                m->status.state = STATUS_RUNNING;
        err_free(e);
        exit_publish(m);
}

void client_drop(struct monitor *m, struct client *c)
{
        if (c->dead)
                return;
        c->dead = true;
        io_detach(m, c);
        builder_forget_client(m, c);
        if (c->session)
                exec_client_gone(m, c->session);
        c->session = NULL;
        if (c->holds_pause && m->status.state == STATUS_PAUSED)
                thaw(m);
        stop_tracing(c);
        loop_close(m, &c->source);
        free(c->input);
        c->input = NULL;
        if (c->cleaner || c->waits || (c->starter && m->phase == PHASE_FAILED))
                exit_cleaner_gone(m);
}

void client_reap(struct monitor *m)
{
        for (struct client **p = &m->clients; *p;) {
                struct client *c = *p;

                if (!c->dead) {
                        p = &c->next;
                        continue;
                }
                *p = c->next;
                free(c);
        }
}

/* ---- answers ---- */

void client_send(struct monitor *m, struct client *c, enum proto_type type, const void *data, size_t size,
                 const int *fds, size_t n_fds)
{
        int r;

        if (!c || c->dead)
                return;
        r = proto_try_send(c->source.fd, type, data, size, fds, n_fds);
        /* Full: an attached client that does not read. It does not wait for answers either. */
        if (r < 0 && r != -EAGAIN)
                client_drop(m, c);
}

void client_ok(struct monitor *m, struct client *c)
{
        client_send(m, c, PROTO_OK, NULL, 0, NULL, 0);
}

void client_error(struct monitor *m, struct client *c, err *e)
{
        union {
                struct proto_error x;
                char packet[sizeof(struct proto_error) + 2048];
        } u;

        u.x.code = err_code(e);
        u.x.errnum = err_errno(e);
        (void)err_text(e, u.x.text, 2048);
        err_free(e);
        client_send(m, c, PROTO_ERROR, &u, sizeof(u.x) + strlen(u.x.text), NULL, 0);
}

void client_flush(struct monitor *m, struct client *c)
{
        int r = 0;

        if (c->stdin_ok_due) {
                r = proto_try_send(c->source.fd, PROTO_STDIN_OK, NULL, 0, NULL, 0);
                c->stdin_ok_due = r == -EAGAIN;
        }
        if (r == 0)
                r = io_flush(m, c);
        if (r == 0 && c->exit_due) {
                r = proto_try_send(c->source.fd, PROTO_EXIT, &m->last_exit, sizeof(m->last_exit), NULL, 0);
                c->exit_due = r == -EAGAIN;
        }
        if (r < 0 && r != -EAGAIN)
                client_drop(m, c);
        client_update(m, c);
}

void client_exit_all(struct monitor *m)
{
        for (struct client *c = m->clients; c; c = c->next) {
                if (c->dead || !c->want_exit)
                        continue;
                c->want_exit = false;
                c->exit_due = true;
                c->streams = 0; /* what is still to come of this run is in the tail */
                client_flush(m, c);
        }
}

/* ---- requests ---- */

static err *not_running(const struct monitor *m)
{
        return err_new(ERR_NOT_RUNNING, "container %s is not running", m->conf.id);
}

static void on_start(struct monitor *m, struct client *c, struct proto_packet *p)
{
        const struct proto_start *s = p->data;

        if (m->phase != PHASE_IDLE) {
                client_error(m, c, err_new(ERR_CONFLICT, "container %s has been started already", m->conf.id));
                return;
        }
        if (p->n_fds) {
                trace_fd = TAKE_FD(p->fds[0]);
                (void)file_set_nonblock(trace_fd, true);
        }
        c->starter = true;
        c->cleaner = s->flags & PROTO_START_CLEANUP;
        c->lingers = c->cleaner && s->flags & PROTO_START_LINGER;
        c->want_exit |= c->cleaner;
        m->rows = s->rows;
        m->cols = s->cols;
        start_begin(m, c);
}

static void on_attach(struct monitor *m, struct client *c, const struct proto_attach *a)
{
        const char *why =
                m->phase == PHASE_ENDED || m->phase == PHASE_FAILED
                        ? "You cannot attach to a stopped container, start it first"
                : m->phase == PHASE_DELAY ? "You cannot attach to a restarting container, wait until it is running"
                : m->status.state == STATUS_PAUSED ? "You cannot attach to a paused container, unpause it first"
                                                   : NULL;

        if (why) {
                client_error(m, c, err_new(ERR_CONFLICT, "%s", why));
                return;
        }
        client_send(m, c, PROTO_ATTACHED, NULL, 0, NULL, 0);
        c->want_exit = true;
        io_attach(m, c, a->streams);
        if (a->rows && a->cols)
                io_resize(m, a->rows, a->cols);
}

static void on_wait(struct monitor *m, struct client *c)
{
        c->want_exit = c->waits = true;
        if (m->phase != PHASE_ENDED && m->phase != PHASE_FAILED)
                return;
        c->want_exit = false;
        c->exit_due = true;
        client_flush(m, c);
}

err *client_signal_init(struct monitor *m, int signal, bool stopping)
{
        int r;

        if (m->phase == PHASE_STARTING) {
                start_signal(m, signal);
                return NULL;
        }
        r = process_signal(m->init.fd, signal);

        if (r == -ESRCH)
                return not_running(m);
        if (r < 0)
                return err_sys(-r, "sending signal %d to container %s", signal, m->conf.id);
        /* What is frozen does not even die (v1; a frozen v2 cgroup lets SIGKILL through). */
        if ((signal == SIGKILL || stopping) && m->status.state == STATUS_PAUSED) {
                TRY(runtime_cgroup_freeze(m->status.cgroup, false));
                m->status.state = STATUS_RUNNING;
                exit_publish(m);
        }
        return NULL;
}

static void on_signal(struct monitor *m, struct client *c, const struct proto_signal *s)
{
        bool delayed = m->phase == PHASE_DELAY;
        err *e = NULL;

        if (s->signal < 1 || s->signal > 64) {
                client_error(m, c, err_new(ERR_INVALID, "the linux daemon does not support signal %d", s->signal));
                return;
        }
        if (c->session) {
                exec_signal(m, c, s->signal);
                return;
        }
        if (s->flags & PROTO_SIGNAL_STOPPING)
                exit_stopping(m);
        if (s->flags >> PROTO_SIGNAL_KILL_SHIFT)
                exit_kill_after(m, (s->flags >> PROTO_SIGNAL_KILL_SHIFT) - 1);
        if (m->phase != PHASE_RUNNING && m->phase != PHASE_STARTING)
                e = delayed && m->stopping ? NULL : not_running(m); /* it was to start again: now it is not */
        else if (m->phase == PHASE_RUNNING && s->flags & PROTO_SIGNAL_ALL)
                e = runtime_cgroup_kill(m->status.cgroup, s->signal);
        else
                e = client_signal_init(m, s->signal, s->flags & PROTO_SIGNAL_STOPPING);
        if (e)
                client_error(m, c, e);
        else
                client_ok(m, c);
}

static void on_pause(struct monitor *m, struct client *c, bool pause, const struct proto_packet *p)
{
        struct proto_pause how = {0};
        err *e = NULL;

        if (p->size >= sizeof(how))
                memcpy(&how, p->data, sizeof(how));
        if (m->phase != PHASE_RUNNING)
                e = pause ? not_running(m) : err_new(ERR_CONFLICT, "Container %s is not paused", m->conf.id);
        else if (pause && m->status.state == STATUS_PAUSED)
                e = err_new(ERR_CONFLICT, "Container %s is already paused", m->conf.id);
        else if (!pause && m->status.state != STATUS_PAUSED)
                e = err_new(ERR_CONFLICT, "Container %s is not paused", m->conf.id);
        if (!e)
                e = runtime_cgroup_freeze(m->status.cgroup, pause);
        if (e) {
                client_error(m, c, e);
                return;
        }
        m->status.state = pause ? STATUS_PAUSED : STATUS_RUNNING;
        c->holds_pause = pause && how.flags & PROTO_PAUSE_HELD;
        exit_publish(m);
        client_ok(m, c);
}

static void on_status(struct monitor *m, struct client *c)
{
        char text[STATUS_TEXT_MAX];
        size_t size;
        err *e = status_format(&m->status, text, sizeof(text), &size);

        if (e)
                client_error(m, c, e);
        else
                client_send(m, c, PROTO_STATUS, text, size, NULL, 0);
}

static void on_rootfs(struct monitor *m, struct client *c)
{
        if (m->phase != PHASE_RUNNING || m->rootfs < 0)
                client_error(m, c, not_running(m));
        else
                client_send(m, c, PROTO_OK, NULL, 0, &m->rootfs, 1);
}

static void on_network(struct monitor *m, struct client *c)
{
        err *e = nameserver_refresh(m);

        watch_refresh(m);
        if (e)
                client_error(m, c, e);
        else
                client_ok(m, c);
}

static void on_resize(struct monitor *m, struct client *c, const struct proto_resize *r)
{
        if (c->session)
                exec_resize(c->session, r->rows, r->cols);
        else
                io_resize(m, r->rows, r->cols);
        client_ok(m, c);
}

static void on_ports(struct monitor *m, struct client *c)
{
        err *e = m->phase == PHASE_RUNNING || m->phase == PHASE_STARTING || m->phase == PHASE_DELAY ? ports_reload(m)
                                                                                                    : not_running(m);

        if (e)
                client_error(m, c, e);
        else
                client_ok(m, c);
}

static void dispatch(struct monitor *m, struct client *c, struct proto_packet *p)
{
        switch (p->type) {
        case PROTO_START:
                on_start(m, c, p);
                break;
        case PROTO_ATTACH:
                on_attach(m, c, p->data);
                break;
        case PROTO_STDIN:
                io_stdin(m, c, p->data, p->size);
                break;
        case PROTO_STDIN_EOF:
                io_stdin_eof(m, c);
                break;
        case PROTO_WAIT:
                on_wait(m, c);
                break;
        case PROTO_EXEC:
                exec_begin(m, c, p);
                break;
        case PROTO_SIGNAL:
                on_signal(m, c, p->data);
                break;
        case PROTO_RESIZE:
                on_resize(m, c, p->data);
                break;
        case PROTO_PAUSE:
        case PROTO_RESUME:
                on_pause(m, c, p->type == PROTO_PAUSE, p);
                break;
        case PROTO_STATUS:
                on_status(m, c);
                break;
        case PROTO_ROOTFS:
                on_rootfs(m, c);
                break;
        case PROTO_DETACH:
                io_detach(m, c);
                c->want_exit = false;
                break;
        case PROTO_CLEANED:
                if (p->n_fds && m->parting < 0) /* closed with us */
                        m->parting = TAKE_FD(p->fds[0]);
                exit_cleaned(m);
                break;
        case PROTO_PORTS:
                on_ports(m, c);
                break;
        case PROTO_NETWORK:
                on_network(m, c);
                break;
        }
        client_update(m, c);
}

/* One packet. False when there is none (or no client any more). */
static bool read_one(struct monitor *m, struct client *c)
{
        struct proto_packet p = {.data = m->packet, .room = sizeof(m->packet)};
        int r = proto_try_receive(c->source.fd, &p);

        if (r == -EAGAIN)
                return false;
        if (r == -EPROTONOSUPPORT)
                client_error(m, c,
                             err_new(ERR_UNSUPPORTED, "the container's monitor speaks version %d of the protocol",
                                     PROTO_VERSION));
        else if (r == -EBADMSG)
                client_error(m, c, err_new(ERR_CORRUPT, "malformed request"));
        if (r <= 0) {
                client_drop(m, c);
                return false;
        }
        dispatch(m, c, &p);
        proto_packet_close(&p);
        /* A large request is rare; its pages need not stay. */
        if (p.size > PACKET_KEEP) {
                uintptr_t from = ((uintptr_t)m->packet + PACKET_KEEP) & ~(uintptr_t)4095;
                uintptr_t to = ((uintptr_t)m->packet + sizeof(m->packet)) & ~(uintptr_t)4095;

                (void)madvise((void *)from, to - from, MADV_DONTNEED);
        }
        return !c->dead;
}

void client_drain(struct monitor *m, struct client *c)
{
        while (read_one(m, c))
                ;
}

static void on_client(struct monitor *m, struct source *s, uint32_t events)
{
        struct client *c = (struct client *)s;

        if (events & EPOLLOUT)
                client_flush(m, c);
        if (c->dead || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                return;
        c->left = events & EPOLLHUP;
        (void)read_one(m, c);
}

struct client *client_new(struct monitor *m, int fd)
{
        struct client *c = MEM_NEW0(struct client, 1);

        if (!c) {
                (void)file_close(fd);
                return NULL;
        }
        c->source = (struct source){on_client, fd, 0};
        c->tail_at = TAIL_NONE;
        c->next = m->clients;
        m->clients = c;
        client_update(m, c);
        return c;
}

static void on_connect(struct monitor *m, struct source *s, uint32_t events)
{
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0)
                (void)client_new(m, fd);
}

/* Serve the socket. A failure leaves a container that only the first client can talk to, which is better than none. */
void client_listen(struct monitor *m)
{
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int r;

        if (fd < 0 || fchmod(fd, 0600) < 0) /* what bind() gives the file */
                return;
        (void)snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/monitor.sock", m->dirfd);
        r = bind(fd, (struct sockaddr *)&a, sizeof(a));
        if (r < 0 && errno == EADDRINUSE && unlinkat(m->dirfd, "monitor.sock", 0) == 0)
                r = bind(fd, (struct sockaddr *)&a, sizeof(a)); /* of a monitor that has died: we hold the lock */
        if (r < 0 || listen(fd, BACKLOG) < 0)
                return;
        m->listener = (struct source){on_connect, TAKE_FD(fd), 0};
        loop_watch(m, &m->listener, EPOLLIN);
}
