/* nameserver_socket.c - the sockets of the DNS server, and how port 53 of 127.0.0.11 leads to them. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/sockios.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/file.h"
#include "monitor/nameserver.h"
#include "sys/loopback.h"
#include "sys/nft.h"
#include "sys/ns.h"

#define ADDRESS 0x7f00000b /* 127.0.0.11 */
#define PORT 53
#define TABLE "hod_dns"
#define LOWEST_PORT 61000 /* above what the kernel gives to those who connect */
#define PORT_TRIES 16
#define BACKLOG 128
#define NEVER (-2)
#define RECEIVE (1 << 20) /* bytes that may wait: a burst of some thousand queries */

/* ---- sockets ---- */

static int open_socket(int ns, int type, uint16_t port)
{
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ADDRESS)};
        _cleanup_close_ int s = ns_socket(ns, AF_INET, type | SOCK_NONBLOCK, 0);
        int size = RECEIVE, r;

        if (s < 0)
                return s;
        r = loopback_only(s); /* the container's neighbours have no business here */
        if (r < 0)
                return r;
        if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0)
                return -errno;
        if (type == SOCK_STREAM && listen(s, BACKLOG) < 0)
                return -errno;
        if (type == SOCK_DGRAM)
                (void)setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
        return TAKE_FD(s);
}

static err *open_sockets(int ns, int ret[2], uint16_t *ret_port)
{
        int r = 0;

        for (int i = 0; i < PORT_TRIES; i++) {
                _cleanup_close_ int udp = -1, tcp = -1;
                uint16_t port;

                if (getrandom(&port, sizeof(port), 0) != sizeof(port))
                        return err_sys(errno, "choosing a port");
                port = (uint16_t)(LOWEST_PORT + port % (65536 - LOWEST_PORT));
                udp = r = open_socket(ns, SOCK_DGRAM, port);
                if (r >= 0)
                        tcp = r = open_socket(ns, SOCK_STREAM, port);
                if (r >= 0) {
                        ret[0] = TAKE_FD(udp);
                        ret[1] = TAKE_FD(tcp);
                        *ret_port = port;
                        return NULL;
                }
                if (r != -EADDRINUSE)
                        break;
        }
        return err_sys(-r, "opening the container's DNS server");
}

/* ---- rules ---- */

/* Chains for queries and for replies, by how the kernel lets us have them. */
struct way {
        uint8_t family;
        const char *chain[2]; /* of queries, of replies */
        struct nft_hook hook[2];
};

/* What comes in by lo, and nothing else, passes here: what the container sends to others takes no step more. Connection
 * tracking, if the container has it, has seen port 53 by then, but for replies by TCP. */
static const struct way by_device = {
        NFPROTO_NETDEV,
        {"lo", "lo"},
        {{"filter", NF_NETDEV_INGRESS, 0, .device = "lo"}, {"filter", NF_NETDEV_INGRESS, 0, .device = "lo"}},
};
/* For kernels without CONFIG_NF_TABLES_NETDEV: queries after tracking, replies before it. */
static const struct way by_output = {
        NFPROTO_IPV4,
        {"query", "reply"},
        {{"filter", NF_INET_LOCAL_OUT, 250, false}, {"filter", NF_INET_LOCAL_OUT, -450, false}},
};

/* One direction of one protocol: a port of 127.0.0.11 becomes another. */
struct change {
        const char *chain;
        bool reply;
        uint8_t protocol;
        uint16_t from, to;
        bool unsummed; /* only datagrams that have no checksum: they are not to get one, which would be wrong */
};

static void add_rule(struct nft *n, const struct change *c)
{
        const uint32_t address = htonl(ADDRESS);
        const uint16_t port = htons(c->from), other = htons(c->to), ip = htons(ETH_P_IP), none = 0;
        unsigned at = c->reply ? 0 : 2, checksum = c->protocol == IPPROTO_UDP ? 6 : 16;

        nft_rule_begin(n, TABLE, c->chain);
        nft_meta(n, NFT_META_PROTOCOL, NFT_REG_1);
        nft_cmp(n, NFT_CMP_EQ, NFT_REG_1, &ip, sizeof(ip));
        nft_payload(n, NFT_PAYLOAD_NETWORK_HEADER, c->reply ? 12 : 16, 4, NFT_REG_1);
        nft_cmp(n, NFT_CMP_EQ, NFT_REG_1, &address, sizeof(address));
        nft_meta(n, NFT_META_L4PROTO, NFT_REG_1);
        nft_cmp_u8(n, NFT_CMP_EQ, NFT_REG_1, c->protocol);
        nft_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, at, 2, NFT_REG_1);
        nft_cmp(n, NFT_CMP_EQ, NFT_REG_1, &port, sizeof(port));
        if (c->unsummed) {
                nft_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, checksum, 2, NFT_REG_1);
                nft_cmp(n, NFT_CMP_EQ, NFT_REG_1, &none, sizeof(none));
        }
        nft_immediate(n, NFT_REG_1, &other, sizeof(other));
        nft_payload_set(n, NFT_PAYLOAD_TRANSPORT_HEADER, at, 2, NFT_REG_1, c->unsummed ? 0 : checksum);
        nft_rule_end(n);
}

/* After the first rule that is about it, a packet's port is another: no later one is. Our own answers have a checksum.
 */
static void add_rules(struct nft *n, const struct way *w, uint16_t port)
{
        const char *query = w->chain[0], *reply = w->chain[1];

        add_rule(n, &(struct change){query, false, IPPROTO_UDP, PORT, port, .unsummed = true});
        add_rule(n, &(struct change){query, false, IPPROTO_UDP, PORT, port});
        add_rule(n, &(struct change){query, false, IPPROTO_TCP, PORT, port});
        add_rule(n, &(struct change){reply, true, IPPROTO_UDP, port, PORT});
        add_rule(n, &(struct change){reply, true, IPPROTO_TCP, port, PORT});
}

static void drop_table(struct nft *n, uint8_t family)
{
        uint8_t before = n->family;

        n->family = family;
        nft_table_add(n, TABLE); /* else there may be none to delete */
        nft_table_delete(n, TABLE);
        n->family = before;
}

static int lead_by(const struct way *w, int fd, uint16_t port, bool fresh)
{
        _cleanup_nft_ struct nft n;

        nft_begin(&n, w->family);
        if (!fresh) {
                drop_table(&n, w->family);
                if (w->family != NFPROTO_IPV4)
                        drop_table(&n, NFPROTO_IPV4); /* of a monitor before us */
        }
        nft_table_add(&n, TABLE);
        for (unsigned i = 0; i < 2; i++)
                nft_chain_add(&n, TABLE, w->chain[i], &w->hook[i]);
        add_rules(&n, w, port);
        return nft_commit(fd, &n, NULL);
}

err *nameserver_socket_lead(int ns, uint16_t port, bool fresh)
{
        _cleanup_close_ int fd = netlink_open_in(ns, NETLINK_NETFILTER);
        int r;

        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        r = lead_by(&by_device, fd, port, fresh);
        if (r == -EOPNOTSUPP || r == -EAFNOSUPPORT || r == -ENOENT)
                r = lead_by(&by_output, fd, port, fresh);
        return r < 0 ? err_sys(-r, "leading port 53 of 127.0.0.11 to the container's DNS server") : NULL;
}

err *nameserver_socket_prepare(int ns, bool fresh, int ret[2])
{
        _cleanup_close_ int udp = -1, tcp = -1;
        int fds[2] = {-1, -1};
        uint16_t port;

        TRY(open_sockets(ns, fds, &port));
        udp = fds[0];
        tcp = fds[1];
        TRY(nameserver_socket_lead(ns, port, fresh));
        ret[0] = TAKE_FD(udp);
        ret[1] = TAKE_FD(tcp);
        return NULL;
}

/* ---- replies by UDP ---- */

/* From port 53 as they are: a socket that writes the header itself, opened when somebody asks for the first time. Bound
 * to what it writes, it is held to the kernel's rule that 127.0.0.0/8 leaves by no other device: who asks as somebody
 * else would have its answer sent there. */
static int open_replies(const struct nameserver *s)
{
        const struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ADDRESS)};
        _cleanup_close_ int ns = ioctl(s->udp.fd, SIOCGSKNS);
        _cleanup_close_ int fd = ns < 0 ? ns : ns_socket(ns, AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_RAW);

        return fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? NEVER : TAKE_FD(fd);
}

void nameserver_socket_reply(struct nameserver *s, const struct sockaddr_in *to, const unsigned char *message,
                             size_t size)
{
        struct {
                struct iphdr ip;
                struct udphdr udp;
        } head = {
                .ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .saddr = htonl(ADDRESS)},
                .udp = {.source = htons(PORT), .dest = to->sin_port, .len = htons((uint16_t)(8 + size))},
        };
        struct iovec parts[] = {{&head, sizeof(head)}, {(void *)message, size}};
        const struct msghdr m = {
                .msg_name = (void *)to, .msg_namelen = sizeof(*to), .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts)};

        head.ip.daddr = to->sin_addr.s_addr;
        if (s->replies == -1)
                s->replies = open_replies(s);
        if (s->replies >= 0 && size <= UINT16_MAX - sizeof(head) && sendmsg(s->replies, &m, MSG_DONTWAIT) >= 0)
                return;
        /* As any other: the rules set its port right. What does not arrive is asked again. */
        (void)sendto(s->udp.fd, message, size, MSG_DONTWAIT, (const struct sockaddr *)to, sizeof(*to));
}
