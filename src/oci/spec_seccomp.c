/* spec_seccomp.c - linux.seccomp; see spec.h. */
#include <linux/audit.h>
#include <linux/seccomp.h>

#include "base/str.h"
#include "oci/spec_private.h"

/* Tokens that <linux/audit.h> does not have; the values are libseccomp's. */
#define ARCH_X32 (EM_X86_64 | __AUDIT_ARCH_LE)
#ifndef AUDIT_ARCH_LOONGARCH64
#define AUDIT_ARCH_LOONGARCH64 (258 | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE)
#endif
#ifndef AUDIT_ARCH_MIPS64N32
#define AUDIT_ARCH_MIPS64N32 (EM_MIPS | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_CONVENTION_MIPS64_N32)
#define AUDIT_ARCH_MIPSEL64N32 (AUDIT_ARCH_MIPS64N32 | __AUDIT_ARCH_LE)
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static err *read_action(const struct fields_at *at, json *v, uint32_t *ret)
{
        static const struct fields_name names[] = {
                {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
                {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
                {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
                {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
                {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
                {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
                {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
                {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
                {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF},
                {NULL, 0},
        };
        int64_t n;

        TRY(fields_name(at, v, names, "seccomp action", &n));
        *ret = (uint32_t)n;
        return NULL;
}

static err *read_default_action(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        return read_action(at, v, &((struct oci_seccomp *)base)->default_action);
}

static err *read_rule_action(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        return read_action(at, v, &((struct oci_seccomp_rule *)base)->action);
}

static err *read_op(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        static const struct fields_name names[] = {
                {"SCMP_CMP_NE", OCI_SECCOMP_NE},
                {"SCMP_CMP_LT", OCI_SECCOMP_LT},
                {"SCMP_CMP_LE", OCI_SECCOMP_LE},
                {"SCMP_CMP_EQ", OCI_SECCOMP_EQ},
                {"SCMP_CMP_GE", OCI_SECCOMP_GE},
                {"SCMP_CMP_GT", OCI_SECCOMP_GT},
                {"SCMP_CMP_MASKED_EQ", OCI_SECCOMP_MASKED_EQ},
                {NULL, 0},
        };
        int64_t n;

        TRY(fields_name(at, v, names, "seccomp operator", &n));
        ((struct oci_seccomp_arg *)base)->op = (enum oci_seccomp_op)n;
        return NULL;
}

static err *read_archs(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        static const struct fields_name names[] = {
                {"SCMP_ARCH_X86", AUDIT_ARCH_I386},
                {"SCMP_ARCH_X86_64", AUDIT_ARCH_X86_64},
                {"SCMP_ARCH_X32", ARCH_X32},
                {"SCMP_ARCH_ARM", AUDIT_ARCH_ARM},
                {"SCMP_ARCH_AARCH64", AUDIT_ARCH_AARCH64},
                {"SCMP_ARCH_LOONGARCH64", AUDIT_ARCH_LOONGARCH64},
                {"SCMP_ARCH_MIPS", AUDIT_ARCH_MIPS},
                {"SCMP_ARCH_MIPS64", AUDIT_ARCH_MIPS64},
                {"SCMP_ARCH_MIPS64N32", AUDIT_ARCH_MIPS64N32},
                {"SCMP_ARCH_MIPSEL", AUDIT_ARCH_MIPSEL},
                {"SCMP_ARCH_MIPSEL64", AUDIT_ARCH_MIPSEL64},
                {"SCMP_ARCH_MIPSEL64N32", AUDIT_ARCH_MIPSEL64N32},
                {"SCMP_ARCH_PARISC", AUDIT_ARCH_PARISC},
                {"SCMP_ARCH_PARISC64", AUDIT_ARCH_PARISC64},
                {"SCMP_ARCH_PPC", AUDIT_ARCH_PPC},
                {"SCMP_ARCH_PPC64", AUDIT_ARCH_PPC64},
                {"SCMP_ARCH_PPC64LE", AUDIT_ARCH_PPC64LE},
                {"SCMP_ARCH_RISCV64", AUDIT_ARCH_RISCV64},
                {"SCMP_ARCH_S390", AUDIT_ARCH_S390},
                {"SCMP_ARCH_S390X", AUDIT_ARCH_S390X},
                {NULL, 0},
        };
        struct oci_seccomp *s = base;
        size_t n = json_len(v);

        TRY(fields_array(at, v));
        if (n == 0)
                return NULL;
        s->archs = OCI_ARENA_NEW0(r->arena, uint32_t, n);
        if (!s->archs)
                return err_nomem();
        for (size_t i = 0; i < n; i++) {
                struct fields_at here = {at, NULL, i};
                int64_t token;

                TRY(fields_name(&here, json_at(v, i), names, "architecture", &token));
                s->archs[s->n_archs++] = (uint32_t)token;
        }
        return NULL;
}

static err *read_flags(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        static const struct fields_name names[] = {
                {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
                {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
                {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
                {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
                {NULL, 0},
        };
        uint64_t set;

        TRY(fields_name_set(at, v, names, "seccomp flag", &set));
        ((struct oci_seccomp *)base)->flags = (uint32_t)set;
        ((struct oci_seccomp *)base)->flags_set = true;
        return NULL;
}

static const struct fields arg_table[] = {
        FIELDS_PLAIN("index", FIELDS_U32, struct oci_seccomp_arg, index),
        FIELDS_PLAIN("value", FIELDS_U64, struct oci_seccomp_arg, value),
        FIELDS_PLAIN("valueTwo", FIELDS_U64, struct oci_seccomp_arg, value_two),
        FIELDS_CUSTOM("op", read_op),
        FIELDS_END,
};

static const struct fields rule_table[] = {
        FIELDS_PLAIN("names", FIELDS_STRV, struct oci_seccomp_rule, names),
        FIELDS_CUSTOM("action", read_rule_action),
        FIELDS_PLAIN("errnoRet", FIELDS_OPT_U64, struct oci_seccomp_rule, errno_ret),
        FIELDS_LIST("args", struct oci_seccomp_rule, args, n_args, arg_table),
        FIELDS_END,
};

/* KILL_THREAD is 0, so a forgotten action must be found in the document. */
static err *need_key(const struct fields_at *at, json *obj, const char *key)
{
        return json_kind(json_get(obj, key)) == JSON_NULL ? fields_bad(at, "has no %s", key) : NULL;
}

static err *read_rules(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_seccomp *s = base;
        void *list = NULL;

        TRY(fields_list(r, at, v, rule_table, sizeof(struct oci_seccomp_rule), &list, &s->n_rules));
        s->rules = list;
        for (size_t i = 0; i < s->n_rules; i++) {
                struct fields_at here = {at, NULL, i};
                const struct oci_seccomp_rule *rule = &s->rules[i];

                TRY(need_key(&here, json_at(v, i), "action"));
                if (!rule->names)
                        return fields_bad(&here, "has no names");
                for (size_t k = 0; k < rule->n_args; k++) {
                        if (rule->args[k].index > 5)
                                return fields_bad(&here, "argument index %u is above 5", rule->args[k].index);
                        if (!rule->args[k].op)
                                return fields_bad(&here, "argument %zu has no op", k);
                }
                if (rule->errno_ret.set && rule->errno_ret.n > SECCOMP_RET_DATA)
                        return fields_bad(&here, "errnoRet is above %d", SECCOMP_RET_DATA);
        }
        return NULL;
}

static const struct fields seccomp_table[] = {
        FIELDS_CUSTOM("defaultAction", read_default_action),
        FIELDS_PLAIN("defaultErrnoRet", FIELDS_OPT_U64, struct oci_seccomp, default_errno_ret),
        FIELDS_CUSTOM("architectures", read_archs),
        FIELDS_CUSTOM("flags", read_flags),
        FIELDS_STR("listenerPath", struct oci_seccomp, listener_path),
        FIELDS_STR("listenerMetadata", struct oci_seccomp, listener_metadata),
        FIELDS_CUSTOM("syscalls", read_rules),
        FIELDS_END,
};

err *spec_seccomp_read(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_linux *l = base;

        TRY(fields_object(at, v));
        TRY(need_key(at, v, "defaultAction"));
        l->seccomp = OCI_ARENA_NEW0(r->arena, struct oci_seccomp, 1);
        return l->seccomp ? fields_read(r, at, v, seccomp_table, l->seccomp) : err_nomem();
}
