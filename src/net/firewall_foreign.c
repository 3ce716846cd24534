/* firewall_foreign.c - what others' rules do to our packets: a chain of theirs that drops wins over ours that accepts.
 * Their tables are not touched; who starts a container is told what is in its way and what would allow it. */
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "net/firewall_private.h"
#include "sys/netlink.h"

#define NAME_MAX_SIZE 64 /* of a table or chain that we talk about; nft allows more */

/* A chain of the hook forward whose policy is to drop, of one family. */
struct foreign {
        uint8_t family;
        bool docker; /* there is a chain for the administrator's own rules, which is looked at first */
        char table[NAME_MAX_SIZE], chain[NAME_MAX_SIZE];
};

struct search {
        struct foreign ip, ip6, inet;
};

static bool text_of(const void *all, size_t size, unsigned type, char ret[NAME_MAX_SIZE])
{
        size_t n;
        const char *value = netlink_attribute(all, size, type, &n);

        if (!value || !n || n > NAME_MAX_SIZE || value[n - 1])
                return false;
        memcpy(ret, value, n);
        return true;
}

static bool number_is(const void *all, size_t size, unsigned type, uint32_t wanted)
{
        uint32_t value;
        size_t n;
        const void *at = netlink_attribute(all, size, type, &n);

        if (!at || n != sizeof(value))
                return false;
        memcpy(&value, at, n);
        return be32toh(value) == wanted;
}

static int take_chain(const struct nlmsghdr *h, void *arg)
{
        struct search *s = arg;
        size_t size, n;
        const void *all = netlink_attributes(h, sizeof(struct nfgenmsg), &size), *hook;
        uint8_t family = ((const struct nfgenmsg *)NLMSG_DATA(h))->nfgen_family;
        struct foreign *f = family == NFPROTO_IPV4   ? &s->ip
                            : family == NFPROTO_IPV6 ? &s->ip6
                            : family == NFPROTO_INET ? &s->inet
                                                     : NULL;
        char table[NAME_MAX_SIZE], chain[NAME_MAX_SIZE];

        if (!f || !all || !text_of(all, size, NFTA_CHAIN_TABLE, table) || !text_of(all, size, NFTA_CHAIN_NAME, chain) ||
            str_eq(table, FIREWALL_TABLE))
                return 0;
        f->docker |= str_eq(table, "filter") && str_eq(chain, "DOCKER-USER");
        hook = netlink_attribute(all, size, NFTA_CHAIN_HOOK, &n);
        if (!hook || !number_is(hook, n, NFTA_HOOK_HOOKNUM, NF_INET_FORWARD) ||
            !number_is(all, size, NFTA_CHAIN_POLICY, NF_DROP))
                return 0;
        f->family = family;
        memcpy(f->table, table, sizeof(table));
        memcpy(f->chain, chain, sizeof(chain));
        return 0;
}

struct mention {
        const char *name;
        bool found;
};

static int take_rule(const struct nlmsghdr *h, void *arg)
{
        struct mention *m = arg;

        m->found |= memmem(h, h->nlmsg_len, m->name, strlen(m->name) + 1) != NULL;
        return 0;
}

/* Somebody who names our bridge in that table has decided what is to happen to it. */
static bool is_mentioned(const struct firewall *f, const struct foreign *x, const char *bridge)
{
        struct mention m = {.name = bridge};

        return nft_dump(f->fd, x->family, NFT_MSG_GETRULE, NFTA_RULE_TABLE, x->table, take_rule, &m) < 0 || m.found;
}

static const char *family_name(const struct foreign *x)
{
        return x->family == NFPROTO_IPV4 ? "ip" : x->family == NFPROTO_IPV6 ? "ip6" : "inet";
}

/* Commands that let the bridge's packets through: what is for other networks of docker is still docker's to judge. */
static char *advice(const struct foreign *x, const char *bridge)
{
        const char *tool = x->family == NFPROTO_IPV4 ? "iptables" : "ip6tables";

        if (x->family == NFPROTO_INET || !str_eq(x->table, "filter"))
                return str_format(
                        "nft insert rule %s %s %s iifname %s accept; nft insert rule %s %s %s oifname %s accept",
                        family_name(x), x->table, x->chain, bridge, family_name(x), x->table, x->chain, bridge);
        if (!x->docker)
                return str_format("%s -I %s -i %s -j ACCEPT; %s -I %s -o %s -j ACCEPT", tool, x->chain, bridge, tool,
                                  x->chain, bridge);
        return str_format("%s -I DOCKER-USER -i %s -j ACCEPT; %s -I DOCKER-USER -i %s -o br-+ -j RETURN; "
                          "%s -I DOCKER-USER -i %s -o docker+ -j RETURN; %s -I DOCKER-USER -o %s -j ACCEPT",
                          tool, bridge, tool, bridge, tool, bridge, tool, bridge);
}

static void warn(const struct firewall *f, const struct foreign *x, const char *bridge)
{
        _cleanup_free_ char *text = NULL;

        if (!x->family || is_mentioned(f, x, bridge))
                return;
        text = advice(x, bridge);
        log_warn("the host's firewall drops what passes through bridge %s (policy of chain %s, table %s %s)%s%s",
                 bridge, x->chain, family_name(x), x->table, text ? "; to allow it: " : "", text ? text : "");
}

void firewall_warn(const struct firewall *f, const struct firewall_network *net)
{
        struct search s = {0};

        if (nft_dump(f->fd, NFPROTO_UNSPEC, NFT_MSG_GETCHAIN, 0, NULL, take_chain, &s) < 0)
                return; /* changed while we asked: the next start asks again */
        if (net->subnet[0].family)
                warn(f, &s.ip, net->bridge);
        if (net->subnet[1].family)
                warn(f, &s.ip6, net->bridge);
        warn(f, &s.inet, net->bridge);
}
