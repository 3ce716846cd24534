/* Unit tests of engine/endpoints: which of several networks leads out. */
#include "check.h"

#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/endpoints_private.h"

#define ENTRY(name, kind, rest) "\"" name "\":{\"HodLine\":\"kind=" kind " parent=p name=eth0\"" rest "}"
#define GATEWAY(text) ",\"Gateway\":\"" text "\""
#define IPV6 ",\"IPv6Gateway\":\"fd00::1\""
#define PRIORITY(number) ",\"GwPriority\":" number

static json *read_doc(const char *networks)
{
        _cleanup_free_ char *text = str_format("{\"Networks\":{%s}}", networks);
        json *doc;

        check_ok(json_parse(text, strlen(text), &doc));
        return doc;
}

static void is_name(const char *name, const char *wanted)
{
        if (wanted)
                assert_string_equal(name, wanted);
        else
                assert_null(name);
}

static void leads_out(const char *networks, const char *four, const char *six)
{
        _cleanup_json_ json *doc = read_doc(networks);
        const char *names[LINK_ADDRESSES];

        endpoints_outward(doc, names);
        is_name(names[0], four);
        is_name(names[1], six);
}

static void endpoints_outward_prefers_priority_then_both_families_then_the_name(void **state)
{
        (void)state;
        leads_out(ENTRY("b", "bridge", GATEWAY("10.2.0.1")) "," ENTRY("a", "bridge", GATEWAY("10.1.0.1")), "a", NULL);
        leads_out(ENTRY("b", "bridge", GATEWAY("10.2.0.1") IPV6) "," ENTRY("a", "bridge", GATEWAY("10.1.0.1")), "b",
                  "b");
        leads_out(ENTRY("b", "bridge", GATEWAY("10.2.0.1") IPV6) "," ENTRY("a", "bridge", IPV6), "b", "b");
        leads_out(ENTRY("b", "bridge", GATEWAY("10.2.0.1") IPV6) "," ENTRY(
                          "a", "bridge", GATEWAY("10.1.0.1") PRIORITY("1")) "," ENTRY("c", "bridge", PRIORITY("9")),
                  "a", "b");
        leads_out(ENTRY("a", "bridge", GATEWAY("")), NULL, NULL);
}

static void endpoints_outward_finds_each_family_a_network(void **state)
{
        (void)state;
        leads_out(ENTRY("b", "bridge", GATEWAY("10.2.0.1")) "," ENTRY("a", "bridge", IPV6), "b", "a");
}

static void endpoints_outward_is_a_bridge_though_another_has_the_route(void **state)
{
        _cleanup_json_ json *doc =
                read_doc(ENTRY("a", "macvlan", GATEWAY("10.1.0.1")) "," ENTRY("b", "bridge", GATEWAY("10.2.0.1")));
        const char *names[LINK_ADDRESSES];
        struct endpoint e;

        (void)state;
        endpoints_outward(doc, names);
        assert_string_equal(names[0], "b");
        check_ok(endpoints_endpoint(doc, "a", &e));
        assert_int_equal(e.n_routes, 1);
        check_ok(endpoints_endpoint(doc, "b", &e));
        assert_int_equal(e.n_routes, 0);
}

static void led_by(const char *doc_text, const char *four, const char *six)
{
        _cleanup_json_ json *doc;
        const char *names[LINK_ADDRESSES];

        check_ok(json_parse(doc_text, strlen(doc_text), &doc));
        endpoints_leading(doc, names);
        is_name(names[0], four);
        is_name(names[1], six);
}

#define LED(networks, more) "{\"Networks\":{" networks "},\"PortsLeadTo\":\"a\"" more "}"

static void endpoints_leading_understands_who_wrote_one_network_for_both_families(void **state)
{
        (void)state;
        led_by(LED(ENTRY("a", "bridge", GATEWAY("10.1.0.1")), ""), "a", NULL);
        led_by(LED(ENTRY("a", "bridge", GATEWAY("10.1.0.1") IPV6), ""), "a", "a");
        led_by(LED(ENTRY("a", "bridge", IPV6), ""), NULL, "a");
        led_by(LED(ENTRY("a", "bridge", GATEWAY("10.1.0.1")) "," ENTRY("b", "bridge", IPV6), ",\"PortsLeadTo6\":\"b\""),
               "a", "b");
        led_by(LED("", ""), "a", NULL);
        led_by("{}", NULL, NULL);
}

static void endpoints_endpoint_gives_each_family_its_route_once(void **state)
{
        _cleanup_json_ json *doc = read_doc(ENTRY("a", "bridge", GATEWAY("10.1.0.1") PRIORITY("5")) "," ENTRY(
                "b", "bridge", GATEWAY("10.2.0.1") IPV6));
        struct endpoint e;

        (void)state;
        check_ok(endpoints_endpoint(doc, "a", &e));
        assert_int_equal(e.n_routes, 1);
        assert_int_equal(e.route[0].via.family, AF_INET);
        check_ok(endpoints_endpoint(doc, "b", &e));
        assert_int_equal(e.n_routes, 1);
        assert_int_equal(e.route[0].via.family, AF_INET6);
}

static void endpoints_endpoint_has_no_gateway_on_layer_three(void **state)
{
        _cleanup_json_ json *doc = read_doc(ENTRY("a", "ipvlan mode=l3-vepa", GATEWAY("10.1.0.1")));
        struct endpoint e;

        (void)state;
        check_ok(endpoints_endpoint(doc, "a", &e));
        assert_int_equal(e.n_routes, 1);
        assert_int_equal(e.route[0].via.family, 0);
        assert_int_equal(e.route[0].to.family, AF_INET);
        assert_int_equal(e.route[0].to.prefix, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(endpoints_outward_prefers_priority_then_both_families_then_the_name),
                cmocka_unit_test(endpoints_outward_finds_each_family_a_network),
                cmocka_unit_test(endpoints_outward_is_a_bridge_though_another_has_the_route),
                cmocka_unit_test(endpoints_leading_understands_who_wrote_one_network_for_both_families),
                cmocka_unit_test(endpoints_endpoint_gives_each_family_its_route_once),
                cmocka_unit_test(endpoints_endpoint_has_no_gateway_on_layer_three),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
