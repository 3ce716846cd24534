/* legacy.h - what the filter table of iptables-legacy would do with a packet, as verdict.h says it of nf_tables. */
#pragma once

#include "net/verdict.h"

struct legacy_rules;
void legacy_rules_free(struct legacy_rules *r);
DEFINE_CLEANUP(struct legacy_rules *, legacy_rules_free)
#define _cleanup_legacy_rules_ __attribute__((cleanup(legacy_rules_freep)))

/* The rules that are hooked to forwarding, of @family (NFPROTO_IPV4, NFPROTO_IPV6). 0 or -errno (-ENOENT: there is no
 * such table; none is made). Privilege: CAP_NET_ADMIN. */
int legacy_rules_read(uint8_t family, struct legacy_rules **ret);

/* Follow the packet, which is of the family of @r, from the chain FORWARD. */
void legacy_find(const struct legacy_rules *r, const struct verdict_packet *p, struct verdict *ret);
