/* ports_private.h - between the files of ports: what is to be published, and which ports of the host it gets. */
#pragma once

#include "engine/ports.h"
#include "sys/endpoint.h"

/* One thing to publish. */
struct ports_binding {
        const char *key; /* "80/tcp"; borrowed from the record */
        struct firewall_port port;
        const char *link;     /* published on this link of the host only; borrowed; NULL */
        bool relay;           /* ::1, to a container without IPv6: the monitor's work alone */
        bool twin;            /* the IPv6 of the one before it: both have one port, as docker does */
        uint16_t first, last; /* host ports to choose from; 0,0 = any */
};

struct ports_publish {
        struct container *c;
        const json *has; /* Ports document of what it has already; NULL: nothing */
        struct link_address to[LINK_ADDRESSES];
        const struct ports_target *target;
        struct ports_binding *list;
        size_t n;
};

/* Its address on the host as people write it, or its link. */
const char *ports_host_text(const struct ports_binding *b, char buf[ENDPOINT_ADDRESS_MAX]);
/* Give @b, and its twin, the next host port at or after @from that nobody has bound. ERR_CONFLICT in docker's words,
 * with the owner where one is known. */
MUST_USE err *ports_choose(const struct ports_publish *p, struct ports_binding *b, uint32_t from);
/* All of them; those that name one port come first: the others have a choice. */
MUST_USE err *ports_choose_all(struct ports_publish *p);
