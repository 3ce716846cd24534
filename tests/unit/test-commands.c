/* The real command table: is it right, and does everything that is made from it agree? */
#include "check.h"

#include "cli/commands.h"
#include "everywhere.h"

static void commands_table_is_right(void **state)
{
        (void)state;
        check_ok(opt_verify(&cmd_hod));
}

static void commands_documents_know_every_flag(void **state)
{
        (void)state;
        check_everywhere(&cmd_hod);
}

/* The founding documents' own command lines. */
static void commands_take_the_founding_documents_lines(void **state)
{
        static const char *const lines[] = {
                "hod run -ti --name container1 -v /root/tmp/from1:/to1 busybox sh",
                "hod run -d --name d busybox top -b",
                "hod run -ti -m 100m -cpuset 1 -cpushare 512 busybox sh",
                "hod run -ti -net host busybox sh",
                "hod --root /r --state /s ps -a",
                "hod container ls -aq",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                _cleanup_(opt_done) struct invocation inv = {0};
                _cleanup_strv_ char **argv = NULL;

                check_ok(strv_split(lines[i], ' ', &argv));
                check_ok(opt_parse(&cmd_hod, argv, &inv));
                assert_non_null(inv.command->run);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commands_table_is_right),
                cmocka_unit_test(commands_documents_know_every_flag),
                cmocka_unit_test(commands_take_the_founding_documents_lines),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
