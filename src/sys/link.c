/* link.c - see link.h. */
#include "sys/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "sys/netlink.h"

#define PATIENCE_NS 5000000 /* 400 times: two seconds */
#define PATIENCE_TRIES 400
#define RETRIES 8

/* ---- pieces ---- */

struct found {
        int index;
        bool up;
        unsigned char mac[6];
        char kind[16], alias[LINK_ALIAS_MAX + 1];
};

static void take_text(const void *data, size_t size, unsigned type, char *to, size_t room)
{
        size_t n;
        const char *text = data ? netlink_attribute(data, size, type, &n) : NULL;

        if (!text || n >= room)
                return;
        memcpy(to, text, n);
        to[n] = '\0';
}

static int take_link(const struct nlmsghdr *h, void *arg)
{
        const struct ifinfomsg *m = NLMSG_DATA(h);
        struct found *f = arg;
        size_t size, n;
        const void *all, *info, *mac;

        if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
                return 0;
        f->index = m->ifi_index;
        f->up = m->ifi_flags & IFF_UP;
        all = netlink_attributes(h, sizeof(*m), &size);
        info = netlink_attribute(all, size, IFLA_LINKINFO, &n);
        take_text(info, n, IFLA_INFO_KIND, f->kind, sizeof(f->kind));
        take_text(all, size, IFLA_IFALIAS, f->alias, sizeof(f->alias));
        mac = netlink_attribute(all, size, IFLA_ADDRESS, &n);
        if (mac && n == sizeof(f->mac))
                memcpy(f->mac, mac, n);
        return 0;
}

static int find(int fd, const char *name, struct found *ret)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        struct ifinfomsg any = {0};

        *ret = (struct found){.index = -ENODEV};
        netbuf_begin(&b, RTM_GETLINK, 0, &any, sizeof(any));
        netbuf_add_str(&b, IFLA_IFNAME, name);
        return netlink_ask(fd, &b, take_link, ret);
}

int link_index(int fd, const char *name)
{
        struct found f;
        int r = find(fd, name, &f);

        return r < 0 ? r : f.index;
}

int link_mac(int fd, const char *name, unsigned char ret[6])
{
        struct found f;
        int r = find(fd, name, &f);

        if (r == 0)
                memcpy(ret, f.mac, sizeof(f.mac));
        return r;
}

/* Locally administered, and high: a bridge of others may take the lowest of its ports'. */
void link_port_address(const char *name, unsigned char ret[6])
{
        uint64_t h = hash_fnv64(HASH_FNV64, name, strlen(name));

        ret[0] = 0xfe;
        for (unsigned i = 1; i < 6; i++)
                ret[i] = (unsigned char)(h >> 8 * i);
}

int link_bridge_is_up(int fd, const char *name)
{
        struct found f;
        int r = find(fd, name, &f);

        return r < 0 ? r : f.up && str_eq(f.kind, "bridge");
}

/* No link-local address: must come before the link goes up. A link that has no IPv6 at all (its MTU is below 1280, or
 * the kernel was started with ipv6.disable=1) answers that there is no such family, and needs nothing. */
static void add_no_link_local(struct netbuf *b, int index)
{
        struct ifinfomsg m = {.ifi_index = index};
        size_t spec, inet6;

        b->overlooked = -EAFNOSUPPORT;
        netbuf_begin(b, RTM_NEWLINK, NLM_F_ACK, &m, sizeof(m));
        spec = netbuf_open(b, IFLA_AF_SPEC);
        inet6 = netbuf_open(b, AF_INET6);
        netbuf_add_u8(b, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
        netbuf_close(b, inet6);
        netbuf_close(b, spec);
}

static void add_up(struct netbuf *b, int index)
{
        struct ifinfomsg m = {.ifi_index = index, .ifi_change = IFF_UP, .ifi_flags = IFF_UP};

        netbuf_begin(b, RTM_NEWLINK, NLM_F_ACK, &m, sizeof(m));
}

void link_add_up(struct netbuf *b, int index, bool link_local)
{
        if (!link_local)
                add_no_link_local(b, index);
        add_up(b, index);
}

static size_t address_size(int family)
{
        return family == AF_INET ? 4 : 16;
}

static void add_address(struct netbuf *b, int index, const struct link_address *a)
{
        struct ifaddrmsg m = {.ifa_family = (unsigned char)a->family,
                              .ifa_prefixlen = a->prefix,
                              .ifa_index = (uint32_t)index,
                              .ifa_scope = RT_SCOPE_UNIVERSE,
                              .ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0}; /* it is ours: no waiting */
        unsigned char last[4];

        netbuf_begin(b, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
        netbuf_add(b, IFA_LOCAL, a->data, address_size(a->family));
        netbuf_add(b, IFA_ADDRESS, a->data, address_size(a->family));
        if (a->family != AF_INET || a->prefix >= 31)
                return;
        for (unsigned i = 0; i < 4; i++) {
                unsigned bits = a->prefix > 8 * i ? a->prefix - 8 * i : 0;

                last[i] = (unsigned char)(a->data[i] | (bits >= 8 ? 0 : 0xffu >> bits));
        }
        netbuf_add(b, IFA_BROADCAST, last, sizeof(last));
}

static void add_route(struct netbuf *b, int index, const struct link_route *r)
{
        struct rtmsg m = {.rtm_family = (unsigned char)(r->via.family ? r->via.family : r->to.family),
                          .rtm_dst_len = r->to.family ? r->to.prefix : 0,
                          .rtm_table = RT_TABLE_MAIN,
                          .rtm_protocol = RTPROT_BOOT /* as `ip route add` does */,
                          .rtm_scope = r->via.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                          .rtm_type = RTN_UNICAST};

        netbuf_begin(b, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
        if (r->to.family && r->to.prefix)
                netbuf_add(b, RTA_DST, r->to.data, address_size(r->to.family));
        if (r->via.family)
                netbuf_add(b, RTA_GATEWAY, r->via.data, address_size(r->via.family));
        netbuf_add_u32(b, RTA_OIF, (uint32_t)index);
        if (r->metric)
                netbuf_add_u32(b, RTA_PRIORITY, r->metric);
}

/* ---- bridges ---- */

static int make_bridge(int fd, const struct link_bridge *bridge)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        struct ifinfomsg m = {0};
        unsigned char mac[6];
        size_t info, data;

        link_port_address(bridge->alias ? bridge->alias : bridge->name, mac);
        netbuf_begin(&b, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
        netbuf_add_str(&b, IFLA_IFNAME, bridge->name);
        /* Else it would have that of its lowest port, another one with each container that comes or goes, and what
         * knew the gateway by the old one would wait until it has asked again. */
        netbuf_add(&b, IFLA_ADDRESS, mac, sizeof(mac));
        if (bridge->mtu)
                netbuf_add_u32(&b, IFLA_MTU, bridge->mtu);
        info = netbuf_open(&b, IFLA_LINKINFO);
        netbuf_add_str(&b, IFLA_INFO_KIND, "bridge");
        data = netbuf_open(&b, IFLA_INFO_DATA);
        if (bridge->vlan_filtering) /* not in every kernel */
                netbuf_add_u8(&b, IFLA_BR_VLAN_FILTERING, 1);
        /* Nothing is to be learnt about other bridges: ports forward at once. */
        netbuf_add_u32(&b, IFLA_BR_STP_STATE, 0);
        netbuf_add_u32(&b, IFLA_BR_FORWARD_DELAY, 0);
        netbuf_close(&b, data);
        netbuf_close(&b, info);
        if (bridge->alias) { /* at once: a bridge without its mark would stay for ever */
                netbuf_begin(&b, RTM_SETLINK, NLM_F_ACK, &m, sizeof(m));
                netbuf_add_str(&b, IFLA_IFNAME, bridge->name);
                netbuf_add(&b, IFLA_IFALIAS, bridge->alias, strlen(bridge->alias));
        }
        return netlink_send(fd, &b, NULL);
}

err *link_bridge_make(int fd, const struct link_bridge *bridge)
{
        struct found f;
        int r = find(fd, bridge->name, &f);

        if (r == -ENODEV) {
                r = make_bridge(fd, bridge);
                if (r == -EEXIST) /* another start was as fast */
                        r = find(fd, bridge->name, &f);
                else if (r == 0)
                        memcpy(f.kind, "bridge", sizeof("bridge"));
        }
        if (r < 0)
                return err_sys(-r, "making bridge %s", bridge->name);
        if (!str_eq(f.kind, "bridge"))
                return err_new(ERR_CONFLICT, "the name %s belongs to a network device that is no bridge", bridge->name);
        return NULL;
}

err *link_bridge_up(int fd, const struct link_bridge *bridge)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        int index = link_index(fd, bridge->name), r;

        if (index < 0)
                return err_sys(-index, "finding bridge %s", bridge->name);
        if (!bridge->ipv6)
                add_no_link_local(&b, index);
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (bridge->address[i].family)
                        add_address(&b, index, &bridge->address[i]);
        add_up(&b, index);
        r = netlink_send(fd, &b, NULL);
        return r < 0 ? err_sys(-r, "setting up bridge %s", bridge->name) : NULL;
}

err *link_bridge_remove(int fd, const char *name, const char *alias)
{
        struct found f;
        int r = find(fd, name, &f);

        if (r < 0 && r != -ENODEV)
                return err_sys(-r, "finding bridge %s", name);
        return r == -ENODEV || !str_eq(f.kind, "bridge") || !str_eq(f.alias, alias) ? NULL : link_delete(fd, name);
}

err *link_delete(int fd, const char *name)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        struct ifinfomsg any = {0};
        int r;

        netbuf_begin(&b, RTM_DELLINK, NLM_F_ACK, &any, sizeof(any));
        netbuf_add_str(&b, IFLA_IFNAME, name);
        r = netlink_send(fd, &b, NULL);
        return r < 0 && r != -ENODEV ? err_sys(-r, "removing network device %s", name) : NULL;
}

/* ---- endpoints ---- */

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

/* The host's end: quiet, on the bridge, up. */
static int furnish_port(int host, const struct link_endpoint *e)
{
        int index = link_index(host, e->host_name);
        _cleanup_netbuf_ struct netbuf b = {0};

        if (index < 0)
                return index;
        add_no_link_local(&b, index);
        if (e->isolated || e->hairpin) {
                struct ifinfomsg m = {.ifi_family = AF_BRIDGE, .ifi_index = index};
                size_t port;

                netbuf_begin(&b, RTM_SETLINK, NLM_F_ACK, &m, sizeof(m));
                port = netbuf_open(&b, IFLA_PROTINFO);
                if (e->isolated)
                        netbuf_add_u8(&b, IFLA_BRPORT_ISOLATED, 1);
                if (e->hairpin)
                        netbuf_add_u8(&b, IFLA_BRPORT_MODE, 1);
                netbuf_close(&b, port);
        }
        add_up(&b, index);
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
static int furnish_inside(int ns, int there, const struct link_endpoint *e)
{
        int index = link_index(there, e->name), r;
        _cleanup_netbuf_ struct netbuf b = {0};

        if (index < 0)
                return index;
        r = set_ipv6(ns, e);
        if (r < 0)
                return r;
        if (!e->ipv6)
                add_no_link_local(&b, index);
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (e->address[i].family)
                        add_address(&b, index, &e->address[i]);
        for (unsigned i = 0; i < e->n_extra; i++)
                add_address(&b, index, &e->extra[i]);
        add_up(&b, 1); /* lo, the first link of every namespace */
        add_up(&b, index);
        for (unsigned i = 0; i < e->n_routes; i++)
                add_route(&b, index, &e->route[i]);
        return netlink_send(there, &b, NULL);
}

/* A carrier that has come is noticed by the kernel's link watch, which may take its time: up to a second, in which what
 * is sent is lost. Asking about the link makes it look now (rtnl_getlink(), since Linux 6.8). */
static void settle(int fd, const char *name)
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
        r = furnish_inside(ns, there, e);
        if (r == 0)
                r = furnish_port(host, e);
        if (r == 0) {
                settle(there, e->name);
                settle(host, e->host_name);
                return NULL;
        }
        err_free(link_delete(host, e->host_name));
        return err_sys(-r, "setting up network device %s of the container", e->name);
}

static int set_port(int fd, int index, bool isolated, bool hairpin)
{
        struct ifinfomsg m = {.ifi_family = AF_BRIDGE, .ifi_index = index};
        _cleanup_netbuf_ struct netbuf b = {0};
        size_t port;

        netbuf_begin(&b, RTM_SETLINK, NLM_F_ACK, &m, sizeof(m));
        port = netbuf_open(&b, IFLA_PROTINFO);
        if (isolated)
                netbuf_add_u8(&b, IFLA_BRPORT_ISOLATED, 1);
        if (hairpin)
                netbuf_add_u8(&b, IFLA_BRPORT_MODE, 1);
        netbuf_close(&b, port);
        return netlink_send(fd, &b, NULL);
}

int link_port_hairpin(int fd, const char *name)
{
        int index = link_index(fd, name);

        return index < 0 ? index : set_port(fd, index, false, true);
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

int link_routes(int fd, const char *name, const struct link_route *route, unsigned n)
{
        int index = link_index(fd, name);
        _cleanup_netbuf_ struct netbuf b = {0};

        if (index < 0 || n == 0)
                return index < 0 ? index : 0;
        for (unsigned i = 0; i < n; i++)
                add_route(&b, index, &route[i]);
        return netlink_send(fd, &b, NULL);
}

err *link_loopback_up(int fd)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        int r;

        add_up(&b, 1);
        r = netlink_send(fd, &b, NULL);
        return r < 0 ? err_sys(-r, "setting lo up") : NULL;
}

/* ---- macvlan, ipvlan ---- */

static const struct {
        const char *kind, *name;
        uint32_t value;
} modes[] = {
        {"macvlan", "bridge", MACVLAN_MODE_BRIDGE}, {"macvlan", "private", MACVLAN_MODE_PRIVATE},
        {"macvlan", "vepa", MACVLAN_MODE_VEPA},     {"macvlan", "passthru", MACVLAN_MODE_PASSTHRU},
        {"ipvlan", "l2", IPVLAN_MODE_L2},           {"ipvlan", "l3", IPVLAN_MODE_L3},
        {"ipvlan", "l3s", IPVLAN_MODE_L3S},
};

/* "l2-private": mode, then flag. */
static int find_mode(const char *kind, const char *name, uint32_t *ret, uint16_t *ret_flag)
{
        size_t n = strcspn(name, "-");

        *ret_flag = str_eq(name + n, "-private") ? IPVLAN_F_PRIVATE : str_eq(name + n, "-vepa") ? IPVLAN_F_VEPA : 0;
        for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
                if (str_eq(modes[i].kind, kind) && strlen(modes[i].name) == n && memcmp(modes[i].name, name, n) == 0) {
                        *ret = modes[i].value;
                        return !name[n] || (*ret_flag && str_eq(kind, "ipvlan")) ? 0 : -EINVAL;
                }
        return -EINVAL;
}

static int make_sub(int host, int ns, const struct link_endpoint *e, int parent, const char *kind, uint32_t mode,
                    uint16_t flag)
{
        bool macvlan = str_eq(kind, "macvlan");
        _cleanup_netbuf_ struct netbuf b = {0};
        struct ifinfomsg m = {0};
        uint16_t mode16 = (uint16_t)mode;
        size_t info, data;

        netbuf_begin(&b, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
        netbuf_add_u32(&b, IFLA_LINK, (uint32_t)parent);
        netbuf_add_str(&b, IFLA_IFNAME, e->name);
        if (macvlan) /* an ipvlan has its parent's */
                netbuf_add(&b, IFLA_ADDRESS, e->mac, sizeof(e->mac));
        if (e->mtu)
                netbuf_add_u32(&b, IFLA_MTU, e->mtu);
        netbuf_add_u32(&b, IFLA_NET_NS_FD, (uint32_t)ns);
        info = netbuf_open(&b, IFLA_LINKINFO);
        netbuf_add_str(&b, IFLA_INFO_KIND, kind);
        data = netbuf_open(&b, IFLA_INFO_DATA);
        if (macvlan)
                netbuf_add_u32(&b, IFLA_MACVLAN_MODE, mode);
        else
                netbuf_add(&b, IFLA_IPVLAN_MODE, &mode16, sizeof(mode16));
        if (flag)
                netbuf_add(&b, IFLA_IPVLAN_FLAGS, &flag, sizeof(flag));
        netbuf_close(&b, data);
        netbuf_close(&b, info);
        return netlink_send(host, &b, NULL);
}

/* Somebody else has the parent; or the device of a run that has ended still does. */
static bool is_busy(int r, const char *mode)
{
        return r == -EBUSY || (r == -EINVAL && str_eq(mode, "passthru"));
}

/* The device of the last run has the same address until the kernel has taken its namespace apart: a moment of patience,
 * with a device made anew (this one may be half furnished). */
static int furnish_sub(int host, int ns, int there, const struct link_endpoint *e, int parent, const char *kind,
                       uint32_t mode, uint16_t flag)
{
        int r = furnish_inside(ns, there, e);

        for (int i = 0; r == -EADDRINUSE && i < PATIENCE_TRIES; i++) {
                (void)nanosleep(&(struct timespec){0, PATIENCE_NS}, NULL);
                err_free(link_delete(there, e->name));
                r = make_sub(host, ns, e, parent, kind, mode, flag);
                if (r == 0)
                        r = furnish_inside(ns, there, e);
        }
        return r;
}

err *link_endpoint_sub(int host, int ns, int there, const struct link_endpoint *e, int parent, const char *kind,
                       const char *mode)
{
        uint16_t flag;
        uint32_t value;
        int r;

        if (find_mode(kind, mode, &value, &flag) < 0)
                return err_new(ERR_INVALID, "%s has no mode '%s'", kind, mode);
        r = make_sub(host, ns, e, parent, kind, value, flag);
        for (int i = 0; is_busy(r, mode) && i < PATIENCE_TRIES / 2; i++) {
                (void)nanosleep(&(struct timespec){0, PATIENCE_NS}, NULL);
                r = make_sub(host, ns, e, parent, kind, value, flag);
        }
        if (r == -EOPNOTSUPP)
                return err_new(ERR_UNSUPPORTED, "this kernel has no %s devices", kind);
        if (r == -EEXIST)
                return err_new(ERR_CONFLICT, "a network device %s is in the container already", e->name);
        if (is_busy(r, mode))
                return err_new(ERR_CONFLICT,
                               "making %s device %s: the host's network device is in use by something that does not "
                               "share it (the other one of macvlan and ipvlan, a bridge, or mode passthru)",
                               kind, e->name);
        if (r < 0)
                return err_sys(-r, "making %s device %s", kind, e->name);
        r = furnish_sub(host, ns, there, e, parent, kind, value, flag);
        if (r == 0) {
                settle(there, e->name);
                return NULL;
        }
        err_free(link_delete(there, e->name));
        return err_sys(-r, "setting up network device %s of the container", e->name);
}

/* ---- what these stand on ---- */

static int make_parent(int fd, const struct link_parent *p)
{
        struct ifinfomsg m = {0}, up = {.ifi_change = IFF_UP, .ifi_flags = IFF_UP};
        _cleanup_netbuf_ struct netbuf b = {0};
        uint16_t vlan = (uint16_t)p->vlan;
        size_t info, data;

        netbuf_begin(&b, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
        netbuf_add_str(&b, IFLA_IFNAME, p->name);
        if (p->below)
                netbuf_add_u32(&b, IFLA_LINK, (uint32_t)p->below);
        info = netbuf_open(&b, IFLA_LINKINFO);
        netbuf_add_str(&b, IFLA_INFO_KIND, p->below ? "vlan" : "dummy");
        if (p->below) {
                data = netbuf_open(&b, IFLA_INFO_DATA);
                netbuf_add(&b, IFLA_VLAN_ID, &vlan, sizeof(vlan));
                netbuf_close(&b, data);
        }
        netbuf_close(&b, info);
        netbuf_begin(&b, RTM_SETLINK, NLM_F_ACK, &up, sizeof(up));
        netbuf_add_str(&b, IFLA_IFNAME, p->name);
        netbuf_add(&b, IFLA_IFALIAS, p->alias, strlen(p->alias));
        return netlink_send(fd, &b, NULL);
}

err *link_parent_make(int fd, const struct link_parent *p)
{
        int r = make_parent(fd, p);

        if (r == -EOPNOTSUPP)
                return err_new(ERR_UNSUPPORTED,
                               "making network device %s: this kernel has no %s devices: operation not "
                               "supported",
                               p->name, p->below ? "vlan" : "dummy");
        return r < 0 && r != -EEXIST ? err_sys(-r, "making network device %s", p->name) : NULL;
}

err *link_parent_remove(int fd, const char *name, const char *alias, const char *heir)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        struct ifinfomsg m = {0};
        struct found f;
        int r = find(fd, name, &f);

        if (r == -ENODEV || (r == 0 && !str_eq(f.alias, alias)))
                return NULL;
        if (r == 0 && !heir)
                return link_delete(fd, name);
        if (r == 0) {
                netbuf_begin(&b, RTM_SETLINK, NLM_F_ACK, &m, sizeof(m));
                netbuf_add_str(&b, IFLA_IFNAME, name);
                netbuf_add(&b, IFLA_IFALIAS, heir, strlen(heir));
                r = netlink_send(fd, &b, NULL);
        }
        return r < 0 ? err_sys(-r, "removing network device %s", name) : NULL;
}

/* ---- routes of the host ---- */

struct overlap {
        const struct link_address *a;
        int except, found;
};

static bool same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
        unsigned bytes = bits / 8, rest = bits % 8;

        return memcmp(a, b, bytes) == 0 && (!rest || ((a[bytes] ^ b[bytes]) & (0xff00u >> rest) & 0xff) == 0);
}

static int take_route(const struct nlmsghdr *h, void *arg)
{
        const struct rtmsg *m = NLMSG_DATA(h);
        struct overlap *o = arg;
        const void *all, *to, *out;
        size_t size, n;
        int link = 0;

        if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->rtm_family != o->a->family ||
            m->rtm_dst_len == 0 || m->rtm_table != RT_TABLE_MAIN || m->rtm_type != RTN_UNICAST)
                return 0;
        all = netlink_attributes(h, sizeof(*m), &size);
        to = netlink_attribute(all, size, RTA_DST, &n);
        if (!to || n < address_size(o->a->family))
                return 0;
        out = netlink_attribute(all, size, RTA_OIF, &n);
        if (out && n == sizeof(link))
                memcpy(&link, out, sizeof(link));
        if (link == o->except)
                return 0;
        if (same_prefix(o->a->data, to, m->rtm_dst_len < o->a->prefix ? m->rtm_dst_len : o->a->prefix))
                o->found = link;
        return 0;
}

err *link_route_overlaps(int fd, const struct link_address *a, const char *except, char **ret)
{
        struct overlap o = {.a = a, .except = except ? link_index(fd, except) : -1, .found = -1};
        char name[IF_NAMESIZE];
        int r = -EAGAIN;

        for (int i = 0; i < RETRIES && r == -EAGAIN; i++) {
                _cleanup_netbuf_ struct netbuf b = {0};
                struct rtmsg any = {.rtm_family = (unsigned char)a->family};

                o.found = -1;
                netbuf_begin(&b, RTM_GETROUTE, NLM_F_DUMP, &any, sizeof(any));
                r = netlink_ask(fd, &b, take_route, &o);
        }
        if (r < 0)
                return err_sys(-r, "reading the host's routes");
        *ret = NULL;
        if (o.found < 0)
                return NULL;
        *ret = str_dup(if_indextoname((unsigned)o.found, name) ? name : "?");
        return *ret ? NULL : err_nomem();
}
