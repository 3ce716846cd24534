/* conntrack.c - see conntrack.h. */
#include "sys/conntrack.h"

#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/netlink.h"

/* net/netfilter/nf_internals.h: which parts of a tuple a filter compares. */
#define FILTER_PROTOCOL (1u << 3)
#define FILTER_TO_PORT (1u << 5)

#define AT_ONCE 64 /* each is acknowledged, and the answers have to fit the socket's buffer */
#define PASSES 1000

struct pass {
        int family;
        uint8_t protocol;
        uint16_t to_port;
        conntrack_fn *fn;
        void *arg;
        struct netbuf deletions;
};

static void begin(struct netbuf *b, unsigned type, unsigned flags, int family)
{
        struct nfgenmsg head = {.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0};

        netbuf_begin(b, (NFNL_SUBSYS_CTNETLINK << 8) | type, flags, &head, sizeof(head));
}

/* ---- reading ---- */

static uint16_t port_of(const void *all, size_t size, unsigned type)
{
        uint16_t port = 0;
        size_t n;
        const void *p = netlink_attribute(all, size, type, &n);

        if (p && n == sizeof(port))
                memcpy(&port, p, n);
        return be16toh(port);
}

static void address_of(const void *all, size_t size, int family, bool source, struct link_address *ret)
{
        unsigned type =
                family == AF_INET ? (source ? CTA_IP_V4_SRC : CTA_IP_V4_DST) : (source ? CTA_IP_V6_SRC : CTA_IP_V6_DST);
        size_t n;
        const void *p = netlink_attribute(all, size, type, &n);

        *ret = (struct link_address){.family = family};
        if (p && n <= sizeof(ret->data))
                memcpy(ret->data, p, n);
}

struct tuple {
        struct link_address from, to;
        uint16_t from_port, to_port;
        uint8_t protocol;
};

static void take_tuple(const void *all, size_t size, unsigned type, int family, struct tuple *ret)
{
        size_t n, part;
        const void *p = netlink_attribute(all, size, type, &n), *q;

        *ret = (struct tuple){0};
        if (!p)
                return;
        q = netlink_attribute(p, n, CTA_TUPLE_IP, &part);
        if (q) {
                address_of(q, part, family, true, &ret->from);
                address_of(q, part, family, false, &ret->to);
        }
        q = netlink_attribute(p, n, CTA_TUPLE_PROTO, &part);
        if (!q)
                return;
        ret->from_port = port_of(q, part, CTA_PROTO_SRC_PORT);
        ret->to_port = port_of(q, part, CTA_PROTO_DST_PORT);
        q = netlink_attribute(q, part, CTA_PROTO_NUM, &n);
        if (q && n == 1)
                memcpy(&ret->protocol, q, 1);
}

/* The entry's own words for itself become the message that deletes it. */
static void add_deletion(struct pass *p, const void *all, size_t size)
{
        static const unsigned copied[] = {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID};

        begin(&p->deletions, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, p->family);
        for (unsigned i = 0; i < sizeof(copied) / sizeof(*copied); i++) {
                size_t n;
                const void *value = netlink_attribute(all, size, copied[i], &n);

                if (value)
                        netbuf_add(&p->deletions, copied[i] | (copied[i] == CTA_TUPLE_ORIG ? NLA_F_NESTED : 0), value,
                                   n);
        }
}

static int take(const struct nlmsghdr *h, void *arg)
{
        struct pass *p = arg;
        struct tuple original, answer;
        struct conntrack_flow flow;
        uint32_t status = 0;
        size_t size, n;
        const void *all = netlink_attributes(h, sizeof(struct nfgenmsg), &size), *s;

        take_tuple(all, size, CTA_TUPLE_ORIG, p->family, &original);
        take_tuple(all, size, CTA_TUPLE_REPLY, p->family, &answer);
        s = netlink_attribute(all, size, CTA_STATUS, &n);
        if (s && n == sizeof(status))
                memcpy(&status, s, n);
        flow = (struct conntrack_flow){.protocol = original.protocol,
                                       .from = original.from,
                                       .to = original.to,
                                       .from_port = original.from_port,
                                       .to_port = original.to_port,
                                       .answer_from = answer.from,
                                       .answer_port = answer.from_port,
                                       .translated = be32toh(status) & IPS_DST_NAT};
        if (flow.protocol == p->protocol && (!p->to_port || flow.to_port == p->to_port) && p->deletions.n < AT_ONCE &&
            p->fn(&flow, p->arg))
                add_deletion(p, all, size);
        return 0;
}

/* ---- asking ---- */

static void add_filter(struct netbuf *b, const struct pass *p)
{
        uint16_t port = htobe16(p->to_port);
        size_t open = netbuf_open(b, CTA_TUPLE_ORIG), proto = netbuf_open(b, CTA_TUPLE_PROTO);

        netbuf_add_u8(b, CTA_PROTO_NUM, p->protocol);
        if (p->to_port)
                netbuf_add(b, CTA_PROTO_DST_PORT, &port, sizeof(port));
        netbuf_close(b, proto);
        netbuf_close(b, open);
        open = netbuf_open(b, CTA_FILTER);
        netbuf_add_u32(b, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL | (p->to_port ? FILTER_TO_PORT : 0));
        netbuf_add_u32(b, CTA_FILTER_REPLY_FLAGS, 0);
        netbuf_close(b, open);
}

static int look(int fd, struct pass *p, bool filter)
{
        _cleanup_netbuf_ struct netbuf b = {0};

        begin(&b, IPCTNL_MSG_CT_GET, NLM_F_DUMP, p->family);
        if (filter)
                add_filter(&b, p);
        return netlink_ask(fd, &b, take, p);
}

int conntrack_forget(int fd, int family, uint8_t protocol, uint16_t to_port, conntrack_fn *fn, void *arg)
{
        struct pass p = {.family = family, .protocol = protocol, .to_port = to_port, .fn = fn, .arg = arg};
        bool filter = true, more = true;
        int r = 0, count = 0;

        for (int i = 0; more && r >= 0 && i < PASSES; i++) {
                r = look(fd, &p, filter);
                if ((r == -EINVAL || r == -EOPNOTSUPP) && filter) {
                        filter = false; /* an older kernel */
                        netbuf_done(&p.deletions);
                        r = look(fd, &p, false);
                }
                more = r == 0 && p.deletions.n == AT_ONCE;
                count += r == 0 ? (int)p.deletions.n : 0;
                if (r == 0 && p.deletions.n)
                        r = netlink_send(fd, &p.deletions, NULL);
                if (r == -ENOENT || r == -EAGAIN) /* gone by itself; changed while we looked */
                        r = 0;
                netbuf_done(&p.deletions);
        }
        return r < 0 ? r : count;
}
