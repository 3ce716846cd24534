/* firewall_private.h - between the files of firewall. */
#pragma once

#include "net/firewall.h"
#include "sys/nft.h"

#define FIREWALL_TABLE "hod"

struct firewall {
        int fd;
};

/* Everything of the table but the elements of its sets, into a batch of family inet; with @internal also what internal
 * networks need. What is there already stays; rules are written anew. How many messages that are. */
unsigned firewall_table(struct nft *n, bool internal);

/* Away with what only internal networks need. Nothing of it has to be there. */
void firewall_table_no_internal(struct nft *n);
/* The chain of these that is looked for to tell whether they are there. */
#define FIREWALL_INTERNAL_CHAIN "raw_internal"

/* Forget the UDP and SCTP connections that such ports have made stale: what went to the host itself before they were
 * @published, or to their containers until they were taken back. @fd: a NETLINK_NETFILTER socket. */
void firewall_forget(int fd, const struct firewall_port *ports, size_t n, bool published);
