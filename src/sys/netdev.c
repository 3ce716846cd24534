/* netdev.c - see netdev.h. */
#include "sys/netdev.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>

#include "base/file.h"
#include "sys/netlink.h"

#define RETRIES 8

/* ---- links ---- */

static int find_link(const struct nlmsghdr *h, void *arg)
{
        if (h->nlmsg_type == RTM_NEWLINK && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)))
                *(struct ifinfomsg *)arg = *(const struct ifinfomsg *)NLMSG_DATA(h);
        return 0;
}

/* Index of the device @name, or -errno (-ENODEV). @ret_up may be NULL. */
static int link_index(int s, const char *name, bool *ret_up)
{
        struct ifinfomsg link = {.ifi_index = -ENODEV}, any = {0};
        _cleanup_netbuf_ struct netbuf q = {0};
        int r;

        netbuf_begin(&q, RTM_GETLINK, 0, &any, sizeof(any));
        netbuf_add_str(&q, IFLA_IFNAME, name);
        r = netlink_ask(s, &q, find_link, &link);
        if (ret_up)
                *ret_up = link.ifi_flags & IFF_UP;
        return r < 0 ? r : link.ifi_index;
}

static int link_set_up(int s, int index, bool up)
{
        struct ifinfomsg i = {.ifi_index = index, .ifi_change = IFF_UP, .ifi_flags = up ? IFF_UP : 0};
        _cleanup_netbuf_ struct netbuf q = {0};

        netbuf_begin(&q, RTM_NEWLINK, NLM_F_ACK, &i, sizeof(i));
        return netlink_send(s, &q, NULL);
}

/* Name and namespace in one request. The kernel moves first: that the name is free has to be known before. */
static int link_move(int s, int index, const char *name, int ns)
{
        struct ifinfomsg i = {.ifi_index = index};
        _cleanup_netbuf_ struct netbuf q = {0};

        netbuf_begin(&q, RTM_NEWLINK, NLM_F_ACK, &i, sizeof(i));
        netbuf_add_str(&q, IFLA_IFNAME, name);
        netbuf_add_u32(&q, IFLA_NET_NS_FD, (uint32_t)ns);
        return netlink_send(s, &q, NULL);
}

struct indexes {
        int *list;
        size_t n;
};

static void indexes_done(struct indexes *x)
{
        free(x->list);
}

static int add_index(const struct nlmsghdr *h, void *arg)
{
        struct indexes *x = arg;

        if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
                return 0;
        if (mem_grow(&x->list, x->n, sizeof(*x->list)) < 0)
                return -ENOMEM;
        x->list[x->n++] = ((const struct ifinfomsg *)NLMSG_DATA(h))->ifi_index;
        return 0;
}

static int list_links(int s, struct indexes *ret)
{
        int r = -EAGAIN;

        for (int i = 0; i < RETRIES && r == -EAGAIN; i++) {
                _cleanup_netbuf_ struct netbuf q = {0};
                struct ifinfomsg any = {0};

                ret->n = 0;
                netbuf_begin(&q, RTM_GETLINK, NLM_F_DUMP, &any, sizeof(any));
                r = netlink_ask(s, &q, add_index, ret);
        }
        return r;
}

/* The link that is there now and was not before; "eth%d" does not tell its name. */
static int new_link(int s, const struct indexes *before)
{
        _cleanup_(indexes_done) struct indexes now = {0};
        int r = list_links(s, &now);

        for (size_t i = 0; r == 0 && i < now.n; i++) {
                bool old = false;

                for (size_t k = 0; k < before->n; k++)
                        old |= before->list[k] == now.list[i];
                if (!old)
                        return now.list[i];
        }
        return r < 0 ? r : -ENODEV;
}

/* ---- addresses ---- */

struct address {
        unsigned char family, prefix;
        struct {
                unsigned char data[16], size;
        } part[IFA_BROADCAST + 1]; /* IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST */
};
struct addresses {
        int index;
        struct address *list;
        size_t n;
};

static void addresses_done(struct addresses *a)
{
        free(a->list);
}

/* Keep it if it was set by a person for everywhere: what the kernel or a server gave for a while belongs to the network
 * that the device leaves. */
static int add_address(const struct nlmsghdr *h, void *arg)
{
        const struct ifaddrmsg *m = NLMSG_DATA(h);
        struct addresses *all = arg;
        struct address a = {.family = m->ifa_family, .prefix = m->ifa_prefixlen};
        uint32_t flags = m->ifa_flags;
        int left = (int)IFA_PAYLOAD(h);

        if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) ||
            (int)m->ifa_index != all->index || m->ifa_scope != RT_SCOPE_UNIVERSE)
                return 0;
        for (const struct rtattr *p = IFA_RTA(m); RTA_OK(p, left); p = RTA_NEXT(p, left)) {
                size_t size = RTA_PAYLOAD(p);

                if (p->rta_type == IFA_FLAGS && size == sizeof(flags))
                        memcpy(&flags, RTA_DATA(p), sizeof(flags));
                if ((p->rta_type == IFA_ADDRESS || p->rta_type == IFA_LOCAL || p->rta_type == IFA_BROADCAST) &&
                    size <= sizeof(a.part[0].data)) {
                        memcpy(a.part[p->rta_type].data, RTA_DATA(p), size);
                        a.part[p->rta_type].size = (unsigned char)size;
                }
        }
        if (!(flags & IFA_F_PERMANENT))
                return 0;
        if (mem_grow(&all->list, all->n, sizeof(*all->list)) < 0)
                return -ENOMEM;
        all->list[all->n++] = a;
        return 0;
}

static int list_addresses(int s, struct addresses *ret)
{
        int r = -EAGAIN;

        for (int i = 0; i < RETRIES && r == -EAGAIN; i++) {
                _cleanup_netbuf_ struct netbuf q = {0};
                struct ifaddrmsg any = {0};

                ret->n = 0;
                netbuf_begin(&q, RTM_GETADDR, NLM_F_DUMP, &any, sizeof(any));
                r = netlink_ask(s, &q, add_address, ret);
        }
        return r;
}

static int set_address(int s, int index, const struct address *a)
{
        struct ifaddrmsg m = {.ifa_family = a->family,
                              .ifa_prefixlen = a->prefix,
                              .ifa_index = (uint32_t)index,
                              .ifa_scope = RT_SCOPE_UNIVERSE};
        _cleanup_netbuf_ struct netbuf q = {0};

        netbuf_begin(&q, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
        for (unsigned i = 0; i < ARRAY_SIZE(a->part); i++)
                if (a->part[i].size)
                        netbuf_add(&q, i, a->part[i].data, a->part[i].size);
        return netlink_send(s, &q, NULL);
}

/* ---- all ---- */

/* What a device has to have again where it is now. */
static err *furnish(int there, const char *name, const struct indexes *before, const struct addresses *addresses)
{
        int index = strchr(name, '%') ? new_link(there, before) : link_index(there, name, NULL), r;

        if (index < 0)
                return err_sys(-index, "finding network device %s in the container", name);
        for (size_t i = 0; i < addresses->n; i++) {
                r = set_address(there, index, &addresses->list[i]);
                if (r < 0 && r != -EEXIST)
                        return err_sys(-r, "setting an address of network device %s", name);
        }
        r = link_set_up(there, index, true);
        return r < 0 ? err_sys(-r, "setting network device %s up", name) : NULL;
}

/* What a device had and lost by going down, after it could not be moved. */
static void give_back(int here, const struct addresses *addresses)
{
        (void)link_set_up(here, addresses->index, true);
        for (size_t i = 0; i < addresses->n; i++)
                (void)set_address(here, addresses->index, &addresses->list[i]);
}

err *netdev_move(const char *name, const char *new_name, int ns)
{
        _cleanup_close_ int here = netlink_open(NETLINK_ROUTE), there = netlink_open_in(ns, NETLINK_ROUTE);
        _cleanup_(addresses_done) struct addresses addresses = {0};
        _cleanup_(indexes_done) struct indexes before = {0};
        bool up;
        int r;

        if (here < 0 || there < 0)
                return err_sys(here < 0 ? -here : -there, "opening a netlink socket");
        if (!new_name)
                new_name = name;
        addresses.index = link_index(here, name, &up);
        if (addresses.index == -ENODEV)
                return err_new(ERR_NOT_FOUND, "link not found for interface %s on runtime namespace", name);
        if (addresses.index < 0)
                return err_sys(-addresses.index, "finding network device %s", name);
        if (!strchr(new_name, '%') && link_index(there, new_name, NULL) >= 0)
                return err_sys(EEXIST, "moving network device %s into the container as %s", name, new_name);
        /* Before it goes down: IPv6 addresses go with that. */
        r = list_addresses(here, &addresses);
        if (r < 0)
                return err_sys(-r, "reading the addresses of network device %s", name);
        r = list_links(there, &before);
        if (r < 0)
                return err_sys(-r, "reading the network devices of the container");
        r = link_set_up(here, addresses.index, false);
        if (r < 0)
                return err_sys(-r, "setting network device %s down", name);
        r = link_move(here, addresses.index, new_name, ns);
        if (r < 0 && up)
                give_back(here, &addresses);
        if (r < 0)
                return err_sys(-r, "moving network device %s into the container as %s", name, new_name);
        return furnish(there, new_name, &before, &addresses);
}
