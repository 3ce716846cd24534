/* rate.c - see rate.h. */
#include "sys/rate.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/parse.h"
#include "base/str.h"
#include "sys/link_private.h"
#include "sys/netlink.h"

#define PER_SECOND 1000000000u
#define TICK_NS 64           /* the kernel's unit of time in these messages (/proc/net/psched) */
#define BURST_DEFAULT 32768  /* at least */
#define BURST_MS 20          /* a default burst is what passes in this time */
#define QUEUE_MS 100         /* longer than this nothing waits */
#define QUEUE_MIN 65536      /* a packet before segmentation */
#define ALIAS "hod net-rate" /* marks an ifb device as ours */
#define TRIES 8
#define ROOT TC_H_MAKE(1u << 16, 0)
#define INGRESS TC_H_MAKE(0xffffu << 16, 0)

/* ---- text ---- */

static const struct {
        const char *name;
        uint64_t bits;
} units[] = {
        {"bit", 1},        {"kbit", 1000},       {"mbit", 1000000},     {"gbit", 1000000000}, {"tbit", 1000000000000},
        {"kibit", 1024},   {"mibit", 1048576},   {"gibit", 1073741824}, {"bps", 8},           {"kbps", 8000},
        {"mbps", 8000000}, {"gbps", 8000000000},
};

static bool find_unit(const char *name, uint64_t *ret)
{
        for (size_t i = 0; i < ARRAY_SIZE(units); i++)
                if (strcasecmp(units[i].name, name) == 0) {
                        *ret = units[i].bits;
                        return true;
                }
        return false;
}

/* A decimal number before its unit, exactly: at most nine digits of fraction. */
static bool read_bits(const char *text, size_t size, uint64_t unit, unsigned __int128 *ret)
{
        unsigned __int128 whole = 0, fraction = 0;
        uint64_t scale = 1;
        bool point = false, digit = false;

        for (size_t i = 0; i < size; i++) {
                if (text[i] == '.' && !point) {
                        point = true;
                        continue;
                }
                if (text[i] < '0' || text[i] > '9' || whole > UINT64_MAX || scale > PER_SECOND / 10)
                        return false;
                digit = true;
                if (!point) {
                        whole = whole * 10 + (unsigned)(text[i] - '0');
                } else {
                        fraction = fraction * 10 + (unsigned)(text[i] - '0');
                        scale *= 10;
                }
        }
        *ret = whole * unit + fraction * unit / scale;
        return digit;
}

static err *parse_bytes(const char *text, uint64_t *ret)
{
        size_t n = strspn(text, "0123456789.");
        unsigned __int128 bits;
        uint64_t unit;

        if (str_eq(text, "0")) {
                *ret = 0;
                return NULL;
        }
        if (n && !text[n])
                return err_new(ERR_INVALID, "invalid rate '%s': it needs a unit, as in %.*smbit", text, (int)n, text);
        if (!n || !find_unit(text + n, &unit) || !read_bits(text, n, unit, &bits))
                return err_new(ERR_INVALID,
                               "invalid rate '%s': RATE[:BURST] is a number with bit, kbit, mbit, gbit or tbit (bits a "
                               "second) or bps, kbps, mbps, gbps (bytes a second), and a size",
                               text);
        if (bits / 8 < RATE_MIN || bits / 8 > RATE_MAX)
                return err_new(ERR_INVALID, "invalid rate '%s': it must be between 8kbit and 1tbit", text);
        *ret = (uint64_t)(bits / 8);
        return NULL;
}

static uint32_t default_burst(uint64_t bytes)
{
        uint64_t burst = bytes * BURST_MS / 1000;

        return burst < BURST_DEFAULT ? BURST_DEFAULT : burst > RATE_BURST_MAX ? RATE_BURST_MAX : (uint32_t)burst;
}

err *rate_parse(const char *text, struct rate *ret)
{
        const char *colon = strchrnul(text, ':');
        _cleanup_free_ char *first = strndup(text, (size_t)(colon - text));
        struct rate r = {0};
        int64_t burst;

        if (!first)
                return err_nomem();
        TRY(parse_bytes(first, &r.bytes));
        if (r.bytes)
                r.burst = default_burst(r.bytes);
        if (*colon) {
                TRY_WRAP(parse_size(colon + 1, &burst), "invalid burst");
                if (burst < RATE_BURST_MIN || burst > RATE_BURST_MAX)
                        return err_new(ERR_INVALID, "invalid burst '%s': it must be between 2k and 512m", colon + 1);
                r.burst = (uint32_t)burst;
        }
        *ret = r;
        return NULL;
}

/* ---- the kernel ---- */

static bool ifb_name(const char *link, char ret[LINK_NAME_MAX + 1])
{
        size_t n = strlen(link);

        if (n < 4 || n > LINK_NAME_MAX)
                return false;
        (void)snprintf(ret, LINK_NAME_MAX + 1, "ifb%s", link + 3);
        return true;
}

static void add_kind(struct netbuf *b, unsigned type, unsigned flags, const struct tcmsg *m, const char *kind)
{
        netbuf_begin(b, type, NLM_F_ACK | flags, m, sizeof(*m));
        netbuf_add_str(b, TCA_KIND, kind);
}

static void add_bucket(struct netbuf *b, int index, const struct rate *r)
{
        struct tcmsg m = {.tcm_ifindex = index, .tcm_parent = TC_H_ROOT, .tcm_handle = ROOT};
        uint64_t queue = r->bytes * QUEUE_MS / 1000;
        unsigned __int128 ticks = (unsigned __int128)r->burst * PER_SECOND / r->bytes / TICK_NS;
        struct tc_tbf_qopt q = {
                .rate = {.linklayer = TC_LINKLAYER_ETHERNET,
                         .rate = r->bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)r->bytes},
                .buffer = ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks,
        };
        size_t options;

        queue = (queue < QUEUE_MIN ? QUEUE_MIN : queue) + r->burst;
        q.limit = queue > INT32_MAX ? INT32_MAX : (uint32_t)queue;
        add_kind(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &m, "tbf");
        options = netbuf_open(b, TCA_OPTIONS);
        netbuf_add(b, TCA_TBF_PARMS, &q, sizeof(q));
        if (r->bytes > UINT32_MAX)
                netbuf_add(b, TCA_TBF_RATE64, &r->bytes, sizeof(r->bytes));
        netbuf_add_u32(b, TCA_TBF_BURST, r->burst);
        netbuf_close(b, options);
}

/* Everything that comes in at @index goes out at @ifb, which gives it back to @index as if it just came in. */
static void add_detour(struct netbuf *b, int index, int ifb)
{
        struct tcmsg ingress = {.tcm_ifindex = index, .tcm_parent = TC_H_INGRESS, .tcm_handle = INGRESS};
        struct tcmsg filter = {.tcm_ifindex = index,
                               .tcm_parent = INGRESS,
                               .tcm_handle = TC_H_MAKE(0x800u << 20, 1),
                               .tcm_info = TC_H_MAKE(1u << 16, __builtin_bswap16(ETH_P_ALL))};
        struct {
                struct tc_u32_sel sel;
                struct tc_u32_key key;
        } all = {.sel = {.flags = TC_U32_TERMINAL, .nkeys = 1}}; /* mask 0: everything */
        struct tc_mirred mirred = {.action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = (uint32_t)ifb};
        size_t options, actions, action, act_options;

        add_kind(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &ingress, "ingress");
        add_kind(b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, &filter, "u32");
        options = netbuf_open(b, TCA_OPTIONS);
        netbuf_add(b, TCA_U32_SEL, &all, sizeof(all));
        actions = netbuf_open(b, TCA_U32_ACT);
        action = netbuf_open(b, 1);
        netbuf_add_str(b, TCA_ACT_KIND, "mirred");
        act_options = netbuf_open(b, TCA_ACT_OPTIONS);
        netbuf_add(b, TCA_MIRRED_PARMS, &mirred, sizeof(mirred));
        netbuf_close(b, act_options);
        netbuf_close(b, action);
        netbuf_close(b, actions);
        netbuf_close(b, options);
}

/* The ifb device; one that is there already will do. Its index or -errno. */
static int make_ifb(int fd, const char *name)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        struct ifinfomsg m = {0};
        size_t info;
        int r;

        netbuf_begin(&b, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE, &m, sizeof(m));
        netbuf_add_str(&b, IFLA_IFNAME, name);
        netbuf_add_u32(&b, IFLA_NUM_TX_QUEUES, 1);
        netbuf_add_u32(&b, IFLA_NUM_RX_QUEUES, 1);
        info = netbuf_open(&b, IFLA_LINKINFO);
        netbuf_add_str(&b, IFLA_INFO_KIND, "ifb");
        netbuf_close(&b, info);
        netbuf_begin(&b, RTM_SETLINK, NLM_F_ACK, &m, sizeof(m));
        netbuf_add_str(&b, IFLA_IFNAME, name);
        netbuf_add(&b, IFLA_IFALIAS, ALIAS, strlen(ALIAS));
        r = netlink_send(fd, &b, NULL);
        return r < 0 ? r : link_index(fd, name);
}

static err *failed(int r, const char *name)
{
        if (r == -EOPNOTSUPP || r == -ENOENT)
                return err_new(ERR_UNSUPPORTED,
                               "a network rate cannot be limited: this kernel lacks one of ifb, sch_tbf, sch_ingress, "
                               "cls_u32, act_mirred");
        return err_sys(-r, "limiting the rate of network device %s", name);
}

static int try_set(int fd, int index, const char *ifb, const struct rate *r)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        int other = make_ifb(fd, ifb);

        if (other < 0)
                return other;
        link_add_no_link_local(&b, other);
        link_add_up(&b, other);
        add_bucket(&b, index, r);
        add_bucket(&b, other, r);
        add_detour(&b, index, other);
        return netlink_send_patiently(fd, &b);
}

err *rate_set(int fd, const char *name, const struct rate *r)
{
        char ifb[LINK_NAME_MAX + 1];
        int index, error;

        if (!r->bytes)
                return rate_clear(fd, name);
        if (!ifb_name(name, ifb))
                return err_new(ERR_INVALID, "limiting the rate of network device %s: its name is too short", name);
        index = link_index(fd, name);
        if (index < 0)
                return err_sys(-index, "finding network device %s", name);
        error = try_set(fd, index, ifb, r);
        /* Something else leads in there: the short way (shortcut.h) of a run that has just begun. */
        for (unsigned i = 0; i < TRIES && error == -EINVAL; i++) {
                TRY(rate_clear(fd, name));
                error = try_set(fd, index, ifb, r);
        }
        return error < 0 ? failed(error, name) : NULL;
}

err *rate_clear(int fd, const char *name)
{
        char ifb[LINK_NAME_MAX + 1];
        int index = link_index(fd, name);

        if (index > 0) {
                struct tcmsg root = {.tcm_ifindex = index, .tcm_parent = TC_H_ROOT, .tcm_handle = ROOT};
                struct tcmsg ingress = {.tcm_ifindex = index, .tcm_parent = TC_H_INGRESS, .tcm_handle = INGRESS};
                _cleanup_netbuf_ struct netbuf b = {0};
                int r;

                netbuf_begin(&b, RTM_DELQDISC, NLM_F_ACK, &ingress, sizeof(ingress));
                netbuf_begin(&b, RTM_DELQDISC, NLM_F_ACK, &root, sizeof(root));
                r = netlink_send_patiently(fd, &b);
                /* ENOENT, EINVAL: there is none. */
                if (r < 0 && r != -ENOENT && r != -EINVAL && r != -ENODEV)
                        return err_sys(-r, "freeing network device %s of its limit", name);
        }
        return ifb_name(name, ifb) ? link_delete(fd, ifb) : NULL;
}

/* ---- what nobody has removed ---- */

static int take_ifb(const struct nlmsghdr *h, void *arg)
{
        const struct ifinfomsg *m = NLMSG_DATA(h);
        const char *alias, *name;
        size_t size, n, n_name;
        char ***list = arg;
        const void *all;
        err *e;

        if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
                return 0;
        all = netlink_attributes(h, sizeof(*m), &size);
        alias = netlink_attribute(all, size, IFLA_IFALIAS, &n);
        name = netlink_attribute(all, size, IFLA_IFNAME, &n_name);
        if (!alias || !name || n < strlen(ALIAS) || memcmp(alias, ALIAS, strlen(ALIAS)) != 0 ||
            !str_starts(name, "ifb"))
                return 0;
        e = strv_push(list, str_format("hod%.*s", (int)n_name - 3, name + 3));
        if (!e)
                return 0;
        err_free(e);
        return -ENOMEM;
}

static err *list_limited(int fd, char ***ret)
{
        int r = -EAGAIN;

        for (unsigned i = 0; i < TRIES && r == -EAGAIN; i++) {
                _cleanup_netbuf_ struct netbuf b = {0};
                struct ifinfomsg any = {0};

                strv_free(*ret);
                *ret = NULL;
                netbuf_begin(&b, RTM_GETLINK, NLM_F_DUMP, &any, sizeof(any));
                r = netlink_ask(fd, &b, take_ifb, ret);
        }
        return r < 0 ? err_sys(-r, "reading the network devices") : NULL;
}

err *rate_sweep(int fd, bool remove, char ***ret)
{
        _cleanup_strv_ char **links = NULL;

        TRY(list_limited(fd, &links));
        for (char **link = links; link && *link; link++) {
                char ifb[LINK_NAME_MAX + 1];

                /* The link is there before its limit. */
                if (link_index(fd, *link) != -ENODEV || !ifb_name(*link, ifb))
                        continue;
                if (remove)
                        TRY(link_delete(fd, ifb));
                TRY(strv_add(ret, ifb));
        }
        return NULL;
}
