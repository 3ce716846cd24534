/* link.h - the links of a network: a bridge on the host, and for each container a veth pair between it and the
 * container's network namespace; by rtnetlink(7) itself, several requests in one message.
 *
 * Host ends have no addresses of their own, not even link-local ones: a bridge's port takes part in nothing but the
 * bridge. Router advertisements of neighbours are not believed inside; on the bridge that is up to the caller.
 * Privilege: CAP_NET_ADMIN over the namespaces. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LINK_NAME_MAX 15 /* IFNAMSIZ without the terminator */
#define LINK_ADDRESSES 2 /* one of each family */

struct link_address {
        int family; /* AF_INET, AF_INET6; 0 = none */
        unsigned char data[16];
        unsigned char prefix;
};

struct link_route {
        struct link_address to; /* family 0 = everything, in the family of @via */
        struct link_address via;
        uint32_t metric;
};

/* Index of the link @name, or -errno (-ENODEV). @fd: a NETLINK_ROUTE socket. */
int link_index(int fd, const char *name);

/* Its hardware address. 0 or -errno. */
int link_mac(int fd, const char *name, unsigned char ret[6]);
/* The hardware address that the host's end @name of a pair gets: made from its name. Of a bridge: from its mark. */
void link_port_address(const char *name, unsigned char ret[6]);

/* Is it there, a bridge, and up? 1, 0 or -errno. */
int link_bridge_is_up(int fd, const char *name);
/* Is it a bridge? 1, 0 or -errno (-ENODEV). */
int link_is_bridge(int fd, const char *name);
/* Has it the alias @alias? 1, 0 or -errno. */
int link_has_alias(int fd, const char *name, const char *alias);

#define LINK_ALIAS_MAX 100
#define LINK_MARK "hod network " /* begins the alias of whatever we make for a network */

struct link_bridge {
        const char *name;
        const char *alias; /* marks a bridge that is made here as ours; at most LINK_ALIAS_MAX bytes */
        unsigned mtu;      /* 0 = the kernel's */
        bool ipv6;         /* keeps a link-local address */
        struct link_address address[LINK_ADDRESSES];
        bool vlan_filtering;
};
/* Make the bridge, unless there is one already; it is down. ERR_CONFLICT: the name belongs to another kind of link. */
MUST_USE err *link_bridge_make(int fd, const struct link_bridge *b);
/* Give it its addresses, then set it up: a bridge that is up is complete. */
MUST_USE err *link_bridge_up(int fd, const struct link_bridge *b);
/* Remove the bridge @name if it has the mark @alias: what was there before us stays. A missing one is fine. */
MUST_USE err *link_bridge_remove(int fd, const char *name, const char *alias);
/* Remove a link. A missing one is fine. */
MUST_USE err *link_delete(int fd, const char *name);

struct link_endpoint {
        const char *host_name; /* of the end that stays: "hod1a2b3c4d5e6" */
        const char *name;      /* of the end in the container: "eth0" */
        int bridge;            /* index */
        unsigned mtu;          /* 0 = the kernel's */
        unsigned char mac[6];
        bool ipv6;     /* a link-local address is wanted */
        bool hairpin;  /* what comes from it may be sent back to it: published ports, from inside */
        bool isolated; /* bridge port isolation: reaches the bridge only, no other port */
        struct link_address address[LINK_ADDRESSES];
        const char *sysctls;              /* "net.ipv4.conf.IFNAME.KEY=VALUE,...", set before it goes up; may be NULL */
        const struct link_address *extra; /* further ones; borrowed */
        unsigned n_extra;
        struct link_route *route; /* borrowed */
        unsigned n_routes;
};
/* Make the pair, and everything of it on both sides, up and with addresses and routes. @host: a NETLINK_ROUTE socket of
 * the host; @there: one of the namespace @ns. `lo` there is set up too. On failure nothing is left.
 * ERR_CONFLICT: a link with such a name is there already. */
MUST_USE err *link_endpoint_make(int host, int ns, int there, const struct link_endpoint *e);
/* Is the host's end @name there, and has the network namespace of the other one somebody (a process, a mount, a
 * connection)? One that has nobody is taken apart by the kernel, with both ends. 1, 0 or -errno. */
int link_endpoint_is_kept(int fd, const char *name);
/* What comes from the bridge's port @name may be sent back to it from now on. 0 or -errno. */
int link_port_hairpin(int fd, const char *name);
/* Routes by the link @name; one to the same destination that leads elsewhere is replaced. 0 or -errno. */
int link_routes(int fd, const char *name, const struct link_route *route, unsigned n);
/* Is the link @name a port of @bridge? 1, 0 or -errno; -ENODEV: one of them is not there. */
int link_port_is_on(int fd, const char *name, const char *bridge);
/* Make the link @name a port of @bridge again, with its properties. 0 or -errno. */
int link_port_join(int fd, const char *name, const char *bridge, bool isolated, bool hairpin);
/* `lo` up. */
MUST_USE err *link_loopback_up(int fd);

/* A macvlan or ipvlan device on @parent (index), in the namespace. @mode: "bridge", "private", "vepa", "passthru";
 * "l2", "l3", "l3s", these also with "-private" or "-vepa". Else as link_endpoint_make(); host_name and bridge are not
 * used. */
MUST_USE err *link_endpoint_sub(int host, int ns, int there, const struct link_endpoint *e, int parent,
                                const char *kind, const char *mode);

/* Take away what link_endpoint_sub() has made, by a socket of the namespace that it is in: whatever it is called now.
 * @parent is of our own network namespace: what is on one of that number elsewhere is not ours. What is not there is
 * fine. @others: so many more of that kind are on @parent there, and stay (LINK_SUB_ANY: all are to go, so any will
 * do). ERR_CONFLICT: there are several that it could be. */
#define LINK_SUB_ANY (~0u)
MUST_USE err *link_sub_delete(int there, int parent, const char *kind, const char *name, const unsigned char mac[6],
                              unsigned others);

struct link_parent {
        const char *name;  /* of the device to be made */
        const char *alias; /* marks it as ours; at most LINK_ALIAS_MAX bytes */
        int below;         /* index of the device that a VLAN is on; 0 = a dummy, which is on nothing */
        unsigned vlan;     /* its number */
};
/* A device of the host for macvlan and ipvlan devices to stand on, set up; one that is there is fine.
 * ERR_UNSUPPORTED: the kernel has none of this kind. */
MUST_USE err *link_parent_make(int fd, const struct link_parent *p);
/* Remove the device @name if it has the mark @alias; with @heir, give it that mark instead. A missing one is fine. */
MUST_USE err *link_parent_remove(int fd, const char *name, const char *alias, const char *heir);

/* Does a route of the host (other than the default one and those of link @except) overlap @a? *@ret: name of its link,
 * owned, or NULL. */
MUST_USE err *link_route_overlaps(int fd, const struct link_address *a, const char *except, char **ret);
/* The link of the default route of @family (AF_INET, AF_INET6), of several that with the lowest metric; "" = none. */
void link_default(int fd, int family, char ret[LINK_NAME_MAX + 1]);
