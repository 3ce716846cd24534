/* Unit tests of base/table and base/utf8, against what docker prints. */
#include "check.h"

#include "base/table.h"
#include "base/utf8.h"

static void table_print_pads_as_docker_does(void **state)
{
        _cleanup_table_ struct table t = {0};
        _cleanup_str_ struct str out = {0};

        (void)state;
        table_row(&t, "CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES", NULL);
        table_row(&t, "0123456789ab", "busybox", "\"sh -c 'echo hello >…\"", "1 second ago", "Up 1 second", "", "p4",
                  NULL);
        check_ok(table_print(&t, &out));
        assert_string_equal(
                str_text(&out),
                "CONTAINER ID   IMAGE     COMMAND                  CREATED        STATUS        PORTS     NAMES\n"
                "0123456789ab   busybox   \"sh -c 'echo hello >…\"   1 second ago   Up 1 second             p4\n");
}

static void table_print_keeps_the_padding_before_an_empty_last_cell(void **state)
{
        _cleanup_table_ struct table t = {0};
        _cleanup_str_ struct str out = {0};

        (void)state;
        table_row(&t, "NAMES", "IMAGE", "LABELS", "k", NULL);
        table_row(&t, "p4", "busybox", "", "", NULL);
        table_row(&t, "p1", "busybox", "k=v,z=y", "v", NULL);
        check_ok(table_print(&t, &out));
        assert_string_equal(str_text(&out), "NAMES     IMAGE     LABELS    k\n"
                                            "p4        busybox             \n"
                                            "p1        busybox   k=v,z=y   v\n");
}

static void table_print_of_a_header_alone(void **state)
{
        _cleanup_table_ struct table t = {0};
        _cleanup_str_ struct str out = {0};

        (void)state;
        table_row(&t, "REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", NULL);
        check_ok(table_print(&t, &out));
        assert_string_equal(str_text(&out), "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n");
}

static void table_cells_cannot_leave_their_place(void **state)
{
        _cleanup_table_ struct table t = {0};
        _cleanup_str_ struct str out = {0};

        (void)state;
        table_cell(&t, "a\tb\nc\x1b[2J\xff\xe2\x80\xae");
        table_cell(&t, NULL);
        table_end_row(&t);
        check_ok(table_print(&t, &out));
        assert_string_equal(str_text(&out), "a b c?[2J??   \n");
}

static void table_widths_are_terminal_columns(void **state)
{
        _cleanup_table_ struct table t = {0};
        _cleanup_str_ struct str out = {0};

        (void)state;
        table_row(&t, "日本語日本語", "x", NULL);
        table_row(&t, "e\xcc\x81", "x", NULL);
        check_ok(table_print(&t, &out));
        assert_string_equal(str_text(&out), "日本語日本語   x\ne\xcc\x81              x\n");
}

static void utf8_next_refuses_what_is_not_well_formed(void **state)
{
        static const char *const bad[] = {"\x80",         "\xc0\xaf",         "\xc1\x81",         "\xe0\x80\x80",
                                          "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
                                          "\xe2\x82",     "\xf0\x9f\x98"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                const char *p = bad[i];

                assert_true(utf8_next(&p) == UTF8_BROKEN);
                assert_ptr_equal(p, bad[i] + 1);
        }
}

static void utf8_next_reads_every_length(void **state)
{
        const char *p = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";

        (void)state;
        assert_int_equal(utf8_next(&p), 'a');
        assert_int_equal(utf8_next(&p), 0xe9);
        assert_int_equal(utf8_next(&p), 0x20ac);
        assert_int_equal(utf8_next(&p), 0x1f600);
        assert_int_equal(utf8_next(&p), 0);
        assert_int_equal(utf8_next(&p), 0);
}

static void utf8_width_of_some(void **state)
{
        (void)state;
        assert_int_equal(utf8_width('a'), 1);
        assert_int_equal(utf8_width(0x2026), 1); /* … */
        assert_int_equal(utf8_width(0x65e5), 2);
        assert_int_equal(utf8_width(0x1f600), 2);
        assert_int_equal(utf8_width(0x301), 0);
        assert_int_equal(utf8_width(0x200b), 0);
        assert_int_equal(utf8_width('\n'), 0);
        assert_int_equal(utf8_columns("a日\xff"), 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(table_print_pads_as_docker_does),
                cmocka_unit_test(table_print_keeps_the_padding_before_an_empty_last_cell),
                cmocka_unit_test(table_print_of_a_header_alone),
                cmocka_unit_test(table_cells_cannot_leave_their_place),
                cmocka_unit_test(table_widths_are_terminal_columns),
                cmocka_unit_test(utf8_next_refuses_what_is_not_well_formed),
                cmocka_unit_test(utf8_next_reads_every_length),
                cmocka_unit_test(utf8_width_of_some),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
