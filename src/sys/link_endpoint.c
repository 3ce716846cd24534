/* link_endpoint.c - the veth pair between a bridge and a container, and its end on the bridge. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/link_private.h"

static void add_device(struct netbuf *b, const char *name, const struct link_endpoint *e, int ns)
{
        netbuf_add_str(b, IFLA_IFNAME, name);
        netbuf_add(b, IFLA_ADDRESS, e->mac, sizeof(e->mac));
        if (e->mtu)
                netbuf_add_u32(b, IFLA_MTU, e->mtu);
        netbuf_add_u32(b, IFLA_NET_NS_FD, (uint32_t)ns);
}

static int make_pair(int host, int ns, const struct link_endpoint *e)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        struct ifinfomsg m = {0};
        size_t info, data, peer;
        unsigned char mac[6];

        link_port_address(e->host_name, mac);
        netbuf_begin(&b, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
        netbuf_add_str(&b, IFLA_IFNAME, e->host_name);
        netbuf_add(&b, IFLA_ADDRESS, mac, sizeof(mac));
        if (e->mtu)
                netbuf_add_u32(&b, IFLA_MTU, e->mtu);
        netbuf_add_u32(&b, IFLA_MASTER, (uint32_t)e->bridge);
        info = netbuf_open(&b, IFLA_LINKINFO);
        netbuf_add_str(&b, IFLA_INFO_KIND, "veth");
        data = netbuf_open(&b, IFLA_INFO_DATA);
        peer = netbuf_open(&b, VETH_INFO_PEER);
        netbuf_add_raw(&b, &m, sizeof(m));
        add_device(&b, e->name, e, ns);
        netbuf_close(&b, peer);
        netbuf_close(&b, data);
        netbuf_close(&b, info);
        return netlink_send(host, &b, NULL);
}

/* Its properties as a port of a bridge. */
static void add_port(struct netbuf *b, int index, bool isolated, bool hairpin)
{
        struct ifinfomsg m = {.ifi_family = AF_BRIDGE, .ifi_index = index};
        size_t port;

        netbuf_begin(b, RTM_SETLINK, NLM_F_ACK, &m, sizeof(m));
        port = netbuf_open(b, IFLA_PROTINFO);
        if (isolated)
                netbuf_add_u8(b, IFLA_BRPORT_ISOLATED, 1);
        if (hairpin)
                netbuf_add_u8(b, IFLA_BRPORT_MODE, 1);
        netbuf_close(b, port);
}

/* The host's end: quiet, on the bridge, up. */
static int furnish_port(int host, const struct link_endpoint *e)
{
        int index = link_index(host, e->host_name);
        _cleanup_netbuf_ struct netbuf b = {0};

        if (index < 0)
                return index;
        link_add_no_link_local(&b, index);
        if (e->isolated || e->hairpin)
                add_port(&b, index, e->isolated, e->hairpin);
        link_add_up(&b, index);
        return netlink_send(host, &b, NULL);
}

static int put_ipv6(const char *name, const char *key, const char *value)
{
        char path[96];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", name, key);
        r = file_put(AT_FDCWD, path, value);
        return r == -ENOENT ? 0 : r; /* a kernel without IPv6 */
}

/* Each "net.X.Y.IFNAME.KEY=VALUE" of a list with commas. */
static int put_sysctls(const char *list, const char *name)
{
        for (; list && *list; list += strcspn(list, ","), list += *list == ',') {
                const char *mark = strstr(list, "IFNAME"), *equals = strchr(list, '=');
                char path[128] = "/proc/sys/", value[64];
                size_t at = strlen(path);
                int n, r;

                if (!mark || !equals || mark > equals)
                        return -EINVAL;
                n = snprintf(path + at, sizeof(path) - at, "%.*s%s%.*s", (int)(mark - list), list, name,
                             (int)(equals - mark - 6), mark + 6);
                if (n < 0 || (size_t)n >= sizeof(path) - at || strcspn(equals + 1, ",") >= sizeof(value))
                        return -E2BIG;
                for (char *p = path + at; *p; p++)
                        if (*p == '.' &&
                            (p < path + at + (mark - list) || p >= path + at + (mark - list) + strlen(name)))
                                *p = '/';
                (void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(equals + 1, ","), equals + 1);
                r = file_put(AT_FDCWD, path, value);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Before it goes up: what neighbours advertise as routers is not believed, for any of them could be one; and where no
 * IPv6 was asked for there is none. What /proc/sys/net shows depends on who opens it. */
static int set_ipv6(int ns, const struct link_endpoint *e)
{
        _cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        int r;

        if (here < 0)
                return -errno;
        if (setns(ns, CLONE_NEWNET) < 0)
                return -errno;
        r = e->ipv6 ? put_ipv6(e->name, "accept_ra", "0") : put_ipv6(e->name, "disable_ipv6", "1");
        if (r == 0)
                r = put_sysctls(e->sysctls, e->name);
        if (setns(here, CLONE_NEWNET) < 0)
                abort(); /* cannot fail: it was ours */
        return r;
}

/* The container's end: addresses, up, routes, in this order. */
int link_furnish(int ns, int there, const struct link_endpoint *e)
{
        int index = link_index(there, e->name), r;
        _cleanup_netbuf_ struct netbuf b = {0};

        if (index < 0)
                return index;
        r = set_ipv6(ns, e);
        if (r < 0)
                return r;
        if (!e->ipv6)
                link_add_no_link_local(&b, index);
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (e->address[i].family)
                        link_add_address(&b, index, &e->address[i]);
        for (unsigned i = 0; i < e->n_extra; i++)
                link_add_address(&b, index, &e->extra[i]);
        link_add_up(&b, 1); /* lo, the first link of every namespace */
        link_add_up(&b, index);
        for (unsigned i = 0; i < e->n_routes; i++)
                link_add_route(&b, index, &e->route[i]);
        return netlink_send(there, &b, NULL);
}

/* A carrier that has come is noticed by the kernel's link watch, which may take its time: up to a second, in which what
 * is sent is lost. Asking about the link makes it look now (rtnl_getlink(), since Linux 6.8). */
void link_settle(int fd, const char *name)
{
        (void)link_index(fd, name);
}

err *link_endpoint_make(int host, int ns, int there, const struct link_endpoint *e)
{
        int r = make_pair(host, ns, e);

        if (r == -EEXIST)
                return err_new(ERR_CONFLICT, "a network device %s or %s is there already", e->host_name, e->name);
        if (r < 0)
                return err_sys(-r, "making the veth pair %s - %s", e->host_name, e->name);
        r = link_furnish(ns, there, e);
        if (r == 0)
                r = furnish_port(host, e);
        if (r == 0) {
                link_settle(there, e->name);
                link_settle(host, e->host_name);
                return NULL;
        }
        err_free(link_delete(host, e->host_name));
        return err_sys(-r, "setting up network device %s of the container", e->name);
}

int link_endpoint_is_kept(int fd, const char *name)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        struct rtgenmsg m = {0};
        struct link_found f;
        int r = link_find(fd, name, &f);

        if (r == 0 && f.peer_ns >= 0) { /* of a namespace that ends, the kernel may not have forgotten the number yet */
                netbuf_begin(&b, RTM_GETNSID, NLM_F_ACK, &m, sizeof(m));
                netbuf_add_u32(&b, NETNSA_NSID, (uint32_t)f.peer_ns);
                r = netlink_send(fd, &b, NULL);
                if (r == 0)
                        return 1;
        }
        return r == 0 || r == -ENODEV || r == -ENOENT ? 0 : r;
}

/* ---- ports of a bridge ---- */

static int set_port(int fd, int index, bool isolated, bool hairpin)
{
        _cleanup_netbuf_ struct netbuf b = {0};

        add_port(&b, index, isolated, hairpin);
        return netlink_send(fd, &b, NULL);
}

int link_port_hairpin(int fd, const char *name)
{
        int index = link_index(fd, name);

        return index < 0 ? index : set_port(fd, index, false, true);
}

int link_port_is_on(int fd, const char *name, const char *bridge)
{
        struct link_found port;
        int r = link_find(fd, name, &port), master;

        if (r < 0)
                return r;
        master = link_index(fd, bridge);
        return master < 0 ? master : port.master == master;
}

int link_port_join(int fd, const char *name, const char *bridge, bool isolated, bool hairpin)
{
        int index = link_index(fd, name), master = link_index(fd, bridge), r;
        struct ifinfomsg m = {.ifi_index = index};
        _cleanup_netbuf_ struct netbuf b = {0};

        if (index < 0 || master < 0)
                return index < 0 ? index : master;
        netbuf_begin(&b, RTM_SETLINK, NLM_F_ACK, &m, sizeof(m));
        netbuf_add_u32(&b, IFLA_MASTER, (uint32_t)master);
        r = netlink_send(fd, &b, NULL);
        return r == 0 && (isolated || hairpin) ? set_port(fd, index, isolated, hairpin) : r;
}
