/* endpoints_take.c - a place in one network: what was asked for, what is taken, and which of several networks leads
 * out. See endpoints_private.h. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/endpoints_private.h"
#include "engine/guards.h"
#include "engine/networks.h"
#include "engine/ports.h"
#include "engine/reload.h"
#include "net/address.h"
#include "net/bridge.h"
#include "net/home.h"
#include "net/parent.h"

#define OPTION_NAME "com.docker.network.endpoint.ifname"
#define OPTION_SYSCTLS "com.docker.network.endpoint.sysctls"
#define OPTION_PREFIX "com.docker.network.container_iface_prefix"
#define OPTIONS "com.docker.network."
#define NAMES 256
#define LABEL_MAX 63
#define ALIAS_MAX 253

/* ---- what was asked for ---- */

static err *wanted_address(const json *settings, const char *key, int family, struct link_address *ret)
{
        const char *text = json_get_str(json_get(settings, "IPAMConfig"), key);

        if (str_empty(text))
                return NULL;
        if (!endpoint_address_parse(text, ret) || ret->family != family || strchr(text, '/'))
                return err_new(ERR_INVALID, "invalid endpoint settings: invalid %s address: %s",
                               family == AF_INET ? "IPv4" : "IPv6", text);
        return NULL;
}

static err *check_addresses(const struct network *n, const struct link_address wanted[LINK_ADDRESSES])
{
        char text[ENDPOINT_ADDRESS_MAX];

        for (unsigned k = 0; k < LINK_ADDRESSES; k++) {
                if (!wanted[k].family)
                        continue;
                if (!n->configured)
                        return err_new(ERR_INVALID,
                                       "invalid endpoint settings: user specified IP address is supported only when "
                                       "connecting to networks with user configured subnets");
                if (!n->pool[k].subnet.family || !address_within(&n->pool[k].subnet, &wanted[k]))
                        return err_new(
                                ERR_INVALID,
                                "invalid endpoint settings: no configured subnet or ip-range contain the IP address %s",
                                endpoint_address_text(&wanted[k], false, text));
        }
        return NULL;
}

/* Further addresses; docker gives them the prefix of all link-local addresses, or none. Nobody keeps account of them,
 * so they are none of those that are given to containers. */
static err *read_link_local(const struct network *n, const json *settings, struct endpoint *e)
{
        const json *list = json_get(json_get(settings, "IPAMConfig"), "LinkLocalIPs");

        if (json_len(list) > ENDPOINT_EXTRA)
                return err_new(ERR_INVALID, "more than %d link-local addresses", ENDPOINT_EXTRA);
        for (size_t i = 0; i < json_len(list); i++) {
                const char *text = json_str(json_at(list, i)) ? json_str(json_at(list, i)) : "";
                struct link_address *a = &e->extra[e->n_extra++];

                if (strchr(text, '/') || !endpoint_address_parse(text, a))
                        return err_new(ERR_INVALID, "invalid link-local IP address: %s", text);
                for (unsigned k = 0; k < LINK_ADDRESSES; k++)
                        if (n->pool[k].subnet.family == a->family && address_within(&n->pool[k].subnet, a))
                                return err_new(ERR_INVALID,
                                               "invalid link-local IP address: %s is of the subnet of network %s, as "
                                               "--ip and --ip6 are",
                                               text, n->name);
                if (a->family == AF_INET && a->data[0] == 169 && a->data[1] == 254)
                        a->prefix = 16;
                if (a->family == AF_INET6 && a->data[0] == 0xfe && (a->data[1] & 0xc0) == 0x80)
                        a->prefix = 64;
                e->ipv6 |= a->family == AF_INET6;
        }
        return NULL;
}

static err *read_settings(const struct network *n, const json *settings, struct lease_request *r)
{
        _cleanup_free_ char *mac = str_dup(json_get_str_or(settings, "MacAddress", ""));

        if (!mac)
                return err_nomem();
        TRY(wanted_address(settings, "IPv4Address", AF_INET, &r->wanted[0]));
        TRY(wanted_address(settings, "IPv6Address", AF_INET6, &r->wanted[1]));
        TRY(check_addresses(n, r->wanted));
        if (*mac && !endpoint_mac_parse(mac, r->mac))
                return err_new(ERR_INVALID, "%s is not a valid mac address", mac);
        if (*mac && str_eq(n->driver, "ipvlan"))
                return err_new(ERR_INVALID, "ipvlan interfaces do not support custom mac address assignment");
        return NULL;
}

/* "net.X.Y.IFNAME.KEY=VALUE,...": of the interface itself, nothing else. */
static err *check_sysctls(const char *text)
{
        _cleanup_strv_ char **list = NULL;

        if (strlen(text) > ENDPOINT_SYSCTLS || strpbrk(text, " \t\n/"))
                return err_new(ERR_INVALID, "invalid sysctls '%s': too long, or with a blank or slash", text);
        TRY(strv_split(text, ',', &list));
        for (char **one = list; *one; one++) {
                _cleanup_strv_ char **part = NULL;
                size_t equals = strcspn(*one, "=");

                if (!(*one)[equals])
                        return err_new(ERR_INVALID, "invalid sysctl '%s': it is not KEY=VALUE", *one);
                (*one)[equals] = '\0';
                TRY(strv_split(*one, '.', &part));
                if (strv_len(part) != 5 || !str_eq(part[0], "net") || !str_eq(part[3], "IFNAME") || !*part[1] ||
                    !*part[2] || !*part[4])
                        return err_new(ERR_INVALID, "invalid sysctl '%s': it must be net.X.Y.IFNAME.Z", *one);
        }
        return NULL;
}

/* docker's own options act, or are refused; others may be notes of the user's, which docker keeps, too. */
static err *check_driver_opts(const json *opts)
{
        const char *name = json_get_str(opts, OPTION_NAME), *sysctls = json_get_str(opts, OPTION_SYSCTLS);

        JSON_EACH (opts, it)
                if (str_starts(it.key, OPTIONS) && !str_eq(it.key, OPTION_NAME) && !str_eq(it.key, OPTION_SYSCTLS))
                        return err_new(ERR_UNSUPPORTED, "driver option %s is not supported", it.key);
        if (name && (!*name || strlen(name) > LINK_NAME_MAX || strpbrk(name, "/ :%,=\t\n") || str_eq(name, ".") ||
                     str_eq(name, "..") || str_eq(name, "lo")))
                return err_new(ERR_INVALID,
                               "'%s' is no name of a network device (1 to %d bytes, no '/', ':', '%%' or "
                               "space)",
                               name, LINK_NAME_MAX);
        return sysctls ? check_sysctls(sysctls) : NULL;
}

/* What DNS can carry: labels of 1 to 63 bytes with dots between them. */
static err *check_alias(const char *alias)
{
        size_t n = 0, label = 0;
        const char *why = NULL;

        for (; alias[n] && !why; n++) {
                unsigned char c = (unsigned char)alias[n];

                label = c == '.' ? 0 : label + 1;
                if (c <= ' ' || c == 0x7f || c == ',' || c == '\\')
                        why = "it contains a blank, a comma, a backslash or a control character";
                else if (label > LABEL_MAX)
                        why = "more than 63 bytes without a dot";
                else if (c == '.' && (n == 0 || alias[n + 1] == '.' || !alias[n + 1]))
                        why = "a dot that separates nothing";
        }
        if (!n)
                why = "it is empty";
        else if (n > ALIAS_MAX && !why)
                why = "it is longer than 253 bytes";
        return why ? err_new(ERR_INVALID, "'%s' cannot be a name in a network: %s", alias, why) : NULL;
}

err *endpoints_verify(struct engine *e, const json *networks)
{
        struct networks *s;

        JSON_EACH (networks, it) {
                _cleanup_network_ struct network *n = NULL;
                err *error;

                if (!json_get(it.value, "IPAMConfig") && !json_get(it.value, "Aliases") &&
                    !json_get(it.value, "DriverOpts") && str_empty(json_get_str(it.value, "MacAddress")))
                        continue;
                TRY(networks_of(e, &s));
                error = network_find(s, it.key, &n);
                if (err_code(error) == ERR_NOT_FOUND) { /* may be made before the start */
                        err_free(error);
                        continue;
                }
                TRY(error);
                TRY_WRAP(endpoints_check(n, it.value), "invalid config for network %s", it.key);
        }
        return NULL;
}

err *endpoints_check(const struct network *n, const json *settings)
{
        const json *aliases = json_get(settings, "Aliases");
        struct lease_request r = {0};

        if (str_eq(n->driver, "host"))
                return err_new(ERR_INVALID, "cannot connect container to host network - container must be created in "
                                            "host network mode");
        if (str_eq(n->driver, "null"))
                return err_new(ERR_INVALID, "container cannot be connected to multiple networks with one of the "
                                            "networks in private (none) mode");
        if (n->predefined && json_len(aliases)) /* which has no names */
                return err_new(ERR_INVALID, "network-scoped aliases are only supported for user-defined networks");
        TRY(check_driver_opts(json_get(settings, "DriverOpts")));
        for (size_t i = 0; i < json_len(aliases); i++)
                TRY(check_alias(json_str(json_at(aliases, i)) ? json_str(json_at(aliases, i)) : ""));
        TRY(read_link_local(n, settings, &(struct endpoint){0}));
        return read_settings(n, settings, &r);
}

/* Names that others find it by: its own, the aliases, the short id, its host name. */
static err *collect_names(const struct container *c, const json *settings, char ***ret)
{
        const char *hostname = json_get_str_or(container_config(c), "Hostname", "");
        _cleanup_strv_ char **names = NULL, **aliases = NULL;
        char id[ID_SHORT + 1];

        TRY(strv_add(&names, c->name));
        TRY(json_get_strv(settings, "Aliases", &aliases));
        for (char **a = aliases; a && *a; a++)
                if (!strv_contains(names, *a))
                        TRY(strv_add(&names, *a));
        (void)snprintf(id, sizeof(id), "%.12s", c->id);
        if (!strv_contains(names, id))
                TRY(strv_add(&names, id));
        if (*hostname && !strv_contains(names, hostname))
                TRY(strv_add(&names, hostname));
        *ret = TAKE_PTR(names);
        return NULL;
}

/* ---- the entry ---- */

json *endpoints_entry(const struct attach *a, const char *network_id, const char **ret_name)
{
        JSON_EACH (json_get(a->doc, "Networks"), it) {
                if (!str_eq(json_get_str(it.value, "NetworkID"), network_id))
                        continue;
                if (ret_name)
                        *ret_name = it.key;
                return it.value;
        }
        return NULL;
}

static bool name_used(const json *doc, const char *name)
{
        JSON_EACH (json_get(doc, "Networks"), it) {
                const char *line = json_get_str(it.value, ENDPOINTS_LINE);
                struct endpoint e;
                err *error = line ? endpoint_parse(line, &e) : NULL;
                bool same = line && !error && str_eq(e.name, name);

                err_free(error);
                if (same)
                        return true;
        }
        return false;
}

/* The name that was asked for, or the lowest ethN that is free; inside somebody may have made devices, too. */
static err *choose_name(const struct attach *a, const json *settings, const char *prefix, char ret[LINK_NAME_MAX + 1])
{
        const char *wanted = json_get_str(json_get(settings, "DriverOpts"), OPTION_NAME);

        for (unsigned i = 0; i < NAMES; i++) {
                bool taken;

                if (wanted)
                        (void)snprintf(ret, LINK_NAME_MAX + 1, "%s", wanted);
                else
                        (void)snprintf(ret, LINK_NAME_MAX + 1, "%.12s%u", prefix, i);
                taken = name_used(a->doc, ret);
                if (!taken && a->ns >= 0)
                        TRY(endpoint_name_taken(a->ns, ret, &taken));
                if (!taken)
                        return NULL;
                if (wanted)
                        return err_new(ERR_CONFLICT, "the container has a network device %s already", wanted);
        }
        return err_new(ERR_LIMIT, "the container has too many network devices");
}

static err *write_line(struct attach *a, const struct network *n, const struct lease *l, const json *settings,
                       json *entry)
{
        struct endpoint e = {.kind = str_eq(n->driver, "macvlan")  ? ENDPOINT_MACVLAN
                                     : str_eq(n->driver, "ipvlan") ? ENDPOINT_IPVLAN
                                                                   : ENDPOINT_BRIDGE,
                             .mtu = n->mtu,
                             .hairpin = ports_wanted(a->c),
                             .isolated = !n->icc,
                             .ipv6 = n->pool[1].subnet.family != 0};
        const char *prefix = network_option(n, OPTION_PREFIX);
        _cleanup_free_ char *line = NULL;

        TRY(read_link_local(n, settings, &e));
        (void)snprintf(e.sysctls, sizeof(e.sysctls), "%s",
                       json_get_str_or(json_get(settings, "DriverOpts"), OPTION_SYSCTLS, ""));
        TRY(choose_name(a, settings, prefix ? prefix : "eth", e.name));
        memcpy(e.parent, n->link, sizeof(e.parent));
        memcpy(e.host_name, l->link, sizeof(e.host_name));
        memcpy(e.mode, n->mode, sizeof(e.mode));
        memcpy(e.mac, l->mac, sizeof(e.mac));
        memcpy(e.address, l->address, sizeof(e.address));
        TRY(endpoint_format(&e, &line));
        json_set_str(entry, ENDPOINTS_LINE, line);
        return NULL;
}

/* docker's EndpointSettings as they are now. */
static void describe(const struct network *n, const struct lease *l, const json *settings, json *doc)
{
        static const char *const kept[] = {"IPAMConfig", "Links", "Aliases", "DriverOpts", "GwPriority"};
        static const struct link_address none = {0};
        char text[ENDPOINT_ADDRESS_MAX], mac[18] = "";
        const unsigned char *m = l->mac;
        json *names = json_new_array();

        for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
                json_set(doc, kept[i], json_get(settings, kept[i]) ? json_ref(json_get(settings, kept[i])) : NULL);
        json_set_int(doc, "GwPriority", json_get_int(settings, "GwPriority", 0));
        if (!str_eq(n->driver, "ipvlan")) /* has its parent's */
                (void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
        json_set_str(doc, "MacAddress", mac);
        json_set_str(doc, "NetworkID", n->id);
        json_set_str(doc, "EndpointID", l->endpoint);
        json_set_str(doc, "Gateway", endpoint_address_text(n->internal ? &none : &n->pool[0].gateway, false, text));
        json_set_str(doc, "IPAddress", endpoint_address_text(&l->address[0], false, text));
        json_set_int(doc, "IPPrefixLen", l->address[0].family ? l->address[0].prefix : 0);
        json_set_str(doc, "IPv6Gateway", endpoint_address_text(n->internal ? &none : &n->pool[1].gateway, false, text));
        json_set_str(doc, "GlobalIPv6Address", endpoint_address_text(&l->address[1], false, text));
        json_set_int(doc, "GlobalIPv6PrefixLen", l->address[1].family ? l->address[1].prefix : 0);
        if (n->internal && str_eq(n->driver, "bridge")) {
                json_set_str(doc, ENDPOINTS_HOST, endpoint_address_text(&n->pool[0].gateway, false, text));
                json_set_str(doc, ENDPOINTS_HOST6, endpoint_address_text(&n->pool[1].gateway, false, text));
        }
        for (size_t i = 0; l->names && l->names[i]; i++)
                json_add_str(names, l->names[i]);
        /* The default bridge has no names. */
        json_set(doc, "DNSNames", n->predefined ? NULL : json_ref(names));
        json_free(names);
}

static bool lives(const char *id, void *arg)
{
        return !endpoints_reclaim(arg, id);
}

static err *take_lease(const struct attach *a, const struct network *n, const json *settings, struct lease *ret)
{
        struct lease_request r = {.container = a->c->id, .name = a->c->name, .lives = lives, .arg = a->c->engine};
        _cleanup_strv_ char **names = NULL;

        TRY(read_settings(n, settings, &r));
        TRY(collect_names(a->c, settings, &names));
        if (!n->predefined && strcspn(a->c->name, ".") > LABEL_MAX)
                log_warn("container %s: DNS does not carry names of more than 63 bytes; others find it as %.12s",
                         a->c->name, a->c->id);
        r.names = names;
        return lease_take(a->networks, n, &r, ret);
}

err *endpoints_take(struct attach *a, const char *network, const json *settings, char **ret_name)
{
        _cleanup_network_ struct network *n = NULL;
        _cleanup_lease_ struct lease l = {0};
        _cleanup_close_ int held = -1;
        bool lost = false;
        json *entry;

        /* Nobody takes the network away before there is a lease; who had done so while we waited is seen by its record.
         */
        TRY(network_find(a->networks, network, &n));
        TRY(lease_hold(a->networks, n->id, false, &held));
        network_free(n);
        n = NULL;
        TRY(network_find(a->networks, network, &n));
        TRY(endpoints_check(n, settings));
        if (endpoints_entry(a, n->id, NULL))
                return err_new(ERR_INVALID, "network \"%s\" is specified multiple times", n->name);
        TRY(network_settle(a->networks, n));
        /* What is about to be taken is written down first. */
        entry = json_sub_object(json_sub_object(a->doc, "Networks"), n->name);
        json_set_str(entry, "NetworkID", n->id);
        json_set_bool(entry, ENDPOINTS_PENDING, true);
        TRY(endpoints_write(a));
        if (!network_on_parent(n))
                TRY(home_note(held));
        TRY(take_lease(a, n, settings, &l));
        if (network_on_parent(n))
                TRY(parent_up(n));
        else
                TRY(bridge_up(n, &lost, &a->made));
        if (lost) /* this network's rules were, and others' may be */
                log_error_free(LOG_LEVEL_WARN, reload_networks(a->c->engine, a->c->id, NULL));
        TRY(write_line(a, n, &l, settings, entry));
        describe(n, &l, settings, entry);
        TRY(guards_note(entry, a->c, n));
        *ret_name = TAKE_PTR(n->name);
        return NULL;
}

err *endpoints_give(struct attach *a, const char *name)
{
        json *networks = json_get(a->doc, "Networks");

        TRY(guards_remove(json_get(networks, name)));
        TRY(lease_release(a->networks, json_get_str_or(json_get(networks, name), "NetworkID", ""), a->c->id));
        json_del(networks, name);
        return NULL;
}

/* ---- which network leads out ---- */

static const char *const gateways[LINK_ADDRESSES] = {"Gateway", "IPv6Gateway"};
static const char *const leading[LINK_ADDRESSES] = {"PortsLeadTo", "PortsLeadTo6"};

/* docker's order: the priority that was asked for, then who leads out by both families, then the name. */
static bool comes_before(const json *a, const char *a_name, const json *b, const char *b_name)
{
        int64_t x = json_get_int(a, "GwPriority", 0), y = json_get_int(b, "GwPriority", 0);
        int both = 0;

        if (x != y)
                return x > y;
        for (unsigned k = 0; k < LINK_ADDRESSES; k++)
                both += !str_empty(json_get_str(a, gateways[k])) - !str_empty(json_get_str(b, gateways[k]));
        return both ? both > 0 : strcmp(a_name, b_name) < 0;
}

/* The best of those that have a gateway of the family @k; NULL: none. */
static const char *best(const json *doc, unsigned k, bool bridges)
{
        const char *name = NULL;
        const json *found = NULL;

        JSON_EACH (json_get(doc, "Networks"), it) {
                const char *line = json_get_str_or(it.value, ENDPOINTS_LINE, "");

                if (str_empty(json_get_str(it.value, gateways[k])) || (bridges && !str_starts(line, "kind=bridge ")) ||
                    (found && !comes_before(it.value, it.key, found, name)))
                        continue;
                found = it.value;
                name = it.key;
        }
        return name;
}

void endpoints_outward(const json *doc, const char *ret[LINK_ADDRESSES])
{
        for (unsigned k = 0; k < LINK_ADDRESSES; k++)
                ret[k] = best(doc, k, true);
}

/* Earlier versions wrote one network down, by which the ports for both families led: it has no second name then, though
 * it has both gateways, or only that of the second. */
void endpoints_leading(const json *doc, const char *ret[LINK_ADDRESSES])
{
        const json *entry;

        for (unsigned k = 0; k < LINK_ADDRESSES; k++)
                ret[k] = json_get_str(doc, leading[k]);
        entry = ret[0] && !ret[1] ? json_get(json_get(doc, "Networks"), ret[0]) : NULL;
        if (!entry || str_empty(json_get_str(entry, gateways[1])))
                return;
        ret[1] = ret[0];
        if (str_empty(json_get_str(entry, gateways[0])))
                ret[0] = NULL;
}

void endpoints_note_leading(json *doc, const char *const names[LINK_ADDRESSES])
{
        for (unsigned k = 0; k < LINK_ADDRESSES; k++)
                if (names[k])
                        json_set_str(doc, leading[k], names[k]);
                else
                        json_del(doc, leading[k]);
}

err *endpoints_lead(const json *doc, const char *const names[LINK_ADDRESSES], struct link_address ret[LINK_ADDRESSES])
{
        for (unsigned k = 0; k < LINK_ADDRESSES; k++) {
                const json *entry = names[k] ? json_get(json_get(doc, "Networks"), names[k]) : NULL;
                struct link_address of[LINK_ADDRESSES] = {0};
                struct endpoint e;

                if (entry) {
                        TRY(endpoint_parse(json_get_str_or(entry, ENDPOINTS_LINE, ""), &e));
                        endpoint_by_family(e.address, of);
                }
                ret[k] = of[k];
        }
        return NULL;
}

err *endpoints_allow_loopback(struct networks *s, const json *doc, const char *const names[LINK_ADDRESSES])
{
        for (unsigned k = 0; k < LINK_ADDRESSES; k++) {
                const json *entry = names[k] ? json_get(json_get(doc, "Networks"), names[k]) : NULL;
                _cleanup_network_ struct network *n = NULL;

                if (!entry || (k && str_eq(names[k], names[0])))
                        continue;
                TRY(network_find(s, json_get_str_or(entry, "NetworkID", ""), &n));
                TRY(bridge_allow_loopback(n));
        }
        return NULL;
}

err *endpoints_endpoint(const json *doc, const char *name, struct endpoint *ret)
{
        const json *entry = json_get(json_get(doc, "Networks"), name);

        TRY(endpoint_parse(json_get_str_or(entry, ENDPOINTS_LINE, ""), ret));
        for (unsigned k = 0; k < LINK_ADDRESSES; k++) {
                struct link_route *r = &ret->route[ret->n_routes];

                if (!str_eq(best(doc, k, false), name))
                        continue;
                if (!endpoint_address_parse(json_get_str_or(entry, gateways[k], ""), &r->via))
                        return err_new(ERR_CORRUPT, "network %s: '%s' is no gateway", name,
                                       json_get_str_or(entry, gateways[k], ""));
                /* Layer 3: nobody answers for the gateway; everything is on the link. */
                if (ret->kind == ENDPOINT_IPVLAN && str_starts(ret->mode, "l3"))
                        *r = (struct link_route){.to.family = r->via.family};
                ret->n_routes++;
        }
        return NULL;
}

err *endpoints_lines(const json *doc, char ***ret)
{
        JSON_EACH (json_get(doc, "Networks"), it) {
                _cleanup_free_ char *line = NULL;
                struct endpoint e;

                TRY(endpoints_endpoint(doc, it.key, &e));
                TRY(endpoint_format(&e, &line));
                TRY(strv_add(ret, line));
        }
        return NULL;
}
