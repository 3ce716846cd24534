/* endpoint.h - one network interface of a container, as the engine decided it and whoever makes the container sets it
 * up; and the line of text that carries it there (monitor's conf). */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"
#include "sys/link.h"

#define ENDPOINT_ROUTES 8
#define ENDPOINT_EXTRA 4
#define ENDPOINT_SYSCTLS 511

enum endpoint_kind { ENDPOINT_BRIDGE, ENDPOINT_MACVLAN, ENDPOINT_IPVLAN };

struct endpoint {
        enum endpoint_kind kind;
        char parent[LINK_NAME_MAX + 1];    /* the bridge; the link of the host that a macvlan or ipvlan stands on */
        char host_name[LINK_NAME_MAX + 1]; /* of the veth's end on the host */
        char name[LINK_NAME_MAX + 1];      /* in the container: "eth0" */
        char mode[12];                     /* of a macvlan or ipvlan */
        unsigned mtu;                      /* 0 = the kernel's */
        unsigned char mac[6];
        bool ipv6, isolated, hairpin;
        struct link_address address[LINK_ADDRESSES];
        struct link_address extra[ENDPOINT_EXTRA]; /* further addresses: --link-local-ip */
        unsigned n_extra;
        char sysctls[ENDPOINT_SYSCTLS + 1]; /* as link.h has them */
        struct link_route route[ENDPOINT_ROUTES];
        unsigned n_routes;
};

/* "kind=bridge parent=hod0 host=... name=eth0 mac=02:42:... ip=172.17.0.2/16 route=0.0.0.0/0,172.17.0.1,0 ...": owned.
 */
MUST_USE err *endpoint_format(const struct endpoint *e, char **ret);
/* ERR_CORRUPT. Words that are not known are ignored: a newer engine wrote them. */
MUST_USE err *endpoint_parse(const char *text, struct endpoint *ret);

/* Addresses of an endpoint stand in any order; *@ret: IPv4, IPv6; family 0 = none. */
void endpoint_by_family(const struct link_address address[LINK_ADDRESSES], struct link_address ret[LINK_ADDRESSES]);

/* Make it, ready to send: the host's side in our network namespace, the container's in that of the descriptor @ns.
 * On failure nothing of it is left. Privilege: CAP_NET_ADMIN over both, CAP_SYS_ADMIN over @ns.
 * ERR_NOT_FOUND: the bridge or parent is not there. As link_endpoint_make(). */
MUST_USE err *endpoint_make(const struct endpoint *e, int ns);

/* The routes of one that is there, anew: those to the same destinations by other devices are replaced. */
MUST_USE err *endpoint_reroute(const struct endpoint *e, int ns);
/* Take one away that is in the namespace @ns (-1: that has gone). What is not there is fine. @others: how many more of
 * its kind are on its parent there, LINK_SUB_ANY: all are taken away, one by one; only macvlan and ipvlan need to know.
 */
MUST_USE err *endpoint_unmake(const struct endpoint *e, int ns, unsigned others);
/* Is there a device called @name in @ns? */
MUST_USE err *endpoint_name_taken(int ns, const char *name, bool *ret);

/* "172.17.0.2", "fd00::2"; "172.17.0.2/16" with @prefix. */
#define ENDPOINT_ADDRESS_MAX 64
const char *endpoint_address_text(const struct link_address *a, bool prefix, char buf[ENDPOINT_ADDRESS_MAX]);
/* An address with or without "/prefix" (then 32 or 128). False: it is none. */
bool endpoint_address_parse(const char *text, struct link_address *ret);
/* 0.0.0.0 or :: */
bool endpoint_address_is_any(const struct link_address *a);
/* 127.0.0.0/8 or ::1 */
bool endpoint_address_is_loopback(const struct link_address *a);
/* "02:42:ac:11:00:02" as parse_mac() writes it: lower case, colons. */
bool endpoint_mac_parse(const char *text, unsigned char ret[6]);
