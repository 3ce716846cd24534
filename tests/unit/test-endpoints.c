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

/* ---- ports.h: ports that a network would have otherwise ---- */

#define OPEN(ip, port) "{\"HostIp\":\"" ip "\",\"HostPort\":\"" port "\",\"HodOpen\":true}"
#define AT(ip, port) "{\"HostIp\":\"" ip "\",\"HostPort\":\"" port "\"}"

static const struct link_address four = {.family = AF_INET, .data = {10, 0, 0, 2}},
                                 six = {.family = AF_INET6, .data = {0xfd, [15] = 2}},
                                 loopback = {.family = AF_INET, .data = {127, 0, 0, 1}};

static json *parse_text(const char *text)
{
        json *doc;

        check_ok(json_parse(text, strlen(text), &doc));
        return doc;
}

/* Of the port 80, for which the record has @asked, the entries @has: does what the network decided about go in @t? */
static void splits(const char *asked, const char *has, const struct ports_target *t, bool wanted)
{
        _cleanup_free_ char *record = str_format("{\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[%s]}}}", asked);
        _cleanup_free_ char *text = str_format(*has ? "{\"80/tcp\":[%s]}" : "{}", has);
        _cleanup_json_ json *ports = parse_text(text), *kept = NULL, *gone = NULL;
        struct container c = {.record = parse_text(record)};

        assert_int_equal(ports_split(&c, ports, t, &kept, &gone), wanted);
        assert_int_equal(json_len(gone), wanted);
        assert_int_equal(json_len(json_get(kept, "80/tcp")) + json_len(json_get(gone, "80/tcp")),
                         json_len(json_get(ports, "80/tcp")));
        json_free(c.record);
}

static void ports_split_finds_what_another_kind_of_network_would_have_otherwise(void **state)
{
        const struct ports_target nat = {.to = {four, six}}, routed = {.to = {four, six}, .routed = {true, true}},
                                  routed6 = {.to = {four, six}, .routed = {false, true}},
                                  bound = {.to = {four, six}, .host = loopback};
        static const char any[] = AT("", "8080"), all[] = AT("0.0.0.0", "8080") "," AT("::", "8080"),
                          open[] = OPEN("10.0.0.3", "80") "," OPEN("fd00::3", "80"),
                          mixed[] = AT("0.0.0.0", "8080") "," OPEN("fd00::3", "80"), local[] = AT("127.0.0.1", "8080");
        static const char *const have[] = {all, open, mixed, local};
        const struct ports_target *const targets[] = {&nat, &routed, &routed6, &bound};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(have); i++)
                for (size_t k = 0; k < ARRAY_SIZE(targets); k++)
                        splits(any, have[i], targets[k], i != k);
}

static void ports_split_leaves_alone_what_names_its_address(void **state)
{
        const struct ports_target nat = {.to = {four}}, bound = {.to = {four}, .host = loopback},
                                  routed = {.to = {four}, .routed = {true}};

        (void)state;
        splits(AT("127.0.0.1", "8080"), AT("127.0.0.1", "8080"), &nat, false);
        splits(AT("192.0.2.1", ""), AT("192.0.2.1", "32768"), &bound, false);
        splits(AT("192.0.2.1", ""), AT("192.0.2.1", "32768"), &routed, false);
        splits(AT("0.0.0.0", ""), AT("0.0.0.0", "32768"), &bound, false);
        splits(AT("0.0.0.0", ""), AT("0.0.0.0", "32768"), &routed, true);
        /* Which of both names it cannot be known: neither is asked for once more. */
        splits(AT("", "") "," AT("127.0.0.1", ""), AT("127.0.0.1", "32768") "," AT("127.0.0.1", "32769"), &bound,
               false);
}

static void ports_split_keeps_a_family_for_when_it_is_back_and_asks_for_what_was_closed(void **state)
{
        const struct ports_target nat4 = {.to = {four}}, nat6 = {.to = {[1] = six}},
                                  routed6 = {.to = {[1] = six}, .routed = {[1] = true}};

        (void)state;
        splits(AT("", "8080"), AT("0.0.0.0", "8080") "," AT("::", "8080"), &nat4, false);
        splits(AT("", "8080"), AT("0.0.0.0", "8080"), &nat6, false);
        splits(AT("", "8080"), AT("0.0.0.0", "8080"), &routed6, true);
        splits(AT("", "8080"), OPEN("10.0.0.3", "80"), &nat6, true);
        splits(AT("", "8080"), OPEN("10.0.0.3", "80"), &routed6, false);
        splits(AT("", "8080"), "", &nat4, true);
        splits(AT("127.0.0.1", "8080"), "", &nat4, false);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ports_split_finds_what_another_kind_of_network_would_have_otherwise),
                cmocka_unit_test(ports_split_leaves_alone_what_names_its_address),
                cmocka_unit_test(ports_split_keeps_a_family_for_when_it_is_back_and_asks_for_what_was_closed),
                cmocka_unit_test(endpoints_outward_prefers_priority_then_both_families_then_the_name),
                cmocka_unit_test(endpoints_outward_finds_each_family_a_network),
                cmocka_unit_test(endpoints_outward_is_a_bridge_though_another_has_the_route),
                cmocka_unit_test(endpoints_leading_understands_who_wrote_one_network_for_both_families),
                cmocka_unit_test(endpoints_endpoint_gives_each_family_its_route_once),
                cmocka_unit_test(endpoints_endpoint_has_no_gateway_on_layer_three),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
