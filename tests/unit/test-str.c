/* Unit tests of base/str and base/mem. */
#include "check.h"

#include "base/str.h"

static void str_grows_and_stays_terminated(void **state)
{
        _cleanup_str_ struct str s = {0};

        (void)state;
        assert_string_equal(str_text(&s), "");
        for (int i = 0; i < 1000; i++)
                str_printf(&s, "%d,", i);
        check_ok(str_done(&s));
        assert_int_equal(s.len, strlen(s.data));
        assert_true(str_starts(s.data, "0,1,2,"));
        assert_true(str_ends(s.data, ",998,999,"));
}

static void str_keeps_nul_bytes(void **state)
{
        _cleanup_str_ struct str s = {0};

        (void)state;
        str_add_n(&s, "a\0b", 3);
        str_add_char(&s, 'c');
        assert_int_equal(s.len, 4);
        assert_memory_equal(s.data, "a\0bc", 5);
}

static void str_remembers_that_memory_ran_out(void **state)
{
        _cleanup_str_ struct str s = {0};
        char *text;

        (void)state;
        str_add_n(&s, "x", (size_t)-1);
        str_add(&s, "y");
        check_code(str_done(&s), ERR_NOMEM);
        check_code(str_take(&s, &text), ERR_NOMEM);
}

static void str_take_gives_the_text_away(void **state)
{
        struct str s = {0};
        char *text;

        (void)state;
        check_ok(str_take(&s, &text));
        assert_string_equal(text, "");
        free(text);
        str_add(&s, "abc");
        check_ok(str_take(&s, &text));
        assert_string_equal(text, "abc");
        assert_null(s.data);
        free(text);
}

static void str_tests_take_null(void **state)
{
        (void)state;
        assert_true(str_eq(NULL, NULL));
        assert_false(str_eq(NULL, ""));
        assert_true(str_empty(NULL));
        assert_null(str_after(NULL, "a"));
        assert_string_equal(str_after("abc", "ab"), "c");
        assert_null(str_after("a", "ab"));
        assert_false(str_ends("a", "ba"));
        assert_null(str_dup(NULL));
}

static void strv_split_keeps_empty_fields(void **state)
{
        static const struct {
                const char *text;
                size_t n;
        } cases[] = {{"", 1}, {",", 2}, {"a,,b", 3}, {"a", 1}, {"a,", 2}};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_strv_ char **list = NULL;
                _cleanup_free_ char *joined = NULL;

                check_ok(strv_split(cases[i].text, ',', &list));
                assert_int_equal(strv_len(list), cases[i].n);
                joined = strv_join(list, ",");
                assert_string_equal(joined, cases[i].text);
        }
}

static void strv_lists_grow_and_copy(void **state)
{
        _cleanup_strv_ char **list = NULL, **copy = NULL, **none = NULL;

        (void)state;
        for (int i = 0; i < 100; i++)
                check_ok(strv_push(&list, str_format("k%d=%d", i, i)));
        check_ok(strv_copy(list, &copy));
        assert_int_equal(strv_len(copy), 100);
        assert_string_equal(strv_env(copy, "k42"), "42");
        assert_null(strv_env(copy, "k"));
        assert_true(strv_contains(copy, "k7=7"));
        assert_false(strv_contains(NULL, "k7=7"));
        check_ok(strv_copy(NULL, &none));
        assert_non_null(none);
        assert_int_equal(strv_len(none), 0);
        check_code(strv_push(&list, NULL), ERR_NOMEM);
}

static void str_distance_is_levenshteins(void **state)
{
        (void)state;
        assert_int_equal(str_distance("kitten", "sitting"), 3);
        assert_int_equal(str_distance("", "abc"), 3);
        assert_int_equal(str_distance("same", "same"), 0);
        assert_int_equal(str_distance("netwrk", "network"), 1);
        assert_int_equal(str_distance("a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                         99);
}

static void mem_grow_doubles(void **state)
{
        int *array = NULL;

        (void)state;
        for (size_t i = 0; i < 1000; i++) {
                assert_int_equal(mem_grow(&array, i, sizeof(int)), 0);
                array[i] = (int)i;
        }
        assert_int_equal(array[999], 999);
        free(array);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(str_grows_and_stays_terminated),
                cmocka_unit_test(str_keeps_nul_bytes),
                cmocka_unit_test(str_remembers_that_memory_ran_out),
                cmocka_unit_test(str_take_gives_the_text_away),
                cmocka_unit_test(str_tests_take_null),
                cmocka_unit_test(strv_split_keeps_empty_fields),
                cmocka_unit_test(strv_lists_grow_and_copy),
                cmocka_unit_test(str_distance_is_levenshteins),
                cmocka_unit_test(mem_grow_doubles),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
