/* network.h - networks: what they are called, their addresses and options; docker's network document is the record.
 *
 *   ROOT/networks/<id>.json   one document a network, written durably, under ROOT/networks/lock
 *
 * "bridge", "host" and "none" exist without being made. The default bridge (interface hod0) chooses its subnet when it
 * is first used, so that it never overlaps a route of the host; then it is written down like any other. Lock order:
 * container → ROOT/networks/lock → the leases of one network (lease.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/json.h"
#include "net/firewall.h"
#include "sys/link.h"

#define NETWORK_DEFAULT "bridge"
#define NETWORK_DEFAULT_LINK "hod0"
#define NETWORK_AUX 16

struct network_pool {
        struct link_address subnet; /* family 0 = the network has none of this family */
        struct link_address range;  /* addresses are given out of here; = subnet without --ip-range */
        struct link_address gateway;
        struct link_address aux[NETWORK_AUX]; /* never given out */
        unsigned n_aux;
};

struct network {
        char *id, *name, *driver;                 /* "bridge", "macvlan", "ipvlan", "host", "null" */
        json *doc;                                /* as inspect shows it, without Containers; owned */
        char link[LINK_NAME_MAX + 1];             /* bridge: its interface; macvlan, ipvlan: the parent */
        char mode[12];                            /* of macvlan and ipvlan */
        struct network_pool pool[LINK_ADDRESSES]; /* IPv4, IPv6 */
        unsigned mtu;
        bool predefined, internal, masquerade, icc;
        bool guard;                       /* containers send as themselves (guard.h) */
        bool unprotected[LINK_ADDRESSES]; /* who knows a way to its containers from outside may take it */
        bool routed[LINK_ADDRESSES];      /* nothing is translated; published is the container's own address */
        bool isolated[LINK_ADDRESSES];    /* the host has no address in it */
        bool inhibit_ipv4;                /* the gateway's IPv4 address is somebody else's business */
        struct link_address host_binding; /* where ports are published that name no address; family 0 = everywhere */
        bool configured;                  /* its subnet was asked for: addresses can be, too */
};
void network_free(struct network *n);
DEFINE_CLEANUP(struct network *, network_free)
#define _cleanup_network_ __attribute__((cleanup(network_freep)))

/* ROOT/networks and STATE/networks. @default_link: name of the default bridge's interface, NULL = NETWORK_DEFAULT_LINK;
 * engines on one host that do not share ROOT have different ones. */
struct networks;
MUST_USE err *networks_open(int root_fd, int state_fd, const char *default_link, struct networks **ret);
void networks_close(struct networks *s);
DEFINE_CLEANUP(struct networks *, networks_close)
#define _cleanup_networks_ __attribute__((cleanup(networks_closep)))

/* By name, id, or the unique beginning of an id. ERR_NOT_FOUND "network x not found", ERR_INVALID (@ref is empty). */
MUST_USE err *network_find(struct networks *s, const char *ref, struct network **ret);
/* All, sorted by name, the predefined ones too. Documents that are damaged are left out, with a warning. */
struct network_list {
        struct network **items; /* owned, with what they point to */
        size_t n;
};
void network_list_done(struct network_list *l);
#define _cleanup_network_list_ __attribute__((cleanup(network_list_done)))
MUST_USE err *network_list(struct networks *s, struct network_list *ret);
/* Ids (names of files, if these are no ids) of those whose document is damaged are added to *@ret. */
MUST_USE err *network_list_damaged(struct networks *s, char ***ret);

/* Make one from docker's NetworkCreate body: Name, Driver, Internal, Attachable, EnableIPv4, EnableIPv6, IPAM{Driver,
 * Options, Config[{Subnet, IPRange, Gateway, AuxiliaryAddresses}]}, Options, Labels. Chooses subnets and gateways that
 * were not given. Nothing of it is set up in the kernel yet. @ret_id: owned.
 * ERR_CONFLICT, ERR_INVALID with docker's texts. */
MUST_USE err *network_create(struct networks *s, const json *wanted, char **ret_id);
/* Forget it. The caller has seen that nobody uses it, and takes its link and rules away. ERR_DENIED for predefined
 * ones. */
MUST_USE err *network_forget(struct networks *s, const struct network *n);

/* The default bridge has no subnet before it is first used: choose one and write it down. Does nothing for others. */
MUST_USE err *network_settle(struct networks *s, struct network *n);

/* What the firewall has to know of a bridge network. Borrows from @n. */
void network_firewall(const struct network *n, struct firewall_network *ret);
/* Does it stand on a device of the host (macvlan, ipvlan)? */
bool network_on_parent(const struct network *n);
/* An option of docker's names, or NULL. */
const char *network_option(const struct network *n, const char *name);
