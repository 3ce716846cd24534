/* egress.h - where a container may send: rules in order, the first that fits decides.
 *
 *   allow=10.0.0.0/8          an address or a prefix, IPv4 or IPv6
 *   allow=[fd00::/8]:443/tcp  one port, or a range; a protocol: tcp, udp, sctp, icmp; a port alone is tcp and udp
 *   allow=example.org:443     a name, *.example.org for all below: what our name service answered to the container
 *   deny=*                    everything; the last rule, and only this, is allow=* or deny=*
 *
 * What is denied is answered "administratively prohibited". Answers to connections that others made to the container
 * are always allowed. A rule that is taken back also ends the connections that it allowed.
 *
 * How it is enforced: by what the host does with packets that come in by the host's end of the container's veth pair
 * (its port of the bridge), so whatever the container does to its own end, addresses and routes changes nothing.
 *
 *   table bridge hod_egress       from such a port: ARP and neighbour discovery on the link pass; source addresses
 * that are not the container's are dropped, and what is neither unicast nor IP; the rest is led up to the host's
 * routing, even to a neighbour on the same bridge. To such a container from its neighbours: the same way, so that
 * connection tracking sees both. table inet hod, egress         prerouting, after connection tracking, before
 * translation of destinations: by the port's address (the bridge table has put it in) → the container's chain
 *
 * Names: the container's sets names4 and names6 hold (rule's name, address), and forget what neither was asked for
 * again nor used for longer than a connection of TCP says nothing. Privilege: CAP_NET_ADMIN. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "sys/endpoint.h"

#define EGRESS_RULES_MAX 128

struct egress_rule {
        bool allow;
        struct link_address to; /* family 0: a name, or everything */
        char *name;             /* in lower case; "*.example.org" */
        uint8_t protocol;       /* IPPROTO_TCP, UDP, SCTP, ICMP (of both families); 0 = any */
        uint16_t first, last;   /* ports; 0, 0 = any */
};

struct egress {
        struct egress_rule *rules;
        size_t n;
};
void egress_done(struct egress *e);
#define _cleanup_egress_ __attribute__((cleanup(egress_done)))

/* Lists of rules with commas, one after the other; none: everything is allowed (n = 0). ERR_INVALID. */
MUST_USE err *egress_parse(char *const *lists, struct egress *ret);
/* One rule as it is written. */
MUST_USE err *egress_format(const struct egress_rule *r, char **ret);
/* Does a rule have a name? */
bool egress_has_names(const struct egress *e);
/* Is @name what the rule's name says? Case and a final dot do not matter. */
bool egress_name_fits(const char *rule, const char *name);

/* Put the rules of the container @id in place, or other ones, for its @n interfaces (others than bridges' are passed
 * over; no need that they exist yet; the bridges must). @nft, @route: sockets NETLINK_NETFILTER and NETLINK_ROUTE. One
 * transaction: the old rules hold until the new do. */
MUST_USE err *egress_install(int nft, int route, const char *id, const struct egress *e, const struct endpoint *ports,
                             size_t n);
/* Take back what there is of the container and its interfaces; nothing is fine. */
MUST_USE err *egress_remove(int nft, const char *id, const struct endpoint *ports, size_t n);
/* Take back the interface @port alone. */
MUST_USE err *egress_remove_port(int nft, const char *id, const struct endpoint *port);

/* Our name service is about to tell the container @id that @name has these addresses: let rules with that name know,
 * for at least @ttl seconds. Nothing is fine. */
MUST_USE err *egress_learn(int nft, const char *id, const struct egress *e, const char *name,
                           const struct link_address *addresses, size_t n, uint32_t ttl);
