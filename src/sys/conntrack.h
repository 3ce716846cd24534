/* conntrack.h - connections that the kernel tracks, by ctnetlink (linux/netfilter/nfnetlink_conntrack.h). What a
 * connection is translated to is decided by its first packet; where rules change, its entry has to go. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sys/link.h"

struct conntrack_flow {
        uint8_t protocol;
        struct link_address from, to;    /* as its first packet had them; prefixes unused */
        uint16_t from_port, to_port;     /* host byte order */
        struct link_address answer_from; /* who answers: @to, unless that was translated */
        uint16_t answer_port;
        bool translated; /* its destination */
};

/* Is it to be forgotten? */
typedef bool conntrack_fn(const struct conntrack_flow *f, void *arg);

/* Forget the connections of @family (AF_INET, AF_INET6) and @protocol, to port @to_port if it is not 0, that @fn wants
 * gone. The kernel does the choosing by protocol and port where it can (5.8). @fd: a NETLINK_NETFILTER socket.
 * How many there were, or -errno: -EOPNOTSUPP and the like from a kernel without ctnetlink. Privilege: CAP_NET_ADMIN.
 */
int conntrack_forget(int fd, int family, uint8_t protocol, uint16_t to_port, conntrack_fn *fn, void *arg);
