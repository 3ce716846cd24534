/* nft.h - nf_tables by netlink: one batch is one transaction, all of it or nothing (linux/netfilter/nf_tables.h,
 * nft(8)).
 *
 * A batch is put together in memory and committed at once. Rules are written as nft's virtual machine sees them: load
 * something into a register, compare or look it up, say what happens.
 *
 *   nft_rule_begin(&n, "hod", "input");
 *   nft_meta(&n, NFT_META_IIFNAME, NFT_REG_1);          iifname
 *   nft_lookup(&n, "bridges", NFT_REG_1, 0, 0);         @bridges
 *   nft_verdict(&n, NF_DROP, NULL);                     drop
 *   nft_rule_end(&n);
 *
 * Registers: NFT_REG_1..4 hold 16 bytes each; concatenations use NFT_REG32_00.. of 4 bytes in a row. Everything of
 * family inet unless nft_begin() was told another. Privilege: CAP_NET_ADMIN over the network namespace. */
#pragma once

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sys/netlink.h"

struct nft {
        struct netbuf buf;
        uint8_t family;
        size_t list, expression; /* what is open */
        unsigned sets;           /* transaction-wide numbers of sets made here */
};
/* @family: NFPROTO_INET, ... */
void nft_begin(struct nft *n, uint8_t family);
void nft_done(struct nft *n);
#define _cleanup_nft_ __attribute__((cleanup(nft_done)))

/* Commit the batch in the namespace of the NETLINK_NETFILTER socket @fd. 0 or -errno of the first message that failed:
 * nothing of it has happened then. *@ret_failed (may be NULL): which message, counted from 0 as they were added. */
int nft_commit(int fd, struct nft *n, unsigned *ret_failed);

/* Keep whoever removes what is empty away (@shared) while something is put in; alone: nobody puts anything in. Of our
 * network namespace, for all engines. The kernel counts a generation before what belongs to it can be seen, so that the
 * generation alone does not prove that a set was empty. A descriptor (close it), or -errno.
 *
 * -ETIMEDOUT: somebody has it for longer than any of us would, and anybody on the host may (it is flock(2) of a file
 * that all can open). Whoever puts something in goes on without it; whoever removes lets be. */
int nft_lock(bool shared);
/* Number of the ruleset's present generation. 0 or -errno. */
int nft_generation(int fd, uint32_t *ret);
/* As nft_begin(), for a batch that is refused (-ERESTART, 512 or EAGAIN) when anybody has changed the ruleset since
 * @generation. */
void nft_begin_at(struct nft *n, uint8_t family, uint32_t generation);
/* Is @r, of nft_commit(), that? */
static inline bool nft_outdated(int r)
{
        return r == -ERESTART || r == -512 || r == -EAGAIN;
}

/* ---- tables, chains ---- */

void nft_table_add(struct nft *n, const char *table); /* one that is there is fine */
void nft_table_delete(struct nft *n, const char *table);

struct nft_hook {
        const char *type;   /* "filter", "nat", "route"; NULL = a chain that others jump to */
        unsigned hook;      /* NF_INET_PRE_ROUTING, ... */
        int priority;       /* NF_IP_PRI_FILTER, ... */
        bool drop;          /* policy */
        const char *device; /* of NFPROTO_NETDEV: whose packets */
};
void nft_chain_add(struct nft *n, const char *table, const char *chain, const struct nft_hook *hook);
void nft_chain_flush(struct nft *n, const char *table, const char *chain);
void nft_chain_delete(struct nft *n, const char *table, const char *chain);
/* Is there one? 1, 0 or -errno. */
int nft_chain_get(int fd, uint8_t family, const char *table, const char *chain);

/* ---- sets and maps ---- */

/* nft(8)'s numbers for types: the kernel keeps them, `nft list` shows keys and data by them. */
#define NFT_TYPE_IPV4 7
#define NFT_TYPE_IPV6 8
#define NFT_TYPE_ETHER 9
#define NFT_TYPE_PROTOCOL 12
#define NFT_TYPE_SERVICE 13
#define NFT_TYPE_MARK 19
#define NFT_TYPE_IFNAME 41
#define NFT_CONCAT2(a, b) (((a) << 6) | (b))
#define NFT_CONCAT3(a, b, c) ((NFT_CONCAT2(a, b) << 6) | (c))

struct nft_set {
        const char *name;
        uint32_t key_type;             /* NFT_TYPE_..., NFT_CONCAT2(), ... */
        uint32_t key_size;             /* bytes; parts of a concatenation are rounded up to 4 each */
        uint32_t flags;                /* NFT_SET_MAP, NFT_SET_INTERVAL, ... */
        uint32_t data_type, data_size; /* of a map; NFT_DATA_VERDICT = verdicts */
        bool host_order;               /* keys are not numbers in network order (names): only for `nft list` */
        /* NFT_SET_CONCAT: sizes of the parts; ends with 0. */
        uint8_t part[8];
};
void nft_set_add(struct nft *n, const char *table, const struct nft_set *set);
void nft_set_delete(struct nft *n, const char *table, const char *set);

struct nft_element {
        const void *key;     /* NULL = the element that holds for all other keys */
        const void *key_end; /* of an interval in a concatenation; NULL = a single key */
        size_t key_size;
        const void *data; /* of a map; NULL = none */
        size_t data_size;
        const char *jump; /* of a verdict map: a chain; or NULL and @verdict */
        int verdict;
        bool has_verdict;
        bool interval_end;   /* of a plain interval set: the first key that is outside */
        bool exclusive;      /* one that is there already makes the whole batch fail with EEXIST */
        const char *comment; /* NULL = none; at most 100 bytes */
        uint64_t timeout_ms; /* of a set with NFT_SET_TIMEOUT; 0 = none */
        bool expired;        /* and that time is over */
};
void nft_element_add(struct nft *n, const char *table, const char *set, const struct nft_element *e);
/* One that is not there makes the whole batch fail with ENOENT. */
void nft_element_delete(struct nft *n, const char *table, const char *set, const struct nft_element *e);
/* Let an element of a set with NFT_SET_TIMEOUT end now: nobody finds it any more, and the kernel frees it by and by.
 * What is deleted is freed by a worker that waits for an RCU grace period, and whoever closes a socket of nf_tables
 * waits for that worker, with the ruleset locked: 10 ms. One that is not there is no error. Kernels before 6.12 do
 * nothing: nft_element_ends() tells. */
void nft_element_end(struct nft *n, const char *table, const char *set, const struct nft_element *e);
/* Is it gone, or about to? 1, 0 or -errno. */
int nft_element_ends(int fd, uint8_t family, const char *table, const char *set, const struct nft_element *e);
#define NFT_COMMENT_MAX 100
/* Is it there? 1, 0 or -errno. @comment gets its comment, or "". */
int nft_element_get(int fd, uint8_t family, const char *table, const char *set, const void *key, size_t key_size,
                    char comment[NFT_COMMENT_MAX + 1]);

/* Hand what holds for @key in the set, be it the end of an interval, to @fn, as the kernel says it
 * (NFTA_SET_ELEM_LIST_...);
 * @key NULL: the element for all others. 1 (it was handed), 0 (nothing holds) or -errno. */
int nft_element_read(int fd, uint8_t family, const char *table, const char *set, const void *key, size_t key_size,
                     netlink_fn *fn, void *arg);
/* All elements of the set, many to a message. 0 or -errno; -EAGAIN: the ruleset was changed meanwhile. */
int nft_elements_dump(int fd, uint8_t family, const char *table, const char *set, netlink_fn *fn, void *arg);
/* How many elements has the set? -ENOENT: there is no such set. */
int nft_set_count(int fd, uint8_t family, const char *table, const char *set, unsigned *ret);

/* All of a kind in the ruleset, also what others made: a dump of @type (NFT_MSG_GET...) to @fn. @attribute: @value is
 * to be that; 0 = all of @family. 0 or -errno; -EAGAIN: the ruleset was changed meanwhile. */
int nft_dump(int fd, uint8_t family, unsigned type, unsigned attribute, const char *value, netlink_fn *fn, void *arg);

/* ---- rules ---- */

void nft_rule_begin(struct nft *n, const char *table, const char *chain);
void nft_rule_end(struct nft *n);

void nft_meta(struct nft *n, unsigned key, unsigned reg);
void nft_payload(struct nft *n, unsigned base, unsigned offset, unsigned size, unsigned reg);
/* Overwrite a part of the link layer's header with what is in the register. */
void nft_link_set(struct nft *n, unsigned offset, unsigned size, unsigned reg);
void nft_meta_set(struct nft *n, unsigned key, unsigned reg);
/* Overwrite a part of the packet with what is in the register; the transport checksum at @checksum (16 TCP, 6 UDP) is
 * kept right (one of 0, too, which in UDP means that there is none); 0 = no checksum is touched. */
void nft_payload_set(struct nft *n, unsigned base, unsigned offset, unsigned size, unsigned reg, unsigned checksum);
/* Put @data into a register. */
void nft_immediate(struct nft *n, unsigned reg, const void *data, size_t size);
void nft_ct(struct nft *n, unsigned key, unsigned reg);
/* @flags: NFTA_FIB_F_DADDR, ...; @result: NFT_FIB_RESULT_ADDRTYPE, ... */
void nft_fib(struct nft *n, unsigned flags, unsigned result, unsigned reg);
void nft_cmp(struct nft *n, unsigned op, unsigned reg, const void *data, size_t size);
void nft_cmp_u8(struct nft *n, unsigned op, unsigned reg, uint8_t value);
void nft_cmp_u32(struct nft *n, unsigned op, unsigned reg, uint32_t value); /* host order, as meta and ct give it */
/* iifname, oifname and the like: @name compared with what is in the register. */
void nft_cmp_name(struct nft *n, unsigned op, unsigned reg, const char *name);
void nft_bitwise(struct nft *n, unsigned reg, size_t size, const void *mask);
/* Continue if the register is in the set (@flags NFT_LOOKUP_F_INV: is not). Maps: what is found goes to @dreg; verdict
 * maps: nft_lookup_verdict(). @dreg is unused for sets: 0. */
void nft_lookup(struct nft *n, const char *set, unsigned reg, unsigned dreg, unsigned flags);
void nft_lookup_verdict(struct nft *n, const char *map, unsigned reg);
/* Add the key in the register to the set, or begin its timeout anew. */
void nft_update(struct nft *n, const char *set, unsigned reg, uint64_t timeout_ms);
/* Drop, and say so: ICMP or ICMPv6 "administratively prohibited". */
void nft_reject(struct nft *n);
/* NF_ACCEPT, NF_DROP, NFT_RETURN, NFT_JUMP, NFT_GOTO (the latter two to @chain). */
void nft_verdict(struct nft *n, int verdict, const char *chain);
/* @type: NFT_NAT_DNAT, NFT_NAT_SNAT; @family: NFPROTO_IPV4, NFPROTO_IPV6; address in @address_reg, port (network order)
 * in @port_reg, 0 = as it is. */
void nft_nat(struct nft *n, unsigned type, unsigned family, unsigned address_reg, unsigned port_reg);
void nft_masquerade(struct nft *n);
