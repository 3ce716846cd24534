/* network_create.c - `hod network create`: docker's flags become its NetworkCreate body. Which gateway, range and
 * auxiliary address belongs to which subnet is found out here, as docker's command line does. */
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/ui.h"
#include "engine/networks.h"
#include "net/address.h"
#include "sys/endpoint.h"

struct network_create_args {
        const char *driver, *scope, *ipam_driver, *config_from;
        bool attachable, internal, ingress, ipv4, ipv6, config_only;
        char **subnets, **gateways, **ranges, **aux, **labels, **options, **ipam_options;
};

/* The pool of @configs whose subnet holds the address; NULL. */
static json *pool_of(const json *configs, const char *text)
{
        struct link_address a, subnet;

        if (!endpoint_address_parse(text, &a))
                return NULL;
        for (size_t i = 0; i < json_len(configs); i++)
                if (endpoint_address_parse(json_get_str_or(json_at(configs, i), "Subnet", ""), &subnet) &&
                    address_within(&subnet, &a))
                        return json_at(configs, i);
        return NULL;
}

static err *add_subnets(json *configs, char *const *subnets)
{
        struct link_address one, other;

        for (char *const *s = subnets; s && *s; s++) {
                json *config;

                for (char *const *t = subnets; t != s; t++)
                        if (endpoint_address_parse(*s, &one) && endpoint_address_parse(*t, &other) &&
                            one.family == other.family && address_overlap(&one, &other))
                                return err_new(ERR_INVALID,
                                               "multiple overlapping subnet configuration is not supported");
                config = json_new_object();
                json_set_str(config, "Subnet", *s);
                json_add(configs, config);
        }
        return NULL;
}

static err *add_to_pools(json *configs, char *const *list, const char *key, const char *what)
{
        for (; list && *list; list++) {
                json *config = pool_of(configs, *list);

                if (!config)
                        return err_new(ERR_INVALID, "no matching subnet for %s %s", what, *list);
                if (json_get_str(config, key))
                        return err_new(ERR_INVALID, "cannot configure multiple %ss (%s, %s) on the same subnet (%s)",
                                       what, *list, json_get_str(config, key), json_get_str_or(config, "Subnet", ""));
                json_set_str(config, key, *list);
        }
        return NULL;
}

static err *add_aux(json *configs, char *const *list)
{
        for (; list && *list; list++) {
                const char *equals = strchr(*list, '=');
                _cleanup_free_ char *key = strndup(*list, strcspn(*list, "="));
                json *config = equals ? pool_of(configs, equals + 1) : NULL;

                if (!key)
                        return err_nomem();
                if (!equals)
                        return err_new(ERR_INVALID,
                                       "invalid argument \"%s\" for \"--aux-address\" flag: %s must be formatted "
                                       "as key=value",
                                       *list, *list);
                if (!config)
                        return err_new(ERR_INVALID, "no matching subnet for aux-address %s", equals + 1);
                json_set_str(json_sub_object(config, "AuxiliaryAddresses"), key, equals + 1);
        }
        return NULL;
}

static err *ipam_body(json *ipam, const struct network_create_args *a)
{
        json *configs = json_sub_array(ipam, "Config");

        if (strv_len(a->subnets) < strv_len(a->ranges) || strv_len(a->subnets) < strv_len(a->gateways))
                return err_new(ERR_INVALID, "every ip-range or gateway must have a corresponding subnet");
        json_set_str(ipam, "Driver", a->ipam_driver);
        TRY(add_subnets(configs, a->subnets));
        TRY(add_to_pools(configs, a->ranges, "IPRange", "range"));
        TRY(add_to_pools(configs, a->gateways, "Gateway", "gateway"));
        return add_aux(configs, a->aux);
}

static err *set_pairs(json *to, char *const *list)
{
        for (; list && *list; list++) {
                _cleanup_free_ char *key = strndup(*list, strcspn(*list, "="));
                const char *equals = strchr(*list, '=');

                if (!key)
                        return err_nomem();
                json_set_str(to, key, equals ? equals + 1 : "");
        }
        return NULL;
}

static err *network_create_run(struct invocation *inv)
{
        const struct network_create_args *a = inv->args;
        _cleanup_json_ json *body = json_new_object();
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_free_ char *id = NULL;

        if (a->config_only || !str_empty(a->config_from) || a->ingress)
                return err_new(ERR_UNSUPPORTED,
                               "--config-only, --config-from and --ingress belong to swarm, which hod has not");
        json_set_str(body, "Name", inv->operands[0]);
        json_set_str(body, "Driver", a->driver);
        json_set_str(body, "Scope", a->scope);
        json_set_bool(body, "Internal", a->internal);
        json_set_bool(body, "Attachable", a->attachable);
        json_set_bool(body, "EnableIPv4", a->ipv4);
        json_set_bool(body, "EnableIPv6", a->ipv6);
        TRY(ipam_body(json_sub_object(body, "IPAM"), a));
        TRY(set_pairs(json_sub_object(json_get(body, "IPAM"), "Options"), a->ipam_options));
        TRY(set_pairs(json_sub_object(body, "Options"), a->options));
        TRY(set_pairs(json_sub_object(body, "Labels"), a->labels));
        TRY(ui_engine(inv, &e));
        TRY(networks_create(e, body, &id));
        (void)printf("%s\n", id);
        return NULL;
}

static const struct opt network_create_opts[] = {
        OPT_FLAG(0, "attachable", struct network_create_args, attachable, "Enable manual container attachment"),
        OPT_LIST(0, "aux-address", struct network_create_args, aux, "map",
                 "Auxiliary IPv4 or IPv6 addresses that no container gets"),
        OPT_STR(0, "config-from", struct network_create_args, config_from, "string",
                "The network from which to copy the configuration (swarm: refused)"),
        OPT_FLAG(0, "config-only", struct network_create_args, config_only,
                 "Create a configuration only network (swarm: refused)"),
        OPT_STR('d', "driver", struct network_create_args, driver, "string", "Driver: bridge, macvlan, ipvlan",
                .def = "bridge"),
        OPT_LIST(0, "gateway", struct network_create_args, gateways, "strings", "IPv4 or IPv6 gateway for the subnet"),
        OPT_FLAG(0, "ingress", struct network_create_args, ingress, "Create swarm routing-mesh network (refused)"),
        OPT_FLAG(0, "internal", struct network_create_args, internal, "Restrict external access to the network"),
        OPT_LIST(0, "ip-range", struct network_create_args, ranges, "strings",
                 "Give containers addresses from this part of the subnet"),
        OPT_STR(0, "ipam-driver", struct network_create_args, ipam_driver, "string", "IP address management driver",
                .def = "default"),
        OPT_LIST(0, "ipam-opt", struct network_create_args, ipam_options, "map", "Set IPAM driver specific options"),
        OPT_FLAG(0, "ipv4", struct network_create_args, ipv4, "Enable or disable IPv4 address assignment",
                 .def = "true"),
        OPT_FLAG(0, "ipv6", struct network_create_args, ipv6, "Enable or disable IPv6 address assignment"),
        OPT_LIST(0, "label", struct network_create_args, labels, "list", "Set metadata on a network",
                 .check = parse_check_label),
        OPT_LIST('o', "opt", struct network_create_args, options, "map", "Set driver specific options"),
        OPT_STR(0, "scope", struct network_create_args, scope, "string", "Control the network's scope"),
        OPT_LIST(0, "subnet", struct network_create_args, subnets, "strings",
                 "Subnet in CIDR format that represents a network segment"),
        OPT_END,
};

const struct command cmd_network_create = {
        .name = "create",
        .operands = "NETWORK",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Create a network",
        .description =
                "Options (--opt) of bridge networks: com.docker.network.bridge.name, .enable_ip_masquerade, "
                ".enable_icc, "
                ".host_binding_ipv4 (where ports are published that name no address), .gateway_mode_ipv4 and "
                ".gateway_mode_ipv6 (nat; nat-unprotected: from outside all ports are reached by who knows the way; "
                "routed: nothing is translated, published ports are reached at the containers' own addresses; "
                "isolated, with --internal: the host has no address in it), .inhibit_ipv4 (the bridge gets no IPv4 "
                "address), .trusted_host_interfaces (DEVICE[:DEVICE...]: what comes by them reaches all ports); "
                "hod.guard=false lets containers send under others' addresses. Of macvlan and ipvlan: parent, "
                "macvlan_mode, ipvlan_mode, ipvlan_flag. Of all: com.docker.network.driver.mtu, "
                "com.docker.network.container_iface_prefix. Other options of docker's names are refused; the rest are "
                "kept as notes.",
        .opts = network_create_opts,
        .args_size = sizeof(struct network_create_args),
        .run = network_create_run,
};
