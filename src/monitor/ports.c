/* ports.c - published ports are bound on the host by the monitor for as long as the container has them: other programs
 * see that they are taken. Nothing is received here, because the kernel translates before a socket is looked for; but
 * there is some that it cannot translate: that is relayed (relay.c). */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/parse.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "sys/endpoint.h"
#include "sys/listener.h"
#include "sys/loopback.h"
#include "sys/netlink.h"

#define MANY 200
#define PROBE_TRIES 300 /* who looks may have been put to sleep by a machine under load */
#define PROBE_US 1000

/* Thousands of lines are compared with thousands. */
static uint32_t hash_of(const char *line)
{
        return hash_fnv32(line, strlen(line));
}

/* "protocol host-address port address port"; a network device of the host may stand for the first address, and the
 * second is all zero while none of the container's networks leads out. */
static err *read_line(const char *line, struct port *ret)
{
        _cleanup_strv_ char **f = NULL;
        uint64_t protocol, port, to;

        TRY(strv_split(line, ' ', &f));
        if (strv_len(f) < 5 || !parse_u64(f[0], &protocol) || !parse_u64(f[2], &port) || port > UINT16_MAX ||
            protocol > UINT8_MAX || !endpoint_address_parse(f[3], &ret->to) || !parse_u64(f[4], &to) ||
            to > UINT16_MAX || strlen(f[1]) >= sizeof(ret->host))
                return err_new(ERR_CORRUPT, "published port '%s' is not understood", line);
        ret->protocol = (uint8_t)protocol;
        ret->port = (uint16_t)port;
        ret->to_port = (uint16_t)to;
        memcpy(ret->host, f[1], strlen(f[1]) + 1);
        return NULL;
}

/* Only a connection uses it, or one that has just ended: new ones come to us. */
static bool is_connection(const struct port *p, int family, const void *address)
{
        return p->protocol == IPPROTO_TCP && listener_find(IPPROTO_TCP, family, address, p->port, 0, NULL) == 0;
}

/* Will it listen (relay.c)? */
static bool is_to_listen(const struct port *p, const struct link_address *a)
{
        return p->protocol == IPPROTO_TCP &&
               (p->of_device ||
                (a->family == AF_INET6 && (endpoint_address_is_loopback(a) || endpoint_address_is_any(a))));
}

int ports_bind(const struct port *p, const struct link_address *a, const char *link)
{
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(p->port)};
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(p->port)};
        int type = p->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, one = 1, r;
        _cleanup_close_ int s = socket(a->family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, p->protocol);

        if (s < 0)
                return -EPROTONOSUPPORT; /* a kernel without this protocol: nobody else can take it */
        /* What the kernel has not translated is not for us: a group's, or nobody's because somebody has flushed our
         * rules. Nobody would read it. */
        (void)loopback_only(s);
        if (a->family == AF_INET6)
                (void)setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
        /* Connections of the last run, which wait for their time, are in the way of none that listens. (One that does
         * not would be shared with whoever listens.) */
        if (is_to_listen(p, a))
                (void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (link && setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, link, (socklen_t)strlen(link)) < 0)
                return -errno;
        memcpy(&four.sin_addr, a->data, 4);
        memcpy(&six.sin6_addr, a->data, 16);
        r = a->family == AF_INET6 ? bind(s, (struct sockaddr *)&six, sizeof(six))
                                  : bind(s, (struct sockaddr *)&four, sizeof(four));
        return r < 0 ? -errno : TAKE_FD(s);
}

static err *hold(struct port *p)
{
        struct link_address a = {0};
        const char *device;

        p->of_device = !endpoint_address_parse(p->host, &a);
        if (p->of_device) {
                a.family = p->to.family;
                p->index = (int)if_nametoindex(p->host);
        }
        /* The loopback's port may be had beside that of another device. */
        device = p->of_device ? p->host : endpoint_address_is_loopback(&a) ? "lo" : NULL;
        for (unsigned i = 0; i < PROBE_TRIES; i++) { /* another start may be looking whether it is free */
                p->held = ports_bind(p, &a, device);
                if (p->held != -EADDRINUSE || is_connection(p, a.family, a.data))
                        break;
                (void)usleep(PROBE_US);
        }
        if (p->held >= 0 || p->held == -EPROTONOSUPPORT ||
            (p->held == -EADDRINUSE && is_connection(p, a.family, a.data)))
                return NULL;
        return err_sys(-p->held, "failed to bind host port %s:%u/%s", p->host, p->port,
                       p->protocol == IPPROTO_UDP    ? "udp"
                       : p->protocol == IPPROTO_SCTP ? "sctp"
                                                     : "tcp");
}

static void let_go(struct monitor *m, struct port *p)
{
        relay_stop(m, p);
        if (p->held >= 0)
                p->held = file_close(p->held);
}

static void drop(struct monitor *m, struct port *p)
{
        let_go(m, p);
        p->next = m->gone_ports;
        m->gone_ports = p;
}

static err *add(struct monitor *m, const char *line)
{
        struct port *p = MEM_NEW0(struct port, 1);
        err *e;

        if (!p)
                return err_nomem();
        p->held = p->relay.fd = -1;
        p->line = str_dup(line);
        e = p->line ? read_line(line, p) : err_nomem();
        if (!e)
                relay_yield(m, p);
        if (!e)
                e = hold(p);
        if (e) {
                drop(m, p);
                return e;
        }
        p->hash = hash_of(line);
        p->next = m->ports;
        m->ports = p;
        return NULL;
}

/* The container is reached by another address, or by none, or at another of its ports: nothing is bound anew. */
static bool redirect(struct monitor *m, const char *line)
{
        struct port wanted = {0};
        err *e = read_line(line, &wanted);
        char *copy;

        for (struct port *p = e ? NULL : m->ports; p; p = p->next) {
                if (p->protocol != wanted.protocol || p->port != wanted.port || !str_eq(p->host, wanted.host) ||
                    (p->of_device && p->to.family != wanted.to.family) || !(copy = str_dup(line)))
                        continue;
                free(p->line);
                p->line = copy;
                p->hash = hash_of(copy);
                p->to = wanted.to;
                p->to_port = wanted.to_port;
                relay_forget(m, p);
                return true;
        }
        err_free(e);
        return false;
}

static struct port *find(const struct monitor *m, const char *line)
{
        uint32_t hash = hash_of(line);

        for (struct port *p = m->ports; p; p = p->next)
                if (p->hash == hash && str_eq(p->line, line))
                        return p;
        return NULL;
}

static bool is_held(const struct monitor *m, const char *line)
{
        return find(m, line) != NULL;
}

static void mark_listed(struct monitor *m, char *const *lines)
{
        for (struct port *p = m->ports; p; p = p->next)
                p->listed = false;
        for (; lines && *lines; lines++) {
                struct port *p = find(m, *lines);

                if (p)
                        p->listed = true;
        }
}

/* Let go of all but @lines. */
static void keep_only(struct monitor *m, char *const *lines)
{
        mark_listed(m, lines);
        for (struct port **at = &m->ports; *at;) {
                struct port *p = *at;

                if (p->listed) {
                        at = &p->next;
                        continue;
                }
                *at = p->next;
                drop(m, p);
        }
}

/* Up to two descriptors each (a relay), beside those of connections: many are more than a service is started with. */
static void allow_files(char *const *lines)
{
        struct rlimit have, want;

        if (!lines || strv_len((char **)lines) < MANY || getrlimit(RLIMIT_NOFILE, &have) < 0)
                return;
        want = have;
        want.rlim_cur = have.rlim_cur + 2 * strv_len((char **)lines);
        if (want.rlim_cur > want.rlim_max)
                want.rlim_cur = want.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &want);
}

/* All or none. */
static err *add_all(struct monitor *m, char *const *lines)
{
        struct port *before = m->ports;
        err *e = NULL;

        allow_files(lines);
        for (; lines && *lines && !e; lines++)
                if (!is_held(m, *lines))
                        e = add(m, *lines);
        while (e && m->ports != before) {
                struct port *p = m->ports;

                m->ports = p->next;
                drop(m, p);
        }
        return e;
}

/* Not both can be bound: all addresses of a family, and one of these. */
static bool is_in_the_way(const struct port *p, const struct port *wanted)
{
        struct link_address a, b;

        return p->protocol == wanted->protocol && p->port == wanted->port && endpoint_address_parse(p->host, &a) &&
               endpoint_address_parse(wanted->host, &b) && a.family == b.family &&
               endpoint_address_is_any(&a) != endpoint_address_is_any(&b);
}

/* Another network may say another address of the host for the same port. */
static void make_room(struct monitor *m, char *const *lines)
{
        mark_listed(m, lines);
        for (; lines && *lines; lines++) {
                struct port wanted = {0};
                err *e = is_held(m, *lines) ? NULL : read_line(*lines, &wanted);

                for (struct port *p = e ? NULL : m->ports; p; p = p->next)
                        if (!p->listed && is_in_the_way(p, &wanted))
                                let_go(m, p);
                err_free(e);
        }
}

/* What was let go of stays after all. */
static void take_again(struct monitor *m)
{
        for (struct port *p = m->ports; p; p = p->next)
                if (p->held < 0 && p->relay.fd < 0 && !p->of_device)
                        err_free(hold(p)); /* another program may have been faster */
}

/* ---- devices of the host ---- */

/* The rules know a device by its name, a socket by its number: the one that has the name now is meant. */
static void on_devices(struct monitor *m, struct source *s, uint32_t events)
{
        char data[8192];

        while (recv(s->fd, data, sizeof(data), MSG_DONTWAIT) >= 0 || errno == ENOBUFS || errno == EINTR)
                ;
        for (struct port *p = m->ports; p; p = p->next) {
                int index = p->of_device ? (int)if_nametoindex(p->host) : 0;

                if (index == p->index)
                        continue;
                let_go(m, p);
                p->index = index;
                if (index)
                        err_free(hold(p)); /* another program may have been faster */
        }
        relay_start(m);
}

static void watch_devices(struct monitor *m)
{
        struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
        const struct port *p = m->ports;

        while (p && !p->of_device)
                p = p->next;
        if (!p)
                loop_close(m, &m->devices);
        if (!p || m->devices.fd >= 0)
                return;
        m->devices = (struct source){on_devices, netlink_open(NETLINK_ROUTE), 0};
        if (m->devices.fd >= 0 && bind(m->devices.fd, (struct sockaddr *)&links, sizeof(links)) < 0)
                m->devices.fd = file_close(m->devices.fd);
        if (m->devices.fd < 0)
                return;
        loop_watch(m, &m->devices, EPOLLIN);
        on_devices(m, &m->devices, 0); /* what happened before we were told */
}

/* ---- all of them ---- */

static void serve(struct monitor *m)
{
        watch_devices(m);
        relay_start(m);
}

err *ports_hold(struct monitor *m)
{
        err *e = add_all(m, m->conf.ports);

        if (!e)
                serve(m);
        return e;
}

err *ports_reload(struct monitor *m)
{
        _cleanup_(monitor_conf_done) struct monitor_conf c = {0};
        err *e;

        TRY(monitor_conf_read(m->dirfd, &c));
        for (char *const *line = c.ports; line && *line; line++)
                if (!is_held(m, *line))
                        (void)redirect(m, *line);
        relay_cut(m, c.endpoints);
        make_room(m, c.ports);
        e = add_all(m, c.ports);
        if (e) {
                take_again(m);
        } else {
                keep_only(m, c.ports);
                strv_free(m->conf.ports);
                m->conf.ports = TAKE_PTR(c.ports);
        }
        serve(m);
        return e;
}

void ports_release(struct monitor *m)
{
        keep_only(m, NULL);
        watch_devices(m);
}
