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

static err *complete_pool(json *config, bool gateway, struct link_address *ret)
{
        char text[ENDPOINT_ADDRESS_MAX];
        struct link_address first;

        TRY(read_subnet(json_get_str_or(config, "Subnet", ""), ret));
        TRY(check_range(config, ret));
        if (!str_empty(json_get_str(config, "Gateway"))) {
                TRY(check_inside("gateway", json_get_str(config, "Gateway"), ret));
        } else if (gateway) {
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

static err *add_chosen(json *configs, int family, const struct network_list *others)
{
        char text[ENDPOINT_ADDRESS_MAX];
        struct link_address subnet;
        json *config;

        TRY(network_choose_subnet(family, others, NULL, &subnet));
        config = json_new_object();
        json_set_str(config, "Subnet", endpoint_address_text(&subnet, true, text));
        subnet = address_add(&subnet, 1);
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

                TRY(complete_pool(json_at(configs, i), true, &subnet));
                if (taken(&subnet, others))
                        return err_new(ERR_DENIED,
                                       "invalid pool request: Pool overlaps with other one on this address space");
                has[subnet.family == AF_INET ? 0 : 1] = true;
        }
        json_set_bool(doc, "HodConfigured", given > 0);
        if (!has[0] && json_get_bool(doc, "EnableIPv4", true))
                TRY(add_chosen(configs, AF_INET, others));
        if (has[1])
                json_set_bool(doc, "EnableIPv6", true);
        else if (json_get_bool(doc, "EnableIPv6", false))
                TRY(add_chosen(configs, AF_INET6, others));
        return NULL;
}

/* ---- name, driver, options ---- */

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

static err *check_bool_option(const json *options, const char *key)
{
        static const char *const known[] = {"1", "t", "T", "true",  "TRUE",  "True",
                                            "0", "f", "F", "false", "FALSE", "False"};
        const char *text = json_get_str(options, key);

        for (size_t i = 0; text && i < ARRAY_SIZE(known); i++)
                if (str_eq(text, known[i]))
                        return NULL;
        if (!text)
                return NULL;
        return err_new(ERR_INVALID, "failed to parse %s value: %s (strconv.ParseBool: parsing \"%s\": invalid syntax)",
                       key, text, text);
}

static err *check_link_name(const char *name, const struct network_list *others)
{
        if (!name)
                return NULL;
        if (!*name || strlen(name) > LINK_NAME_MAX || strpbrk(name, "/ :%\t\n") || str_eq(name, ".") ||
            str_eq(name, ".."))
                return err_new(ERR_INVALID,
                               "'%s' is no name of a network device (1 to %d bytes, no '/', ':', '%%' or space)", name,
                               LINK_NAME_MAX);
        for (size_t i = 0; i < others->n; i++)
                if (str_eq(others->items[i]->driver, "bridge") && str_eq(others->items[i]->link, name))
                        return err_new(ERR_CONFLICT, "network device %s belongs to network %s", name,
                                       others->items[i]->name);
        return NULL;
}

static err *check_mode(const char *driver, const char *what, const char *text, const char *const *known)
{
        for (size_t i = 0; text && known[i]; i++)
                if (str_eq(text, known[i]))
                        return NULL;
        return text ? err_new(ERR_INVALID, "requested %s %s '%s' is not valid, '%s' is the %s driver default", driver,
                              what, text, known[0], driver)
                    : NULL;
}

static err *check_modes(const char *driver, const json *options)
{
        static const char *const macvlan[] = {"bridge", "private", "vepa", "passthru", NULL};
        static const char *const ipvlan[] = {"l2", "l3", "l3s", NULL}, *const flags[] = {"bridge", "private", "vepa",
                                                                                         NULL};
        bool mac = str_eq(driver, "macvlan");

        TRY(check_mode(driver, "mode", json_get_str(options, mac ? "macvlan_mode" : "ipvlan_mode"),
                       mac ? macvlan : ipvlan));
        TRY(check_mode(driver, "mode", json_get_str(options, "mode"), mac ? macvlan : ipvlan));
        return mac ? NULL : check_mode(driver, "flag", json_get_str(options, "ipvlan_flag"), flags);
}

static bool is_passthru(const json *options)
{
        return str_eq(json_get_str(options, "macvlan_mode"), "passthru") ||
               str_eq(json_get_str(options, "mode"), "passthru");
}

/* Several networks may stand on one device, as long as none takes all of it. */
static err *check_parent(const char *driver, const json *options, const struct network_list *others)
{
        const char *parent = json_get_str(options, "parent");

        if (str_eq(parent, "lo"))
                return err_new(ERR_INVALID, "loopback interface is not a valid %s parent link", driver);
        TRY(check_link_name(parent, &(struct network_list){0}));
        for (size_t i = 0; i < others->n; i++)
                if (network_on_parent(others->items[i]) && str_eq(others->items[i]->link, parent) &&
                    (is_passthru(options) || str_eq(others->items[i]->mode, "passthru") ||
                     !str_eq(others->items[i]->driver, driver)))
                        return err_new(ERR_CONFLICT, "network %s is already using parent interface %s",
                                       others->items[i]->name, parent);
        return NULL;
}

/* docker's own options act, or are refused; others are kept as notes, as docker keeps them. */
static err *check_known(const json *options)
{
        static const char *const known[] = {OPTION_BRIDGE_NAME, OPTION_MASQUERADE, OPTION_ICC, OPTION_MTU,
                                            OPTION_PREFIX};
        const char *prefix = json_get_str(options, OPTION_PREFIX);

        JSON_EACH (options, it) {
                bool found = !str_starts(it.key, "com.docker.network.");

                for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                        found |= str_eq(it.key, known[i]);
                if (!found)
                        return err_new(ERR_UNSUPPORTED, "network option %s is not supported", it.key);
        }
        if (prefix && (!*prefix || strlen(prefix) > 12 || strpbrk(prefix, "/ :%,=\t\n")))
                return err_new(ERR_INVALID, "'%s' cannot begin the name of a network device (1 to 12 bytes)", prefix);
        return NULL;
}

static err *check_options(const char *driver, const json *options, const struct network_list *others)
{
        const char *mtu = json_get_str(options, OPTION_MTU);
        uint64_t number;

        JSON_EACH (options, it)
                if (!json_str(it.value))
                        return err_new(ERR_INVALID, "option %s must be a string", it.key);
        if (mtu && (!parse_u64(mtu, &number)))
                return err_new(ERR_INVALID,
                               "failed to parse " OPTION_MTU " value: %s (strconv.Atoi: parsing \"%s\": invalid "
                               "syntax)",
                               mtu, mtu);
        if (mtu && number != 0 && (number < 68 || number > 65535))
                return err_new(ERR_INVALID, "invalid MTU %s: it must be 68 to 65535", mtu);
        TRY(check_known(options));
        TRY(check_bool_option(options, OPTION_MASQUERADE));
        TRY(check_bool_option(options, OPTION_ICC));
        TRY(check_bool_option(options, OPTION_GUARD));
        if (json_has(options, "encrypted")) /* nobody is to believe it */
                return err_new(ERR_UNSUPPORTED, "invalid option encrypted: networks of this host are not encrypted");
        if (str_eq(driver, "bridge"))
                return check_link_name(json_get_str(options, OPTION_BRIDGE_NAME), others);
        TRY(check_modes(driver, options));
        return check_parent(driver, options, others);
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

/* The kernel has no IPv6 on a device of less: the network could never be used. */
static err *check_mtu_ipv6(const json *doc)
{
        const char *mtu = json_get_str(json_get(doc, "Options"), OPTION_MTU);
        uint64_t number;

        if (json_get_bool(doc, "EnableIPv6", false) && mtu && parse_u64(mtu, &number) && number != 0 && number < 1280)
                return err_new(ERR_INVALID, "invalid MTU %s: IPv6 needs at least 1280", mtu);
        return NULL;
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
        TRY(check_options(name, json_get(doc, "Options"), others));
        if (!json_get_bool(doc, "EnableIPv4", true) && !json_get_bool(doc, "EnableIPv6", false))
                return err_new(ERR_INVALID, "IPv4 or IPv6 must be enabled");
        r = id_new(id);
        if (r < 0)
                return err_sys(-r, "making an id");
        json_set_str(doc, "Id", id);
        set_defaults(doc, name);
        TRY(complete_ipam(doc, others));
        return check_mtu_ipv6(doc);
}
