/* guard.c - see guard.h. */
#include "net/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "sys/nft.h"

#define TABLE "hod"
#define TRIES 4
#define END_TRIES 32
#define KEY_MAX 40      /* of the sets */
#define PRIORITY (-300) /* before anybody else's on the bridge */

#define RA 134
#define ADVERTISEMENT 136
#define REDIRECT 137

static const struct nft_set sets[] = {
        /* of a port */
        {.name = "strict", .key_type = NFT_TYPE_IFNAME, .key_size = 16, .host_order = true},
        {.name = "loose", .key_type = NFT_TYPE_IFNAME, .key_size = 16, .host_order = true},
        {.name = "bridge",
         .key_type = NFT_TYPE_IFNAME,
         .key_size = 16,
         .flags = NFT_SET_MAP,
         .data_type = NFT_TYPE_MARK,
         .data_size = 4,
         .host_order = true},
        {.name = "own",
         .key_type = NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_ETHER),
         .key_size = 24,
         .flags = NFT_SET_CONCAT,
         .part = {16, 6}},
        {.name = "own4",
         .key_type = NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_IPV4),
         .key_size = 20,
         .flags = NFT_SET_CONCAT,
         .part = {16, 4}},
        {.name = "own6",
         .key_type = NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_IPV6),
         .key_size = 32,
         .flags = NFT_SET_CONCAT,
         .part = {16, 16}},
        /* all of these at once, for what there is most of */
        {.name = "sender4",
         .key_type = NFT_CONCAT3(NFT_TYPE_IFNAME, NFT_TYPE_ETHER, NFT_TYPE_IPV4),
         .key_size = 28,
         .flags = NFT_SET_CONCAT,
         .part = {16, 6, 4}},
        {.name = "sender6",
         .key_type = NFT_CONCAT3(NFT_TYPE_IFNAME, NFT_TYPE_ETHER, NFT_TYPE_IPV6),
         .key_size = 40,
         .flags = NFT_SET_CONCAT,
         .part = {16, 6, 16}},
        /* of a bridge, by its number: somebody's */
        {.name = "all",
         .key_type = NFT_CONCAT2(NFT_TYPE_MARK, NFT_TYPE_ETHER),
         .key_size = 12,
         .flags = NFT_SET_CONCAT,
         .part = {4, 6}},
        {.name = "all4",
         .key_type = NFT_CONCAT2(NFT_TYPE_MARK, NFT_TYPE_IPV4),
         .key_size = 8,
         .flags = NFT_SET_CONCAT,
         .part = {4, 4}},
        {.name = "all6",
         .key_type = NFT_CONCAT2(NFT_TYPE_MARK, NFT_TYPE_IPV6),
         .key_size = 20,
         .flags = NFT_SET_CONCAT,
         .part = {4, 16}},
};

/* ---- the table ---- */

/* A part of a packet: where an address is written that its sender claims. */
struct claim {
        uint16_t protocol; /* 0 = any */
        uint8_t icmp;      /* only in an ICMPv6 message of this type */
        unsigned base, offset, size;
        const char *own, *all;
        bool none; /* all zero is nobody: somebody who asks whether an address is free */
};

static const struct claim claims[] = {
        {0, 0, NFT_PAYLOAD_LL_HEADER, 6, 6, "own", "all", false},
        {ETH_P_ARP, 0, NFT_PAYLOAD_NETWORK_HEADER, 8, 6, "own", "all", false},
        {ETH_P_ARP, 0, NFT_PAYLOAD_NETWORK_HEADER, 14, 4, "own4", "all4", true},
        {ETH_P_IP, 0, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, "own4", "all4", false},
        {ETH_P_IPV6, ADVERTISEMENT, NFT_PAYLOAD_TRANSPORT_HEADER, 8, 16, "own6", "all6", false},
        {ETH_P_IPV6, 0, NFT_PAYLOAD_NETWORK_HEADER, 8, 16, "own6", "all6", true},
};

static void protocol(struct nft *n, uint16_t which)
{
        uint16_t value = htons(which);

        nft_meta(n, NFT_META_PROTOCOL, NFT_REG_1);
        nft_cmp(n, NFT_CMP_EQ, NFT_REG_1, &value, sizeof(value));
}

static void icmp(struct nft *n, uint8_t type)
{
        protocol(n, ETH_P_IPV6);
        nft_meta(n, NFT_META_L4PROTO, NFT_REG_1);
        nft_cmp_u8(n, NFT_CMP_EQ, NFT_REG_1, IPPROTO_ICMPV6);
        nft_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REG_1);
        nft_cmp_u8(n, NFT_CMP_EQ, NFT_REG_1, type);
}

/* iifname . address in @own, inverted or not */
static void is_own(struct nft *n, const struct claim *c, unsigned flags)
{
        nft_meta(n, NFT_META_IIFNAME, NFT_REG32_00);
        nft_payload(n, c->base, c->offset, c->size, NFT_REG32_04);
        nft_lookup(n, c->own, NFT_REG32_00, 0, flags);
}

static void add_claim(struct nft *n, const struct claim *c, bool loose)
{
        static const unsigned char zero[16] = {0};

        nft_rule_begin(n, TABLE, loose ? "from_loose" : "from_strict");
        if (c->icmp)
                icmp(n, c->icmp);
        else if (c->protocol)
                protocol(n, c->protocol);
        if (c->none) {
                nft_payload(n, c->base, c->offset, c->size, NFT_REG_1);
                nft_cmp(n, NFT_CMP_NEQ, NFT_REG_1, zero, c->size);
        }
        is_own(n, c, NFT_LOOKUP_F_INV);
        if (loose) { /* meta mark . address in @all */
                nft_meta(n, NFT_META_MARK, NFT_REG32_00);
                nft_payload(n, c->base, c->offset, c->size, NFT_REG32_01);
                nft_lookup(n, c->all, NFT_REG32_00, 0, 0);
        }
        nft_verdict(n, NF_DROP, NULL);
        nft_rule_end(n);
}

/* The address at @offset of the header. As source the host would believe it (a bridge with published ports has
 * route_localnet); as destination a neighbour whose namespace has that, by its own wish or because the host's is handed
 * down. */
static void drop_loopback(struct nft *n, const char *chain, unsigned offset)
{
        static const unsigned char loopback[4] = {127}, mask[4] = {255};

        nft_rule_begin(n, TABLE, chain);
        protocol(n, ETH_P_IP);
        nft_payload(n, NFT_PAYLOAD_NETWORK_HEADER, offset, 4, NFT_REG_1);
        nft_bitwise(n, NFT_REG_1, 4, mask);
        nft_cmp(n, NFT_CMP_EQ, NFT_REG_1, loopback, 4);
        nft_verdict(n, NF_DROP, NULL);
        nft_rule_end(n);
}

/* A VLAN's tag the kernel has taken off already. Whoever gets a second one (both of VLAN 0) takes that off, too, and
 * reads what we have not seen. */
static void drop_tagged(struct nft *n, const char *chain)
{
        static const uint16_t tags[] = {ETH_P_8021Q, ETH_P_8021AD};

        for (unsigned i = 0; i < ARRAY_SIZE(tags); i++) {
                nft_rule_begin(n, TABLE, chain);
                protocol(n, tags[i]);
                nft_verdict(n, NF_DROP, NULL);
                nft_rule_end(n);
        }
}

static void fill(struct nft *n, bool loose)
{
        static const uint16_t known[] = {ETH_P_IP, ETH_P_IPV6, ETH_P_ARP};
        const uint32_t none = 0;
        const char *chain = loose ? "from_loose" : "from_strict";

        drop_loopback(n, chain, 16);
        if (loose) {
                drop_loopback(n, chain, 12);
                drop_tagged(n, chain);
        }
        if (loose) { /* a mark, for as long as we look, says which bridge it is: not every kernel can */
                nft_rule_begin(n, TABLE, chain);
                nft_meta(n, NFT_META_IIFNAME, NFT_REG_1);
                nft_lookup(n, "bridge", NFT_REG_1, NFT_REG_1, 0);
                nft_meta_set(n, NFT_META_MARK, NFT_REG_1);
                nft_rule_end(n);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(claims); i++)
                add_claim(n, &claims[i], loose);
        for (unsigned i = 0; i < 2; i++) {
                nft_rule_begin(n, TABLE, chain);
                icmp(n, i ? REDIRECT : RA);
                nft_verdict(n, NF_DROP, NULL);
                nft_rule_end(n);
        }
        if (loose) {
                nft_rule_begin(n, TABLE, chain);
                nft_immediate(n, NFT_REG_1, &none, sizeof(none));
                nft_meta_set(n, NFT_META_MARK, NFT_REG_1);
                nft_rule_end(n);
                return;
        }
        for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
                nft_rule_begin(n, TABLE, chain);
                protocol(n, known[i]);
                nft_verdict(n, NF_ACCEPT, NULL);
                nft_rule_end(n);
        }
        nft_rule_begin(n, TABLE, chain);
        nft_verdict(n, NF_DROP, NULL);
        nft_rule_end(n);
}

/* What is its sender's own is let through at the first rule; a packet that passes all of them costs a microsecond.
 * iifname . ether saddr . ip saddr @sender4 ip daddr != 127.0.0.0/8 accept; IPv6 but for ICMP. */
static void pass_own(struct nft *n)
{
        static const unsigned char loopback[4] = {127}, mask[4] = {255};

        for (unsigned six = 0; six < 2; six++) {
                const uint8_t icmp6 = IPPROTO_ICMPV6;

                nft_rule_begin(n, TABLE, "from");
                protocol(n, six ? ETH_P_IPV6 : ETH_P_IP);
                nft_meta(n, NFT_META_IIFNAME, NFT_REG32_00);
                nft_payload(n, NFT_PAYLOAD_LL_HEADER, 6, 6, NFT_REG32_04);
                nft_payload(n, NFT_PAYLOAD_NETWORK_HEADER, six ? 8 : 12, six ? 16 : 4, NFT_REG32_06);
                nft_lookup(n, six ? "sender6" : "sender4", NFT_REG32_00, 0, 0);
                if (six) {
                        nft_meta(n, NFT_META_L4PROTO, NFT_REG_1);
                        nft_cmp(n, NFT_CMP_NEQ, NFT_REG_1, &icmp6, sizeof(icmp6));
                } else {
                        nft_payload(n, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, NFT_REG_1);
                        nft_bitwise(n, NFT_REG_1, 4, mask);
                        nft_cmp(n, NFT_CMP_NEQ, NFT_REG_1, loopback, 4);
                }
                nft_verdict(n, NF_ACCEPT, NULL);
                nft_rule_end(n);
        }
}

static void jump(struct nft *n, const char *set, const char *chain)
{
        nft_rule_begin(n, TABLE, "from");
        nft_meta(n, NFT_META_IIFNAME, NFT_REG_1);
        nft_lookup(n, set, NFT_REG_1, 0, 0);
        nft_verdict(n, NFT_GOTO, chain);
        nft_rule_end(n);
}

/* How many messages it takes. */
static unsigned table(struct nft *n)
{
        unsigned before = n->buf.n;
        static const struct nft_hook hook = {"filter", NF_BR_PRE_ROUTING, PRIORITY, false};
        static const char *const chains[] = {"from_strict", "from_loose", "from"};

        nft_table_add(n, TABLE);
        for (unsigned i = 0; i < ARRAY_SIZE(sets); i++) {
                struct nft_set set = sets[i];

                set.flags |= NFT_SET_TIMEOUT; /* see end_all() */
                nft_set_add(n, TABLE, &set);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(chains); i++) {
                nft_chain_add(n, TABLE, chains[i], i == 2 ? &hook : NULL);
                nft_chain_flush(n, TABLE, chains[i]);
        }
        fill(n, false);
        fill(n, true);
        pass_own(n);
        jump(n, "strict", "from_strict");
        jump(n, "loose", "from_loose");
        return n->buf.n - before;
}

/* ---- endpoints ---- */

enum what { ADD, END, DELETE };

struct change {
        struct nft n;
        int fd, failed;
        enum what what;
        bool loose;
        bool replace;        /* what somebody has left is in the way */
        bool each;           /* every element in a transaction of its own, and what is missing is fine */
        uint32_t generation; /* the only one to be changed; 0 = any */
};

static int commit(struct change *c)
{
        int r = nft_commit(c->fd, &c->n, NULL);

        nft_done(&c->n);
        return r;
}

/* 0, or how a transaction of its own has failed. */
static int change_element(struct change *c, const char *set, const struct nft_element *e)
{
        if (c->what == ADD) {
                nft_element_add(&c->n, TABLE, set, e);
                return 0;
        }
        if (c->what == END) {
                nft_element_end(&c->n, TABLE, set, e);
                return 0;
        }
        if (c->each)
                nft_begin_at(&c->n, NFPROTO_BRIDGE, c->generation);
        nft_element_delete(&c->n, TABLE, set, e);
        return c->each ? commit(c) : 0;
}

static void note(struct change *c, int r)
{
        if (r < 0 && r != -ENOENT && !c->failed)
                c->failed = r;
}

static void element(struct change *c, const char *set, const struct nft_element *e)
{
        note(c, change_element(c, set, e));
}

/* name or number . address; padded to 4 bytes each */
static size_t make_key(char key[KEY_MAX], const void *first, size_t first_size, const void *address, size_t size)
{
        memset(key, 0, KEY_MAX);
        memcpy(key, first, first_size);
        memcpy(key + first_size, address, size);
        return first_size + (size + 3) / 4 * 4;
}

static void pair(struct change *c, const char *set, const void *first, size_t first_size, const void *address,
                 size_t size)
{
        char key[KEY_MAX];
        const struct nft_element e = {.key = key, .key_size = make_key(key, first, first_size, address, size)};

        element(c, set, &e);
}

/* The ruleset as it is now: what is found out from here on stays so, or the change is refused. */
static void hold_generation(struct change *c)
{
        if (nft_generation(c->fd, &c->generation) < 0)
                c->generation = 0;
}

/* Take @e back if it is @owner's, or nobody's. */
static void take_back(struct change *c, const char *set, const struct nft_element *e, const char *owner)
{
        int r = -EAGAIN;

        for (unsigned i = 0; i < END_TRIES && nft_outdated(r); i++) {
                char whose[NFT_COMMENT_MAX + 1];

                if (c->each)
                        hold_generation(c);
                r = 0;
                if (nft_element_get(c->fd, NFPROTO_BRIDGE, TABLE, set, e->key, e->key_size, whose) > 0 &&
                    (!*whose || str_eq(whose, owner)))
                        r = change_element(c, set, e);
        }
        if (c->each)
                c->generation = 0;
        note(c, r);
}

/* In one of the sets of all ports of a bridge. The address may have been another's, who has ended and is cleaned up
 * after us: whose it is says the comment, and the last one to come is right. */
static void shared(struct change *c, const char *set, uint32_t bridge, const void *address, size_t size,
                   const char *owner)
{
        char key[KEY_MAX];
        struct nft_element e = {.key = key, .key_size = make_key(key, &bridge, sizeof(bridge), address, size)};

        if (c->what != ADD) {
                take_back(c, set, &e, owner);
                return;
        }
        e.comment = owner;
        if (c->replace) {
                nft_element_add(&c->n, TABLE, set, &e);
                nft_element_delete(&c->n, TABLE, set, &e);
        }
        e.exclusive = true;
        nft_element_add(&c->n, TABLE, set, &e);
}

/* A number for the name of a bridge. */
static uint32_t number_of(const char *name)
{
        uint32_t number = hash_fnv32(name, strlen(name));

        return number ? number : 1;
}

/* fe80:: and the link address, as the kernel makes it. */
static void link_local(const unsigned char mac[6], unsigned char ret[16])
{
        const unsigned char a[16] = {0xfe,       0x80,   0,      0,    0,    0,      0,      0,
                                     mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};

        memcpy(ret, a, sizeof(a));
}

static void its_own(struct change *c, const struct endpoint *e, const char name[16], uint32_t bridge,
                    const struct link_address *a)
{
        bool six = a->family == AF_INET6;
        char from[24] = "";

        if (!a->family)
                return;
        memcpy(from, name, 16);
        memcpy(from + 16, e->mac, sizeof(e->mac));
        pair(c, six ? "sender6" : "sender4", from, sizeof(from), a->data, six ? 16 : 4);
        pair(c, six ? "own6" : "own4", name, 16, a->data, six ? 16 : 4);
        shared(c, six ? "all6" : "all4", bridge, a->data, six ? 16 : 4, name);
}

/* @gateway: NULL when it is taken out: those stay for as long as the bridge. */
static void change(struct change *c, const struct endpoint *e, const struct link_address *gateway)
{
        const uint32_t bridge = number_of(e->parent);
        struct link_address local = {.family = AF_INET6};
        char name[16] = "";

        memcpy(name, e->host_name, strnlen(e->host_name, 15));
        element(c, c->loose ? "loose" : "strict", &(struct nft_element){.key = name, .key_size = 16});
        element(c, "bridge", &(struct nft_element){.key = name, .key_size = 16, .data = &bridge, .data_size = 4});
        pair(c, "own", name, 16, e->mac, 6);
        shared(c, "all", bridge, e->mac, 6, name);
        for (unsigned i = 0; i < LINK_ADDRESSES; i++) {
                its_own(c, e, name, bridge, &e->address[i]);
                if (gateway && e->address[i].family && gateway[i].family)
                        pair(c, i ? "all6" : "all4", &bridge, 4, gateway[i].data, i ? 16 : 4);
        }
        for (unsigned i = 0; i < e->n_extra; i++)
                its_own(c, e, name, bridge, &e->extra[i]);
        if (!e->ipv6)
                return;
        link_local(e->mac, local.data);
        its_own(c, e, name, bridge, &local);
}

static bool unsupported(int r)
{
        return r == -EAFNOSUPPORT || r == -EOPNOTSUPP || r == -EPROTONOSUPPORT;
}

/* *@ret_foreign: it is the table itself that is not ours. */
static int try_add(int fd, const struct endpoint *e, const struct link_address *gateway, bool loose, bool with_table,
                   bool replace, bool *ret_foreign)
{
        struct change c = {.what = ADD, .loose = loose, .replace = replace};
        unsigned failed = 0, of_table = 0;
        int r;

        nft_begin(&c.n, NFPROTO_BRIDGE);
        if (with_table)
                of_table = table(&c.n);
        change(&c, e, gateway);
        r = nft_commit(fd, &c.n, &failed);
        nft_done(&c.n);
        *ret_foreign = r == -EEXIST && failed < of_table;
        return r;
}

const char *guard_obstacle(void)
{
        int fd = netlink_firewall_open(), r;
        unsigned failed = 0;
        struct nft n;

        if (fd < 0)
                return NULL;
        nft_begin(&n, NFPROTO_BRIDGE);
        nft_table_add(&n, "hod_asks");
        nft_chain_delete(&n, "hod_asks", "none"); /* fails: nothing of it happens */
        r = nft_commit(fd, &n, &failed);
        nft_done(&n);
        netlink_firewall_close(fd);
        return unsupported(r) && failed == 0
                       ? "this kernel's nf_tables does not filter bridges (CONFIG_NF_TABLES_BRIDGE): "
                         "containers of one network can take each other's addresses"
                       : NULL;
}

static void close_socket(int *fd)
{
        netlink_firewall_close(*fd);
}

err *guard_add(const struct endpoint *e, const struct link_address gateway[LINK_ADDRESSES], bool loose)
{
        _cleanup_close_ _unused_ int lock = nft_lock(true);
        _cleanup_(close_socket) int fd = -1;
        bool replace = false, foreign = false;
        int r;

        if (e->kind != ENDPOINT_BRIDGE)
                return NULL;
        fd = netlink_firewall_open();
        r = fd < 0 ? fd : try_add(fd, e, gateway, loose, false, false, &foreign);
        for (int i = 0; i < TRIES && !foreign && (r == -ENOENT || r == -EEXIST || r == -EBUSY || r == -EINVAL); i++) {
                replace |= r == -EEXIST || r == -EBUSY;
                r = try_add(fd, e, gateway, loose, true, replace, &foreign);
        }
        if (foreign)
                return err_new(ERR_CONFLICT,
                               "guarding the bridge's port %s: table bridge " TABLE
                               " was made by another version of hod. `nft delete table bridge " TABLE
                               "` and `hod network reload` make it anew",
                               e->host_name);
        return r < 0 && !unsupported(r) ? err_sys(-r, "guarding the bridge's port %s", e->host_name) : NULL;
}

/* All at once. Somebody may take an address over while we look whose it is: then look again. */
static int end_at_once(struct change *c, const struct endpoint *e)
{
        int r = -EAGAIN;

        for (unsigned i = 0; i < END_TRIES && nft_outdated(r); i++) {
                hold_generation(c);
                nft_begin_at(&c->n, NFPROTO_BRIDGE, c->generation);
                change(c, e, NULL);
                r = commit(c);
        }
        c->generation = 0;
        return r;
}

/* Nothing is deleted, so that nobody has to wait for it (nft_element_end()). 1: done. 0: the kernel cannot. */
static int end_all(struct change *c, const struct endpoint *e)
{
        char name[16] = "";
        const struct nft_element port = {.key = name, .key_size = sizeof(name)};
        unsigned count;
        int r;

        memcpy(name, e->host_name, strnlen(e->host_name, sizeof(name) - 1));
        c->what = END;
        r = end_at_once(c, e);
        if (r == -ENOENT) /* no table; or one of which something lacks */
                return nft_set_count(c->fd, NFPROTO_BRIDGE, TABLE, "bridge", &count) == -ENOENT;
        return r < 0 ? 0 : nft_element_ends(c->fd, NFPROTO_BRIDGE, TABLE, c->loose ? "loose" : "strict", &port) > 0;
}

static int delete_all(struct change *c, const struct endpoint *e)
{
        int r;

        c->what = DELETE;
        r = end_at_once(c, e);
        if (r == -ENOENT || nft_outdated(r)) { /* something of it, or all: the rest has to go all the same */
                c->each = true;
                change(c, e, NULL);
                r = c->failed;
        }
        return nft_outdated(r) ? -EBUSY : r;
}

err *guard_remove(const struct endpoint *e, bool loose)
{
        _cleanup_(close_socket) int fd = -1;
        struct change c = {.loose = loose};
        int r;

        if (e->kind != ENDPOINT_BRIDGE)
                return NULL;
        fd = c.fd = netlink_firewall_open();
        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket for the firewall");
        r = end_all(&c, e) ? 0 : delete_all(&c, e);
        return r < 0 && !unsupported(r) ? err_sys(-r, "taking the bridge's port %s out of the firewall", e->host_name)
                                        : NULL;
}

err *guard_remove_bridge(const char *bridge, const struct link_address gateway[LINK_ADDRESSES])
{
        _cleanup_(close_socket) int fd = netlink_firewall_open();
        const uint32_t number = number_of(bridge);
        struct change c = {.fd = fd, .what = DELETE, .each = true};

        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket for the firewall");
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (gateway[i].family)
                        pair(&c, i ? "all6" : "all4", &number, 4, gateway[i].data, i ? 16 : 4);
        return c.failed && !unsupported(c.failed) ? err_sys(-c.failed, "taking bridge %s out of the firewall", bridge)
                                                  : NULL;
}
