/* ports.c - see ports.h. */
#include "engine/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "net/address.h"
#include "sys/endpoint.h"

#define FIRST_RANDOM 32768 /* net.ipv4.ip_local_port_range's default, which docker uses, too */
#define LAST_RANDOM 60999
#define TRIES 100

/* One thing to publish. */
struct binding {
        char *key; /* "80/tcp"; borrowed from the record */
        struct firewall_port port;
        uint16_t first, last; /* host ports to choose from; 0,0 = any */
};

struct publish {
        struct container *c;
        struct link_address to[LINK_ADDRESSES];
        struct binding *list;
        size_t n;
};

/* ---- what is asked for ---- */

static err *parse_key(const char *key, uint8_t *ret_protocol, uint16_t *ret_port)
{
        _cleanup_(parse_port_done) struct parse_port p = {0};

        TRY(parse_expose(key, &p));
        *ret_protocol = str_eq(p.proto, "udp") ? IPPROTO_UDP : str_eq(p.proto, "sctp") ? IPPROTO_SCTP : IPPROTO_TCP;
        *ret_port = p.first;
        return NULL;
}

static err *parse_range(const char *text, uint16_t *first, uint16_t *last)
{
        _cleanup_(parse_port_done) struct parse_port p = {0};

        *first = *last = 0;
        if (str_empty(text) || str_eq(text, "0"))
                return NULL;
        TRY(parse_expose(text, &p));
        *first = p.first;
        *last = p.last;
        return NULL;
}

static err *add(struct publish *p, const struct binding *b)
{
        if (mem_grow(&p->list, p->n, sizeof(*p->list)) < 0)
                return err_nomem();
        p->list[p->n++] = *b;
        return NULL;
}

/* One binding, once for each family that host address and container have. */
static err *add_binding(struct publish *p, const char *key, const char *ip, const char *range)
{
        struct binding b = {.key = (char *)key};
        bool any = str_empty(ip) || str_eq(ip, "0.0.0.0") || str_eq(ip, "::");

        TRY(parse_key(key, &b.port.protocol, &b.port.port));
        TRY(parse_range(range, &b.first, &b.last));
        if (!any && !endpoint_address_parse(ip, &b.port.host))
                return err_new(ERR_INVALID, "invalid host address %s of port %s", ip, key);
        for (unsigned k = 0; k < LINK_ADDRESSES; k++) {
                int family = k ? AF_INET6 : AF_INET;

                if (!p->to[k].family || (!any && b.port.host.family != family) || (str_eq(ip, "0.0.0.0") && k) ||
                    (str_eq(ip, "::") && !k))
                        continue;
                b.port.to = p->to[k];
                TRY(add(p, &b));
        }
        return NULL;
}

static err *collect(struct publish *p)
{
        const json *host = container_host_config(p->c), *bindings = json_get(host, "PortBindings");

        JSON_EACH (bindings, it)
                for (size_t i = 0; i < json_len(it.value); i++)
                        TRY(add_binding(p, it.key, json_get_str_or(json_at(it.value, i), "HostIp", ""),
                                        json_get_str_or(json_at(it.value, i), "HostPort", "")));
        if (!json_get_bool(host, "PublishAllPorts", false))
                return NULL;
        JSON_EACH (json_get(container_config(p->c), "ExposedPorts"), it)
                if (!json_has(bindings, it.key))
                        TRY(add_binding(p, it.key, "", ""));
        return NULL;
}

bool ports_wanted(const struct container *c)
{
        const json *host = container_host_config(c);

        return json_len(json_get(host, "PortBindings")) || json_get_bool(host, "PublishAllPorts", false);
}

/* ---- choosing ---- */

static socklen_t socket_address(const struct binding *b, uint16_t port, struct sockaddr_storage *ret)
{
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
        struct sockaddr_in *four = (struct sockaddr_in *)ret;

        *ret = (struct sockaddr_storage){.ss_family = (sa_family_t)b->port.to.family};
        if (b->port.to.family == AF_INET) {
                four->sin_port = htons(port);
                memcpy(&four->sin_addr, b->port.host.data, b->port.host.family ? 4 : 0);
                return sizeof(*four);
        }
        six->sin6_port = htons(port);
        memcpy(&six->sin6_addr, b->port.host.data, b->port.host.family ? 16 : 0);
        return sizeof(*six);
}

/* Could it be bound on the host? 0, or -errno. Protocols that the kernel has not are nobody's. */
static int probe(const struct binding *b, uint16_t port)
{
        int type = b->port.protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, one = 1;
        _cleanup_close_ int s = socket(b->port.to.family, type | SOCK_CLOEXEC, b->port.protocol);
        struct sockaddr_storage at;
        socklen_t size;

        if (s < 0)
                return errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT ? 0 : -errno;
        if (b->port.to.family == AF_INET6)
                (void)setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
        size = socket_address(b, port, &at);
        return bind(s, (struct sockaddr *)&at, size) < 0 ? -errno : 0;
}

static const char *host_text(const struct binding *b, char buf[ENDPOINT_ADDRESS_MAX])
{
        if (b->port.host.family)
                return endpoint_address_text(&b->port.host, false, buf);
        return b->port.to.family == AF_INET ? "0.0.0.0" : "::";
}

static err *cannot_bind(const struct binding *b, uint16_t port, int r)
{
        char host[ENDPOINT_ADDRESS_MAX], to[ENDPOINT_ADDRESS_MAX];

        if (r == -EADDRINUSE)
                return err_new(ERR_CONFLICT, "failed to bind host port for %s:%u:%s:%s: address already in use",
                               host_text(b, host), port, endpoint_address_text(&b->port.to, false, to), b->key);
        return err_sys(-r, "failed to bind host port for %s:%u:%s:%s", host_text(b, host), port,
                       endpoint_address_text(&b->port.to, false, to), b->key);
}

/* Has another binding of this container the port already? It is bound by nobody yet. */
static bool is_ours(const struct publish *p, const struct binding *b, uint16_t port)
{
        for (size_t i = 0; i < p->n; i++) {
                const struct firewall_port *x = &p->list[i].port, *y = &b->port;

                if (&p->list[i] != b && x->host_port == port && x->protocol == y->protocol &&
                    x->to.family == y->to.family &&
                    (!x->host.family || !y->host.family || address_compare(&x->host, &y->host) == 0))
                        return true;
        }
        return false;
}

/* The next host port at or after @from that nobody has bound. */
static err *choose(const struct publish *p, struct binding *b, uint32_t from)
{
        uint16_t first = b->first ? b->first : FIRST_RANDOM, last = b->first ? b->last : LAST_RANDOM;
        int r = 0;

        for (uint32_t port = from > first ? from : first; port <= last; port++) {
                r = is_ours(p, b, (uint16_t)port) ? -EADDRINUSE : probe(b, (uint16_t)port);
                if (r == 0) {
                        b->port.host_port = (uint16_t)port;
                        return NULL;
                }
                if (r != -EADDRINUSE)
                        break;
        }
        return cannot_bind(b, first, r ? r : -EADDRINUSE);
}

/* Both families of one binding share the port, as docker does. */
static bool is_twin(const struct binding *a, const struct binding *b)
{
        return a->key == b->key && !a->port.host.family && !b->port.host.family && a->first == b->first &&
               a->port.to.family != b->port.to.family;
}

static err *choose_all(struct publish *p)
{
        for (size_t i = 0; i < p->n; i++) {
                struct binding *b = &p->list[i];

                if (i && is_twin(&p->list[i - 1], b))
                        b->port.host_port = p->list[i - 1].port.host_port;
                else
                        TRY(choose(p, b, 0));
        }
        return NULL;
}

/* ---- publishing ---- */

static json *document(const struct publish *p)
{
        char host[ENDPOINT_ADDRESS_MAX], number[8];
        json *doc = json_new_object();

        for (size_t i = 0; i < p->n; i++) {
                json *one = json_new_object();

                (void)snprintf(number, sizeof(number), "%u", p->list[i].port.host_port);
                json_set_str(one, "HostIp", host_text(&p->list[i], host));
                json_set_str(one, "HostPort", number);
                json_add(json_sub_array(doc, p->list[i].key), one);
        }
        return doc;
}

static err *lines(const struct publish *p, char ***ret)
{
        char host[ENDPOINT_ADDRESS_MAX], to[ENDPOINT_ADDRESS_MAX];

        for (size_t i = 0; i < p->n; i++) {
                const struct binding *b = &p->list[i];

                TRY(strv_push(ret, str_format("%u %s %u %s %u", b->port.protocol, host_text(b, host), b->port.host_port,
                                              endpoint_address_text(&b->port.to, false, to), b->port.port)));
        }
        return NULL;
}

static err *put(struct publish *p, struct firewall *f, size_t *ret_taken, char owner[FIREWALL_OWNER_MAX])
{
        _cleanup_free_ struct firewall_port *ports = MEM_NEW0(struct firewall_port, p->n);

        if (!ports)
                return err_nomem();
        for (size_t i = 0; i < p->n; i++)
                ports[i] = p->list[i].port;
        return firewall_publish(f, p->c->id, ports, p->n, ret_taken, owner);
}

static err *is_taken(const struct publish *p, const struct binding *b, const char *owner)
{
        _cleanup_container_ struct container *other = NULL;
        char host[ENDPOINT_ADDRESS_MAX];
        bool known;

        err_free(container_find(p->c->engine, owner, &other));
        known = other && other->name;
        return err_new(ERR_CONFLICT, "Bind for %s:%u failed: port is already allocated%s%s%s", host_text(b, host),
                       b->port.host_port, known ? " (by container " : "", known ? other->name : "", known ? ")" : "");
}

/* A port of the maps is somebody else's: one who has ended without a word, or a reason to choose another. */
static err *resolve(struct publish *p, struct firewall *f, size_t taken, const char *owner)
{
        struct binding *b = &p->list[taken];

        if (!*owner) /* given back while we looked */
                return NULL;
        if (!str_eq(owner, p->c->id) && endpoints_holder_lives(p->c->engine, owner)) {
                if (b->first && b->first == b->last)
                        return is_taken(p, b, owner);
                TRY(choose(p, b, b->port.host_port + 1u));
                for (size_t i = 0; i < p->n; i++)
                        if (is_twin(b, &p->list[i]))
                                p->list[i].port.host_port = b->port.host_port;
                return NULL;
        }
        return firewall_unpublish(f, owner, &b->port, 1);
}

static err *publish(struct publish *p, ports_note *note, void *arg)
{
        _cleanup_firewall_ struct firewall *f = NULL;

        TRY(firewall_open(&f));
        for (unsigned i = 0; i < TRIES; i++) {
                char owner[FIREWALL_OWNER_MAX] = "";
                size_t taken = 0;
                err *e;

                TRY(note(arg, document(p)));
                e = put(p, f, &taken, owner);
                if (err_code(e) != ERR_CONFLICT)
                        return e;
                err_free(e);
                TRY(resolve(p, f, taken, owner));
        }
        return err_new(ERR_BUSY, "others publish ports as fast as they are found");
}

err *ports_publish(struct container *c, const struct link_address to[LINK_ADDRESSES], ports_note *note, void *arg,
                   char ***ret_lines)
{
        struct publish p = {.c = c};
        err *e;

        memcpy(p.to, to, sizeof(p.to));
        e = collect(&p);
        if (!e)
                e = choose_all(&p);
        if (!e && p.n)
                e = publish(&p, note, arg);
        if (!e)
                e = lines(&p, ret_lines);
        free(p.list);
        return e ? err_wrap(e, "driver failed programming external connectivity on endpoint %s", c->name) : NULL;
}

err *ports_unpublish(const struct container *c, const json *ports, const struct link_address to[LINK_ADDRESSES])
{
        _cleanup_firewall_ struct firewall *f = NULL;
        err *first = NULL;

        TRY(firewall_open(&f));
        JSON_EACH (ports, it)
                for (size_t i = 0; i < json_len(it.value); i++) {
                        const char *ip = json_get_str_or(json_at(it.value, i), "HostIp", "");
                        struct firewall_port port = {0};
                        uint16_t last;
                        err *e = parse_key(it.key, &port.protocol, &port.port);

                        if (!e)
                                e = parse_range(json_get_str(json_at(it.value, i), "HostPort"), &port.host_port, &last);
                        if (!e && !str_eq(ip, "0.0.0.0") && !str_eq(ip, "::"))
                                (void)endpoint_address_parse(ip, &port.host);
                        port.to = to[strchr(ip, ':') ? 1 : 0];
                        if (!e && port.to.family)
                                e = firewall_unpublish(f, c->id, &port, 1);
                        if (first)
                                err_free(e);
                        else
                                first = e;
                }
        return first;
}

err *ports_text(const json *ports, char **ret)
{
        _cleanup_str_ struct str s = {0};

        JSON_EACH (ports, it) {
                for (size_t i = 0; i < json_len(it.value); i++) {
                        const char *ip = json_get_str_or(json_at(it.value, i), "HostIp", "");
                        bool six = strchr(ip, ':') != NULL;

                        str_printf(&s, "%s%s%s%s:%s->%s", s.len ? ", " : "", six ? "[" : "", ip, six ? "]" : "",
                                   json_get_str_or(json_at(it.value, i), "HostPort", ""), it.key);
                }
                if (!json_len(it.value))
                        str_printf(&s, "%s%s", s.len ? ", " : "", it.key);
        }
        return str_take(&s, ret);
}
