/* obstacle.h - chains of others that drop what our networks forward. In nf_tables a packet that one chain accepts is
 * still dropped by another, and other people's rules are not ours to change: we can only say so. */
#pragma once

#include "base/err.h"

/* A sentence for each chain that is hooked to forwarding, drops what its rules do not accept (nf_tables, iptables in
 * both forms, firewalld's), and has no rule in its table that names @bridge: what it means, and the command that
 * changes it. Appended to *@ret. What cannot be asked is no obstacle. Privilege: CAP_NET_ADMIN. */
MUST_USE err *obstacles_find(const char *bridge, char ***ret);
