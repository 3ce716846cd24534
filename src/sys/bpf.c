/* bpf.c - see bpf.h. */
#include "sys/bpf.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define RULES_MAX 4000 /* jumps are 16 bits and the verifier walks every path */

static int bpf(int cmd, union bpf_attr *attr)
{
        return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* ---- reduce ---- */

void bpf_device_list_done(struct bpf_device_list *l)
{
        free(l->exceptions);
        *l = (struct bpf_device_list){0};
}

static bool same_device(const struct cgroup_device_rule *a, const struct cgroup_device_rule *b)
{
        return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

static err *exception_add(struct bpf_device_list *l, const struct cgroup_device_rule *rule)
{
        for (size_t i = 0; i < l->n; i++)
                if (same_device(&l->exceptions[i], rule)) {
                        l->exceptions[i].access |= rule->access;
                        return NULL;
                }
        if (mem_grow(&l->exceptions, l->n, sizeof(*l->exceptions)) < 0)
                return err_nomem();
        l->exceptions[l->n++] = *rule;
        return NULL;
}

static void exception_remove(struct bpf_device_list *l, const struct cgroup_device_rule *rule)
{
        for (size_t i = 0; i < l->n;) {
                struct cgroup_device_rule *e = &l->exceptions[i];

                if (same_device(e, rule))
                        e->access &= ~rule->access;
                if (e->access) {
                        i++;
                        continue;
                }
                memmove(e, e + 1, (l->n - i - 1) * sizeof(*e));
                l->n--;
        }
}

err *bpf_device_reduce(const struct cgroup_device_rule *rules, size_t n, struct bpf_device_list *ret)
{
        _cleanup_(bpf_device_list_done) struct bpf_device_list l = {0};

        for (size_t i = 0; i < n; i++) {
                if (rules[i].type == 'a') { /* the kernel ignores numbers and access then */
                        l.n = 0;
                        l.default_allow = rules[i].allow;
                } else if (rules[i].allow != l.default_allow) {
                        TRY(exception_add(&l, &rules[i]));
                } else {
                        exception_remove(&l, &rules[i]);
                }
        }
        *ret = l;
        l = (struct bpf_device_list){0};
        return NULL;
}

bool bpf_device_allowed(const struct bpf_device_list *l, char type, uint32_t major, uint32_t minor, unsigned access)
{
        for (size_t i = 0; i < l->n; i++) {
                const struct cgroup_device_rule *e = &l->exceptions[i];

                if (e->type != type || (e->major >= 0 && e->major != major) || (e->minor >= 0 && e->minor != minor))
                        continue;
                /* An allowance must cover everything that is asked; a refusal needs one bit. */
                if (l->default_allow ? (access & e->access) != 0 : (access & ~e->access) == 0)
                        return !l->default_allow;
        }
        return l->default_allow;
}

/* ---- compile ---- */

struct program {
        struct bpf_insn *insn;
        size_t n;
        bool failed;
};

static size_t emit(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
        if (p->failed || mem_grow(&p->insn, p->n, sizeof(*p->insn)) < 0) {
                p->failed = true;
                return 0;
        }
        p->insn[p->n] = (struct bpf_insn){.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
        return p->n++;
}

/* r2 type, r3 access, r4 major, r5 minor; r1 is the context (struct bpf_cgroup_dev_ctx). */
static void emit_head(struct program *p)
{
        const uint8_t load = BPF_LDX | BPF_MEM | BPF_W;

        emit(p, load, BPF_REG_2, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
        emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
        emit(p, load, BPF_REG_3, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
        emit(p, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
        emit(p, load, BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
        emit(p, load, BPF_REG_5, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
}

static void emit_return(struct program *p, bool allow)
{
        emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
        emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void emit_rule(struct program *p, const struct bpf_device_list *l, const struct cgroup_device_rule *e)
{
        const unsigned all = CGROUP_DEVICE_MKNOD | CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE;
        size_t next[4], n = 0;

        /* JMP32: device numbers are unsigned 32 bits and an immediate is sign-extended in 64-bit compares. */
        next[n++] = emit(p, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_2, 0, 0,
                         e->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
        if (e->access != all) {
                emit(p, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_3, 0, 0);
                emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_1, 0, 0,
                     (int32_t)(l->default_allow ? e->access : all & ~e->access));
                /* default deny: a bit outside of the rule; default allow: no bit inside */
                next[n++] = emit(p, BPF_JMP32 | (l->default_allow ? BPF_JEQ : BPF_JNE) | BPF_K, BPF_REG_1, 0, 0, 0);
        }
        if (e->major >= 0)
                next[n++] = emit(p, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_4, 0, 0, (int32_t)(uint32_t)e->major);
        if (e->minor >= 0)
                next[n++] = emit(p, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_5, 0, 0, (int32_t)(uint32_t)e->minor);
        emit_return(p, !l->default_allow);
        for (size_t i = 0; i < n && !p->failed; i++)
                p->insn[next[i]].off = (int16_t)(p->n - next[i] - 1);
}

err *bpf_device_compile(const struct bpf_device_list *l, struct bpf_insn **ret, size_t *ret_n)
{
        struct program p = {0};

        if (l->n > RULES_MAX)
                return err_new(ERR_LIMIT, "more than %d device rules", RULES_MAX);
        emit_head(&p);
        for (size_t i = 0; i < l->n; i++)
                emit_rule(&p, l, &l->exceptions[i]);
        emit_return(&p, l->default_allow);
        if (p.failed) {
                free(p.insn);
                return err_nomem();
        }
        *ret = p.insn;
        *ret_n = p.n;
        return NULL;
}

/* ---- attach ---- */

static int program_load(const struct bpf_insn *insn, size_t n)
{
        union bpf_attr attr;
        int fd;

        memset(&attr, 0, sizeof(attr));
        attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
        attr.insns = (uintptr_t)insn;
        attr.insn_cnt = (uint32_t)n;
        attr.license = (uintptr_t) "Apache-2.0";
        memcpy(attr.prog_name, "hod_devices", sizeof("hod_devices"));
        fd = bpf(BPF_PROG_LOAD, &attr);
        if (fd < 0 && (errno == EINVAL || errno == E2BIG)) { /* before names existed (4.15) */
                memset(attr.prog_name, 0, sizeof(attr.prog_name));
                fd = bpf(BPF_PROG_LOAD, &attr);
        }
        return fd < 0 ? -errno : fd;
}

/* Descriptor of the one device program attached to exactly this cgroup; -ENOENT for none, -E2BIG for several. */
static int program_attached(int cgroup_fd)
{
        union bpf_attr attr;
        uint32_t ids[8] = {0};
        int fd;

        memset(&attr, 0, sizeof(attr));
        attr.query.target_fd = (uint32_t)cgroup_fd;
        attr.query.attach_type = BPF_CGROUP_DEVICE;
        attr.query.prog_ids = (uintptr_t)ids;
        attr.query.prog_cnt = ARRAY_SIZE(ids);
        if (bpf(BPF_PROG_QUERY, &attr) < 0)
                return errno == ENOSPC ? -E2BIG : -errno;
        if (attr.query.prog_cnt != 1)
                return attr.query.prog_cnt ? -E2BIG : -ENOENT;
        memset(&attr, 0, sizeof(attr));
        attr.prog_id = ids[0];
        fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
        return fd < 0 ? -errno : fd;
}

static int program_attach(int cgroup_fd, int program, int replace)
{
        union bpf_attr attr;

        memset(&attr, 0, sizeof(attr));
        attr.target_fd = (uint32_t)cgroup_fd;
        attr.attach_bpf_fd = (uint32_t)program;
        attr.attach_type = BPF_CGROUP_DEVICE;
        attr.attach_flags = BPF_F_ALLOW_MULTI;
        if (replace >= 0) {
                attr.attach_flags |= BPF_F_REPLACE; /* 5.6; atomic: there is no moment without rules */
                attr.replace_bpf_fd = (uint32_t)replace;
        }
        return bpf(BPF_PROG_ATTACH, &attr) < 0 ? -errno : 0;
}

static void program_detach(int cgroup_fd, int program)
{
        union bpf_attr attr;

        memset(&attr, 0, sizeof(attr));
        attr.target_fd = (uint32_t)cgroup_fd;
        attr.attach_bpf_fd = (uint32_t)program;
        attr.attach_type = BPF_CGROUP_DEVICE;
        (void)bpf(BPF_PROG_DETACH, &attr);
}

err *bpf_device_attach(int cgroup_fd, const struct cgroup_device_rule *rules, size_t n)
{
        _cleanup_(bpf_device_list_done) struct bpf_device_list list = {0};
        _cleanup_free_ struct bpf_insn *insn = NULL;
        _cleanup_close_ int program = -1;
        _cleanup_close_ int old = -1;
        size_t count = 0;
        int r;

        TRY(bpf_device_reduce(rules, n, &list));
        old = program_attached(cgroup_fd);
        if (list.default_allow && !list.n && old == -ENOENT)
                return NULL; /* everything is allowed already */
        TRY(bpf_device_compile(&list, &insn, &count));
        program = program_load(insn, count);
        if (program == -ENOSYS || program == -EINVAL)
                return err_new(ERR_UNSUPPORTED, "cgroup: this kernel has no device control for cgroup v2 (eBPF)");
        if (program < 0)
                return err_sys(-program, "cgroup: loading the device program");
        r = program_attach(cgroup_fd, program, old >= 0 ? old : -1);
        if (r == -EINVAL && old >= 0) { /* no BPF_F_REPLACE: both hold for a moment, which only refuses more */
                r = program_attach(cgroup_fd, program, -1);
                if (r == 0)
                        program_detach(cgroup_fd, old);
        }
        return r < 0 ? err_sys(-r, "cgroup: attaching the device program") : NULL;
}
