/* obstacle_text.c - what is said of a chain of others, and the commands that let our packets through it. */
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/lease.h"
#include "net/legacy.h"
#include "net/obstacle_private.h"
#include "sys/endpoint.h"

/* What rules that let packets through have to ask for: bits. */
enum {
        FROM_LINK = 1, /* from our bridge; in tables of bridges: from one of our ports */
        TO_LINK = 2,
        FROM_SUBNET = 4,
        TO_SUBNET = 8,
        TO_PORT = 16, /* the published one, which the reader is to fill in */
};

bool obstacle_is_early(const struct obstacle_chain *c)
{
        return c->hook == NF_INET_INGRESS || c->priority < NF_IP_PRI_NAT_DST;
}

bool obstacle_is_said(const struct obstacle_finding *f)
{
        for (unsigned k = 0; k < OBSTACLE_KINDS; k++)
                if (f->refused[k] && k != OBSTACLE_HOST)
                        return false;
        return strstr(f->verdict.path, " OUTPUT_dnat ") || strstr(f->verdict.path, " filter_OUTPUT_dnat ");
}

/* What is kept from us; owned. */
static char *effect(const struct obstacle_finding *f, const char *bridge)
{
        const bool *r = f->refused;
        const char *who = "";

        if (r[OBSTACLE_IN])
                who = r[OBSTACLE_HOST] ? "others and the host itself do not" : "others do not";
        else if (r[OBSTACLE_HOST])
                who = "the host itself does not";
        if (!r[OBSTACLE_OUT] && !r[OBSTACLE_WITHIN])
                return str_format("%s reach published ports of containers on %s", who, bridge);
        return str_format("containers on %s do not reach %s%s%s%s%s%s", bridge, r[OBSTACLE_OUT] ? "the world" : "",
                          r[OBSTACLE_OUT] && r[OBSTACLE_WITHIN] ? " and " : "", r[OBSTACLE_WITHIN] ? "each other" : "",
                          *who ? ", " : "", who, *who ? " reach their published ports" : "");
}

/* ---- commands ---- */

static unsigned conditions(const struct obstacle_chain *c, const struct obstacle_finding *f)
{
        const bool *r = f->refused;
        bool bridge = c->family == NFPROTO_BRIDGE, to_us = r[OBSTACLE_WITHIN] || r[OBSTACLE_IN] || r[OBSTACLE_HOST];
        unsigned published = obstacle_is_early(c) ? TO_PORT : TO_SUBNET;

        switch (c->hook) {
        case NF_INET_FORWARD:
                return bridge ? FROM_LINK : FROM_LINK | TO_LINK;
        case NF_INET_LOCAL_OUT:
                return bridge ? TO_LINK : published;
        case NF_INET_POST_ROUTING:
                return (r[OBSTACLE_OUT] ? FROM_SUBNET : 0) | (to_us ? TO_LINK : 0);
        default: /* before routing */
                return (r[OBSTACLE_OUT] || r[OBSTACLE_WITHIN] ? FROM_LINK : 0) | (r[OBSTACLE_IN] ? published : 0);
        }
}

static const char *family_name(const struct obstacle_chain *c)
{
        switch (c->family) {
        case NFPROTO_INET:
                return "inet";
        case NFPROTO_BRIDGE:
                return "bridge";
        case NFPROTO_NETDEV:
                return "netdev";
        default:
                return c->family == NFPROTO_IPV4 ? "ip" : "ip6";
        }
}

/* A chain that iptables made, or would make. */
static bool is_iptables(const struct obstacle_chain *c)
{
        if ((c->family != NFPROTO_IPV4 && c->family != NFPROTO_IPV6) || !str_eq(c->name, legacy_chain(c->hook)))
                return false;
        for (unsigned i = 0; i < LEGACY_TABLES; i++)
                if (str_eq(c->table, legacy_tables[i].name))
                        return true;
        return false;
}

static const char *iptables_program(const struct obstacle_chain *c)
{
        bool six = c->family == NFPROTO_IPV6;

        if (c->legacy)
                return six ? "ip6tables-legacy" : "iptables-legacy";
        return six ? "ip6tables" : "iptables";
}

/* Which subnets does a condition of the chain's rules have to name? */
static bool has_subnet(const struct obstacle_chain *c, const struct network *n, unsigned i)
{
        return n->pool[i].subnet.family && c->family != (i ? NFPROTO_IPV4 : NFPROTO_IPV6);
}

static char *iptables_command(const struct obstacle_chain *c, const char *option, const char *value)
{
        bool filter = str_eq(c->table, "filter");

        return str_format("%s %s%s%s-I %s %s %s -j ACCEPT", iptables_program(c), filter ? "" : "-t ",
                          filter ? "" : c->table, filter ? "" : " ", c->name, option, value);
}

static char *nft_command(const struct obstacle_chain *c, const char *what, const char *value)
{
        return str_format("nft insert rule %s %s %s %s %s accept", family_name(c), c->table, c->name, what, value);
}

static err *add_link(const struct obstacle_chain *c, const struct network *n, bool from, char ***ret)
{
        if (is_iptables(c))
                return strv_push(ret, iptables_command(c, from ? "-i" : "-o", n->link));
        if (c->family == NFPROTO_BRIDGE)
                return strv_push(ret, str_format("nft insert rule bridge %s %s '%s \"" LEASE_LINK "*\" accept'",
                                                 c->table, c->name, from ? "iifname" : "oifname"));
        return strv_push(ret, nft_command(c, from ? "iifname" : "oifname", n->link));
}

static err *add_subnets(const struct obstacle_chain *c, const struct network *n, bool from, char ***ret)
{
        static const char *const words[2][2] = {{"ip daddr", "ip saddr"}, {"ip6 daddr", "ip6 saddr"}};

        for (unsigned i = 0; i < LINK_ADDRESSES; i++) {
                char subnet[ENDPOINT_ADDRESS_MAX];

                if (!has_subnet(c, n, i))
                        continue;
                endpoint_address_text(&n->pool[i].subnet, true, subnet);
                TRY(strv_push(ret, is_iptables(c) ? iptables_command(c, from ? "-s" : "-d", subnet)
                                                  : nft_command(c, words[i][from], subnet)));
        }
        return NULL;
}

/* Commands that let our packets through the chain. */
static err *find_commands(const struct obstacle_chain *c, const struct obstacle_finding *f, const struct network *n,
                          char ***ret)
{
        unsigned which = conditions(c, f);

        for (unsigned from = FROM_LINK; from <= TO_LINK; from <<= 1)
                if (which & from)
                        TRY(add_link(c, n, from == FROM_LINK, ret));
        for (unsigned from = FROM_SUBNET; from <= TO_SUBNET; from <<= 1)
                if (which & from)
                        TRY(add_subnets(c, n, from == FROM_SUBNET, ret));
        if (which & TO_PORT)
                TRY(strv_push(ret, is_iptables(c) ? iptables_command(c, "-p tcp --dport", "PORT")
                                                  : nft_command(c, "tcp dport", "PORT")));
        return NULL;
}

static char *commands(const struct obstacle_chain *c, const struct obstacle_finding *f, const struct network *n)
{
        _cleanup_strv_ char **list = NULL;
        err *e = find_commands(c, f, n, &list);

        if (e) {
                err_free(e);
                return NULL;
        }
        return strv_join(list, "; ");
}

/* ---- whose it is ---- */

/* Beside docker, what is for its networks is still docker's to judge. */
static char *docker_advice(const char *program, const char *bridge)
{
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
static char *say_firewalld(const struct obstacle_finding *f, const char *bridge, const char *zone)
{
        static const char *const lax = "sed -i s/^StrictForwardPorts=.*/StrictForwardPorts=no/ "
                                       "/etc/firewalld/firewalld.conf; firewall-cmd --reload";
        _cleanup_free_ char *what = effect(f, bridge);
        bool in = f->refused[OBSTACLE_IN];

        if (!what)
                return NULL;
        if (!f->refused[OBSTACLE_OUT] && !f->refused[OBSTACLE_WITHIN])
                return str_format(
                        "firewalld rejects it (StrictForwardPorts, also from the host itself): %s; to allow it: "
                        "%s",
                        what, lax);
        return str_format(
                "firewalld, where %s is in zone %s, rejects it%s: %s; to allow it: firewall-cmd --zone=trusted "
                "--change-interface=%s; firewall-cmd --permanent --zone=trusted --change-interface=%s%s%s",
                bridge, zone, in ? " (published ports by StrictForwardPorts, also from the host itself)" : "", what,
                bridge, bridge, in ? "; " : "", in ? lax : "");
}

/* A chain of iptables' own; ufw's commands are kept over a reboot. */
static char *say_iptables(const struct obstacle_chain *c, const struct obstacle_finding *f, const struct network *n,
                          const char *how)
{
        const char *program = iptables_program(c), *bridge = n->link, *path = f->verdict.path;
        bool six = c->family == NFPROTO_IPV6, docker = strstr(path, " DOCKER-USER "),
             ufw = strstr(path, six ? " ufw6-before-forward " : " ufw-before-forward ");
        const char *who = docker ? ", docker's," : ufw ? ", ufw's," : "";
        _cleanup_free_ char *advice = NULL, *what = effect(f, bridge);

        if (docker)
                advice = docker_advice(program, bridge);
        else if (ufw)
                advice = str_format("ufw route allow in on %s; ufw route allow out on %s", bridge, bridge);
        else
                advice = commands(c, f, n);
        if (!advice || !what)
                return NULL;
        if (c->legacy && str_eq(c->table, "filter"))
                return str_format("chain %s of %s%s %s: %s; to allow it: %s", c->name, program, who, how, what, advice);
        if (c->legacy)
                return str_format("chain %s of table %s of %s %s: %s; to allow it: %s", c->name, c->table, program, how,
                                  what, advice);
        return str_format("chain %s of table %s %s%s %s: %s; to allow it: %s", c->name, six ? "ip6" : "ip", c->table,
                          who, how, what, advice);
}

char *obstacle_text(const struct obstacle_chain *c, const struct obstacle_finding *f, const struct network *n)
{
        bool iptables = is_iptables(c), firewalld = str_eq(c->table, "firewalld");
        _cleanup_free_ char *how = NULL, *what = NULL, *advice = NULL;
        char zone[64] = "?";

        if (c->hook == NF_INET_FORWARD && (firewalld || iptables) && (firewalld_zone(&f->verdict, zone) || firewalld))
                return say_firewalld(f, n->link, zone);
        how = f->verdict.policy ? str_format("has the policy %s", iptables ? "DROP" : "drop")
                                : str_format("refuses it by a rule of chain %s", f->verdict.chain);
        if (!how)
                return NULL;
        if (iptables)
                return say_iptables(c, f, n, how);
        what = effect(f, n->link);
        advice = commands(c, f, n);
        if (!what || !advice)
                return NULL;
        return str_format("chain %s of table %s %s %s: %s; to allow it: %s", c->name, family_name(c), c->table, how,
                          what, advice);
}
