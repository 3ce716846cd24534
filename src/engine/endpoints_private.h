/* endpoints_private.h - between endpoints*.c and connect.c.
 *
 * network.json: {"Networks": {"<name>": {docker's EndpointSettings, "HodLine": "...", "HodPending": true}},
 *                "Ports": {...}, "PortsLeadTo": "<name>", "PortsLeadTo6": "<name>"}
 * HodLine is the interface as sys/endpoint.h writes it, without the routes that depend on the other networks. An entry
 * is pending until its interface is there; whoever finds a pending one that nobody is at work on does it anew. */
#pragma once

#include "engine/endpoints.h"
#include "net/lease.h"
#include "net/network.h"
#include "sys/endpoint.h"

#define ENDPOINTS_LINE "HodLine"
#define ENDPOINTS_PENDING "HodPending"
#define ENDPOINTS_CLOSED "HodClosed" /* the Ports that it had, and the monitor holds, while no network leads out */
/* It is not known where published ports lead: somebody is changing that, or was killed at it. */
#define ENDPOINTS_MOVING "HodMoving"

struct attach {
        struct container *c;
        struct networks *networks;
        json *doc; /* network.json; owned */
        int state_fd;
        char **held;         /* lines of ports that the monitor was told of last; NULL: not looked yet */
        int ns;              /* the container's network namespace, or -1: it has none yet */
        bool deaf;           /* its monitor does not answer */
        bool made;           /* the bridge of the last network that was taken is new */
        const char *leaving; /* not in @doc any more, and not given back yet; borrowed, as its entry; NULL */
        json *leaving_entry;
};
/* Begin with what network.json says; an empty one if there is none. */
MUST_USE err *endpoints_begin(struct attach *a, struct container *c, int state_fd);
void endpoints_end(struct attach *a);
#define _cleanup_attach_ __attribute__((cleanup(endpoints_end)))

/* Write network.json, in place of the one that is there. */
MUST_USE err *endpoints_write(const struct attach *a);
/* Its entry in network.json, by the network's id; NULL: there is none. @ret_name may be NULL. */
json *endpoints_entry(const struct attach *a, const char *network_id, const char **ret_name);

/* What was asked for fits the network? ERR_INVALID in docker's words. */
MUST_USE err *endpoints_check(const struct network *n, const json *settings);
/* Take a place in the network: a pending entry of network.json, then a lease, then the bridge. *@ret_name: the
 * network's own name, owned. */
MUST_USE err *endpoints_take(struct attach *a, const char *network, const json *settings, char **ret_name);
/* Give it back: lease and entry. network.json is not written. */
MUST_USE err *endpoints_give(struct attach *a, const char *name);

/* As endpoints_detach(), of a container whose network.json is damaged. */
MUST_USE err *endpoints_detach_lost(struct container *c);

/* Every interface with its routes: the lines for the monitor, appended. */
MUST_USE err *endpoints_lines(const json *doc, char ***ret);
/* One of them. */
MUST_USE err *endpoints_endpoint(const json *doc, const char *name, struct endpoint *ret);

/* Publish the record's ports by the networks that lead out; without one there is a warning. Lines for the monitor are
 * appended. */
MUST_USE err *endpoints_publish(struct attach *a, char ***ret_lines);
/* Take them back. */
MUST_USE err *endpoints_unpublish(struct attach *a);
/* Where in network.json those are that the monitor holds: "Ports", or ENDPOINTS_CLOSED. */
const char *endpoints_ports_key(const json *doc);
/* The networks whose bridges published ports should lead to now, for each family; NULL: none. Borrowed from @doc. */
void endpoints_outward(const json *doc, const char *ret[LINK_ADDRESSES]);
/* Those that they lead to, as it was noted. */
void endpoints_leading(const json *doc, const char *ret[LINK_ADDRESSES]);
void endpoints_note_leading(json *doc, const char *const names[LINK_ADDRESSES]);
/* The container's addresses in these networks, of each the one of its family; family 0 = none. */
MUST_USE err *endpoints_lead(const json *doc, const char *const names[LINK_ADDRESSES],
                             struct link_address ret[LINK_ADDRESSES]);
/* What these networks say about published ports that lead there; the host's own 127.0.0.1 may reach them from now on,
 * and so may the container itself by the host's address, if it is @running (NULL: its interfaces are made for that);
 * what chains of others keep from it is said then. */
MUST_USE err *endpoints_target(struct networks *s, const json *doc, const char *const names[LINK_ADDRESSES],
                               const struct container *running, struct ports_target *ret);
/* The host's own 127.0.0.1 may reach what is in these networks. */
MUST_USE err *endpoints_allow_loopback(struct networks *s, const json *doc, const char *const names[LINK_ADDRESSES]);
