/* firewall_table.c - the table itself: chains, sets and rules of `inet hod`, in one batch. */
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/str.h"
#include "net/firewall_private.h"

static const struct nft_set sets[] = {
        {.name = "bridges", .key_type = NFT_TYPE_IFNAME, .key_size = 16, .host_order = true},
        {.name = "internal", .key_type = NFT_TYPE_IFNAME, .key_size = 16, .host_order = true},
        {.name = "unprotected4", .key_type = NFT_TYPE_IFNAME, .key_size = 16, .host_order = true},
        {.name = "unprotected6", .key_type = NFT_TYPE_IFNAME, .key_size = 16, .host_order = true},
        {.name = "pairs",
         .key_type = NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_IFNAME),
         .key_size = 32,
         .flags = NFT_SET_CONCAT,
         .part = {16, 16}},
        {.name = "masquerade4", .key_type = NFT_TYPE_IPV4, .key_size = 4, .flags = NFT_SET_INTERVAL},
        {.name = "masquerade6", .key_type = NFT_TYPE_IPV6, .key_size = 16, .flags = NFT_SET_INTERVAL},
        {.name = "gateways4", .key_type = NFT_TYPE_IPV4, .key_size = 4},
        {.name = "gateways6", .key_type = NFT_TYPE_IPV6, .key_size = 16},
        {.name = "source4",
         .key_type = NFT_TYPE_IFNAME,
         .key_size = 16,
         .flags = NFT_SET_MAP,
         .data_type = NFT_TYPE_IPV4,
         .data_size = 4,
         .host_order = true},
        {.name = "open4",
         .key_type = NFT_CONCAT3(NFT_TYPE_IPV4, NFT_TYPE_PROTOCOL, NFT_TYPE_SERVICE),
         .key_size = 12,
         .part = {4, 1, 2},
         .flags = NFT_SET_CONCAT},
        {.name = "open6",
         .key_type = NFT_CONCAT3(NFT_TYPE_IPV6, NFT_TYPE_PROTOCOL, NFT_TYPE_SERVICE),
         .key_size = 24,
         .part = {16, 1, 2},
         .flags = NFT_SET_CONCAT},
        {.name = "ports4",
         .key_type = NFT_CONCAT3(NFT_TYPE_IPV4, NFT_TYPE_PROTOCOL, NFT_TYPE_SERVICE),
         .key_size = 12,
         .part = {4, 1, 2},
         .flags = NFT_SET_MAP | NFT_SET_CONCAT,
         .data_type = NFT_CONCAT2(NFT_TYPE_IPV4, NFT_TYPE_SERVICE),
         .data_size = 8},
        {.name = "ports6",
         .key_type = NFT_CONCAT3(NFT_TYPE_IPV6, NFT_TYPE_PROTOCOL, NFT_TYPE_SERVICE),
         .key_size = 24,
         .part = {16, 1, 2},
         .flags = NFT_SET_MAP | NFT_SET_CONCAT,
         .data_type = NFT_CONCAT2(NFT_TYPE_IPV6, NFT_TYPE_SERVICE),
         .data_size = 20},
        {.name = "all_ports4",
         .key_type = NFT_CONCAT2(NFT_TYPE_PROTOCOL, NFT_TYPE_SERVICE),
         .key_size = 8,
         .part = {1, 2},
         .flags = NFT_SET_MAP | NFT_SET_CONCAT,
         .data_type = NFT_CONCAT2(NFT_TYPE_IPV4, NFT_TYPE_SERVICE),
         .data_size = 8},
        {.name = "all_ports6",
         .key_type = NFT_CONCAT2(NFT_TYPE_PROTOCOL, NFT_TYPE_SERVICE),
         .key_size = 8,
         .part = {1, 2},
         .flags = NFT_SET_MAP | NFT_SET_CONCAT,
         .data_type = NFT_CONCAT2(NFT_TYPE_IPV6, NFT_TYPE_SERVICE),
         .data_size = 20},
        {.name = "link_ports4",
         .key_type = NFT_CONCAT3(NFT_TYPE_IFNAME, NFT_TYPE_PROTOCOL, NFT_TYPE_SERVICE),
         .key_size = 24,
         .part = {16, 1, 2},
         .flags = NFT_SET_MAP | NFT_SET_CONCAT,
         .data_type = NFT_CONCAT2(NFT_TYPE_IPV4, NFT_TYPE_SERVICE),
         .data_size = 8},
        {.name = "link_ports6",
         .key_type = NFT_CONCAT3(NFT_TYPE_IFNAME, NFT_TYPE_PROTOCOL, NFT_TYPE_SERVICE),
         .key_size = 24,
         .part = {16, 1, 2},
         .flags = NFT_SET_MAP | NFT_SET_CONCAT,
         .data_type = NFT_CONCAT2(NFT_TYPE_IPV6, NFT_TYPE_SERVICE),
         .data_size = 20},
};

struct chain {
        const char *name;
        struct nft_hook hook;
};
static const struct chain chains[] = {
        {"published4", {0}},
        {"published6", {0}},
        {"raw", {"filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW, false}},
        {"prerouting", {"nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST, false}},
        {"output", {"nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST, false}},
        {"from_loopback", {0}},
        {"to_bridge", {0}},
        {"postrouting", {"nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC, false}},
        {"forward", {"filter", NF_INET_FORWARD, NF_IP_PRI_FILTER, false}},
};
/* Only while there is an internal network: each packet asks them. */
static const struct chain internal_chains[] = {
        {"from_internal", {0}},
        {FIREWALL_INTERNAL_CHAIN, {"filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW, false}},
        {"forward_internal", {"filter", NF_INET_FORWARD, NF_IP_PRI_FILTER, false}},
};

/* ---- pieces of rules ---- */

static void begin(struct nft *n, const char *chain)
{
        nft_rule_begin(n, FIREWALL_TABLE, chain);
}

static void end(struct nft *n, int verdict, const char *chain)
{
        nft_verdict(n, verdict, chain);
        nft_rule_end(n);
}

static void family(struct nft *n, uint8_t which)
{
        nft_meta(n, NFT_META_NFPROTO, NFT_REG_1);
        nft_cmp_u8(n, NFT_CMP_EQ, NFT_REG_1, which);
}

static void in_set(struct nft *n, unsigned meta, const char *set, bool not )
{
        nft_meta(n, meta, NFT_REG_1);
        nft_lookup(n, set, NFT_REG_1, 0, not ? NFT_LOOKUP_F_INV : 0);
}

static void ct_bits(struct nft *n, unsigned key, uint32_t bits)
{
        const uint32_t zero = 0;

        nft_ct(n, key, NFT_REG_1);
        nft_bitwise(n, NFT_REG_1, sizeof(bits), &bits);
        nft_cmp(n, NFT_CMP_NEQ, NFT_REG_1, &zero, sizeof(zero));
}

/* An address of the network header: source or destination. */
static void address(struct nft *n, uint8_t which, bool source, unsigned reg)
{
        if (which == NFPROTO_IPV4)
                nft_payload(n, NFT_PAYLOAD_NETWORK_HEADER, source ? 12 : 16, 4, reg);
        else
                nft_payload(n, NFT_PAYLOAD_NETWORK_HEADER, source ? 8 : 24, 16, reg);
}

/* IPv4, and source or destination in 127.0.0.0/8. */
static void in_loopback(struct nft *n, bool source)
{
        static const unsigned char loopback[4] = {127}, mask[4] = {255};

        family(n, NFPROTO_IPV4);
        address(n, NFPROTO_IPV4, source, NFT_REG_1);
        nft_bitwise(n, NFT_REG_1, sizeof(mask), mask);
        nft_cmp(n, NFT_CMP_EQ, NFT_REG_1, loopback, sizeof(loopback));
}

/* ---- the chains' rules ---- */

static void fill_raw(struct nft *n)
{
        begin(n, "raw"); /* iifname lo accept */
        nft_meta(n, NFT_META_IIFNAME, NFT_REG_1);
        nft_cmp_name(n, NFT_CMP_EQ, NFT_REG_1, "lo");
        end(n, NF_ACCEPT, NULL);
        /* ip daddr 127.0.0.0/8 drop: bridges have route_localnet; and what comes from a neighbour on the link would be
         * translated (a port published on 127.0.0.1) before the kernel finds it odd. */
        begin(n, "raw");
        in_loopback(n, false);
        end(n, NF_DROP, NULL);
        for (unsigned i = 0; i < 2; i++) { /* ip daddr @gateways iifname != @bridges drop */
                begin(n, "raw");
                family(n, i ? NFPROTO_IPV6 : NFPROTO_IPV4); /* first: the rest is not looked at for the other one */
                address(n, i ? NFPROTO_IPV6 : NFPROTO_IPV4, false, NFT_REG_1);
                nft_lookup(n, i ? "gateways6" : "gateways4", NFT_REG_1, 0, 0);
                in_set(n, NFT_META_IIFNAME, "bridges", true);
                end(n, NF_DROP, NULL);
        }
}

/* An internal network ends at its bridge: of the host's addresses, only those of the bridge itself (a container that
 * may configure its network has as many routes as it likes), and nothing beyond. Before connection tracking is asked:
 * two containers of it could make a connection that looks like one to an address outside. */
static void fill_internal(struct nft *n)
{
        static const uint32_t kinds[] = {RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST};

        for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) { /* fib daddr type local fib daddr . iif type != local drop */
                begin(n, "from_internal");
                nft_fib(n, NFTA_FIB_F_DADDR, NFT_FIB_RESULT_ADDRTYPE, NFT_REG_1);
                nft_cmp_u32(n, NFT_CMP_EQ, NFT_REG_1, kinds[i]);
                nft_fib(n, NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF, NFT_FIB_RESULT_ADDRTYPE, NFT_REG_1);
                nft_cmp_u32(n, NFT_CMP_NEQ, NFT_REG_1, kinds[i]);
                end(n, NF_DROP, NULL);
        }
        begin(n, FIREWALL_INTERNAL_CHAIN);
        in_set(n, NFT_META_IIFNAME, "internal", false);
        end(n, NFT_GOTO, "from_internal");
        for (unsigned out = 0; out < 2; out++) {
                begin(n, "forward_internal");
                in_set(n, out ? NFT_META_OIFNAME : NFT_META_IIFNAME, "internal", false);
                nft_meta(n, NFT_META_IIFNAME, NFT_REG_1);
                nft_meta(n, NFT_META_OIFNAME, NFT_REG_2);
                nft_lookup(n, "pairs", NFT_REG_1, 0, NFT_LOOKUP_F_INV);
                end(n, NF_DROP, NULL);
        }
}

/* fib daddr type local goto published */
static void to_published(struct nft *n, const char *chain, uint8_t which)
{
        begin(n, chain);
        family(n, which);
        nft_fib(n, NFTA_FIB_F_DADDR, NFT_FIB_RESULT_ADDRTYPE, NFT_REG_1);
        nft_cmp_u32(n, NFT_CMP_EQ, NFT_REG_1, RTN_LOCAL);
        end(n, NFT_GOTO, which == NFPROTO_IPV4 ? "published4" : "published6");
}

static void fill_prerouting(struct nft *n)
{
        to_published(n, "prerouting", NFPROTO_IPV4);
        to_published(n, "prerouting", NFPROTO_IPV6);
}

static void fill_output(struct nft *n)
{
        static const unsigned char loopback[16] = {[15] = 1};

        begin(n, "output"); /* ip daddr 127.0.0.0/8: no need to look for its route */
        in_loopback(n, false);
        end(n, NFT_GOTO, "published4");
        to_published(n, "output", NFPROTO_IPV4);
        begin(n, "output"); /* ip6 daddr ::1 return: it could not leave; the monitor relays */
        family(n, NFPROTO_IPV6);
        address(n, NFPROTO_IPV6, false, NFT_REG_1);
        nft_cmp(n, NFT_CMP_EQ, NFT_REG_1, loopback, sizeof(loopback));
        end(n, NFT_RETURN, NULL);
        to_published(n, "output", NFPROTO_IPV6);
}

/* Protocol and destination port into the two registers of 4 bytes that begin at @reg. */
static void service(struct nft *n, unsigned reg)
{
        nft_meta(n, NFT_META_L4PROTO, reg);
        nft_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, reg + 1);
}

/* What the map said, address and port, from NFT_REG32_08 on. */
static void translate(struct nft *n, uint8_t which, const char *map)
{
        nft_lookup(n, map, NFT_REG32_00, NFT_REG32_08, 0);
        nft_nat(n, NFT_NAT_DNAT, which, NFT_REG32_08, which == NFPROTO_IPV4 ? NFT_REG32_09 : NFT_REG32_12);
        nft_rule_end(n);
}

static void fill_published(struct nft *n, uint8_t which)
{
        bool six = which == NFPROTO_IPV6;
        const char *chain = six ? "published6" : "published4";

        begin(n, chain); /* on this address */
        family(n, which);
        address(n, which, false, NFT_REG32_00);
        service(n, six ? NFT_REG32_04 : NFT_REG32_01);
        translate(n, which, six ? "ports6" : "ports4");
        begin(n, chain); /* on all */
        family(n, which);
        service(n, NFT_REG32_00);
        translate(n, which, six ? "all_ports6" : "all_ports4");
        begin(n, chain); /* on the link that it came by */
        family(n, which);
        nft_meta(n, NFT_META_IIFNAME, NFT_REG32_00);
        service(n, NFT_REG32_04);
        translate(n, which, six ? "link_ports6" : "link_ports4");
}

static void masquerade(struct nft *n, const char *chain, uint8_t which, bool translated)
{
        begin(n, chain);
        family(n, which);
        if (translated)
                ct_bits(n, NFT_CT_STATUS, IPS_DST_NAT);
        address(n, which, true, NFT_REG_1);
        nft_lookup(n, which == NFPROTO_IPV4 ? "masquerade4" : "masquerade6", NFT_REG_1, 0, 0);
        nft_masquerade(n);
        nft_rule_end(n);
}

/* The first packet of each connection comes here, and a connection to a published port by 127.0.0.1 (both ends of which
 * are on this machine) feels every step: it is asked for first. */
static void fill_postrouting(struct nft *n)
{
        begin(n, "postrouting");
        in_loopback(n, true);
        end(n, NFT_GOTO, "from_loopback");
        begin(n, "postrouting");
        in_set(n, NFT_META_OIFNAME, "bridges", false);
        end(n, NFT_GOTO, "to_bridge");
        masquerade(n, "postrouting", NFPROTO_IPV4, false);
        masquerade(n, "postrouting", NFPROTO_IPV6, false);

        masquerade(n, "to_bridge", NFPROTO_IPV4, true); /* hairpins */
        masquerade(n, "to_bridge", NFPROTO_IPV6, true);

        begin(n, "from_loopback"); /* the bridge's address; masquerading would have to look for it */
        family(n, NFPROTO_IPV4);
        nft_meta(n, NFT_META_OIFNAME, NFT_REG_1);
        nft_lookup(n, "source4", NFT_REG_1, NFT_REG_1, 0);
        nft_nat(n, NFT_NAT_SNAT, NFPROTO_IPV4, NFT_REG_1, 0);
        nft_rule_end(n);
        begin(n, "from_loopback"); /* a bridge that may have another */
        in_set(n, NFT_META_OIFNAME, "bridges", false);
        nft_masquerade(n);
        nft_rule_end(n);
}

static void fill_forward(struct nft *n)
{
        begin(n, "forward");
        ct_bits(n, NFT_CT_STATE, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
        end(n, NF_ACCEPT, NULL);
        begin(n, "forward");
        in_set(n, NFT_META_OIFNAME, "bridges", false);
        ct_bits(n, NFT_CT_STATUS, IPS_DST_NAT);
        end(n, NF_ACCEPT, NULL);
        begin(n, "forward");
        nft_meta(n, NFT_META_IIFNAME, NFT_REG_1);
        nft_meta(n, NFT_META_OIFNAME, NFT_REG_2);
        nft_lookup(n, "pairs", NFT_REG_1, 0, 0);
        end(n, NF_ACCEPT, NULL);
        for (unsigned i = 0; i < 2; i++) { /* iifname != @bridges oifname @unprotected accept */
                begin(n, "forward");
                family(n, i ? NFPROTO_IPV6 : NFPROTO_IPV4);
                in_set(n, NFT_META_OIFNAME, i ? "unprotected6" : "unprotected4", false);
                in_set(n, NFT_META_IIFNAME, "bridges", true);
                end(n, NF_ACCEPT, NULL);
        }
        for (unsigned i = 0; i < 2; i++) { /* ip daddr . protocol . port @open accept */
                begin(n, "forward");
                in_set(n, NFT_META_OIFNAME, "bridges", false);
                family(n, i ? NFPROTO_IPV6 : NFPROTO_IPV4);
                address(n, i ? NFPROTO_IPV6 : NFPROTO_IPV4, false, NFT_REG32_00);
                service(n, i ? NFT_REG32_04 : NFT_REG32_01);
                nft_lookup(n, i ? "open6" : "open4", NFT_REG32_00, 0, 0);
                end(n, NF_ACCEPT, NULL);
        }
        begin(n, "forward"); /* not from another network, not from outside */
        in_set(n, NFT_META_OIFNAME, "bridges", false);
        end(n, NF_DROP, NULL);
        begin(n, "forward");
        in_set(n, NFT_META_IIFNAME, "bridges", false);
        end(n, NF_ACCEPT, NULL);
}

static void add_chains(struct nft *n, const struct chain *list, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                nft_chain_add(n, FIREWALL_TABLE, list[i].name, &list[i].hook);
                nft_chain_flush(n, FIREWALL_TABLE, list[i].name);
        }
}

unsigned firewall_table(struct nft *n, bool internal)
{
        unsigned before = n->buf.n;

        nft_table_add(n, FIREWALL_TABLE);
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
                nft_set_add(n, FIREWALL_TABLE, &sets[i]);
        add_chains(n, chains, ARRAY_SIZE(chains));
        fill_raw(n);
        fill_prerouting(n);
        fill_output(n);
        fill_published(n, NFPROTO_IPV4);
        fill_published(n, NFPROTO_IPV6);
        fill_postrouting(n);
        fill_forward(n);
        if (internal) {
                add_chains(n, internal_chains, ARRAY_SIZE(internal_chains));
                fill_internal(n);
        }
        return n->buf.n - before;
}

void firewall_table_no_internal(struct nft *n)
{
        add_chains(n, internal_chains, ARRAY_SIZE(internal_chains)); /* else one may lack that is to be deleted */
        for (size_t i = ARRAY_SIZE(internal_chains); i-- > 0;)
                nft_chain_delete(n, FIREWALL_TABLE, internal_chains[i].name);
}
