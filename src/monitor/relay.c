/* relay.c - what a program of the host sends to a published port of ::1, or of a network device. The kernel has no way
 * to translate the former (there is no route_localnet for IPv6), and a container may have no IPv6 at all. The latter
 * comes by no device, and no rule can ask which one an address is of; but a socket that is bound to the device gets it,
 * whatever addresses that has just now. Nobody but the host is served: from anywhere else the client's address would be
 * lost, and the kernel translates that itself. */
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
#include "sys/loopback.h"

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
        struct sockaddr_storage client;
        struct link_address asked; /* which of our addresses the client knows */
        struct link_address to;    /* the container's */
        int64_t used_ns;
        bool connecting, dead;
};

/* What comes from anywhere else was to be translated: somebody has flushed our rules. To a device's sockets nothing
 * does (loopback_only()); the host has many addresses. */
static bool is_served_to(const struct port *p, const struct sockaddr_storage *a)
{
        return p->of_device ||
               (a->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr));
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

/* Another port serves the loopback from now on. Connections that are there go on. */
static void yield(struct monitor *m, struct port *p)
{
        relay_forget(m, p);
        loop_close(m, &p->relay);
}

void relay_yield(struct monitor *m, const struct port *wanted)
{
        bool loopback = str_eq(wanted->host, "::") || str_eq(wanted->host, "::1");

        for (struct port *p = m->ports; loopback && p; p = p->next)
                if (p->protocol == wanted->protocol && p->port == wanted->port && p->relay.fd >= 0 &&
                    p->relay.fd != p->held)
                        yield(m, p);
}

static bool is_among(const struct link_address *a, char *const *endpoints)
{
        for (; endpoints && *endpoints; endpoints++) {
                struct endpoint e = {0};

                err_free(endpoint_parse(*endpoints, &e));
                for (unsigned k = 0; k < LINK_ADDRESSES; k++)
                        if (e.address[k].family == a->family &&
                            memcmp(e.address[k].data, a->data, a->family == AF_INET6 ? 16 : 4) == 0)
                                return true;
        }
        return false;
}

void relay_cut(struct monitor *m, char *const *endpoints)
{
        for (struct relay *r = m->relays; r; r = r->next)
                if (!r->dead && !is_among(&r->to, endpoints))
                        kill_relay(m, r);
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

/* A socket on its way to the container, or -1. A port that leads nowhere just now does not lead to the host itself. */
static int connect_to(const struct port *p, bool *ret_connecting)
{
        int type = p->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
        _cleanup_close_ int s = socket(p->to.family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_storage to;
        socklen_t size = target(p, &to);

        *ret_connecting = false;
        if (s < 0 || endpoint_address_is_any(&p->to))
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
        r->to = p->to;
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
        struct sockaddr_storage from = {0};
        socklen_t size = sizeof(from);
        _cleanup_close_ int fd = accept4(s->fd, (struct sockaddr *)&from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        bool connecting;
        struct relay *r;

        if (fd < 0 || !is_served_to(p, &from) || count(m, NULL) >= CONNECTIONS_MAX)
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

/* The client asked one of the addresses, and waits for an answer from there. */
union control {
        struct cmsghdr head; /* aligns */
        char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static ssize_t receive(int fd, char *data, struct sockaddr_storage *ret_from, struct link_address *ret_asked)
{
        struct iovec part = {data, DATAGRAM_MAX};
        union control control;
        struct msghdr h = {.msg_name = ret_from,
                           .msg_namelen = sizeof(*ret_from),
                           .msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(fd, &h, 0);

        for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
                struct in6_pktinfo six;
                struct in_pktinfo four;

                if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
                        memcpy(&four, CMSG_DATA(c), sizeof(four));
                        ret_asked->family = AF_INET;
                        memcpy(ret_asked->data, &four.ipi_addr, 4);
                } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
                        memcpy(&six, CMSG_DATA(c), sizeof(six));
                        ret_asked->family = AF_INET6;
                        memcpy(ret_asked->data, &six.ipi6_addr, 16);
                }
        }
        return n;
}

static void answer(int fd, struct relay *r, char *data, size_t size)
{
        bool six = r->asked.family == AF_INET6;
        struct in6_pktinfo from6 = {0};
        struct in_pktinfo from4 = {0};
        size_t info = six ? sizeof(from6) : sizeof(from4);
        struct iovec part = {data, size};
        union control control = {.room = ""};
        struct msghdr h = {.msg_name = &r->client,
                           .msg_namelen = six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in),
                           .msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = CMSG_SPACE(info)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);

        memcpy(&from6.ipi6_addr, r->asked.data, 16);
        memcpy(&from4.ipi_spec_dst, r->asked.data, 4);
        c->cmsg_level = six ? IPPROTO_IPV6 : IPPROTO_IP;
        c->cmsg_type = six ? IPV6_PKTINFO : IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(info);
        memcpy(CMSG_DATA(c), six ? (void *)&from6 : (void *)&from4, info);
        (void)sendmsg(fd, &h, MSG_NOSIGNAL);
}

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
        answer(r->port->relay.fd, r, data, (size_t)n);
}

static bool is_client(const struct relay *r, const struct sockaddr_storage *from, const struct link_address *asked)
{
        size_t size = asked->family == AF_INET6 ? 16 : 4;
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from, *its6 = (const void *)&r->client;
        const struct sockaddr_in *four = (const struct sockaddr_in *)from, *its4 = (const void *)&r->client;

        if (r->asked.family != asked->family || memcmp(r->asked.data, asked->data, size) != 0)
                return false;
        return asked->family == AF_INET6
                       ? six->sin6_port == its6->sin6_port && six->sin6_scope_id == its6->sin6_scope_id &&
                                 memcmp(&six->sin6_addr, &its6->sin6_addr, size) == 0
                       : four->sin_port == its4->sin_port && four->sin_addr.s_addr == its4->sin_addr.s_addr;
}

static struct relay *find_client(struct monitor *m, struct port *p, const struct sockaddr_storage *from,
                                 const struct link_address *asked)
{
        struct relay *oldest = NULL;
        bool connecting;

        for (struct relay *r = m->relays; r; r = r->next) {
                if (r->dead || r->port != p)
                        continue;
                if (is_client(r, from, asked))
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
        oldest->asked = *asked;
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
        struct sockaddr_storage from = {0};
        struct link_address asked = {0};
        ssize_t n = data ? receive(s->fd, data, &from, &asked) : -1;
        struct relay *r;

        if (n < 0 || !asked.family || !is_served_to(p, &from))
                return;
        r = find_client(m, p, &from, &asked);
        if (!r)
                return;
        r->used_ns = loop_now_ns();
        (void)send(r->end[1].source.fd, data, (size_t)n, MSG_NOSIGNAL);
}

static bool is_datagram(const struct relay *r)
{
        return !r->dead && r->port && r->port->protocol == IPPROTO_UDP;
}

void relay_forget(struct monitor *m, const struct port *p)
{
        for (struct relay *r = m->relays; r; r = r->next)
                if (r->port == p && is_datagram(r))
                        kill_relay(m, r);
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

/* Published on all addresses, or on ::1, or on a device; by connections or datagrams. */
static bool is_wanted(const struct port *p)
{
        return (p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP) &&
               (p->of_device ? p->index && p->held >= 0
                             : str_eq(p->host, "0.0.0.0") || str_eq(p->host, "::") || str_eq(p->host, "::1"));
}

static bool is_served(const struct monitor *m, const struct port *wanted)
{
        if (wanted->of_device)
                return wanted->relay.fd >= 0;
        for (const struct port *p = m->ports; p; p = p->next)
                if (!p->of_device && p->relay.fd >= 0 && p->protocol == wanted->protocol && p->port == wanted->port)
                        return true;
        return false;
}

/* Ready to be read from? What comes to a device's is not looked at again: the kernel has to keep others away. */
static bool prepare(const struct port *p, int fd)
{
        bool six = !p->of_device || p->to.family == AF_INET6; /* else it is ::1 */
        int one = 1;

        if (p->of_device && loopback_only(fd) < 0)
                return false;
        if (p->protocol == IPPROTO_TCP)
                return listen(fd, BACKLOG) == 0;
        return setsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVPKTINFO : IP_PKTINFO, &one,
                          sizeof(one)) == 0;
}

static void serve(struct monitor *m, struct port *p)
{
        const struct link_address loopback = {.family = AF_INET6, .data = {[15] = 1}};
        bool held = (p->of_device || strchr(p->host, ':')) && p->held >= 0; /* that socket will do */
        int fd = held ? p->held : ports_bind(p, &loopback, NULL);

        if (fd < 0 || !prepare(p, fd)) { /* No IPv6 on this host, or ::1 belongs to a program of it. */
                if (!held && fd >= 0)
                        (void)file_close(fd);
                return;
        }
        p->relay = (struct source){p->protocol == IPPROTO_UDP ? on_datagram : on_listener, fd, 0};
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
