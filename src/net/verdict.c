/* verdict.c - see verdict.h. The kernel's virtual machine with the few instructions that firewalls consist of. */
#include "net/verdict.h"

#include <net/if.h> /* before the kernel's own */

#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/if_packet.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_physdev.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/lookup.h"
#include "net/verdict_private.h"
#include "sys/nft.h"

#define RULES_MAX 65536
#define DEPTH_MAX 16 /* the kernel's own */
#define STEPS_MAX 200000
#define NAME_SIZE NFT_NAME_MAXLEN
#define WORDS LOOKUP_WORDS
#define SYN 2 /* the flag of a TCP header */

struct rule {
        char chain[NAME_SIZE];
        size_t size;
        char *expressions; /* NFTA_LIST_ELEM... */
};

struct verdict_rules {
        char table[NAME_SIZE];
        struct rule *list; /* chain after chain, as they follow each other */
        size_t n;
        bool more;                /* than are followed */
        bool asks;                /* a rule looks something up */
        struct lookup_sets *sets; /* NULL = none is needed */
};

/* ---- reading ---- */

void verdict_rules_free(struct verdict_rules *r)
{
        if (!r)
                return;
        for (size_t i = 0; i < r->n; i++)
                free(r->list[i].expressions);
        free(r->list);
        lookup_sets_free(r->sets);
        free(r);
}

static int take_rule(const struct nlmsghdr *h, void *arg)
{
        struct verdict_rules *r = arg;
        struct rule rule = {0};
        char table[NAME_SIZE];
        size_t size, n;
        const void *all = netlink_attributes(h, sizeof(struct nfgenmsg), &size), *p;

        if (!netlink_attribute_text(all, size, NFTA_RULE_TABLE, table, NAME_SIZE) || !str_eq(table, r->table) ||
            !netlink_attribute_text(all, size, NFTA_RULE_CHAIN, rule.chain, NAME_SIZE))
                return 0;
        p = netlink_attribute(all, size, NFTA_RULE_EXPRESSIONS, &n);
        if (!p)
                return 0;
        r->more |= r->n == RULES_MAX;
        if (r->more) /* the socket is not to be left within a dump */
                return 0;
        rule.expressions = malloc(n + 1);
        if (!rule.expressions || mem_grow(&r->list, r->n, sizeof(*r->list)) < 0) {
                free(rule.expressions);
                return -ENOMEM;
        }
        memcpy(rule.expressions, p, n);
        rule.size = n;
        r->asks |= memmem(p, n, "lookup", sizeof("lookup")) != NULL;
        r->list[r->n++] = rule;
        return 0;
}

int verdict_rules_read(int fd, uint8_t family, const char *table, struct verdict_rules **ret)
{
        _cleanup_verdict_rules_ struct verdict_rules *r = MEM_NEW0(struct verdict_rules, 1);
        int error;

        if (!r)
                return -ENOMEM;
        (void)snprintf(r->table, sizeof(r->table), "%s", table);
        error = nft_dump(fd, family, NFT_MSG_GETRULE, NFTA_RULE_TABLE, table, take_rule, r);
        if (error < 0 || r->more)
                return error < 0 ? error : -E2BIG;
        if (r->asks)
                error = lookup_sets_read(fd, family, table, &r->sets);
        if (error < 0)
                return error;
        *ret = TAKE_PTR(r);
        return 0;
}

/* ---- one rule ---- */

enum outcome { NEXT, ACCEPTED, REFUSED, RETURNED, JUMP, GOTO };

struct machine {
        const struct verdict_rules *rules;
        const struct verdict_packet *packet;
        struct verdict *verdict;
        unsigned steps;

        /* of the rule */
        unsigned char data[WORDS][4];
        bool known[WORDS];
        bool doubtful; /* it asks for what is not known */
        bool unread;   /* it asks for what there is too much of */
        bool named;    /* it names our bridge or subnet */
        char target[NAME_SIZE];
};

struct expression {
        const char *name;
        const void *data;
        size_t size;
};

static uint32_t number(const struct expression *e, unsigned type, uint32_t otherwise)
{
        return netlink_attribute_be32(e->data, e->size, type, otherwise);
}

/* The bytes inside an attribute of the kind NFTA_DATA_VALUE. */
static const void *value(const struct expression *e, unsigned type, size_t *ret_size)
{
        size_t n;
        const void *p = netlink_attribute(e->data, e->size, type, &n);

        return p ? netlink_attribute(p, n, NFTA_DATA_VALUE, ret_size) : NULL;
}

/* The first word of a register, or -1. */
static int word_of(uint32_t reg)
{
        if (reg >= NFT_REG_1 && reg <= NFT_REG_4)
                return (int)(reg - NFT_REG_1) * 4;
        return reg >= NFT_REG32_00 && reg <= NFT_REG32_15 ? (int)(reg - NFT_REG32_00) : -1;
}

/* @size bytes into a register; @data NULL = they are not known. */
static void load(struct machine *m, uint32_t reg, const void *data, size_t size)
{
        int word = word_of(reg);
        size_t words = (size + 3) / 4;

        if (word < 0)
                return;
        if ((size_t)word + words > WORDS) {
                words = WORDS - (size_t)word;
                data = NULL;
        }
        memset(m->data[word], 0, words * 4);
        if (data)
                memcpy(m->data[word], data, size);
        for (size_t i = 0; i < words; i++)
                m->known[(size_t)word + i] = data != NULL;
}

/* As load(), of a packet's part: a word is known where all of its @known bytes are. */
static void load_part(struct machine *m, uint32_t reg, const unsigned char *data, const bool *known, size_t size)
{
        int word = word_of(reg);

        load(m, reg, data, size);
        for (size_t i = 0; word >= 0 && i < size; i++)
                if (!known[i] && (size_t)word + i / 4 < WORDS)
                        m->known[(size_t)word + i / 4] = false;
}

static unsigned char *stored(struct machine *m, uint32_t reg, size_t size)
{
        int word = word_of(reg);

        if (word < 0 || (size_t)word + (size + 3) / 4 > WORDS)
                return NULL;
        for (size_t i = 0; i < (size + 3) / 4; i++)
                if (!m->known[(size_t)word + i])
                        return NULL;
        return m->data[word];
}

static void load_name(struct machine *m, uint32_t reg, const char *name)
{
        char text[16] = "";

        (void)snprintf(text, sizeof(text), "%s", name);
        load(m, reg, *name ? text : NULL, sizeof(text));
}

static void load_u32(struct machine *m, uint32_t reg, uint32_t v, bool known)
{
        load(m, reg, known ? &v : NULL, sizeof(v));
}

static unsigned ethertype(const struct verdict_packet *p)
{
        return p->family == NFPROTO_IPV4 ? 0x0800 : 0x86dd;
}

static void do_meta(struct machine *m, const struct expression *e)
{
        const struct verdict_packet *p = m->packet;
        uint32_t reg = number(e, NFTA_META_DREG, 0);
        const unsigned char protocol = IPPROTO_TCP, to_us = PACKET_HOST;
        uint16_t type = htobe16((uint16_t)ethertype(p));
        unsigned index;

        switch (number(e, NFTA_META_KEY, UINT32_MAX)) {
        case NFT_META_IIFNAME:
                load_name(m, reg, p->in);
                break;
        case NFT_META_OIFNAME:
                load_name(m, reg, p->out);
                break;
        case NFT_META_IIF:
                index = if_nametoindex(p->in);
                load_u32(m, reg, index, index != 0);
                break;
        case NFT_META_OIF:
                index = if_nametoindex(p->out);
                load_u32(m, reg, index, index != 0);
                break;
        case NFT_META_NFPROTO:
                load(m, reg, p->hooked ? &p->hooked : &p->family, 1);
                break;
        case NFT_META_PROTOCOL:
                load(m, reg, &type, sizeof(type));
                break;
        case NFT_META_L4PROTO:
                load(m, reg, &protocol, 1);
                break;
        case NFT_META_PKTTYPE:
                load(m, reg, p->hooked == NFPROTO_BRIDGE ? NULL : &to_us, 1);
                break;
        default:
                load(m, reg, NULL, 16);
        }
}

/* False: where there is no connection, nothing but its state can be asked for. */
static bool do_ct(struct machine *m, const struct expression *e)
{
        const struct verdict_packet *p = m->packet;
        const unsigned char original = 0;
        uint32_t reg = number(e, NFTA_CT_DREG, 0), key = number(e, NFTA_CT_KEY, UINT32_MAX), status;

        if (p->ct == VERDICT_CT_NONE && key != NFT_CT_STATE)
                return false;
        if (p->ct == VERDICT_CT_UNKNOWN)
                key = UINT32_MAX;
        switch (key) {
        case NFT_CT_STATE:
                load_u32(m, reg, p->ct == VERDICT_CT_NONE ? NF_CT_STATE_INVALID_BIT : NF_CT_STATE_BIT(IP_CT_NEW), true);
                break;
        case NFT_CT_STATUS:
                /* "Done" is whatever has come by a chain that could have translated it, as ours. */
                status = p->early ? 0 : IPS_DST_NAT_DONE | (p->translated ? IPS_DST_NAT : 0);
                load_u32(m, reg, status, true);
                break;
        case NFT_CT_DIRECTION:
                load(m, reg, &original, 1);
                break;
        default:
                load(m, reg, NULL, 16);
        }
        return true;
}

/* A byte of the packet's headers; false: it is not known. */
static bool byte_at(const struct verdict_packet *p, uint32_t base, size_t offset, unsigned char *ret)
{
        bool six = p->family == NFPROTO_IPV6;
        size_t size = six ? 16 : 4, at = six ? 8 : 12;
        const struct link_address *a = offset < at + size ? p->from : p->to;

        if (base == NFT_PAYLOAD_LL_HEADER && p->hooked && (offset == 12 || offset == 13)) { /* the ethertype */
                *ret = (unsigned char)((offset == 12 ? ethertype(p) >> 8 : ethertype(p)) & 0xff);
                return true;
        }
        if (base == NFT_PAYLOAD_TRANSPORT_HEADER) {
                *ret = SYN;
                return offset == 13;
        }
        if (base != NFT_PAYLOAD_NETWORK_HEADER)
                return false;
        *ret = IPPROTO_TCP;
        if (offset == (six ? 6 : 9))
                return true;
        if (!a || offset < at || offset >= at + 2 * size)
                return false;
        *ret = a->data[(offset - at) % size];
        return true;
}

static void do_payload(struct machine *m, const struct expression *e)
{
        uint32_t reg = number(e, NFTA_PAYLOAD_DREG, 0), length = number(e, NFTA_PAYLOAD_LEN, 16),
                 offset = number(e, NFTA_PAYLOAD_OFFSET, 0), base = number(e, NFTA_PAYLOAD_BASE, UINT32_MAX);
        unsigned char data[WORDS * 4] = {0};
        bool known[WORDS * 4];

        if (length > sizeof(data)) {
                load(m, reg, NULL, length);
                return;
        }
        for (size_t i = 0; i < length; i++)
                known[i] = byte_at(m->packet, base, (size_t)offset + i, &data[i]);
        load_part(m, reg, data, known, length);
}

/* Whose the address is that it is sent to. By a link (of IPv6) others can be reached only if they are behind it. */
static void do_fib(struct machine *m, const struct expression *e)
{
        const struct verdict_packet *p = m->packet;
        uint32_t flags = number(e, NFTA_FIB_FLAGS, 0);
        bool behind = p->family == NFPROTO_IPV6 && (flags & NFTA_FIB_F_IIF) && p->to_type != RTN_LOCAL,
             known = number(e, NFTA_FIB_RESULT, NFT_FIB_RESULT_UNSPEC) == NFT_FIB_RESULT_ADDRTYPE &&
                     (flags & ~(uint32_t)NFTA_FIB_F_IIF) == NFTA_FIB_F_DADDR && p->to_type != RTN_UNSPEC && !behind;

        load_u32(m, number(e, NFTA_FIB_DREG, 0), p->to_type, known);
}

static void do_bitwise(struct machine *m, const struct expression *e)
{
        uint32_t size = number(e, NFTA_BITWISE_LEN, 0), to = number(e, NFTA_BITWISE_DREG, 0);
        const unsigned char *from = stored(m, number(e, NFTA_BITWISE_SREG, 0), size);
        unsigned char result[WORDS * 4];
        size_t n_mask = 0, n_xor = 0;
        const unsigned char *mask = value(e, NFTA_BITWISE_MASK, &n_mask), *xor = value(e, NFTA_BITWISE_XOR, &n_xor);

        if (!from || !size || size > sizeof(result) || !mask || n_mask != size || !xor || n_xor != size) {
                load(m, to, NULL, size ? size : 16);
                return;
        }
        for (size_t i = 0; i < size; i++)
                result[i] = (unsigned char)((from[i] & mask[i]) ^ xor[i]);
        load(m, to, result, size);
}

bool verdict_is_ours(const struct verdict_packet *p, const void *data, size_t n, bool prefix)
{
        const struct link_address *address = p->from ? p->from : p->to;
        size_t size = p->family == NFPROTO_IPV4 ? 4 : 16, length = strnlen(data, n < 16 ? n : 16);

        if (length >= 3 && strncmp(p->ours, data, length) == 0 && (prefix || length == n || !p->ours[length]))
                return true;
        return address && n >= 2 && n <= size && memcmp(data, address->data, 2) == 0;
}

/* Is there a known word in which the register differs from @data? Then nothing else matters for equality. */
static bool differs(const struct machine *m, uint32_t reg, const unsigned char *data, size_t size)
{
        int word = word_of(reg);

        for (size_t i = 0; word >= 0 && i < (size + 3) / 4 && (size_t)word + i < WORDS; i++)
                if (m->known[(size_t)word + i] &&
                    memcmp(m->data[(size_t)word + i], data + i * 4, size - i * 4 < 4 ? size - i * 4 : 4) != 0)
                        return true;
        return false;
}

static bool do_cmp(struct machine *m, const struct expression *e)
{
        size_t n = 0;
        const void *data = value(e, NFTA_CMP_DATA, &n);
        uint32_t op = number(e, NFTA_CMP_OP, UINT32_MAX), reg = number(e, NFTA_CMP_SREG, 0);
        const unsigned char *from = data ? stored(m, reg, n) : NULL;
        int order;

        if (!from) {
                if (data && (op == NFT_CMP_EQ || op == NFT_CMP_NEQ) && differs(m, reg, data, n))
                        return op == NFT_CMP_NEQ;
                m->doubtful = true;
                return true;
        }
        order = memcmp(from, data, n);
        m->named |= op == NFT_CMP_EQ && order == 0 && verdict_is_ours(m->packet, data, n, false);
        switch (op) {
        case NFT_CMP_EQ:
                return order == 0;
        case NFT_CMP_NEQ:
                return order != 0;
        case NFT_CMP_LT:
                return order < 0;
        case NFT_CMP_LTE:
                return order <= 0;
        case NFT_CMP_GT:
                return order > 0;
        case NFT_CMP_GTE:
                return order >= 0;
        default:
                m->doubtful = true;
                return true;
        }
}

static bool do_range(struct machine *m, const struct expression *e)
{
        size_t n = 0, n_to = 0;
        const void *low = value(e, NFTA_RANGE_FROM_DATA, &n), *high = value(e, NFTA_RANGE_TO_DATA, &n_to);
        const unsigned char *from = low ? stored(m, number(e, NFTA_RANGE_SREG, 0), n) : NULL;

        if (!from || !high || n_to != n) {
                m->doubtful = true;
                return true;
        }
        return (memcmp(from, low, n) >= 0 && memcmp(from, high, n) <= 0) ==
               (number(e, NFTA_RANGE_OP, NFT_RANGE_EQ) == NFT_RANGE_EQ);
}

/* Numbers of the host's order are turned before they are compared with intervals; both directions are the same. */
static void do_byteorder(struct machine *m, const struct expression *e)
{
        uint32_t length = number(e, NFTA_BYTEORDER_LEN, 0), size = number(e, NFTA_BYTEORDER_SIZE, 0),
                 to = number(e, NFTA_BYTEORDER_DREG, 0);
        const unsigned char *from = stored(m, number(e, NFTA_BYTEORDER_SREG, 0), length);
        unsigned char turned[WORDS * 4];

        if (!from || !length || length > sizeof(turned) || !size || length % size) {
                load(m, to, NULL, length ? length : 16);
                return;
        }
        for (size_t i = 0; i < length; i++)
                turned[i] = from[i - i % size + (BYTE_ORDER == BIG_ENDIAN ? i % size : size - 1 - i % size)];
        load(m, to, turned, length);
}

/* ---- what a rule says in the end ---- */

static enum outcome outcome_of(struct machine *m, int32_t code, const char *chain)
{
        (void)snprintf(m->target, sizeof(m->target), "%s", chain);
        switch (code) {
        case NF_DROP:
                return REFUSED;
        case NF_ACCEPT:
                return ACCEPTED;
        case NFT_JUMP:
                return JUMP;
        case NFT_GOTO:
                return GOTO;
        case NFT_RETURN:
                return RETURNED;
        default:
                return NEXT;
        }
}

/* Does the element name our bridge or subnet, maybe in a concatenation? */
static bool names_us(const struct machine *m, const struct lookup_element *l)
{
        size_t address = m->packet->family == NFPROTO_IPV4 ? 4 : 16;

        if (l->key_size < 4)
                return false;
        for (size_t at = 0; at + 4 <= l->key_size; at += 4)
                if ((at + 16 <= l->key_size && verdict_is_ours(m->packet, l->key + at, 16, l->interval)) ||
                    (at + address <= l->key_size && verdict_is_ours(m->packet, l->key + at, address, false)))
                        return true;
        return false;
}

static enum outcome take_element(struct machine *m, const struct expression *e, const struct lookup_element *l)
{
        size_t n;

        if (!netlink_attribute(e->data, e->size, NFTA_LOOKUP_DREG, &n))
                return NEXT;
        if (number(e, NFTA_LOOKUP_DREG, 0) == NFT_REG_VERDICT)
                return l->has_verdict ? outcome_of(m, l->code, l->chain) : NEXT;
        load(m, number(e, NFTA_LOOKUP_DREG, 0), m->doubtful || !l->data_size ? NULL : l->data,
             l->data_size ? l->data_size : 16);
        return NEXT;
}

/* A rule is passed over that might have let the packet through. */
static void note_doubt(struct machine *m)
{
        m->verdict->perhaps = true;
        m->verdict->unread |= m->unread;
}

static enum outcome do_lookup(struct machine *m, const struct expression *e, bool *ret_go)
{
        bool inverse = number(e, NFTA_LOOKUP_FLAGS, 0) & NFT_LOOKUP_F_INV;
        uint32_t reg = number(e, NFTA_LOOKUP_SREG, 0);
        enum lookup_answer answer = LOOKUP_UNKNOWN;
        struct lookup_element l = {0};
        char set[NAME_SIZE];
        int word = word_of(reg);

        if (word >= 0 && netlink_attribute_text(e->data, e->size, NFTA_LOOKUP_SET, set, NAME_SIZE))
                answer = lookup_find(m->rules->sets, set, (const unsigned char(*)[4]) & m->data[word], &m->known[word],
                                     WORDS - (size_t)word, &l);
        *ret_go = answer == LOOKUP_NO ? inverse : answer == LOOKUP_YES ? !inverse : true;
        m->doubtful |=
                answer == LOOKUP_PERHAPS || answer == LOOKUP_UNKNOWN || answer == LOOKUP_TOO_MUCH || l.conditional;
        m->unread |= answer == LOOKUP_TOO_MUCH;
        if (m->doubtful && number(e, NFTA_LOOKUP_DREG, UINT32_MAX) == NFT_REG_VERDICT)
                note_doubt(m); /* which of its verdicts it would be is not known */
        if (inverse || answer == LOOKUP_NO)
                return NEXT;
        m->named |= names_us(m, &l);
        return take_element(m, e, &l);
}

/* Of what physdev asks, is the packet one that stays on its bridge? By which port it leaves is known only when it is
 * forwarded. */
static bool meets_physdev(const struct verdict_packet *p, const void *info, bool *ret_doubtful)
{
        struct xt_physdev_info physdev;

        memcpy(&physdev, info, sizeof(physdev));
        if (physdev.bitmask == XT_PHYSDEV_OP_BRIDGED)
                return (p->bridged && *p->out) != !!(physdev.invert & XT_PHYSDEV_OP_BRIDGED);
        *ret_doubtful = true;
        return true;
}

bool verdict_match(const struct verdict_packet *p, const char *name, unsigned revision, const void *info, size_t n,
                   bool *ret_doubtful)
{
        uint16_t have = p->ct == VERDICT_CT_NONE
                                ? XT_CONNTRACK_STATE_INVALID
                                : XT_CONNTRACK_STATE_BIT(IP_CT_NEW) | (p->translated ? XT_CONNTRACK_STATE_DNAT : 0);
        struct xt_conntrack_mtinfo3 ct;
        struct xt_tcp tcp;

        if (str_eq(name, "comment"))
                return true;
        if (str_eq(name, "physdev") && n >= sizeof(struct xt_physdev_info))
                return meets_physdev(p, info, ret_doubtful);
        if (str_eq(name, "conntrack") && revision >= 2 && n >= sizeof(ct) && p->ct != VERDICT_CT_UNKNOWN) {
                memcpy(&ct, info, sizeof(ct));
                if (p->ct == VERDICT_CT_NONE && !(ct.match_flags & XT_CONNTRACK_STATE))
                        return false; /* there is nothing else */
                if ((ct.match_flags & ~XT_CONNTRACK_STATE_ALIAS) == XT_CONNTRACK_STATE)
                        return !(have & ct.state_mask) == !!(ct.invert_flags & XT_CONNTRACK_STATE);
        }
        if (str_eq(name, "tcp") && n >= sizeof(tcp)) {
                memcpy(&tcp, info, sizeof(tcp));
                if ((SYN & tcp.flg_mask) != tcp.flg_cmp ? !(tcp.invflags & XT_TCP_INV_FLAGS)
                                                        : tcp.invflags & XT_TCP_INV_FLAGS)
                        return false;
                if (!tcp.option && !tcp.spts[0] && !tcp.dpts[0] && tcp.spts[1] == UINT16_MAX &&
                    tcp.dpts[1] == UINT16_MAX && !(tcp.invflags & ~XT_TCP_INV_FLAGS))
                        return true;
        }
        *ret_doubtful = true;
        return true;
}

static bool do_match(struct machine *m, const struct expression *e)
{
        char name[NAME_SIZE] = "";
        size_t n = 0;
        const void *p = netlink_attribute(e->data, e->size, NFTA_MATCH_INFO, &n);

        (void)netlink_attribute_text(e->data, e->size, NFTA_MATCH_NAME, name, NAME_SIZE);
        return verdict_match(m->packet, name, number(e, NFTA_MATCH_REV, 0), p, p ? n : 0, &m->doubtful);
}

static enum outcome do_immediate(struct machine *m, const struct expression *e)
{
        uint32_t reg = number(e, NFTA_IMMEDIATE_DREG, 0);
        char chain[NAME_SIZE] = "";
        struct expression v = {0};
        size_t n;
        const void *p = netlink_attribute(e->data, e->size, NFTA_IMMEDIATE_DATA, &n);

        if (reg != NFT_REG_VERDICT || !p) {
                v.data = value(e, NFTA_IMMEDIATE_DATA, &n);
                load(m, reg, v.data, v.data ? n : 16);
                return NEXT;
        }
        v.data = netlink_attribute(p, n, NFTA_DATA_VERDICT, &v.size);
        if (!v.data)
                return NEXT;
        (void)netlink_attribute_text(v.data, v.size, NFTA_VERDICT_CHAIN, chain, NAME_SIZE);
        return outcome_of(m, (int32_t)number(&v, NFTA_VERDICT_CODE, (uint32_t)NFT_CONTINUE), chain);
}

static enum outcome do_target(const struct expression *e)
{
        char name[NAME_SIZE] = "";

        (void)netlink_attribute_text(e->data, e->size, NFTA_TARGET_NAME, name, NAME_SIZE);
        if (str_eq(name, "NFQUEUE")) /* as "queue" is */
                return ACCEPTED;
        return str_eq(name, "REJECT") || str_eq(name, "DROP") ? REFUSED : NEXT;
}

/* What only counts, notes or changes something. */
static bool is_harmless(const char *name)
{
        static const char *const list[] = {"counter", "log", "notrack", "last", "dup", "nat", "masq", "redir"};

        for (size_t i = 0; i < ARRAY_SIZE(list); i++)
                if (str_eq(list[i], name))
                        return true;
        return false;
}

/* Is there an attribute @type: it writes, and asks for nothing. */
static bool writes(const struct expression *e, unsigned type)
{
        size_t n;

        return netlink_attribute(e->data, e->size, type, &n) != NULL;
}

/* "update @set { ... limit rate ... }", or an object of the table that limits. */
static bool limits(const struct expression *e)
{
        uint32_t type = number(e, NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_UNSPEC);

        if (str_eq(e->name, "dynset"))
                return writes(e, NFTA_DYNSET_EXPR) || writes(e, NFTA_DYNSET_EXPRESSIONS);
        if (str_eq(e->name, "objref"))
                return type == NFT_OBJECT_UNSPEC || type == NFT_OBJECT_LIMIT || type == NFT_OBJECT_QUOTA ||
                       type == NFT_OBJECT_CONNLIMIT;
        return str_eq(e->name, "limit") || str_eq(e->name, "quota") || str_eq(e->name, "connlimit");
}

/* *@ret_go: does the rule go on after it? */
static enum outcome do_expression(struct machine *m, const struct expression *e, bool *ret_go)
{
        *ret_go = true;
        if (is_harmless(e->name) || (str_eq(e->name, "meta") && writes(e, NFTA_META_SREG)) ||
            (str_eq(e->name, "ct") && writes(e, NFTA_CT_SREG)) ||
            (str_eq(e->name, "payload") && writes(e, NFTA_PAYLOAD_SREG)))
                return NEXT;
        if (str_eq(e->name, "immediate"))
                return do_immediate(m, e);
        if (str_eq(e->name, "reject"))
                return REFUSED;
        if (str_eq(e->name, "queue")) /* another program decides */
                return ACCEPTED;
        if (str_eq(e->name, "target"))
                return do_target(e);
        if (str_eq(e->name, "meta"))
                do_meta(m, e);
        else if (str_eq(e->name, "ct"))
                *ret_go = do_ct(m, e);
        else if (str_eq(e->name, "fib"))
                do_fib(m, e);
        else if (str_eq(e->name, "payload"))
                do_payload(m, e);
        else if (str_eq(e->name, "bitwise"))
                do_bitwise(m, e);
        else if (str_eq(e->name, "cmp"))
                *ret_go = do_cmp(m, e);
        else if (str_eq(e->name, "range"))
                *ret_go = do_range(m, e);
        else if (str_eq(e->name, "byteorder"))
                do_byteorder(m, e);
        else if (str_eq(e->name, "match"))
                *ret_go = do_match(m, e);
        else if (str_eq(e->name, "lookup"))
                return do_lookup(m, e, ret_go);
        else if (limits(e))
                m->doubtful = true;
        else if (!str_eq(e->name, "dynset") && !str_eq(e->name, "objref")) /* it writes some register */
                memset(m->known, 0, sizeof(m->known));
        return NEXT;
}

static enum outcome follow_rule(struct machine *m, const struct rule *rule)
{
        const char *at = rule->expressions;
        size_t left = rule->size;
        enum outcome outcome = NEXT;
        bool go = true;

        memset(m->known, 0, sizeof(m->known));
        m->doubtful = m->unread = m->named = false;
        while (go && outcome == NEXT && left >= sizeof(struct nlattr)) {
                struct expression e = {0};
                char name[NAME_SIZE];
                struct nlattr a;

                memcpy(&a, at, sizeof(a));
                if (a.nla_len < sizeof(a) || a.nla_len > left)
                        break;
                if (netlink_attribute_text(at + NLA_HDRLEN, a.nla_len - (size_t)NLA_HDRLEN, NFTA_EXPR_NAME, name,
                                           NAME_SIZE)) {
                        e.name = name;
                        e.data = netlink_attribute(at + NLA_HDRLEN, a.nla_len - (size_t)NLA_HDRLEN, NFTA_EXPR_DATA,
                                                   &e.size);
                        outcome = do_expression(m, &e, &go);
                }
                if ((size_t)NLA_ALIGN(a.nla_len) >= left)
                        break;
                at += NLA_ALIGN(a.nla_len);
                left -= (size_t)NLA_ALIGN(a.nla_len);
        }
        if (!go)
                return NEXT;
        if (!m->doubtful || (m->named && outcome != REFUSED && outcome != RETURNED))
                return outcome;
        if (outcome != REFUSED && outcome != NEXT)
                note_doubt(m);
        return NEXT;
}

/* ---- chains ---- */

void verdict_set_chain(struct verdict *v, const char *chain)
{
        (void)snprintf(v->chain, sizeof(v->chain), "%.*s", (int)sizeof(v->chain) - 1, chain);
}

void verdict_enter(struct verdict *v, const char *chain)
{
        size_t n = strlen(v->path), more = strlen(chain);

        verdict_set_chain(v, chain);
        if (n + more + 2 < sizeof(v->path))
                (void)snprintf(v->path + n, sizeof(v->path) - n, "%s%s ", n ? "" : " ", chain);
}

static enum outcome follow_chain(struct machine *m, const char *chain, unsigned depth) // NOLINT(misc-no-recursion)
{
        const struct verdict_rules *r = m->rules;
        size_t at = 0;

        if (depth > DEPTH_MAX)
                return RETURNED;
        verdict_enter(m->verdict, chain);
        while (at < r->n && !str_eq(r->list[at].chain, chain))
                at++;
        for (; at < r->n && str_eq(r->list[at].chain, chain); at++) {
                char target[NAME_SIZE];
                enum outcome outcome = m->steps++ < STEPS_MAX ? follow_rule(m, &r->list[at]) : ACCEPTED, inner;
                bool doubtful = m->doubtful;

                if (outcome == NEXT)
                        continue;
                if (outcome != JUMP && outcome != GOTO)
                        return outcome;
                memcpy(target, m->target, sizeof(target));
                inner = follow_chain(m, target, depth + 1);
                if (inner == ACCEPTED || (inner == REFUSED && !doubtful))
                        return inner;
                if (outcome == GOTO && !doubtful) /* else it may never have been gone to */
                        return RETURNED;
                m->verdict->perhaps |= outcome == GOTO;
                verdict_set_chain(m->verdict, chain);
        }
        return RETURNED;
}

void verdict_find(const struct verdict_rules *r, const char *chain, bool drop, const struct verdict_packet *p,
                  struct verdict *ret)
{
        struct machine m = {.rules = r, .packet = p, .verdict = ret};
        enum outcome outcome;

        memset(ret, 0, sizeof(*ret));
        outcome = follow_chain(&m, chain, 0);
        ret->policy = outcome == RETURNED && drop;
        ret->refused = outcome == REFUSED || ret->policy;
}
