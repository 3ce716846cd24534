/* obstacle.h - chains of others that drop what is for our networks, or from them. In nf_tables a packet that one chain
 * accepts is still dropped by another, and other people's rules are not ours to change: we can only say so. */
#pragma once

#include "base/err.h"
#include "net/network.h"

/* A sentence for each chain (nf_tables, iptables in both forms, firewalld's) that refuses, by its policy or by a rule,
 * the first packet of a connection that a container of @n makes to the world (by the link of the default route), others
 * or the host itself to its published ports, or a container to another one (where such packets are shown to chains of
 * IP: br_netfilter): what it means, and after "to allow it: " the commands that change it, in which PORT is for the
 * reader to fill in. Looked at are chains where packets come in (their first hook of a link, too), are forwarded, sent
 * by the host, and go out; those of family bridge for what they see of it. Only in chains of forwarding what a rule
 * asks for that is not known is taken for no; elsewhere lists of allowed ports are the rule, and nothing is said.
 * Appended to *@ret. What cannot be asked is no obstacle. Privilege: CAP_NET_ADMIN. */
MUST_USE err *obstacles_find(const struct network *n, char ***ret);
/* Of what is for published ports alone. */
MUST_USE err *obstacles_find_published(const struct network *n, char ***ret);
