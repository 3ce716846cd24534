/* bpf.c - see bpf.h. */
#include "sys/bpf.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/bpf_program.h"

#define PROGRAM_NAME "hod_devices"

/* ---- lists ---- */

void bpf_device_list_done(struct bpf_device_list *l)
{
        free(l->rules);
        *l = (struct bpf_device_list){0};
}

static bool same_device(const struct cgroup_device_rule *a, const struct cgroup_device_rule *b)
{
        return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

static bool number_covers(int64_t wide, int64_t narrow)
{
        return wide < 0 || wide == narrow;
}

/* Is every device of @narrow one of @wide? */
static bool covers(const struct cgroup_device_rule *wide, const struct cgroup_device_rule *narrow)
{
        return wide->type == narrow->type && number_covers(wide->major, narrow->major) &&
               number_covers(wide->minor, narrow->minor);
}

/* Is there a device of both? */
static bool overlap(const struct cgroup_device_rule *a, const struct cgroup_device_rule *b)
{
        return a->type == b->type && (number_covers(a->major, b->major) || b->major < 0) &&
               (number_covers(a->minor, b->minor) || b->minor < 0);
}

static void rule_drop(struct bpf_device_list *l, size_t i)
{
        memmove(&l->rules[i], &l->rules[i + 1], (l->n - i - 1) * sizeof(*l->rules));
        l->n--;
}

static err *rule_append(struct bpf_device_list *l, const struct cgroup_device_rule *rule)
{
        if (mem_grow(&l->rules, l->n, sizeof(*l->rules)) < 0)
                return err_nomem();
        l->rules[l->n++] = *rule;
        return NULL;
}

/* ---- reduce ---- */

static err *exception_add(struct bpf_device_list *l, const struct cgroup_device_rule *rule)
{
        for (size_t i = 0; i < l->n; i++)
                if (same_device(&l->rules[i], rule)) {
                        l->rules[i].access |= rule->access;
                        return NULL;
                }
        if (l->n >= BPF_DEVICE_RULES_MAX) /* each is compared with all that follow */
                return err_new(ERR_LIMIT, "more than %d device rules", BPF_DEVICE_RULES_MAX);
        return rule_append(l, rule);
}

static err *exception_remove(struct bpf_device_list *l, const struct cgroup_device_rule *rule)
{
        for (size_t i = 0; i < l->n;) {
                struct cgroup_device_rule *e = &l->rules[i];

                if (covers(rule, e)) {
                        e->access &= ~rule->access;
                } else if (overlap(rule, e) && (e->access & rule->access)) {
                        return err_new(ERR_UNSUPPORTED,
                                       "device rules: cgroup v1 cannot %s a part of the devices of an earlier rule "
                                       "(%c %lld:%lld of %c %lld:%lld)",
                                       rule->allow ? "allow" : "deny", rule->type, (long long)rule->major,
                                       (long long)rule->minor, e->type, (long long)e->major, (long long)e->minor);
                }
                if (e->access)
                        i++;
                else
                        rule_drop(l, i);
        }
        return NULL;
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
                        TRY(exception_remove(&l, &rules[i]));
                }
        }
        *ret = l;
        l = (struct bpf_device_list){0};
        return NULL;
}

err *bpf_device_order(const struct cgroup_device_rule *rules, size_t n, struct bpf_device_list *ret)
{
        _cleanup_(bpf_device_list_done) struct bpf_device_list l = {0};

        for (size_t i = 0; i < n; i++) {
                if (rules[i].type == 'a') {
                        l.n = 0;
                        l.default_allow = rules[i].allow;
                        continue;
                }
                if (l.n == 0 && rules[i].allow == l.default_allow)
                        continue; /* says nothing new */
                if (l.n >= BPF_DEVICE_RULES_MAX)
                        return err_new(ERR_LIMIT, "more than %d device rules", BPF_DEVICE_RULES_MAX);
                /* What it decides anew need not be kept. */
                for (size_t k = 0; k < l.n;)
                        if (covers(&rules[i], &l.rules[k]) && !(l.rules[k].access & ~rules[i].access))
                                rule_drop(&l, k);
                        else
                                k++;
                TRY(rule_append(&l, &rules[i]));
        }
        *ret = l;
        l = (struct bpf_device_list){0};
        return NULL;
}

bool bpf_device_allowed(const struct bpf_device_list *l, char type, uint32_t major, uint32_t minor, unsigned access)
{
        const struct cgroup_device_rule asked = {false, type, major, minor, access};

        for (size_t i = l->n; i-- > 0;) {
                const struct cgroup_device_rule *rule = &l->rules[i];

                if (!covers(rule, &asked) || !(access & rule->access))
                        continue;
                if (!rule->allow)
                        return false;
                access &= ~rule->access;
                if (!access)
                        return true;
        }
        return l->default_allow;
}

/* ---- compile ---- */

/* r2 type, r3 access, r4 major, r5 minor; r1 is the context (struct bpf_cgroup_dev_ctx). */
static void emit_head(struct bpf_program *p)
{
        const uint8_t load = BPF_LDX | BPF_MEM | BPF_W;

        bpf_program_emit(p, load, BPF_REG_2, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
        bpf_program_emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
        bpf_program_emit(p, load, BPF_REG_3, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
        bpf_program_emit(p, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
        bpf_program_emit(p, load, BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
        bpf_program_emit(p, load, BPF_REG_5, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
}

static void emit_return(struct bpf_program *p, bool allow)
{
        bpf_program_emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
        bpf_program_emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Go on if the 32 bits of @reg are (@equal) or are not @value, else leave the rule by a jump that ret_leave remembers.
 * Two instructions, for the verifier: it follows what does not jump first. That is the way around the rule, about which
 * it has learned nothing, so that all other ways that come to the next rule are already known to be good; the other way
 * round their number would grow with the square of the rules. */
static void emit_if(struct bpf_program *p, bool equal, uint8_t reg, uint32_t value, size_t *ret_leave)
{
        /* JMP32: device numbers are unsigned 32 bits and an immediate is sign-extended in 64-bit compares. */
        bpf_program_emit(p, BPF_JMP32 | (equal ? BPF_JEQ : BPF_JNE) | BPF_K, reg, 0, 1, (int32_t)value);
        *ret_leave = bpf_program_emit(p, BPF_JMP | BPF_JA, 0, 0, 0, 0);
}

/* r3 has what is still to be decided, never nothing. */
static void emit_rule(struct bpf_program *p, const struct cgroup_device_rule *e)
{
        const unsigned all = CGROUP_DEVICE_MKNOD | CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE;
        size_t leave[4], n = 0;

        emit_if(p, true, BPF_REG_2, e->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, &leave[n++]);
        if (e->major >= 0)
                emit_if(p, true, BPF_REG_4, (uint32_t)e->major, &leave[n++]);
        if (e->minor >= 0)
                emit_if(p, true, BPF_REG_5, (uint32_t)e->minor, &leave[n++]);
        if (e->access != all && e->allow) {
                bpf_program_emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_3, 0, 0, (int32_t)(all & ~e->access));
                emit_if(p, true, BPF_REG_3, 0, &leave[n++]);
        } else if (e->access != all) {
                bpf_program_emit(p, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_3, 0, 0);
                bpf_program_emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_1, 0, 0, (int32_t)e->access);
                emit_if(p, false, BPF_REG_1, 0, &leave[n++]);
        }
        emit_return(p, e->allow);
        for (size_t i = 0; i < n; i++)
                bpf_program_land(p, leave[i]);
}

err *bpf_device_compile(const struct bpf_device_list *l, struct bpf_program *ret)
{
        struct bpf_program p = {0};

        if (l->n > BPF_DEVICE_RULES_MAX)
                return err_new(ERR_LIMIT, "more than %d device rules", BPF_DEVICE_RULES_MAX);
        emit_head(&p);
        for (size_t i = l->n; i-- > 0;)
                emit_rule(&p, &l->rules[i]);
        emit_return(&p, l->default_allow);
        *ret = p;
        return p.failed ? err_nomem() : NULL;
}

/* ---- attach ---- */

/* Is the program ours? One from a kernel without names is, too. */
static bool program_is_ours(int fd)
{
        struct bpf_prog_info info = {0};
        union bpf_attr attr;

        memset(&attr, 0, sizeof(attr));
        attr.info.bpf_fd = (uint32_t)fd;
        attr.info.info_len = sizeof(info);
        attr.info.info = (uintptr_t)&info;
        return bpf_program_call(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0 || !*info.name ||
               strcmp(info.name, PROGRAM_NAME) == 0;
}

/* Descriptor of our device program that is attached to exactly this cgroup, or -ENOENT. systemd's may be there, too,
 * and stays: both have to permit. */
static int program_attached(int cgroup_fd)
{
        union bpf_attr attr;
        uint32_t ids[16] = {0}, n;

        memset(&attr, 0, sizeof(attr));
        attr.query.target_fd = (uint32_t)cgroup_fd;
        attr.query.attach_type = BPF_CGROUP_DEVICE;
        attr.query.prog_ids = (uintptr_t)ids;
        attr.query.prog_cnt = ARRAY_SIZE(ids);
        if (bpf_program_call(BPF_PROG_QUERY, &attr) < 0)
                return errno == ENOSPC ? -E2BIG : -errno;
        n = attr.query.prog_cnt;
        for (uint32_t i = 0; i < n && i < ARRAY_SIZE(ids); i++) {
                int fd;

                memset(&attr, 0, sizeof(attr));
                attr.prog_id = ids[i];
                fd = bpf_program_call(BPF_PROG_GET_FD_BY_ID, &attr);
                if (fd >= 0 && program_is_ours(fd))
                        return fd;
                (void)file_close(fd);
        }
        return -ENOENT;
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
        return bpf_program_call(BPF_PROG_ATTACH, &attr) < 0 ? -errno : 0;
}

static void program_detach(int cgroup_fd, int program)
{
        union bpf_attr attr;

        memset(&attr, 0, sizeof(attr));
        attr.target_fd = (uint32_t)cgroup_fd;
        attr.attach_bpf_fd = (uint32_t)program;
        attr.attach_type = BPF_CGROUP_DEVICE;
        (void)bpf_program_call(BPF_PROG_DETACH, &attr);
}

err *bpf_device_attach(int cgroup_fd, const struct cgroup_device_rule *rules, size_t n)
{
        _cleanup_(bpf_device_list_done) struct bpf_device_list list = {0};
        _cleanup_bpf_program_ struct bpf_program code = {0};
        _cleanup_close_ int program = -1;
        _cleanup_close_ int old = -1;
        int r;

        TRY(bpf_device_order(rules, n, &list));
        old = program_attached(cgroup_fd);
        if (list.default_allow && !list.n && old == -ENOENT)
                return NULL; /* everything is allowed already */
        TRY(bpf_device_compile(&list, &code));
        program = bpf_program_load(&code, BPF_PROG_TYPE_CGROUP_DEVICE, PROGRAM_NAME);
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
