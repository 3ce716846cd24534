/* ports.c - see ports.h. */
#include "engine/ports.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "net/address.h"
#include "sys/endpoint.h"
#include "sys/listener.h"

#define FIRST_RANDOM 32768 /* net.ipv4.ip_local_port_range's default, which docker uses, too */
#define LAST_RANDOM 60999
#define TRIES 100

/* One thing to publish. */
struct binding {
        const char *key; /* "80/tcp"; borrowed from the record */
        struct firewall_port port;
        const char *link;     /* published on this link of the host only; borrowed; NULL */
        bool relay;           /* ::1, to a container without IPv6: the monitor's work alone */
        bool twin;            /* the IPv6 of the one before it: both have one port, as docker does */
        uint16_t first, last; /* host ports to choose from; 0,0 = any */
};

struct publish {
        struct container *c;
        const json *has; /* Ports document of what it has already; NULL: nothing */
        struct link_address to[LINK_ADDRESSES];
        const struct ports_target *target;
        struct binding *list;
        size_t n;
};

/* ---- what is asked for ---- */

void ports_add_binding(json *bindings, const struct parse_port *p, uint16_t port, char key[PORTS_KEY_MAX])
{
        uint16_t first = p->host_first, last = p->host_last;
        json *one = json_new_object();
        char number[16] = "";

        if (p->first != p->last && first) /* ranges of one length, side by side */
                first = last = (uint16_t)(first + (port - p->first));
        (void)snprintf(key, PORTS_KEY_MAX, "%u/%s", port, p->proto);
        if (first && first == last)
                (void)snprintf(number, sizeof(number), "%u", first);
        else if (first)
                (void)snprintf(number, sizeof(number), "%u-%u", first, last);
        json_set_str(one, "HostIp", p->ip);
        json_set_str(one, "HostPort", number);
        json_add(json_sub_array(bindings, key), one);
}

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

static bool is_six_loopback(const struct link_address *a)
{
        static const unsigned char one[16] = {[15] = 1};

        return a->family == AF_INET6 && memcmp(a->data, one, sizeof(one)) == 0;
}

/* A link of the host is looked for now: one that is misspelt would never publish anything. */
static err *check_link(const char *name, const char *key)
{
        if (strlen(name) > LINK_NAME_MAX || !if_nametoindex(name))
                return err_new(ERR_INVALID, "port %s: %s is neither an address nor a network device of the host", key,
                               name);
        if (str_eq(name, "lo"))
                return err_new(ERR_INVALID, "port %s: what is for the host itself is published on 127.0.0.1, not lo",
                               key);
        return NULL;
}

/* At an address of the host. */
static err *add_at(struct publish *p, struct binding *b)
{
        unsigned k = b->port.host.family == AF_INET6;
        char text[ENDPOINT_ADDRESS_MAX];

        b->port.to = p->to[k];
        if (!p->to[k].family && is_six_loopback(&b->port.host)) {
                b->port.to = p->to[0];
                b->relay = true;
        }
        if (!b->port.to.family)
                return err_new(ERR_INVALID, "port %s cannot be published on %s: the container has no %s address",
                               b->key, endpoint_address_text(&b->port.host, false, text), k ? "IPv6" : "IPv4");
        return add(p, b);
}

static bool is_open_already(const struct publish *p, const struct binding *b, const char *host)
{
        const json *has = json_get(p->has, b->key);

        for (size_t i = 0; i < json_len(has); i++)
                if (json_get_bool(json_at(has, i), PORTS_OPEN, false) &&
                    str_eq(json_get_str(json_at(has, i), "HostIp"), host))
                        return true;
        for (size_t i = 0; i < p->n; i++)
                if (p->list[i].port.open && str_eq(p->list[i].key, b->key) &&
                    p->list[i].port.to.family == b->port.to.family)
                        return true;
        return false;
}

/* At the container's own address; the port of the host that was named is for the other family, if for any. */
static err *add_open(struct publish *p, const struct binding *b)
{
        struct binding open = *b;
        char text[ENDPOINT_ADDRESS_MAX];

        if (is_open_already(p, b, endpoint_address_text(&b->port.to, false, text)))
                return NULL;
        open.port.open = true;
        open.port.host = b->port.to;
        open.port.host_port = b->port.port;
        open.twin = false;
        return add(p, &open);
}

/* One binding, once for each family that it can have. */
static err *add_binding(struct publish *p, const char *key, const char *ip, const char *range)
{
        struct binding b = {.key = key};
        bool any = str_empty(ip) || str_eq(ip, "0.0.0.0") || str_eq(ip, "::");

        TRY(parse_key(key, &b.port.protocol, &b.port.port));
        TRY(parse_range(range, &b.first, &b.last));
        if (!b.port.port)
                return err_new(ERR_INVALID, "invalid port %s: 0 is no port of a container", key);
        if (str_empty(ip) && !p->target->routed[0])
                b.port.host = p->target->host;
        if (b.port.host.family || (!any && endpoint_address_parse(ip, &b.port.host)))
                return add_at(p, &b);
        if (!any) {
                TRY(check_link(ip, key));
                b.link = b.port.link = ip;
        }
        for (unsigned k = 0; k < LINK_ADDRESSES; k++) {
                if (!p->to[k].family || (str_eq(ip, "0.0.0.0") && k) || (str_eq(ip, "::") && !k))
                        continue;
                b.port.to = p->to[k];
                if (any && p->target->routed[k]) {
                        TRY(add_open(p, &b));
                        continue;
                }
                TRY(add(p, &b));
                b.twin = true;
        }
        return NULL;
}

static err *collect_bindings(struct publish *p, const json *bindings)
{
        JSON_EACH (bindings, it)
                for (size_t i = 0; i < json_len(it.value); i++)
                        TRY(add_binding(p, it.key, json_get_str_or(json_at(it.value, i), "HostIp", ""),
                                        json_get_str_or(json_at(it.value, i), "HostPort", "")));
        return NULL;
}

static err *collect(struct publish *p)
{
        const json *host = container_host_config(p->c), *bindings = json_get(host, "PortBindings");

        TRY(collect_bindings(p, bindings));
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

/* Of the host's side. */
static int family_of(const struct binding *b)
{
        return b->port.host.family ? b->port.host.family : b->port.to.family;
}

static const char *host_text(const struct binding *b, char buf[ENDPOINT_ADDRESS_MAX])
{
        if (b->link)
                return b->link;
        if (b->port.host.family)
                return endpoint_address_text(&b->port.host, false, buf);
        return b->port.to.family == AF_INET ? "0.0.0.0" : "::";
}

static socklen_t socket_address(const struct binding *b, uint16_t port, struct sockaddr_storage *ret)
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
static int try_bind(const struct binding *b, uint16_t port)
{
        int type = b->port.protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, one = 1;
        _cleanup_close_ int s = socket(family_of(b), type | SOCK_CLOEXEC, b->port.protocol);
        struct sockaddr_storage at;
        socklen_t size;

        if (s < 0)
                return errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT ? 0 : -errno;
        if (family_of(b) == AF_INET6)
                (void)setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
        if (b->link && setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, b->link, (socklen_t)strlen(b->link)) < 0)
                return -errno;
        size = socket_address(b, port, &at);
        return bind(s, (struct sockaddr *)&at, size) < 0 ? -errno : 0;
}

/* Can a port not be had at both, the HostIp @ip and where @b wants it? Of two devices each has its own. */
static bool overlap(const char *ip, const struct binding *b)
{
        char host[ENDPOINT_ADDRESS_MAX];
        struct link_address a;
        bool address = endpoint_address_parse(ip, &a);

        if (address && a.family != family_of(b))
                return false;
        if (!address && b->link)
                return str_eq(ip, b->link);
        return !address || !b->port.host.family || str_eq(ip, "0.0.0.0") || str_eq(ip, "::") ||
               str_eq(ip, host_text(b, host));
}

/* Does the document of ports have one that is where @b wants @port? */
static bool has_port(const json *ports, const struct binding *b, uint16_t port)
{
        const char *proto = strchr(b->key, '/');
        char number[8];

        (void)snprintf(number, sizeof(number), "%u", port);
        JSON_EACH (ports, it)
                for (size_t i = 0; i < json_len(it.value); i++) {
                        const json *one = json_at(it.value, i);

                        if (!json_get_bool(one, PORTS_OPEN, false) && str_eq(json_get_str(one, "HostPort"), number) &&
                            str_eq(strchr(it.key, '/'), proto) && overlap(json_get_str_or(one, "HostIp", ""), b))
                                return true;
                }
        return false;
}

/* Which running container of this engine has it? *@ret is NULL when none has. */
static err *find_container(const struct publish *p, const struct binding *b, uint16_t port, char **ret)
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

/* Who has the port that could not be bound? *@ret is NULL when it is a connection that happens to use it: what belongs
 * to a connection stays its own, and new ones come to us. */
static err *find_owner(const struct publish *p, const struct binding *b, uint16_t port, char **ret)
{
        const void *address = b->port.host.family ? b->port.host.data : NULL;
        struct listener l;

        TRY(find_container(p, b, port, ret));
        if (*ret)
                return NULL;
        if (listener_find(b->port.protocol, family_of(b), address, port, &l) == 0)
                *ret = b->port.protocol == IPPROTO_TCP ? NULL : str_dup("another program");
        else if (l.pid)
                *ret = str_format("%s, process %d", l.name, l.pid);
        else
                *ret = str_dup("another program");
        return *ret || b->port.protocol == IPPROTO_TCP ? NULL : err_nomem();
}

/* 0, or -errno; *@ret_owner: of a port in use, owned. */
static err *probe(const struct publish *p, const struct binding *b, uint16_t port, int *ret, char **ret_owner)
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
static err *cannot_bind(const struct binding *b, uint16_t port, int r, const char *owner)
{
        char host[ENDPOINT_ADDRESS_MAX], to[ENDPOINT_ADDRESS_MAX];

        if (r == -EADDRINUSE && (!owner || str_starts(owner, "container ")))
                return err_new(ERR_CONFLICT, "Bind for %s:%u failed: port is already allocated%s%s%s",
                               host_text(b, host), port, owner ? " (by " : "", owner ? owner : "", owner ? ")" : "");
        if (r == -EADDRINUSE)
                return err_new(ERR_CONFLICT, "failed to bind host port for %s:%u:%s:%s: address already in use (by %s)",
                               host_text(b, host), port, endpoint_address_text(&b->port.to, false, to), b->key, owner);
        return err_sys(-r, "failed to bind host port for %s:%u:%s:%s", host_text(b, host), port,
                       endpoint_address_text(&b->port.to, false, to), b->key);
}

/* Has another binding of this container the port already? It is bound by nobody yet. */
static bool is_ours(const struct publish *p, const struct binding *b, uint16_t port)
{
        for (size_t i = 0; i < p->n; i++) {
                const struct firewall_port *x = &p->list[i].port, *y = &b->port;

                if (&p->list[i] == b || x->open || x->host_port != port || x->protocol != y->protocol ||
                    family_of(&p->list[i]) != family_of(b))
                        continue;
                if (x->link && y->link ? str_eq(x->link, y->link)
                                       : !x->host.family || !y->host.family || address_compare(&x->host, &y->host) == 0)
                        return true;
        }
        return false;
}

static struct binding *twin_of(const struct publish *p, struct binding *b)
{
        return b + 1 < p->list + p->n && b[1].twin ? b + 1 : NULL;
}

/* Can @b have the host's @port? 0 or -errno. */
static err *try_port(const struct publish *p, const struct binding *b, uint16_t port, int *ret, char **ret_owner)
{
        if (!is_ours(p, b, port) && !has_port(p->has, b, port))
                return probe(p, b, port, ret, ret_owner);
        free(*ret_owner);
        *ret_owner = str_format("container %s itself", p->c->name);
        *ret = -EADDRINUSE;
        return *ret_owner ? NULL : err_nomem();
}

/* The next host port at or after @from that nobody has bound: of @b and its twin. */
static err *choose(const struct publish *p, struct binding *b, uint32_t from)
{
        uint16_t first = b->first ? b->first : FIRST_RANDOM, last = b->first ? b->last : LAST_RANDOM;
        struct binding *twin = twin_of(p, b), *at = b;
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
        return cannot_bind(at, first, r ? r : -EADDRINUSE, owner);
}

/* Those that name one port come first: the others have a choice. */
static err *choose_all(struct publish *p)
{
        uint32_t from = 0; /* thousands that have any port do not look at the first thousands again */

        for (unsigned pass = 0; pass < 2; pass++)
                for (size_t i = 0; i < p->n; i++) {
                        struct binding *b = &p->list[i];

                        if (b->twin || b->port.open || (b->first && b->first == b->last) != (pass == 0))
                                continue;
                        TRY(choose(p, b, b->first ? 0 : from));
                        if (!b->first)
                                from = b->port.host_port + 1u;
                }
        return NULL;
}

/* ---- publishing ---- */

static json *document(const struct publish *p)
{
        char host[ENDPOINT_ADDRESS_MAX], number[8];
        json *doc = json_new_object();

        for (size_t i = 0; i < p->n; i++) {
                json *one;

                if (p->list[i].link && p->list[i].twin)
                        continue; /* one word for both families */
                one = json_new_object();
                (void)snprintf(number, sizeof(number), "%u", p->list[i].port.host_port);
                json_set_str(one, "HostIp", host_text(&p->list[i], host));
                json_set_str(one, "HostPort", number);
                if (p->list[i].port.open)
                        json_set_bool(one, PORTS_OPEN, true);
                json_add(json_sub_array(doc, p->list[i].key), one);
        }
        return doc;
}

static err *lines(const struct publish *p, char ***ret)
{
        char host[ENDPOINT_ADDRESS_MAX], to[ENDPOINT_ADDRESS_MAX];

        for (size_t i = 0; i < p->n; i++) {
                const struct binding *b = &p->list[i];

                if (b->port.open) /* the host's are free */
                        continue;
                TRY(strv_push(ret, str_format("%u %s %u %s %u", b->port.protocol, host_text(b, host), b->port.host_port,
                                              endpoint_address_text(&b->port.to, false, to), b->port.port)));
        }
        return NULL;
}

/* What the firewall gets; *@ret_which: where each is in the list. */
static err *entries(const struct publish *p, struct firewall_port **ret, size_t **ret_which, size_t *ret_n)
{
        _cleanup_free_ struct firewall_port *ports = MEM_NEW0(struct firewall_port, p->n);
        _cleanup_free_ size_t *which = MEM_NEW0(size_t, p->n);
        size_t n = 0;

        if (!ports || !which)
                return err_nomem();
        for (size_t i = 0; i < p->n; i++)
                if (!p->list[i].relay) {
                        which[n] = i;
                        ports[n++] = p->list[i].port;
                }
        *ret = TAKE_PTR(ports);
        *ret_which = TAKE_PTR(which);
        *ret_n = n;
        return NULL;
}

static err *put(struct publish *p, struct firewall *f, size_t *ret_taken, char owner[FIREWALL_OWNER_MAX])
{
        _cleanup_free_ struct firewall_port *ports = NULL;
        _cleanup_free_ size_t *which = NULL;
        size_t n;
        err *e;

        TRY(entries(p, &ports, &which, &n));
        if (!n)
                return NULL;
        e = firewall_publish(f, p->c->id, ports, n, ret_taken, owner);
        if (err_code(e) == ERR_CONFLICT)
                *ret_taken = which[*ret_taken];
        return e;
}

/* Whose container has gone, or is this one's last start: of all that is wanted. */
static err *take_from(const struct publish *p, struct firewall *f, const char *owner)
{
        _cleanup_free_ struct firewall_port *ports = NULL;
        _cleanup_free_ size_t *which = NULL;
        size_t n;

        TRY(entries(p, &ports, &which, &n));
        return firewall_unpublish(f, owner, ports, n);
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
        if (str_eq(owner, p->c->id) || !endpoints_holder_lives(p->c->engine, owner))
                return take_from(p, f, owner);
        if (b->first && b->first == b->last)
                return is_taken(p, b, owner);
        if (b->twin)
                b--;
        return choose(p, b, b->port.host_port + 1u);
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

static err *publish_collected(struct publish *p, err *e, ports_note *note, void *arg, char ***ret_lines)
{
        if (!e)
                e = choose_all(p);
        if (!e && p->n)
                e = publish(p, note, arg);
        if (!e)
                e = lines(p, ret_lines);
        free(p->list);
        return e ? err_wrap(e, "driver failed programming external connectivity on endpoint %s", p->c->name) : NULL;
}

err *ports_publish(struct container *c, const struct ports_target *t, ports_note *note, void *arg, char ***ret_lines)
{
        struct publish p = {.c = c, .target = t};

        memcpy(p.to, t->to, sizeof(p.to));
        return publish_collected(&p, collect(&p), note, arg, ret_lines);
}

err *ports_publish_more(struct container *c, const json *has, const json *bindings, const struct ports_target *t,
                        ports_note *note, void *arg, char ***ret_lines)
{
        struct publish p = {.c = c, .has = has, .target = t};

        memcpy(p.to, t->to, sizeof(p.to));
        return publish_collected(&p, collect_bindings(&p, bindings), note, arg, ret_lines);
}

/* An element of a Ports document as the firewall has it; false: it has none, or cannot be understood. */
static bool element_of(const char *key, const json *one, const struct link_address to[LINK_ADDRESSES],
                       struct firewall_port *ret)
{
        const char *ip = json_get_str_or(one, "HostIp", "");
        bool six = strchr(ip, ':') != NULL, any = str_eq(ip, "0.0.0.0") || str_eq(ip, "::");
        struct firewall_port port = {0};
        uint16_t last;
        err *e = parse_key(key, &port.protocol, &port.port);

        if (!e)
                e = parse_range(json_get_str(one, "HostPort"), &port.host_port, &last);
        if (e) {
                err_free(e);
                return false;
        }
        if (!any && !endpoint_address_parse(ip, &port.host))
                port.link = ip;
        port.open = json_get_bool(one, PORTS_OPEN, false);
        port.to = port.open ? port.host : to[six];
        *ret = port;
        return port.to.family != 0;
}

err *ports_elements(const json *ports, const struct link_address to[LINK_ADDRESSES], struct firewall_port **ret,
                    size_t *ret_n)
{
        _cleanup_free_ struct firewall_port *list = NULL;
        size_t n = 0;

        JSON_EACH (ports, it)
                for (size_t i = 0; i < json_len(it.value); i++) {
                        struct firewall_port port;

                        if (!element_of(it.key, json_at(it.value, i), to, &port))
                                continue;
                        for (unsigned k = 0; k < LINK_ADDRESSES; k++) {
                                if (port.link)
                                        port.to = to[k]; /* of both families */
                                if (!port.to.family || (k && !port.link))
                                        continue;
                                if (mem_grow(&list, n, sizeof(*list)) < 0)
                                        return err_nomem();
                                list[n++] = port;
                        }
                }
        *ret = TAKE_PTR(list);
        *ret_n = n;
        return NULL;
}

err *ports_unpublish(const struct container *c, const json *ports, const struct link_address to[LINK_ADDRESSES])
{
        _cleanup_free_ struct firewall_port *list = NULL;
        _cleanup_firewall_ struct firewall *f = NULL;
        size_t n;

        TRY(ports_elements(ports, to, &list, &n));
        TRY(firewall_open(&f));
        return firewall_unpublish(f, c->id, list, n);
}

/* What is open at the container's own address is now at its new one, or nowhere. */
static void move_open(json *ports, const struct link_address to[LINK_ADDRESSES])
{
        char text[ENDPOINT_ADDRESS_MAX];

        JSON_EACH (ports, it)
                for (size_t i = 0; i < json_len(it.value); i++) {
                        json *one = json_at(it.value, i);
                        bool six = strchr(json_get_str_or(one, "HostIp", ""), ':') != NULL;

                        if (json_get_bool(one, PORTS_OPEN, false))
                                json_set_str(one, "HostIp",
                                             to[six].family ? endpoint_address_text(&to[six], false, text)
                                             : six          ? "::"
                                                            : "0.0.0.0");
                }
}

err *ports_move(const struct container *c, json *ports, const struct link_address to[LINK_ADDRESSES])
{
        struct link_address any[LINK_ADDRESSES] = {{.family = AF_INET}, {.family = AF_INET6}};
        _cleanup_free_ struct firewall_port *list = NULL;
        _cleanup_firewall_ struct firewall *f = NULL;
        char owner[FIREWALL_OWNER_MAX];
        size_t n, taken;

        TRY(ports_unpublish(c, ports, any));
        move_open(ports, to);
        TRY(ports_elements(ports, to, &list, &n));
        TRY(firewall_open(&f));
        return n ? firewall_publish(f, c->id, list, n, &taken, owner) : NULL;
}
