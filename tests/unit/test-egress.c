/* Unit tests of sys/egress: the rules as text, and what the kernel takes of them, in a network namespace of our own. */
#include "check.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/egress.h"
#include "sys/netlink.h"
#include "sys/nft.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static err *parse(const char *text, struct egress *ret)
{
        char *lists[] = {(char *)text, NULL};

        return egress_parse(lists, ret);
}

static void egress_parse_takes_what_format_writes(void **state)
{
        static const char *const rules[] = {
                "allow=10.0.0.0/8",
                "deny=192.0.2.1",
                "allow=fd00::/8",
                "allow=[fd00::1]:443/tcp",
                "deny=*:25/tcp",
                "allow=*/icmp",
                "allow=example.org:1000-2000/udp",
                "allow=*.example.org",
                "allow=0.0.0.0/0:53",
                "allow=db_1/sctp",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
                _cleanup_free_ char *list = str_format("%s,deny=*", rules[i]), *again = NULL;
                _cleanup_egress_ struct egress e = {0};

                check_ok(parse(list, &e));
                assert_int_equal(e.n, 2);
                check_ok(egress_format(&e.rules[0], &again));
                assert_string_equal(again, rules[i]);
                assert_true(!e.rules[1].allow);
        }
}

static void egress_parse_refuses_what_is_not_clear(void **state)
{
        static const char *const bad[] = {
                "",
                "allow",
                "allow=",
                "permit=*",
                "allow=10.0.0.0/8",
                "allow=*,deny=10.0.0.1",
                "allow=*,deny=*",
                "allow=10.0.0.1/8,deny=*",
                "allow=10.0.0.0/33,deny=*",
                "allow=10.0.0,deny=*",
                "allow=fd00::1/64,deny=*",
                "allow=fd00:::1,deny=*",
                "allow=[10.0.0.1]:1,deny=*",
                "allow=[fd00::1,deny=*",
                "allow=[fd00::1]1,deny=*",
                "allow=*:0,deny=*",
                "allow=*:65536,deny=*",
                "allow=*:5-4,deny=*",
                "allow=*:x,deny=*",
                "allow=*:80/icmp,deny=*",
                "allow=*/gre,deny=*",
                "allow=a..b,deny=*",
                "allow=-a.b,deny=*",
                "allow=a.*.b,deny=*",
                "allow=*a,deny=*",
                "allow=a b,deny=*",
                "deny=*,",
                ",deny=*",
                "allow=10.0.0.0/8 ,deny=*",
                "allow=a/b,deny=*",
                "allow=*/tcp",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                struct egress e;

                check_code(parse(bad[i], &e), ERR_INVALID);
        }
}

static void egress_name_fits_whole_names_and_what_is_below(void **state)
{
        (void)state;
        assert_true(egress_name_fits("example.org", "Example.ORG."));
        assert_false(egress_name_fits("example.org", "www.example.org"));
        assert_false(egress_name_fits("example.org", "example.organ"));
        assert_true(egress_name_fits("*.example.org", "a.b.example.org"));
        assert_false(egress_name_fits("*.example.org", "example.org"));
        assert_false(egress_name_fits("*.example.org", ".example.org"));
        assert_false(egress_name_fits("*.example.org", "evilexample.org"));
        assert_false(egress_name_fits("example.org", ""));
}

static unsigned count(int fd, uint8_t family, const char *set)
{
        unsigned n = 0;
        int r = nft_set_count(fd, family, family == NFPROTO_BRIDGE ? "hod_egress" : "hod", set, &n);

        return r < 0 ? 999 : n;
}

static void egress_install_changes_learns_and_remove_leaves_nothing(void **state)
{
        struct link_address a = {.family = AF_INET, .data = {192, 0, 2, 7}, .prefix = 32};
        _cleanup_egress_ struct egress e = {0}, other = {0};
        struct endpoint port;
        int fd, route;

        (void)state;
        if (unshare(CLONE_NEWNET) < 0)
                skip();
        fd = netlink_open(NETLINK_NETFILTER);
        route = netlink_open(NETLINK_ROUTE);
        check_ok(link_bridge_make(route, &(struct link_bridge){.name = "br0"}));
        check_ok(endpoint_parse("parent=br0 host=hodfeedfacecafe name=eth0 mac=02:42:ac:11:00:02 ip=10.0.0.2/24 "
                                "ip=fd00::2/64",
                                &port));
        check_ok(parse("allow=10.0.0.0/8,allow=fd00::/8,allow=*.example.org:443,allow=*:53,allow=*/icmp,deny=*", &e));
        check_ok(parse("deny=192.0.2.0/24,allow=*", &other));
        check_ok(egress_remove(fd, ID, &port, 1)); /* nothing there */
        assert_int_equal(count(fd, NFPROTO_INET, "egress"), 999);
        for (int round = 0; round < 2; round++) {
                check_ok(egress_install(fd, route, ID, &e, &port, 1));
                check_ok(egress_learn(fd, ID, &e, "www.example.org", &a, 1, 60));
                check_ok(egress_learn(fd, ID, &e, "www.example.net", &a, 1, 60));
                assert_int_equal(count(fd, NFPROTO_INET, "egress"), 1);
                assert_int_equal(count(fd, NFPROTO_INET, "names4-0123456789ab"), 1);
                assert_int_equal(count(fd, NFPROTO_BRIDGE, "ports"), 1);
                assert_int_equal(count(fd, NFPROTO_BRIDGE, "inbound4"), 1);
        }
        check_ok(egress_install(fd, route, ID, &other, &port, 1));
        check_ok(egress_remove_port(fd, ID, &port));
        check_ok(egress_remove_port(fd, ID, &port));
        assert_int_equal(count(fd, NFPROTO_BRIDGE, "ports"), 0);
        check_ok(egress_install(fd, route, ID, &other, &port, 1));
        check_ok(egress_remove(fd, ID, &port, 1));
        check_ok(egress_remove(fd, ID, &port, 1));
        assert_int_equal(count(fd, NFPROTO_INET, "egress"), 999);
        assert_int_equal(count(fd, NFPROTO_BRIDGE, "ports"), 999);
        (void)file_close(fd);
        (void)file_close(route);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(egress_parse_takes_what_format_writes),
                cmocka_unit_test(egress_parse_refuses_what_is_not_clear),
                cmocka_unit_test(egress_name_fits_whole_names_and_what_is_below),
                cmocka_unit_test(egress_install_changes_learns_and_remove_leaves_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
