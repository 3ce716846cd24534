/* Unit tests of sys/endpoint and what it stands on: the line, and, in network namespaces of our own, the links. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/endpoint.h"
#include "sys/netlink.h"

#define LINE                                                                                                           \
        "kind=bridge parent=hod0 host=hod0123456789ab name=eth0 mtu=1400 mac=02:42:ac:11:00:02 ipv6=1 isolated=1 "     \
        "hairpin=1 ip=172.17.0.2/16 ip=fd00::2/64 extra=169.254.9.9/16 route=,172.17.0.1,0 "                           \
        "route=10.0.0.0/8,172.17.0.9,5"

/* ---- the line ---- */

static void endpoint_format_writes_what_parse_read(void **state)
{
        _cleanup_free_ char *again = NULL;
        struct endpoint e;

        (void)state;
        check_ok(endpoint_parse(LINE, &e));
        assert_int_equal(e.kind, ENDPOINT_BRIDGE);
        assert_string_equal(e.host_name, "hod0123456789ab");
        assert_int_equal(e.mtu, 1400);
        assert_true(e.ipv6 && e.isolated && e.hairpin);
        assert_int_equal(e.address[1].family, AF_INET6);
        assert_int_equal(e.n_routes, 2);
        assert_int_equal(e.route[0].to.family, 0);
        assert_int_equal(e.route[1].metric, 5);
        check_ok(endpoint_format(&e, &again));
        assert_string_equal(again, LINE);
}

static void endpoint_parse_ignores_words_of_newer_engines(void **state)
{
        struct endpoint e;

        (void)state;
        check_ok(endpoint_parse("kind=macvlan parent=eth0 name=eth0 mode=vepa mac=02:42:ac:11:00:02 colour=red", &e));
        assert_int_equal(e.kind, ENDPOINT_MACVLAN);
        assert_string_equal(e.mode, "vepa");
}

static void endpoint_parse_refuses_what_is_damaged(void **state)
{
        static const char many[] = "parent=hod0 name=eth0 route=,,0 route=,,0 route=,,0 route=,,0 route=,,0 route=,,0 "
                                   "route=,,0 route=,,0 route=,,0";
        static const char *const bad[] = {
                "",
                many,
                "kind=bridge parent=hod0",
                "kind=bridge name=eth0",
                "kind=vlan parent=hod0 name=eth0",
                "parent=hod0 name=eth0 rubbish",
                "parent=a123456789012345 name=eth0",
                "parent=hod0 name=a123456789012345",
                "parent=hod0 name=eth0 mode=a12345678901",
                "parent=hod0 name=eth0 mtu=65536",
                "parent=hod0 name=eth0 mac=02:42:ac:11:00",
                "parent=hod0 name=eth0 ip=1.2.3.4/33",
                "parent=hod0 name=eth0 ip=1.2.3.4 ip=1.2.3.5 ip=1.2.3.6",
                "parent=hod0 name=eth0 route=1.2.3.4",
                "parent=hod0 name=eth0 extra=x",
                "parent=hod0 name=eth0 extra=::1 extra=::1 extra=::1 extra=::1 extra=::1",
                "parent=hod0 name=eth0 route=,1.2.3.4,4294967296",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                struct endpoint e;

                check_code(endpoint_parse(bad[i], &e), ERR_CORRUPT);
        }
}

static void endpoint_address_parse_takes_addresses_only(void **state)
{
        static const char *const bad[] = {"",
                                          "/8",
                                          "1.2.3",
                                          "1.2.3.4/",
                                          "1.2.3.4/33",
                                          "1.2.3.4/-1",
                                          "::1/129",
                                          "1.2.3.4/a",
                                          "01.2.3.4x",
                                          "fe80::1%eth0",
                                          "1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7"};
        struct link_address a;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (endpoint_address_parse(bad[i], &a))
                        fail_msg("'%s' is an address", bad[i]);
        assert_true(endpoint_address_parse("::ffff:1.2.3.4", &a));
        assert_int_equal(a.family, AF_INET6);
        assert_int_equal(a.prefix, 128);
        assert_true(endpoint_address_parse("1.2.3.4/0", &a));
        assert_int_equal(a.prefix, 0);
}

static void endpoint_mac_parse_wants_lower_case_and_colons(void **state)
{
        unsigned char mac[6];

        (void)state;
        assert_true(endpoint_mac_parse("02:42:ac:11:00:ff", mac));
        assert_int_equal(mac[5], 0xff);
        assert_false(endpoint_mac_parse("02:42:AC:11:00:ff", mac));
        assert_false(endpoint_mac_parse("02-42-ac-11-00-ff", mac));
        assert_false(endpoint_mac_parse("02:42:ac:11:00:f", mac));
}

/* ---- links ---- */

static int host = -1, there = -1;

static int new_ns(void)
{
        return unshare(CLONE_NEWNET) < 0 ? -errno : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int begin(void **state)
{
        (void)state;
        there = file_close(there);
        host = file_close(host);
        there = new_ns();
        if (there == -EPERM)
                skip();
        assert_true(there >= 0);
        assert_true(new_ns() >= 0);
        host = netlink_open(NETLINK_ROUTE);
        return host < 0 ? -1 : 0;
}

static const struct link_bridge hod0 = {.name = "hod0", .alias = "ours", .address = {{AF_INET, {172, 17, 0, 1}, 16}}};

static void bridge(void)
{
        check_ok(link_bridge_make(host, &hod0));
        assert_int_equal(link_bridge_is_up(host, "hod0"), 0);
        check_ok(link_bridge_up(host, &hod0));
        assert_int_equal(link_bridge_is_up(host, "hod0"), 1);
}

static int links(void)
{
        struct if_nameindex *all = if_nameindex();
        int n = 0;

        while (all[n].if_index)
                n++;
        if_freenameindex(all);
        return n;
}

static void endpoint_make_replaces_the_pair_of_the_last_run(void **state)
{
        _cleanup_close_ int next = -1;
        struct endpoint e;

        (void)state;
        bridge();
        check_ok(endpoint_parse(LINE, &e));
        check_ok(endpoint_make(&e, there));
        assert_true(link_index(host, "hod0123456789ab") > 0);
        assert_int_equal(links(), 3);
        next = netlink_open_in(there, NETLINK_ROUTE);
        assert_true(link_index(next, "eth0") > 0);
        check_ok(endpoint_make(&e, there));
        assert_int_equal(links(), 3);
}

static void endpoint_make_believes_no_router_and_has_no_ipv6_unless_asked(void **state)
{
        _cleanup_free_ char *ra = NULL, *off = NULL, *has = NULL;
        struct endpoint e;

        (void)state;
        bridge();
        check_ok(endpoint_parse(LINE, &e));
        check_ok(endpoint_make(&e, there));
        (void)strcpy(e.name, "eth1");
        (void)strcpy(e.host_name, "hod1");
        e.ipv6 = false;
        e.address[1].family = 0;
        check_ok(endpoint_make(&e, there));
        assert_int_equal(setns(there, CLONE_NEWNET), 0);
        if (access("/proc/sys/net/ipv6", F_OK) != 0)
                skip();
        assert_int_equal(file_read(AT_FDCWD, "/proc/sys/net/ipv6/conf/eth0/accept_ra", 16, &ra, NULL), 0);
        assert_int_equal(file_read(AT_FDCWD, "/proc/sys/net/ipv6/conf/eth0/disable_ipv6", 16, &has, NULL), 0);
        assert_int_equal(file_read(AT_FDCWD, "/proc/sys/net/ipv6/conf/eth1/disable_ipv6", 16, &off, NULL), 0);
        assert_string_equal(ra, "0\n");
        assert_string_equal(has, "0\n");
        assert_string_equal(off, "1\n");
}

static void endpoint_make_leaves_nothing_of_a_failure(void **state)
{
        struct endpoint e;

        (void)state;
        bridge();
        check_ok(endpoint_parse(LINE, &e));
        assert_true(endpoint_address_parse("203.0.113.9", &e.route[0].via)); /* no such neighbour */
        check_code(endpoint_make(&e, there), ERR_SYS);
        assert_int_equal(links(), 2);
        (void)strcpy(e.parent, "nosuch");
        check_err(endpoint_make(&e, there), "network device nosuch is not there");
}

static void endpoint_reroute_replaces_what_leads_elsewhere(void **state)
{
        _cleanup_close_ int inside = -1;
        struct link_address a;
        struct endpoint e;
        bool taken;
        char *owner;

        (void)state;
        bridge();
        check_ok(endpoint_parse(
                "parent=hod0 host=hodb name=eth1 mac=02:42:ac:11:00:03 ip=10.9.0.2/24 extra=169.253.1.1/16", &e));
        check_ok(endpoint_make(&e, there));
        check_ok(endpoint_parse(LINE, &e));
        e.n_routes = 1;
        assert_true(endpoint_address_parse("203.0.113.0/24", &e.route[0].to));
        check_ok(endpoint_make(&e, there));
        inside = netlink_open_in(there, NETLINK_ROUTE);
        assert_int_equal(setns(there, CLONE_NEWNET), 0);
        check_ok(link_route_overlaps(inside, &e.route[0].to, NULL, &owner));
        assert_string_equal(owner, "eth0");
        free(owner);
        (void)strcpy(e.name, "eth1");
        assert_true(endpoint_address_parse("10.9.0.1", &e.route[0].via));
        check_ok(endpoint_reroute(&e, there));
        check_ok(link_route_overlaps(inside, &e.route[0].to, NULL, &owner));
        assert_string_equal(owner, "eth1");
        free(owner);
        assert_true(endpoint_address_parse("169.253.0.0/16", &a));
        check_ok(link_route_overlaps(inside, &a, NULL, &owner));
        assert_string_equal(owner, "eth1");
        free(owner);
        check_ok(endpoint_name_taken(there, "eth1", &taken));
        assert_true(taken);
}

static void endpoint_unmake_takes_both_ends_and_minds_nothing_that_is_gone(void **state)
{
        struct endpoint e;
        bool taken;

        (void)state;
        bridge();
        check_ok(endpoint_parse(LINE, &e));
        check_ok(endpoint_make(&e, there));
        check_ok(endpoint_unmake(&e, there, 0));
        check_ok(endpoint_unmake(&e, -1, 0));
        assert_int_equal(links(), 2);
        check_ok(endpoint_name_taken(there, "eth0", &taken));
        assert_false(taken);
        e.kind = ENDPOINT_MACVLAN;
        check_ok(endpoint_unmake(&e, there, 0));
        check_ok(endpoint_unmake(&e, -1, 0));
}

/* Two networks may have one parent. What was never made is not what the other one has. */
static void endpoint_unmake_leaves_what_another_has_on_the_same_device(void **state)
{
        struct endpoint e, never;
        bool taken;

        (void)state;
        bridge();
        check_ok(endpoint_parse("kind=macvlan mode=bridge parent=hod0 name=eth0 mac=02:42:0a:09:00:02", &e));
        never = e;
        never.name[3] = '1';
        never.mac[5] = 3;
        check_ok(endpoint_make(&e, there));
        check_ok(endpoint_unmake(&never, there, 1));
        check_ok(endpoint_name_taken(there, "eth0", &taken));
        assert_true(taken);
        check_ok(endpoint_unmake(&never, there, 0)); /* alone it is the one, whatever it is called */
        check_ok(endpoint_name_taken(there, "eth0", &taken));
        assert_false(taken);
}

/* What is to go altogether need not be told apart. */
static void endpoint_unmake_takes_all_of_them_one_by_one_whatever_they_are_called(void **state)
{
        struct endpoint e, gone;
        bool taken;

        (void)state;
        bridge();
        check_ok(endpoint_parse("kind=macvlan mode=bridge parent=hod0 name=eth0 mac=02:42:0a:09:00:02", &e));
        check_ok(endpoint_make(&e, there));
        e.name[3] = '1';
        e.mac[5] = 3;
        check_ok(endpoint_make(&e, there));
        gone = e;
        gone.name[3] = '2';
        gone.mac[5] = 4;
        check_code(endpoint_unmake(&gone, there, 0), ERR_CONFLICT);
        for (int i = 0; i < 3; i++)
                check_ok(endpoint_unmake(&gone, there, LINK_SUB_ANY));
        for (char c = '0'; c < '2'; c++) {
                e.name[3] = c;
                check_ok(endpoint_name_taken(there, e.name, &taken));
                assert_false(taken);
        }
}

static void link_bridge_remove_takes_what_has_the_mark(void **state)
{
        struct link_bridge other = {.name = "br7"};

        (void)state;
        bridge();
        check_ok(link_bridge_make(host, &hod0)); /* there already: fine */
        check_ok(link_bridge_make(host, &other));
        check_ok(link_bridge_remove(host, "br7", "ours"));
        check_ok(link_bridge_remove(host, "lo", "ours"));
        check_ok(link_bridge_remove(host, "nosuch", "ours"));
        assert_int_equal(links(), 3);
        check_ok(link_bridge_remove(host, "hod0", "ours"));
        assert_int_equal(links(), 2);
        check_ok(link_loopback_up(host));
        assert_int_equal(link_bridge_is_up(host, "lo"), 0);
        other.name = "lo";
        check_code(link_bridge_make(host, &other), ERR_CONFLICT);
}

static void link_bridge_make_gives_it_an_address_that_no_port_changes(void **state)
{
        unsigned char mac[3][6];
        struct endpoint e;

        (void)state;
        bridge();
        assert_int_equal(link_mac(host, "hod0", mac[0]), 0);
        for (int i = 0; i < 4; i++) { /* one of them would be lower */
                check_ok(endpoint_parse("parent=hod0 host=prt- name=eth- mac=02:42:0a:09:00:00 ip=10.9.0.2/24", &e));
                e.host_name[3] = e.name[3] = (char)('0' + i);
                e.mac[5] = (unsigned char)i;
                check_ok(endpoint_make(&e, there));
                assert_int_equal(link_mac(host, "hod0", mac[1]), 0);
                assert_memory_equal(mac[0], mac[1], 6);
        }
        check_ok(endpoint_unmake(&e, there, 0));
        assert_int_equal(link_mac(host, "hod0", mac[1]), 0);
        assert_memory_equal(mac[0], mac[1], 6);
        check_ok(link_bridge_make(host, &(struct link_bridge){.name = "br7"}));
        assert_int_equal(link_mac(host, "br7", mac[2]), 0);
        assert_memory_not_equal(mac[0], mac[2], 6);
}

static void link_route_overlaps_names_the_link(void **state)
{
        struct link_address a;
        char *owner;

        (void)state;
        bridge();
        assert_true(endpoint_address_parse("172.17.5.0/24", &a));
        check_ok(link_route_overlaps(host, &a, NULL, &owner));
        assert_string_equal(owner, "hod0");
        free(owner);
        check_ok(link_route_overlaps(host, &a, "hod0", &owner));
        assert_null(owner);
        assert_true(endpoint_address_parse("172.18.0.0/16", &a));
        check_ok(link_route_overlaps(host, &a, NULL, &owner));
        assert_null(owner);
        assert_true(endpoint_address_parse("172.0.0.0/8", &a));
        check_ok(link_route_overlaps(host, &a, NULL, &owner));
        assert_string_equal(owner, "hod0");
        free(owner);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(endpoint_format_writes_what_parse_read),
                cmocka_unit_test(endpoint_parse_ignores_words_of_newer_engines),
                cmocka_unit_test(endpoint_parse_refuses_what_is_damaged),
                cmocka_unit_test(endpoint_address_parse_takes_addresses_only),
                cmocka_unit_test(endpoint_mac_parse_wants_lower_case_and_colons),
                cmocka_unit_test_setup(endpoint_make_replaces_the_pair_of_the_last_run, begin),
                cmocka_unit_test_setup(endpoint_make_believes_no_router_and_has_no_ipv6_unless_asked, begin),
                cmocka_unit_test_setup(endpoint_make_leaves_nothing_of_a_failure, begin),
                cmocka_unit_test_setup(endpoint_reroute_replaces_what_leads_elsewhere, begin),
                cmocka_unit_test_setup(endpoint_unmake_takes_both_ends_and_minds_nothing_that_is_gone, begin),
                cmocka_unit_test_setup(endpoint_unmake_leaves_what_another_has_on_the_same_device, begin),
                cmocka_unit_test_setup(endpoint_unmake_takes_all_of_them_one_by_one_whatever_they_are_called, begin),
                cmocka_unit_test_setup(link_bridge_remove_takes_what_has_the_mark, begin),
                cmocka_unit_test_setup(link_bridge_make_gives_it_an_address_that_no_port_changes, begin),
                cmocka_unit_test_setup(link_route_overlaps_names_the_link, begin),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
