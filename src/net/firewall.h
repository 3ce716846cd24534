/* firewall.h - what the kernel filters and translates for our networks: one table, `inet hod`, of sets and maps. A
 * network or a published port is an element, never a rule, so that the thousandth costs what the first did.
 *
 *   chain raw          prerouting, before conntrack   nobody but the host reaches its 127.0.0.0/8, nobody from outside
 *                                                     the addresses of bridges
 *   chain prerouting   nat                            local address? → published4, published6
 *   chain output       nat                            local address? → published4, published6
 *   chain published4, published6                      maps (address . protocol . port) → (address . port): dnat
 *   chain postrouting  nat                            from a network to elsewhere, and hairpins: masquerade;
 *                                                     127.0.0.0/8 to a bridge: as from the bridge's address
 *   chain forward      filter                         known connections; published ports; isolation; nothing else to us
 *   raw_internal, forward_internal                    while there is an internal network: from it nobody reaches
 *                                                     addresses of the host other than its bridge's, nor other networks
 *
 * Tables of others are never touched. Every change is one transaction. The table is made when it is first needed;
 * whoever flushed it finds it made again by the next start on a network that is not in it. Engines with other roots use
 * the same table; a published port is its container's by the comment of the element. Privilege: CAP_NET_ADMIN. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "sys/link.h"

struct firewall_network {
        const char *bridge;  /* name of its interface */
        const char *trusted; /* devices of the host that lead to all of its containers' ports, "eth1:eth2"; NULL */
        struct link_address subnet[LINK_ADDRESSES], gateway[LINK_ADDRESSES];
        bool own;                         /* the bridge is nobody else's: it has the address of the gateway */
        bool masquerade;                  /* to the outside with the host's address */
        bool internal;                    /* no way out, no way in */
        bool icc;                         /* its containers may reach each other through the host's routing */
        bool routed[LINK_ADDRESSES];      /* not this family */
        bool unprotected[LINK_ADDRESSES]; /* from outside all ports are reached, not only published ones */
};

#define FIREWALL_OWNER_MAX 101

struct firewall_port {
        struct link_address host; /* family 0 = every address; prefix unused */
        const char *link;         /* published on this interface only; NULL */
        bool open;        /* nothing is translated: @to is reached at @port by whoever knows a way; host_port is port */
        uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
        uint16_t host_port, port; /* host byte order */
        struct link_address to;   /* the container's */
};

/* A NETLINK_NETFILTER socket of ours and how the table is. */
struct firewall;
MUST_USE err *firewall_open(struct firewall **ret);
void firewall_close(struct firewall *f);
DEFINE_CLEANUP(struct firewall *, firewall_close)
#define _cleanup_firewall_ __attribute__((cleanup(firewall_closep)))

/* Put a network in, or take it out (what is not there is fine), and make the table if it is missing. */
MUST_USE err *firewall_network_add(struct firewall *f, const struct firewall_network *n);
MUST_USE err *firewall_network_remove(struct firewall *f, const struct firewall_network *n);
/* Is it there? Asks for one element. */
MUST_USE err *firewall_network_known(struct firewall *f, const struct firewall_network *n, bool *ret);

/* Publish ports of the container @owner: all or none. *@ret_taken: when one of them belongs to another already
 * (ERR_CONFLICT), which one, and @ret_owner whose. Connections of UDP and SCTP that went elsewhere before are
 * forgotten, here and when ports are taken back. */
MUST_USE err *firewall_publish(struct firewall *f, const char *owner, const struct firewall_port *ports, size_t n,
                               size_t *ret_taken, char ret_owner[FIREWALL_OWNER_MAX]);
/* Put back those of a container that runs: what is there already, whosever it is, stays. */
MUST_USE err *firewall_republish(struct firewall *f, const char *owner, const struct firewall_port *ports, size_t n);
/* Take back what belongs to @owner; what is not there is fine. */
MUST_USE err *firewall_unpublish(struct firewall *f, const char *owner, const struct firewall_port *ports, size_t n);
/* Instead of @from, as far as they belong to @owner, @to: at once, so that nobody can take a port in between. Both may
 * be of the same port, or name one twice; what @owner has in the place of one of @to already is replaced. ERR_CONFLICT,
 * as above: one of @to belongs to another; nothing is changed then. */
MUST_USE err *firewall_move(struct firewall *f, const char *owner, const struct firewall_port *from, size_t n_from,
                            const struct firewall_port *to, size_t n_to, size_t *ret_taken,
                            char ret_owner[FIREWALL_OWNER_MAX]);

/* Remove the table when no bridge is in it any more; whoever puts one in at the same moment wins. */
MUST_USE err *firewall_remove_idle(struct firewall *f);
/* Remove the table. */
MUST_USE err *firewall_remove(struct firewall *f);
