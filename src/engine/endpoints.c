/* endpoints.c - see endpoints.h. */
#include "engine/endpoints.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "engine/networks.h"
#include "engine/ports.h"
#include "net/bridge.h"
#include "net/lease.h"
#include "net/network.h"
#include "sys/endpoint.h"
#include "sys/link.h"
#include "sys/netlink.h"

#define FILE_NAME "network.json"

bool endpoints_mode_is_network(const char *mode)
{
        return !str_empty(mode) && !str_eq(mode, "host") && !str_eq(mode, "none") && !str_starts(mode, "container:") &&
               !str_starts(mode, "ns:");
}

/* ---- what it has ---- */

static err *write_file(int state_fd, const json *doc)
{
        _cleanup_free_ char *text = NULL;
        int r;

        TRY(json_print((json *)doc, JSON_COMPACT, &text));
        r = file_replace(state_fd, FILE_NAME, text, strlen(text), 0600, FILE_VOLATILE);
        return r < 0 ? err_sys(r, "writing " FILE_NAME) : NULL;
}

err *endpoints_read(const struct container *c, json **ret)
{
        _cleanup_free_ char *path = str_format("%s/" FILE_NAME, c->id);
        err *e;

        *ret = NULL;
        if (!path)
                return err_nomem();
        e = json_read(c->engine->containers_fd, path, ret);
        return err_code(e) == ERR_NOT_FOUND ? err_free(e) : e;
}

/* ---- one endpoint ---- */

struct attach {
        struct container *c;
        struct networks *networks;
        struct monitor_conf *conf;
        json *doc; /* network.json */
        unsigned n;
        bool has_default[LINK_ADDRESSES];
        int state_fd;
        struct network *published; /* the bridge that published ports lead to; owned */
        struct link_address to[LINK_ADDRESSES];
};

/* Is somebody at work on it? Whoever starts a container holds its lock; one that was killed does not any more. */
static bool is_busy(const struct container *c)
{
        if (flock(c->state_fd, LOCK_SH | LOCK_NB) < 0)
                return true;
        (void)flock(c->state_fd, LOCK_UN);
        return false;
}

bool endpoints_holder_lives(struct engine *e, const char *id)
{
        _cleanup_container_ struct container *other = NULL;
        err *error = container_find(e, id, &other);

        if (error) {
                bool gone = err_code(error) == ERR_NOT_FOUND;

                err_free(error);
                return !gone;
        }
        /* What has ended is only waiting to be cleaned up; what has not begun is being started, or was. */
        if (container_is_alive(other) || other->state_fd < 0)
                return container_is_alive(other);
        return !(other->has_status && other->state == STATUS_EXITED) && (other->monitor_alive || is_busy(other));
}

static bool lives(const char *id, void *arg)
{
        return endpoints_holder_lives(arg, id);
}

static err *wanted_address(const json *settings, const char *key, int family, struct link_address *ret)
{
        const char *text = json_get_str(json_get(settings, "IPAMConfig"), key);

        if (str_empty(text))
                return NULL;
        if (!endpoint_address_parse(text, ret) || ret->family != family)
                return err_new(ERR_INVALID, "invalid %s address: %s", family == AF_INET ? "IPv4" : "IPv6", text);
        return NULL;
}

/* Names that others find it by: its own, the aliases, the short id. */
static err *collect_names(const struct container *c, const json *settings, char ***ret)
{
        _cleanup_strv_ char **names = NULL, **aliases = NULL;
        char id[ID_SHORT + 1];

        TRY(strv_add(&names, c->name));
        TRY(json_get_strv(settings, "Aliases", &aliases));
        for (char **a = aliases; a && *a; a++)
                TRY(strv_add(&names, *a));
        (void)snprintf(id, sizeof(id), "%.12s", c->id);
        TRY(strv_add(&names, id));
        *ret = TAKE_PTR(names);
        return NULL;
}

static err *take_lease(struct attach *a, const struct network *n, const json *settings, struct lease *ret)
{
        _cleanup_free_ char *mac = str_dup(json_get_str_or(settings, "MacAddress", ""));
        _cleanup_strv_ char **names = NULL;
        struct lease_request r = {.container = a->c->id, .name = a->c->name, .lives = lives, .arg = a->c->engine};

        if (!mac)
                return err_nomem();
        TRY(wanted_address(settings, "IPv4Address", AF_INET, &r.wanted[0]));
        TRY(wanted_address(settings, "IPv6Address", AF_INET6, &r.wanted[1]));
        if ((r.wanted[0].family || r.wanted[1].family) && !n->configured)
                return err_new(ERR_INVALID,
                               "invalid endpoint settings: user specified IP address is supported only when "
                               "connecting to networks with user configured subnets");
        if (*mac && !endpoint_mac_parse(mac, r.mac))
                return err_new(ERR_INVALID, "%s is not a valid mac address", mac);
        TRY(collect_names(a->c, settings, &names));
        r.names = names;
        return lease_take(a->networks, n, &r, ret);
}

static void fill_endpoint(struct attach *a, const struct network *n, const struct lease *l, struct endpoint *e)
{
        *e = (struct endpoint){.kind = str_eq(n->driver, "macvlan")  ? ENDPOINT_MACVLAN
                                       : str_eq(n->driver, "ipvlan") ? ENDPOINT_IPVLAN
                                                                     : ENDPOINT_BRIDGE,
                               .mtu = n->mtu,
                               .hairpin = ports_wanted(a->c),
                               .isolated = !n->icc,
                               .ipv6 = n->pool[1].subnet.family != 0};
        memcpy(e->parent, n->link, sizeof(e->parent));
        memcpy(e->host_name, l->link, sizeof(e->host_name));
        memcpy(e->mode, n->mode, sizeof(e->mode));
        memcpy(e->mac, l->mac, sizeof(e->mac));
        (void)snprintf(e->name, sizeof(e->name), "eth%u", a->n);
        for (unsigned i = 0; i < LINK_ADDRESSES; i++) {
                e->address[i] = l->address[i];
                if (!n->pool[i].gateway.family || n->internal || a->has_default[i])
                        continue;
                e->route[e->n_routes++].via = n->pool[i].gateway;
                a->has_default[i] = true;
        }
}

/* docker's EndpointSettings as they are now. */
static void describe(const struct network *n, const struct lease *l, const json *settings, json *doc)
{
        static const char *const kept[] = {"IPAMConfig", "Links", "Aliases", "DriverOpts", "GwPriority"};
        char text[ENDPOINT_ADDRESS_MAX], mac[18];
        const unsigned char *m = l->mac;
        json *names = json_new_array();

        for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
                json_set(doc, kept[i], json_get(settings, kept[i]) ? json_ref(json_get(settings, kept[i])) : NULL);
        (void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
        json_set_str(doc, "MacAddress", mac);
        json_set_str(doc, "NetworkID", n->id);
        json_set_str(doc, "EndpointID", l->endpoint);
        json_set_str(doc, "Gateway", endpoint_address_text(&n->pool[0].gateway, false, text));
        json_set_str(doc, "IPAddress", endpoint_address_text(&l->address[0], false, text));
        json_set_int(doc, "IPPrefixLen", l->address[0].family ? l->address[0].prefix : 0);
        json_set_str(doc, "IPv6Gateway", endpoint_address_text(&n->pool[1].gateway, false, text));
        json_set_str(doc, "GlobalIPv6Address", endpoint_address_text(&l->address[1], false, text));
        json_set_int(doc, "GlobalIPv6PrefixLen", l->address[1].family ? l->address[1].prefix : 0);
        for (size_t i = 0; l->names && l->names[i]; i++)
                json_add_str(names, l->names[i]);
        /* The default bridge has no names. */
        json_set(doc, "DNSNames", n->predefined ? NULL : json_ref(names));
        json_free(names);
}

static err *attach_one(struct attach *a, const char *name, const json *settings, int state_fd)
{
        _cleanup_network_ struct network *n = NULL;
        _cleanup_lease_ struct lease l = {0};
        _cleanup_free_ char *line = NULL;
        _cleanup_close_ int held = -1;
        struct endpoint e;

        /* Nobody takes the network away before there is a lease; who had done so while we waited is seen by its record.
         */
        TRY(network_find(a->networks, name, &n));
        TRY(lease_hold(a->networks, n->id, false, &held));
        network_free(n);
        n = NULL;
        TRY(network_find(a->networks, name, &n));
        if (str_eq(n->driver, "host") || str_eq(n->driver, "null"))
                return err_new(ERR_INVALID,
                               "container cannot be connected to multiple networks with one of the networks "
                               "in %s mode",
                               str_eq(n->driver, "host") ? "host" : "private (none)");
        TRY(network_settle(a->networks, n));
        /* What is about to be taken is written down first. */
        json_set_str(json_sub_object(json_sub_object(a->doc, "Networks"), n->name), "NetworkID", n->id);
        TRY(write_file(state_fd, a->doc));
        TRY(take_lease(a, n, settings, &l));
        if (str_eq(n->driver, "bridge"))
                TRY(bridge_up(n));
        fill_endpoint(a, n, &l, &e);
        describe(n, &l, settings, json_sub_object(json_sub_object(a->doc, "Networks"), n->name));
        TRY(endpoint_format(&e, &line));
        a->n++;
        if (!a->published && str_eq(n->driver, "bridge") && !n->internal) {
                memcpy(a->to, l.address, sizeof(a->to));
                a->published = TAKE_PTR(n);
        }
        return strv_add(&a->conf->endpoints, line);
}

static err *note_ports(void *arg, json *ports)
{
        struct attach *a = arg;

        json_set(a->doc, "Ports", ports);
        return write_file(a->state_fd, a->doc);
}

/* Published ports lead to the addresses on the bridge that has the way out. */
static err *publish(struct attach *a)
{
        if (!ports_wanted(a->c))
                return NULL;
        if (!a->published)
                return err_new(ERR_INVALID, "ports can be published on a bridge network that is not internal only");
        TRY(bridge_allow_loopback(a->published));
        return ports_publish(a->c, a->to, note_ports, a, &a->conf->ports);
}

static err *attach_all(struct attach *a, const char *mode, int state_fd)
{
        const json *wanted = json_path(a->c->record, "NetworkSettings.Networks");
        const char *first = str_eq(mode, "default") ? NETWORK_DEFAULT : mode;

        TRY(attach_one(a, first, json_get(wanted, first), state_fd));
        JSON_EACH (wanted, it)
                if (!str_eq(it.key, first))
                        TRY(attach_one(a, it.key, it.value, state_fd));
        if (a->published)
                json_set_str(a->doc, "PortsLeadTo", a->published->name);
        TRY(publish(a));
        return write_file(state_fd, a->doc);
}

err *endpoints_attach(struct container *c, int state_fd, struct monitor_conf *conf)
{
        const char *mode = json_get_str_or(container_host_config(c), "NetworkMode", NETWORK_DEFAULT);
        _cleanup_json_ json *doc = NULL;
        struct attach a = {.c = c, .conf = conf, .state_fd = state_fd};
        err *e;

        if (!endpoints_mode_is_network(mode))
                return NULL;
        TRY(networks_of(c->engine, &a.networks));
        a.doc = doc = json_new_object();
        e = attach_all(&a, mode, state_fd);
        network_free(a.published);
        if (e)
                err_free(endpoints_detach(c));
        return e ? err_wrap(e, "failed to set up container networking") : NULL;
}

/* Elements are found by what they lead to, too: any address of the right family will do. */
static err *unpublish(struct container *c, const json *doc)
{
        struct link_address to[LINK_ADDRESSES] = {{.family = AF_INET}, {.family = AF_INET6}};

        return json_get(doc, "Ports") ? ports_unpublish(c, json_get(doc, "Ports"), to) : NULL;
}

err *endpoints_detach(struct container *c)
{
        _cleanup_json_ json *doc = NULL;
        struct networks *networks;
        err *first = NULL;

        TRY(endpoints_read(c, &doc));
        if (!doc)
                return NULL;
        TRY(networks_of(c->engine, &networks));
        first = unpublish(c, doc);
        JSON_EACH (json_get(doc, "Networks"), it) {
                err *e = lease_release(networks, json_get_str_or(it.value, "NetworkID", ""), c->id);

                if (first)
                        err_free(e);
                else
                        first = e;
        }
        return first;
}

err *endpoints_inspect(const struct container *c, json *settings)
{
        static const char *const same[] = {"EndpointID", "Gateway",     "GlobalIPv6Address", "GlobalIPv6PrefixLen",
                                           "IPAddress",  "IPPrefixLen", "IPv6Gateway",       "MacAddress"};
        _cleanup_json_ json *doc = NULL;
        const json *bridge;

        TRY(endpoints_read(c, &doc));
        if (!doc)
                return NULL;
        JSON_EACH (json_get(doc, "Ports"), it)
                json_set(json_sub_object(settings, "Ports"), it.key, json_ref(it.value));
        JSON_EACH (json_get(doc, "Networks"), it)
                json_set(json_sub_object(settings, "Networks"), it.key, json_ref(it.value));
        /* docker still repeats the default bridge's here. */
        bridge = json_get(json_get(doc, "Networks"), NETWORK_DEFAULT);
        for (size_t i = 0; bridge && i < ARRAY_SIZE(same); i++)
                if (json_get(bridge, same[i]))
                        json_set(settings, same[i], json_ref(json_get(bridge, same[i])));
        return NULL;
}

/* ---- published ports of a running container ---- */

static void address_of(const json *endpoint, const char *key, struct link_address *ret)
{
        if (!endpoint_address_parse(json_get_str_or(endpoint, key, ""), ret))
                *ret = (struct link_address){0};
}

/* A container may reach its own ports by the host's address. */
static err *allow_hairpin(struct networks *s, const struct network *n, const struct container *c)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        struct lease *list;
        size_t count;
        int r = 0;

        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        TRY(lease_list(s, n->id, &list, &count));
        for (size_t i = 0; i < count; i++)
                if (str_eq(list[i].container, c->id) && list[i].link[0])
                        r = link_port_hairpin(fd, list[i].link);
        lease_list_free(list, count);
        return r < 0 ? err_sys(-r, "setting up the bridge port of container %s", c->name) : NULL;
}

static err *ready_for_more(const struct container *c, const char *network)
{
        _cleanup_network_ struct network *n = NULL;
        struct networks *s;

        TRY(networks_of(c->engine, &s));
        TRY(network_find(s, network, &n));
        TRY(bridge_allow_loopback(n));
        return allow_hairpin(s, n, c);
}

err *endpoints_ports(const struct container *c, bool more, struct link_address ret_to[LINK_ADDRESSES], json **ret_ports)
{
        _cleanup_json_ json *doc = NULL;
        const char *network;
        const json *endpoint;

        TRY(endpoints_read(c, &doc));
        network = json_get_str(doc, "PortsLeadTo");
        endpoint = network ? json_get(json_get(doc, "Networks"), network) : NULL;
        if (!endpoint)
                return err_new(ERR_INVALID, "ports can be published on a bridge network that is not internal only");
        address_of(endpoint, "IPAddress", &ret_to[0]);
        address_of(endpoint, "GlobalIPv6Address", &ret_to[1]);
        if (more)
                TRY(ready_for_more(c, network));
        *ret_ports = json_get(doc, "Ports") ? json_ref(json_get(doc, "Ports")) : json_new_object();
        return NULL;
}

err *endpoints_set_ports(const struct container *c, json *ports)
{
        _cleanup_json_ json *doc = NULL, *mine = ports;

        TRY(endpoints_read(c, &doc));
        if (!doc)
                return err_new(ERR_NOT_RUNNING, "container %s is not running", c->id);
        json_set(doc, "Ports", TAKE_PTR(mine));
        return write_file(c->state_fd, doc);
}
