/* lease.h - who has which address of a network, and under which names: STATE/networks/<id>, one line an endpoint.
 *
 *   <container id> <endpoint id> <IPv4 or -> <IPv6 or -> <MAC> <host link or -> <container's name> <names, with commas>
 *
 * The file is replaced at once under its lock; whoever answers names reads it without a lock. It is forgotten at boot,
 * as the links are. A line whose container does not run any more is taken back by whoever finds it (the caller knows).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "net/network.h"

#define LEASE_LINK "hod" /* what the names of the host's ends of pairs begin with */

struct lease {
        char container[ID_LEN + 1], endpoint[ID_LEN + 1];
        struct link_address address[LINK_ADDRESSES]; /* with the subnet's prefix; family 0 = none */
        unsigned char mac[6];
        char link[LINK_NAME_MAX + 1]; /* host's end of the pair */
        char *name;                   /* of the container, owned */
        char **names;                 /* names, aliases, short id: what answers; owned */
        char *line;                   /* as the file has it, owned; NULL = it has another, or none */
};
void lease_done(struct lease *l);
#define _cleanup_lease_ __attribute__((cleanup(lease_done)))

struct lease_request {
        const char *container, *name;
        char *const *names;                         /* may be NULL */
        struct link_address wanted[LINK_ADDRESSES]; /* --ip, --ip6; family 0 = any */
        unsigned char mac[6];                       /* all zero = from the address */
        /* Does the container of a line still live? Asked for lines that stand in the way. May be NULL = yes. */
        bool (*lives)(const char *container, void *arg);
        void *arg;
};

/* Keep the network @network_id as it is: shared from before a container takes its lease until the bridge is there, and
 * @alone while it is looked whether anybody has one and all is taken away. @ret_lock: close it. Lock order: container,
 * this, a network's leases. What was found out before it was held may be wrong: look again. */
MUST_USE err *lease_hold(struct networks *s, const char *network_id, bool alone, int *ret_lock);

/* Take addresses: the lowest that are free, or those that are wanted. A container that has a lease already gets a new
 * one in its place. ERR_CONFLICT "Address already in use", "no available IPv4 addresses on this network's address
 * pools: ...", "MAC address ... is already in use on network ...". ERR_INVALID: a name has a space, a comma or a
 * control character in it.
 */
MUST_USE err *lease_take(struct networks *s, const struct network *n, const struct lease_request *r, struct lease *ret);
/* Give back what @container has. Nothing is fine. */
MUST_USE err *lease_release(struct networks *s, const char *network_id, const char *container);
/* Give back this very line, if it is still there: its container may have begun another run since it was read. */
MUST_USE err *lease_release_endpoint(struct networks *s, const char *network_id, const struct lease *l);
/* @container is called @name from now on; so is what answers to its old name. Nothing is fine. */
MUST_USE err *lease_rename(struct networks *s, const char *network_id, const char *container, const char *name);
/* All of a network, in the order of the file. Lines that are damaged are left out, with a warning. */
struct lease_list {
        struct lease *items; /* owned, with what they point to */
        size_t n;
};
void lease_list_done(struct lease_list *l);
#define _cleanup_lease_list_ __attribute__((cleanup(lease_list_done)))
MUST_USE err *lease_list(struct networks *s, const char *network_id, struct lease_list *ret);
/* Take the one at @i out. */
void lease_list_drop(struct lease_list *l, size_t i);
/* How many lines are damaged? With @mend they are removed. */
MUST_USE err *lease_mend(struct networks *s, const char *network_id, bool mend, unsigned *ret_damaged);
/* The network itself goes. */
MUST_USE err *lease_forget(struct networks *s, const char *network_id);

/* Parse and print one line. ERR_CORRUPT. */
MUST_USE err *lease_parse(const char *line, struct lease *ret);
MUST_USE err *lease_format(const struct lease *l, char **ret);
