/* guard.h - a container sends as itself: table `bridge hod`, whose one chain sees what comes from our ports of bridges
 * before anybody else does. Its rules never change; an endpoint is some elements of its sets.
 *
 *   strict   nothing but IPv4, IPv6 and ARP, from its own link address and its own addresses; it speaks for no other
 *            address (ARP, neighbour advertisements), and is no router (advertisements, redirects)
 *   loose    a container that may configure its network (NET_ADMIN) may have further addresses, or route for others:
 *            only addresses of the bridge and of its other containers, and 127.0.0.0/8, are not for it. It is no router
 *            for IPv6, either, and sends no VLAN within a VLAN
 *   both     nothing to 127.0.0.0/8
 *
 * A kernel without nf_tables for bridges guards nobody: no error here; guard_obstacle() says it. Privilege:
 * CAP_NET_ADMIN. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "sys/endpoint.h"

/* Before the pair is made; of endpoints that are no bridge's nothing. @gateway: the bridge's addresses. What is there
 * already is fine, and put in order; so is a table of which somebody has flushed all or a part. */
MUST_USE err *guard_add(const struct endpoint *e, const struct link_address gateway[LINK_ADDRESSES], bool loose);
/* With the same @loose. What is not there is fine. */
MUST_USE err *guard_remove(const struct endpoint *e, bool loose);
/* The bridge itself goes: its addresses. */
MUST_USE err *guard_remove_bridge(const char *bridge, const struct link_address gateway[LINK_ADDRESSES]);
/* A sentence when the kernel cannot guard anybody, else NULL. Tries with a transaction that fails: nothing changes. */
const char *guard_obstacle(void);
