/* obstacle.c - see obstacle.h. */
#include "net/obstacle.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_IP /* <netinet/in.h> has what the kernel's headers above have, too */
#define SOL_IP 0
#endif
#ifndef SOL_IPV6
#define SOL_IPV6 41
#endif

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/firewall_private.h"
#include "sys/netlink.h"

#define NAMES_MAX 4096
#define CHAINS 32
#define EFFECT "containers on %s reach the world, and others their published ports, only if a rule of it lets them"

struct chain {
        uint8_t family;
        char table[64], name[64];
};

struct search {
        const struct network *network;
        struct chain list[CHAINS];
        size_t n;
        bool found;
};

/* Is the interface in there, or "hod*"? */
static bool names(const void *data, size_t size, const char *bridge)
{
        return memmem(data, size, bridge, strlen(bridge)) ||
               (str_starts(bridge, "hod") && memmem(data, size, "hod", 3));
}

static bool copy_text(const void *all, size_t size, unsigned type, char ret[64])
{
        size_t n;
        const char *text = netlink_attribute(all, size, type, &n);

        if (!text || !n || n > 64 || text[n - 1])
                return false;
        memcpy(ret, text, n);
        return true;
}

static uint32_t number(const void *all, size_t size, unsigned type, uint32_t otherwise)
{
        uint32_t value;
        size_t n;
        const void *p = netlink_attribute(all, size, type, &n);

        if (!p || n != sizeof(value))
                return otherwise;
        memcpy(&value, p, n);
        return be32toh(value);
}

/* firewalld rejects by its last rule. */
static bool is_firewalld(const struct chain *c)
{
        return str_eq(c->table, "firewalld") && str_starts(c->name, "filter_FORWARD");
}

static int take_chain(const struct nlmsghdr *h, void *arg)
{
        const struct nfgenmsg *m = NLMSG_DATA(h);
        struct chain c = {.family = m->nfgen_family};
        struct search *s = arg;
        size_t size, n;
        const void *all = netlink_attributes(h, sizeof(*m), &size), *hook;

        if (c.family != NFPROTO_INET && !(c.family == NFPROTO_IPV4 && s->network->pool[0].subnet.family) &&
            !(c.family == NFPROTO_IPV6 && s->network->pool[1].subnet.family))
                return 0;
        hook = netlink_attribute(all, size, NFTA_CHAIN_HOOK, &n);
        if (!hook || number(hook, n, NFTA_HOOK_HOOKNUM, 99) != NF_INET_FORWARD || s->n == CHAINS)
                return 0;
        if (!copy_text(all, size, NFTA_CHAIN_TABLE, c.table) || !copy_text(all, size, NFTA_CHAIN_NAME, c.name) ||
            str_eq(c.table, FIREWALL_TABLE))
                return 0;
        if (number(all, size, NFTA_CHAIN_POLICY, NF_ACCEPT) == NF_DROP || is_firewalld(&c))
                s->list[s->n++] = c;
        return 0;
}

static int take_rule(const struct nlmsghdr *h, void *arg)
{
        struct search *s = arg;

        s->found |= names(h, h->nlmsg_len, s->network->link);
        return 0;
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

static err *say_chain(const struct chain *c, const char *bridge, bool docker, char ***ret)
{
        const char *family = c->family == NFPROTO_INET ? "inet" : c->family == NFPROTO_IPV4 ? "ip" : "ip6";
        _cleanup_free_ char *advice = NULL;

        if (is_firewalld(c))
                return strv_push(ret, str_format("firewalld rejects what it does not know: " EFFECT "; to allow it: "
                                                 "firewall-cmd --zone=trusted --add-interface=%s",
                                                 bridge, bridge));
        if (c->family != NFPROTO_INET && str_eq(c->table, "filter") && str_eq(c->name, "FORWARD")) {
                advice = iptables_advice(c->family == NFPROTO_IPV6 ? "ip6tables" : "iptables", bridge, docker);
                return strv_push(ret, str_format("chain FORWARD of table %s filter%s has the policy DROP: " EFFECT
                                                 "; to allow it: %s",
                                                 family, docker ? ", docker's," : "", bridge, advice ? advice : ""));
        }
        return strv_push(ret, str_format("chain %s of table %s %s has the policy drop: " EFFECT
                                         "; to allow it: nft insert rule %s %s %s iifname %s accept; "
                                         "nft insert rule %s %s %s oifname %s accept",
                                         c->name, family, c->table, bridge, family, c->table, c->name, bridge, family,
                                         c->table, c->name, bridge));
}

static int take_docker(const struct nlmsghdr *h, void *arg)
{
        struct search *s = arg;
        size_t size;
        const void *all = netlink_attributes(h, sizeof(struct nfgenmsg), &size);
        char name[64] = "";

        s->found |= copy_text(all, size, NFTA_CHAIN_NAME, name) && str_eq(name, "DOCKER-USER");
        return 0;
}

static err *find_nft(const struct network *network, char ***ret)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_NETFILTER);
        struct search s = {.network = network};
        bool docker;

        if (fd < 0 || nft_dump(fd, NFPROTO_UNSPEC, NFT_MSG_GETCHAIN, 0, NULL, take_chain, &s) < 0 || !s.n)
                return NULL;
        (void)nft_dump(fd, NFPROTO_UNSPEC, NFT_MSG_GETCHAIN, 0, NULL, take_docker, &s);
        docker = s.found;
        for (size_t i = 0; i < s.n; i++) {
                s.found = false;
                (void)nft_dump(fd, s.list[i].family, NFT_MSG_GETRULE, NFTA_RULE_TABLE, s.list[i].table, take_rule, &s);
                if (!s.found)
                        TRY(say_chain(&s.list[i], network->link, docker, ret));
        }
        return NULL;
}

/* ---- iptables-legacy ---- */

/* Asked for by name, a table that is not there would be made. */
static bool has_table(const char *list)
{
        _cleanup_free_ char *text = NULL;

        if (file_read(AT_FDCWD, list, NAMES_MAX, &text, NULL) < 0)
                return false;
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
                if (str_eq(line, "filter"))
                        return true;
        return false;
}

/* Both families have the same layout but for the entry's head. */
static bool forward_drops(const char *entries, size_t size, unsigned at, size_t head, const char *bridge)
{
        struct xt_standard_target t;

        if (at + head + sizeof(t) > size)
                return false;
        memcpy(&t, entries + at + head, sizeof(t)); /* a policy has no matches before its target */
        return t.verdict == -NF_DROP - 1 && !names(entries, size, bridge);
}

/* iptables and ip6tables ask with the same numbers and structures; what differs is in here. */
struct legacy {
        int domain, level;
        size_t entry_head;
};
static const struct legacy legacy4 = {AF_INET, SOL_IP, sizeof(struct ipt_entry)};
static const struct legacy legacy6 = {AF_INET6, SOL_IPV6, sizeof(struct ip6t_entry)};
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo) &&
                       offsetof(struct ipt_get_entries, entrytable) == offsetof(struct ip6t_get_entries, entrytable),
               "one layout for both families");

static bool legacy_drops(const struct legacy *l, const char *bridge)
{
        _cleanup_close_ int s = socket(l->domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        struct ipt_getinfo info = {.name = "filter"};
        _cleanup_free_ struct ipt_get_entries *all = NULL;
        socklen_t size = sizeof(info);

        if (s < 0 || getsockopt(s, l->level, IPT_SO_GET_INFO, &info, &size) < 0)
                return false;
        size = (socklen_t)(sizeof(*all) + info.size);
        all = calloc(1, size);
        if (!all)
                return false;
        memcpy(all->name, "filter", sizeof("filter"));
        all->size = info.size;
        return getsockopt(s, l->level, IPT_SO_GET_ENTRIES, all, &size) == 0 &&
               forward_drops((const char *)all->entrytable, info.size, info.underflow[NF_INET_FORWARD], l->entry_head,
                             bridge);
}

static err *say_legacy(const char *program, const char *bridge, char ***ret)
{
        _cleanup_free_ char *advice = iptables_advice(program, bridge, false);

        return strv_push(ret, str_format("chain FORWARD of %s has the policy DROP: " EFFECT "; to allow it: %s",
                                         program, bridge, advice ? advice : ""));
}

err *obstacles_find(const struct network *n, char ***ret)
{
        TRY(find_nft(n, ret));
        if (n->pool[0].subnet.family && has_table("/proc/net/ip_tables_names") && legacy_drops(&legacy4, n->link))
                TRY(say_legacy("iptables-legacy", n->link, ret));
        if (n->pool[1].subnet.family && has_table("/proc/net/ip6_tables_names") && legacy_drops(&legacy6, n->link))
                TRY(say_legacy("ip6tables-legacy", n->link, ret));
        return NULL;
}
