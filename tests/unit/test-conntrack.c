/* Unit tests of sys/conntrack, in a network namespace of our own. */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "sys/conntrack.h"
#include "sys/link.h"
#include "sys/netlink.h"
#include "sys/nft.h"

static int fd = -1;

/* Connections are tracked where a rule asks about them. */
static int begin(void **state)
{
        const struct nft_hook hook = {"filter", NF_INET_LOCAL_OUT, 0, false};
        int route, r;
        struct nft n;

        (void)state;
        if (unshare(CLONE_NEWNET) < 0)
                return 0;
        route = netlink_open(NETLINK_ROUTE);
        assert_null(link_loopback_up(route));
        (void)file_close(route);
        fd = netlink_open(NETLINK_NETFILTER);
        nft_begin(&n, NFPROTO_INET);
        nft_table_add(&n, "t");
        nft_chain_add(&n, "t", "c", &hook);
        nft_rule_begin(&n, "t", "c");
        nft_ct(&n, NFT_CT_STATE, NFT_REG_1);
        nft_cmp_u32(&n, NFT_CMP_NEQ, NFT_REG_1, 0);
        nft_verdict(&n, NF_ACCEPT, NULL);
        nft_rule_end(&n);
        r = nft_commit(fd, &n, NULL);
        nft_done(&n);
        return r < 0 ? -1 : 0;
}

/* From a port of its own: chosen by the kernel, two could be the same. */
static void send_to(int type, uint16_t from_port, uint16_t port)
{
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(from_port)};
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int s = socket(AF_INET, type | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(s, (struct sockaddr *)&from, sizeof(from)), 0);
        (void)connect(s, (struct sockaddr *)&to, sizeof(to));
        (void)send(s, "x", 1, 0);
        (void)file_close(s);
}

static bool to_loopback(const struct conntrack_flow *f, void *arg)
{
        unsigned *seen = arg;

        ++*seen;
        return f->protocol == IPPROTO_UDP && f->to.family == AF_INET && f->to.data[0] == 127 && !f->translated &&
               f->answer_port == f->to_port && f->answer_from.data[0] == 127 && f->from_port;
}

static bool never(const struct conntrack_flow *f, void *arg)
{
        ++*(unsigned *)arg;
        return f->from_port == 0;
}

static void conntrack_forget_takes_what_is_chosen(void **state)
{
        unsigned seen = 0;

        (void)state;
        if (geteuid() != 0)
                skip();
        for (uint16_t i = 0; i < 150; i++)
                send_to(SOCK_DGRAM, (uint16_t)(20000 + i), 5000);
        send_to(SOCK_DGRAM, 20000, 5001);
        assert_int_equal(conntrack_forget(fd, AF_INET, IPPROTO_UDP, 5000, never, &seen), 0);
        assert_int_equal(seen, 150);
        assert_int_equal(conntrack_forget(fd, AF_INET, IPPROTO_TCP, 0, never, &seen), 0);
        assert_int_equal(conntrack_forget(fd, AF_INET6, IPPROTO_UDP, 0, never, &seen), 0);
        assert_int_equal(seen, 150);
        /* More than fit into one round. */
        assert_int_equal(conntrack_forget(fd, AF_INET, IPPROTO_UDP, 5000, to_loopback, &seen), 150);
        seen = 0;
        assert_int_equal(conntrack_forget(fd, AF_INET, IPPROTO_UDP, 0, never, &seen), 0);
        assert_int_equal(seen, 1);
        assert_int_equal(conntrack_forget(fd, AF_INET, IPPROTO_UDP, 0, to_loopback, &seen), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(conntrack_forget_takes_what_is_chosen),
        };

        return cmocka_run_group_tests(tests, begin, NULL);
}
