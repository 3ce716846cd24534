/* relay.c - what a program of the host sends to a published port of ::1. The kernel has no way to translate it (there
 * is no route_localnet for IPv6), and a container may have no IPv6 at all. Only the loopback is served: from anywhere
 * else the client's address would be lost, and the kernel translates that itself. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "sys/endpoint.h"

#define BACKLOG 128
#define BUFFER 16384
#define TURNS 16 /* buffers in one go */
#define CONNECTIONS_MAX 512
#define DATAGRAM_MAX 65536
#define DATAGRAM_CLIENTS 128                   /* the one that was idle for longest makes room */
#define DATAGRAM_IDLE_NS INT64_C(120000000000) /* as long as the kernel remembers who has got an answer */

struct end {
        struct source source; /* first member */
        struct relay *relay;
        char *data; /* read here, to be written to the other */
        size_t from, to;
        bool eof;  /* nothing more to read */
        bool shut; /* the other end has been told */
};

/* A connection (both ends), or a client of datagrams (the end towards the container). */
struct relay {
        struct relay *next;
        struct port *port;
        struct end end[2]; /* the client, the container */
        struct sockaddr_in6 client;
        int64_t used_ns;
        bool connecting, dead;
};

static bool is_loopback(const struct sockaddr_in6 *a)
{
        return IN6_IS_ADDR_LOOPBACK(&a->sin6_addr);
}

/* ---- life ---- */

static void kill_relay(struct monitor *m, struct relay *r)
{
        if (r->dead)
                return;
        r->dead = true;
        for (unsigned i = 0; i < 2; i++) {
                loop_close(m, &r->end[i].source);
                free(r->end[i].data);
                r->end[i].data = NULL;
        }
}

void relay_reap(struct monitor *m)
{
        while (m->gone_ports) {
                struct port *p = m->gone_ports;

                m->gone_ports = p->next;
                free(p->line);
                free(p);
        }
        for (struct relay **at = &m->relays; *at;) {
                struct relay *r = *at;

                if (!r->dead) {
                        at = &r->next;
                        continue;
                }
                *at = r->next;
                free(r);
        }
}

void relay_stop(struct monitor *m, struct port *p)
{
        for (struct relay *r = m->relays; r; r = r->next)
                if (r->port == p) {
                        kill_relay(m, r);
                        r->port = NULL;
                }
        if (p->relay.fd >= 0 && p->relay.fd == p->held)
                p->held = -1;
        loop_close(m, &p->relay);
}

static unsigned count(const struct monitor *m, const struct port *p)
{
        unsigned n = 0;

        for (const struct relay *r = m->relays; r; r = r->next)
                n += !r->dead && (!p || r->port == p);
        return n;
}

static socklen_t target(const struct port *p, struct sockaddr_storage *ret)
{
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
        struct sockaddr_in *four = (struct sockaddr_in *)ret;

        *ret = (struct sockaddr_storage){.ss_family = (sa_family_t)p->to.family};
        if (p->to.family == AF_INET) {
                four->sin_port = htons(p->to_port);
                memcpy(&four->sin_addr, p->to.data, 4);
                return sizeof(*four);
        }
        six->sin6_port = htons(p->to_port);
        memcpy(&six->sin6_addr, p->to.data, 16);
        return sizeof(*six);
}

/* A socket on its way to the container, or -1. */
static int connect_to(const struct port *p, bool *ret_connecting)
{
        int type = p->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
        _cleanup_close_ int s = socket(p->to.family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_storage to;
        socklen_t size = target(p, &to);

        *ret_connecting = false;
        if (s < 0)
                return -1;
        if (connect(s, (struct sockaddr *)&to, size) < 0) {
                if (errno != EINPROGRESS)
                        return -1;
                *ret_connecting = true;
        }
        return loop_is_scarce(s) ? -1 : TAKE_FD(s);
}

static struct relay *new_relay(struct monitor *m, struct port *p,
                               void (*handle)(struct monitor *, struct source *, uint32_t))
{
        struct relay *r = MEM_NEW0(struct relay, 1);

        if (!r)
                return NULL;
        for (unsigned i = 0; i < 2; i++) {
                r->end[i].source = (struct source){handle, -1, 0};
                r->end[i].relay = r;
        }
        r->port = p;
        r->next = m->relays;
        m->relays = r;
        return r;
}

/* ---- connections ---- */

/* From one end to the other until one of them is not ready, or others have their turn. 0, or -errno: broken. */
static int pump(struct end *from, struct end *to)
{
        for (unsigned i = 0; i < TURNS; i++) {
                ssize_t n;

                if (from->from == from->to && !from->eof) {
                        from->from = from->to = 0;
                        n = read(from->source.fd, from->data, BUFFER);
                        if (n < 0)
                                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
                        from->to = (size_t)n;
                        from->eof = n == 0;
                }
                if (from->from == from->to) {
                        if (from->eof && !from->shut)
                                (void)shutdown(to->source.fd, SHUT_WR);
                        from->shut = from->eof;
                        return 0;
                }
                n = send(to->source.fd, from->data + from->from, from->to - from->from, MSG_NOSIGNAL);
                if (n < 0)
                        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
                from->from += (size_t)n;
        }
        return 0;
}

static void watch_end(struct monitor *m, struct end *mine, const struct end *other)
{
        uint32_t events = 0;

        if (!mine->eof && mine->from == mine->to)
                events |= EPOLLIN;
        if (other->from != other->to)
                events |= EPOLLOUT;
        loop_watch(m, &mine->source, events);
}

static void on_connection(struct monitor *m, struct source *s, uint32_t events)
{
        struct relay *r = ((struct end *)s)->relay;
        struct end *client = &r->end[0], *container = &r->end[1];

        if (r->connecting) {
                int error = 0;
                socklen_t size = sizeof(error);

                if (s != &container->source)
                        return;
                (void)getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size);
                if (error) {
                        kill_relay(m, r);
                        return;
                }
                r->connecting = false;
        }
        if (pump(client, container) < 0 || pump(container, client) < 0 || (client->shut && container->shut)) {
                kill_relay(m, r);
                return;
        }
        watch_end(m, client, container);
        watch_end(m, container, client);
}

static void on_listener(struct monitor *m, struct source *s, uint32_t events)
{
        struct port *p = (struct port *)s;
        struct sockaddr_in6 from = {0};
        socklen_t size = sizeof(from);
        _cleanup_close_ int fd = accept4(s->fd, (struct sockaddr *)&from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        bool connecting;
        struct relay *r;

        /* What comes from anywhere else was to be translated: somebody has flushed our rules. */
        if (fd < 0 || !is_loopback(&from) || count(m, NULL) >= CONNECTIONS_MAX)
                return;
        r = new_relay(m, p, on_connection);
        if (!r)
                return;
        r->end[1].source.fd = connect_to(p, &connecting);
        r->end[0].data = malloc(BUFFER);
        r->end[1].data = malloc(BUFFER);
        if (r->end[1].source.fd < 0 || !r->end[0].data || !r->end[1].data) {
                kill_relay(m, r);
                return;
        }
        r->end[0].source.fd = TAKE_FD(fd);
        r->connecting = connecting;
        if (connecting) {
                loop_watch(m, &r->end[1].source, EPOLLOUT);
        } else {
                watch_end(m, &r->end[0], &r->end[1]);
                watch_end(m, &r->end[1], &r->end[0]);
        }
}

/* ---- datagrams ---- */

static void on_answer(struct monitor *m, struct source *s, uint32_t events)
{
        struct relay *r = ((struct end *)s)->relay;
        _cleanup_free_ char *data = malloc(DATAGRAM_MAX);
        ssize_t n = data ? recv(s->fd, data, DATAGRAM_MAX, 0) : -1;

        r->used_ns = loop_now_ns();
        if (n < 0) { /* nobody listens there: the client is told nothing, as with the kernel's translation */
                if (errno != EAGAIN)
                        kill_relay(m, r);
                return;
        }
        (void)sendto(r->port->relay.fd, data, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&r->client,
                     sizeof(r->client));
}

static struct relay *find_client(struct monitor *m, struct port *p, const struct sockaddr_in6 *from)
{
        struct relay *oldest = NULL;
        bool connecting;

        for (struct relay *r = m->relays; r; r = r->next) {
                if (r->dead || r->port != p)
                        continue;
                if (r->client.sin6_port == from->sin6_port)
                        return r;
                if (!oldest || r->used_ns < oldest->used_ns)
                        oldest = r;
        }
        if (oldest && (count(m, p) >= DATAGRAM_CLIENTS || count(m, NULL) >= CONNECTIONS_MAX))
                kill_relay(m, oldest);
        oldest = new_relay(m, p, on_answer);
        if (!oldest)
                return NULL;
        oldest->client = *from;
        oldest->used_ns = loop_now_ns();
        oldest->end[1].source.fd = connect_to(p, &connecting);
        if (oldest->end[1].source.fd < 0) {
                kill_relay(m, oldest);
                return NULL;
        }
        loop_watch(m, &oldest->end[1].source, EPOLLIN);
        return oldest;
}

static void on_datagram(struct monitor *m, struct source *s, uint32_t events)
{
        struct port *p = (struct port *)s;
        _cleanup_free_ char *data = malloc(DATAGRAM_MAX);
        struct sockaddr_in6 from = {0};
        socklen_t size = sizeof(from);
        ssize_t n = data ? recvfrom(s->fd, data, DATAGRAM_MAX, 0, (struct sockaddr *)&from, &size) : -1;
        struct relay *r;

        if (n < 0 || !is_loopback(&from))
                return;
        r = find_client(m, p, &from);
        if (!r)
                return;
        r->used_ns = loop_now_ns();
        (void)send(r->end[1].source.fd, data, (size_t)n, MSG_NOSIGNAL);
}

static bool is_datagram(const struct relay *r)
{
        return !r->dead && r->port && r->port->protocol == IPPROTO_UDP;
}

int64_t relay_deadline(const struct monitor *m)
{
        int64_t first = -1;

        for (const struct relay *r = m->relays; r; r = r->next)
                if (is_datagram(r) && (first < 0 || r->used_ns + DATAGRAM_IDLE_NS < first))
                        first = r->used_ns + DATAGRAM_IDLE_NS;
        return first;
}

void relay_timers(struct monitor *m)
{
        int64_t now = m->relays ? loop_now_ns() : 0;

        for (struct relay *r = m->relays; r; r = r->next)
                if (is_datagram(r) && r->used_ns + DATAGRAM_IDLE_NS <= now)
                        kill_relay(m, r);
}

/* ---- who is served ---- */

/* Published on all addresses, or on ::1; by connections or datagrams. */
static bool is_wanted(const struct port *p)
{
        return (p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP) &&
               (str_eq(p->host, "0.0.0.0") || str_eq(p->host, "::") || str_eq(p->host, "::1"));
}

static bool is_served(const struct monitor *m, const struct port *wanted)
{
        for (const struct port *p = m->ports; p; p = p->next)
                if (p->relay.fd >= 0 && p->protocol == wanted->protocol && p->port == wanted->port)
                        return true;
        return false;
}

static void serve(struct monitor *m, struct port *p)
{
        const struct link_address loopback = {.family = AF_INET6, .data = {[15] = 1}};
        bool held = strchr(p->host, ':') && p->held >= 0; /* that socket will do */
        bool udp = p->protocol == IPPROTO_UDP;

        p->relay = (struct source){udp ? on_datagram : on_listener, held ? p->held : ports_bind(p, &loopback, NULL), 0};
        if (p->relay.fd < 0 || (!udp && listen(p->relay.fd, BACKLOG) < 0)) {
                /* No IPv6 on this host, or ::1 belongs to a program of it. */
                if (!held)
                        p->relay.fd = p->relay.fd < 0 ? -1 : file_close(p->relay.fd);
                p->relay.fd = -1;
                return;
        }
        loop_watch(m, &p->relay, EPOLLIN);
}

void relay_start(struct monitor *m)
{
        /* IPv6 first: what is bound to :: cannot be bound to ::1 as well. */
        for (unsigned six = 2; six-- > 0;)
                for (struct port *p = m->ports; p; p = p->next)
                        if ((strchr(p->host, ':') != NULL) == six && is_wanted(p) && !is_served(m, p))
                                serve(m, p);
}
