/* firewall_stale.c - connections whose translation was decided before the table changed. Of TCP there is nothing to
 * forget: a connection that lasts goes on as it was, a new one has a new entry. A client that keeps its port (UDP,
 * SCTP) would never come to where the port leads now. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "net/address.h"
#include "net/firewall_private.h"
#include "sys/conntrack.h"

struct change {
        const struct firewall_port *ports;
        size_t n;
        uint8_t protocol;
        int family;
        bool published;
};

static bool zero(const struct link_address *a)
{
        static const unsigned char none[16] = {0};

        return memcmp(a->data, none, address_size(a->family)) == 0;
}

/* An address of the host: one that can be bound. */
static bool is_local(const struct link_address *a)
{
        _cleanup_close_ int s = socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in6 six = {.sin6_family = AF_INET6};
        struct sockaddr_in four = {.sin_family = AF_INET};

        memcpy(&four.sin_addr, a->data, 4);
        memcpy(&six.sin6_addr, a->data, 16);
        return s >= 0 && (a->family == AF_INET ? bind(s, (struct sockaddr *)&four, sizeof(four))
                                               : bind(s, (struct sockaddr *)&six, sizeof(six))) == 0;
}

/* It came to the host itself, or went to where the port led. */
static bool concerns(const struct change *c, const struct firewall_port *p, const struct conntrack_flow *f)
{
        if (p->protocol != c->protocol || p->to.family != c->family || p->host_port != f->to_port)
                return false;
        if (p->open)
                return !c->published && !f->translated && address_compare(&p->to, &f->to) == 0;
        if (p->host.family && address_compare(&p->host, &f->to) != 0)
                return false;
        if (c->published)
                return !f->translated && is_local(&f->to);
        return f->translated && f->answer_port == p->port &&
               (zero(&p->to) || address_compare(&p->to, &f->answer_from) == 0);
}

static bool is_stale(const struct conntrack_flow *f, void *arg)
{
        const struct change *c = arg;

        for (size_t i = 0; i < c->n; i++)
                if (concerns(c, &c->ports[i], f))
                        return true;
        return false;
}

void firewall_forget(int fd, const struct firewall_port *ports, size_t n, bool published)
{
        static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_SCTP};
        static const int families[] = {AF_INET, AF_INET6};

        for (unsigned k = 0; k < 4; k++) {
                struct change c = {.ports = ports,
                                   .n = n,
                                   .protocol = protocols[k / 2],
                                   .family = families[k % 2],
                                   .published = published};
                uint16_t port = 0;
                size_t found = 0;

                for (size_t i = 0; i < n; i++)
                        if (ports[i].protocol == c.protocol && ports[i].to.family == c.family) {
                                port = ports[i].host_port;
                                found++;
                        }
                /* A kernel that cannot be asked has no better answer. */
                if (found)
                        (void)conntrack_forget(fd, c.family, c.protocol, found == 1 ? port : 0, is_stale, &c);
        }
}
