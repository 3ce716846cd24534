/* Unit tests of sys/bpf: reducing device rules, the program (run by an interpreter here), and the kernel's verifier. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "sys/bpf.h"
#include "sys/bpf_program.h"

#define R CGROUP_DEVICE_READ
#define W CGROUP_DEVICE_WRITE
#define M CGROUP_DEVICE_MKNOD

/* eBPF, as much as the compiler emits. */
static bool run(const struct bpf_insn *p, size_t n, char type, uint32_t major, uint32_t minor, unsigned access)
{
        struct bpf_cgroup_dev_ctx ctx = {.access_type = access << 16 |
                                                        (type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
                                         .major = major,
                                         .minor = minor};
        uint64_t r[11] = {0};

        for (size_t pc = 0; pc < n; pc++) {
                const struct bpf_insn *i = &p[pc];

                switch (i->code) {
                case BPF_LDX | BPF_MEM | BPF_W: {
                        uint32_t word;

                        memcpy(&word, (char *)&ctx + i->off, 4);
                        r[i->dst_reg] = word;
                        break;
                }
                case BPF_ALU | BPF_AND | BPF_K:
                        r[i->dst_reg] = (uint32_t)r[i->dst_reg] & (uint32_t)i->imm;
                        break;
                case BPF_ALU | BPF_RSH | BPF_K:
                        r[i->dst_reg] = (uint32_t)r[i->dst_reg] >> i->imm;
                        break;
                case BPF_ALU | BPF_MOV | BPF_X:
                        r[i->dst_reg] = (uint32_t)r[i->src_reg];
                        break;
                case BPF_ALU64 | BPF_MOV | BPF_K:
                        r[i->dst_reg] = (uint64_t)(int64_t)i->imm;
                        break;
                case BPF_JMP32 | BPF_JNE | BPF_K:
                        pc += (uint32_t)r[i->dst_reg] != (uint32_t)i->imm ? (size_t)i->off : 0;
                        break;
                case BPF_JMP32 | BPF_JEQ | BPF_K:
                        pc += (uint32_t)r[i->dst_reg] == (uint32_t)i->imm ? (size_t)i->off : 0;
                        break;
                case BPF_JMP | BPF_JA:
                        pc += (size_t)i->off;
                        break;
                case BPF_JMP | BPF_EXIT:
                        return r[0];
                default:
                        fail_msg("instruction 0x%x", i->code);
                }
        }
        fail_msg("the program does not end");
        return false;
}

/* Compare program and list over everything near the rules. */
static void compare(const struct cgroup_device_rule *rules, size_t n)
{
        static const uint32_t numbers[] = {0, 1, 2, 3, 5, 8, 136, 0x7fffffff, 0x80000000, 0xffffffff};
        struct bpf_device_list l = {0};
        struct bpf_program p;

        check_ok(bpf_device_order(rules, n, &l));
        check_ok(bpf_device_compile(&l, &p));
        for (size_t a = 0; a < ARRAY_SIZE(numbers); a++)
                for (size_t b = 0; b < ARRAY_SIZE(numbers); b++)
                        for (unsigned access = 1; access < 8; access++) {
                                assert_int_equal(run(p.insn, p.n, 'c', numbers[a], numbers[b], access),
                                                 bpf_device_allowed(&l, 'c', numbers[a], numbers[b], access));
                                assert_int_equal(run(p.insn, p.n, 'b', numbers[a], numbers[b], access),
                                                 bpf_device_allowed(&l, 'b', numbers[a], numbers[b], access));
                        }
        bpf_program_done(&p);
        bpf_device_list_done(&l);
}

static void bpf_device_reduce_follows_the_kernel(void **state)
{
        struct cgroup_device_rule rules[] = {
                {false, 'a', -1, -1, R | W | M}, {true, 'c', 1, 3, R | W}, {true, 'c', 1, 3, M},
                {true, 'c', 1, 5, R | W},        {false, 'c', 1, 5, W},    {true, 'b', 8, -1, R},
        };
        struct bpf_device_list l = {0};

        check_ok(bpf_device_reduce(rules, ARRAY_SIZE(rules), &l));
        assert_false(l.default_allow);
        assert_int_equal(l.n, 3);
        assert_true(bpf_device_allowed(&l, 'c', 1, 3, R | W | M));
        assert_true(bpf_device_allowed(&l, 'c', 1, 5, R));
        assert_false(bpf_device_allowed(&l, 'c', 1, 5, R | W));
        assert_true(bpf_device_allowed(&l, 'b', 8, 77, R));
        assert_false(bpf_device_allowed(&l, 'b', 8, 77, W));
        assert_false(bpf_device_allowed(&l, 'c', 8, 77, R));
        bpf_device_list_done(&l);
        compare(rules, ARRAY_SIZE(rules));
}

static void bpf_device_reduce_turns_round_with_all(void **state)
{
        struct cgroup_device_rule rules[] = {{true, 'c', 1, 3, R},
                                             {true, 'a', -1, -1, R | W | M},
                                             {false, 'b', 8, 0, W},
                                             {false, 'c', 5, -1, R | W | M}};
        struct bpf_device_list l = {0};

        check_ok(bpf_device_reduce(rules, ARRAY_SIZE(rules), &l));
        assert_true(l.default_allow);
        assert_int_equal(l.n, 2);
        assert_false(bpf_device_allowed(&l, 'b', 8, 0, R | W)); /* one refused bit is enough */
        assert_true(bpf_device_allowed(&l, 'b', 8, 0, R));
        assert_false(bpf_device_allowed(&l, 'c', 5, 99, M));
        bpf_device_list_done(&l);
        compare(rules, ARRAY_SIZE(rules));
        compare(rules, 1);
        compare(rules, 2);
        compare(rules, 0);
}

/* For each access the last rule that is about the device decides. */
static void bpf_device_order_lets_the_last_rule_decide(void **state)
{
        struct cgroup_device_rule rules[] = {
                {false, 'a', -1, -1, R | W | M}, {true, 'c', -1, -1, R | W | M},
                {false, 'c', 1, -1, W | M},      {true, 'c', 1, 3, W},
                {false, 'c', 5, 1, R | W | M},   {true, 'b', 8, 0, R},
                {true, 'b', 8, -1, W},
        };
        struct bpf_device_list l = {0};

        check_ok(bpf_device_order(rules, ARRAY_SIZE(rules), &l));
        assert_true(bpf_device_allowed(&l, 'c', 7, 7, R | W | M));
        assert_true(bpf_device_allowed(&l, 'c', 1, 9, R));
        assert_false(bpf_device_allowed(&l, 'c', 1, 9, R | W));
        assert_true(bpf_device_allowed(&l, 'c', 1, 3, R | W));
        assert_false(bpf_device_allowed(&l, 'c', 1, 3, M));
        assert_false(bpf_device_allowed(&l, 'c', 5, 1, R));
        assert_true(bpf_device_allowed(&l, 'b', 8, 0, R | W)); /* by two rules together */
        assert_false(bpf_device_allowed(&l, 'b', 8, 1, R | W));
        bpf_device_list_done(&l);
        compare(rules, ARRAY_SIZE(rules));
        compare(rules, 5);
        /* v1 cannot say that. */
        err *e = bpf_device_reduce(rules, 3, &l);
        char buf[300];
        assert_int_equal(err_code(e), ERR_UNSUPPORTED);
        assert_non_null(strstr(err_text(e, buf, sizeof(buf)), "cgroup v1 cannot deny a part"));
        err_free(e);
}

static void bpf_device_reduce_takes_away_what_a_wider_rule_covers(void **state)
{
        struct cgroup_device_rule rules[] = {
                {true, 'c', 1, 3, R | W}, {true, 'c', 1, 5, R}, {true, 'c', 5, 0, R | W}, {false, 'c', 1, -1, R}};
        struct bpf_device_list l = {0};

        check_ok(bpf_device_reduce(rules, ARRAY_SIZE(rules), &l));
        assert_int_equal(l.n, 2);
        assert_false(bpf_device_allowed(&l, 'c', 1, 3, R));
        assert_true(bpf_device_allowed(&l, 'c', 1, 3, W));
        assert_false(bpf_device_allowed(&l, 'c', 1, 5, R));
        assert_true(bpf_device_allowed(&l, 'c', 5, 0, R | W));
        bpf_device_list_done(&l);
}

static void bpf_device_order_drops_what_is_decided_anew(void **state)
{
        static struct cgroup_device_rule many[BPF_DEVICE_RULES_MAX + 1];
        struct bpf_device_list l = {0};

        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                many[i] = (struct cgroup_device_rule){i % 2 == 0, 'c', 1, 3, R | W};
        check_ok(bpf_device_order(many, ARRAY_SIZE(many), &l));
        assert_int_equal(l.n, 1);
        bpf_device_list_done(&l);
        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                many[i] = (struct cgroup_device_rule){true, 'c', 1, (int64_t)i, R | W};
        err *e = bpf_device_order(many, ARRAY_SIZE(many), &l);
        assert_int_equal(err_code(e), ERR_LIMIT);
        err_free(e);
        e = bpf_device_reduce(many, ARRAY_SIZE(many), &l);
        assert_int_equal(err_code(e), ERR_LIMIT);
        err_free(e);
}

static void bpf_device_compile_takes_large_numbers(void **state)
{
        struct cgroup_device_rule rules[] = {{true, 'c', 0xffffffff, 0x80000000, R}, {true, 'b', 0x7fffffff, 0, R | W}};

        compare(rules, ARRAY_SIZE(rules));
}

/* On this machine's v2 hierarchy (hybrid or pure): the kernel takes the program, replaces it, and obeys. */
static void bpf_device_attach_takes_effect(void **state)
{
        struct cgroup_device_rule null_only[] = {{false, 'a', -1, -1, R | W | M}, {true, 'c', 1, 3, R | W}};
        struct cgroup_device_rule zero_too[] = {
                {false, 'a', -1, -1, R | W | M}, {true, 'c', 1, 3, R | W}, {true, 'c', 1, 5, R}};
        const struct cgroup_layout *l;
        _cleanup_close_ int fd = -1;
        char name[40]; /* with our pid: two runs at once must not meet */
        int status;

        check_ok(cgroup_layout_get(&l));
        if (l->unified < 0 || geteuid() != 0)
                skip();
        static struct cgroup_device_rule many[BPF_DEVICE_RULES_MAX];
        int root = l->h[(int)l->unified].fd;
        (void)snprintf(name, sizeof(name), "hod-test-bpf-%d", getpid());
        if (mkdirat(root, name, 0755) < 0 && errno != EEXIST)
                skip();
        fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        err *e = bpf_device_attach(fd, null_only, ARRAY_SIZE(null_only));
        if (e) {
                char buf[300];

                print_message("not here: %s\n", err_text(e, buf, sizeof(buf)));
                err_free(e);
                (void)unlinkat(root, name, AT_REMOVEDIR);
                skip();
        }
        /* As many as fit, of the kind that keeps most apart: the verifier has to follow. */
        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                many[i] = (struct cgroup_device_rule){i % 3 != 0, i % 2 ? 'c' : 'b', (int64_t)i, 1,
                                                      i % 4 < 3 ? 1u << i % 4 : R | W};
        check_ok(bpf_device_attach(fd, many, ARRAY_SIZE(many)));
        check_ok(bpf_device_attach(fd, null_only, ARRAY_SIZE(null_only)));
        pid_t pid = fork();
        if (pid == 0) {
                if (file_put(fd, "cgroup.procs", "0") < 0)
                        _exit(1);
                if (open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
                        _exit(2);
                if (open("/dev/zero", O_RDONLY | O_CLOEXEC) >= 0 || errno != EPERM)
                        _exit(3);
                if (bpf_device_attach(fd, zero_too, ARRAY_SIZE(zero_too)))
                        _exit(4);
                if (open("/dev/zero", O_RDONLY | O_CLOEXEC) < 0)
                        _exit(5);
                if (open("/dev/zero", O_RDWR | O_CLOEXEC) >= 0)
                        _exit(6);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(unlinkat(root, name, AT_REMOVEDIR), 0);
        assert_int_equal(status, 0);
}

/* A kernel that wants more locked memory than the process has. */
struct old_kernel {
        rlim_t wants;
        int otherwise; /* what it says without it */
        unsigned asked;
};

static int old_kernel_load(void *arg)
{
        struct old_kernel *k = arg;
        struct rlimit now;

        k->asked++;
        return getrlimit(RLIMIT_MEMLOCK, &now) == 0 && now.rlim_cur >= k->wants ? 7 : k->otherwise;
}

/* With @before as the limit: what is said, and how often it was asked. The limit is the same after it. */
static int load_with(struct rlimit before, struct old_kernel *k)
{
        struct rlimit after;
        int r;

        if (setrlimit(RLIMIT_MEMLOCK, &before) < 0)
                return -1000;
        k->asked = 0;
        r = bpf_program_with_memory(old_kernel_load, k);
        if (getrlimit(RLIMIT_MEMLOCK, &after) < 0 || after.rlim_cur != before.rlim_cur ||
            after.rlim_max != before.rlim_max)
                return -1001;
        return r;
}

static int check_memory(void)
{
        struct old_kernel small = {8192, -EPERM}, large = {1 << 20, -EPERM}, other = {8192, -EINVAL};
        struct rlimit now, tight = {4096, 65536}, none = {4096, 4096};
        bool may_raise;

        if (getrlimit(RLIMIT_MEMLOCK, &now) < 0 || now.rlim_max < 65536)
                return 77;
        if (load_with((struct rlimit){4096, now.rlim_max}, &small) != 7 || small.asked != 2)
                return 1;
        if (load_with((struct rlimit){16384, now.rlim_max}, &small) != 7 || small.asked != 1)
                return 2;
        if (load_with(tight, &small) != 7 || small.asked != 2)
                return 3;
        if (load_with(tight, &other) != -EINVAL || other.asked != 1)
                return 4;
        /* More than the hard limit is CAP_SYS_RESOURCE's. */
        may_raise = load_with(tight, &large) == 7;
        if (large.asked != 2)
                return 5;
        if (load_with(none, &small) != (may_raise ? 7 : -EPERM) || small.asked != (may_raise ? 2 : 1))
                return 6;
        return 0;
}

static void bpf_program_with_memory_asks_again_and_leaves_the_limit_as_it_was(void **state)
{
        int status;
        pid_t pid = fork(); /* a hard limit that is lowered stays so */

        if (pid == 0)
                _exit(check_memory());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                skip();
        assert_int_equal(status, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bpf_device_reduce_follows_the_kernel),
                cmocka_unit_test(bpf_device_reduce_turns_round_with_all),
                cmocka_unit_test(bpf_device_order_lets_the_last_rule_decide),
                cmocka_unit_test(bpf_device_reduce_takes_away_what_a_wider_rule_covers),
                cmocka_unit_test(bpf_device_order_drops_what_is_decided_anew),
                cmocka_unit_test(bpf_device_compile_takes_large_numbers),
                cmocka_unit_test(bpf_device_attach_takes_effect),
                cmocka_unit_test(bpf_program_with_memory_asks_again_and_leaves_the_limit_as_it_was),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
