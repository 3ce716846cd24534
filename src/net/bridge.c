/* bridge.c - see bridge.h. */
#include "net/bridge.h"

#include <errno.h>
#include <fcntl.h>
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
        (void)snprintf(ret, LINK_ALIAS_MAX + 1, "hod network %s", n->id);
}

static void warn(const struct network *n)
{
        _cleanup_strv_ char **found = NULL;

        log_error_free(LOG_LEVEL_WARN, obstacles_find(n, &found));
        for (char **text = found; text && *text; text++)
                log_warn("network %s: %s", n->name, *text);
}

/* Setting up comes last: whoever finds the bridge up finds everything done, however we end. */
static err *make(const struct network *n, int fd)
{
        struct link_bridge b = {.name = n->link, .mtu = n->mtu, .ipv6 = has_ipv6(n)};
        char alias[LINK_ALIAS_MAX + 1];

        mark(n, alias);
        b.alias = alias;
        for (unsigned i = 0; i < LINK_ADDRESSES; i++) {
                _cleanup_free_ char *owner = NULL;

                if (!n->pool[i].subnet.family)
                        continue;
                if (i || !n->inhibit_ipv4)
                        b.address[i] = n->pool[i].gateway;
                TRY(link_route_overlaps(fd, &n->pool[i].subnet, n->link, &owner));
                if (owner)
                        log_warn("network %s: its subnet overlaps a route of the host by %s", n->name, owner);
        }
        TRY(link_bridge_make(fd, &b));
        TRY(set_host(n));
        TRY(link_bridge_up(fd, &b));
        if (!n->internal)
                warn(n);
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

err *bridge_up(const struct network *n, bool *ret_lost)
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
        return up ? NULL : make(n, fd);
}

err *bridge_restore(const struct network *n, bool *ret_made)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        _cleanup_firewall_ struct firewall *f = NULL;
        struct firewall_network rules;

        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        network_firewall(n, &rules);
        TRY(firewall_open(&f));
        TRY(firewall_network_add(f, &rules));
        *ret_made = link_bridge_is_up(fd, n->link) != 1;
        return *ret_made ? make(n, fd) : set_host(n);
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

err *bridge_allow_loopback(const struct network *n)
{
        return set("ipv4/conf/%s/route_localnet", n->link, "1", true);
}
