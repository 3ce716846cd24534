/* Unit tests of net/address. */
#include "check.h"

#include <sys/socket.h>

#include "net/address.h"
#include "sys/endpoint.h"

static struct link_address at(const char *text)
{
        struct link_address a;

        if (!endpoint_address_parse(text, &a))
                fail_msg("'%s' is no address", text);
        return a;
}

static void is(struct link_address a, const char *want)
{
        char text[ENDPOINT_ADDRESS_MAX];

        assert_string_equal(endpoint_address_text(&a, true, text), want);
}

static struct link_address network(const char *text)
{
        struct link_address a = at(text);

        return address_network(&a);
}

static struct link_address last(const char *text)
{
        struct link_address a = at(text);

        return address_last(&a);
}

static struct link_address add(const char *text, uint64_t n)
{
        struct link_address a = at(text);

        return address_add(&a, n);
}

static bool within(const char *net, const char *text)
{
        struct link_address a = at(net), b = at(text);

        return address_within(&a, &b);
}

static bool overlap(const char *x, const char *y)
{
        struct link_address a = at(x), b = at(y);

        assert_int_equal(address_overlap(&a, &b), address_overlap(&b, &a));
        return address_overlap(&a, &b);
}

static void address_network_clears_host_bits(void **state)
{
        (void)state;
        is(network("10.1.2.3/8"), "10.0.0.0/8");
        is(network("10.1.2.3/23"), "10.1.2.0/23");
        is(network("10.1.3.3/23"), "10.1.2.0/23");
        is(network("10.1.2.3/32"), "10.1.2.3/32");
        is(network("10.1.2.3/0"), "0.0.0.0/0");
        is(network("fd00:1:2:3:4:5:6:7/64"), "fd00:1:2:3::/64");
        is(network("fd00:1:2:ffff::/61"), "fd00:1:2:fff8::/61");
        is(network("fd00::1/128"), "fd00::1/128");
}

static void address_last_sets_host_bits(void **state)
{
        (void)state;
        is(last("10.1.2.3/24"), "10.1.2.255/24");
        is(last("10.1.2.3/30"), "10.1.2.3/30");
        is(last("10.1.2.0/32"), "10.1.2.0/32");
        is(last("0.0.0.0/0"), "255.255.255.255/0");
        is(last("fd00::/126"), "fd00::3/126");
}

static void address_add_carries(void **state)
{
        (void)state;
        is(add("10.0.0.255/8", 1), "10.0.1.0/8");
        is(add("10.0.0.0/8", 1u << 24), "11.0.0.0/8");
        is(add("255.255.255.255/32", 1), "0.0.0.0/32");
        is(add("fd00::ffff:ffff/64", 1), "fd00::1:0:0/64");
        is(add("fd00::/64", UINT64_MAX), "fd00::ffff:ffff:ffff:ffff/64");
        is(add("10.0.0.1/8", 0), "10.0.0.1/8");
}

static void address_within_and_overlap_look_at_family_and_prefix(void **state)
{
        (void)state;
        assert_true(within("10.0.0.0/8", "10.255.255.255"));
        assert_false(within("10.0.0.0/8", "11.0.0.0"));
        assert_true(within("10.0.0.1/32", "10.0.0.1"));
        assert_false(within("10.0.0.1/32", "10.0.0.2"));
        assert_true(within("0.0.0.0/0", "1.2.3.4"));
        assert_false(within("0.0.0.0/0", "::1"));
        assert_false(within("::/0", "1.2.3.4"));
        assert_true(overlap("10.0.0.0/8", "10.9.0.0/16"));
        assert_true(overlap("10.9.0.0/16", "10.9.0.0/16"));
        assert_false(overlap("10.8.0.0/16", "10.9.0.0/16"));
        assert_false(overlap("::/0", "10.9.0.0/16"));
        assert_true(overlap("fd00::/8", "fd12:3456::/64"));
}

static void address_compare_orders_by_bytes(void **state)
{
        struct link_address a = at("10.0.0.9/8"), b = at("10.0.0.10/24"), c = at("10.0.0.10");

        (void)state;
        assert_true(address_compare(&a, &b) < 0);
        assert_true(address_compare(&b, &a) > 0);
        assert_int_equal(address_compare(&b, &c), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(address_network_clears_host_bits),
                cmocka_unit_test(address_last_sets_host_bits),
                cmocka_unit_test(address_add_carries),
                cmocka_unit_test(address_within_and_overlap_look_at_family_and_prefix),
                cmocka_unit_test(address_compare_orders_by_bytes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
