/* Unit tests of sys/seccomp: the compiled program is run by an interpreter here and compared with a model that is
 * written from the specification, over system calls, argument values (also with bits above 32) and ABIs. */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/seccomp.h"
#include "seccomp-run.h"

#define DENY (SECCOMP_RET_ERRNO | EPERM)
#define NOSYS (SECCOMP_RET_ERRNO | ENOSYS)
#define ALLOW SECCOMP_RET_ALLOW

static uint32_t run_arg(const struct seccomp_filter *f, uint32_t arch, uint32_t nr, uint64_t arg0)
{
        uint64_t args[6] = {arg0};

        return run(f, arch, nr, args);
}

#define NAMES(...) ((char **)(const char *const[]){__VA_ARGS__, NULL})

static const uint32_t three[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, SCMP_ARCH_X32};

static struct seccomp_profile deny_all(const struct seccomp_rule *rules, size_t n)
{
        return (struct seccomp_profile){
                .default_action = SECCOMP_RET_ERRNO, .archs = three, .n_archs = 3, .rules = rules, .n_rules = n};
}

/* ---- tests ---- */

static void seccomp_compile_allows_what_is_listed(void **state)
{
        struct seccomp_rule rules[] = {
                {.names = NAMES("read", "write", "no_such_call"), .action = ALLOW},
                {.names = NAMES("mkdir"), .action = SECCOMP_RET_ERRNO, .errno_set = true, .errno_ret = ENOTDIR},
                {.names = NAMES("sync"), .action = SECCOMP_RET_KILL_PROCESS}};
        struct seccomp_profile p = deny_all(rules, 3);
        _cleanup_seccomp_filter_ struct seccomp_filter f = {0};

        check_ok(seccomp_compile(&p, &f));
        assert_int_equal(run(&f, AUDIT_ARCH_X86_64, SYS_read, NULL), ALLOW);
        assert_int_equal(run(&f, AUDIT_ARCH_X86_64, SYS_write, NULL), ALLOW);
        assert_int_equal(run(&f, AUDIT_ARCH_X86_64, SYS_open, NULL), DENY);
        assert_int_equal(run(&f, AUDIT_ARCH_X86_64, SYS_mkdir, NULL), SECCOMP_RET_ERRNO | ENOTDIR);
        assert_int_equal(run(&f, AUDIT_ARCH_X86_64, SYS_sync, NULL), SECCOMP_RET_KILL_PROCESS);
        assert_int_equal(run(&f, AUDIT_ARCH_I386, 3, NULL), ALLOW); /* read */
        assert_int_equal(run(&f, AUDIT_ARCH_I386, 39, NULL), SECCOMP_RET_ERRNO | ENOTDIR);
        assert_int_equal(run(&f, AUDIT_ARCH_X86_64, 0x40000000, NULL), ALLOW); /* x32's read */
        /* an architecture that was not asked for */
        assert_int_not_equal(run(&f, AUDIT_ARCH_AARCH64, 63, NULL), ALLOW);
}

static void seccomp_compile_answers_enosys_to_newer_calls(void **state)
{
        struct seccomp_rule rules[] = {{.names = NAMES("read"), .action = ALLOW}};
        struct seccomp_profile p = deny_all(rules, 1);
        _cleanup_seccomp_filter_ struct seccomp_filter f = {0};

        check_ok(seccomp_compile(&p, &f));
        for (uint32_t nr = 470; nr < 1000; nr++) {
                assert_int_equal(run(&f, AUDIT_ARCH_X86_64, nr, NULL), NOSYS);
                assert_int_equal(run(&f, AUDIT_ARCH_I386, nr, NULL), NOSYS);
        }
        assert_int_equal(run(&f, AUDIT_ARCH_X86_64, 0x40000000 + 900, NULL), NOSYS);
        /* known ones keep the default, and so do the numbers that are no calls */
        assert_int_equal(run(&f, AUDIT_ARCH_X86_64, SYS_openat2, NULL), DENY);
        assert_int_equal(run(&f, AUDIT_ARCH_X86_64, 0xffffffff, NULL), DENY);
        seccomp_filter_done(&f);
        /* a profile that allows by default decides about new calls itself */
        p.default_action = ALLOW;
        rules[0].action = SECCOMP_RET_ERRNO;
        check_ok(seccomp_compile(&p, &f));
        assert_int_equal(run(&f, AUDIT_ARCH_X86_64, 999, NULL), ALLOW);
        assert_int_equal(run(&f, AUDIT_ARCH_X86_64, SYS_read, NULL), DENY);
}

static bool holds(uint32_t op, uint64_t arg, uint64_t value, uint64_t two)
{
        switch (op) {
        case SCMP_CMP_NE:
                return arg != value;
        case SCMP_CMP_LT:
                return arg < value;
        case SCMP_CMP_LE:
                return arg <= value;
        case SCMP_CMP_EQ:
                return arg == value;
        case SCMP_CMP_GE:
                return arg >= value;
        case SCMP_CMP_GT:
                return arg > value;
        default:
                return (arg & value) == two;
        }
}

/* For every operator, both directions, and many values: what the kernel would do with the low half decides, or the
 * answer is the stricter one. */
static void seccomp_compile_ignores_high_halves(void **state)
{
        static const uint32_t values[] = {0, 1, 2, 16, 38, 40, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
        static const uint64_t high[] = {0, 1, 0x80000000, 0xffffffff};
        static const uint32_t probes[] = {
                0,  1,  2,          3,          15,         16,         17,         37,         38,        39,
                40, 41, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffd, 0xfffffffe, 0xffffffff};

        for (int permissive = 0; permissive < 2; permissive++)
                for (uint32_t op = SCMP_CMP_NE; op <= SCMP_CMP_GT; op++)
                        for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
                                struct seccomp_arg arg = {0, op, values[v], 0};
                                struct seccomp_rule rule = {.names = NAMES("socket"),
                                                            .action = permissive ? ALLOW : SECCOMP_RET_ERRNO,
                                                            .args = &arg,
                                                            .n_args = 1};
                                struct seccomp_profile p = {.default_action = permissive ? SECCOMP_RET_ERRNO : ALLOW,
                                                            .rules = &rule,
                                                            .n_rules = 1};
                                _cleanup_seccomp_filter_ struct seccomp_filter f = {0};

                                check_ok(seccomp_compile(&p, &f));
                                for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
                                        for (size_t h = 0; h < ARRAY_SIZE(high); h++) {
                                                uint64_t a = high[h] << 32 | probes[i];
                                                uint32_t got = run_arg(&f, AUDIT_ARCH_X86_64, SYS_socket, a);
                                                bool low = holds(op, probes[i], values[v], 0);
                                                bool may = permissive ? low : !low;

                                                if (got == ALLOW && !may)
                                                        fail_msg("op %u value %#x passed by %#llx", op, values[v],
                                                                 (unsigned long long)a);
                                                if (high[h] == 0)
                                                        assert_int_equal(got == ALLOW, may);
                                        }
                        }
}

static void seccomp_compile_keeps_wide_values(void **state)
{
        struct seccomp_arg arg = {0, SCMP_CMP_EQ, UINT64_C(0x100000000), 0};
        struct seccomp_rule rule = {.names = NAMES("mmap"), .action = SECCOMP_RET_ERRNO, .args = &arg, .n_args = 1};
        struct seccomp_profile p = {.default_action = ALLOW, .rules = &rule, .n_rules = 1};
        _cleanup_seccomp_filter_ struct seccomp_filter f = {0};

        check_ok(seccomp_compile(&p, &f));
        assert_int_equal(run_arg(&f, AUDIT_ARCH_X86_64, SYS_mmap, UINT64_C(0x100000000)), DENY);
        assert_int_equal(run_arg(&f, AUDIT_ARCH_X86_64, SYS_mmap, 0), ALLOW);
}

static void seccomp_compile_takes_conditions_on_one_argument_as_alternatives(void **state)
{
        struct seccomp_arg args[] = {{0, SCMP_CMP_EQ, 0, 0}, {0, SCMP_CMP_EQ, 8, 0}};
        struct seccomp_rule rule = {.names = NAMES("personality"), .action = ALLOW, .args = args, .n_args = 2};
        struct seccomp_profile p = deny_all(&rule, 1);
        _cleanup_seccomp_filter_ struct seccomp_filter f = {0};

        check_ok(seccomp_compile(&p, &f));
        assert_int_equal(run_arg(&f, AUDIT_ARCH_X86_64, SYS_personality, 0), ALLOW);
        assert_int_equal(run_arg(&f, AUDIT_ARCH_X86_64, SYS_personality, 8), ALLOW);
        assert_int_equal(run_arg(&f, AUDIT_ARCH_X86_64, SYS_personality, 4), DENY);
}

/* Random profiles of rules with conditions, 10^5 random calls, against the model: a call gets the action of a rule that
 * matches on the low halves. Rules for one call never share an action class here, so that the model is not ambiguous.
 */
static void seccomp_compile_matches_the_model(void **state)
{
        static const char *const calls[] = {"socket", "personality", "clone", "prctl", "ioctl"};
        static const uint32_t numbers[] = {SYS_socket, SYS_personality, SYS_clone, SYS_prctl, SYS_ioctl};
        uint64_t seed = 0x9e3779b97f4a7c15;
        size_t compared = 0;

#define RANDOM(n) ((uint32_t)((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 33) % (n))
        for (int round = 0; round < 200; round++) {
                struct seccomp_arg args[5][2];
                struct seccomp_rule rules[5];
                struct seccomp_profile p = deny_all(rules, 5);
                _cleanup_seccomp_filter_ struct seccomp_filter f = {0};

                for (int i = 0; i < 5; i++) {
                        static char *names[5][2];

                        names[i][0] = (char *)calls[i];
                        for (uint32_t k = 0; k < 2; k++) {
                                args[i][k].index = k ? 1 + RANDOM(4) : 0;
                                args[i][k].op = 1 + RANDOM(7);
                                args[i][k].value = RANDOM(6);
                                args[i][k].value_two = args[i][k].value & RANDOM(6);
                        }
                        rules[i] = (struct seccomp_rule){
                                .names = names[i], .action = ALLOW, .args = args[i], .n_args = 1 + RANDOM(2)};
                        if (rules[i].n_args == 2 && args[i][0].op < 4 && args[i][1].op < 4)
                                rules[i].n_args = 1; /* keep the number of combinations small */
                }
                err *e = seccomp_compile(&p, &f);
                if (e && err_code(e) == ERR_LIMIT) {
                        err_free(e);
                        continue;
                }
                check_ok(e);
                for (int n = 0; n < 500; n++, compared++) {
                        uint32_t i = RANDOM(5);
                        uint64_t a[6];
                        bool match = true, wide = false;

                        for (int k = 0; k < 6; k++) {
                                a[k] = RANDOM(8);
                                if (RANDOM(8) == 0) {
                                        a[k] |= (uint64_t)(1 + RANDOM(3)) << 32;
                                        wide = true;
                                }
                        }
                        for (size_t k = 0; k < rules[i].n_args; k++)
                                match &= holds(args[i][k].op, (uint32_t)a[args[i][k].index], args[i][k].value,
                                               args[i][k].value_two);
                        uint32_t got = run(&f, AUDIT_ARCH_X86_64, numbers[i], a);
                        if (wide) /* stricter is fine, more permissive is not */
                                assert_true(got == DENY || match);
                        else
                                assert_int_equal(got, match ? ALLOW : DENY);
                }
        }
        assert_true(compared > 50000);
}

static void seccomp_compile_refuses_too_much(void **state)
{
        struct seccomp_arg args[3] = {{0, SCMP_CMP_NE, 5, 0}, {1, SCMP_CMP_NE, 5, 0}, {2, SCMP_CMP_NE, 5, 0}};
        struct seccomp_rule rule = {.names = NAMES("socket"), .action = ALLOW, .args = args, .n_args = 3};
        struct seccomp_profile p = deny_all(&rule, 1);
        struct seccomp_filter f = {0};
        err *e = seccomp_compile(&p, &f);

        assert_int_equal(err_code(e), ERR_LIMIT);
        assert_null(f.insns);
        err_free(e);
        rule.n_args = 1;
        args[0].index = 6;
        e = seccomp_compile(&p, &f);
        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
}

static void seccomp_filter_load_believes_only_its_own_entries(void **state)
{
        char dir[] = "/tmp/hod-test-seccomp-XXXXXX", sub[64], key[65], name[160], *data = NULL;
        struct seccomp_rule rules[] = {{.names = NAMES("read"), .action = ALLOW}};
        struct seccomp_profile p = deny_all(rules, 1);
        _cleanup_seccomp_filter_ struct seccomp_filter a = {0}, b = {0}, c = {0}, d = {0};
        size_t size;

        assert_non_null(mkdtemp(dir));
        (void)snprintf(sub, sizeof(sub), "%s/cache", dir);
        check_ok(seccomp_filter_load(&p, sub, &a));
        assert_false(a.from_cache);
        check_ok(seccomp_filter_load(&p, sub, &b));
        assert_true(b.from_cache);
        assert_int_equal(a.n, b.n);
        assert_memory_equal(a.insns, b.insns, a.n * sizeof(*a.insns));
        /* damage: one bit of one instruction */
        check_ok(seccomp_cache_key(&p, key));
        (void)snprintf(name, sizeof(name), "%s/%s.bpf", sub, key);
        assert_int_equal(file_read(AT_FDCWD, name, 1u << 20, &data, &size), 0);
        data[size - 1] ^= 1;
        int fd = open(name, O_WRONLY | O_CLOEXEC);
        assert_int_equal(write(fd, data, size), size);
        (void)close(fd);
        free(data);
        check_ok(seccomp_filter_load(&p, sub, &c));
        assert_false(c.from_cache);
        assert_memory_equal(a.insns, c.insns, a.n * sizeof(*a.insns));
        /* open to others */
        assert_int_equal(chmod(name, 0644), 0);
        check_ok(seccomp_filter_load(&p, sub, &d));
        assert_false(d.from_cache);
        /* another profile has another name */
        rules[0].action = SECCOMP_RET_LOG;
        char other[65];
        check_ok(seccomp_cache_key(&p, other));
        assert_string_not_equal(key, other);
        assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
}

static void seccomp_text_find_takes_the_very_text_only(void **state)
{
        char dir[] = "/tmp/hod-test-seccomp-XXXXXX", *data = NULL;
        struct seccomp_rule rules[] = {{.names = NAMES("read"), .action = ALLOW}};
        struct seccomp_profile p = deny_all(rules, 1);
        _cleanup_seccomp_filter_ struct seccomp_filter a = {0}, b = {0}, c = {0};
        struct dirent *e;
        size_t size;
        DIR *d;

        assert_non_null(mkdtemp(dir));
        check_ok(seccomp_compile(&p, &a));
        assert_false(seccomp_text_find(dir, "{profile}", 9, &b));
        seccomp_text_keep(dir, "{profile}", 9, &a);
        assert_true(seccomp_text_find(dir, "{profile}", 9, &b));
        assert_int_equal(a.n, b.n);
        assert_memory_equal(a.insns, b.insns, a.n * sizeof(*a.insns));
        assert_int_equal(a.flags, b.flags);
        assert_false(seccomp_text_find(dir, "{profilf}", 9, &c));
        assert_false(seccomp_text_find(dir, "{profile}", 8, &c));
        assert_false(seccomp_text_find(dir, "", 0, &c));
        /* Whatever the name says: the text counts. */
        d = opendir(dir);
        assert_non_null(d);
        while ((e = readdir(d)))
                if (str_starts(e->d_name, "text-")) {
                        assert_int_equal(file_read(dirfd(d), e->d_name, 1u << 20, &data, &size), 0);
                        data[size - 1] ^= 1;
                        assert_int_equal(file_replace(dirfd(d), e->d_name, data, size, 0600, FILE_VOLATILE), 0);
                        free(data);
                }
        (void)closedir(d);
        assert_false(seccomp_text_find(dir, "{profile}", 9, &c));
        assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
}

/* The kernel's own opinion. */
static void seccomp_install_takes_effect(void **state)
{
        struct seccomp_rule rules[] = {
                {.names = NAMES("mkdir"), .action = SECCOMP_RET_ERRNO, .errno_set = true, .errno_ret = ENOTDIR}};
        struct seccomp_profile p = {.default_action = ALLOW,
                                    .rules = rules,
                                    .n_rules = 1,
                                    .flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_LOG};
        _cleanup_seccomp_filter_ struct seccomp_filter f = {0};
        pid_t pid;
        int status;

        check_ok(seccomp_compile(&p, &f));
        pid = fork();
        if (pid == 0) {
                if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(&f) != 0)
                        _exit(1);
                _exit(syscall(SYS_mkdir, "/tmp/hod-test-never", 0700) == -1 && errno == ENOTDIR ? 0 : 2);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(seccomp_compile_allows_what_is_listed),
                cmocka_unit_test(seccomp_compile_answers_enosys_to_newer_calls),
                cmocka_unit_test(seccomp_compile_ignores_high_halves),
                cmocka_unit_test(seccomp_compile_keeps_wide_values),
                cmocka_unit_test(seccomp_compile_takes_conditions_on_one_argument_as_alternatives),
                cmocka_unit_test(seccomp_compile_matches_the_model),
                cmocka_unit_test(seccomp_compile_refuses_too_much),
                cmocka_unit_test(seccomp_filter_load_believes_only_its_own_entries),
                cmocka_unit_test(seccomp_text_find_takes_the_very_text_only),
                cmocka_unit_test(seccomp_install_takes_effect),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
