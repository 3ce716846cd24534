/* legacy.h - what tables of iptables-legacy would do with a packet, as verdict.h says it of nf_tables. */
#pragma once

#include "net/verdict.h"

struct legacy_rules;
void legacy_rules_free(struct legacy_rules *r);
DEFINE_CLEANUP(struct legacy_rules *, legacy_rules_free)
#define _cleanup_legacy_rules_ __attribute__((cleanup(legacy_rules_freep)))

/* The tables that filter, and at which priority. */
struct legacy_table {
        const char *name;
        int priority;
};
#define LEGACY_TABLES 4
extern const struct legacy_table legacy_tables[LEGACY_TABLES];
/* Which of them there are of @family (NFPROTO_IPV4, NFPROTO_IPV6): bits. */
unsigned legacy_tables_present(uint8_t family);

/* The chain of such a table at @hook (NF_INET_FORWARD, ...). */
const char *legacy_chain(unsigned hook);

/* The rules of a table. 0 or -errno. A table that is not there would be made: ask before. Privilege: CAP_NET_ADMIN. */
int legacy_rules_read(uint8_t family, const char *table, struct legacy_rules **ret);
/* Is there a chain at @hook, and can it refuse anything? */
bool legacy_has(const struct legacy_rules *r, unsigned hook);

/* Follow the packet, which is of the family of @r, from the chain at @hook, which is there. */
void legacy_find(const struct legacy_rules *r, unsigned hook, const struct verdict_packet *p, struct verdict *ret);
