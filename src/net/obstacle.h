/* obstacle.h - chains of others that drop what our networks forward. In nf_tables a packet that one chain accepts is
 * still dropped by another, and other people's rules are not ours to change: we can only say so. */
#pragma once

#include "base/err.h"
#include "net/network.h"

/* A sentence for each chain that is hooked to forwarding (nf_tables, iptables in both forms, firewalld's) and refuses,
 * by its policy or by a rule, what containers of @n send to the world (by the link of the default route), what others
 * send to their published ports, or, where such chains are shown what stays on a bridge (br_netfilter), what they send
 * to each other: what it means, and after "to allow it: " the commands that change it. Appended to *@ret. What cannot
 * be asked is no obstacle. Privilege: CAP_NET_ADMIN. */
MUST_USE err *obstacles_find(const struct network *n, char ***ret);
