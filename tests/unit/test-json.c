/* Unit tests of codec/json. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "codec/json.h"

static json *parse(const char *text)
{
        json *j = NULL;
        err *e = json_parse(text, strlen(text), &j);
        char buf[256];

        if (e)
                fail_msg("%s: %s", text, err_text(e, buf, sizeof(buf)));
        return j;
}

static void expect_text(json *j, enum json_style style, const char *want)
{
        _cleanup_free_ char *got = NULL;

        assert_null(json_print(j, style, &got));
        assert_string_equal(got, want);
}

static void round_trip(const char *text, const char *want)
{
        _cleanup_json_ json *j = parse(text);

        expect_text(j, JSON_COMPACT, want);
}

static void refuse_n(const char *text, size_t size, enum err_code code, const char *want)
{
        _cleanup_err_ err *e = NULL;
        json *j = NULL;
        char buf[256];

        e = json_parse(text, size, &j);
        if (!e)
                fail_msg("accepted: %s", text);
        assert_null(j);
        assert_int_equal(err_code(e), code);
        if (want)
                assert_string_equal(err_text(e, buf, sizeof(buf)), want);
}

static void refuse(const char *text, const char *want)
{
        refuse_n(text, strlen(text), ERR_INVALID, want);
}

static void json_parse_accepts_the_standard(void **state)
{
        round_trip(" { \"a\" : [ 1 , -2 , 3.50 , 1e3, true, false, null, \"x\" ] , \"b\":{} ,\"c\":[] }\n",
                   "{\"a\":[1,-2,3.50,1e3,true,false,null,\"x\"],\"b\":{},\"c\":[]}");
        round_trip("null", "null");
        round_trip("0", "0");
        round_trip("-0", "0");
        round_trip("\"\"", "\"\"");
        round_trip("{\"\":1}", "{\"\":1}");
        round_trip("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
        round_trip("\"\\u00e9\\u20ac\\ud83d\\ude00<>&\"", "\"é€😀<>&\"");
        round_trip("\"é€😀 and a long plain tail of text\"", "\"é€😀 and a long plain tail of text\"");
        round_trip("\"\\u2028\\u2029\\u0001\"", "\"\\u2028\\u2029\\u0001\"");
}

static void json_parse_keeps_64_bits(void **state)
{
        _cleanup_json_ json *j = parse("[9223372036854775807,-9223372036854775808,18446744073709551615]");

        assert_true(json_int(json_at(j, 0), 0) == INT64_MAX);
        assert_true(json_int(json_at(j, 1), 0) == INT64_MIN);
        assert_true(json_int(json_at(j, 2), -7) == -7);
        expect_text(j, JSON_COMPACT, "[9223372036854775807,-9223372036854775808,18446744073709551615]");
        refuse("18446744073709551616", "line 1, column 1: an integer of more than 64 bits");
        refuse("-9223372036854775809", NULL);
        refuse("1e999", "line 1, column 1: a number out of range");
}

static void json_get_uint_is_exact(void **state)
{
        _cleanup_json_ json *j = parse("{\"big\":18446744073709551615,\"neg\":-1,\"max\":9223372036854775807}");

        assert_true(json_get_uint(j, "big", 0) == UINT64_MAX);
        assert_true(json_get_uint(j, "neg", 5) == 5);
        assert_true(json_get_uint(j, "max", 0) == INT64_MAX);
        assert_true(json_get_uint(j, "none", 6) == 6);
}

struct known_text {
        const char *text;
        unsigned asked;
};

static bool is_known(void *arg, const char *text, size_t size)
{
        struct known_text *k = arg;

        k->asked++;
        return size == strlen(k->text) && memcmp(text, k->text, size) == 0;
}

/* @known: the text that is known. Returns what printing gives. */
static const char *parse_but(const char *text, struct known_text *k, struct json_skip *ret)
{
        static char printed[200];
        _cleanup_free_ char *out = NULL;
        _cleanup_json_ json *j = NULL;

        *ret = (struct json_skip){.outer = "a", .inner = "b", .ask = is_known, .arg = k};
        assert_null(json_parse_but(text, strlen(text), ret, &j));
        assert_null(json_print(j, JSON_COMPACT, &out));
        (void)snprintf(printed, sizeof(printed), "%s", out);
        return printed;
}

static void json_parse_but_skips_what_is_known(void **state)
{
        struct known_text k = {"{\"}\": \"{\\\"\"}", 0};
        struct json_skip s;

        assert_string_equal(
                parse_but("{\"a\": {\"x\": 1, \"b\": {\"}\": \"{\\\"\"}, \"y\": 2}, \"z\": {\"b\": {}}}", &k, &s),
                "{\"a\":{\"x\":1,\"b\":null,\"y\":2},\"z\":{\"b\":{}}}");
        assert_true(s.known);
        assert_int_equal(k.asked, 1);
        /* Another text: parsed as ever, and found. */
        assert_string_equal(parse_but("{\"a\": {\"b\": {\"c\": 3}}}", &k, &s), "{\"a\":{\"b\":{\"c\":3}}}");
        assert_false(s.known);
        assert_int_equal(s.size, 8);
        assert_memory_equal(s.text, "{\"c\": 3}", 8);
        /* Not there: elsewhere, deeper, no object. */
        k.asked = 0;
        (void)parse_but("{\"b\": {}, \"x\": {\"b\": {}}, \"a\": {\"c\": {\"b\": {}}, \"d\": [{\"b\": {}}], \"b\": 1}}",
                        &k, &s);
        assert_int_equal(k.asked, 0);
        assert_null(s.text);
}

static void json_parse_but_refuses_what_json_parse_does(void **state)
{
        static const char *const bad[] = {
                "{\"a\": {\"b\": {}, \"b\": {}}}",
                "{\"a\": {\"b\": {}}, \"a\": {\"b\": {}}}",
                "{\"a\": {\"b\": {}",
                "{\"a\": {\"b\": {} \"c\": 1}}",
                "{\"a\": {\"b\": {}}} x",
                "{\"a\": {\"b\": {\"",
                "{\"a\": {\"b\": {\"\\",
                "{\"a\": {\"b\": ",
        };
        struct known_text k = {"{}", 0};
        struct json_skip s = {.outer = "a", .inner = "b", .ask = is_known, .arg = &k};

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                json *j = NULL;
                err *e = json_parse_but(bad[i], strlen(bad[i]), &s, &j);

                assert_non_null(e);
                assert_int_equal(err_code(e), ERR_INVALID);
                assert_null(j);
                err_free(e);
        }
}

static void json_parse_refuses_what_json_c_takes(void **state)
{
        refuse("{\"a\":1,\n  \"a\":2}", "line 2, column 3: this key is there twice");
        refuse("{'a':1}", "line 1, column 2: expected a key in double quotes");
        refuse("NaN", NULL);
        refuse("nan", "line 1, column 1: unexpected word (true, false and null are known)");
        refuse("Infinity", NULL);
        refuse("-Infinity", NULL);
        refuse("/* c */ 1", NULL);
        refuse("1 // c", "line 1, column 3: unexpected text behind the document");
        refuse("[1,]", NULL);
        refuse("{\"a\":1,}", NULL);
        refuse("[1 2]", "line 1, column 4: expected , or ] in an array");
        refuse("{\"a\" 1}", "line 1, column 6: expected : behind a key");
        refuse("01", "line 1, column 1: a number with a leading zero");
        refuse("-01", NULL);
        refuse("1.", NULL);
        refuse(".5", NULL);
        refuse("+1", NULL);
        refuse("1e", NULL);
        refuse("-", NULL);
        refuse("tru", NULL);
        refuse("truex", NULL);
        refuse("", "line 1, column 1: the text ends where a value should be");
        refuse("  \n ", NULL);
        refuse("{", NULL);
        refuse("[", NULL);
        refuse("{\"a\"", NULL);
        refuse("{\"a\":", NULL);
        refuse("{\"a\":1", NULL);
        refuse("\"abc", "line 1, column 1: a string without its closing quote");
        refuse("\"\\x41\"", "line 1, column 2: unknown escape");
        refuse("\"\\u12g4\"", NULL);
        refuse("\"\\", NULL);
        refuse("\"\\u00", NULL);
        refuse("\"a\nb\"", "line 1, column 3: a control character in a string");
        refuse("{}{}", NULL);
        refuse("\xef\xbb\xbf{}", NULL);
}

static void json_parse_checks_utf8(void **state)
{
        static const char *const bad[] = {
                "\"\x80\"",
                "\"\xc0\xaf\"",
                "\"\xe0\x80\xaf\"",
                "\"\xed\xa0\x80\"",
                "\"\xf0\x80\x80\x80\"",
                "\"\xf4\x90\x80\x80\"",
                "\"\xff\"",
                "\"\xc3\"",
                "\"\xe2\x82\"",
                "{\"\xff\":1}",
                "\"\\ud800\"",
                "\"\\udc00\"",
                "\"\\ud800\\ud800\"",
                "\"\\ud800x\"",
                "{\"\\udcff\":1}",
                "\"\\udd00\"",
        };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                refuse(bad[i], NULL);
        refuse("\"abcdefghijk\xff\"", "line 1, column 13: invalid UTF-8");
}

static void json_print_keeps_bytes_that_are_not_utf8(void **state)
{
        _cleanup_json_ json *j = json_new_str("a\xff\xc3z\xc3\xa9");
        _cleanup_json_ json *again = NULL;
        _cleanup_free_ char *text = NULL;

        assert_null(json_print(j, JSON_COMPACT, &text));
        assert_string_equal(text, "\"a\\udcff\\udcc3z\xc3\xa9\"");
        assert_null(json_parse(text, strlen(text), &again));
        assert_string_equal(json_str(again), "a\xff\xc3z\xc3\xa9");
}

static void json_parse_keeps_nul_in_strings(void **state)
{
        _cleanup_json_ json *j = parse("[\"a\\u0000b\"]");
        char **list = NULL;
        _cleanup_err_ err *e = NULL;
        _cleanup_json_ json *o = json_new_object();

        assert_int_equal(json_str_len(json_at(j, 0)), 3);
        assert_memory_equal(json_str(json_at(j, 0)), "a\0b", 4);
        expect_text(j, JSON_COMPACT, "[\"a\\u0000b\"]");
        refuse("{\"a\\u0000b\":1}", "line 1, column 4: a NUL byte in a key");
        refuse_n("\"a\0b\"", 5, ERR_INVALID, NULL);
        refuse_n("1\0", 2, ERR_INVALID, NULL);
        json_set(o, "Cmd", json_ref(j));
        e = json_get_strv(o, "Cmd", &list);
        assert_int_equal(err_code(e), ERR_INVALID);
        assert_null(list);
}

static void json_parse_bounds_depth_and_nodes(void **state)
{
        _cleanup_str_ struct str s = {0};
        json *j = NULL;

        for (int i = 0; i < JSON_MAX_DEPTH; i++)
                str_add_char(&s, '[');
        for (int i = 0; i < JSON_MAX_DEPTH; i++)
                str_add_char(&s, ']');
        assert_null(json_parse(s.data, s.len, &j));
        json_free(j);
        s.len = 0;
        for (int i = 0; i <= JSON_MAX_DEPTH; i++)
                str_add(&s, "{\"a\":");
        refuse_n(s.data, s.len, ERR_LIMIT, NULL);
        s.len = 0;
        for (unsigned i = 0; i <= JSON_MAX_NODES; i++)
                str_add(&s, i ? ",0" : "[0");
        str_add(&s, "]");
        refuse_n(s.data, s.len, ERR_LIMIT, NULL);
        s.len = 0;
        for (size_t i = 0; i <= JSON_MAX_SIZE / 16; i++)
                str_add(&s, "                ");
        refuse_n(s.data, s.len, ERR_LIMIT, NULL);
}

static void json_print_indents_like_docker(void **state)
{
        _cleanup_json_ json *j = parse("[{\"Id\":\"x\",\"A\":[],\"O\":{},\"L\":[1,{\"b\":null}]}]");

        expect_text(j, JSON_INDENT4,
                    "[\n    {\n        \"Id\": \"x\",\n        \"A\": [],\n        \"O\": {},\n        \"L\": [\n"
                    "            1,\n            {\n                \"b\": null\n            }\n        ]\n    }\n]");
        expect_text(json_at(j, 0), JSON_INDENT2,
                    "{\n  \"Id\": \"x\",\n  \"A\": [],\n  \"O\": {},\n  \"L\": [\n    1,\n    {\n      \"b\": null\n   "
                    " }\n  "
                    "]\n}");
}

static void json_print_writes_doubles_shortest(void **state)
{
        _cleanup_json_ json *j = json_new_array();

        json_add(j, json_new_double(0.1));
        json_add(j, json_new_double(1.0 / 3));
        json_add(j, json_new_double(2));
        json_add(j, json_new_double(__builtin_nan("")));
        expect_text(j, JSON_COMPACT, "[0.1,0.3333333333333333,2,null]");
}

static void json_get_gives_defaults(void **state)
{
        _cleanup_json_ json *j =
                parse("{\"s\":\"t\",\"n\":5,\"b\":true,\"d\":1.5,\"z\":null,\"o\":{\"p\":{\"q\":\"deep\"}}}");

        assert_string_equal(json_get_str(j, "s"), "t");
        assert_null(json_get_str(j, "n"));
        assert_string_equal(json_get_str_or(j, "x", "def"), "def");
        assert_int_equal(json_get_int(j, "n", 1), 5);
        assert_int_equal(json_get_int(j, "s", 1), 1);
        assert_int_equal(json_get_int(j, "d", 1), 1);
        assert_true(json_get_bool(j, "b", false));
        assert_true(json_get_bool(j, "n", true));
        assert_true(json_double(json_get(j, "n"), 0) == 5.0);
        assert_true(json_double(json_get(j, "d"), 0) == 1.5);
        assert_string_equal(json_str(json_path(j, "o.p.q")), "deep");
        assert_null(json_path(j, "o.x.q"));
        assert_null(json_path(j, "s.x"));
        assert_true(json_has(j, "z"));
        assert_false(json_has(j, "zz"));
        assert_int_equal(json_kind(json_get(j, "z")), JSON_NULL);
        assert_int_equal(json_len(j), 6);
        assert_null(json_get(NULL, "x"));
        assert_null(json_at(j, 0));
        assert_int_equal(json_len(NULL), 0);
}

static void json_expect_names_both_kinds(void **state)
{
        _cleanup_json_ json *j = parse("{\"n\":5}");
        _cleanup_err_ err *e = json_expect(json_get(j, "n"), JSON_STRING, "User");
        char buf[128];

        assert_string_equal(err_text(e, buf, sizeof(buf)), "User must be a string, not an integer");
        assert_null(json_expect(json_get(j, "n"), JSON_DOUBLE, "n"));
}

static void json_get_strv_copies(void **state)
{
        _cleanup_json_ json *j = parse("{\"Cmd\":[\"a\",\"\",\"b c\"],\"Bad\":[1],\"Str\":\"x\",\"Null\":null}");
        _cleanup_strv_ char **list = NULL, **none = NULL, **null = NULL;
        char **bad = NULL;
        err *e;

        assert_null(json_get_strv(j, "Cmd", &list));
        assert_int_equal(strv_len(list), 3);
        assert_string_equal(list[2], "b c");
        assert_null(json_get_strv(j, "None", &none));
        assert_int_equal(strv_len(none), 0);
        assert_non_null(none);
        assert_null(json_get_strv(j, "Null", &null));
        e = json_get_strv(j, "Bad", &bad);
        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
        e = json_get_strv(j, "Str", &bad);
        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
        assert_null(bad);
}

static void json_each_survives_deletion(void **state)
{
        _cleanup_json_ json *j = parse("{\"a\":1,\"b\":2,\"c\":3}");
        _cleanup_str_ struct str seen = {0};

        JSON_EACH (j, it) {
                str_printf(&seen, "%s%d", it.key, (int)json_int(it.value, 0));
                if (it.key[0] == 'b')
                        json_del(j, "b");
        }
        assert_string_equal(seen.data, "a1b2c3");
        expect_text(j, JSON_COMPACT, "{\"a\":1,\"c\":3}");
}

static void json_build_makes_documents(void **state)
{
        _cleanup_json_ json *j = json_new_object();
        _cleanup_json_ json *copy = NULL;
        char *const list[] = {(char *)"x", (char *)"y", NULL};

        json_set_str(j, "s", "v");
        json_set_str(j, "null", NULL);
        json_set_int(j, "n", -5);
        json_set(j, "u", json_new_uint(UINT64_MAX));
        json_set_bool(j, "b", false);
        json_set_strv(j, "l", list);
        json_set_strv(j, "e", NULL);
        json_set_int(json_sub_object(j, "o"), "k", 1);
        json_set_int(json_sub_object(j, "o"), "l", 2);
        json_add_str(json_sub_array(j, "a"), "1");
        json_add_str(json_sub_array(j, "a"), "2");
        json_set_str(j, "s", "again");
        assert_null(json_copy(j, &copy));
        json_del(j, "s");
        expect_text(
                copy, JSON_COMPACT,
                "{\"s\":\"again\",\"null\":null,\"n\":-5,\"u\":18446744073709551615,\"b\":false,\"l\":[\"x\",\"y\"],"
                "\"e\":[],\"o\":{\"k\":1,\"l\":2},\"a\":[\"1\",\"2\"]}");
        assert_false(json_has(j, "s"));
}

static void json_read_names_the_file(void **state)
{
        char dir[] = "/tmp/hod-test-json-XXXXXX", path[64];
        json *j = NULL;
        char buf[256];
        err *e;
        FILE *f;

        assert_non_null(mkdtemp(dir));
        (void)snprintf(path, sizeof(path), "%s/c.json", dir);
        f = fopen(path, "we");
        assert_non_null(f);
        (void)fputs("{\n \"a\": tru }", f);
        (void)fclose(f);
        e = json_read(AT_FDCWD, path, &j);
        assert_int_equal(err_code(e), ERR_INVALID);
        assert_non_null(strstr(err_text(e, buf, sizeof(buf)), "c.json: line 2, column 7:"));
        err_free(e);
        (void)unlink(path);
        e = json_read(AT_FDCWD, path, &j);
        assert_int_equal(err_code(e), ERR_NOT_FOUND);
        err_free(e);
        (void)rmdir(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(json_parse_accepts_the_standard),
                cmocka_unit_test(json_parse_keeps_64_bits),
                cmocka_unit_test(json_get_uint_is_exact),
                cmocka_unit_test(json_parse_refuses_what_json_c_takes),
                cmocka_unit_test(json_parse_checks_utf8),
                cmocka_unit_test(json_print_keeps_bytes_that_are_not_utf8),
                cmocka_unit_test(json_parse_keeps_nul_in_strings),
                cmocka_unit_test(json_parse_bounds_depth_and_nodes),
                cmocka_unit_test(json_print_indents_like_docker),
                cmocka_unit_test(json_print_writes_doubles_shortest),
                cmocka_unit_test(json_get_gives_defaults),
                cmocka_unit_test(json_expect_names_both_kinds),
                cmocka_unit_test(json_get_strv_copies),
                cmocka_unit_test(json_each_survives_deletion),
                cmocka_unit_test(json_build_makes_documents),
                cmocka_unit_test(json_read_names_the_file),
                cmocka_unit_test(json_parse_but_skips_what_is_known),
                cmocka_unit_test(json_parse_but_refuses_what_json_parse_does),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
