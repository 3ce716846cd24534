/* network_private.h - between the files of network. */
#pragma once

#include "net/network.h"

#define OPTION_BRIDGE_NAME "com.docker.network.bridge.name"
#define OPTION_MASQUERADE "com.docker.network.bridge.enable_ip_masquerade"
#define OPTION_ICC "com.docker.network.bridge.enable_icc"
#define OPTION_HOST_BINDING "com.docker.network.bridge.host_binding_ipv4"
#define OPTION_GATEWAY_MODE4 "com.docker.network.bridge.gateway_mode_ipv4"
#define OPTION_GATEWAY_MODE6 "com.docker.network.bridge.gateway_mode_ipv6"
#define OPTION_INHIBIT_IPV4 "com.docker.network.bridge.inhibit_ipv4"
#define OPTION_TRUSTED "com.docker.network.bridge.trusted_host_interfaces"
#define OPTION_GUARD "hod.guard"
#define OPTION_PREFIX "com.docker.network.container_iface_prefix"
#define OPTION_MTU "com.docker.network.driver.mtu"

struct networks {
        int root_fd;  /* ROOT/networks */
        int state_fd; /* STATE/networks */
        char default_link[LINK_NAME_MAX + 1];
        bool told, told_lease; /* of documents and of leases that are damaged */
};

/* A document becomes a network; consumes @doc also on failure. ERR_CORRUPT. */
MUST_USE err *network_from_doc(json *doc, struct network **ret);
/* Write the document durably. Under the lock. */
MUST_USE err *network_save(struct networks *s, const struct network *n);

/* Check what was asked for and complete it: subnets, gateways, name of the bridge. @others: what exists. */
MUST_USE err *network_complete(json *doc, const struct network_list *others);
/* A free subnet of the pools that docker uses (IPv4), or an unique local one (IPv6), that overlaps neither a network of
 * ours nor a route of the host. */
MUST_USE err *network_choose_subnet(int family, const struct network_list *others, const char *link,
                                    struct link_address *ret);
/* Are the options those of the driver, and can they be together? @doc: with Options and Internal. ERR_INVALID,
 * ERR_CONFLICT, ERR_UNSUPPORTED. */
MUST_USE err *network_options_check(const char *driver, const json *doc, const struct network_list *others);
/* What can be said once it is known which families it has. */
MUST_USE err *network_options_check_made(const json *doc);
/* "nat" (also when nothing is said), "nat-unprotected", "routed" or "isolated". */
const char *network_options_gateway_mode(const json *options, int family);
