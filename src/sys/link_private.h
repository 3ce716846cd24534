/* link_private.h - between the files of link: finding a link, and pieces of rtnetlink messages. */
#pragma once

#include "sys/link.h"
#include "sys/netlink.h"

struct link_found {
        int index, master; /* 0 = no port of another */
        bool up;
        int32_t peer_ns; /* the number of the namespace that its other end is in; -1 = in ours, or in none any more */
        unsigned char mac[6];
        char kind[16], alias[LINK_ALIAS_MAX + 1];
};
/* 0 or -errno (-ENODEV). */
int link_find(int fd, const char *name, struct link_found *ret);

/* Append a message about the link @index: no IPv6 link-local address (before it goes up), up, an address, a route. */
void link_add_no_link_local(struct netbuf *b, int index);
void link_add_up(struct netbuf *b, int index);
void link_add_address(struct netbuf *b, int index, const struct link_address *a);
void link_add_route(struct netbuf *b, int index, const struct link_route *r);

/* The end of @e in the namespace @ns, which is there and down: kernel parameters, addresses, up, routes. @there: a
 * NETLINK_ROUTE socket of the namespace. 0 or -errno. */
int link_furnish(int ns, int there, const struct link_endpoint *e);
/* Make the kernel look at the link's carrier now. */
void link_settle(int fd, const char *name);
