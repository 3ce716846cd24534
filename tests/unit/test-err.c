/* Unit tests of base/err. */
#include "check.h"

#include <errno.h>

static void err_text_goes_from_outside_to_inside(void **state)
{
        char text[200];
        err *e = err_wrap(err_wrap(err_sys(-ENOENT, "open %s", "x"), "reading"), "starting");

        (void)state;
        assert_string_equal(err_text(e, text, sizeof(text)), "starting: reading: open x: No such file or directory");
        assert_int_equal(err_code(e), ERR_SYS);
        assert_int_equal(err_errno(e), ENOENT);
        assert_null(err_free(e));
}

static void err_text_is_cut_to_the_buffer(void **state)
{
        char text[8];
        err *e = err_wrap(err_new(ERR_INVALID, "abcdefghijk"), "xy");

        (void)state;
        (void)err_text(e, text, sizeof(text));
        assert_int_equal(text[7], '\0');
        (void)err_text(e, text, 1);
        assert_int_equal(text[0], '\0');
        err_free(e);
}

static void err_text_has_no_control_characters(void **state)
{
        err *e = err_new(ERR_INVALID, "a\x1b[b\nc\x7f \xc2\x9b"
                                      "31m \xc2\xa0 \xc3\xa9");
        char text[64];

        (void)state;
        assert_string_equal(err_text(e, text, sizeof(text)), "a?[b?c? ??31m \xc2\xa0 \xc3\xa9");
        err_free(e);
}

static void err_wrap_keeps_success_and_out_of_memory(void **state)
{
        char text[64];

        (void)state;
        assert_null(err_wrap(NULL, "x"));
        assert_ptr_equal(err_wrap(err_nomem(), "x"), err_nomem());
        assert_ptr_equal(err_sys(ENOMEM, "x"), err_nomem());
        assert_string_equal(err_text(err_nomem(), text, sizeof(text)), "out of memory");
        assert_null(err_free(err_nomem()));
        assert_null(err_free(NULL));
        assert_int_equal(err_code(NULL), 0);
}

static void err_codes_all_have_names_and_statuses(void **state)
{
        (void)state;
        for (int code = ERR_INTERNAL; code < ERR_CODE_MAX_; code++) {
                assert_string_not_equal(err_code_name((enum err_code)code), "unknown");
                assert_true(err_http_status((enum err_code)code) >= 300);
                if (code != ERR_NOT_MODIFIED && code != ERR_CALLER) {
                        assert_true(err_exit_status((enum err_code)code, true) >= 125);
                        assert_true(err_exit_status((enum err_code)code, false) >= 1);
                }
        }
        assert_int_equal(err_exit_status(ERR_EXEC_NOT_FOUND, true), 127);
        assert_int_equal(err_exit_status(ERR_EXEC_DENIED, true), 126);
        assert_int_equal(err_exit_status(ERR_NOT_FOUND, true), 125);
        assert_int_equal(err_exit_status(ERR_NOT_FOUND, false), 1);
        assert_int_equal(err_exit_status(ERR_USAGE, false), 125);
        assert_int_equal(err_exit_status(0, true), 0);
        assert_int_equal(err_http_status(ERR_CONFLICT), 409);
}

static err *fails(int how)
{
        TRY(how == 1 ? err_new(ERR_BUSY, "one") : NULL);
        TRY_WRAP(how == 2 ? err_new(ERR_LIMIT, "two") : NULL, "around %d", how);
        return NULL;
}

static void err_try_returns_early(void **state)
{
        (void)state;
        check_ok(fails(0));
        check_err(fails(1), "one");
        check_err(fails(2), "around 2: two");
        check_code(fails(2), ERR_LIMIT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(err_text_goes_from_outside_to_inside),
                cmocka_unit_test(err_text_is_cut_to_the_buffer),
                cmocka_unit_test(err_text_has_no_control_characters),
                cmocka_unit_test(err_wrap_keeps_success_and_out_of_memory),
                cmocka_unit_test(err_codes_all_have_names_and_statuses),
                cmocka_unit_test(err_try_returns_early),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
