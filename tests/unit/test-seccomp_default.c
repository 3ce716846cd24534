/* The default seccomp profile: complete over what the kernel has, right about arguments, real in a filter. */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/seccomp_default.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)

static bool has_word(const char *words, const char *word)
{
        size_t n = strlen(word);

        for (const char *p = words; (p = strstr(p, word)); p += n)
                if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
                        return true;
        return false;
}

/* Places in the table that decide about @name; the two sides of one question (with, without) are one place. */
static int places(const char *name)
{
        int n = 0;

        for (size_t i = 0; i < seccomp_n_groups; i++)
                if (seccomp_groups[i].when != SECCOMP_WITHOUT && has_word(seccomp_groups[i].calls, name))
                        n++;
        for (size_t i = 0; i < seccomp_n_denied; i++)
                if (has_word(seccomp_denied[i].calls, name))
                        n++;
        return n;
}

static void seccomp_groups_decide_every_known_call_once(void **state)
{
        static const uint32_t arches[] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32, SCMP_ARCH_AARCH64,
                                          SCMP_ARCH_ARM};
        int bad = 0, seen = 0;

        for (size_t a = 0; a < ARRAY_SIZE(arches); a++) {
                for (int nr = 0; nr < 1024; nr++) {
                        int number = arches[a] == SCMP_ARCH_X32 ? nr | 0x40000000 : nr;
                        _cleanup_free_ char *name = seccomp_syscall_resolve_num_arch(arches[a], number);

                        if (!name)
                                continue;
                        seen++;
                        if (places(name) != 1) {
                                print_error("%s: decided in %d places\n", name, places(name));
                                bad++;
                        }
                }
        }
        assert_true(seen > 1500);
        assert_int_equal(bad, 0);
}

static void check_words(const char *words)
{
        assert_true(strlen(words) > 0);
        assert_null(strstr(words, "  "));
        assert_int_not_equal(words[strlen(words) - 1], ' ');
        assert_int_equal(strspn(words, "abcdefghijklmnopqrstuvwxyz0123456789_ "), strlen(words));
}

static void seccomp_groups_are_well_formed(void **state)
{
        for (size_t i = 0; i < seccomp_n_groups; i++) {
                const struct seccomp_group *g = &seccomp_groups[i];

                check_words(g->calls);
                assert_true(strlen(g->why) > 10 || g->when == SECCOMP_WITH);
                assert_true((g->when == SECCOMP_ALWAYS) == (g->caps == 0));
                for (size_t k = 0; k < g->n_args; k++)
                        assert_int_equal(g->args[k].value & ~g->args[k].mask, 0);
        }
        for (size_t i = 0; i < seccomp_n_denied; i++)
                check_words(seccomp_denied[i].calls);
}

/* What the JSON says about one call, read as libseccomp reads it: any rule that matches, else the default. */
static int verdict(json *profile, const char *name, uint64_t arg0)
{
        json *rules = json_get(profile, "syscalls");

        for (size_t i = 0; i < json_len(rules); i++) {
                json *rule = json_at(rules, i), *names = json_get(rule, "names"), *args = json_get(rule, "args");
                bool match = false;

                for (size_t k = 0; k < json_len(names) && !match; k++)
                        match = strcmp(json_str(json_at(names, k)), name) == 0;
                for (size_t k = 0; k < json_len(args) && match; k++) {
                        json *a = json_at(args, k);

                        assert_string_equal(json_get_str(a, "op"), "SCMP_CMP_MASKED_EQ");
                        assert_int_equal(json_get_int(a, "index", -1), 0);
                        match = (arg0 & json_get_uint(a, "value", 0)) == json_get_uint(a, "valueTwo", 1);
                }
                if (match)
                        return strcmp(json_get_str(rule, "action"), "SCMP_ACT_ALLOW") == 0
                                       ? 0
                                       : (int)json_get_int(rule, "errnoRet", EPERM);
        }
        assert_string_equal(json_get_str(profile, "defaultAction"), "SCMP_ACT_ERRNO");
        return (int)json_get_int(profile, "defaultErrnoRet", 0);
}

static json *profile_for(uint64_t caps)
{
        json *p = NULL;

        assert_null(seccomp_default_json(caps, &p));
        assert_non_null(p);
        return p;
}

static void seccomp_default_json_denies_what_nobody_needs(void **state)
{
        _cleanup_json_ json *p = profile_for(0xa80425fb); /* docker's fourteen */
        static const char *const refused[] = {"mount",
                                              "umount2",
                                              "unshare",
                                              "setns",
                                              "bpf",
                                              "perf_event_open",
                                              "keyctl",
                                              "io_uring_setup",
                                              "init_module",
                                              "kexec_load",
                                              "open_by_handle_at",
                                              "reboot",
                                              "settimeofday",
                                              "syslog",
                                              "userfaultfd",
                                              "pivot_root",
                                              "swapon",
                                              "iopl",
                                              "acct",
                                              "no_such_call"};
        static const char *const allowed[] = {"read", "openat", "execve", "ptrace", "chroot", "mknod", "futex_time64"};

        for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
                assert_int_equal(verdict(p, refused[i], 0), EPERM);
        for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
                assert_int_equal(verdict(p, allowed[i], 0), 0);
        assert_int_equal(verdict(p, "clone3", 0), ENOSYS);
}

static void seccomp_default_json_follows_the_capabilities(void **state)
{
        static const struct {
                uint64_t cap;
                const char *call;
        } rows[] = {
                {CAP(SYS_ADMIN), "mount"},
                {CAP(SYS_ADMIN), "setns"},
                {CAP(SYS_ADMIN), "clone3"},
                {CAP(SYS_ADMIN), "bpf"},
                {CAP(BPF), "bpf"},
                {CAP(PERFMON), "perf_event_open"},
                {CAP(SYSLOG), "syslog"},
                {CAP(SYS_PTRACE), "kcmp"},
                {CAP(SYS_CHROOT), "chroot"},
                {CAP(SYS_MODULE), "init_module"},
                {CAP(SYS_TIME), "clock_settime"},
                {CAP(SYS_BOOT), "reboot"},
                {CAP(SYS_RAWIO), "iopl"},
                {CAP(SYS_TTY_CONFIG), "vhangup"},
                {CAP(SYS_NICE), "mbind"},
                {CAP(SYS_PACCT), "acct"},
                {CAP(DAC_READ_SEARCH), "open_by_handle_at"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_json_ json *with = profile_for(rows[i].cap), *without = profile_for(~rows[i].cap);

                assert_int_equal(verdict(with, rows[i].call, 0), 0);
                if (rows[i].cap != CAP(BPF) && strcmp(rows[i].call, "bpf") != 0 &&
                    strcmp(rows[i].call, "perf_event_open") != 0 && strcmp(rows[i].call, "syslog") != 0)
                        assert_int_not_equal(verdict(without, rows[i].call, 0), 0);
        }
}

static void seccomp_default_json_reads_arguments_as_the_kernel_does(void **state)
{
        static const uint64_t high[] = {0, UINT64_C(1) << 32, UINT64_C(0xffffffff00000000)};
        static const uint32_t namespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                              CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
        _cleanup_json_ json *p = profile_for(0);
        _cleanup_json_ json *admin = profile_for(CAP(SYS_ADMIN));

        for (size_t h = 0; h < ARRAY_SIZE(high); h++) {
                for (uint32_t family = 0; family < 64; family++) {
                        bool ok = family < 48 && family != AF_ALG && family != AF_VSOCK;

                        assert_int_equal(verdict(p, "socket", high[h] | family), ok ? 0 : EPERM);
                        assert_int_equal(verdict(admin, "socket", high[h] | family), ok ? 0 : EPERM);
                }
                assert_int_equal(verdict(p, "clone", high[h] | CLONE_VM | CLONE_THREAD | 17), 0);
                for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
                        assert_int_equal(verdict(p, "clone", high[h] | namespaces[i] | 17), EPERM);
                        assert_int_equal(verdict(admin, "clone", high[h] | namespaces[i] | 17), 0);
                }
                assert_int_equal(verdict(p, "personality", high[h] | 0), 0);
                assert_int_equal(verdict(p, "personality", high[h] | 8), 0);
                assert_int_equal(verdict(p, "personality", high[h] | 0xffffffff), 0);
                assert_int_equal(verdict(p, "personality", high[h] | 0x0400000), EPERM); /* READ_IMPLIES_EXEC */
                assert_int_equal(verdict(p, "personality", high[h] | 0x0040000), EPERM); /* ADDR_NO_RANDOMIZE */
        }
}

/* Put the profile into a kernel filter with plain libseccomp calls. */
static bool load(json *profile)
{
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        json *rules = json_get(profile, "syscalls");

        for (size_t i = 0; ctx && i < json_len(rules); i++) {
                json *rule = json_at(rules, i), *names = json_get(rule, "names"),
                     *a = json_at(json_get(rule, "args"), 0);
                bool allow = strcmp(json_get_str(rule, "action"), "SCMP_ACT_ALLOW") == 0;
                uint32_t action = allow ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint16_t)json_get_int(rule, "errnoRet", 0));
                struct scmp_arg_cmp cmp = {0, SCMP_CMP_MASKED_EQ, json_get_uint(a, "value", 0),
                                           json_get_uint(a, "valueTwo", 0)};

                for (size_t k = 0; k < json_len(names); k++) {
                        int nr = seccomp_syscall_resolve_name(json_str(json_at(names, k)));

                        if (nr >= 0 && seccomp_rule_add_array(ctx, action, nr, a ? 1 : 0, a ? &cmp : NULL) < 0)
                                return false;
                }
        }
        return ctx && seccomp_load(ctx) == 0;
}

#define MUST(condition) ((condition) ? (void)0 : _exit(__LINE__ & 0x7f))

static void seccomp_default_json_holds_in_a_real_filter(void **state)
{
        _cleanup_json_ json *p = profile_for(0);
        pid_t pid = fork();
        int status = 0;

        assert_true(pid >= 0);
        if (pid == 0) {
                long bit = 1L << 32;

                MUST(load(p));
                MUST(syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0) < 0 && errno == EPERM);
                MUST(syscall(SYS_socket, bit | AF_ALG, SOCK_SEQPACKET, 0) < 0 && errno == EPERM);
                MUST(syscall(SYS_socket, bit | AF_VSOCK, SOCK_STREAM, 0) < 0 && errno == EPERM);
                MUST(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) >= 0);
                MUST(syscall(SYS_clone, bit | CLONE_NEWUSER | 17, 0, 0, 0, 0) < 0 && errno == EPERM);
                MUST(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS);
                MUST(syscall(SYS_unshare, CLONE_NEWUSER) < 0 && errno == EPERM);
                MUST(syscall(SYS_personality, bit | 0x0040000) < 0 && errno == EPERM);
                MUST(syscall(SYS_personality, 0xffffffffUL) >= 0);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0); /* otherwise the line, modulo 128 */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(seccomp_groups_decide_every_known_call_once),
                cmocka_unit_test(seccomp_groups_are_well_formed),
                cmocka_unit_test(seccomp_default_json_denies_what_nobody_needs),
                cmocka_unit_test(seccomp_default_json_follows_the_capabilities),
                cmocka_unit_test(seccomp_default_json_reads_arguments_as_the_kernel_does),
                cmocka_unit_test(seccomp_default_json_holds_in_a_real_filter),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
