/* network_create.c - what may become a network, and what is chosen for it; docker's words. */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/parse.h"
#include "base/str.h"
#include "net/address.h"
#include "net/network_private.h"
#include "sys/endpoint.h"
#include "sys/netlink.h"

#define NAME_MAX_BYTES 255

/* ---- subnets ---- */

/* docker's local pools: 172.17.0.0/16 .. 172.31.0.0/16, then 192.168.0.0/20 .. 192.168.240.0/20. */
static bool candidate(unsigned i, struct link_address *ret)
{
        *ret = (struct link_address){.family = AF_INET, .prefix = i < 15 ? 16 : 20};
        if (i < 15) {
                ret->data[0] = 172;
                ret->data[1] = (unsigned char)(17 + i);
                return true;
        }
        ret->data[0] = 192;
        ret->data[1] = 168;
        ret->data[2] = (unsigned char)(16 * (i - 15));
        return i < 31;
}

static bool taken(const struct link_address *a, const struct network_list *others)
{
        for (size_t i = 0; i < others->n; i++)
                for (unsigned k = 0; k < LINK_ADDRESSES; k++)
                        if (others->items[i]->pool[k].subnet.family &&
                            address_overlap(&others->items[i]->pool[k].subnet, a))
                                return true;
        return false;
}

/* fdXX:XXXX:XXXX::/64 with a random part: RFC 4193. */
static err *choose_unique_local(const struct network_list *others, struct link_address *ret)
{
        do {
                *ret = (struct link_address){.family = AF_INET6, .data = {0xfd}, .prefix = 64};
                if (getrandom(ret->data + 1, 5, 0) != 5)
                        return err_sys(errno, "getting random numbers");
        } while (taken(ret, others));
        return NULL;
}

err *network_choose_subnet(int family, const struct network_list *others, const char *link, struct link_address *ret)
{
        _cleanup_close_ int fd = -1;

        if (family == AF_INET6)
                return choose_unique_local(others, ret);
        fd = netlink_open(NETLINK_ROUTE);
        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        for (unsigned i = 0; candidate(i, ret); i++) {
                _cleanup_free_ char *owner = NULL;

                if (taken(ret, others))
                        continue;
                TRY(link_route_overlaps(fd, ret, link, &owner));
                if (!owner)
                        return NULL;
        }
        return err_new(ERR_CONFLICT, "all predefined address pools have been fully subnetted");
}

/* ---- what was asked for ---- */

static err *invalid_config(const char *what, const char *text, const char *why)
{
        return err_new(ERR_INVALID, "invalid network config: invalid %s %s: %s", what, text, why);
}

/* This host, loopback, multicast, reserved; of IPv6 link-local, too, which every link has. */
static bool is_special(const struct link_address *a)
{
        if (a->family == AF_INET)
                return a->data[0] == 0 || a->data[0] == 127 || a->data[0] >= 224;
        return a->data[0] == 0 || a->data[0] == 0xff || (a->data[0] == 0xfe && (a->data[1] & 0xc0) == 0x80);
}

static err *read_subnet(const char *text, struct link_address *ret)
{
        char right[ENDPOINT_ADDRESS_MAX];
        struct link_address network;

        if (!strchr(text, '/') || !endpoint_address_parse(text, ret))
                return invalid_config("subnet", text, "invalid CIDR block notation");
        network = address_network(ret);
        if (address_compare(&network, ret) != 0) {
                char why[ENDPOINT_ADDRESS_MAX + 16];

                (void)snprintf(why, sizeof(why), "it should be %s", endpoint_address_text(&network, true, right));
                return invalid_config("subnet", text, why);
        }
        /* Two addresses for the network and its gateway, and one to give out. */
        if (ret->prefix > (ret->family == AF_INET ? 30 : 126))
                return invalid_config("subnet", text, "there is no room for a gateway and a container");
        if (ret->prefix < (ret->family == AF_INET ? 8 : 16))
                return invalid_config("subnet", text, "it is too large");
        return is_special(ret) ? invalid_config("subnet", text, "these addresses are not for networks") : NULL;
}

static err *check_range(const json *config, const struct link_address *subnet)
{
        const char *text = json_get_str(config, "IPRange");
        struct link_address range, network;

        if (str_empty(text))
                return NULL;
        if (!strchr(text, '/') || !endpoint_address_parse(text, &range))
                return invalid_config("ip-range", text, "invalid CIDR block notation");
        network = address_network(&range);
        if (address_compare(&network, &range) != 0)
                return invalid_config("ip-range", text, "it is not the beginning of its block");
        if (!address_within(subnet, &range) || range.prefix < subnet->prefix)
                return invalid_config("ip-range", text, "it is outside its subnet");
        return NULL;
}

static err *check_inside(const char *what, const char *text, const struct link_address *subnet)
{
        struct link_address a, last;

        if (!endpoint_address_parse(text, &a) || strchr(text, '/') || a.family != subnet->family)
                return invalid_config(what, text, "invalid address");
        if (!address_within(subnet, &a))
                return invalid_config(what, text, "parent subnet does not contain this address");
        last = address_last(subnet);
        if (address_compare(&a, subnet) == 0 || (a.family == AF_INET && address_compare(&a, &last) == 0))
                return invalid_config(what, text, "it is the subnet's first or last, which no one can have");
        return NULL;
}

/* Has the host no address in the network? */
static bool is_isolated(const json *doc, int family)
{
        return str_eq(network_options_gateway_mode(json_get(doc, "Options"), family), "isolated");
}

static err *complete_pool(const json *doc, json *config, struct link_address *ret)
{
        char text[ENDPOINT_ADDRESS_MAX];
        struct link_address first;

        TRY(read_subnet(json_get_str_or(config, "Subnet", ""), ret));
        TRY(check_range(config, ret));
        if (!str_empty(json_get_str(config, "Gateway"))) {
                TRY(check_inside("gateway", json_get_str(config, "Gateway"), ret));
                if (is_isolated(doc, ret->family))
                        return invalid_config("gateway", json_get_str(config, "Gateway"),
                                              "the host has no address in a network of gateway mode 'isolated'");
        } else if (!is_isolated(doc, ret->family)) {
                first = address_add(ret, 1);
                json_set_str(config, "Gateway", endpoint_address_text(&first, false, text));
        }
        if (json_len(json_get(config, "AuxiliaryAddresses")) > NETWORK_AUX)
                return err_new(ERR_INVALID, "invalid network config: more than %d auxiliary addresses", NETWORK_AUX);
        JSON_EACH (json_get(config, "AuxiliaryAddresses"), it) {
                const char *aux = json_str(it.value) ? json_str(it.value) : "";

                TRY(check_inside("auxiliary address", aux, ret));
                if (str_eq(aux, json_get_str(config, "Gateway")))
                        return invalid_config("auxiliary address", aux, "it is the gateway's");
        }
        return NULL;
}

static err *add_chosen(const json *doc, json *configs, int family, const struct network_list *others)
{
        char text[ENDPOINT_ADDRESS_MAX];
        struct link_address subnet;
        json *config;

        TRY(network_choose_subnet(family, others, NULL, &subnet));
        config = json_new_object();
        json_set_str(config, "Subnet", endpoint_address_text(&subnet, true, text));
        subnet = address_add(&subnet, 1);
        if (!is_isolated(doc, family))
                json_set_str(config, "Gateway", endpoint_address_text(&subnet, false, text));
        json_add(configs, config);
        return NULL;
}

static err *complete_ipam(json *doc, const struct network_list *others)
{
        json *ipam = json_sub_object(doc, "IPAM"), *configs;
        const char *driver = json_get_str_or(ipam, "Driver", "");
        bool has[LINK_ADDRESSES] = {false};
        size_t given;

        if (!str_empty(driver) && !str_eq(driver, "default"))
                return err_new(ERR_NOT_FOUND, "plugin \"%s\" not found", driver);
        json_set_str(ipam, "Driver", "default");
        if (json_kind(json_get(ipam, "Options")) != JSON_OBJECT)
                (void)json_sub_object(ipam, "Options");
        configs = json_sub_array(ipam, "Config");
        given = json_len(configs);
        for (size_t i = 0; i < given; i++) {
                struct link_address subnet;

                TRY(complete_pool(doc, json_at(configs, i), &subnet));
                if (subnet.family == AF_INET && !json_get_bool(doc, "EnableIPv4", true))
                        return invalid_config("subnet", json_get_str_or(json_at(configs, i), "Subnet", ""),
                                              "IPv4 is switched off");
                if (taken(&subnet, others))
                        return err_new(ERR_DENIED,
                                       "invalid pool request: Pool overlaps with other one on this address space");
                if (has[subnet.family == AF_INET ? 0 : 1])
                        return err_new(ERR_DENIED, "%s driver does not support multiple subnets",
                                       json_get_str_or(doc, "Driver", "bridge"));
                has[subnet.family == AF_INET ? 0 : 1] = true;
        }
        json_set_bool(doc, "HodConfigured", given > 0);
        if (!has[0] && json_get_bool(doc, "EnableIPv4", true))
                TRY(add_chosen(doc, configs, AF_INET, others));
        if (has[1])
                json_set_bool(doc, "EnableIPv6", true);
        else if (json_get_bool(doc, "EnableIPv6", false))
                TRY(add_chosen(doc, configs, AF_INET6, others));
        return NULL;
}

/* ---- name, driver ---- */

static err *check_name(const char *name, const struct network_list *others)
{
        if (str_empty(name) || name[strspn(name, " \t")] == '\0')
                return err_new(ERR_INVALID, "invalid name: name is empty");
        if (strlen(name) > NAME_MAX_BYTES)
                return err_new(ERR_INVALID, "invalid name: it is longer than %d bytes", NAME_MAX_BYTES);
        for (const char *p = name; *p; p++)
                if ((unsigned char)*p < ' ' || *p == 0x7f || *p == '/')
                        return err_new(ERR_INVALID, "invalid name: it contains a control character or a slash");
        for (size_t i = 0; i < others->n; i++) {
                if (!str_eq(others->items[i]->name, name))
                        continue;
                if (others->items[i]->predefined)
                        return err_new(ERR_DENIED, "operation is not permitted on predefined %s network", name);
                return err_new(ERR_CONFLICT, "network with name %s already exists", name);
        }
        if (str_eq(name, "default") || str_starts(name, "container:") || str_starts(name, "ns:"))
                return err_new(ERR_INVALID, "invalid name: %s means something else", name);
        return NULL;
}

static err *check_driver(const char *driver)
{
        if (str_eq(driver, "host") || str_eq(driver, "null"))
                return err_new(ERR_DENIED, "only one instance of \"%s\" network is allowed", driver);
        if (str_eq(driver, "overlay"))
                return err_new(
                        ERR_UNSUPPORTED,
                        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to "
                        "connect this node to swarm and try again.");
        if (!str_eq(driver, "bridge") && !str_eq(driver, "macvlan") && !str_eq(driver, "ipvlan"))
                return err_new(ERR_NOT_FOUND, "plugin \"%s\" not found", driver);
        return NULL;
}

static void set_defaults(json *doc, const char *driver)
{
        static const char *const no[] = {"EnableIPv6", "Internal", "Attachable", "Ingress", "ConfigOnly"};
        char created[CLOCK_TEXT_MAX];

        clock_format(clock_now_ns(), created);
        json_set_str(doc, "Created", created);
        json_set_str(doc, "Scope", "local");
        json_set_str(doc, "Driver", driver);
        if (!json_has(doc, "EnableIPv4"))
                json_set_bool(doc, "EnableIPv4", true);
        for (size_t i = 0; i < ARRAY_SIZE(no); i++)
                if (!json_has(doc, no[i]))
                        json_set_bool(doc, no[i], false);
        if (!json_has(doc, "ConfigFrom"))
                json_set_str(json_sub_object(doc, "ConfigFrom"), "Network", "");
        (void)json_sub_object(doc, "Options");
        (void)json_sub_object(doc, "Labels");
}

err *network_complete(json *doc, const struct network_list *others)
{
        const char *scope = json_get_str_or(doc, "Scope", ""), *driver = json_get_str_or(doc, "Driver", "");
        _cleanup_free_ char *name = NULL;
        char id[ID_LEN + 1];
        int r;

        driver = str_empty(driver) ? "bridge" : driver;
        TRY(check_name(json_get_str_or(doc, "Name", ""), others));
        if (str_eq(scope, "swarm"))
                return err_new(ERR_UNSUPPORTED, "cannot create a swarm scoped network when swarm is not active");
        if (!str_empty(scope) && !str_eq(scope, "local"))
                return err_new(ERR_INVALID, "invalid scope '%s': it must be local", scope);
        TRY(check_driver(driver));
        name = str_dup(driver);
        if (!name)
                return err_nomem();
        TRY(network_options_check(name, doc, others));
        if (!json_get_bool(doc, "EnableIPv4", true) && !json_get_bool(doc, "EnableIPv6", false))
                return err_new(ERR_INVALID, "IPv4 or IPv6 must be enabled");
        r = id_new(id);
        if (r < 0)
                return err_sys(-r, "making an id");
        json_set_str(doc, "Id", id);
        set_defaults(doc, name);
        TRY(complete_ipam(doc, others));
        return network_options_check_made(doc);
}
