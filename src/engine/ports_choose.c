/* ports_choose.c - see ports_private.h: which port of the host, and who has it already. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "engine/ports_private.h"
#include "net/address.h"
#include "sys/listener.h"

#define FIRST_RANDOM 32768 /* net.ipv4.ip_local_port_range's default, which docker uses, too */
#define LAST_RANDOM 60999

/* Of the host's side. */
static int family_of(const struct ports_binding *b)
{
        return b->port.host.family ? b->port.host.family : b->port.to.family;
}

const char *ports_host_text(const struct ports_binding *b, char buf[ENDPOINT_ADDRESS_MAX])
{
        if (b->link)
                return b->link;
        if (b->port.host.family)
                return endpoint_address_text(&b->port.host, false, buf);
        return b->port.to.family == AF_INET ? "0.0.0.0" : "::";
}

static socklen_t socket_address(const struct ports_binding *b, uint16_t port, struct sockaddr_storage *ret)
{
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
        struct sockaddr_in *four = (struct sockaddr_in *)ret;

        *ret = (struct sockaddr_storage){.ss_family = (sa_family_t)family_of(b)};
        if (family_of(b) == AF_INET) {
                four->sin_port = htons(port);
                memcpy(&four->sin_addr, b->port.host.data, b->port.host.family ? 4 : 0);
                return sizeof(*four);
        }
        six->sin6_port = htons(port);
        memcpy(&six->sin6_addr, b->port.host.data, b->port.host.family ? 16 : 0);
        return sizeof(*six);
}

/* Could it be bound on the host? 0, or -errno. Protocols that the kernel has not are nobody's. */
static int try_bind(const struct ports_binding *b, uint16_t port)
{
        int type = b->port.protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, one = 1;
        _cleanup_close_ int s = socket(family_of(b), type | SOCK_CLOEXEC, b->port.protocol);
        struct sockaddr_storage at;
        const char *link;
        socklen_t size;

        if (s < 0)
                return errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT ? 0 : -errno;
        if (family_of(b) == AF_INET6)
                (void)setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
        link = b->link ? b->link : endpoint_address_is_loopback(&b->port.host) ? "lo" : NULL; /* as the monitor does */
        if (link && setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, link, (socklen_t)strlen(link)) < 0)
                return -errno;
        size = socket_address(b, port, &at);
        return bind(s, (struct sockaddr *)&at, size) < 0 ? -errno : 0;
}

/* Can a port not be had at both of these HostIps? Of two devices each has its own, and the loopback is one. */
static bool overlap(const char *x, const char *y)
{
        struct link_address a = {0}, b = {0};
        bool address = endpoint_address_parse(x, &a), other = endpoint_address_parse(y, &b);

        if (str_eq(x, y) || str_empty(x) || str_empty(y))
                return true;
        if (!address || !other)
                return address != other && !endpoint_address_is_loopback(address ? &a : &b);
        return a.family == b.family &&
               (endpoint_address_is_any(&a) || endpoint_address_is_any(&b) || address_compare(&a, &b) == 0);
}

/* Does the document of ports have one that is where @b wants @port? */
static bool has_port(const json *ports, const struct ports_binding *b, uint16_t port)
{
        char host[ENDPOINT_ADDRESS_MAX];
        const char *proto = strchr(b->key, '/'), *at = ports_host_text(b, host);
        char number[8];

        (void)snprintf(number, sizeof(number), "%u", port);
        JSON_EACH (ports, it)
                for (size_t i = 0; i < json_len(it.value); i++) {
                        const json *one = json_at(it.value, i);

                        if (!json_get_bool(one, PORTS_OPEN, false) && str_eq(json_get_str(one, "HostPort"), number) &&
                            str_eq(strchr(it.key, '/'), proto) && overlap(json_get_str_or(one, "HostIp", ""), at))
                                return true;
                }
        return false;
}

/* Which running container of this engine has it? *@ret is NULL when none has. */
static err *find_container(const struct ports_publish *p, const struct ports_binding *b, uint16_t port, char **ret)
{
        _cleanup_container_list_ struct container_list list = {0};

        TRY(container_list(p->c->engine, &list));
        for (size_t i = 0; !*ret && i < list.n; i++) {
                _cleanup_json_ json *settings = json_new_object();
                struct container *other = list.items[i];

                if (str_eq(other->id, p->c->id) || !container_is_alive(other))
                        continue;
                TRY(endpoints_inspect(other, settings));
                if (!has_port(json_get(settings, "Ports"), b, port))
                        continue;
                *ret = str_format("container %s", other->name);
                if (!*ret)
                        return err_nomem();
        }
        return NULL;
}

/* Of whose container is the process the monitor? It answers on ::1 what is published for IPv4 alone, and keeps what
 * leads nowhere just now. *@ret is NULL when it is none of this engine. */
static err *find_keeper(const struct ports_publish *p, const struct ports_binding *b, uint16_t port, int pid,
                        char **ret)
{
        _cleanup_container_list_ struct container_list list = {0};

        TRY(container_list(p->c->engine, &list));
        for (size_t i = 0; i < list.n; i++) {
                const struct container *other = list.items[i];
                _cleanup_json_ json *kept = NULL;
                bool relays;

                if (!container_is_alive(other) || !other->monitor_alive || other->status.monitor_pid != pid)
                        continue;
                TRY(endpoints_ports_kept(other, &kept));
                relays = family_of(b) == AF_INET6 && !has_port(kept, b, port);
                *ret = str_format("container %s%s", other->name, relays ? ", which answers on ::1" : "");
                return *ret ? NULL : err_nomem();
        }
        return NULL;
}

/* Who has the port that could not be bound? *@ret is NULL when it is a connection that happens to use it (what belongs
 * to a connection stays its own, and new ones come to us), or this container's relay of ::1, which makes room. */
static err *find_owner(const struct ports_publish *p, const struct ports_binding *b, uint16_t port, char **ret)
{
        pid_t monitor = p->c->monitor_alive ? p->c->status.monitor_pid : 0;
        const unsigned char *address = b->port.host.data;
        struct listener l, any;
        int found;

        TRY(find_container(p, b, port, ret));
        if (*ret)
                return NULL;
        found = listener_find(b->port.protocol, family_of(b), address, port, monitor, &l);
        if (found == 0 && (b->port.protocol == IPPROTO_TCP ||
                           (monitor && listener_find(b->port.protocol, family_of(b), address, port, 0, &any) > 0)))
                return NULL;
        if (found && l.pid)
                TRY(find_keeper(p, b, port, l.pid, ret));
        if (*ret)
                return NULL;
        *ret = found && l.pid ? str_format("%s, process %d", l.name, l.pid) : str_dup("another program");
        return *ret ? NULL : err_nomem();
}

/* 0, or -errno; *@ret_owner: of a port in use, owned. */
static err *probe(const struct ports_publish *p, const struct ports_binding *b, uint16_t port, int *ret,
                  char **ret_owner)
{
        *ret = try_bind(b, port);
        if (*ret != -EADDRINUSE)
                return NULL;
        free(*ret_owner);
        *ret_owner = NULL;
        TRY(find_owner(p, b, port, ret_owner));
        *ret = *ret_owner ? -EADDRINUSE : 0;
        return NULL;
}

/* @owner: NULL when it is another binding of this container. Scripts look for docker's words for either case. */
static err *cannot_bind(const struct ports_binding *b, uint16_t port, int r, const char *owner)
{
        char host[ENDPOINT_ADDRESS_MAX], to[ENDPOINT_ADDRESS_MAX];

        if (r == -EADDRINUSE && (!owner || str_starts(owner, "container ")))
                return err_new(ERR_CONFLICT, "Bind for %s:%u failed: port is already allocated%s%s%s",
                               ports_host_text(b, host), port, owner ? " (by " : "", owner ? owner : "",
                               owner ? ")" : "");
        if (r == -EADDRINUSE)
                return err_new(ERR_CONFLICT, "failed to bind host port for %s:%u:%s:%s: address already in use (by %s)",
                               ports_host_text(b, host), port, endpoint_address_text(&b->port.to, false, to), b->key,
                               owner);
        if (r == -EADDRNOTAVAIL)
                return err_new(ERR_INVALID,
                               "failed to bind host port for %s:%u:%s:%s: cannot assign requested address "
                               "(the host has no such address)",
                               ports_host_text(b, host), port, endpoint_address_text(&b->port.to, false, to), b->key);
        return err_sys(-r, "failed to bind host port for %s:%u:%s:%s", ports_host_text(b, host), port,
                       endpoint_address_text(&b->port.to, false, to), b->key);
}

/* Of a range, or of all that we choose from. @owner: of the last one, NULL when it was not looked at. */
static err *all_taken(const struct ports_binding *b, uint16_t first, uint16_t last, const char *owner)
{
        char host[ENDPOINT_ADDRESS_MAX], who[128] = "";

        if (owner)
                (void)snprintf(who, sizeof(who), " (%u by %s)", last, owner);
        return err_new(ERR_CONFLICT, "Bind for %s:%u-%u failed: all ports are allocated%s", ports_host_text(b, host),
                       first, last, who);
}

/* Has another binding of this container the port already? It is bound by nobody yet. */
static bool is_ours(const struct ports_publish *p, const struct ports_binding *b, uint16_t port)
{
        char mine[ENDPOINT_ADDRESS_MAX], other[ENDPOINT_ADDRESS_MAX];

        for (size_t i = 0; i < p->n; i++) {
                const struct firewall_port *x = &p->list[i].port;

                if (&p->list[i] != b && !x->open && x->host_port == port && x->protocol == b->port.protocol &&
                    family_of(&p->list[i]) == family_of(b) &&
                    overlap(ports_host_text(&p->list[i], other), ports_host_text(b, mine)))
                        return true;
        }
        return false;
}

static struct ports_binding *twin_of(const struct ports_publish *p, struct ports_binding *b)
{
        return b + 1 < p->list + p->n && b[1].twin ? b + 1 : NULL;
}

/* Can @b have the host's @port? 0 or -errno. */
static err *try_port(const struct ports_publish *p, const struct ports_binding *b, uint16_t port, int *ret,
                     char **ret_owner)
{
        if (!is_ours(p, b, port) && !has_port(p->has, b, port))
                return probe(p, b, port, ret, ret_owner);
        free(*ret_owner);
        *ret_owner = str_format("container %s itself", p->c->name);
        *ret = -EADDRINUSE;
        return *ret_owner ? NULL : err_nomem();
}

err *ports_choose(const struct ports_publish *p, struct ports_binding *b, uint32_t from)
{
        uint16_t first = b->first ? b->first : FIRST_RANDOM, last = b->first ? b->last : LAST_RANDOM;
        struct ports_binding *twin = twin_of(p, b), *at = b;
        _cleanup_free_ char *owner = NULL;
        int r = 0;

        for (uint32_t port = from > first ? from : first; port <= last; port++) {
                at = b;
                TRY(try_port(p, b, (uint16_t)port, &r, &owner));
                if (r == 0 && twin) {
                        at = twin;
                        TRY(try_port(p, twin, (uint16_t)port, &r, &owner));
                }
                if (r == 0) {
                        b->port.host_port = (uint16_t)port;
                        if (twin)
                                twin->port.host_port = (uint16_t)port;
                        return NULL;
                }
                if (r != -EADDRINUSE)
                        break;
        }
        if (first != last && (r == 0 || r == -EADDRINUSE))
                return all_taken(at, first, last, owner);
        return cannot_bind(at, first, r ? r : -EADDRINUSE, owner);
}

/* The port that it had, or the next one, or any. */
static err *choose_preferred(const struct ports_publish *p, struct ports_binding *b)
{
        err *e = ports_choose(p, b, b->prefer);

        if (err_code(e) != ERR_CONFLICT)
                return e;
        err_free(e);
        return ports_choose(p, b, 0);
}

/* Whoever has no choice comes first. */
static unsigned pass_of(const struct ports_binding *b)
{
        return b->first && b->first == b->last ? 0 : b->prefer ? 1 : 2;
}

err *ports_choose_all(struct ports_publish *p)
{
        uint32_t from = 0; /* thousands that have any port do not look at the first thousands again */

        for (unsigned pass = 0; pass < 3; pass++)
                for (size_t i = 0; i < p->n; i++) {
                        struct ports_binding *b = &p->list[i];

                        if (b->twin || b->port.open || pass_of(b) != pass)
                                continue;
                        TRY(b->prefer ? choose_preferred(p, b) : ports_choose(p, b, b->first ? 0 : from));
                        if (!b->first && !b->prefer)
                                from = b->port.host_port + 1u;
                }
        return NULL;
}
