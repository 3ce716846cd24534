/* verdict.h - what a table of others would do with a packet: its rules are read (nf_tables, iptables' form in it, too)
 * and followed from one chain, as the kernel would, with the sets and maps that they ask. The packet is the first of a
 * TCP connection. A rule that asks for something that is not said of it (a port, a mark, a limit) does not apply,
 * unless it also names the packet's bridge or subnet: whoever wrote it has thought of us, and what it does not refuse
 * is accepted. */
#pragma once

#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "sys/link.h"

/* What connection tracking says of it. */
enum verdict_ct {
        VERDICT_CT_NEW,
        VERDICT_CT_NONE,    /* it has not been asked yet */
        VERDICT_CT_UNKNOWN, /* that is not certain */
};

struct verdict_packet {
        uint8_t family; /* NFPROTO_IPV4, NFPROTO_IPV6 */
        uint8_t hooked; /* NFPROTO_BRIDGE, NFPROTO_NETDEV: what sees it; 0 = its own family */
        enum verdict_ct ct;
        bool early;                           /* it has not come by yet where it could be translated */
        const char *in, *out;                 /* links; "" = some other one */
        const struct link_address *from, *to; /* in the bridge's subnet; NULL = some other one */
        unsigned to_type;                     /* RTN_LOCAL, RTN_UNICAST; RTN_UNSPEC = that is not certain */
        const char *ours;                     /* which of the links is a bridge of ours */
        bool translated;                      /* the first of a connection to a published port */
        bool bridged;                         /* it stays on the bridge, and is shown to chains of IP (br_netfilter) */
};

struct verdict {
        bool refused; /* dropped or rejected */
        bool policy;  /* by the policy of the chain that it began with */
        bool perhaps; /* a rule might have let it through that asks for what is not known, and was passed over */
        bool unread;  /* so might one that asks a set with too much in it to be read */
        char chain[NFT_NAME_MAXLEN];
        char path[512]; /* the chains that were entered, each between blanks; what does not fit is left out */
};

struct verdict_rules;
void verdict_rules_free(struct verdict_rules *r);
DEFINE_CLEANUP(struct verdict_rules *, verdict_rules_free)
#define _cleanup_verdict_rules_ __attribute__((cleanup(verdict_rules_freep)))

/* The rules of a table. @fd: a NETLINK_NETFILTER socket, which is to stay open as long. 0 or -errno (-EAGAIN: they were
 * changed meanwhile; -E2BIG: there are too many). */
int verdict_rules_read(int fd, uint8_t family, const char *table, struct verdict_rules **ret);

/* Follow the packet from @chain, whose policy is to drop if @drop. */
void verdict_find(const struct verdict_rules *r, const char *chain, bool drop, const struct verdict_packet *p,
                  struct verdict *ret);
