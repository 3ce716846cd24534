/* firewall_private.h - between the files of firewall. */
#pragma once

#include "net/firewall.h"
#include "sys/nft.h"

#define FIREWALL_TABLE "hod"

/* Everything of the table but the elements of its sets, into a batch of family inet. What is there already stays; rules
 * are written anew. */
void firewall_table(struct nft *n);
