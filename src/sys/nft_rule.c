/* nft_rule.c - rules and their expressions; see nft.h. */
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>

#include "base/str.h"
#include "sys/nft_private.h"

/* ---- rules ---- */

void nft_rule_begin(struct nft *n, const char *table, const char *chain)
{
        nft_message(n, NFT_MSG_NEWRULE, NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND);
        netbuf_add_str(&n->buf, NFTA_RULE_TABLE, table);
        netbuf_add_str(&n->buf, NFTA_RULE_CHAIN, chain);
        n->list = 0;
}

void nft_rule_end(struct nft *n)
{
        if (n->list)
                netbuf_close(&n->buf, n->list);
        n->list = 0;
}

/* ---- expressions ---- */

/* Returns what expr_end() wants; attributes of the expression go between. */
static size_t expr_begin(struct nft *n, const char *name)
{
        struct netbuf *b = &n->buf;

        if (!n->list)
                n->list = netbuf_open(b, NFTA_RULE_EXPRESSIONS);
        n->expression = netbuf_open(b, NFTA_LIST_ELEM);
        netbuf_add_str(b, NFTA_EXPR_NAME, name);
        return netbuf_open(b, NFTA_EXPR_DATA);
}

static void expr_end(struct nft *n, size_t data)
{
        netbuf_close(&n->buf, data);
        netbuf_close(&n->buf, n->expression);
}

static void add_value(struct nft *n, unsigned type, const void *data, size_t size)
{
        size_t open = netbuf_open(&n->buf, type);

        netbuf_add(&n->buf, NFTA_DATA_VALUE, data, size);
        netbuf_close(&n->buf, open);
}

void nft_meta(struct nft *n, unsigned key, unsigned reg)
{
        size_t e = expr_begin(n, "meta");

        netbuf_add_be32(&n->buf, NFTA_META_KEY, key);
        netbuf_add_be32(&n->buf, NFTA_META_DREG, reg);
        expr_end(n, e);
}

void nft_payload(struct nft *n, unsigned base, unsigned offset, unsigned size, unsigned reg)
{
        size_t e = expr_begin(n, "payload");

        netbuf_add_be32(&n->buf, NFTA_PAYLOAD_DREG, reg);
        netbuf_add_be32(&n->buf, NFTA_PAYLOAD_BASE, base);
        netbuf_add_be32(&n->buf, NFTA_PAYLOAD_OFFSET, offset);
        netbuf_add_be32(&n->buf, NFTA_PAYLOAD_LEN, size);
        expr_end(n, e);
}

void nft_payload_set(struct nft *n, unsigned base, unsigned offset, unsigned size, unsigned reg, unsigned checksum)
{
        size_t e = expr_begin(n, "payload");

        netbuf_add_be32(&n->buf, NFTA_PAYLOAD_SREG, reg);
        netbuf_add_be32(&n->buf, NFTA_PAYLOAD_BASE, base);
        netbuf_add_be32(&n->buf, NFTA_PAYLOAD_OFFSET, offset);
        netbuf_add_be32(&n->buf, NFTA_PAYLOAD_LEN, size);
        if (checksum) {
                netbuf_add_be32(&n->buf, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
                netbuf_add_be32(&n->buf, NFTA_PAYLOAD_CSUM_OFFSET, checksum);
                netbuf_add_be32(&n->buf, NFTA_PAYLOAD_CSUM_FLAGS, 0);
        }
        expr_end(n, e);
}

void nft_link_set(struct nft *n, unsigned offset, unsigned size, unsigned reg)
{
        size_t e = expr_begin(n, "payload");

        netbuf_add_be32(&n->buf, NFTA_PAYLOAD_SREG, reg);
        netbuf_add_be32(&n->buf, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_LL_HEADER);
        netbuf_add_be32(&n->buf, NFTA_PAYLOAD_OFFSET, offset);
        netbuf_add_be32(&n->buf, NFTA_PAYLOAD_LEN, size);
        expr_end(n, e);
}

void nft_meta_set(struct nft *n, unsigned key, unsigned reg)
{
        size_t e = expr_begin(n, "meta");

        netbuf_add_be32(&n->buf, NFTA_META_KEY, key);
        netbuf_add_be32(&n->buf, NFTA_META_SREG, reg);
        expr_end(n, e);
}

void nft_immediate(struct nft *n, unsigned reg, const void *data, size_t size)
{
        size_t e = expr_begin(n, "immediate");

        netbuf_add_be32(&n->buf, NFTA_IMMEDIATE_DREG, reg);
        add_value(n, NFTA_IMMEDIATE_DATA, data, size);
        expr_end(n, e);
}

void nft_ct(struct nft *n, unsigned key, unsigned reg)
{
        size_t e = expr_begin(n, "ct");

        netbuf_add_be32(&n->buf, NFTA_CT_KEY, key);
        netbuf_add_be32(&n->buf, NFTA_CT_DREG, reg);
        expr_end(n, e);
}

void nft_fib(struct nft *n, unsigned flags, unsigned result, unsigned reg)
{
        size_t e = expr_begin(n, "fib");

        netbuf_add_be32(&n->buf, NFTA_FIB_DREG, reg);
        netbuf_add_be32(&n->buf, NFTA_FIB_RESULT, result);
        netbuf_add_be32(&n->buf, NFTA_FIB_FLAGS, flags);
        expr_end(n, e);
}

void nft_cmp(struct nft *n, unsigned op, unsigned reg, const void *data, size_t size)
{
        size_t e = expr_begin(n, "cmp");

        netbuf_add_be32(&n->buf, NFTA_CMP_SREG, reg);
        netbuf_add_be32(&n->buf, NFTA_CMP_OP, op);
        add_value(n, NFTA_CMP_DATA, data, size);
        expr_end(n, e);
}

void nft_cmp_u8(struct nft *n, unsigned op, unsigned reg, uint8_t value)
{
        nft_cmp(n, op, reg, &value, sizeof(value));
}

void nft_cmp_u32(struct nft *n, unsigned op, unsigned reg, uint32_t value)
{
        nft_cmp(n, op, reg, &value, sizeof(value));
}

void nft_cmp_name(struct nft *n, unsigned op, unsigned reg, const char *name)
{
        char whole[IFNAMSIZ] = "";

        memcpy(whole, name, strnlen(name, IFNAMSIZ - 1));
        nft_cmp(n, op, reg, whole, sizeof(whole));
}

void nft_bitwise(struct nft *n, unsigned reg, size_t size, const void *mask)
{
        const unsigned char zero[16] = {0};
        size_t e = expr_begin(n, "bitwise");

        netbuf_add_be32(&n->buf, NFTA_BITWISE_SREG, reg);
        netbuf_add_be32(&n->buf, NFTA_BITWISE_DREG, reg);
        netbuf_add_be32(&n->buf, NFTA_BITWISE_LEN, (uint32_t)size);
        add_value(n, NFTA_BITWISE_MASK, mask, size);
        add_value(n, NFTA_BITWISE_XOR, zero, size < sizeof(zero) ? size : sizeof(zero));
        expr_end(n, e);
}

static void lookup(struct nft *n, const char *set, unsigned reg, bool has_dreg, unsigned dreg, unsigned flags)
{
        size_t e = expr_begin(n, "lookup");

        netbuf_add_str(&n->buf, NFTA_LOOKUP_SET, set);
        netbuf_add_be32(&n->buf, NFTA_LOOKUP_SREG, reg);
        if (has_dreg)
                netbuf_add_be32(&n->buf, NFTA_LOOKUP_DREG, dreg);
        if (flags)
                netbuf_add_be32(&n->buf, NFTA_LOOKUP_FLAGS, flags);
        expr_end(n, e);
}

void nft_lookup(struct nft *n, const char *set, unsigned reg, unsigned dreg, unsigned flags)
{
        lookup(n, set, reg, dreg != 0, dreg, flags);
}

void nft_lookup_verdict(struct nft *n, const char *map, unsigned reg)
{
        lookup(n, map, reg, true, NFT_REG_VERDICT, 0);
}

void nft_update(struct nft *n, const char *set, unsigned reg, uint64_t timeout_ms)
{
        size_t e = expr_begin(n, "dynset");

        netbuf_add_str(&n->buf, NFTA_DYNSET_SET_NAME, set);
        netbuf_add_be32(&n->buf, NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
        netbuf_add_be32(&n->buf, NFTA_DYNSET_SREG_KEY, reg);
        netbuf_add_be64(&n->buf, NFTA_DYNSET_TIMEOUT, timeout_ms);
        expr_end(n, e);
}

void nft_reject(struct nft *n)
{
        size_t e = expr_begin(n, "reject");

        netbuf_add_be32(&n->buf, NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
        netbuf_add_u8(&n->buf, NFTA_REJECT_ICMP_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
        expr_end(n, e);
}

void nft_verdict(struct nft *n, int verdict, const char *chain)
{
        size_t e = expr_begin(n, "immediate"), data, v;

        netbuf_add_be32(&n->buf, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
        data = netbuf_open(&n->buf, NFTA_IMMEDIATE_DATA);
        v = netbuf_open(&n->buf, NFTA_DATA_VERDICT);
        netbuf_add_be32(&n->buf, NFTA_VERDICT_CODE, (uint32_t)verdict);
        if (chain)
                netbuf_add_str(&n->buf, NFTA_VERDICT_CHAIN, chain);
        netbuf_close(&n->buf, v);
        netbuf_close(&n->buf, data);
        expr_end(n, e);
}

void nft_nat(struct nft *n, unsigned type, unsigned family, unsigned address_reg, unsigned port_reg)
{
        size_t e = expr_begin(n, "nat");

        netbuf_add_be32(&n->buf, NFTA_NAT_TYPE, type);
        netbuf_add_be32(&n->buf, NFTA_NAT_FAMILY, family);
        netbuf_add_be32(&n->buf, NFTA_NAT_REG_ADDR_MIN, address_reg);
        if (port_reg)
                netbuf_add_be32(&n->buf, NFTA_NAT_REG_PROTO_MIN, port_reg);
        expr_end(n, e);
}

void nft_masquerade(struct nft *n)
{
        expr_end(n, expr_begin(n, "masq"));
}
