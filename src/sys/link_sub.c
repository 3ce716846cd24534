/* link_sub.c - macvlan and ipvlan devices, and the device of the host that they stand on. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <time.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/link_private.h"

#define PATIENCE_NS 5000000 /* 400 times: two seconds */
#define PATIENCE_TRIES 400

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
        int r = link_furnish(ns, there, e);

        for (int i = 0; r == -EADDRINUSE && i < PATIENCE_TRIES; i++) {
                (void)nanosleep(&(struct timespec){0, PATIENCE_NS}, NULL);
                err_free(link_delete(there, e->name));
                r = make_sub(host, ns, e, parent, kind, mode, flag);
                if (r == 0)
                        r = link_furnish(ns, there, e);
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
                link_settle(there, e->name);
                return NULL;
        }
        err_free(link_delete(there, e->name));
        return err_sys(-r, "setting up network device %s of the container", e->name);
}

/* ---- whose a device is ---- */

static int take_number(const struct nlmsghdr *h, void *arg)
{
        size_t size, n;
        const char *all = netlink_attributes(h, sizeof(struct rtgenmsg), &size);
        const void *number = netlink_attribute(all, size, NETNSA_NSID, &n);

        if (number && n == sizeof(int32_t))
                memcpy(arg, number, sizeof(int32_t));
        return 0;
}

static int ask_number(int there, int32_t *ret)
{
        _cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        _cleanup_netbuf_ struct netbuf b = {0};
        struct rtgenmsg m = {0};

        *ret = NETNSA_NSID_NOT_ASSIGNED;
        if (here < 0)
                return -errno;
        netbuf_begin(&b, RTM_GETNSID, 0, &m, sizeof(m));
        netbuf_add_u32(&b, NETNSA_FD, (uint32_t)here);
        return netlink_ask(there, &b, take_number, ret);
}

static int overlook(const struct nlmsghdr *h, void *arg)
{
        return 0;
}

static int dump(int there, netlink_fn *fn, void *arg)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        struct ifinfomsg any = {0};

        netbuf_begin(&b, RTM_GETLINK, NLM_F_DUMP, &any, sizeof(any));
        return netlink_ask(there, &b, fn, arg);
}

/* What our network namespace is called there; NETNSA_NSID_NOT_ASSIGNED: nothing there is on a device of ours. */
static int our_number(int there, int32_t *ret)
{
        int r = ask_number(there, ret);

        if (r < 0 || *ret != NETNSA_NSID_NOT_ASSIGNED)
                return r;
        r = dump(there, overlook, NULL); /* which gives a number to each that it has to name */
        return r < 0 ? r : ask_number(there, ret);
}

struct wanted_sub {
        int32_t where; /* the parent's namespace: its index alone proves nothing, one can choose it */
        int parent;
        const char *kind, *name;
        const unsigned char *mac;
        int index; /* of the best so far */
        unsigned score, n;
};

/* A device on the parent in our namespace: only the engine makes such. Its name and link address are what the container
 * may have changed; the address is less often. */
static int take_sub(const struct nlmsghdr *h, void *arg)
{
        const struct ifinfomsg *m = NLMSG_DATA(h);
        struct wanted_sub *w = arg;
        unsigned score = 0;
        size_t size, n, info_size;
        const char *all = netlink_attributes(h, sizeof(*m), &size), *info, *data;
        uint32_t parent;
        int32_t where;

        if (h->nlmsg_type != RTM_NEWLINK)
                return 0;
        data = netlink_attribute(all, size, IFLA_LINK, &n);
        info = netlink_attribute(all, size, IFLA_LINK_NETNSID, &info_size);
        if (!data || n != sizeof(parent) || !info || info_size != sizeof(where))
                return 0;
        memcpy(&parent, data, sizeof(parent));
        memcpy(&where, info, sizeof(where));
        info = netlink_attribute(all, size, IFLA_LINKINFO, &info_size);
        data = info ? netlink_attribute(info, info_size, IFLA_INFO_KIND, &n) : NULL;
        if ((int)parent != w->parent || where != w->where || !data || strnlen(data, n) != strlen(w->kind) ||
            memcmp(data, w->kind, strlen(w->kind)) != 0)
                return 0;
        data = netlink_attribute(all, size, IFLA_ADDRESS, &n);
        score += data && n == 6 && memcmp(data, w->mac, 6) == 0 ? 2 : 0;
        data = netlink_attribute(all, size, IFLA_IFNAME, &n);
        score += data && strnlen(data, n) == strlen(w->name) && memcmp(data, w->name, strlen(w->name)) == 0;
        if (!w->n++ || score > w->score) {
                w->index = m->ifi_index;
                w->score = score;
        }
        return 0;
}

err *link_sub_delete(int there, int parent, const char *kind, const char *name, const unsigned char mac[6],
                     unsigned others)
{
        struct wanted_sub w = {0};
        int r = -EAGAIN;

        for (int i = 0; r == -EAGAIN && i < PATIENCE_TRIES; i++) { /* it has changed while we read it */
                w = (struct wanted_sub){.parent = parent, .kind = kind, .name = name, .mac = mac};
                r = our_number(there, &w.where);
                if (r == 0 && w.where != NETNSA_NSID_NOT_ASSIGNED)
                        r = dump(there, take_sub, &w);
        }
        if (r == 0 && others != LINK_SUB_ANY && w.n <= others && !w.score) /* it is gone, or was never made */
                return NULL;
        if (r == 0 && others != LINK_SUB_ANY && w.n > 1 && !w.score)
                return err_new(ERR_CONFLICT, "which of %u %s devices of the container was %s cannot be told any more",
                               w.n, kind, name);
        if (r == 0 && w.n) {
                _cleanup_netbuf_ struct netbuf b = {0};
                struct ifinfomsg m = {.ifi_index = w.index};

                netbuf_begin(&b, RTM_DELLINK, NLM_F_ACK, &m, sizeof(m));
                r = netlink_send(there, &b, NULL);
        }
        return r < 0 && r != -ENODEV ? err_sys(-r, "removing network device %s of the container", name) : NULL;
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
        struct link_found f;
        int r = link_find(fd, name, &f);

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
