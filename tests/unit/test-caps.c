/* Tests of sys/caps: in forked children, because capabilities do not come back. */
#include "check.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/caps.h"

#define BIT(n) ((uint64_t)1 << (n))

static void in_child(int (*test)(void))
{
        int status;
        pid_t pid;

        if (geteuid() != 0)
                skip();
        pid = fork();
        if (pid == 0)
                _exit(test());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static int bounding(void)
{
        if (caps_set_bounding(BIT(CAP_CHOWN) | BIT(CAP_KILL)) != 0)
                return 1;
        for (unsigned n = 0; n < 64 && prctl(PR_CAPBSET_READ, n, 0, 0, 0) >= 0; n++)
                if (prctl(PR_CAPBSET_READ, n, 0, 0, 0) != (n == CAP_CHOWN || n == CAP_KILL))
                        return 2;
        return 0;
}

static int sets(void)
{
        uint64_t e, p, i, all = BIT(CAP_CHOWN) | BIT(CAP_SYSLOG); /* one in each 32-bit half */

        if (caps_set(BIT(CAP_SYSLOG), all, all) != 0 || caps_get(&e, &p, &i) != 0)
                return 1;
        if (e != BIT(CAP_SYSLOG) || p != all || i != all)
                return 2;
        if (caps_set_ambient(BIT(CAP_SYSLOG)) != 0)
                return 3;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SYSLOG, 0, 0) != 1)
                return 4;
        if (caps_set_ambient(0) != 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SYSLOG, 0, 0) != 0)
                return 5;
        return caps_set(all | BIT(CAP_KILL), all | BIT(CAP_KILL), 0) == 0 ? 6 : 0; /* nothing comes back */
}

static void caps_set_bounding_keeps_only_what_is_named(void **state)
{
        in_child(bounding);
}

static void caps_set_writes_both_halves(void **state)
{
        in_child(sets);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(caps_set_bounding_keeps_only_what_is_named),
                cmocka_unit_test(caps_set_writes_both_halves),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
