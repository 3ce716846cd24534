/* shortcut.c - see shortcut.h. */
#include "sys/shortcut.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/link_private.h"

#define NAME "hod_shortcut"
#define CLSACT TC_H_MAKE(TC_H_CLSACT, 0)
#define INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)
#define JUMPS 32
#define ADDRESSES (LINK_ADDRESSES + ENDPOINT_EXTRA)

/* Offsets in a frame. */
#define TO 0
#define FROM 6
#define IP4 14
#define IP4_SOURCE (IP4 + 12)
#define IP4_DESTINATION (IP4 + 16)
#define IP4_END (IP4 + 20)
#define IP6 14
#define IP6_NEXT (IP6 + 6)
#define IP6_SOURCE (IP6 + 8)
#define IP6_END (IP6 + 40)

/* ---- the program ---- */

enum {
        RESULT = BPF_REG_0,
        CONTEXT = BPF_REG_1,
        FRAME = BPF_REG_2,
        END = BPF_REG_3,
        VALUE = BPF_REG_4,
        PROTOCOL = BPF_REG_5,
};

struct code {
        struct bpf_program *p;
        const unsigned char *bridge; /* its link address */
        size_t leave[JUMPS];         /* jumps to the usual way */
        unsigned n;
};

static void leave(struct code *c, size_t jump)
{
        if (c->n < JUMPS)
                c->leave[c->n++] = jump;
        else
                c->p->failed = true;
}

static void load(struct code *c, uint8_t size, uint8_t reg, uint8_t from, size_t offset)
{
        bpf_program_emit(c->p, BPF_LDX | BPF_MEM | size, reg, from, (int16_t)offset, 0);
}

/* A jump if the low 32 bits of @reg are (BPF_JEQ) or are not (BPF_JNE) @value. */
static size_t jump_if(struct code *c, uint8_t op, uint8_t reg, uint32_t value)
{
        return bpf_program_emit(c->p, BPF_JMP32 | op | BPF_K, reg, 0, 0, (int32_t)value);
}

static size_t jump(struct code *c)
{
        return bpf_program_emit(c->p, BPF_JMP | BPF_JA, 0, 0, 0, 0);
}

/* The kernel lets nobody read further than has been asked about. */
static void need(struct code *c, int32_t size)
{
        bpf_program_emit(c->p, BPF_ALU64 | BPF_MOV | BPF_X, VALUE, FRAME, 0, 0);
        bpf_program_emit(c->p, BPF_ALU64 | BPF_ADD, VALUE, 0, 0, size);
        leave(c, bpf_program_emit(c->p, BPF_JMP | BPF_JGT | BPF_X, VALUE, END, 0, 0));
}

static void need_mac(struct code *c, size_t offset, const unsigned char mac[6])
{
        uint32_t first;
        uint16_t second;

        memcpy(&first, mac, sizeof(first));
        memcpy(&second, mac + sizeof(first), sizeof(second));
        load(c, BPF_W, VALUE, FRAME, offset);
        leave(c, jump_if(c, BPF_JNE, VALUE, first));
        load(c, BPF_H, VALUE, FRAME, offset + sizeof(first));
        leave(c, jump_if(c, BPF_JNE, VALUE, second));
}

/* The endpoint's addresses of one family. */
struct own {
        const struct link_address *address[ADDRESSES];
        unsigned n;
};

static struct own addresses(const struct endpoint *e, int family)
{
        struct own own = {0};

        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (e->address[i].family == family)
                        own.address[own.n++] = &e->address[i];
        for (unsigned i = 0; i < e->n_extra; i++)
                if (e->extra[i].family == family)
                        own.address[own.n++] = &e->extra[i];
        return own;
}

/* Go on if what is at @offset is one of them. */
static void need_address(struct code *c, size_t offset, const struct own *own)
{
        size_t found[ADDRESSES];

        for (unsigned i = 0; i < own->n; i++) {
                size_t next[4], words = own->address[i]->family == AF_INET ? 1 : 4;

                for (size_t w = 0; w < words; w++) {
                        uint32_t value;

                        memcpy(&value, own->address[i]->data + 4 * w, sizeof(value));
                        load(c, BPF_W, VALUE, FRAME, offset + 4 * w);
                        next[w] = jump_if(c, BPF_JNE, VALUE, value);
                }
                found[i] = jump(c);
                for (size_t w = 0; w < words; w++)
                        bpf_program_land(c->p, next[w]);
        }
        leave(c, jump(c));
        for (unsigned i = 0; i < own->n; i++)
                bpf_program_land(c->p, found[i]);
}

static void check_ipv4(struct code *c, const struct endpoint *e, const struct own *own)
{
        need(c, IP4_END);
        need_mac(c, TO, c->bridge);
        need_mac(c, FROM, e->mac);
        need_address(c, IP4_SOURCE, own);
        load(c, BPF_B, VALUE, FRAME, IP4_DESTINATION);
        leave(c, jump_if(c, BPF_JEQ, VALUE, 127));
}

/* ICMPv6 speaks for addresses: the guard reads it. */
static void check_ipv6(struct code *c, const struct endpoint *e, const struct own *own)
{
        size_t tcp;

        need(c, IP6_END);
        need_mac(c, TO, c->bridge);
        need_mac(c, FROM, e->mac);
        load(c, BPF_B, VALUE, FRAME, IP6_NEXT);
        tcp = jump_if(c, BPF_JEQ, VALUE, IPPROTO_TCP);
        leave(c, jump_if(c, BPF_JNE, VALUE, IPPROTO_UDP));
        bpf_program_land(c->p, tcp);
        need_address(c, IP6_SOURCE, own);
}

/* Nothing may be in the program that is never reached: only the families that the endpoint has. */
static void check_families(struct code *c, const struct endpoint *e)
{
        const struct own four = addresses(e, AF_INET), six = addresses(e, AF_INET6);
        size_t no_ipv4 = 0, good = 0;

        if (four.n) {
                no_ipv4 = jump_if(c, BPF_JNE, PROTOCOL, htons(ETH_P_IP));
                check_ipv4(c, e, &four);
        }
        if (four.n && !six.n)
                leave(c, no_ipv4);
        if (!six.n)
                return;
        if (four.n) {
                good = jump(c);
                bpf_program_land(c->p, no_ipv4);
        }
        leave(c, jump_if(c, BPF_JNE, PROTOCOL, htons(ETH_P_IPV6)));
        check_ipv6(c, e, &six);
        if (four.n)
                bpf_program_land(c->p, good);
}

void shortcut_compile(const struct endpoint *e, const unsigned char mac[6], int bridge, struct bpf_program *ret)
{
        struct code c = {.p = ret, .bridge = mac};

        *ret = (struct bpf_program){0};
        load(&c, BPF_W, VALUE, CONTEXT, offsetof(struct __sk_buff, vlan_present));
        leave(&c, jump_if(&c, BPF_JNE, VALUE, 0));
        load(&c, BPF_W, PROTOCOL, CONTEXT, offsetof(struct __sk_buff, protocol));
        load(&c, BPF_W, FRAME, CONTEXT, offsetof(struct __sk_buff, data));
        load(&c, BPF_W, END, CONTEXT, offsetof(struct __sk_buff, data_end));
        check_families(&c, e);
        bpf_program_emit(ret, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, bridge);
        bpf_program_emit(ret, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, BPF_F_INGRESS);
        bpf_program_emit(ret, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect);
        bpf_program_emit(ret, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
        for (unsigned i = 0; i < c.n; i++)
                bpf_program_land(ret, c.leave[i]);
        bpf_program_emit(ret, BPF_ALU64 | BPF_MOV | BPF_K, RESULT, 0, 0, TC_ACT_UNSPEC);
        bpf_program_emit(ret, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* ---- where it goes ---- */

/* The bridge is told first: it would send what is for the endpoint to all its ports once it had forgotten it. Sticky:
 * it learns nothing else from a neighbour who sends with this address where no guard is, for the endpoint could not set
 * that right by sending. */
static void add_known(struct netbuf *b, int port, const unsigned char mac[6])
{
        const struct ndmsg m = {.ndm_family = AF_BRIDGE,
                                .ndm_ifindex = port,
                                .ndm_state = NUD_NOARP,
                                .ndm_flags = NTF_MASTER | NTF_STICKY};

        netbuf_begin(b, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
        netbuf_add(b, NDA_LLADDR, mac, 6);
}

static void add_clsact(struct netbuf *b, unsigned type, unsigned flags, int port)
{
        const struct tcmsg m = {.tcm_ifindex = port, .tcm_parent = TC_H_CLSACT, .tcm_handle = CLSACT};

        netbuf_begin(b, type, NLM_F_ACK | flags, &m, sizeof(m));
        netbuf_add_str(b, TCA_KIND, "clsact");
}

static void add_filter(struct netbuf *b, int port, int program)
{
        const struct tcmsg m = {.tcm_ifindex = port,
                                .tcm_parent = INGRESS,
                                .tcm_handle = 1,
                                .tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_ALL))};
        size_t options;

        netbuf_begin(b, RTM_NEWTFILTER, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
        netbuf_add_str(b, TCA_KIND, "bpf");
        options = netbuf_open(b, TCA_OPTIONS);
        netbuf_add_u32(b, TCA_BPF_FD, (uint32_t)program);
        netbuf_add_str(b, TCA_BPF_NAME, NAME);
        netbuf_add_u32(b, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
        netbuf_close(b, options);
}

/* A socket, the bridge, if it is ours, and the index of the endpoint's port; -1: there is none of them. */
static int find(const struct endpoint *e, struct link_found *bridge, int *ret_fd)
{
        if (e->kind != ENDPOINT_BRIDGE)
                return -1;
        *ret_fd = netlink_open(NETLINK_ROUTE);
        if (*ret_fd < 0 || link_find(*ret_fd, e->parent, bridge) < 0 || !str_starts(bridge->alias, LINK_MARK))
                return -1;
        return link_index(*ret_fd, e->host_name);
}

void shortcut_make(const struct endpoint *e)
{
        _cleanup_bpf_program_ struct bpf_program p = {0};
        _cleanup_close_ int fd = -1, program = -1;
        _cleanup_netbuf_ struct netbuf b = {0};
        struct link_found bridge;
        int port = find(e, &bridge, &fd);

        if (port < 0 || (!e->address[0].family && !e->address[1].family))
                return;
        shortcut_compile(e, bridge.mac, bridge.index, &p);
        program = bpf_program_load(&p, BPF_PROG_TYPE_SCHED_CLS, NAME);
        if (program < 0)
                return;
        add_known(&b, port, e->mac);
        add_clsact(&b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, port);
        add_filter(&b, port, program);
        (void)netlink_send(fd, &b, NULL); /* without any of them it is the usual way */
}

void shortcut_forget(const struct endpoint *e)
{
        _cleanup_netbuf_ struct netbuf b = {0};
        _cleanup_close_ int fd = -1;
        struct link_found bridge;
        int port = find(e, &bridge, &fd);

        if (port < 0)
                return;
        add_known(&b, port, e->mac);
        (void)netlink_send(fd, &b, NULL);
}

int shortcut_remove(const char *name)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        _cleanup_netbuf_ struct netbuf b = {0};
        int port = fd < 0 ? fd : link_index(fd, name), r;

        if (port < 0)
                return port == -ENODEV ? 0 : port;
        add_clsact(&b, RTM_DELQDISC, 0, port);
        r = netlink_send_patiently(fd, &b);
        /* ENOENT, EINVAL: there is none, or that of a rate. */
        return r == -ENOENT || r == -EINVAL || r == -ENODEV ? 0 : r;
}
