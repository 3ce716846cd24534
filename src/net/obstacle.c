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
#include "sys/netlink.h"

#define NAMES_MAX 4096
#define CHAINS 32
#define EFFECT "containers on %s reach the world, and others their published ports, only if a rule of it lets them"

struct chain {
        uint8_t family;
        char table[64], name[64];
};

struct search {
        const char *bridge;
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

        if (c.family != NFPROTO_IPV4 && c.family != NFPROTO_IPV6 && c.family != NFPROTO_INET)
                return 0;
        hook = netlink_attribute(all, size, NFTA_CHAIN_HOOK, &n);
        if (!hook || number(hook, n, NFTA_HOOK_HOOKNUM, 99) != NF_INET_FORWARD || s->n == CHAINS)
                return 0;
        if (!copy_text(all, size, NFTA_CHAIN_TABLE, c.table) || !copy_text(all, size, NFTA_CHAIN_NAME, c.name))
                return 0;
        if (number(all, size, NFTA_CHAIN_POLICY, NF_ACCEPT) == NF_DROP || is_firewalld(&c))
                s->list[s->n++] = c;
        return 0;
}

static int take_rule(const struct nlmsghdr *h, void *arg)
{
        struct search *s = arg;

        s->found |= names(h, h->nlmsg_len, s->bridge);
        return 0;
}

static int ask(int fd, unsigned type, uint8_t family, const char *table, netlink_fn *fn, struct search *s)
{
        struct nfgenmsg head = {.nfgen_family = family, .version = NFNETLINK_V0};
        _cleanup_netbuf_ struct netbuf b = {0};

        netbuf_begin(&b, (NFNL_SUBSYS_NFTABLES << 8) | type, NLM_F_DUMP, &head, sizeof(head));
        if (table)
                netbuf_add_str(&b, NFTA_RULE_TABLE, table);
        return netlink_ask(fd, &b, fn, s);
}

static err *say_chain(const struct chain *c, const char *bridge, bool docker, char ***ret)
{
        const char *family = c->family == NFPROTO_INET ? "inet" : c->family == NFPROTO_IPV4 ? "ip" : "ip6";
        const char *program = c->family == NFPROTO_IPV6 ? "ip6tables" : "iptables";
        const char *chain = docker ? "DOCKER-USER" : "FORWARD";

        if (is_firewalld(c))
                return strv_push(ret, str_format("firewalld rejects what it does not know: " EFFECT
                                                 " (firewall-cmd --zone=trusted --add-interface=%s)",
                                                 bridge, bridge));
        if (str_eq(c->table, "filter") && str_eq(c->name, "FORWARD"))
                return strv_push(ret, str_format("chain FORWARD of table %s filter%s has the policy DROP: " EFFECT
                                                 " (%s -I %s -i %s -j ACCEPT; %s -I %s -o %s -j ACCEPT)",
                                                 family, docker ? ", docker's," : "", bridge, program, chain, bridge,
                                                 program, chain, bridge));
        return strv_push(ret, str_format("chain %s of table %s %s has the policy drop: " EFFECT
                                         " (nft insert rule %s %s %s iifname %s accept, and the same with oifname)",
                                         c->name, family, c->table, bridge, family, c->table, c->name, bridge));
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

static err *find_nft(const char *bridge, char ***ret)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_NETFILTER);
        struct search s = {.bridge = bridge};
        bool docker;

        if (fd < 0 || ask(fd, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NULL, take_chain, &s) < 0 || !s.n)
                return NULL;
        (void)ask(fd, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NULL, take_docker, &s);
        docker = s.found;
        for (size_t i = 0; i < s.n; i++) {
                s.found = false;
                (void)ask(fd, NFT_MSG_GETRULE, s.list[i].family, s.list[i].table, take_rule, &s);
                if (!s.found)
                        TRY(say_chain(&s.list[i], bridge, docker, ret));
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

static bool legacy4(const char *bridge)
{
        _cleanup_close_ int s = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        struct ipt_getinfo info = {.name = "filter"};
        _cleanup_free_ struct ipt_get_entries *all = NULL;
        socklen_t size = sizeof(info);

        if (s < 0 || getsockopt(s, SOL_IP, IPT_SO_GET_INFO, &info, &size) < 0)
                return false;
        size = (socklen_t)(sizeof(*all) + info.size);
        all = calloc(1, size);
        if (!all)
                return false;
        memcpy(all->name, "filter", sizeof("filter"));
        all->size = info.size;
        return getsockopt(s, SOL_IP, IPT_SO_GET_ENTRIES, all, &size) == 0 &&
               forward_drops((const char *)all->entrytable, info.size, info.underflow[NF_INET_FORWARD],
                             sizeof(struct ipt_entry), bridge);
}

static bool legacy6(const char *bridge)
{
        _cleanup_close_ int s = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        struct ip6t_getinfo info = {.name = "filter"};
        _cleanup_free_ struct ip6t_get_entries *all = NULL;
        socklen_t size = sizeof(info);

        if (s < 0 || getsockopt(s, SOL_IPV6, IP6T_SO_GET_INFO, &info, &size) < 0)
                return false;
        size = (socklen_t)(sizeof(*all) + info.size);
        all = calloc(1, size);
        if (!all)
                return false;
        memcpy(all->name, "filter", sizeof("filter"));
        all->size = info.size;
        return getsockopt(s, SOL_IPV6, IP6T_SO_GET_ENTRIES, all, &size) == 0 &&
               forward_drops((const char *)all->entrytable, info.size, info.underflow[NF_INET_FORWARD],
                             sizeof(struct ip6t_entry), bridge);
}

static err *say_legacy(const char *program, const char *bridge, char ***ret)
{
        return strv_push(ret, str_format("chain FORWARD of %s has the policy DROP: " EFFECT
                                         " (%s -I FORWARD -i %s -j ACCEPT; %s -I FORWARD -o %s -j ACCEPT)",
                                         program, bridge, program, bridge, program, bridge));
}

err *obstacles_find(const char *bridge, char ***ret)
{
        TRY(find_nft(bridge, ret));
        if (has_table("/proc/net/ip_tables_names") && legacy4(bridge))
                TRY(say_legacy("iptables-legacy", bridge, ret));
        if (has_table("/proc/net/ip6_tables_names") && legacy6(bridge))
                TRY(say_legacy("ip6tables-legacy", bridge, ret));
        return NULL;
}
