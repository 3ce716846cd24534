/* obstacle.c - see obstacle.h. */
#include "net/obstacle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/firewall_private.h"
#include "net/lease.h"
#include "net/legacy.h"
#include "net/obstacle_private.h"
#include "sys/link.h"
#include "sys/netlink.h"

#define CHAINS_MAX 1024
#define TRIES 8
#define PORT LEASE_LINK "............" /* as long as any container's on the bridge, and nobody's */
#define BRIDGED4 "/proc/sys/net/bridge/bridge-nf-call-iptables"
#define BRIDGED6 "/proc/sys/net/bridge/bridge-nf-call-ip6tables"

/* What packets of the network meet on their way. */
struct way {
        const struct network *network;
        unsigned first;                                /* kind of packet that is tried */
        bool looked;                                   /* at the following */
        bool bridged[LINK_ADDRESSES];                  /* chains of IP are shown what stays on a bridge */
        char world[LINK_ADDRESSES][LINK_NAME_MAX + 1]; /* by which link the world is reached; "" = by none */
};

struct search {
        struct way *way;
        struct obstacle_chain *list;
        size_t n;
};

static bool is_on(const char *path)
{
        _cleanup_free_ char *text = NULL;

        return file_read(AT_FDCWD, path, 8, &text, NULL) == 0 && *text == '1';
}

/* Only once there is a chain to be looked at. The world's link is that of the other family where one leads nowhere yet.
 */
static void look(struct way *w)
{
        _cleanup_close_ int fd = -1;

        if (w->looked)
                return;
        w->looked = true;
        w->bridged[0] = is_on(BRIDGED4);
        w->bridged[1] = is_on(BRIDGED6);
        fd = netlink_open(NETLINK_ROUTE);
        if (fd < 0)
                return;
        link_default(fd, AF_INET, w->world[0]);
        link_default(fd, AF_INET6, w->world[1]);
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (!*w->world[i])
                        memcpy(w->world[i], w->world[1 - i], sizeof(w->world[i]));
}

/* ---- chains of nf_tables ---- */

static void note_device(struct obstacle_chain *c, const struct way *w, const char *name)
{
        c->on_link |= str_eq(name, w->network->link);
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                c->on_world[i] |= *name && str_eq(name, w->world[i]);
}

/* The links whose packets a chain sees at first. */
static void note_devices(struct obstacle_chain *c, struct way *w, const void *hook, size_t size)
{
        char name[LINK_NAME_MAX + 1];
        size_t n = 0;
        const char *list = netlink_attribute(hook, size, NFTA_HOOK_DEVS, &n);

        look(w);
        if (netlink_attribute_text(hook, size, NFTA_HOOK_DEV, name, sizeof(name)))
                note_device(c, w, name);
        while (list && n >= sizeof(struct nlattr)) {
                struct nlattr a;

                memcpy(&a, list, sizeof(a));
                if (a.nla_len < sizeof(a) || a.nla_len > n)
                        return;
                if (netlink_attribute_text(list, a.nla_len, NFTA_DEVICE_NAME, name, sizeof(name)))
                        note_device(c, w, name);
                if ((size_t)NLA_ALIGN(a.nla_len) >= n)
                        return;
                list += NLA_ALIGN(a.nla_len);
                n -= (size_t)NLA_ALIGN(a.nla_len);
        }
}

/* Where is it hooked? False: where none of our packets come by, or where it is not for filtering. */
static bool read_hook(struct obstacle_chain *c, struct way *w, const void *hook, size_t size, const char *type)
{
        c->hook = netlink_attribute_be32(hook, size, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_IN);
        c->priority = (int)netlink_attribute_be32(hook, size, NFTA_HOOK_PRIORITY, 0);
        if (c->family == NFPROTO_NETDEV) {
                if (c->hook != NF_NETDEV_INGRESS)
                        return false;
                c->hook = NF_INET_INGRESS;
        }
        if (c->hook == NF_INET_INGRESS) {
                note_devices(c, w, hook, size);
                return c->on_link || c->on_world[0] || c->on_world[1];
        }
        return c->hook <= NF_INET_POST_ROUTING && c->hook != NF_INET_LOCAL_IN && !str_eq(type, "nat");
}

static int take_chain(const struct nlmsghdr *h, void *arg)
{
        const struct nfgenmsg *m = NLMSG_DATA(h);
        struct obstacle_chain c = {.family = m->nfgen_family};
        struct search *s = arg;
        char type[NFT_NAME_MAXLEN] = "";
        size_t size, n;
        const void *all = netlink_attributes(h, sizeof(*m), &size), *hook;

        if (c.family == NFPROTO_ARP || s->n == CHAINS_MAX)
                return 0;
        hook = netlink_attribute(all, size, NFTA_CHAIN_HOOK, &n);
        if (!hook || !netlink_attribute_text(all, size, NFTA_CHAIN_TABLE, c.table, sizeof(c.table)) ||
            !netlink_attribute_text(all, size, NFTA_CHAIN_NAME, c.name, sizeof(c.name)) ||
            str_eq(c.table, FIREWALL_TABLE))
                return 0;
        c.drop = netlink_attribute_be32(all, size, NFTA_CHAIN_POLICY, NF_ACCEPT) == NF_DROP;
        (void)netlink_attribute_text(all, size, NFTA_CHAIN_TYPE, type, sizeof(type));
        /* A chain without rules, of which iptables makes many, refuses nothing. */
        if ((!c.drop && !netlink_attribute_be32(all, size, NFTA_CHAIN_USE, 1)) || !read_hook(&c, s->way, hook, n, type))
                return 0;
        if (mem_grow(&s->list, s->n, sizeof(*s->list)) < 0)
                return -ENOMEM;
        s->list[s->n++] = c;
        return 0;
}

/* ---- packets ---- */

/* Where a packet is tried. */
struct attempt {
        const struct verdict_rules *rules;
        const struct legacy_rules *legacy; /* or these */
        const struct obstacle_chain *chain;
        const struct way *way;
        struct obstacle_finding finding;
};

/* The following tell how the first packet of a connection is when it comes to the chain, whose links and addresses are
 * filled in as far as they are known: false if it does not come there, or not so that anything is certain. */

static bool comes_in(const struct attempt *a, unsigned kind, const char *world, struct verdict_packet *p)
{
        const char *link = a->way->network->link;

        if (kind == OBSTACLE_HOST)
                return false;
        p->in = kind == OBSTACLE_IN ? world : link;
        return true;
}

static bool at_ingress(const struct attempt *a, unsigned kind, const char *world, struct verdict_packet *p)
{
        const struct obstacle_chain *c = a->chain;
        bool on_world = c->on_world[p->family == NFPROTO_IPV6];

        if (!(kind == OBSTACLE_OUT && c->on_link) && !(kind == OBSTACLE_IN && on_world))
                return false;
        p->hooked = c->family == NFPROTO_NETDEV ? NFPROTO_NETDEV : 0;
        p->ct = VERDICT_CT_NONE;
        return comes_in(a, kind, world, p);
}

/* A bridge does not see what a container sends to the host or the world: it does not come by its ports (shortcut.h). */
static bool at_bridge(const struct attempt *a, unsigned kind, struct verdict_packet *p)
{
        unsigned hook = a->chain->hook;
        bool goes_out = hook == NF_INET_POST_ROUTING;

        p->hooked = NFPROTO_BRIDGE;
        p->ct = VERDICT_CT_UNKNOWN;
        if (kind == OBSTACLE_WITHIN && !goes_out)
                p->in = PORT;
        if (hook != NF_INET_PRE_ROUTING)
                p->out = PORT;
        if (kind == OBSTACLE_WITHIN)
                return goes_out || hook == NF_INET_PRE_ROUTING || hook == NF_INET_FORWARD;
        return kind != OBSTACLE_OUT && (goes_out || hook == NF_INET_LOCAL_OUT);
}

static bool at_ip(const struct attempt *a, unsigned kind, const char *world, struct verdict_packet *p)
{
        const struct obstacle_chain *c = a->chain;
        const char *link = a->way->network->link;

        if (c->hook != NF_INET_FORWARD && (c->priority == NF_IP_PRI_CONNTRACK || c->priority == NF_IP_PRI_NAT_DST))
                return false; /* which of both is the first is not known */
        if (c->hook != NF_INET_FORWARD && c->hook != NF_INET_POST_ROUTING && c->priority < NF_IP_PRI_CONNTRACK)
                p->ct = VERDICT_CT_NONE;
        switch (c->hook) {
        case NF_INET_PRE_ROUTING:
                return comes_in(a, kind, world, p);
        case NF_INET_LOCAL_OUT:
                p->out = "lo"; /* where it would have gone untranslated */
                return kind == OBSTACLE_HOST;
        case NF_INET_POST_ROUTING:
                p->out = kind == OBSTACLE_OUT ? world : link;
                return c->priority < NF_IP_PRI_NAT_SRC;
        default:
                p->out = kind == OBSTACLE_OUT ? world : link;
                return comes_in(a, kind, world, p);
        }
}

/* Of a packet that is not for a container: for the host, or for the world, which may have no IPv6 at all. */
static unsigned address_type(const struct verdict_packet *p, bool published)
{
        if (p->to)
                return RTN_UNICAST;
        if (published)
                return RTN_LOCAL;
        return p->family == NFPROTO_IPV4 ? RTN_UNICAST : RTN_UNSPEC;
}

static bool packet_at(const struct attempt *a, unsigned kind, unsigned i, struct verdict_packet *p)
{
        const struct network *n = a->way->network;
        const struct obstacle_chain *c = a->chain;
        const struct link_address *address = n->pool[i].gateway.family ? &n->pool[i].gateway : &n->pool[i].subnet;
        const char *world = a->way->world[i];
        bool published = kind == OBSTACLE_IN || kind == OBSTACLE_HOST, bridge = c->family == NFPROTO_BRIDGE,
             before = !bridge &&
                      (c->hook == NF_INET_PRE_ROUTING || c->hook == NF_INET_LOCAL_OUT || c->hook == NF_INET_INGRESS);

        if (kind == OBSTACLE_WITHIN ? !n->icc || (!bridge && !a->way->bridged[i]) : n->internal)
                return false;
        if (kind == OBSTACLE_HOST && (n->routed[i] || n->isolated[i])) /* nothing is translated; there is no way */
                return false;
        *p = (struct verdict_packet){.family = i ? NFPROTO_IPV6 : NFPROTO_IPV4, .in = "", .out = "", .ours = n->link};
        p->early = before && obstacle_is_early(c);
        p->translated = published && !p->early && !n->routed[i];
        p->bridged = kind == OBSTACLE_WITHIN && !bridge;
        if (!published)
                p->from = address;
        if (kind == OBSTACLE_WITHIN || (published && (!p->early || n->routed[i])))
                p->to = address;
        p->to_type = address_type(p, published);
        if (bridge)
                return at_bridge(a, kind, p);
        return c->hook == NF_INET_INGRESS ? at_ingress(a, kind, world, p) : at_ip(a, kind, world, p);
}

static void try_kind(struct attempt *a, unsigned kind, unsigned i)
{
        const struct obstacle_chain *c = a->chain;
        bool lax = c->hook == NF_INET_FORWARD && c->family != NFPROTO_BRIDGE, first = true;
        struct verdict_packet p;
        struct verdict v;

        if (!packet_at(a, kind, i, &p))
                return;
        if (a->legacy)
                legacy_find(a->legacy, c->hook, &p, &v);
        else
                verdict_find(a->rules, c->name, c->drop, &p, &v);
        if (!v.refused || v.unread || (v.perhaps && !lax))
                return;
        for (unsigned k = 0; k < OBSTACLE_KINDS; k++)
                first &= !a->finding.refused[k];
        if (first)
                a->finding.verdict = v;
        a->finding.refused[kind] = true;
}

/* All packets to one chain; what it refuses is said in *@ret. */
static err *try_chain(struct attempt *a, char ***ret)
{
        const struct network *n = a->way->network;
        bool any = false;

        /* The last say least of whom the bridge belongs to: what is written down is the verdict of the first. */
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                for (unsigned kind = a->way->first; kind < OBSTACLE_KINDS; kind++)
                        if (n->pool[i].subnet.family && a->chain->family != (i ? NFPROTO_IPV4 : NFPROTO_IPV6))
                                try_kind(a, kind, i);
        for (unsigned kind = 0; kind < OBSTACLE_KINDS; kind++)
                any |= a->finding.refused[kind];
        if (!any || obstacle_is_said(&a->finding))
                return NULL;
        return strv_push(ret, obstacle_text(a->chain, &a->finding, n));
}

/* ---- nf_tables ---- */

/* Others, other starts of ours among them, may change something while it is read. */
static int read_chains(int fd, struct search *s)
{
        int r = -EAGAIN;

        for (unsigned i = 0; i < TRIES && r == -EAGAIN; i++) {
                s->n = 0;
                r = nft_dump(fd, NFPROTO_UNSPEC, NFT_MSG_GETCHAIN, 0, NULL, take_chain, s);
        }
        return r;
}

static int read_rules(int fd, const struct obstacle_chain *c, struct verdict_rules **ret)
{
        int r = -EAGAIN;

        for (unsigned i = 0; i < TRIES && r == -EAGAIN; i++)
                r = verdict_rules_read(fd, c->family, c->table, ret);
        return r;
}

static bool is_same_table(const struct obstacle_chain *a, const struct obstacle_chain *b)
{
        return a->family == b->family && str_eq(a->table, b->table);
}

/* The chains from @first on that are of the same table. */
static err *find_in_table(int fd, const struct search *s, size_t first, char ***ret)
{
        _cleanup_verdict_rules_ struct verdict_rules *rules = NULL;
        int r = read_rules(fd, &s->list[first], &rules);

        for (size_t i = first; i < s->n; i++) {
                struct attempt a = {.rules = rules, .chain = &s->list[i], .way = s->way};

                if (!is_same_table(&s->list[i], &s->list[first]))
                        continue;
                s->list[i].done = true;
                if (r == 0)
                        TRY(try_chain(&a, ret));
        }
        return NULL;
}

static err *find_nft(struct search *s, char ***ret)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_NETFILTER);

        if (fd < 0 || read_chains(fd, s) < 0 || !s->n)
                return NULL;
        look(s->way);
        for (size_t i = 0; i < s->n; i++)
                if (!s->list[i].done)
                        TRY(find_in_table(fd, s, i, ret));
        return NULL;
}

/* ---- iptables-legacy ---- */

static err *find_in_legacy(struct way *w, uint8_t family, const struct legacy_table *table, char ***ret)
{
        static const unsigned hooks[] = {NF_INET_PRE_ROUTING, NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING};
        _cleanup_legacy_rules_ struct legacy_rules *rules = NULL;

        if (legacy_rules_read(family, table->name, &rules) < 0)
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
                struct obstacle_chain c = {
                        .family = family, .hook = hooks[i], .priority = table->priority, .legacy = true};
                struct attempt a = {.legacy = rules, .chain = &c, .way = w};

                if (!legacy_has(rules, c.hook))
                        continue;
                (void)snprintf(c.table, sizeof(c.table), "%s", table->name);
                (void)snprintf(c.name, sizeof(c.name), "%s", legacy_chain(c.hook));
                look(w);
                TRY(try_chain(&a, ret));
        }
        return NULL;
}

static err *find_legacy(struct way *w, char ***ret)
{
        for (unsigned i = 0; i < LINK_ADDRESSES; i++) {
                uint8_t family = i ? NFPROTO_IPV6 : NFPROTO_IPV4;
                unsigned present = w->network->pool[i].subnet.family ? legacy_tables_present(family) : 0;

                for (unsigned t = 0; t < LEGACY_TABLES; t++)
                        if (present & 1u << t)
                                TRY(find_in_legacy(w, family, &legacy_tables[t], ret));
        }
        return NULL;
}

static err *find(const struct network *n, unsigned first, char ***ret)
{
        struct way way = {.network = n, .first = first};
        struct search s = {.way = &way};
        err *e = find_nft(&s, ret);

        free(s.list);
        TRY(e);
        return find_legacy(&way, ret);
}

err *obstacles_find(const struct network *n, char ***ret)
{
        return find(n, 0, ret);
}

err *obstacles_find_published(const struct network *n, char ***ret)
{
        return find(n, OBSTACLE_PUBLISHED, ret);
}
