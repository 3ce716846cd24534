/* bridge.c - see bridge.h. */
#include "net/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "net/firewall.h"
#include "net/guard.h"
#include "net/obstacle.h"
#include "sys/link.h"
#include "sys/netlink.h"

#define MARK LINK_MARK "%.64s"
#define TRIES 8

/* @key below /proc/sys/net; @link becomes the %s in it. A kernel without IPv6 has not all of them. */
static err *set(const char *key, const char *link, const char *value, bool needed)
{
        char path[128];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/sys/net/");
        (void)snprintf(path + strlen(path), sizeof(path) - strlen(path), key, link);
        r = file_put(AT_FDCWD, path, value);
        return r < 0 && needed ? err_sys(-r, "setting %s to %s", path, value) : NULL;
}

/* Has the host? */
static bool has_ipv6(const struct network *n)
{
        return n->pool[1].subnet.family != 0 && !n->isolated[1];
}

/* What docker switches on, too: without it nothing is routed between a bridge and the world. Router advertisements that
 * a container sends are not for the host. */
static err *set_host(const struct network *n)
{
        TRY(set("ipv4/ip_forward%s", "", "1", true));
        TRY(set("ipv6/conf/%s/accept_ra", n->link, "0", false));
        TRY(set("ipv6/conf/%s/accept_dad", n->link, "0", false)); /* whoever asks a neighbour may not wait for it */
        TRY(set("ipv6/conf/%s/disable_ipv6", n->link, has_ipv6(n) ? "0" : "1", false));
        if (has_ipv6(n))
                TRY(set("ipv6/conf/all/forwarding%s", "", "1", true));
        return NULL;
}

static void mark(const struct network *n, char ret[LINK_ALIAS_MAX + 1])
{
        (void)snprintf(ret, LINK_ALIAS_MAX + 1, MARK, n->id);
}

static void warn(const struct network *n, err *find(const struct network *, char ***))
{
        _cleanup_strv_ char **found = NULL;

        log_error_free(LOG_LEVEL_WARN, find(n, &found));
        for (char **text = found; text && *text; text++)
                log_warn("network %s: %s", n->name, *text);
}

/* What we make of it; @alias gets its mark. */
static struct link_bridge describe(const struct network *n, char alias[LINK_ALIAS_MAX + 1])
{
        struct link_bridge b = {.name = n->link, .mtu = n->mtu, .ipv6 = has_ipv6(n), .alias = alias};

        mark(n, alias);
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (n->pool[i].subnet.family && (i || !n->inhibit_ipv4))
                        b.address[i] = n->pool[i].gateway;
        return b;
}

/* Setting up comes last: whoever finds the bridge up finds everything done, however we end. */
static err *make(const struct network *n, int fd)
{
        char alias[LINK_ALIAS_MAX + 1];
        struct link_bridge b = describe(n, alias);
        const char *unguarded;

        for (unsigned i = 0; i < LINK_ADDRESSES; i++) {
                _cleanup_free_ char *owner = NULL;

                if (!n->pool[i].subnet.family)
                        continue;
                TRY(link_route_overlaps(fd, &n->pool[i].subnet, n->link, &owner));
                if (owner)
                        log_warn("network %s: its subnet overlaps a route of the host by %s", n->name, owner);
        }
        TRY(link_bridge_make(fd, &b));
        TRY(set_host(n));
        TRY(link_bridge_up(fd, &b));
        unguarded = n->guard ? guard_obstacle() : NULL;
        if (unguarded)
                log_warn("network %s: %s", n->name, unguarded);
        warn(n, obstacles_find);
        return NULL;
}

err *bridge_check(const struct network *n)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        int r = fd < 0 ? fd : link_is_bridge(fd, n->link);

        if (r == 0)
                return err_new(ERR_CONFLICT, "the name %s belongs to a network device that is no bridge", n->link);
        return r < 0 && r != -ENODEV ? err_sys(-r, "looking for bridge %s", n->link) : NULL;
}

err *bridge_up(const struct network *n, bool *ret_lost, bool *ret_made)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        _cleanup_firewall_ struct firewall *f = NULL;
        struct firewall_network rules;
        bool known, up;

        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        /* The rules first: nothing is connected before it is protected. */
        network_firewall(n, &rules);
        TRY(firewall_open(&f));
        TRY(firewall_network_known(f, &rules, &known));
        if (!known)
                TRY(firewall_network_add(f, &rules));
        up = link_bridge_is_up(fd, n->link) == 1;
        *ret_lost = !known && up;
        *ret_made = !up;
        return up ? NULL : make(n, fd);
}

err *bridge_restore(const struct network *n)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        _cleanup_firewall_ struct firewall *f = NULL;
        struct firewall_network rules;
        char alias[LINK_ALIAS_MAX + 1];
        struct link_bridge b = describe(n, alias);

        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        network_firewall(n, &rules);
        TRY(firewall_open(&f));
        TRY(firewall_network_add(f, &rules));
        if (link_bridge_is_up(fd, n->link) != 1)
                return make(n, fd);
        TRY(set_host(n));
        return link_has_alias(fd, n->link, alias) == 1 ? link_bridge_up(fd, &b) : NULL;
}

err *bridge_down(const struct network *n)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        _cleanup_firewall_ struct firewall *f = NULL;
        struct firewall_network rules;
        char alias[LINK_ALIAS_MAX + 1];

        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        mark(n, alias);
        TRY(link_bridge_remove(fd, n->link, alias));
        network_firewall(n, &rules);
        TRY(firewall_open(&f));
        TRY(firewall_network_remove(f, &rules));
        TRY(guard_remove_bridge(n->link, rules.gateway));
        return firewall_remove_idle(f);
}

/* ---- one whose document is lost ---- */

struct search {
        char alias[LINK_ALIAS_MAX + 1], name[LINK_NAME_MAX + 1];
        int index;
        struct link_address address[LINK_ADDRESSES];
};

static int take_link(const struct nlmsghdr *h, void *arg)
{
        const struct ifinfomsg *m = NLMSG_DATA(h);
        struct search *s = arg;
        const char *alias, *name;
        size_t size, n, n_name;
        const void *all;

        if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
                return 0;
        all = netlink_attributes(h, sizeof(*m), &size);
        alias = netlink_attribute(all, size, IFLA_IFALIAS, &n);
        name = netlink_attribute(all, size, IFLA_IFNAME, &n_name);
        if (!alias || !name || n_name > sizeof(s->name) || strncmp(alias, s->alias, n) != 0 || n < strlen(s->alias))
                return 0;
        memcpy(s->name, name, n_name);
        s->index = m->ifi_index;
        return 0;
}

static int take_address(const struct nlmsghdr *h, void *arg)
{
        const struct ifaddrmsg *m = NLMSG_DATA(h);
        struct search *s = arg;
        struct link_address *a;
        size_t size, n;
        const void *all, *data;

        if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || (int)m->ifa_index != s->index ||
            m->ifa_scope != RT_SCOPE_UNIVERSE)
                return 0;
        all = netlink_attributes(h, sizeof(*m), &size);
        data = netlink_attribute(all, size, IFA_ADDRESS, &n);
        a = &s->address[m->ifa_family == AF_INET ? 0 : 1];
        if (!data || n > sizeof(a->data))
                return 0;
        a->family = m->ifa_family;
        a->prefix = m->ifa_prefixlen;
        memcpy(a->data, data, n);
        return 0;
}

static err *ask_all(int fd, unsigned type, netlink_fn *fn, struct search *s)
{
        int r = -EAGAIN;

        for (unsigned i = 0; i < TRIES && r == -EAGAIN; i++) {
                _cleanup_netbuf_ struct netbuf b = {0};
                const struct ifinfomsg any = {0}; /* longer than what asks for addresses: zeros */

                netbuf_begin(&b, type, NLM_F_DUMP, &any, sizeof(any));
                r = netlink_ask(fd, &b, fn, s);
        }
        return r < 0 ? err_sys(-r, "reading the host's network devices") : NULL;
}

err *bridge_find(const char *id, char ret_name[LINK_NAME_MAX + 1], struct link_address ret[LINK_ADDRESSES])
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        struct search s = {.index = -1};

        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        (void)snprintf(s.alias, sizeof(s.alias), MARK, id);
        TRY(ask_all(fd, RTM_GETLINK, take_link, &s));
        if (s.index < 0)
                return err_new(ERR_NOT_FOUND, "there is no bridge of network %.12s", id);
        TRY(ask_all(fd, RTM_GETADDR, take_address, &s));
        memcpy(ret_name, s.name, sizeof(s.name));
        memcpy(ret, s.address, sizeof(s.address));
        return NULL;
}

err *bridge_allow_loopback(const struct network *n)
{
        return set("ipv4/conf/%s/route_localnet", n->link, "1", true);
}

void bridge_warn_published(const struct network *n)
{
        warn(n, obstacles_find_published);
}
