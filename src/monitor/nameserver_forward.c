/* nameserver_forward.c - queries that other servers answer. Each has a socket, hence a random port, and a random number
 * of its own for each try; a reply counts if it comes from there, has the number, and repeats the question. A server
 * that does not answer, or refuses, is followed by the next, twice round. All tries take the same time, so that the
 * queries in order of age are in the order of their deadlines. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "monitor/nameserver.h"

#define PATIENCE (2 * NAMESERVER_SECOND)
#define ROUNDS 2
#define FORGIVEN (60 * NAMESERVER_SECOND) /* then the first server is asked first again */
#define LENGTH 2
#define STRANGERS 16 /* looked at in one go */

static void try_next(struct monitor *m, struct nameserver_forward *f);

/* ---- the queue ---- */

static void queue_add(struct nameserver *s, struct nameserver_forward *f)
{
        f->deadline = loop_now_ns() + PATIENCE;
        f->older = s->newest;
        f->newer = NULL;
        *(f->older ? &f->older->newer : &s->oldest) = f;
        s->newest = f;
}

static void queue_take(struct nameserver *s, struct nameserver_forward *f)
{
        *(f->older ? &f->older->newer : &s->oldest) = f->newer;
        *(f->newer ? &f->newer->older : &s->newest) = f->older;
}

void nameserver_forward_drop(struct monitor *m, struct nameserver_forward *f)
{
        struct nameserver *s = m->nameserver;

        queue_take(s, f);
        s->n_forwards--;
        loop_close(m, &f->source);
        if (f->asker.stream)
                f->asker.stream->forward = NULL;
        f->next = s->dead; /* freed at the end of the round */
        s->dead = f;
}

/* The same query again, while it is being asked: whoever asks has less patience than we. */
static bool is_known(const struct nameserver *s, const unsigned char *message, size_t size,
                     const struct nameserver_asker *a)
{
        for (const struct nameserver_forward *f = s->oldest; f && !a->stream; f = f->newer)
                if (!f->asker.stream && f->client_id == dns_id(message) && f->size == size &&
                    f->asker.address.sin_port == a->address.sin_port &&
                    f->asker.address.sin_addr.s_addr == a->address.sin_addr.s_addr &&
                    memcmp(f->message + LENGTH + 2, message + 2, size - 2) == 0)
                        return true;
        return false;
}

/* ---- the end ---- */

static void fail(struct monitor *m, const unsigned char *message, const struct dns_query *q,
                 const struct nameserver_asker *a)
{
        unsigned char out[DNS_UDP_MIN];
        struct dns_reply r;

        dns_reply_begin(&r, out, sizeof(out), message, q);
        r.rcode = DNS_SERVFAIL;
        nameserver_reply(m, a, out, dns_reply_end(&r), sizeof(out));
}

static void give_up(struct monitor *m, struct nameserver_forward *f)
{
        struct nameserver_asker a = f->asker;
        struct dns_query q;

        nameserver_forward_drop(m, f);
        dns_set_id(f->message + LENGTH, f->client_id);
        if (dns_read_query(f->message + LENGTH, f->size, &q))
                fail(m, f->message + LENGTH, &q, &a);
}

struct told {
        struct monitor *m;
        struct dns_query query;
};

static void tell_address(void *arg, int family, const unsigned char *address, uint32_t ttl)
{
        const struct told *t = arg;

        t->m->names_told(t->m, t->query.name, family, address, ttl);
}

static void tell(struct monitor *m, const struct nameserver_forward *f, const unsigned char *reply, size_t size)
{
        struct told t = {.m = m};

        if (m->names_told && !f->inside && dns_read_query(f->message + LENGTH, f->size, &t.query))
                (void)dns_read_addresses(reply, size, tell_address, &t);
}

static void on_reply(struct monitor *m, struct nameserver_forward *f, unsigned char *reply, size_t size)
{
        unsigned rcode = DNS_RCODE(dns_flags(reply));
        struct nameserver_asker a = f->asker;

        if (rcode == DNS_SERVFAIL || rcode == DNS_REFUSED || rcode == DNS_NOTIMP) {
                f->failed |= (uint8_t)(1u << f->server);
                try_next(m, f);
                return;
        }
        dns_set_id(reply, f->client_id);
        tell(m, f, reply, size);
        nameserver_forward_drop(m, f);
        nameserver_reply(m, &a, reply, size, f->room);
}

/* ---- trying ---- */

static void broken(struct monitor *m, struct nameserver_forward *f)
{
        f->failed |= (uint8_t)(1u << f->server);
        try_next(m, f);
}

static bool is_reply(const struct nameserver_forward *f, const unsigned char *reply, size_t size)
{
        return dns_is_reply(reply, size, f->message + LENGTH, f->size, f->id);
}

static void on_datagram(struct monitor *m, struct source *source, uint32_t events)
{
        static unsigned char reply[65535];
        struct nameserver_forward *f = (struct nameserver_forward *)source;
        ssize_t n;

        /* What is not the reply is somebody else's attempt to give one. */
        for (int i = 0; i < STRANGERS; i++) {
                n = recv(source->fd, reply, sizeof(reply), MSG_DONTWAIT);
                if (n < 0 && errno != EAGAIN && errno != EINTR)
                        broken(m, f); /* nobody there */
                else if (n >= 0 && is_reply(f, reply, (size_t)n))
                        on_reply(m, f, reply, (size_t)n);
                else if (n >= 0)
                        continue;
                return;
        }
}

/* The next piece of length and message: 1 when all is there, 0, or -1. */
static int receive(struct nameserver_forward *f)
{
        unsigned char *all;
        ssize_t n;

        if (!f->reply) {
                f->reply = malloc(LENGTH);
                f->got = 0;
                f->want = LENGTH;
        }
        n = f->reply ? recv(f->source.fd, f->reply + f->got, f->want - f->got, MSG_DONTWAIT) : -1;
        if (n <= 0)
                return n < 0 && errno == EAGAIN ? 0 : -1;
        f->got += (size_t)n;
        if (f->got < f->want)
                return 0;
        if (f->want > LENGTH)
                return 1;
        f->want += dns_id(f->reply); /* the first two bytes */
        all = f->want < LENGTH + DNS_HEADER ? NULL : realloc(f->reply, f->want);
        if (!all)
                return -1;
        f->reply = all;
        return 0;
}

static void on_stream(struct monitor *m, struct source *source, uint32_t events)
{
        struct nameserver_forward *f = (struct nameserver_forward *)source;
        int r;

        if (f->connecting) {
                size_t size = LENGTH + f->size;

                /* It is the first of the connection: all of it fits, or it is no connection. */
                if (send(source->fd, f->message, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size) {
                        broken(m, f);
                        return;
                }
                f->connecting = false;
                loop_watch(m, source, EPOLLIN);
                return;
        }
        r = receive(f);
        if (r == 0)
                return;
        if (r < 0 || !is_reply(f, f->reply + LENGTH, f->got - LENGTH))
                broken(m, f);
        else
                on_reply(m, f, f->reply + LENGTH, f->got - LENGTH);
}

static bool begin_try(struct monitor *m, struct nameserver_forward *f, const struct nameserver_upstream *u)
{
        bool stream = f->asker.stream;
        int s;

        f->inside = nameserver_upstream_inside(m, u);
        s = nameserver_upstream_open(m, u, f->inside, stream ? SOCK_STREAM : SOCK_DGRAM);
        if (s < 0 || loop_is_scarce(s) || getrandom(&f->id, sizeof(f->id), 0) != sizeof(f->id)) {
                (void)file_close(s);
                return false;
        }
        dns_set_id(f->message + LENGTH, f->id);
        f->source = (struct source){stream ? on_stream : on_datagram, s, 0};
        f->connecting = stream;
        if (!stream && send(s, f->message + LENGTH, f->size, MSG_DONTWAIT) < 0) {
                loop_close(m, &f->source);
                return false;
        }
        loop_watch(m, &f->source, stream ? EPOLLOUT : EPOLLIN);
        return true;
}

static void try_next(struct monitor *m, struct nameserver_forward *f)
{
        struct nameserver *s = m->nameserver;
        const struct nameserver_upstreams *u = &s->upstreams;

        loop_close(m, &f->source);
        free(f->reply);
        f->reply = NULL;
        queue_take(s, f);
        queue_add(s, f);
        for (; f->tries < ROUNDS * u->n; f->tries++) {
                f->server = (uint8_t)((f->first + f->tries) % u->n);
                if (f->failed & 1u << f->server)
                        continue;
                if (begin_try(m, f, &u->server[f->server])) {
                        f->tries++;
                        return;
                }
                f->failed |= (uint8_t)(1u << f->server);
        }
        give_up(m, f);
}

void nameserver_forward_begin(struct monitor *m, const unsigned char *message, const struct dns_query *q, size_t size,
                              const struct nameserver_asker *a)
{
        struct nameserver *s = m->nameserver;
        struct nameserver_forward *f;

        if (is_known(s, message, size, a))
                return;
        nameserver_upstreams_refresh(m);
        if (s->upstreams.first && loop_now_ns() - s->upstreams.first_since > FORGIVEN)
                s->upstreams.first = 0;
        f = s->n_forwards < NAMESERVER_FORWARDS ? calloc(1, sizeof(*f) + LENGTH + size) : NULL;
        if (!f) {
                fail(m, message, q, a);
                return;
        }
        f->source.fd = -1;
        f->first = (uint8_t)s->upstreams.first;
        f->asker = *a;
        f->client_id = q->id;
        f->room = q->room;
        f->size = size;
        dns_set_id(f->message, (uint16_t)size);
        memcpy(f->message + LENGTH, message, size);
        if (a->stream)
                a->stream->forward = f;
        s->n_forwards++;
        queue_add(s, f);
        try_next(m, f);
}

void nameserver_forward_timers(struct monitor *m, int64_t now)
{
        struct nameserver *s = m->nameserver;
        struct nameserver_forward *f;

        while ((f = s->oldest) && f->deadline <= now) {
                /* Whoever comes next need not wait for this server, too. */
                if (s->upstreams.n > 1 && f->server == s->upstreams.first) {
                        s->upstreams.first = (f->server + 1u) % s->upstreams.n;
                        s->upstreams.first_since = now;
                }
                try_next(m, f);
        }
}
