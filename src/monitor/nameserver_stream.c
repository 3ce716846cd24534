/* nameserver_stream.c - clients by TCP: one query at a time, each message after its length (RFC 7766). There are so
 * many connections and no more: the one that has been silent for longest makes room, so that those who open a thousand
 * keep nobody from being served. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/file.h"
#include "monitor/nameserver.h"

#define SILENCE (30 * NAMESERVER_SECOND)
#define LENGTH 2
#define ROOM (LENGTH + NAMESERVER_QUERY_MAX)
#define BATCH 16

static void queue_add(struct nameserver *s, struct nameserver_stream *c)
{
        c->deadline = loop_now_ns() + SILENCE;
        c->older = s->newest_stream;
        c->newer = NULL;
        *(c->older ? &c->older->newer : &s->oldest_stream) = c;
        s->newest_stream = c;
}

static void queue_take(struct nameserver *s, struct nameserver_stream *c)
{
        *(c->older ? &c->older->newer : &s->oldest_stream) = c->newer;
        *(c->newer ? &c->newer->older : &s->newest_stream) = c->older;
}

void nameserver_stream_close(struct monitor *m, struct nameserver_stream *c)
{
        struct nameserver *s = m->nameserver;

        if (c->source.fd < 0)
                return;
        queue_take(s, c);
        s->n_streams--;
        loop_close(m, &c->source);
        if (c->forward)
                nameserver_forward_drop(m, c->forward);
        c->next = s->dead_stream; /* freed at the end of the round */
        s->dead_stream = c;
}

static void update(struct monitor *m, struct nameserver_stream *c)
{
        /* The next query is read when the last one has been answered. (A hang-up is seen then.) */
        loop_watch(m, &c->source, c->out ? EPOLLOUT : c->forward ? 0 : EPOLLIN);
}

/* Send what is due. False: the connection has ended. */
static bool flush(struct monitor *m, struct nameserver_stream *c)
{
        ssize_t n;

        if (!c->out)
                return true;
        n = send(c->source.fd, c->out + c->sent, c->size - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN) {
                nameserver_stream_close(m, c);
                return false;
        }
        c->sent += n < 0 ? 0 : (size_t)n;
        if (c->sent < c->size)
                return true;
        free(c->out);
        c->out = NULL;
        return true;
}

/* Take queries out of what was read, as long as they are answered at once. */
static void take_queries(struct monitor *m, struct nameserver_stream *c)
{
        struct nameserver_asker a = {.stream = c};

        while (!c->forward && !c->out && c->got >= LENGTH) {
                size_t size = dns_id(c->in); /* the first two bytes */

                if (LENGTH + size <= ROOM && c->got < LENGTH + size)
                        return;
                if (LENGTH + size > ROOM || !nameserver_handle(m, c->in + LENGTH, size, &a))
                        nameserver_stream_close(m, c);
                if (c->source.fd < 0)
                        return;
                c->got -= LENGTH + size;
                memmove(c->in, c->in + LENGTH + size, c->got);
        }
}

static void go_on(struct monitor *m, struct nameserver_stream *c)
{
        c->taking = true;
        take_queries(m, c);
        c->taking = false;
        nameserver_names_release(&m->nameserver->names);
        if (c->source.fd < 0)
                return;
        if (!c->got && !c->forward) {
                free(c->in);
                c->in = NULL;
        }
        update(m, c);
}

void nameserver_stream_reply(struct monitor *m, struct nameserver_stream *c, const unsigned char *message, size_t size)
{
        if (c->source.fd < 0)
                return;
        c->out = malloc(LENGTH + size);
        if (!c->out || size > UINT16_MAX) {
                nameserver_stream_close(m, c);
                return;
        }
        dns_set_id(c->out, (uint16_t)size);
        memcpy(c->out + LENGTH, message, size);
        c->size = LENGTH + size;
        c->sent = 0;
        if (flush(m, c) && !c->taking)
                go_on(m, c);
}

static bool receive(struct monitor *m, struct nameserver_stream *c)
{
        ssize_t n;

        if (!c->in)
                c->in = malloc(ROOM);
        n = c->in && c->got < ROOM ? recv(c->source.fd, c->in + c->got, ROOM - c->got, MSG_DONTWAIT) : 0;
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
                nameserver_stream_close(m, c);
                return false;
        }
        c->got += n < 0 ? 0 : (size_t)n;
        return true;
}

static void on_event(struct monitor *m, struct source *source, uint32_t events)
{
        struct nameserver_stream *c = (struct nameserver_stream *)source;
        struct nameserver *s = m->nameserver;

        queue_take(s, c);
        queue_add(s, c);
        if (c->out ? flush(m, c) : receive(m, c))
                go_on(m, c);
}

/* Room for one more: the one that has been silent for longest goes, if possible one that waits for nothing. */
static void make_room(struct monitor *m)
{
        struct nameserver *s = m->nameserver;
        struct nameserver_stream *c = s->oldest_stream;

        while (c && c->forward)
                c = c->newer;
        if (c || s->oldest_stream)
                nameserver_stream_close(m, c ? c : s->oldest_stream);
}

void nameserver_stream_accept(struct monitor *m, struct source *source, uint32_t events)
{
        struct nameserver *s = m->nameserver;

        for (int i = 0; i < BATCH; i++) {
                int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                struct nameserver_stream *c;

                if (fd < 0) {
                        /* Who is privileged in the container can end the socket itself: it would be ready for ever. */
                        if (errno == EINVAL)
                                loop_close(m, source);
                        return;
                }
                if (s->n_streams >= NAMESERVER_STREAMS)
                        make_room(m);
                c = loop_is_scarce(fd) ? NULL : MEM_NEW0(struct nameserver_stream, 1);
                if (!c) {
                        (void)file_close(fd);
                        return;
                }
                c->source = (struct source){on_event, fd, 0};
                s->n_streams++;
                queue_add(s, c);
                update(m, c);
        }
}

void nameserver_stream_timers(struct monitor *m, int64_t now)
{
        struct nameserver *s = m->nameserver;

        while (s->oldest_stream && s->oldest_stream->deadline <= now)
                nameserver_stream_close(m, s->oldest_stream);
}
