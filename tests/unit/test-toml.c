/* Unit tests of codec/toml; examples are the standard's (toml.io, 1.0.0). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "codec/toml.h"

static void parses(const char *text, const char *want)
{
        _cleanup_json_ json *j = NULL;
        _cleanup_free_ char *got = NULL;
        char buf[256];
        err *e = toml_parse(text, strlen(text), &j);

        if (e)
                fail_msg("%s\n%s", text, err_text(e, buf, sizeof(buf)));
        assert_null(json_print(j, JSON_COMPACT, &got));
        assert_string_equal(got, want);
}

static void refused(const char *text, enum err_code code, const char *want)
{
        json *j = NULL;
        char buf[256];
        err *e = toml_parse(text, strlen(text), &j);

        if (!e)
                fail_msg("accepted: %s", text);
        assert_null(j);
        err_text(e, buf, sizeof(buf));
        assert_int_equal(err_code(e), code);
        if (want)
                assert_string_equal(buf, want);
        err_free(e);
}

static void refuses(const char *text, const char *want)
{
        refused(text, ERR_INVALID, want);
}

static void toml_parse_reads_values(void **state)
{
        parses("", "{}");
        parses("# only a comment", "{}");
        parses("a = 1\r\nb=\"x\" # c\n\n  c = true\n", "{\"a\":1,\"b\":\"x\",\"c\":true}");
        parses("a = +99\nb = -17\nc = 1_000\nd = 0xDEAD_beef\ne = 0o755\nf = 0b1101\ng = 0\nh = -0",
               "{\"a\":99,\"b\":-17,\"c\":1000,"
               "\"d\":3735928559,\"e\":493,\"f\":13,\"g\":0,\"h\":0}");
        parses("a = 9223372036854775807\nb = -9223372036854775808",
               "{\"a\":9223372036854775807,\"b\":-9223372036854775808}");
        parses("a = 1.5\nb = -0.01\nc = 5e+2\nd = 6.626e-3\ne = 9_224.5",
               "{\"a\":1.5,\"b\":-0.01,\"c\":5e+02,\"d\":0.006626,\"e\":9224.5}");
        parses("a = [1, 2,\n # c\n 3,\n]\nb = []\nc = [[1],[\"x\", {y = 1}]]",
               "{\"a\":[1,2,3],\"b\":[],\"c\":[[1],[\"x\",{\"y\":1}]]}");
        parses("p = { x = 1, y.z = \"a\" }\nq = {}", "{\"p\":{\"x\":1,\"y\":{\"z\":\"a\"}},\"q\":{}}");
}

static void toml_parse_reads_strings(void **state)
{
        parses("a = \"q\\\"b\\\\t\\tn\\n\\u00e9\\U0001F600\"",
               "{\"a\":\"q\\\"b\\\\t\\tn\\n\xc3\xa9\xf0\x9f\x98\x80\"}");
        parses("a = 'C:\\no\\escape'", "{\"a\":\"C:\\\\no\\\\escape\"}");
        parses("a = \"\"\"\nRoses\nViolets\"\"\"", "{\"a\":\"Roses\\nViolets\"}");
        parses("a = \"\"\"\\\n   The quick \\\n\n   brown.\\\n \"\"\"", "{\"a\":\"The quick brown.\"}");
        parses("a = '''\nI [dw]on't \\need'''\nb = \"\"\"two \"\" quotes\"\"\"\"\"",
               "{\"a\":\"I [dw]on't \\\\need\",\"b\":\"two \\\"\\\" quotes\\\"\\\"\"}");
        parses("a = \"\"\nb = ''\nc = \"\"\"\"\"\"", "{\"a\":\"\",\"b\":\"\",\"c\":\"\"}");
}

static void toml_parse_reads_tables(void **state)
{
        parses("[a]\nx = 1\n[a.b]\ny = 2\n[c.d.e]\nz = 3\n[c]\nw = 4",
               "{\"a\":{\"x\":1,\"b\":{\"y\":2}},\"c\":{\"d\":{\"e\":{\"z\":3}},\"w\":4}}");
        parses("a.b.c = 1\na.b.d = 2\n\"quoted key\".'x' = 3\n1234 = 4\n3.14 = 5",
               "{\"a\":{\"b\":{\"c\":1,\"d\":2}},\"quoted key\":{\"x\":3},\"1234\":4,\"3\":{\"14\":5}}");
        parses("[[p]]\nn = 1\n[[p]]\n[[p]]\nn = 3\n[p.sub]\ns = 1\n[[p.q]]\nk = 1",
               "{\"p\":[{\"n\":1},{},{\"n\":3,\"sub\":{\"s\":1},\"q\":[{\"k\":1}]}]}");
        parses("[fruit]\napple.color = \"red\"\napple.taste.sweet = true\n[fruit.apple.texture]\nsmooth = true",
               "{\"fruit\":{\"apple\":{\"color\":\"red\",\"taste\":{\"sweet\":true},\"texture\":{\"smooth\":true}}}}");
        parses("[ j . \"k\" . 'l' ] # c\n", "{\"j\":{\"k\":{\"l\":{}}}}");
}

static void toml_parse_refuses_redefinitions(void **state)
{
        refuses("a = 1\na = 2", "line 2: the key a is already defined");
        refuses("[a]\n[a]", "line 2: the table a is already defined");
        refuses("[a]\nb = 1\n[a.b]", "line 3: the table b is already defined");
        refuses("[a]\nb = 1\n[a.b.c]", "line 3: b is not a table that can be extended");
        refuses("a.b = 1\na.b.c = 2", "line 2: b is not a table that can be extended");
        refuses("a = [1]\n[[a]]", "line 2: a is already defined, and not by [[a]]");
        refuses("[a]\n[[a]]", NULL);
        refuses("[[a]]\n[a]", "line 2: the table a is already defined");
        refuses("a = {b = 1}\na.c = 2", NULL);
        refuses("a = {b = 1}\n[a.c]", NULL);
        refuses("a = {b.c = 1}\n[a.b.d]", NULL);
        refuses("a = {b = 1, b = 2}", NULL);
        refuses("[fruit]\napple.color = 1\n[fruit.apple]", "line 3: the table apple is already defined");
        refuses("[a.b.c]\nz = 9\n[a]\nb.c.t = 1", "line 4: the table b is already defined elsewhere");
        refuses("[[a.b]]\n[a]\nb.y = 2", NULL);
}

static void toml_parse_refuses_nonsense(void **state)
{
        refuses("a", "line 1: expected = behind the key a");
        refuses("a =", "line 1: expected a value");
        refuses("\n\na = b", "line 3: b is not a value (texts need quotes)");
        refuses("= 1", "line 1: expected a key");
        refuses("a = 1 b = 2", "line 1: unexpected text behind a value or table name");
        refuses("[a", "line 1: expected ] behind a table's name");
        refuses("[[a]", NULL);
        refuses("[]", NULL);
        refuses("[a]x", NULL);
        refuses("a. = 1", NULL);
        refuses("a = \"x", "line 1: a string without its closing quote");
        refuses("a = \"x\ny\"", NULL);
        refuses("a = \"\\x\"", "line 1: unknown escape in a string");
        refuses("a = \"\\ud800\"", "line 1: U+D800 is not a character");
        refuses("a = \"\\u12\"", NULL);
        refuses("a = \"\xff\"", NULL);
        refuses("# \x01", NULL);
        refuses("a = '''x", NULL);
        refuses("\"\"\"a\"\"\" = 1", "line 1: a key cannot have several lines");
        refuses("a = [1, 2", "line 1: expected , or ] in an array");
        refuses("a = [,]", NULL);
        refuses("a = { x = 1,\n y = 2 }", NULL);
        refuses("a = { x = 1, }", NULL);
        refuses("a = 01", NULL);
        refuses("a = 1__0", NULL);
        refuses("a = _1", NULL);
        refuses("a = 1_", NULL);
        refuses("a = +0x1", NULL);
        refuses("a = 0x", NULL);
        refuses("a = .5", NULL);
        refuses("a = 5.", NULL);
        refuses("a = 1e", NULL);
        refuses("a = 1e999", "line 1: 1e999 is out of range");
        refuses("a = 9223372036854775808", "line 1: 9223372036854775808 does not fit 64 bits");
        refuses("a = inf", "line 1: inf is not supported");
        refuses("a = -nan", NULL);
        refuses("a = 1979-05-27", "line 1: dates and times are not supported");
        refuses("a = 07:32:00", "line 1: dates and times are not supported");
        refuses("a = True", NULL);
        refuses("a = 1\r", NULL);
        refuses("\"a\\u0000b\" = 1", "line 1: a key with a NUL byte");
}

static void toml_parse_bounds_depth(void **state)
{
        _cleanup_str_ struct str s = {0};

        str_add(&s, "a = ");
        for (int i = 0; i < 100; i++)
                str_add_char(&s, '[');
        refused(s.data, ERR_LIMIT, "line 1: nested too deeply");
        s.len = 0;
        for (int i = 0; i < 100; i++)
                str_add(&s, i ? ".a" : "a");
        str_add(&s, " = 1");
        refused(s.data, ERR_LIMIT, "line 1: nested too deeply");
        s.len = 0;
        for (int i = 0; i < 20000; i++)
                str_printf(&s, "[a%d]\n", i);
        refused(s.data, ERR_LIMIT, NULL);
}

static void toml_read_tells_missing_files(void **state)
{
        json *j = NULL;
        err *e = toml_read(AT_FDCWD, "/nonexistent/hod.toml", &j);

        assert_int_equal(err_code(e), ERR_NOT_FOUND);
        err_free(e);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(toml_parse_reads_values),       cmocka_unit_test(toml_parse_reads_strings),
                cmocka_unit_test(toml_parse_reads_tables),       cmocka_unit_test(toml_parse_refuses_redefinitions),
                cmocka_unit_test(toml_parse_refuses_nonsense),   cmocka_unit_test(toml_parse_bounds_depth),
                cmocka_unit_test(toml_read_tells_missing_files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
