/* obstacle.h - chains of others that drop what our networks forward. In nf_tables a packet that one chain accepts is
 * still dropped by another, and other people's rules are not ours to change: we can only say so. */
#pragma once

#include "base/err.h"
#include "net/network.h"

/* A sentence for each chain that is hooked to forwarding, drops what its rules do not accept (nf_tables, iptables in
 * both forms, firewalld's), and has no rule in its table that names the bridge of @n: what it means, and after "to
 * allow it: " the commands that change it. Appended to *@ret. What cannot be asked is no obstacle. Privilege:
 * CAP_NET_ADMIN. */
MUST_USE err *obstacles_find(const struct network *n, char ***ret);
