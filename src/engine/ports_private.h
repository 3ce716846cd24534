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
        uint16_t prefer;      /* the one of these that it had; 0 = none */
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

/* ---- of ports.c ---- */

/* "80", "80-82"; "", "0" and NULL: 0 and 0. */
MUST_USE err *ports_parse_range(const char *text, uint16_t *first, uint16_t *last);
/* One binding of PortBindings is wanted, once for each family that it can have. */
MUST_USE err *ports_want(struct ports_publish *p, const char *key, const char *ip, const char *range);
/* What is wanted, as a Ports document; owned. */
json *ports_document(const struct ports_publish *p);
/* What the firewall gets of it; *@ret_which: where each is in the list. Both are owned. */
MUST_USE err *ports_entries(const struct ports_publish *p, struct firewall_port **ret, size_t **ret_which,
                            size_t *ret_n);
/* The @taken-th has an element that is somebody else's (@owner): one who has ended without a word, or a reason to
 * choose another port. ERR_CONFLICT. */
MUST_USE err *ports_resolve(struct ports_publish *p, struct firewall *f, size_t taken, const char *owner);
/* Is the entry of a Ports document published at all addresses of the family (@six)? Is one of a list? @host_port NULL:
 * under any. */
bool ports_is_at_all(const json *one, bool six);
bool ports_has_at_all(const json *list, bool six, const char *host_port);
/* Does the record leave it to the network which addresses the entry @one has? Not when it might be one that names
 * them. */
bool ports_names_no_address(const struct container *c, const char *key, const json *one);
/* What is open at the container's own address is now at its new one, or nowhere. */
void ports_move_open(json *ports, const struct link_address to[LINK_ADDRESSES]);
/* There is an element in @now's place already, @owner's: away with it, if that has ended. ERR_CONFLICT. */
MUST_USE err *ports_make_way(const struct container *c, struct firewall *f, const struct firewall_port *now,
                             const char *owner);
