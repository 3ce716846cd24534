/* ports.c - see ports.h: what is asked for, and how it gets into the firewall. */
#include "engine/ports_private.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/parse.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "engine/stranger.h"

#define TRIES 100
#define LINE "%u %s %u %s %u" /* of the monitor: protocol, host's address or device, its port, address, port */

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

err *ports_parse_range(const char *text, uint16_t *first, uint16_t *last)
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

static err *add(struct ports_publish *p, const struct ports_binding *b)
{
        if (mem_grow(&p->list, p->n, sizeof(*p->list)) < 0)
                return err_nomem();
        p->list[p->n++] = *b;
        return NULL;
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
static err *add_at(struct ports_publish *p, struct ports_binding *b)
{
        unsigned k = b->port.host.family == AF_INET6;
        char text[ENDPOINT_ADDRESS_MAX];

        b->port.to = p->to[k];
        if (!p->to[k].family && k && endpoint_address_is_loopback(&b->port.host)) {
                b->port.to = p->to[0];
                b->relay = true;
        }
        if (!b->port.to.family)
                return err_new(ERR_INVALID, "port %s cannot be published on %s: the container has no %s address",
                               b->key, endpoint_address_text(&b->port.host, false, text), k ? "IPv6" : "IPv4");
        return add(p, b);
}

static bool is_open_already(const struct ports_publish *p, const struct ports_binding *b, const char *host)
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
static err *add_open(struct ports_publish *p, const struct ports_binding *b)
{
        struct ports_binding open = *b;
        char text[ENDPOINT_ADDRESS_MAX];

        if (is_open_already(p, b, endpoint_address_text(&b->port.to, false, text)))
                return NULL;
        open.port.open = true;
        open.port.host = b->port.to;
        open.port.host_port = b->port.port;
        open.twin = false;
        return add(p, &open);
}

/* At all addresses of a family (@six) that the container has not: what comes from ::1 is relayed to the other family,
 * as it is when no address was named. */
static err *add_foreign(struct ports_publish *p, struct ports_binding *b, bool six)
{
        if (!six)
                return err_new(ERR_INVALID, "port %s cannot be published on 0.0.0.0: the container has no IPv4 address",
                               b->key);
        b->port.host = (struct link_address){.family = AF_INET6};
        b->port.to = p->to[0];
        b->relay = true;
        return add(p, b);
}

static bool is_any_address(const char *ip)
{
        return str_empty(ip) || str_eq(ip, "0.0.0.0") || str_eq(ip, "::");
}

bool ports_is_any(const json *binding)
{
        return is_any_address(json_get_str_or(binding, "HostIp", ""));
}

err *ports_want(struct ports_publish *p, const char *key, const char *ip, const char *range)
{
        struct ports_binding b = {.key = key};
        bool any = is_any_address(ip);

        TRY(parse_key(key, &b.port.protocol, &b.port.port));
        TRY(ports_parse_range(range, &b.first, &b.last));
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
        if (any && !str_empty(ip) && !p->to[str_eq(ip, "::")].family)
                return add_foreign(p, &b, str_eq(ip, "::"));
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

static err *collect_bindings(struct ports_publish *p, const json *bindings)
{
        JSON_EACH (bindings, it)
                for (size_t i = 0; i < json_len(it.value); i++)
                        TRY(ports_want(p, it.key, json_get_str_or(json_at(it.value, i), "HostIp", ""),
                                       json_get_str_or(json_at(it.value, i), "HostPort", "")));
        return NULL;
}

static err *collect(struct ports_publish *p)
{
        const json *host = container_host_config(p->c), *bindings = json_get(host, "PortBindings");

        TRY(collect_bindings(p, bindings));
        if (!json_get_bool(host, "PublishAllPorts", false))
                return NULL;
        JSON_EACH (json_get(container_config(p->c), "ExposedPorts"), it)
                if (!json_has(bindings, it.key))
                        TRY(ports_want(p, it.key, "", ""));
        return NULL;
}

bool ports_wanted(const struct container *c)
{
        const json *host = container_host_config(c);

        return json_len(json_get(host, "PortBindings")) || json_get_bool(host, "PublishAllPorts", false);
}

/* ---- publishing ---- */

json *ports_document(const struct ports_publish *p)
{
        char host[ENDPOINT_ADDRESS_MAX], number[8];
        json *doc = json_new_object();

        for (size_t i = 0; i < p->n; i++) {
                json *one;

                if (p->list[i].link && p->list[i].twin)
                        continue; /* one word for both families */
                one = json_new_object();
                (void)snprintf(number, sizeof(number), "%u", p->list[i].port.host_port);
                json_set_str(one, "HostIp", ports_host_text(&p->list[i], host));
                json_set_str(one, "HostPort", number);
                if (p->list[i].port.open)
                        json_set_bool(one, PORTS_OPEN, true);
                json_add(json_sub_array(doc, p->list[i].key), one);
        }
        return doc;
}

static err *lines(const struct ports_publish *p, char ***ret)
{
        char host[ENDPOINT_ADDRESS_MAX], to[ENDPOINT_ADDRESS_MAX];

        for (size_t i = 0; i < p->n; i++) {
                const struct ports_binding *b = &p->list[i];

                if (b->port.open) /* the host's are free */
                        continue;
                TRY(strv_push(ret, str_format(LINE, b->port.protocol, ports_host_text(b, host), b->port.host_port,
                                              endpoint_address_text(&b->port.to, false, to), b->port.port)));
        }
        return NULL;
}

err *ports_entries(const struct ports_publish *p, struct firewall_port **ret, size_t **ret_which, size_t *ret_n)
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

static err *put(struct ports_publish *p, struct firewall *f, size_t *ret_taken, char owner[FIREWALL_OWNER_MAX])
{
        _cleanup_free_ struct firewall_port *ports = NULL;
        _cleanup_free_ size_t *which = NULL;
        size_t n;
        err *e;

        TRY(ports_entries(p, &ports, &which, &n));
        if (!n)
                return NULL;
        e = firewall_publish(f, p->c->id, ports, n, ret_taken, owner);
        if (err_code(e) == ERR_CONFLICT)
                *ret_taken = which[*ret_taken];
        return e;
}

/* Whose container has gone, or is this one's last start: of all that is wanted. */
static err *take_from(const struct ports_publish *p, struct firewall *f, const char *owner)
{
        _cleanup_free_ struct firewall_port *ports = NULL;
        _cleanup_free_ size_t *which = NULL;
        size_t n;

        TRY(ports_entries(p, &ports, &which, &n));
        return firewall_unpublish(f, owner, ports, n);
}

static err *is_taken(const struct ports_publish *p, const struct ports_binding *b, const char *owner)
{
        _cleanup_container_ struct container *other = NULL;
        char host[ENDPOINT_ADDRESS_MAX];
        bool known;

        err_free(container_find(p->c->engine, owner, &other));
        known = other && other->name;
        return err_new(ERR_CONFLICT, "Bind for %s:%u failed: port is already allocated (by container %.*s%s)",
                       ports_host_text(b, host), b->port.host_port, known ? (int)strlen(other->name) : ID_SHORT,
                       known ? other->name : owner, known ? "" : " of another engine");
}

static bool is_alive(struct engine *e, const char *owner)
{
        _cleanup_container_ struct container *other = NULL;
        err *error = container_find(e, owner, &other);
        bool unknown = err_code(error) == ERR_NOT_FOUND;

        err_free(error);
        return unknown ? stranger_lives(owner) : endpoints_holder_lives(e, owner);
}

err *ports_resolve(struct ports_publish *p, struct firewall *f, size_t taken, const char *owner)
{
        struct ports_binding *b = &p->list[taken];

        if (!*owner) /* given back while we looked */
                return NULL;
        if (str_eq(owner, p->c->id) || !is_alive(p->c->engine, owner))
                return take_from(p, f, owner);
        if (b->port.open || (b->first && b->first == b->last))
                return is_taken(p, b, owner);
        if (b->twin)
                b--;
        return ports_choose(p, b, b->port.host_port + 1u);
}

static err *publish(struct ports_publish *p, ports_note *note, void *arg)
{
        _cleanup_firewall_ struct firewall *f = NULL;

        TRY(firewall_open(&f));
        for (unsigned i = 0; i < TRIES; i++) {
                char owner[FIREWALL_OWNER_MAX] = "";
                size_t taken = 0;
                err *e;

                TRY(note(arg, ports_document(p)));
                e = put(p, f, &taken, owner);
                if (err_code(e) != ERR_CONFLICT)
                        return e;
                err_free(e);
                TRY(ports_resolve(p, f, taken, owner));
        }
        return err_new(ERR_BUSY, "others publish ports as fast as they are found");
}

static err *publish_collected(struct ports_publish *p, err *e, ports_note *note, void *arg, char ***ret_lines)
{
        if (!e)
                e = ports_choose_all(p);
        if (!e && p->n)
                e = publish(p, note, arg);
        if (!e)
                e = lines(p, ret_lines);
        free(p->list);
        return e ? err_wrap(e, "driver failed programming external connectivity on endpoint %s", p->c->name) : NULL;
}

err *ports_publish(struct container *c, const struct ports_target *t, ports_note *note, void *arg, char ***ret_lines)
{
        struct ports_publish p = {.c = c, .target = t};

        memcpy(p.to, t->to, sizeof(p.to));
        return publish_collected(&p, collect(&p), note, arg, ret_lines);
}

err *ports_publish_more(struct container *c, const json *has, const json *bindings, const struct ports_target *t,
                        ports_note *note, void *arg, char ***ret_lines)
{
        struct ports_publish p = {.c = c, .has = has, .target = t};

        memcpy(p.to, t->to, sizeof(p.to));
        return publish_collected(&p, collect_bindings(&p, bindings), note, arg, ret_lines);
}

/* ---- another network ---- */

json *ports_join(const json *a, const json *b)
{
        json *all = json_new_object();

        for (unsigned k = 0; k < 2; k++)
                JSON_EACH (k ? b : a, it) {
                        if (!json_len(it.value))
                                continue;
                        for (size_t i = 0; i < json_len(it.value); i++)
                                json_add(json_sub_array(all, it.key), json_ref(json_at(it.value, i)));
                }
        return all;
}

static bool has_alike(const json *list, const json *one)
{
        for (size_t i = 0; i < json_len(list); i++) {
                const json *other = json_at(list, i);

                if (str_eq(json_get_str(other, "HostIp"), json_get_str(one, "HostIp")) &&
                    str_eq(json_get_str(other, "HostPort"), json_get_str(one, "HostPort")) &&
                    json_get_bool(other, PORTS_OPEN, false) == json_get_bool(one, PORTS_OPEN, false))
                        return true;
        }
        return false;
}

json *ports_merge(const json *a, const json *b)
{
        json *all = json_new_object();

        for (unsigned k = 0; k < 2; k++)
                JSON_EACH (k ? b : a, it)
                        for (size_t i = 0; i < json_len(it.value); i++)
                                if (!has_alike(json_get(all, it.key), json_at(it.value, i)))
                                        json_add(json_sub_array(all, it.key), json_ref(json_at(it.value, i)));
        return all;
}

static bool has_all(const json *ports, const json *of)
{
        JSON_EACH (of, it)
                for (size_t i = 0; i < json_len(it.value); i++)
                        if (!has_alike(json_get(ports, it.key), json_at(it.value, i)))
                                return false;
        return true;
}

bool ports_is_at_all(const json *one, bool six)
{
        return !json_get_bool(one, PORTS_OPEN, false) && str_eq(json_get_str(one, "HostIp"), six ? "::" : "0.0.0.0");
}

bool ports_has_at_all(const json *list, bool six, const char *host_port)
{
        for (size_t i = 0; i < json_len(list); i++)
                if (ports_is_at_all(json_at(list, i), six) &&
                    (!host_port || str_eq(json_get_str(json_at(list, i), "HostPort"), host_port)))
                        return true;
        return false;
}

bool ports_names_no_address(const struct container *c, const char *key, const json *one)
{
        const json *host = container_host_config(c), *asked = json_path(host, "PortBindings");
        const json *list = json_get(asked, key);
        uint16_t first, last, port;
        bool found = !json_has(asked, key) && json_get_bool(host, "PublishAllPorts", false), named = false;

        err_free(ports_parse_range(json_get_str(one, "HostPort"), &port, &last));
        for (size_t i = 0; i < json_len(list); i++) {
                const char *ip = json_get_str_or(json_at(list, i), "HostIp", "");

                err_free(ports_parse_range(json_get_str(json_at(list, i), "HostPort"), &first, &last));
                if (first && (port < first || port > last))
                        continue;
                if (str_empty(ip) && first && first == last)
                        return true;
                found |= str_empty(ip);
                named |= str_eq(ip, json_get_str(one, "HostIp"));
        }
        return found && !named;
}

/* Open at the container's own address of the family? Such names none. */
static bool is_open(const json *one, bool six)
{
        return json_get_bool(one, PORTS_OPEN, false) &&
               (strchr(json_get_str_or(one, "HostIp", ""), ':') != NULL) == six;
}

static bool has_open(const json *list, bool six)
{
        for (size_t i = 0; i < json_len(list); i++)
                if (is_open(json_at(list, i), six))
                        return true;
        return false;
}

/* @one is published for one family: for the other (@six), too. Which port of the host that would be, what is open does
 * not say. */
static err *add_other(struct ports_publish *p, const char *key, const json *one, bool six)
{
        struct ports_binding b = {.key = key, .port.to = p->to[six]};
        const json *list = json_get(p->has, key);

        if (!b.port.to.family ||
            (is_open(one, !six) ? !p->target->routed[six] : !ports_names_no_address(p->c, key, one)))
                return NULL;
        TRY(parse_key(key, &b.port.protocol, &b.port.port));
        TRY(ports_parse_range(json_get_str(one, "HostPort"), &b.first, &b.last));
        if (p->target->routed[six])
                return has_open(list, six) ? NULL : add_open(p, &b); /* which will be moved */
        return ports_has_at_all(list, six, json_get_str(one, "HostPort")) ? NULL : add(p, &b);
}

static err *collect_others(struct ports_publish *p)
{
        JSON_EACH (p->has, it)
                for (size_t i = 0; i < json_len(it.value) && !p->target->host.family; i++)
                        for (unsigned six = 0; six < LINK_ADDRESSES; six++)
                                if (ports_is_at_all(json_at(it.value, i), six) || is_open(json_at(it.value, i), six))
                                        TRY(add_other(p, it.key, json_at(it.value, i), !six));
        return NULL;
}

err *ports_publish_others(struct container *c, const json *has, const struct ports_target *t, ports_note *note,
                          void *arg)
{
        struct ports_publish p = {.c = c, .has = has, .target = t};
        _cleanup_strv_ char **unused = NULL;

        memcpy(p.to, t->to, sizeof(p.to));
        return publish_collected(&p, collect_others(&p), note, arg, &unused);
}

/* Given back when the container has @to: published for a family that it has not, only because it had it once. */
static bool is_left_over(const struct container *c, const char *key, const json *list, const json *one,
                         const struct link_address to[LINK_ADDRESSES])
{
        const char *host_port = json_get_str(one, "HostPort");

        for (unsigned six = 0; six < LINK_ADDRESSES; six++) {
                if (to[six].family || !to[!six].family)
                        continue;
                if (is_open(one, six))
                        return has_open(list, !six) || ports_has_at_all(list, !six, NULL);
                if (ports_is_at_all(one, six) && ports_has_at_all(list, !six, host_port))
                        return ports_names_no_address(c, key, one);
        }
        return false;
}

static void forget_left_over(const struct container *c, json *ports, const struct link_address to[LINK_ADDRESSES])
{
        JSON_EACH (ports, it) {
                json *rest = json_new_array();

                for (size_t i = 0; i < json_len(it.value); i++)
                        if (!is_left_over(c, it.key, it.value, json_at(it.value, i), to))
                                json_add(rest, json_ref(json_at(it.value, i)));
                json_set(ports, it.key, rest);
        }
}

/* Where the monitor leads what it relays: what the host sends to its ::1 to the other family, if need be. All zero:
 * nowhere. */
static struct link_address relay_target(const struct link_address *host, const struct link_address to[LINK_ADDRESSES])
{
        bool six = host->family == AF_INET6;

        if (six && !to[1].family)
                six = false;
        return to[six].family ? to[six] : (struct link_address){.family = six ? AF_INET6 : AF_INET};
}

static err *add_line(const struct firewall_port *p, const char *ip, const struct link_address *to, char ***ret)
{
        char text[ENDPOINT_ADDRESS_MAX];

        return strv_push(
                ret, str_format(LINE, p->protocol, ip, p->host_port, endpoint_address_text(to, false, text), p->port));
}

err *ports_lines(const struct container *c, const json *ports, const struct link_address to[LINK_ADDRESSES],
                 char ***ret)
{
        JSON_EACH (ports, it)
                for (size_t i = 0; i < json_len(it.value); i++) {
                        const json *one = json_at(it.value, i);
                        const char *ip = json_get_str_or(one, "HostIp", "");
                        struct link_address host, target;
                        struct firewall_port p = {0};
                        uint16_t last;

                        if (json_get_bool(one, PORTS_OPEN, false) || is_left_over(c, it.key, it.value, one, to))
                                continue;
                        TRY(parse_key(it.key, &p.protocol, &p.port));
                        TRY(ports_parse_range(json_get_str(one, "HostPort"), &p.host_port, &last));
                        if (endpoint_address_parse(ip, &host)) {
                                target = relay_target(&host, to);
                                TRY(add_line(&p, ip, &target, ret));
                                continue;
                        }
                        for (unsigned k = 0; k < LINK_ADDRESSES; k++) /* a device's, of both families */
                                if (to[k].family)
                                        TRY(add_line(&p, ip, &to[k], ret));
                }
        return NULL;
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
                e = ports_parse_range(json_get_str(one, "HostPort"), &port.host_port, &last);
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

void ports_move_open(json *ports, const struct link_address to[LINK_ADDRESSES])
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

err *ports_make_way(const struct container *c, struct firewall *f, const struct firewall_port *now, const char *owner)
{
        struct ports_publish p = {.c = (struct container *)c};
        struct ports_binding b = {.port = *now, .link = now->link};

        if (!*owner) /* given back while we looked */
                return NULL;
        return is_alive(c->engine, owner) ? is_taken(&p, &b, owner) : firewall_unpublish(f, owner, now, 1);
}

static err *move(const struct container *c, const struct firewall_port *from, size_t n_from,
                 const struct firewall_port *to, size_t n_to)
{
        _cleanup_firewall_ struct firewall *f = NULL;

        TRY(firewall_open(&f));
        for (unsigned i = 0; i < TRIES; i++) {
                char owner[FIREWALL_OWNER_MAX] = "";
                size_t taken = 0;
                err *e = firewall_move(f, c->id, from, n_from, to, n_to, &taken, owner);

                if (err_code(e) != ERR_CONFLICT)
                        return e;
                err_free(e);
                TRY(ports_make_way(c, f, &to[taken], owner));
        }
        return err_new(ERR_BUSY, "others publish ports as fast as they are found");
}

err *ports_move(const struct container *c, const json *has, const struct link_address to[LINK_ADDRESSES],
                ports_note *note, void *arg, json **ret)
{
        struct link_address any[LINK_ADDRESSES] = {{.family = AF_INET}, {.family = AF_INET6}};
        _cleanup_free_ struct firewall_port *before = NULL, *now = NULL;
        _cleanup_json_ json *copy = NULL, *moved = NULL;
        size_t n_before, n_now;

        TRY(json_copy((json *)has, &copy)); /* @has is what is taken back if this fails */
        ports_move_open(copy, to);
        moved = ports_merge(copy, NULL);
        TRY(ports_elements(has, any, &before, &n_before));
        TRY(ports_elements(moved, to, &now, &n_now));
        if (!has_all(has, moved)) /* something is opened elsewhere */
                TRY(note(arg, ports_merge(has, moved)));
        TRY(move(c, before, n_before, now, n_now));
        forget_left_over(c, moved, to);
        *ret = TAKE_PTR(moved);
        return NULL;
}
