/* spec_process.c - the process section; see spec.h. */
#include <sched.h>

#include "base/str.h"
#include "oci/spec_private.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif
#define SCHED_ISO_ 4 /* reserved in the kernel, named in the specification */

/* ---- lists of CPUs and nodes ---- */

/* Digits at *@p into *@ret, at most OCI_BITMAP_MAX. False if there is none. */
static bool bitmap_number(const char **p, unsigned *ret)
{
        unsigned n = 0;

        if (**p < '0' || **p > '9')
                return false;
        for (; **p >= '0' && **p <= '9'; (*p)++)
                if (n <= OCI_BITMAP_MAX)
                        n = n * 10 + (unsigned)(**p - '0');
        *ret = n;
        return true;
}

err *oci_bitmap_parse(const char *text, unsigned long *bits, size_t *ret_size)
{
        const unsigned width = 8 * sizeof(long);
        const char *p = text;
        unsigned highest = 0;

        memset(bits, 0, OCI_BITMAP_MAX / 8);
        do {
                unsigned first, last;

                if (!bitmap_number(&p, &first))
                        return err_new(ERR_INVALID, "\"%.100s\" is not a list such as 0-3,7", text);
                last = first;
                if (*p == '-') {
                        p++;
                        if (!bitmap_number(&p, &last) || last < first)
                                return err_new(ERR_INVALID, "\"%.100s\" is not a list such as 0-3,7", text);
                }
                if (last >= OCI_BITMAP_MAX)
                        return err_new(ERR_LIMIT, "\"%.100s\" goes beyond %d", text, OCI_BITMAP_MAX - 1);
                for (unsigned i = first; i <= last; i++)
                        bits[i / width] |= 1ul << (i % width);
                if (last > highest)
                        highest = last;
        } while (*p == ',' && p++);
        if (*p && !(*p == '\n' && !p[1]))
                return err_new(ERR_INVALID, "\"%.100s\" is not a list such as 0-3,7", text);
        *ret_size = (highest / width + 1) * sizeof(long);
        return NULL;
}

err *spec_bitmap(struct fields_reader *r, const struct fields_at *at, json *v, struct oci_bitmap *ret)
{
        unsigned long bits[OCI_BITMAP_MAX / (8 * sizeof(long))];
        const char *text;
        size_t size;
        err *e;

        TRY(fields_str(at, v, &text));
        if (!*text)
                return NULL;
        e = oci_bitmap_parse(text, bits, &size);
        if (e) {
                char why[256];

                err_text(e, why, sizeof(why));
                err_free(e);
                return fields_bad(at, "%s", why);
        }
        ret->bits = oci_arena_new0(r->arena, size, 1);
        if (!ret->bits)
                return err_nomem();
        memcpy(ret->bits, bits, size);
        ret->size = size;
        return NULL;
}

/* ---- user ---- */

static err *read_umask(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_user *u = base;
        int64_t n;

        TRY(fields_int(at, v, 0, 0777, &n));
        u->umask = (uint32_t)n;
        u->umask_set = true;
        return NULL;
}

static const struct fields user_table[] = {
        FIELDS_PLAIN("uid", FIELDS_U32, struct oci_user, uid),
        FIELDS_PLAIN("gid", FIELDS_U32, struct oci_user, gid),
        FIELDS_CUSTOM("umask", read_umask),
        FIELDS_COUNTED("additionalGids", FIELDS_U32V, struct oci_user, groups, n_groups),
        FIELDS_STR("username", struct oci_user, username),
        FIELDS_END,
};

/* ---- capabilities ---- */

static err *read_cap_set(struct fields_reader *r, const struct fields_at *at, json *v, uint64_t *set,
                         const char **unknown)
{
        TRY(fields_array(at, v));
        for (size_t i = 0; i < json_len(v); i++) {
                struct fields_at here = {at, NULL, i};
                const char *name;
                int number;

                TRY(fields_str(&here, json_at(v, i), &name));
                number = oci_cap_number(name);
                if (number >= 0) {
                        *set |= 1ull << number;
                        continue;
                }
                while (*unknown && !str_eq(*unknown, name))
                        unknown++;
                *unknown = name;
        }
        return NULL;
}

static err *read_caps(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_caps *c = &((struct oci_process *)base)->caps;
        struct {
                const char *key;
                uint64_t *set;
        } sets[] = {
                {"bounding", &c->bounding},   {"effective", &c->effective}, {"inheritable", &c->inheritable},
                {"permitted", &c->permitted}, {"ambient", &c->ambient},
        };
        size_t names = 0;

        TRY(fields_object(at, v));
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
                names += json_len(json_get(v, sets[i].key));
        c->unknown = OCI_ARENA_NEW0(r->arena, const char *, names + 1);
        if (!c->unknown)
                return err_nomem();
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
                struct fields_at here = {at, sets[i].key, 0};
                json *list = json_get(v, here.key);

                if (json_kind(list) != JSON_NULL)
                        TRY(read_cap_set(r, &here, list, sets[i].set, c->unknown));
        }
        if (!c->unknown[0])
                c->unknown = NULL;
        c->set = true;
        return NULL;
}

/* ---- limits, scheduling ---- */

static err *read_rlimit_type(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_rlimit *l = base;
        const char *name;
        int n;

        TRY(fields_str(at, v, &name));
        n = oci_rlimit_number(name);
        if (n < 0)
                return fields_bad(at, "wrong rlimit value: %.100s", name);
        l->resource = n;
        return NULL;
}

static const struct fields rlimit_table[] = {
        FIELDS_CUSTOM("type", read_rlimit_type),
        FIELDS_PLAIN("soft", FIELDS_U64, struct oci_rlimit, soft),
        FIELDS_PLAIN("hard", FIELDS_U64, struct oci_rlimit, hard),
        FIELDS_END,
};

/* "type" is what makes a limit; a list of objects without it would silently limit RLIMIT_CPU (0). */
static err *read_rlimits(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_process *p = base;
        void *list = NULL;

        TRY(fields_array(at, v));
        for (size_t i = 0; i < json_len(v); i++) {
                struct fields_at here = {at, NULL, i};

                if (json_kind(json_get(json_at(v, i), "type")) == JSON_NULL)
                        return fields_bad(&here, "has no type");
        }
        TRY(fields_list(r, at, v, rlimit_table, sizeof(struct oci_rlimit), &list, &p->n_rlimits));
        p->rlimits = list;
        return NULL;
}

static err *read_policy(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        static const struct fields_name names[] = {
                {"SCHED_OTHER", SCHED_OTHER},
                {"SCHED_FIFO", SCHED_FIFO},
                {"SCHED_RR", SCHED_RR},
                {"SCHED_BATCH", SCHED_BATCH},
                {"SCHED_ISO", SCHED_ISO_},
                {"SCHED_IDLE", SCHED_IDLE},
                {"SCHED_DEADLINE", SCHED_DEADLINE},
                {NULL, 0},
        };
        int64_t n;

        TRY(fields_name(at, v, names, "scheduling policy", &n));
        ((struct oci_scheduler *)base)->policy = (uint32_t)n;
        return NULL;
}

static err *read_sched_flags(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        static const struct fields_name names[] = {
                {"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_RECLAIM", 0x02},
                {"SCHED_FLAG_DL_OVERRUN", 0x04},     {"SCHED_FLAG_KEEP_POLICY", 0x08},
                {"SCHED_FLAG_KEEP_PARAMS", 0x10},    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
                {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}, {NULL, 0},
        };

        return fields_name_set(at, v, names, "scheduling flag", &((struct oci_scheduler *)base)->flags);
}

static const struct fields scheduler_table[] = {
        FIELDS_CUSTOM("policy", read_policy),
        FIELDS_PLAIN("nice", FIELDS_I32, struct oci_scheduler, nice),
        FIELDS_PLAIN("priority", FIELDS_I32, struct oci_scheduler, priority),
        FIELDS_CUSTOM("flags", read_sched_flags),
        FIELDS_PLAIN("runtime", FIELDS_U64, struct oci_scheduler, runtime),
        FIELDS_PLAIN("deadline", FIELDS_U64, struct oci_scheduler, deadline),
        FIELDS_PLAIN("period", FIELDS_U64, struct oci_scheduler, period),
        FIELDS_END,
};

static err *read_scheduler(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_scheduler *s = &((struct oci_process *)base)->scheduler;

        TRY(fields_read(r, at, v, scheduler_table, s));
        if (json_kind(json_get(v, "policy")) == JSON_NULL)
                return fields_bad(at, "scheduler policy is required");
        s->set = true;
        return NULL;
}

static err *read_io_class(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        static const struct fields_name names[] = {
                {"IOPRIO_CLASS_RT", 1},
                {"IOPRIO_CLASS_BE", 2},
                {"IOPRIO_CLASS_IDLE", 3},
                {NULL, 0},
        };
        int64_t n;

        TRY(fields_name(at, v, names, "I/O priority class", &n));
        ((struct oci_io_priority *)base)->class = (int)n;
        return NULL;
}

static const struct fields io_priority_table[] = {
        FIELDS_CUSTOM("class", read_io_class),
        FIELDS_PLAIN("priority", FIELDS_I32, struct oci_io_priority, priority),
        FIELDS_END,
};

static err *read_io_priority(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_io_priority *p = &((struct oci_process *)base)->io_priority;

        TRY(fields_read(r, at, v, io_priority_table, p));
        if (!p->class)
                return fields_bad(at, "has no class");
        if (p->priority < 0 || p->priority > 7)
                return fields_bad(at, "priority must be between 0 and 7");
        p->set = true;
        return NULL;
}

static err *read_affinity_initial(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        return spec_bitmap(r, at, v, &((struct oci_process *)base)->affinity_initial);
}

static err *read_affinity_final(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        return spec_bitmap(r, at, v, &((struct oci_process *)base)->affinity_final);
}

static const struct fields affinity_table[] = {
        FIELDS_CUSTOM("initial", read_affinity_initial),
        FIELDS_CUSTOM("final", read_affinity_final),
        FIELDS_END,
};

static err *read_affinity(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        return fields_read(r, at, v, affinity_table, base);
}

static const struct fields console_table[] = {
        FIELDS_PLAIN("height", FIELDS_U16, struct oci_process, console_height),
        FIELDS_PLAIN("width", FIELDS_U16, struct oci_process, console_width),
        FIELDS_END,
};

static err *read_console_size(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        return fields_read(r, at, v, console_table, base);
}

static err *read_oom_score_adj(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_process *p = base;
        int64_t n;

        TRY(fields_int(at, v, -1000, 1000, &n));
        p->oom_score_adj = (int)n;
        p->oom_score_adj_set = true;
        return NULL;
}

const struct fields spec_process_table[] = {
        FIELDS_BOOL("terminal", struct oci_process, terminal),
        FIELDS_CUSTOM("consoleSize", read_console_size),
        FIELDS_OBJECT("user", struct oci_process, user, user_table),
        FIELDS_PLAIN("args", FIELDS_STRV, struct oci_process, args),
        FIELDS_PLAIN("env", FIELDS_STRV, struct oci_process, env),
        FIELDS_STR("cwd", struct oci_process, cwd),
        FIELDS_CUSTOM("capabilities", read_caps),
        FIELDS_CUSTOM("rlimits", read_rlimits),
        FIELDS_BOOL("noNewPrivileges", struct oci_process, no_new_privileges),
        FIELDS_STR("apparmorProfile", struct oci_process, apparmor_profile),
        FIELDS_STR("selinuxLabel", struct oci_process, selinux_label),
        FIELDS_CUSTOM("oomScoreAdj", read_oom_score_adj),
        FIELDS_CUSTOM("scheduler", read_scheduler),
        FIELDS_CUSTOM("ioPriority", read_io_priority),
        FIELDS_CUSTOM("execCPUAffinity", read_affinity),
        FIELDS_END,
};

err *oci_process_from_json(json *doc, struct oci_process **ret)
{
        struct oci_arena *arena = oci_arena_new();
        _cleanup_oci_process_ struct oci_process *p = NULL;
        struct fields_reader r = {arena};

        p = arena ? OCI_ARENA_NEW0(arena, struct oci_process, 1) : NULL;
        if (!p) {
                if (arena)
                        oci_arena_free(arena);
                return err_nomem();
        }
        p->arena = arena;
        p->doc = json_ref(doc);
        TRY(fields_read(&r, NULL, doc, spec_process_table, p));
        *ret = TAKE_PTR(p);
        return NULL;
}

void oci_process_free(struct oci_process *p)
{
        if (!p || !p->arena)
                return; /* part of a spec */
        json_free(p->doc);
        oci_arena_free(p->arena);
}
