/* netdev.c - see netdev.h. */
#include "sys/netdev.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define ANSWER_MAX 32768 /* the kernel's messages of a dump fit; rtnetlink(7) */
#define REQUEST_MAX 512
#define RETRIES 8

/* ---- messages ---- */

struct request {
        struct nlmsghdr head;
        char body[REQUEST_MAX - sizeof(struct nlmsghdr)];
};

static void *request_begin(struct request *q, unsigned type, unsigned flags, size_t body)
{
        *q = (struct request){.head = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(body),
                                       .nlmsg_type = (uint16_t)type,
                                       .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)}};
        return NLMSG_DATA(&q->head);
}

/* All attributes of ours are small: there is room. */
static void request_add(struct request *q, unsigned type, const void *data, size_t size)
{
        size_t at = NLMSG_ALIGN(q->head.nlmsg_len);
        struct rtattr a = {.rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = (uint16_t)type};

        if (at + RTA_SPACE(size) > sizeof(*q))
                return;
        memcpy((char *)q + at, &a, sizeof(a));
        memcpy((char *)q + at + RTA_LENGTH(0), data, size);
        q->head.nlmsg_len = (uint32_t)(at + RTA_LENGTH(size));
}

typedef int answer_fn(const struct nlmsghdr *h, void *arg);

/* Is all of the structure there that a message of this type begins with? */
static bool is_whole(const struct nlmsghdr *h)
{
        size_t size = h->nlmsg_type == NLMSG_ERROR   ? sizeof(struct nlmsgerr)
                      : h->nlmsg_type == RTM_NEWLINK ? sizeof(struct ifinfomsg)
                      : h->nlmsg_type == RTM_NEWADDR ? sizeof(struct ifaddrmsg)
                                                     : 0;

        return h->nlmsg_len >= NLMSG_LENGTH(size);
}

/* The messages in one datagram: 1 = more to come, 0 = the end, -errno. */
static int read_answer(const char *data, size_t size, answer_fn *fn, void *arg, bool *interrupted)
{
        const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)data;

        for (int left = (int)size; NLMSG_OK(h, (unsigned)left); h = NLMSG_NEXT(h, left)) {
                int r = 0;

                if (!is_whole(h))
                        return -EBADMSG;
                *interrupted |= h->nlmsg_flags & NLM_F_DUMP_INTR;
                if (h->nlmsg_type == NLMSG_DONE)
                        return 0;
                if (h->nlmsg_type == NLMSG_ERROR)
                        return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
                if (fn)
                        r = fn(h, arg);
                if (r < 0)
                        return r;
                if (!(h->nlmsg_flags & NLM_F_MULTI))
                        return 0;
        }
        return 1;
}

/* Send @q and read what comes until the end or the acknowledgement. -EAGAIN: a dump that changed meanwhile. */
static int talk(int s, struct request *q, answer_fn *fn, void *arg)
{
        _cleanup_free_ char *data = malloc(ANSWER_MAX);
        bool interrupted = false;
        int r;

        if (!data)
                return -ENOMEM;
        if (send(s, q, q->head.nlmsg_len, 0) < 0)
                return -errno;
        do {
                struct sockaddr_nl from = {0};
                socklen_t from_size = sizeof(from);
                ssize_t n = recvfrom(s, data, ANSWER_MAX, MSG_TRUNC, (struct sockaddr *)&from, &from_size);

                r = 1;
                if (n < 0 && errno != EINTR)
                        return -errno;
                /* In a namespace that is joined others may have the right to write to us. */
                if (n < 0 || from.nl_pid != 0)
                        continue;
                if (n > ANSWER_MAX)
                        return -EMSGSIZE;
                r = read_answer(data, (size_t)n, fn, arg, &interrupted);
        } while (r > 0);
        return r == 0 && interrupted ? -EAGAIN : r;
}

static int open_socket(void)
{
        int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

        return s < 0 ? -errno : s;
}

/* A socket of another namespace. Nothing but the socket call runs there. */
static int open_socket_in(int ns)
{
        _cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        int s;

        if (here < 0)
                return -errno;
        if (setns(ns, CLONE_NEWNET) < 0)
                return -errno;
        s = open_socket();
        if (setns(here, CLONE_NEWNET) < 0)
                abort(); /* cannot fail: it was ours */
        return s;
}

/* ---- links ---- */

static int find_link(const struct nlmsghdr *h, void *arg)
{
        if (h->nlmsg_type == RTM_NEWLINK)
                *(struct ifinfomsg *)arg = *(const struct ifinfomsg *)NLMSG_DATA(h);
        return 0;
}

/* Index of the device @name, or -errno (-ENODEV). @ret_up may be NULL. */
static int link_index(int s, const char *name, bool *ret_up)
{
        struct ifinfomsg link = {.ifi_index = -ENODEV};
        struct request q;
        int r;

        (void)request_begin(&q, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
        request_add(&q, IFLA_IFNAME, name, strlen(name) + 1);
        r = talk(s, &q, find_link, &link);
        if (ret_up)
                *ret_up = link.ifi_flags & IFF_UP;
        return r < 0 ? r : link.ifi_index;
}

static int link_set_up(int s, int index, bool up)
{
        struct request q;
        struct ifinfomsg *i = request_begin(&q, RTM_NEWLINK, NLM_F_ACK, sizeof(*i));

        i->ifi_index = index;
        i->ifi_change = IFF_UP;
        i->ifi_flags = up ? IFF_UP : 0;
        return talk(s, &q, NULL, NULL);
}

/* Name and namespace in one request. The kernel moves first: that the name is free has to be known before. */
static int link_move(int s, int index, const char *name, int ns)
{
        struct request q;
        struct ifinfomsg *i = request_begin(&q, RTM_NEWLINK, NLM_F_ACK, sizeof(*i));
        uint32_t fd = (uint32_t)ns;

        i->ifi_index = index;
        request_add(&q, IFLA_IFNAME, name, strlen(name) + 1);
        request_add(&q, IFLA_NET_NS_FD, &fd, sizeof(fd));
        return talk(s, &q, NULL, NULL);
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

        if (h->nlmsg_type != RTM_NEWLINK)
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
                struct request q;

                ret->n = 0;
                (void)request_begin(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
                r = talk(s, &q, add_index, ret);
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

        if (h->nlmsg_type != RTM_NEWADDR || (int)m->ifa_index != all->index || m->ifa_scope != RT_SCOPE_UNIVERSE)
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
                struct request q;

                ret->n = 0;
                (void)request_begin(&q, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
                r = talk(s, &q, add_address, ret);
        }
        return r;
}

static int set_address(int s, int index, const struct address *a)
{
        struct request q;
        struct ifaddrmsg *m = request_begin(&q, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));

        m->ifa_family = a->family;
        m->ifa_prefixlen = a->prefix;
        m->ifa_index = (uint32_t)index;
        m->ifa_scope = RT_SCOPE_UNIVERSE;
        for (unsigned i = 0; i < ARRAY_SIZE(a->part); i++)
                if (a->part[i].size)
                        request_add(&q, i, a->part[i].data, a->part[i].size);
        return talk(s, &q, NULL, NULL);
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
        _cleanup_close_ int here = open_socket(), there = open_socket_in(ns);
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
