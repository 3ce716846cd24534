/* obstacle.c - see obstacle.h. */
#include "net/obstacle.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/firewall_private.h"
#include "net/legacy.h"
#include "net/verdict.h"
#include "sys/link.h"
#include "sys/netlink.h"

#define CHAINS 32
#define TRIES 8
#define BRIDGED4 "/proc/sys/net/bridge/bridge-nf-call-iptables"
#define BRIDGED6 "/proc/sys/net/bridge/bridge-nf-call-ip6tables"

struct chain {
        uint8_t family;
        char table[64], name[64];
        bool drop;   /* its policy */
        bool legacy; /* of iptables-legacy */
};

struct search {
        struct chain list[CHAINS];
        size_t n;
};

/* What a chain keeps from us. */
struct finding {
        bool out, in; /* containers from the world; others from published ports */
        bool within;  /* containers from each other */
        struct verdict verdict;
};

/* ---- nf_tables ---- */

static int take_chain(const struct nlmsghdr *h, void *arg)
{
        const struct nfgenmsg *m = NLMSG_DATA(h);
        struct chain c = {.family = m->nfgen_family};
        struct search *s = arg;
        size_t size, n;
        const void *all = netlink_attributes(h, sizeof(*m), &size), *hook;

        if (c.family != NFPROTO_INET && c.family != NFPROTO_IPV4 && c.family != NFPROTO_IPV6)
                return 0;
        hook = netlink_attribute(all, size, NFTA_CHAIN_HOOK, &n);
        if (!hook || netlink_attribute_be32(hook, n, NFTA_HOOK_HOOKNUM, 99) != NF_INET_FORWARD || s->n == CHAINS)
                return 0;
        if (!netlink_attribute_text(all, size, NFTA_CHAIN_TABLE, c.table, 64) ||
            !netlink_attribute_text(all, size, NFTA_CHAIN_NAME, c.name, 64) || str_eq(c.table, FIREWALL_TABLE))
                return 0;
        c.drop = netlink_attribute_be32(all, size, NFTA_CHAIN_POLICY, NF_ACCEPT) == NF_DROP;
        s->list[s->n++] = c;
        return 0;
}

/* By which link the world is reached; that of the other family where one leads nowhere yet. */
static void find_world(char ret[LINK_ADDRESSES][LINK_NAME_MAX + 1])
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);

        memset(ret, 0, sizeof(*ret) * LINK_ADDRESSES);
        if (fd < 0)
                return;
        link_default(fd, AF_INET, ret[0]);
        link_default(fd, AF_INET6, ret[1]);
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (!*ret[i])
                        memcpy(ret[i], ret[1 - i], sizeof(*ret));
}

/* Where a packet is tried. */
struct attempt {
        const struct verdict_rules *rules;
        const struct legacy_rules *legacy; /* or these */
        const struct chain *chain;
        const struct network *network;
        struct finding *finding;
};

static bool refuses(const struct attempt *a, struct verdict_packet *p)
{
        struct finding *f = a->finding;
        struct verdict v;

        p->ours = a->network->link;
        if (a->legacy)
                legacy_find(a->legacy, p, &v);
        else
                verdict_find(a->rules, a->chain->name, a->chain->drop, p, &v);
        if (v.refused && !f->out && !f->in && !f->within)
                f->verdict = v;
        return v.refused;
}

/* Are packets that stay on a bridge shown to the chains of forwarding, too? (br_netfilter, which dockerd loads.) */
static bool bridged_are_filtered(unsigned i)
{
        _cleanup_free_ char *text = NULL;

        return file_read(AT_FDCWD, i ? BRIDGED6 : BRIDGED4, 8, &text, NULL) == 0 && *text == '1';
}

/* The first packet of a connection from a container, that of one to a published port, and that of one between two
 * containers. @other: the world's link. */
static void try_family(const struct attempt *a, unsigned i, const char *other)
{
        const struct network *n = a->network;
        const struct link_address *address = n->pool[i].gateway.family ? &n->pool[i].gateway : &n->pool[i].subnet;
        uint8_t family = i ? NFPROTO_IPV6 : NFPROTO_IPV4;
        struct verdict_packet out = {.family = family, .in = n->link, .out = other, .from = address},
                              in = {.family = family, .in = other, .out = n->link, .to = address, .translated = true},
                              within = {
                                      .family = family, .in = n->link, .out = n->link, .from = address, .to = address};

        /* The last says least of whom the bridge belongs to: what is written down is the verdict of the first. */
        a->finding->out |= !n->internal && refuses(a, &out);
        a->finding->within |= n->icc && bridged_are_filtered(i) && refuses(a, &within);
        a->finding->in |= !n->internal && refuses(a, &in);
}

/* ---- what to say ---- */

/* What is kept from us; owned. */
static char *effect(const struct finding *f, const char *bridge)
{
        if (!f->out && !f->within)
                return str_format("others do not reach published ports of containers on %s", bridge);
        return str_format("containers on %s do not reach %s%s%s%s", bridge, f->out ? "the world" : "",
                          f->out && f->within ? " and " : "", f->within ? "each other" : "",
                          f->in ? ", others do not reach their published ports" : "");
}

/* Commands that let the bridge's packets through iptables' chain; owned. Beside docker, what is for its networks is
 * still docker's to judge. */
static char *iptables_advice(const char *program, const char *bridge, bool docker)
{
        if (!docker)
                return str_format("%s -I FORWARD -i %s -j ACCEPT; %s -I FORWARD -o %s -j ACCEPT", program, bridge,
                                  program, bridge);
        return str_format("%s -I DOCKER-USER -i %s -j ACCEPT; %s -I DOCKER-USER -i %s -o br-+ -j RETURN; "
                          "%s -I DOCKER-USER -i %s -o docker+ -j RETURN; %s -I DOCKER-USER -o %s -j ACCEPT",
                          program, bridge, program, bridge, program, bridge, program, bridge);
}

/* The zone that firewalld has put the packet's link into, from the names of its chains (of either of its backends). */
static bool firewalld_zone(const struct verdict *v, char ret[64])
{
        static const char *const prefixes[] = {" filter_FWD_", " FWD_", " FWDI_"};

        for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
                const char *at = strstr(v->path, prefixes[i]);

                if (!at)
                        continue;
                at += strlen(prefixes[i]);
                (void)snprintf(ret, 64, "%.*s", (int)strcspn(at, " "), at);
                return true;
        }
        return false;
}

/* Its StrictForwardPorts lets pass only ports that it forwards itself, whatever the zones are. */
static char *say_firewalld(const struct finding *f, const char *bridge, const char *zone)
{
        static const char *const lax = "sed -i s/^StrictForwardPorts=.*/StrictForwardPorts=no/ "
                                       "/etc/firewalld/firewalld.conf; firewall-cmd --reload";
        _cleanup_free_ char *what = effect(f, bridge);

        if (!what)
                return NULL;
        if (!f->out && !f->within)
                return str_format(
                        "firewalld rejects it (StrictForwardPorts, also from the host itself): %s; to allow it: "
                        "%s",
                        what, lax);
        return str_format(
                "firewalld, where %s is in zone %s, rejects it%s: %s; to allow it: firewall-cmd --zone=trusted "
                "--change-interface=%s; firewall-cmd --permanent --zone=trusted --change-interface=%s%s%s",
                bridge, zone, f->in ? " (published ports by StrictForwardPorts, also from the host itself)" : "", what,
                bridge, bridge, f->in ? "; " : "", f->in ? lax : "");
}

/* A chain of iptables' own; ufw's commands are kept over a reboot. */
static char *say_iptables(const struct chain *c, const struct finding *f, const char *bridge, const char *how)
{
        bool six = c->family == NFPROTO_IPV6, docker = strstr(f->verdict.path, " DOCKER-USER "),
             ufw = strstr(f->verdict.path, six ? " ufw6-before-forward " : " ufw-before-forward ");
        const char *program = c->legacy ? six ? "ip6tables-legacy" : "iptables-legacy" : six ? "ip6tables" : "iptables";
        const char *who = docker ? ", docker's," : ufw ? ", ufw's," : "";
        _cleanup_free_ char *advice = NULL, *what = effect(f, bridge);

        advice = ufw && !docker ? str_format("ufw route allow in on %s; ufw route allow out on %s", bridge, bridge)
                                : iptables_advice(program, bridge, docker);
        if (!advice || !what)
                return NULL;
        if (c->legacy)
                return str_format("chain FORWARD of %s%s %s: %s; to allow it: %s", program, who, how, what, advice);
        return str_format("chain FORWARD of table %s filter%s %s: %s; to allow it: %s", six ? "ip6" : "ip", who, how,
                          what, advice);
}

static char *say_chain(const struct chain *c, const struct finding *f, const char *bridge)
{
        const char *family = c->family == NFPROTO_INET ? "inet" : c->family == NFPROTO_IPV4 ? "ip" : "ip6";
        bool iptables = c->family != NFPROTO_INET && str_eq(c->table, "filter") && str_eq(c->name, "FORWARD");
        _cleanup_free_ char *how = NULL, *what = effect(f, bridge);
        char zone[64] = "";

        if (!what)
                return NULL;
        if ((str_eq(c->table, "firewalld") || iptables) && firewalld_zone(&f->verdict, zone))
                return say_firewalld(f, bridge, zone);
        if (str_eq(c->table, "firewalld"))
                return say_firewalld(f, bridge, "?");
        how = f->verdict.policy ? str_format("has the policy %s", iptables ? "DROP" : "drop")
                                : str_format("refuses it by a rule of chain %s", f->verdict.chain);
        if (!how)
                return NULL;
        if (iptables)
                return say_iptables(c, f, bridge, how);
        return str_format("chain %s of table %s %s %s: %s; to allow it: nft insert rule %s %s %s iifname %s accept; "
                          "nft insert rule %s %s %s oifname %s accept",
                          c->name, family, c->table, how, what, family, c->table, c->name, bridge, family, c->table,
                          c->name, bridge);
}

/* Others, other starts of ours among them, may change something while it is read. */
static int read_chains(int fd, struct search *ret)
{
        int r = -EAGAIN;

        for (unsigned i = 0; i < TRIES && r == -EAGAIN; i++) {
                ret->n = 0;
                r = nft_dump(fd, NFPROTO_UNSPEC, NFT_MSG_GETCHAIN, 0, NULL, take_chain, ret);
        }
        return r;
}

static int read_rules(int fd, const struct chain *c, struct verdict_rules **ret)
{
        int r = -EAGAIN;

        for (unsigned i = 0; i < TRIES && r == -EAGAIN; i++)
                r = verdict_rules_read(fd, c->family, c->table, ret);
        return r;
}

static err *find_nft(const struct network *network, char ***ret)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_NETFILTER);
        char world[LINK_ADDRESSES][LINK_NAME_MAX + 1];
        struct search s = {0};

        if (fd < 0 || read_chains(fd, &s) < 0 || !s.n)
                return NULL;
        find_world(world);
        for (size_t i = 0; i < s.n; i++) {
                _cleanup_verdict_rules_ struct verdict_rules *rules = NULL;
                const struct chain *c = &s.list[i];
                struct finding f = {0};
                struct attempt a = {.chain = c, .network = network, .finding = &f};

                if (read_rules(fd, c, &rules) < 0)
                        continue;
                a.rules = rules;
                if (network->pool[0].subnet.family && c->family != NFPROTO_IPV6)
                        try_family(&a, 0, world[0]);
                if (network->pool[1].subnet.family && c->family != NFPROTO_IPV4)
                        try_family(&a, 1, world[1]);
                if (f.out || f.in || f.within)
                        TRY(strv_push(ret, say_chain(c, &f, network->link)));
        }
        return NULL;
}

/* ---- iptables-legacy ---- */

static err *find_legacy(const struct network *network, char ***ret)
{
        char world[LINK_ADDRESSES][LINK_NAME_MAX + 1] = {""};

        for (unsigned i = 0; i < LINK_ADDRESSES; i++) {
                _cleanup_legacy_rules_ struct legacy_rules *rules = NULL;
                const struct chain c = {.family = i ? NFPROTO_IPV6 : NFPROTO_IPV4,
                                        .table = "filter",
                                        .name = "FORWARD",
                                        .legacy = true};
                struct finding f = {0};
                struct attempt a = {.chain = &c, .network = network, .finding = &f};

                if (!network->pool[i].subnet.family || legacy_rules_read(c.family, &rules) < 0)
                        continue;
                if (!*world[i])
                        find_world(world);
                a.legacy = rules;
                try_family(&a, i, world[i]);
                if (f.out || f.in || f.within)
                        TRY(strv_push(ret, say_chain(&c, &f, network->link)));
        }
        return NULL;
}

err *obstacles_find(const struct network *n, char ***ret)
{
        TRY(find_nft(n, ret));
        return find_legacy(n, ret);
}
