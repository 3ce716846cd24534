/* egress_table.c - rules about where a container may send, as nf_tables has them; see egress.h. */
#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "sys/egress.h"
#include "sys/nft.h"

#define BRIDGE_TABLE "hod_egress"
#define TABLE "hod"            /* of family inet, as net/firewall_private.h has it */
#define PRIORITY_BRIDGE (-290) /* after net/guard.h, before br_netfilter looks */
/* How long an address that a name has had is allowed: an idle connection of TCP speaks every two hours. */
#define KEEP_MS (9000 * 1000)
#define IDLE_TRIES 8
#define DIRECTION_REPLY 1
#define CHAIN_MAX 32

static const struct nft_set verdicts = {
        .name = "egress",
        .key_type = NFT_TYPE_ETHER,
        .key_size = ETH_ALEN,
        .flags = NFT_SET_MAP,
        .data_type = NFT_DATA_VERDICT,
};

static const struct nft_set bridge_sets[] = {
        {.name = "ports", /* of limited containers → their own addresses */
         .key_type = NFT_TYPE_IFNAME,
         .key_size = 16,
         .flags = NFT_SET_MAP,
         .data_type = NFT_TYPE_ETHER,
         .data_size = ETH_ALEN,
         .host_order = true},
        {.name = "inbound4", /* link and own addresses of limited containers → of their bridges. (The former alone may
                              * be used on several.) */
         .key_type = NFT_CONCAT2(NFT_TYPE_ETHER, NFT_TYPE_IPV4),
         .key_size = 12,
         .flags = NFT_SET_MAP | NFT_SET_CONCAT,
         .part = {ETH_ALEN, 4},
         .data_type = NFT_TYPE_ETHER,
         .data_size = ETH_ALEN},
        {.name = "inbound6",
         .key_type = NFT_CONCAT2(NFT_TYPE_ETHER, NFT_TYPE_IPV6),
         .key_size = 24,
         .flags = NFT_SET_MAP | NFT_SET_CONCAT,
         .part = {ETH_ALEN, 16},
         .data_type = NFT_TYPE_ETHER,
         .data_size = ETH_ALEN},
        {.name = "sources4",
         .key_type = NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_IPV4),
         .key_size = 20,
         .flags = NFT_SET_CONCAT,
         .part = {16, 4}},
        {.name = "sources6",
         .key_type = NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_IPV6),
         .key_size = 32,
         .flags = NFT_SET_CONCAT,
         .part = {16, 16}},
};

/* (hash of the rule's name, which nft(8) lists as a mark, and address) */
static const struct nft_set name_sets[] = {
        {.key_type = NFT_CONCAT2(NFT_TYPE_MARK, NFT_TYPE_IPV4),
         .key_size = 8,
         .flags = NFT_SET_CONCAT | NFT_SET_TIMEOUT | NFT_SET_EVAL,
         .part = {4, 4}},
        {.key_type = NFT_CONCAT2(NFT_TYPE_MARK, NFT_TYPE_IPV6),
         .key_size = 20,
         .flags = NFT_SET_CONCAT | NFT_SET_TIMEOUT | NFT_SET_EVAL,
         .part = {4, 16}},
};

/* What belongs to one container: "egress-1a2b3c4d5e6f". */
static const char *own(const char *what, const char *id, char buf[CHAIN_MAX])
{
        (void)snprintf(buf, CHAIN_MAX, "%s-%.12s", what, id);
        return buf;
}

static uint32_t name_hash(const char *name)
{
        return hash_fnv32(name, strlen(name));
}

/* ---- pieces of rules ---- */

static void protocol(struct nft *n, uint16_t ether_type)
{
        uint16_t type = htobe16(ether_type);

        nft_meta(n, NFT_META_PROTOCOL, NFT_REG_1);
        nft_cmp(n, NFT_CMP_EQ, NFT_REG_1, &type, sizeof(type));
}

static void l4protocol(struct nft *n, uint8_t number)
{
        nft_meta(n, NFT_META_L4PROTO, NFT_REG_1);
        nft_cmp_u8(n, NFT_CMP_EQ, NFT_REG_1, number);
}

/* Bytes of the transport header between two values, as the network orders them. */
static void transport(struct nft *n, unsigned offset, const void *first, const void *last, unsigned size)
{
        nft_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, offset, size, NFT_REG_1);
        nft_cmp(n, memcmp(first, last, size) == 0 ? NFT_CMP_EQ : NFT_CMP_GTE, NFT_REG_1, first, size);
        if (memcmp(first, last, size) != 0)
                nft_cmp(n, NFT_CMP_LTE, NFT_REG_1, last, size);
}

static void icmp6_type(struct nft *n, uint8_t first, uint8_t last)
{
        l4protocol(n, IPPROTO_ICMPV6);
        transport(n, 0, &first, &last, 1);
}

static void address(struct nft *n, bool six, bool source, unsigned reg)
{
        if (six)
                nft_payload(n, NFT_PAYLOAD_NETWORK_HEADER, source ? 8 : 24, 16, reg);
        else
                nft_payload(n, NFT_PAYLOAD_NETWORK_HEADER, source ? 12 : 16, 4, reg);
}

static void prefix(struct nft *n, unsigned reg, const unsigned char *net, unsigned bits, size_t size)
{
        unsigned char mask[16] = {0};

        for (unsigned i = 0; i < bits; i++)
                mask[i / 8] |= (unsigned char)(0x80 >> i % 8);
        if (bits < size * 8)
                nft_bitwise(n, reg, size, mask);
        nft_cmp(n, NFT_CMP_EQ, reg, net, size);
}

/* The frame goes up to the host, to the address in the register. */
static void lead_up(struct nft *n, unsigned reg)
{
        static const unsigned char host = PACKET_HOST;

        nft_link_set(n, 0, ETH_ALEN, reg);
        nft_immediate(n, NFT_REG_1, &host, sizeof(host));
        nft_meta_set(n, NFT_META_PKTTYPE, NFT_REG_1);
        nft_verdict(n, NF_ACCEPT, NULL);
        nft_rule_end(n);
}

/* ---- the bridge's table ---- */

static void to_host(struct nft *n, bool yes)
{
        nft_meta(n, NFT_META_PKTTYPE, NFT_REG_1);
        nft_cmp_u8(n, yes ? NFT_CMP_EQ : NFT_CMP_NEQ, NFT_REG_1, PACKET_HOST);
}

/* Neighbour discovery and group reports, as long as they are meant for the link: what has the host's hardware address
 * could be routed elsewhere, and goes the way of everything else. */
static void allow_discovery(struct nft *n)
{
        static const unsigned char group[16] = {0xff, 0x02}, local[16] = {0xfe, 0x80};
        static const struct {
                uint8_t first, last;
                const unsigned char *to;
                unsigned bits;
        } kinds[] = {{135, 136, NULL, 0},
                     {135, 136, local, 10},
                     {131, 133, group, 16},
                     {131, 133, local, 10},
                     {143, 143, group, 16}};

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                nft_rule_begin(n, BRIDGE_TABLE, "out");
                protocol(n, ETH_P_IPV6);
                icmp6_type(n, kinds[i].first, kinds[i].last);
                if (kinds[i].to) {
                        address(n, true, false, NFT_REG_1);
                        prefix(n, NFT_REG_1, kinds[i].to, kinds[i].bits, 16);
                } else {
                        to_host(n, false);
                }
                nft_verdict(n, NF_ACCEPT, NULL);
                nft_rule_end(n);
        }
}

/* From a limited container. */
static void fill_out(struct nft *n)
{
        static const unsigned char bit = 1;

        nft_rule_begin(n, BRIDGE_TABLE, "out");
        protocol(n, ETH_P_ARP);
        nft_verdict(n, NF_ACCEPT, NULL);
        nft_rule_end(n);
        allow_discovery(n);
        nft_rule_begin(n, BRIDGE_TABLE, "out"); /* to several at once */
        nft_payload(n, NFT_PAYLOAD_LL_HEADER, 0, 1, NFT_REG_1);
        nft_bitwise(n, NFT_REG_1, 1, &bit);
        nft_cmp_u8(n, NFT_CMP_EQ, NFT_REG_1, 1);
        nft_verdict(n, NF_DROP, NULL);
        nft_rule_end(n);
        for (unsigned six = 0; six < 2; six++) {
                nft_rule_begin(n, BRIDGE_TABLE, "out");
                protocol(n, six ? ETH_P_IPV6 : ETH_P_IP);
                nft_meta(n, NFT_META_IIFNAME, NFT_REG32_00);
                address(n, six, true, NFT_REG32_04);
                nft_lookup(n, six ? "sources6" : "sources4", NFT_REG32_00, 0, 0);
                nft_lookup(n, "ports", NFT_REG32_00, NFT_REG32_08, 0);
                lead_up(n, NFT_REG32_08);
        }
        nft_rule_begin(n, BRIDGE_TABLE, "out");
        nft_verdict(n, NF_DROP, NULL);
        nft_rule_end(n);
}

static void fill_bridge(struct nft *n)
{
        nft_rule_begin(n, BRIDGE_TABLE, "prerouting");
        nft_meta(n, NFT_META_IIFNAME, NFT_REG_1);
        nft_lookup(n, "ports", NFT_REG_1, NFT_REG_2, 0);
        nft_verdict(n, NFT_GOTO, "out");
        nft_rule_end(n);
        nft_rule_begin(n, BRIDGE_TABLE, "prerouting"); /* a neighbour wants to know whether it is there */
        protocol(n, ETH_P_IPV6);
        icmp6_type(n, 133, 137);
        nft_verdict(n, NF_ACCEPT, NULL);
        nft_rule_end(n);
        for (unsigned six = 0; six < 2; six++) {
                nft_rule_begin(n, BRIDGE_TABLE, "prerouting");
                protocol(n, six ? ETH_P_IPV6 : ETH_P_IP);
                nft_payload(n, NFT_PAYLOAD_LL_HEADER, 0, ETH_ALEN, NFT_REG32_00);
                address(n, six, false, NFT_REG32_02);
                nft_lookup(n, six ? "inbound6" : "inbound4", NFT_REG32_00, NFT_REG32_08, 0);
                lead_up(n, NFT_REG32_08);
        }
}

static void bridge_table(struct nft *n)
{
        const struct nft_hook hook = {"filter", NF_BR_PRE_ROUTING, PRIORITY_BRIDGE, false};

        n->family = NFPROTO_BRIDGE;
        nft_table_add(n, BRIDGE_TABLE);
        for (size_t i = 0; i < ARRAY_SIZE(bridge_sets); i++)
                nft_set_add(n, BRIDGE_TABLE, &bridge_sets[i]);
        nft_chain_add(n, BRIDGE_TABLE, "prerouting", &hook);
        nft_chain_add(n, BRIDGE_TABLE, "out", NULL);
        nft_chain_flush(n, BRIDGE_TABLE, "prerouting");
        nft_chain_flush(n, BRIDGE_TABLE, "out");
        fill_out(n);
        fill_bridge(n);
        n->family = NFPROTO_INET;
}

/* ---- the container's chain ---- */

static void base_chain(struct nft *n)
{
        const struct nft_hook hook = {"filter", NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE, false};

        nft_table_add(n, TABLE);
        nft_set_add(n, TABLE, &verdicts);
        nft_chain_add(n, TABLE, "egress", &hook);
        nft_chain_flush(n, TABLE, "egress");
        nft_rule_begin(n, TABLE, "egress");
        nft_payload(n, NFT_PAYLOAD_LL_HEADER, 0, ETH_ALEN, NFT_REG_1);
        nft_lookup_verdict(n, verdicts.name, NFT_REG_1);
        nft_rule_end(n);
}

/* Answers, errors about what was allowed, and whether the host itself is there. */
static void allow_answers(struct nft *n, const char *chain)
{
        const uint32_t zero = 0, related = NF_CT_STATE_BIT(IP_CT_RELATED),
                       established = NF_CT_STATE_BIT(IP_CT_ESTABLISHED);

        nft_rule_begin(n, TABLE, chain);
        nft_ct(n, NFT_CT_STATE, NFT_REG_1);
        nft_bitwise(n, NFT_REG_1, sizeof(related), &related);
        nft_cmp(n, NFT_CMP_NEQ, NFT_REG_1, &zero, sizeof(zero));
        nft_verdict(n, NF_ACCEPT, NULL);
        nft_rule_end(n);
        nft_rule_begin(n, TABLE, chain);
        nft_ct(n, NFT_CT_STATE, NFT_REG_1);
        nft_bitwise(n, NFT_REG_1, sizeof(established), &established);
        nft_cmp(n, NFT_CMP_NEQ, NFT_REG_1, &zero, sizeof(zero));
        nft_ct(n, NFT_CT_DIRECTION, NFT_REG_1);
        nft_cmp_u8(n, NFT_CMP_EQ, NFT_REG_1, DIRECTION_REPLY);
        nft_verdict(n, NF_ACCEPT, NULL);
        nft_rule_end(n);
        nft_rule_begin(n, TABLE, chain);
        icmp6_type(n, 135, 136);
        nft_fib(n, NFTA_FIB_F_DADDR, NFT_FIB_RESULT_ADDRTYPE, NFT_REG_1);
        nft_cmp_u32(n, NFT_CMP_EQ, NFT_REG_1, RTN_LOCAL);
        nft_verdict(n, NF_ACCEPT, NULL);
        nft_rule_end(n);
}

/* One rule for a family and a protocol; @number 0 = any. */
static void add_rule(struct nft *n, const char *chain, const struct egress_rule *r, bool six, uint8_t number,
                     const char *set)
{
        uint16_t first = htobe16(r->first), last = htobe16(r->last);
        uint32_t hash = r->name ? name_hash(r->name) : 0;

        nft_rule_begin(n, TABLE, chain);
        if (r->to.family || r->name) {
                nft_meta(n, NFT_META_NFPROTO, NFT_REG_1);
                nft_cmp_u8(n, NFT_CMP_EQ, NFT_REG_1, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
        }
        if (number)
                l4protocol(n, number);
        if (r->first)
                transport(n, 2, &first, &last, 2);
        if (r->to.family) {
                address(n, six, false, NFT_REG_1);
                prefix(n, NFT_REG_1, r->to.data, r->to.prefix, six ? 16 : 4);
        } else if (r->name) {
                nft_immediate(n, NFT_REG32_00, &hash, sizeof(hash));
                address(n, six, false, NFT_REG32_01);
                nft_lookup(n, set, NFT_REG32_00, 0, 0);
                nft_update(n, set, NFT_REG32_00, KEEP_MS);
        }
        if (r->allow)
                nft_verdict(n, NF_ACCEPT, NULL);
        else
                nft_reject(n);
        nft_rule_end(n);
}

static void add_rules(struct nft *n, const char *chain, const struct egress_rule *r, const char *id)
{
        const uint8_t numbers[2] = {r->first && !r->protocol ? IPPROTO_TCP : r->protocol,
                                    r->first && !r->protocol      ? IPPROTO_UDP
                                    : r->protocol == IPPROTO_ICMP ? IPPROTO_ICMPV6
                                                                  : r->protocol};
        char set[CHAIN_MAX];

        for (unsigned six = 0; six < 2; six++) {
                if (r->to.family && (r->to.family == AF_INET6) != six)
                        continue;
                if (!r->to.family && !r->name && six) /* for both at once */
                        continue;
                for (unsigned i = 0; i < (numbers[0] != numbers[1] ? 2 : 1); i++)
                        add_rule(n, chain, r, six, numbers[i], own(six ? "names6" : "names4", id, set));
        }
}

static void name_set(struct nft *n, const char *id, bool six)
{
        struct nft_set set = name_sets[six];
        char name[CHAIN_MAX];

        set.name = own(six ? "names6" : "names4", id, name);
        nft_set_add(n, TABLE, &set);
}

static void own_chain(struct nft *n, const char *id, const struct egress *e)
{
        char chain[CHAIN_MAX];

        (void)own("egress", id, chain);
        name_set(n, id, false);
        name_set(n, id, true);
        nft_chain_add(n, TABLE, chain, NULL);
        nft_chain_flush(n, TABLE, chain);
        allow_answers(n, chain);
        for (size_t i = 0; i < e->n; i++)
                add_rules(n, chain, &e->rules[i], id);
}

/* ---- the container's elements ---- */

/* Everything that says that a port belongs to a limited container: added, or, to be sure that it is
 * not there, added and deleted. */
enum change { ADD, FORGET };

static void change(struct nft *n, enum change how, const char *set, const struct nft_element *e)
{
        const char *table = n->family == NFPROTO_BRIDGE ? BRIDGE_TABLE : TABLE;

        nft_element_add(n, table, set, e);
        if (how != ADD)
                nft_element_delete(n, table, set, e);
}

static void change_source(struct nft *n, enum change how, const struct endpoint *port, const struct link_address *a)
{
        size_t size = a->family == AF_INET ? 4 : 16;
        unsigned char key[32] = {0};
        const struct nft_element e = {.key = key, .key_size = 16 + size};

        memcpy(key, port->host_name, strnlen(port->host_name, 15));
        memcpy(key + 16, a->data, size);
        change(n, how, a->family == AF_INET ? "sources4" : "sources6", &e);
}

static void change_port(struct nft *n, enum change how, const char *id, const struct endpoint *port)
{
        unsigned char mac[ETH_ALEN];
        char name[16] = "", chain[CHAIN_MAX];
        const struct nft_element verdict = {.key = mac,
                                            .key_size = ETH_ALEN,
                                            .has_verdict = true,
                                            .jump = own("egress", id, chain)},
                                 p = {.key = name, .key_size = sizeof(name), .data = mac, .data_size = ETH_ALEN};

        link_port_address(port->host_name, mac);
        memcpy(name, port->host_name, strnlen(port->host_name, 15));
        change(n, how, verdicts.name, &verdict);
        n->family = NFPROTO_BRIDGE;
        change(n, how, "ports", &p);
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (port->address[i].family)
                        change_source(n, how, port, &port->address[i]);
        n->family = NFPROTO_INET;
}

/* (link address . address) → the bridge's, for one address of a port. */
struct inbound {
        unsigned char key[8 + 16], mac[ETH_ALEN];
        struct nft_element e;
        const char *set;
};

static void make_inbound(const struct endpoint *port, const struct link_address *a, struct inbound *ret)
{
        size_t size = a->family == AF_INET ? 4 : 16;

        memset(ret->key, 0, sizeof(ret->key));
        memcpy(ret->key, port->mac, ETH_ALEN);
        memcpy(ret->key + 8, a->data, size);
        ret->set = a->family == AF_INET ? "inbound4" : "inbound6";
        ret->e = (struct nft_element){.key = ret->key, .key_size = 8 + size, .data = ret->mac, .data_size = ETH_ALEN};
}

/* A former container may have had it: whose it is says the comment. */
static int add_one_inbound(int nft, const char *id, struct inbound *in)
{
        bool taken = false;
        int r = -ENOENT;

        in->e.comment = id;
        in->e.exclusive = true;
        for (unsigned tries = 0; tries < 3 && (taken || r == -ENOENT); tries++) {
                _cleanup_nft_ struct nft n;

                nft_begin(&n, NFPROTO_BRIDGE);
                if (taken) /* by somebody who is not cleaned up; -ENOENT: he is, now */
                        nft_element_delete(&n, BRIDGE_TABLE, in->set, &in->e);
                nft_element_add(&n, BRIDGE_TABLE, in->set, &in->e);
                r = nft_commit(nft, &n, NULL);
                taken = r == -EEXIST || r == -EBUSY;
        }
        return taken ? 0 : r;
}

static int add_inbound(int nft, int route, const char *id, const struct endpoint *port)
{
        struct inbound in;
        int r = link_mac(route, port->parent, in.mac);

        for (unsigned i = 0; r == 0 && i < LINK_ADDRESSES; i++) {
                if (!port->address[i].family)
                        continue;
                make_inbound(port, &port->address[i], &in);
                r = add_one_inbound(nft, id, &in);
        }
        return r;
}

static int remove_one_inbound(int nft, const char *id, const struct inbound *in)
{
        char whose[NFT_COMMENT_MAX + 1];
        _cleanup_nft_ struct nft n;
        int r = nft_element_get(nft, NFPROTO_BRIDGE, BRIDGE_TABLE, in->set, in->key, in->e.key_size, whose);

        nft_begin(&n, NFPROTO_BRIDGE);
        if (r <= 0 || !str_eq(whose, id))
                return r;
        nft_element_delete(&n, BRIDGE_TABLE, in->set, &in->e);
        r = nft_commit(nft, &n, NULL);
        return r == -ENOENT ? 0 : r;
}

static int remove_inbound(int nft, const char *id, const struct endpoint *port)
{
        struct inbound in;
        int first = 0, r;

        for (unsigned i = 0; i < LINK_ADDRESSES; i++) {
                if (!port->address[i].family)
                        continue;
                make_inbound(port, &port->address[i], &in);
                r = remove_one_inbound(nft, id, &in);
                first = first < 0 ? first : r;
        }
        return first < 0 ? first : 0;
}

/* ---- all of it ---- */

err *egress_install(int nft, int route, const char *id, const struct egress *e, const struct endpoint *ports,
                    size_t count)
{
        _cleanup_close_ _unused_ int lock = nft_lock(true);
        _cleanup_nft_ struct nft n;
        int r;

        nft_begin(&n, NFPROTO_INET);
        base_chain(&n);
        own_chain(&n, id, e);
        bridge_table(&n);
        for (size_t i = 0; i < count; i++)
                if (ports[i].kind == ENDPOINT_BRIDGE)
                        change_port(&n, ADD, id, &ports[i]);
        r = nft_commit(nft, &n, NULL);
        for (size_t i = 0; r == 0 && i < count; i++)
                if (ports[i].kind == ENDPOINT_BRIDGE)
                        r = add_inbound(nft, route, id, &ports[i]);
        return r < 0 ? err_sys(-r, "setting up the egress rules of container %.12s", id) : NULL;
}

/* The tables without a limited container: away, unless somebody changed something meanwhile (-EAGAIN). */
static int try_remove_idle(int fd)
{
        _cleanup_nft_ struct nft n = {0};
        unsigned count = 0, ports = 0;
        uint32_t generation;
        int r = nft_generation(fd, &generation);

        if (r == 0)
                r = nft_set_count(fd, NFPROTO_INET, TABLE, verdicts.name, &count);
        if (r == 0 || r == -ENOENT)
                r = nft_set_count(fd, NFPROTO_BRIDGE, BRIDGE_TABLE, "ports", &ports);
        if ((r < 0 && r != -ENOENT) || count || ports)
                return r == -ENOENT ? 0 : r;
        nft_begin_at(&n, NFPROTO_INET, generation);
        nft_set_add(&n, TABLE, &verdicts);
        nft_chain_add(&n, TABLE, "egress", NULL);
        nft_chain_flush(&n, TABLE, "egress");
        nft_chain_delete(&n, TABLE, "egress");
        nft_set_delete(&n, TABLE, verdicts.name);
        n.family = NFPROTO_BRIDGE;
        nft_table_add(&n, BRIDGE_TABLE);
        nft_table_delete(&n, BRIDGE_TABLE);
        r = nft_commit(fd, &n, NULL);
        return r == -ERESTART || r == -512 ? -EAGAIN : r == -ENOENT ? 0 : r;
}

static err *removed(int fd, const char *id, int r)
{
        _cleanup_close_ int lock = nft_lock(false);
        int idle = lock < 0 ? lock : -EAGAIN;

        for (int i = 0; i < IDLE_TRIES && idle == -EAGAIN; i++)
                idle = try_remove_idle(fd);
        if (r == 0 && idle < 0 && idle != -EAGAIN && idle != -ETIMEDOUT)
                r = idle;
        return r < 0 ? err_sys(-r, "taking back the egress rules of container %.12s", id) : NULL;
}

static bool has_set(int fd, uint8_t family, const char *table, const char *set)
{
        unsigned count;
        int r = nft_set_count(fd, family, table, set, &count);

        return r == 0 || r == -EAGAIN; /* changed while it was counted */
}

/* Is there a table to take something out of? It must not be made for that. */
static bool has_tables(int fd)
{
        return has_set(fd, NFPROTO_INET, TABLE, verdicts.name) && has_set(fd, NFPROTO_BRIDGE, BRIDGE_TABLE, "ports");
}

static int try_remove(int nft, const char *id, const struct endpoint *ports, size_t count)
{
        char name[CHAIN_MAX];
        _cleanup_nft_ struct nft n;

        nft_begin(&n, NFPROTO_INET);
        name_set(&n, id, false);
        name_set(&n, id, true);
        nft_chain_add(&n, TABLE, own("egress", id, name), NULL);
        for (size_t i = 0; i < count; i++)
                if (ports[i].kind == ENDPOINT_BRIDGE)
                        change_port(&n, FORGET, id, &ports[i]);
        nft_chain_flush(&n, TABLE, name);
        nft_chain_delete(&n, TABLE, name);
        nft_set_delete(&n, TABLE, own("names4", id, name));
        nft_set_delete(&n, TABLE, own("names6", id, name));
        return nft_commit(nft, &n, NULL);
}

/* Of a container that has nothing in the tables any more somebody else may take them away while we look. */
err *egress_remove(int nft, const char *id, const struct endpoint *ports, size_t count)
{
        int r = -ENOENT;

        for (int i = 0; i < IDLE_TRIES && r == -ENOENT; i++) {
                if (!has_tables(nft))
                        return removed(nft, id, 0);
                r = try_remove(nft, id, ports, count);
        }
        for (size_t i = 0; i < count; i++) {
                int inbound = ports[i].kind == ENDPOINT_BRIDGE ? remove_inbound(nft, id, &ports[i]) : 0;

                r = r < 0 ? r : inbound;
        }
        return removed(nft, id, r);
}

err *egress_remove_port(int nft, const char *id, const struct endpoint *port)
{
        _cleanup_nft_ struct nft n;
        char name[CHAIN_MAX];
        int r = 0, inbound;

        nft_begin(&n, NFPROTO_INET);
        if (port->kind != ENDPOINT_BRIDGE || !has_tables(nft))
                return NULL;
        nft_chain_add(&n, TABLE, own("egress", id, name), NULL);
        change_port(&n, FORGET, id, port);
        r = nft_commit(nft, &n, NULL);
        inbound = remove_inbound(nft, id, port);
        return r < 0 || inbound < 0
                       ? err_sys(r < 0 ? -r : -inbound, "taking a port out of the egress rules of container %.12s", id)
                       : NULL;
}

/* ---- names ---- */

static void learn_one(struct nft *n, const char *set, const struct egress_rule *r, const struct link_address *a,
                      uint32_t ttl)
{
        size_t size = a->family == AF_INET ? 4 : 16;
        uint64_t ms = (uint64_t)ttl * 1000;
        uint32_t hash = name_hash(r->name);
        unsigned char key[20];
        const struct nft_element e = {
                .key = key, .key_size = sizeof(hash) + size, .timeout_ms = ms < KEEP_MS ? KEEP_MS : ms};

        memcpy(key, &hash, sizeof(hash));
        memcpy(key + sizeof(hash), a->data, size);
        /* One that is there would keep its old timeout. */
        nft_element_add(n, TABLE, set, &e);
        nft_element_delete(n, TABLE, set, &e);
        nft_element_add(n, TABLE, set, &e);
}

err *egress_learn(int nft, const char *id, const struct egress *e, const char *name,
                  const struct link_address *addresses, size_t count, uint32_t ttl)
{
        _cleanup_nft_ struct nft n;
        char set[CHAIN_MAX];
        bool any = false;
        int r = 0;

        nft_begin(&n, NFPROTO_INET);
        for (size_t i = 0; i < e->n; i++) {
                if (!e->rules[i].name || !egress_name_fits(e->rules[i].name, name))
                        continue;
                for (size_t k = 0; k < count; k++) {
                        any = true;
                        learn_one(&n, own(addresses[k].family == AF_INET ? "names4" : "names6", id, set), &e->rules[i],
                                  &addresses[k], ttl);
                }
        }
        if (any)
                r = nft_commit(nft, &n, NULL);
        return r < 0 ? err_sys(-r, "letting the egress rules of container %.12s know %s", id, name) : NULL;
}
