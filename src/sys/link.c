/* link.c - see link.h: links in general, bridges, routes. */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "base/str.h"
#include "sys/link_private.h"

#define RETRIES 8

/* ---- pieces ---- */

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
        struct link_found *f = arg;
        size_t size, n;
        const void *all, *info, *mac, *master, *peer_ns;

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
        master = netlink_attribute(all, size, IFLA_MASTER, &n);
        if (master && n == sizeof(f->master))
                memcpy(&f->master, master, n);
        peer_ns = netlink_attribute(all, size, IFLA_LINK_NETNSID, &n);
        if (peer_ns && n == sizeof(f->peer_ns))
                memcpy(&f->peer_ns, peer_ns, n);
        return 0;
}

int link_find(int fd, const char *name, struct link_found *ret)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        struct ifinfomsg any = {0};

        *ret = (struct link_found){.index = -ENODEV, .peer_ns = -1};
        netbuf_begin(&b, RTM_GETLINK, 0, &any, sizeof(any));
        netbuf_add_str(&b, IFLA_IFNAME, name);
        return netlink_ask(fd, &b, take_link, ret);
}

int link_index(int fd, const char *name)
{
        struct link_found f;
        int r = link_find(fd, name, &f);

        return r < 0 ? r : f.index;
}

int link_mac(int fd, const char *name, unsigned char ret[6])
{
        struct link_found f;
        int r = link_find(fd, name, &f);

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
        struct link_found f;
        int r = link_find(fd, name, &f);

        return r < 0 ? r : f.up && str_eq(f.kind, "bridge");
}

int link_is_bridge(int fd, const char *name)
{
        struct link_found f;
        int r = link_find(fd, name, &f);

        return r < 0 ? r : str_eq(f.kind, "bridge");
}

int link_has_alias(int fd, const char *name, const char *alias)
{
        struct link_found f;
        int r = link_find(fd, name, &f);

        return r < 0 ? r : str_eq(f.alias, alias);
}

/* No link-local address: must come before the link goes up. A link that has no IPv6 at all (its MTU is below 1280, or
 * the kernel was started with ipv6.disable=1) answers that there is no such family, and needs nothing. */
void link_add_no_link_local(struct netbuf *b, int index)
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

void link_add_up(struct netbuf *b, int index)
{
        struct ifinfomsg m = {.ifi_index = index, .ifi_change = IFF_UP, .ifi_flags = IFF_UP};

        netbuf_begin(b, RTM_NEWLINK, NLM_F_ACK, &m, sizeof(m));
}

static size_t address_size(int family)
{
        return family == AF_INET ? 4 : 16;
}

void link_add_address(struct netbuf *b, int index, const struct link_address *a)
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

void link_add_route(struct netbuf *b, int index, const struct link_route *r)
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
        struct link_found f;
        int r = link_find(fd, bridge->name, &f);

        if (r == -ENODEV) {
                r = make_bridge(fd, bridge);
                if (r == -EEXIST) /* another start was as fast */
                        r = link_find(fd, bridge->name, &f);
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
                link_add_no_link_local(&b, index);
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (bridge->address[i].family)
                        link_add_address(&b, index, &bridge->address[i]);
        link_add_up(&b, index);
        r = netlink_send(fd, &b, NULL);
        return r < 0 ? err_sys(-r, "setting up bridge %s", bridge->name) : NULL;
}

err *link_bridge_remove(int fd, const char *name, const char *alias)
{
        struct link_found f;
        int r = link_find(fd, name, &f);

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

int link_routes(int fd, const char *name, const struct link_route *route, unsigned n)
{
        int index = link_index(fd, name);
        _cleanup_netbuf_ struct netbuf b = {0};

        if (index < 0 || n == 0)
                return index < 0 ? index : 0;
        for (unsigned i = 0; i < n; i++)
                link_add_route(&b, index, &route[i]);
        return netlink_send(fd, &b, NULL);
}

err *link_loopback_up(int fd)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        int r;

        link_add_up(&b, 1);
        r = netlink_send(fd, &b, NULL);
        return r < 0 ? err_sys(-r, "setting lo up") : NULL;
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

struct default_route {
        unsigned char family;
        uint32_t metric;
        int link;
};

static int take_default(const struct nlmsghdr *h, void *arg)
{
        const struct rtmsg *m = NLMSG_DATA(h);
        struct default_route *d = arg;
        uint32_t metric = 0;
        const void *all, *p;
        size_t size, n;

        if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->rtm_family != d->family ||
            m->rtm_dst_len || m->rtm_table != RT_TABLE_MAIN || m->rtm_type != RTN_UNICAST)
                return 0;
        all = netlink_attributes(h, sizeof(*m), &size);
        p = netlink_attribute(all, size, RTA_PRIORITY, &n);
        if (p && n == sizeof(metric))
                memcpy(&metric, p, n);
        p = netlink_attribute(all, size, RTA_OIF, &n);
        if (!p || n != sizeof(d->link) || (d->link && d->metric <= metric))
                return 0;
        memcpy(&d->link, p, n);
        d->metric = metric;
        return 0;
}

void link_default(int fd, int family, char ret[LINK_NAME_MAX + 1])
{
        struct default_route d = {.family = (unsigned char)family};
        struct rtmsg any = {.rtm_family = (unsigned char)family};
        char name[IF_NAMESIZE] = "";
        int r = -EAGAIN;

        for (int i = 0; i < RETRIES && r == -EAGAIN; i++) {
                _cleanup_netbuf_ struct netbuf b = {0};

                d.link = 0;
                netbuf_begin(&b, RTM_GETROUTE, NLM_F_DUMP, &any, sizeof(any));
                r = netlink_ask(fd, &b, take_default, &d);
        }
        if (r == 0 && d.link)
                (void)if_indextoname((unsigned)d.link, name);
        memcpy(ret, name, LINK_NAME_MAX + 1);
}
