/* seccomp.c - compile a profile and install the result; see seccomp.h. The cache is in seccomp_cache.c. */
#include "sys/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "sys/seccomp_layout.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define ARGS_MAX 6
#define CONDITIONS_MAX 256 /* rules that one rule may become */
#define PROLOGUE_MAX 256

_Static_assert(SCMP_ACT_ALLOW == SECCOMP_RET_ALLOW && SCMP_ACT_NOTIFY == SECCOMP_RET_USER_NOTIF &&
                       SCMP_ACT_KILL_PROCESS == SECCOMP_RET_KILL_PROCESS && SCMP_ACT_ERRNO(0) == SECCOMP_RET_ERRNO,
               "libseccomp's actions are the kernel's numbers");

void seccomp_filter_done(struct seccomp_filter *f)
{
        free(f->insns);
        *f = (struct seccomp_filter){0};
}

/* The action with its data: errno for ERRNO, a message for TRACE. */
static uint32_t action_value(uint32_t action, bool set, uint32_t data)
{
        if (action != SECCOMP_RET_ERRNO && action != SECCOMP_RET_TRACE)
                return action;
        return action | ((set ? data : EPERM) & SECCOMP_RET_DATA);
}

/* Does @action let more happen than @other? The kernel orders actions as signed numbers. */
static bool more_permissive(uint32_t action, uint32_t other)
{
        return (int32_t)(action & SECCOMP_RET_ACTION_FULL) > (int32_t)(other & SECCOMP_RET_ACTION_FULL);
}

/* ---- argument conditions ----
 *
 * The kernel hands a filter all 64 bits of an argument, but where it declares the parameter as int or unsigned int it
 * uses the low half only. So a caller can set the high half freely, and a 64-bit comparison can be passed by it:
 *     allow if arg != 40       is passed by 0x100000028 (the kernel sees 40)     also: allow if >, >=
 *     refuse if arg == 40      is passed by the same                             also: refuse if <, <=
 * These six are therefore made on the low half when the value fits into it. The other directions fail closed.
 * libseccomp can compare a part of an argument only for equality; the rest is taken apart into prefixes, as routers do:
 * arg > v  <=>  for some bit i that is 0 in v: arg equals v above i and has bit i. */

struct condition {
        struct scmp_arg_cmp alt[64]; /* any of them; one rule each */
        size_t n;
};

static bool open_to_high_half(const struct seccomp_arg *a, bool permissive)
{
        if (a->value > UINT32_MAX)
                return false;
        switch (a->op) {
        case SCMP_CMP_NE:
        case SCMP_CMP_GT:
        case SCMP_CMP_GE:
                return permissive;
        case SCMP_CMP_EQ:
        case SCMP_CMP_LT:
        case SCMP_CMP_LE:
                return !permissive;
        default:
                return false;
        }
}

static void add_masked(struct condition *c, uint32_t index, uint32_t mask, uint32_t value)
{
        c->alt[c->n++] = (struct scmp_arg_cmp){index, SCMP_CMP_MASKED_EQ, mask, value & mask};
}

/* Low half above (@above) or below @v: one alternative a bit that differs first. */
static void add_range(struct condition *c, uint32_t index, uint32_t v, bool above)
{
        for (int i = 31; i >= 0; i--) {
                uint32_t bit = UINT32_C(1) << i;

                if (((v & bit) == 0) == above)
                        add_masked(c, index, ~(bit - 1), v ^ bit);
        }
}

static void make_condition(const struct seccomp_arg *a, bool permissive, struct condition *c)
{
        uint32_t v = (uint32_t)a->value;

        c->n = 0;
        if (!open_to_high_half(a, permissive)) {
                c->alt[c->n++] = (struct scmp_arg_cmp){a->index, (enum scmp_compare)a->op, a->value, a->value_two};
                return;
        }
        if (a->op == SCMP_CMP_EQ || a->op == SCMP_CMP_GE || a->op == SCMP_CMP_LE)
                add_masked(c, a->index, UINT32_MAX, v);
        if (a->op == SCMP_CMP_GT || a->op == SCMP_CMP_GE || a->op == SCMP_CMP_NE)
                add_range(c, a->index, v, true);
        if (a->op == SCMP_CMP_LT || a->op == SCMP_CMP_LE || a->op == SCMP_CMP_NE)
                add_range(c, a->index, v, false);
}

/* ---- rules ---- */

static err *libseccomp_failed(int r, const char *what, const char *name)
{
        if (r == -ENOMEM)
                return err_nomem();
        return err_new(ERR_INVALID, "seccomp: %s %s: %s", what, name, strerror(-r));
}

struct target {
        scmp_filter_ctx ctx;
        bool clash; /* a rule was refused because of an earlier one */
};

/* Add every combination of the alternatives of @c[0..n). */
static err *add_combinations(struct target *to, uint32_t action, int call, const char *name, const struct condition *c,
                             size_t n)
{
        size_t at[ARGS_MAX] = {0};

        for (;;) {
                struct scmp_arg_cmp args[ARGS_MAX] = {{0}};
                size_t i = 0;
                int r;

                for (size_t k = 0; k < n; k++)
                        args[k] = c[k].alt[at[k]];
                r = seccomp_rule_add_array(to->ctx, action, call, (unsigned)n, args);
                to->clash |= r == -EEXIST;
                if (r < 0 && r != -EEXIST)
                        return libseccomp_failed(r, "rule for", name);
                while (i < n && ++at[i] == c[i].n)
                        at[i++] = 0;
                if (i == n)
                        return NULL;
        }
}

static err *add_call(struct target *to, const struct seccomp_rule *rule, uint32_t action, const char *name,
                     bool permissive)
{
        int call = seccomp_syscall_resolve_name(name);
        struct condition c[ARGS_MAX];
        unsigned seen = 0;
        bool repeated = false;
        size_t combinations = 1;

        if (call == __NR_SCMP_ERROR)
                return NULL; /* newer than libseccomp, or of another system: as runc */
        for (size_t i = 0; i < rule->n_args; i++) {
                if (rule->args[i].index >= ARGS_MAX)
                        return err_new(ERR_INVALID, "seccomp: %s has no argument %u", name, rule->args[i].index);
                repeated |= seen & (1u << rule->args[i].index);
                seen |= 1u << rule->args[i].index;
        }
        if (repeated) { /* conditions on one argument are alternatives, as in runc */
                for (size_t i = 0; i < rule->n_args; i++) {
                        make_condition(&rule->args[i], permissive, &c[0]);
                        TRY(add_combinations(to, action, call, name, c, 1));
                }
                return NULL;
        }
        for (size_t i = 0; i < rule->n_args; i++) {
                make_condition(&rule->args[i], permissive, &c[i]);
                combinations *= c[i].n;
        }
        if (combinations > CONDITIONS_MAX)
                return err_new(ERR_LIMIT, "seccomp: the conditions for %s are too complex", name);
        if (combinations == 0)
                return NULL; /* for example: refuse if arg < 0 */
        return add_combinations(to, action, call, name, c, rule->n_args);
}

static err *add_rules(struct target *to, const struct seccomp_profile *p, uint32_t default_action)
{
        for (size_t i = 0; i < p->n_rules; i++) {
                const struct seccomp_rule *rule = &p->rules[i];
                uint32_t action = action_value(rule->action, rule->errno_set, rule->errno_ret);

                if (action == default_action)
                        continue; /* says nothing; libseccomp refuses such rules */
                for (size_t k = 0; rule->names && rule->names[k]; k++)
                        TRY(add_call(to, rule, action, rule->names[k], more_permissive(action, default_action)));
        }
        return NULL;
}

/* ---- newer calls: ENOSYS ---- */

struct prologue {
        struct sock_filter insn[PROLOGUE_MAX];
        size_t n;
};

static void emit(struct prologue *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
        if (p->n < PROLOGUE_MAX)
                p->insn[p->n++] = (struct sock_filter){code, jt, jf, k};
}

/* First number of an architecture's table. */
static uint32_t call_base(uint32_t arch)
{
        switch (arch) {
        case SCMP_ARCH_X32:
                return 0x40000000;
        case SCMP_ARCH_MIPS:
        case SCMP_ARCH_MIPSEL:
                return 4000;
        case SCMP_ARCH_MIPS64:
        case SCMP_ARCH_MIPSEL64:
                return 5000;
        case SCMP_ARCH_MIPS64N32:
        case SCMP_ARCH_MIPSEL64N32:
                return 6000;
        default:
                return 0;
        }
}

/* Highest call of @arch that libseccomp has a name for; 0 if it knows none. */
static uint32_t highest_call(uint32_t arch)
{
        uint32_t base = call_base(arch);

        for (uint32_t n = 1023; n > 0; n--) {
                char *name = seccomp_syscall_resolve_num_arch(arch, (int)(base + n));

                if (name) {
                        free(name);
                        return base + n;
                }
        }
        return 0;
}

/* "Above @highest, but not yet in the private range that begins 0xf0000 later (arm)": ENOSYS. */
static void emit_newer(struct prologue *p, uint32_t arch, uint32_t highest)
{
        emit(p, BPF_JMP | BPF_JGT | BPF_K, 0, 2, highest);
        emit(p, BPF_JMP | BPF_JGE | BPF_K, 1, 0, call_base(arch) + 0xf0000);
        emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
}

static bool has_arch(const uint32_t *archs, size_t n, uint32_t arch)
{
        for (size_t i = 0; i < n; i++)
                if (archs[i] == arch)
                        return true;
        return false;
}

/* For each architecture: its own check, then on to the filter proper (which loads what it needs itself). x32 comes with
 * x86-64's token and numbers of its own, far above. */
static void make_prologue(struct prologue *p, const uint32_t *archs, size_t n)
{
        emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
        for (size_t i = 0; i < n; i++) {
                uint32_t token = archs[i] == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : archs[i], highest;
                size_t jump = p->n;

                if (archs[i] == SCMP_ARCH_X32 && has_arch(archs, n, SCMP_ARCH_X86_64))
                        continue; /* done together */
                highest = highest_call(archs[i]);
                if (!highest)
                        continue;
                emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, token);
                emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
                emit_newer(p, archs[i], highest);
                if (archs[i] == SCMP_ARCH_X86_64 && has_arch(archs, n, SCMP_ARCH_X32))
                        emit_newer(p, SCMP_ARCH_X32, highest_call(SCMP_ARCH_X32));
                emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
                p->insn[jump].jf = (uint8_t)(p->n - jump - 1);
        }
}

/* A default that lets things happen also decides about newer calls. */
static bool wants_prologue(uint32_t default_action)
{
        switch (default_action & SECCOMP_RET_ACTION_FULL) {
        case SECCOMP_RET_ALLOW:
        case SECCOMP_RET_LOG:
        case SECCOMP_RET_TRACE:
        case SECCOMP_RET_USER_NOTIF:
                return false;
        default:
                return true;
        }
}

/* ---- compile ---- */

static err *export(scmp_filter_ctx ctx, const struct prologue *head, struct seccomp_filter *ret)
{
        _cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
        _cleanup_free_ struct sock_filter *insns = NULL;
        struct stat st;
        size_t size, n;
        int r;

        if (fd < 0)
                return err_sys(errno, "seccomp: memfd_create");
        r = seccomp_export_bpf(ctx, fd);
        if (r < 0)
                return libseccomp_failed(r, "compiling", "the filter");
        if (fstat(fd, &st) < 0)
                return err_sys(errno, "seccomp: fstat");
        size = (size_t)st.st_size;
        n = head->n + size / sizeof(*insns);
        if (n > BPF_MAXINSNS)
                return err_new(ERR_LIMIT, "seccomp: the filter has %zu instructions, the kernel takes %d", n,
                               BPF_MAXINSNS);
        insns = MEM_NEW0(struct sock_filter, n);
        if (!insns)
                return err_nomem();
        memcpy(insns, head->insn, head->n * sizeof(*insns));
        if (pread(fd, insns + head->n, size, 0) != (ssize_t)size)
                return err_sys(EIO, "seccomp: reading the compiled filter");
        ret->insns = TAKE_PTR(insns);
        ret->n = (unsigned short)n;
        return NULL;
}

static void context_release(scmp_filter_ctx *ctx)
{
        if (*ctx)
                seccomp_release(*ctx);
}

static bool profile_notifies(const struct seccomp_profile *p)
{
        for (size_t i = 0; i < p->n_rules; i++)
                if (p->rules[i].action == SECCOMP_RET_USER_NOTIF)
                        return true;
        return false;
}

static err *fill(struct target *to, const struct seccomp_profile *p, uint32_t action)
{
        (void)seccomp_attr_set(to->ctx, SCMP_FLTATR_CTL_NNP, 0);
        (void)seccomp_attr_set(to->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        return add_rules(to, p, action);
}

/* libseccomp adds a rule for all architectures or, if it contradicts an earlier one for one of them, for none: on i386
 * the arguments of socket(2) cannot be looked at (socketcall(2)), so that two rules about them are one and the same
 * there. Then each architecture gets a filter of its own, in which the earlier rule wins. */
static err *fill_apart(const struct seccomp_profile *p, uint32_t action, const uint32_t *archs, size_t n,
                       scmp_filter_ctx *ret)
{
        _cleanup_(context_release) scmp_filter_ctx all = NULL;

        for (size_t i = 0; i < n; i++) {
                _cleanup_(context_release) scmp_filter_ctx one = seccomp_init(action);
                struct target to = {one, false};
                int r = one ? 0 : -ENOMEM;

                if (r == 0 && i > 0)
                        r = seccomp_arch_add(one, archs[i]);
                if (r == 0 && i > 0)
                        r = seccomp_arch_remove(one, archs[0]);
                if (r < 0)
                        return libseccomp_failed(r, "architecture", "of its own");
                TRY(fill(&to, p, action));
                if (all)
                        r = seccomp_merge(all, one);
                else
                        all = one;
                if (r < 0)
                        return libseccomp_failed(r, "merging", "architectures");
                one = NULL; /* part of the other */
        }
        *ret = all;
        all = NULL;
        return NULL;
}

err *seccomp_compile(const struct seccomp_profile *p, struct seccomp_filter *ret)
{
        uint32_t action = action_value(p->default_action, p->default_errno_set, p->default_errno);
        _cleanup_(context_release) scmp_filter_ctx ctx = seccomp_init(action);
        uint32_t archs[32] = {seccomp_arch_native()};
        struct seccomp_filter f = {.flags = p->flags, .notify = profile_notifies(p)};
        struct prologue head = {.n = 0};
        struct target to = {NULL, false};
        size_t n_archs = 1;

        if (!ctx)
                return err_new(ERR_INVALID, "seccomp: default action 0x%x is not possible", action);
        for (size_t i = 0; i < p->n_archs; i++) {
                int r = seccomp_arch_add(ctx, p->archs[i]);

                if (r == -EEXIST || has_arch(archs, n_archs, p->archs[i]))
                        continue;
                if (r < 0 || n_archs == ARRAY_SIZE(archs))
                        return err_new(ERR_INVALID, "seccomp: architecture 0x%x cannot be added: %s", p->archs[i],
                                       strerror(-r));
                archs[n_archs++] = p->archs[i];
        }
        to.ctx = ctx;
        TRY(fill(&to, p, action));
        if (to.clash && n_archs > 1) {
                context_release(&ctx);
                ctx = NULL;
                TRY(fill_apart(p, action, archs, n_archs, &ctx));
        }
        if (wants_prologue(action))
                make_prologue(&head, archs, n_archs);
        TRY(export(ctx, &head, &f));
        TRY(seccomp_layout(&f));
        *ret = f;
        return NULL;
}

/* ---- install ---- */

bool seccomp_call_known(const char *name)
{
        return seccomp_syscall_resolve_name(name) != __NR_SCMP_ERROR;
}

bool seccomp_flag_supported(unsigned flag)
{
        if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
                flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER; /* means nothing without */
        /* Flags are looked at before the program, which is not there. */
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 && errno == EFAULT;
}

unsigned seccomp_install_flags(const struct seccomp_filter *f)
{
        unsigned flags = f->flags & ~(unsigned)SECCOMP_FILTER_FLAG_TSYNC; /* there is one thread */

        if (f->notify)
                return flags | SECCOMP_FILTER_FLAG_NEW_LISTENER;
        return flags & ~(unsigned)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV; /* only about listeners: EINVAL without */
}

int seccomp_install(const struct seccomp_filter *f)
{
        struct sock_fprog prog = {f->n, f->insns};
        unsigned flags = seccomp_install_flags(f);
        long r;

        r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
        return r < 0 ? -errno : (int)r;
}
