/* Unit tests of sys/rate: the text, and, in a network namespace of our own, the kernel's answers. */
#include "check.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/endpoint.h"
#include "sys/netlink.h"
#include "sys/rate.h"

static void rate_parse_takes_tcs_units(void **state)
{
        static const struct {
                const char *text;
                uint64_t bytes;
                uint32_t burst;
        } good[] = {
                {"10mbit", 1250000, 32768}, {"10Mbit:64k", 1250000, 65536},  {"1.5gbit", 187500000, 3750000},
                {"8kbit:2k", 1000, 2048},   {"80000bit", 10000, 32768},      {"100kbps", 100000, 32768},
                {"1mibit", 131072, 32768},  {"1tbit:1m", RATE_MAX, 1048576}, {"0", 0, 0},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                struct rate r;

                check_ok(rate_parse(good[i].text, &r));
                assert_int_equal(r.bytes, good[i].bytes);
                assert_int_equal(r.burst, good[i].burst);
        }
}

static void rate_parse_refuses_what_is_no_rate(void **state)
{
        static const char *const bad[] = {
                "",
                "10",
                "mbit",
                "10m",
                "10mbits",
                "-1mbit",
                " 1mbit",
                "1 mbit",
                "1..5mbit",
                ".mbit",
                "7kbit",
                "2tbit",
                "99999999999999999999999999999999999999999mbit",
                "1.0000000000001mbit",
                "10mbit:",
                "10mbit:1",
                "10mbit:1g",
                "10mbit:x",
                "1e3mbit",
                "10mbit:64k:1",
                ":64k",
                "0x10mbit",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                struct rate r;

                check_code(rate_parse(bad[i], &r), ERR_INVALID);
        }
}

/* As a shorter way that somebody has just made (shortcut.h). */
static void lead_in(int fd, int port)
{
        const struct tcmsg m = {
                .tcm_ifindex = port, .tcm_parent = TC_H_CLSACT, .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0)};
        _cleanup_netbuf_ struct netbuf b = {0};

        netbuf_begin(&b, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
        netbuf_add_str(&b, TCA_KIND, "clsact");
        assert_int_equal(netlink_send(fd, &b, NULL), 0);
}

static void rate_set_limits_changes_and_clear_leaves_nothing(void **state)
{
        const struct rate one = {1250000, 32768}, fast = {8000000000, 1048576};
        struct endpoint e;
        int fd, ns;

        (void)state;
        if (unshare(CLONE_NEWNET) < 0)
                skip();
        ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        fd = netlink_open(NETLINK_ROUTE);
        check_ok(link_bridge_make(fd, &(struct link_bridge){.name = "br0"}));
        check_ok(endpoint_parse("parent=br0 host=hodfeedfacecafe name=eth0 mac=02:42:ac:11:00:02 ip=10.0.0.2/24", &e));
        check_ok(endpoint_make(&e, ns));
        check_code(rate_set(fd, "hodnosuch", &one), ERR_SYS);
        check_ok(rate_set(fd, e.host_name, &one));
        assert_true(link_index(fd, "ifbfeedfacecafe") > 0);
        check_ok(rate_set(fd, e.host_name, &fast));
        check_ok(rate_clear(fd, e.host_name));
        check_ok(rate_clear(fd, e.host_name));
        assert_int_equal(link_index(fd, "ifbfeedfacecafe"), -ENODEV);
        /* Something else leads in there. */
        lead_in(fd, link_index(fd, e.host_name));
        check_ok(rate_set(fd, e.host_name, &one));
        assert_true(link_index(fd, "ifbfeedfacecafe") > 0);
        check_ok(rate_set(fd, e.host_name, &fast));
        check_ok(rate_clear(fd, e.host_name));
        /* The pair goes first. */
        check_ok(rate_set(fd, e.host_name, &one));
        check_ok(link_delete(fd, e.host_name));
        check_ok(rate_clear(fd, e.host_name));
        assert_int_equal(link_index(fd, "ifbfeedfacecafe"), -ENODEV);
        (void)file_close(fd);
        (void)file_close(ns);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rate_parse_takes_tcs_units),
                cmocka_unit_test(rate_parse_refuses_what_is_no_rate),
                cmocka_unit_test(rate_set_limits_changes_and_clear_leaves_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
