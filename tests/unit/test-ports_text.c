/* Unit tests of engine/ports_text: published ports as ps and `hod port` show them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/str.h"
#include "codec/json.h"
#include "engine/ports.h"

#define AT(ip, port) "{\"HostIp\":\"" ip "\",\"HostPort\":\"" port "\"}"

static json *parse(const char *text)
{
        json *j = NULL;

        assert_null(json_parse(text, strlen(text), &j));
        return j;
}

static void expect(const char *ports, const char *want)
{
        _cleanup_json_ json *doc = parse(ports);
        _cleanup_free_ char *text = NULL;

        assert_null(ports_text(doc, &text));
        assert_string_equal(text, want);
}

static void ports_text_joins_neighbours_with_numbers_of_their_own(void **state)
{
        (void)state;
        expect("{}", "");
        expect("{\"443/tcp\":null}", "443/tcp");
        expect("{\"443/tcp\":null,\"80/tcp\":null,\"81/tcp\":[]}", "80-81/tcp, 443/tcp");
        expect("{\"10/tcp\":[" AT("0.0.0.0", "10") "],\"9/tcp\":[" AT("0.0.0.0", "9") "," AT("::", "9") "]}",
               "0.0.0.0:9-10->9-10/tcp, [::]:9->9/tcp");
        expect("{\"7000/udp\":null,\"7001/udp\":[" AT("0.0.0.0", "7001") "],\"7002/udp\":null,\"7003/udp\":null}",
               "7000/udp, 7002-7003/udp, 0.0.0.0:7001->7001/udp");
        expect("{\"80/tcp\":[" AT("0.0.0.0", "80") "],\"80/udp\":[" AT("0.0.0.0", "80") "]}",
               "0.0.0.0:80->80/tcp, 0.0.0.0:80->80/udp");
}

static void ports_text_shows_others_one_by_one_at_the_end(void **state)
{
        (void)state;
        expect("{\"1/tcp\":[" AT("127.0.0.1", "8101") "],\"2/udp\":[" AT("::1", "8102") "],\"3/tcp\":null}",
               "3/tcp, 127.0.0.1:8101->1/tcp, [::1]:8102->2/udp");
}

static void ports_list_is_sorted_by_number_and_can_be_of_one_port(void **state)
{
        _cleanup_json_ json *doc = parse("{\"10/tcp\":[" AT("0.0.0.0", "7") "],\"9/udp\":[" AT("::", "5") "," AT(
                "0.0.0.0", "5") "],\"1/tcp\":null,\"10/udp\":[" AT("0.0.0.0", "6") "]}");
        _cleanup_strv_ char **all = NULL, **one = NULL;
        _cleanup_free_ char *text = NULL;

        (void)state;
        assert_null(ports_list(doc, NULL, &all));
        text = strv_join(all, "|");
        assert_string_equal(text, "9/udp -> 0.0.0.0:5|9/udp -> [::]:5|10/tcp -> 0.0.0.0:7|10/udp -> 0.0.0.0:6");
        assert_null(ports_list(doc, "10/tcp", &one));
        assert_int_equal(strv_len(one), 1);
        assert_string_equal(one[0], "0.0.0.0:7");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ports_text_joins_neighbours_with_numbers_of_their_own),
                cmocka_unit_test(ports_text_shows_others_one_by_one_at_the_end),
                cmocka_unit_test(ports_list_is_sorted_by_number_and_can_be_of_one_port),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
