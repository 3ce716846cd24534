/* Unit tests of sys/seccomp_layout: programs as libseccomp makes them, before and after, must give the same answers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/seccomp_layout.h"
#include "seccomp-run.h"

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t n)
{
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        return (uint32_t)(seed >> 33) % n;
}

/* ---- making programs ---- */

static void export(scmp_filter_ctx ctx, struct seccomp_filter *ret)
{
        int fd = memfd_create("bpf", MFD_CLOEXEC);
        off_t size;

        assert_true(fd >= 0);
        assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
        size = lseek(fd, 0, SEEK_END);
        ret->insns = malloc((size_t)size);
        ret->n = (unsigned short)((size_t)size / sizeof(struct sock_filter));
        assert_int_equal(pread(fd, ret->insns, (size_t)size, 0), size);
        close(fd);
}

static void add_random_rule(scmp_filter_ctx ctx, uint32_t default_action)
{
        static const uint32_t actions[] = {SCMP_ACT_ALLOW,        SCMP_ACT_ERRNO(1), SCMP_ACT_ERRNO(38),
                                           SCMP_ACT_KILL_PROCESS, SCMP_ACT_TRACE(7), SCMP_ACT_LOG};
        uint32_t action = actions[random_below(6)];
        struct scmp_arg_cmp args[2];
        unsigned n = random_below(4) ? 0 : 1 + random_below(2);

        if (action == default_action)
                return;
        for (unsigned i = 0; i < n; i++)
                args[i] = (struct scmp_arg_cmp){i * 2, (enum scmp_compare)(1 + random_below(7)),
                                                random_below(2) ? random_below(4) : (uint64_t)random_below(4) << 32 | 3,
                                                random_below(4)};
        (void)seccomp_rule_add_array(ctx, action, (int)random_below(462), n, args); /* refusals are fine */
}

static void make_program(unsigned rules, struct seccomp_filter *ret)
{
        uint32_t action = random_below(3) ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW;
        scmp_filter_ctx ctx = seccomp_init(action);

        assert_non_null(ctx);
        if (random_below(2))
                assert_int_equal(seccomp_arch_add(ctx, SCMP_ARCH_X86), 0);
        if (random_below(2))
                assert_int_equal(seccomp_arch_add(ctx, SCMP_ARCH_X32), 0);
        if (random_below(3) == 0)
                assert_int_equal(seccomp_arch_add(ctx, SCMP_ARCH_AARCH64), 0);
        assert_int_equal(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 1 + random_below(2)), 0);
        for (unsigned i = 0; i < rules; i++)
                add_random_rule(ctx, action);
        export(ctx, ret);
        seccomp_release(ctx);
}

static void copy(const struct seccomp_filter *from, struct seccomp_filter *to)
{
        *to = *from;
        to->insns = malloc(from->n * sizeof(*from->insns));
        memcpy(to->insns, from->insns, from->n * sizeof(*from->insns));
}

static void layout(struct seccomp_filter *f)
{
        assert_null(seccomp_layout(f));
}

/* ---- comparing ---- */

static void compare_call(const struct seccomp_filter *a, const struct seccomp_filter *b, uint32_t arch, uint32_t nr)
{
        for (int k = 0; k < 6; k++) {
                uint64_t args[6];
                uint32_t want, got;

                for (int i = 0; i < 6; i++)
                        args[i] = random_below(6) | (random_below(4) ? 0 : (uint64_t)random_below(4) << 32);
                want = run(a, arch, nr, args);
                got = run(b, arch, nr, args);
                if (want != got)
                        fail_msg("arch %#x call %u: %#x became %#x", arch, nr, want, got);
        }
}

static void compare(const struct seccomp_filter *a, const struct seccomp_filter *b)
{
        static const uint32_t archs[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_PPC64, 0};
        static const uint32_t odd[] = {0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff,
                                       0x80000000, 0xfffffffe, 0xffffffff};

        for (size_t i = 0; i < ARRAY_SIZE(archs); i++) {
                for (uint32_t nr = 0; nr < 600; nr++) {
                        compare_call(a, b, archs[i], nr);
                        compare_call(a, b, archs[i], 0x40000000 + nr);
                }
                for (size_t k = 0; k < ARRAY_SIZE(odd); k++)
                        compare_call(a, b, archs[i], odd[k]);
                /* around each constant of the program, whatever it means */
                for (size_t k = 0; k < a->n; k++)
                        for (uint32_t d = 0; d < 3; d++)
                                if (BPF_CLASS(a->insns[k].code) == BPF_JMP)
                                        compare_call(a, b, archs[i], a->insns[k].k + d - 1);
        }
}

/* ---- tests ---- */

static void seccomp_layout_changes_no_answer(void **state)
{
        for (unsigned i = 0; i < 60; i++) {
                _cleanup_seccomp_filter_ struct seccomp_filter a = {0}, b = {0};

                make_program(i < 40 ? 1 + i : 300, &a);
                copy(&a, &b);
                layout(&b);
                compare(&a, &b);
        }
}

static void seccomp_layout_shortens_lists(void **state)
{
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        _cleanup_seccomp_filter_ struct seccomp_filter a = {0}, b = {0};

        for (int nr = 0; nr < 330; nr++)
                if (nr % 20 != 7)
                        assert_int_equal(seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 0, NULL), 0);
        export(ctx, &a);
        seccomp_release(ctx);
        copy(&a, &b);
        layout(&b);
        assert_true(a.n > 300);
        assert_true(b.n < 60);
        compare(&a, &b);
}

/* Outcomes that are far apart: more than a conditional jump reaches. */
static void seccomp_layout_reaches_far(void **state)
{
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
        _cleanup_seccomp_filter_ struct seccomp_filter a = {0}, b = {0};

        for (int nr = 0; nr < 330; nr++) {
                struct scmp_arg_cmp arg = {0, SCMP_CMP_EQ, (uint64_t)(nr % 5), 0};

                assert_int_equal(seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((uint32_t)nr + 1), nr, 1, &arg), 0);
        }
        export(ctx, &a);
        seccomp_release(ctx);
        copy(&a, &b);
        layout(&b);
        assert_true(b.n > 600);
        compare(&a, &b);
}

static void seccomp_layout_leaves_alone_what_it_does_not_know(void **state)
{
        struct sock_filter x_register[] = {
                {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}, {BPF_MISC | BPF_TAX, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 1}};
        struct sock_filter nr_masked[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
                                          {BPF_ALU | BPF_AND | BPF_K, 0, 0, 1},
                                          {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 1},
                                          {BPF_RET | BPF_K, 0, 0, 1},
                                          {BPF_RET | BPF_K, 0, 0, 2}};
        struct sock_filter arch_order[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 4},
                                           {BPF_JMP | BPF_JGT | BPF_K, 0, 1, 77},
                                           {BPF_RET | BPF_K, 0, 0, 1},
                                           {BPF_RET | BPF_K, 0, 0, 2}};
        struct sock_filter outside[] = {
                {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}, {BPF_JMP | BPF_JEQ | BPF_K, 9, 0, 1}, {BPF_RET | BPF_K, 0, 0, 1}};
        struct sock_filter *programs[] = {x_register, nr_masked, arch_order, outside};
        size_t sizes[] = {ARRAY_SIZE(x_register), ARRAY_SIZE(nr_masked), ARRAY_SIZE(arch_order), ARRAY_SIZE(outside)};

        for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
                struct seccomp_filter a = {.insns = programs[i], .n = (unsigned short)sizes[i]};
                _cleanup_seccomp_filter_ struct seccomp_filter b = {0};

                copy(&a, &b);
                layout(&b);
                assert_int_equal(b.n, a.n);
                assert_memory_equal(a.insns, b.insns, a.n * sizeof(*a.insns));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(seccomp_layout_changes_no_answer),
                cmocka_unit_test(seccomp_layout_shortens_lists),
                cmocka_unit_test(seccomp_layout_reaches_far),
                cmocka_unit_test(seccomp_layout_leaves_alone_what_it_does_not_know),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
