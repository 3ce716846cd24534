/* nameserver_upstream.c - the servers that are asked for what is no container's name: those of --dns, from the
 * container's network namespace (its 127.0.0.1 is its own), or the host's, from the host's, however that changes. What
 * is asked in the container's namespace the container can answer itself: egress rules do not believe it. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "monitor/nameserver.h"
#include "sys/ns.h"

#define PORT 53
#define FILE_MAX (64u << 10)
#define RESOLV_CONF "/etc/resolv.conf"
/* systemd-resolved's own list, where the other only names its stub. */
#define RESOLVED_CONF "/run/systemd/resolve/resolv.conf"
#define RESOLVED_STUB "127.0.0.53"
#define OURSELVES "127.0.0.11"
#define LOOK_AGAIN NAMESERVER_SECOND

/* ---- which ---- */

/* "1.2.3.4", "fd00::1", "fe80::1%eth0". */
static bool read_server(const char *text, bool inside, struct nameserver_upstream *ret)
{
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(PORT)};
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
        const char *zone = strchrnul(text, '%');
        char address[INET6_ADDRSTRLEN];

        if (zone - text >= (ptrdiff_t)sizeof(address))
                return false;
        memcpy(address, text, (size_t)(zone - text));
        address[zone - text] = '\0';
        *ret = (struct nameserver_upstream){.inside = inside};
        if (inet_pton(AF_INET, address, &four.sin_addr) == 1) {
                memcpy(&ret->address, &four, sizeof(four));
                ret->size = sizeof(four);
        } else if (inet_pton(AF_INET6, address, &six.sin6_addr) == 1) {
                six.sin6_scope_id = *zone ? if_nametoindex(zone + 1) : 0;
                memcpy(&ret->address, &six, sizeof(six));
                ret->size = sizeof(six);
        } else {
                return false;
        }
        return true;
}

static void add_server(struct nameserver_upstreams *u, const char *text, bool inside)
{
        if (u->n < NAMESERVER_UPSTREAMS && read_server(text, inside, &u->server[u->n]))
                u->n++;
}

static void read_file(struct nameserver_upstreams *u, const char *text)
{
        _cleanup_strv_ char **lines = NULL;
        err *e = strv_split(text, '\n', &lines);

        err_free(e);
        for (char **l = lines; l && *l; l++) {
                const char *server = str_after(*l, "nameserver");
                size_t blank = server ? strspn(server, " \t") : 0;

                if (!blank)
                        continue;
                (*l)[(size_t)(server - *l) + blank + strcspn(server + blank, " \t\r")] = '\0';
                add_server(u, server + blank, false);
        }
}

void nameserver_upstreams_parse(struct nameserver_upstreams *u, char *const *servers, const char *resolv_conf)
{
        u->n = 0;
        u->first = 0;
        for (char *const *s = servers; s && *s; s++)
                if (strcmp(*s, OURSELVES) != 0)
                        add_server(u, *s, true);
        if (!u->n)
                read_file(u, resolv_conf);
        if (!u->n)
                add_server(u, "127.0.0.1", false); /* as the C library does */
}

static bool is_stub(const struct nameserver_upstreams *u)
{
        struct sockaddr_in a;

        memcpy(&a, &u->server[0].address, sizeof(a));
        return u->n == 1 && a.sin_family == AF_INET && a.sin_addr.s_addr == inet_addr(RESOLVED_STUB);
}

void nameserver_upstreams_refresh(struct monitor *m)
{
        struct nameserver_upstreams *u = &m->nameserver->upstreams, real = {0};
        _cleanup_free_ char *text = NULL, *other = NULL;
        int64_t now = loop_now_ns();
        uint64_t seen[4] = {0};
        struct stat st;

        if (u->n && (now - u->checked < LOOK_AGAIN || (m->conf.dns && *m->conf.dns)))
                return;
        u->checked = now;
        if (stat(RESOLV_CONF, &st) == 0) {
                seen[0] = st.st_ino;
                seen[1] = (uint64_t)st.st_size;
                seen[2] = (uint64_t)st.st_mtim.tv_sec;
                seen[3] = (uint64_t)st.st_mtim.tv_nsec;
        }
        if (u->n && memcmp(seen, u->seen, sizeof(seen)) == 0)
                return;
        memcpy(u->seen, seen, sizeof(seen));
        if (file_read(AT_FDCWD, RESOLV_CONF, FILE_MAX, &text, NULL) < 0)
                text = NULL;
        nameserver_upstreams_parse(u, m->conf.dns, text ? text : "");
        if (!is_stub(u) || file_read(AT_FDCWD, RESOLVED_CONF, FILE_MAX, &other, NULL) < 0)
                return;
        read_file(&real, other);
        if (!real.n)
                return;
        memcpy(u->server, real.server, sizeof(u->server));
        u->n = real.n;
        u->seen[0] = 0; /* its list changes with every link, the other file does not */
}

/* ---- sockets ---- */

static bool is_loopback(const struct nameserver_upstream *u)
{
        struct sockaddr_in6 six;
        struct sockaddr_in four;

        if (u->address.ss_family == AF_INET) {
                memcpy(&four, &u->address, sizeof(four));
                return ntohl(four.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        }
        memcpy(&six, &u->address, sizeof(six));
        return IN6_IS_ADDR_LOOPBACK(&six.sin6_addr);
}

bool nameserver_upstream_inside(struct monitor *m, const struct nameserver_upstream *u)
{
        return u->inside && (is_loopback(u) || !m->names_ruled || !m->names_ruled(m));
}

int nameserver_upstream_open(struct monitor *m, const struct nameserver_upstream *u, bool inside, int type)
{
        _cleanup_close_ int s = -1, ns = -1;
        int family = u->address.ss_family;

        if (inside) {
                ns = ioctl(m->nameserver->udp.fd, SIOCGSKNS);
                s = ns < 0 ? -errno : ns_socket(ns, family, type | SOCK_NONBLOCK, 0);
        } else {
                s = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
                s = s < 0 ? -errno : s;
        }
        if (s < 0)
                return s;
        /* Bound to the peer: the kernel gives it a random port, and lets in nothing from elsewhere. */
        if (connect(s, (const struct sockaddr *)&u->address, u->size) < 0 && errno != EINPROGRESS)
                return -errno;
        return TAKE_FD(s);
}
