/* Unit tests of cli/terminal: detach keys. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "cli/terminal.h"

/* Feed @in byte by byte; gives what is passed on. */
static const char *fed(const char *keys, const char *in, bool *detached)
{
        static char out[256];
        struct detach_keys d;
        size_t n = 0;

        assert_null(detach_keys_parse(keys, &d));
        *detached = false;
        for (; *in && !*detached; in++)
                n += detach_keys_filter(&d, in, 1, out + n, detached);
        out[n] = '\0';
        return out;
}

static void detach_keys_filter_detaches_on_the_default_sequence(void **state)
{
        bool detached;

        (void)state;
        assert_string_equal(fed(NULL, "ab\x10\x11", &detached), "ab");
        assert_true(detached);
}

static void detach_keys_filter_passes_on_a_beginning_that_does_not_go_on(void **state)
{
        bool detached;

        (void)state;
        assert_string_equal(fed(NULL, "\x10x\x10\x10y", &detached), "\x10x\x10\x10y");
        assert_false(detached);
        assert_string_equal(fed(NULL, "\x10\x10\x11", &detached), "\x10");
        assert_true(detached);
}

static void detach_keys_parse_takes_dockers_spellings(void **state)
{
        bool detached;

        (void)state;
        assert_string_equal(fed("ctrl-x,y", "a\x18y", &detached), "a");
        assert_true(detached);
        assert_string_equal(fed("q", "aq", &detached), "a");
        assert_true(detached);
}

static void detach_keys_parse_refuses_nonsense(void **state)
{
        static const char *const bad[] = {"zz", "ctrl-", "ctrl-aa", "a,,b", "ctrl-1"};
        struct detach_keys d;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                err *e = detach_keys_parse(bad[i], &d);

                assert_int_equal(err_code(e), ERR_INVALID);
                err_free(e);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(detach_keys_filter_detaches_on_the_default_sequence),
                cmocka_unit_test(detach_keys_filter_passes_on_a_beginning_that_does_not_go_on),
                cmocka_unit_test(detach_keys_parse_takes_dockers_spellings),
                cmocka_unit_test(detach_keys_parse_refuses_nonsense),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
