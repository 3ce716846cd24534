/* systemd_props.c - properties of units: writing them, and limits in systemd's words; see systemd.h. */
#include <stdio.h>

#include "sys/bpf.h"
#include "sys/dbus_message.h"
#include "sys/systemd.h"

#define CPUS_MAX 8192
#define DEFAULT_PERIOD 100000 /* µs, the kernel's */

void systemd_props_done(struct systemd_props *p)
{
        str_free(&p->body);
}

/* ---- writing ---- */

static struct str *begin(struct systemd_props *p, const char *name, const char *type)
{
        dbus_write_align(&p->body, 8);
        dbus_write_string(&p->body, name);
        dbus_write_signature(&p->body, type);
        return &p->body;
}

void systemd_prop_bool(struct systemd_props *p, const char *name, bool value)
{
        dbus_write_u32(begin(p, name, "b"), value);
}

void systemd_prop_i32(struct systemd_props *p, const char *name, int32_t value)
{
        dbus_write_u32(begin(p, name, "i"), (uint32_t)value);
}

void systemd_prop_u64(struct systemd_props *p, const char *name, uint64_t value)
{
        dbus_write_u64(begin(p, name, "t"), value);
}

void systemd_prop_string(struct systemd_props *p, const char *name, const char *value)
{
        dbus_write_string(begin(p, name, "s"), value);
}

void systemd_prop_strings(struct systemd_props *p, const char *name, char *const *values)
{
        struct str *s = begin(p, name, "as");
        struct dbus_array a = dbus_write_array(s, 4);

        for (; values && *values; values++)
                dbus_write_string(s, *values);
        dbus_write_array_end(s, a);
}

void systemd_prop_bytes(struct systemd_props *p, const char *name, const uint8_t *value, size_t n)
{
        struct str *s = begin(p, name, "ay");
        struct dbus_array a = dbus_write_array(s, 1);

        str_add_n(s, (const char *)value, n);
        dbus_write_array_end(s, a);
}

void systemd_prop_pids(struct systemd_props *p, const pid_t *pids, size_t n)
{
        struct str *s = begin(p, "PIDs", "au");
        struct dbus_array a = dbus_write_array(s, 4);

        for (size_t i = 0; i < n; i++)
                dbus_write_u32(s, (uint32_t)pids[i]);
        dbus_write_array_end(s, a);
}

/* ---- devices ---- */

/* systemd's words for one rule; empty if it has none ("any major, this minor"). */
static void device_name(const struct cgroup_device_rule *d, char *text, size_t size)
{
        const char *type = d->type == 'b' ? "block" : "char";

        *text = '\0';
        if (d->major >= 0 && d->minor >= 0)
                (void)snprintf(text, size, "/dev/%s/%lld:%lld", type, (long long)d->major, (long long)d->minor);
        else if (d->major >= 0)
                (void)snprintf(text, size, "%s-%lld", type, (long long)d->major);
        else if (d->minor < 0)
                (void)snprintf(text, size, "%s-*", type);
}

static void write_devices(const struct bpf_device_list *list, struct systemd_props *p)
{
        struct str *s = begin(p, "DeviceAllow", "a(ss)");
        struct dbus_array a = dbus_write_array(s, 8);

        for (size_t i = 0; list && i < list->n; i++) {
                const struct cgroup_device_rule *d = &list->rules[i];
                char name[64], access[4];

                device_name(d, name, sizeof(name));
                if (!*name)
                        continue;
                (void)snprintf(access, sizeof(access), "%s%s%s", d->access & CGROUP_DEVICE_READ ? "r" : "",
                               d->access & CGROUP_DEVICE_WRITE ? "w" : "", d->access & CGROUP_DEVICE_MKNOD ? "m" : "");
                dbus_write_align(s, 8);
                dbus_write_string(s, name);
                dbus_write_string(s, access);
        }
        dbus_write_array_end(s, a);
}

static bool all_named(const struct bpf_device_list *list)
{
        char name[64];

        for (size_t i = 0; i < list->n; i++) {
                device_name(&list->rules[i], name, sizeof(name));
                if (!*name)
                        return false;
        }
        return true;
}

/* Our own rules come after these and are exact. What systemd cannot say: on v2, where its program and ours must both
 * permit, it gets none; on v1, where the last who writes wins, it gets less than is allowed, never more. */
static err *devices(const struct cgroup_resources *r, bool v2, int version, struct systemd_props *p)
{
        _cleanup_(bpf_device_list_done) struct bpf_device_list list = {0};
        bool everything, sayable = false;
        err *e;

        if (!r->n_devices)
                return NULL;
        e = bpf_device_reduce(r->devices, r->n_devices, &list);
        if (e && err_code(e) != ERR_UNSUPPORTED)
                return e;
        everything = !e && list.default_allow && !list.n;
        /* Before v240 only of nodes that exist. */
        sayable = !e && !list.default_allow && all_named(&list) && version >= 240;
        err_free(e);
        write_devices(NULL, p); /* forget what was there */
        if (everything || (v2 && !sayable)) {
                systemd_prop_string(p, "DevicePolicy", "auto");
                return NULL;
        }
        systemd_prop_string(p, "DevicePolicy", "strict");
        if (!list.default_allow)
                write_devices(&list, p);
        return NULL;
}

/* ---- CPUs ---- */

static bool cpu_number(const char **p, unsigned *ret)
{
        unsigned n = 0;

        if (**p < '0' || **p > '9')
                return false;
        for (; **p >= '0' && **p <= '9'; (*p)++) {
                n = n * 10 + (unsigned)(**p - '0');
                if (n >= CPUS_MAX)
                        return false;
        }
        *ret = n;
        return true;
}

/* "0-3,7" as bits. */
static bool cpu_list(const char *text, uint8_t bits[CPUS_MAX / 8], size_t *ret_n)
{
        const char *p = text;
        size_t n = 0;

        memset(bits, 0, CPUS_MAX / 8);
        do {
                unsigned first, last;

                while (*p == ' ')
                        p++;
                if (!cpu_number(&p, &first))
                        return false;
                last = first;
                if (*p == '-' && (p++, !cpu_number(&p, &last) || last < first))
                        return false;
                for (unsigned i = first; i <= last; i++)
                        bits[i / 8] |= (uint8_t)(1u << (i % 8));
                if (last / 8 + 1 > n)
                        n = last / 8 + 1;
        } while (*p == ',' && p++);
        p += strspn(p, " \n");
        *ret_n = n;
        return !*p;
}

static err *cpus(const char *text, const char *property, int version, struct systemd_props *p)
{
        uint8_t bits[CPUS_MAX / 8];
        size_t n;

        if (str_empty(text) || version < 244)
                return NULL;
        if (!cpu_list(text, bits, &n))
                return err_new(ERR_INVALID, "\"%.100s\" is not a list such as 0-3,7", text);
        systemd_prop_bytes(p, property, bits, n);
        return NULL;
}

/* µs of CPU in a second, rounded up; UINT64_MAX for more than can be said. */
static uint64_t per_second(int64_t quota, uint64_t period)
{
        unsigned __int128 n = (unsigned __int128)quota * 1000000 / (period ? period : DEFAULT_PERIOD);

        if (n % 10000)
                n += 10000 - n % 10000;
        return n > UINT64_MAX ? UINT64_MAX : (uint64_t)n;
}

int64_t systemd_quota(int64_t quota, uint64_t period)
{
        unsigned __int128 n;

        if (quota <= 0)
                return quota;
        n = (unsigned __int128)per_second(quota, period) * (period ? period : DEFAULT_PERIOD) / 1000000;
        return n > INT64_MAX || (int64_t)n < quota ? quota : (int64_t)n;
}

static void add_quota(int64_t quota, uint64_t period, int version, struct systemd_props *p)
{
        if (!quota && !period)
                return;
        if (period && version >= 242)
                systemd_prop_u64(p, "CPUQuotaPeriodUSec", period);
        systemd_prop_u64(p, "CPUQuotaPerSecUSec", quota > 0 ? per_second(quota, period) : UINT64_MAX);
}

static err *cpu(const struct cgroup_resources *r, bool v2, int version, struct systemd_props *p)
{
        bool idle = v2 && r->cpu_idle.set && r->cpu_idle.n == 1 && version >= 252;

        if (idle)
                systemd_prop_u64(p, "CPUWeight", 0); /* its word for cpu.idle */
        else if (r->cpu_shares.n && v2)
                systemd_prop_u64(p, "CPUWeight", cgroup_shares_to_weight(r->cpu_shares.n));
        else if (r->cpu_shares.n)
                systemd_prop_u64(p, "CPUShares", r->cpu_shares.n);
        add_quota(r->cpu_quota.n, r->cpu_period.n, version, p);
        TRY(cpus(r->cpuset_cpus, "AllowedCPUs", version, p));
        return cpus(r->cpuset_mems, "AllowedMemoryNodes", version, p);
}

/* ---- memory, io, pids ---- */

static err *memory(const struct cgroup_resources *r, bool v2, struct systemd_props *p)
{
        int64_t swap;
        bool set;

        if (r->memory_limit.n)
                systemd_prop_u64(p, v2 ? "MemoryMax" : "MemoryLimit", (uint64_t)r->memory_limit.n);
        if (!v2)
                return NULL;
        if (r->memory_reservation.n)
                systemd_prop_u64(p, "MemoryLow", (uint64_t)r->memory_reservation.n);
        if (!r->memory_limit.n && !r->memory_swap.n)
                return NULL;
        TRY(cgroup_swap_v2(r, &swap, &set));
        if (set)
                systemd_prop_u64(p, "MemorySwapMax", (uint64_t)swap);
        return NULL;
}

static void io(const struct cgroup_resources *r, bool v2, struct systemd_props *p)
{
        uint64_t n = r->blkio_weight.n;

        if (n && !v2)
                systemd_prop_u64(p, "BlockIOWeight", n);
        else if (n)
                systemd_prop_u64(p, "IOWeight", cgroup_io_weight(n));
}

static void pids(struct cgroup_i64 limit, struct systemd_props *p)
{
        if (limit.set)
                systemd_prop_u64(p, "TasksMax", limit.n < 0 ? UINT64_MAX : limit.n ? (uint64_t)limit.n : 1);
}

/* ---- unified ---- */

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\n';
}

/* A number, or UINT64_MAX for "max"; moves behind it and the blanks that follow. */
static bool amount(const char **p, uint64_t *ret)
{
        uint64_t n = 0;

        while (is_blank(**p))
                (*p)++;
        if (strncmp(*p, "max", 3) == 0) {
                *p += 3;
                n = UINT64_MAX;
        } else {
                if (**p < '0' || **p > '9')
                        return false;
                for (; **p >= '0' && **p <= '9'; (*p)++)
                        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(**p - '0'), &n))
                                return false;
        }
        if (**p && !is_blank(**p))
                return false;
        while (is_blank(**p))
                (*p)++;
        *ret = n;
        return true;
}

static const char *value_of(const struct cgroup_resources *r, const char *name)
{
        for (size_t i = 0; i < r->n_unified; i++)
                if (str_eq(r->unified[i].name, name))
                        return r->unified[i].value;
        return NULL;
}

static err *bad_value(const struct cgroup_name_value *u)
{
        return err_new(ERR_INVALID, "unified resource \"%s\" value invalid: \"%.100s\"", u->name, u->value);
}

static err *unified_cpu(const struct cgroup_resources *r, const struct cgroup_name_value *u, int version,
                        struct systemd_props *p)
{
        const char *value = u->value, *idle = value_of(r, "cpu.idle");
        bool is_idle = idle && str_eq(idle, "1") && version >= 252;
        uint64_t n, period = DEFAULT_PERIOD;

        if (str_eq(u->name, "cpu.idle")) {
                if (is_idle)
                        systemd_prop_u64(p, "CPUWeight", 0);
                return NULL;
        }
        if (!amount(&value, &n))
                return bad_value(u);
        if (str_eq(u->name, "cpu.weight")) {
                if (*value || n == UINT64_MAX)
                        return bad_value(u);
                if (!is_idle)
                        systemd_prop_u64(p, "CPUWeight", n);
                return NULL;
        }
        if (*value && (!amount(&value, &period) || *value || period == 0 || period == UINT64_MAX))
                return bad_value(u);
        if (n != UINT64_MAX && n > INT64_MAX)
                return bad_value(u);
        add_quota(n == UINT64_MAX ? 0 : (int64_t)n, period, version, p);
        return NULL;
}

static err *unified(const struct cgroup_resources *r, int version, struct systemd_props *p)
{
        static const char *const amounts[][2] = {
                {"memory.high", "MemoryHigh"}, {"memory.low", "MemoryLow"},          {"memory.max", "MemoryMax"},
                {"memory.min", "MemoryMin"},   {"memory.swap.max", "MemorySwapMax"}, {"pids.max", "TasksMax"},
        };

        for (size_t i = 0; i < r->n_unified; i++) {
                const struct cgroup_name_value *u = &r->unified[i];
                const char *value = u->value;
                uint64_t n;

                if (str_eq(u->name, "cpu.idle") || str_eq(u->name, "cpu.max") || str_eq(u->name, "cpu.weight"))
                        TRY(unified_cpu(r, u, version, p));
                else if (str_eq(u->name, "cpuset.cpus"))
                        TRY(cpus(value, "AllowedCPUs", version, p));
                else if (str_eq(u->name, "cpuset.mems"))
                        TRY(cpus(value, "AllowedMemoryNodes", version, p));
                for (size_t k = 0; k < ARRAY_SIZE(amounts); k++) {
                        if (!str_eq(u->name, amounts[k][0]))
                                continue;
                        if (!amount(&value, &n) || *value)
                                return bad_value(u);
                        systemd_prop_u64(p, amounts[k][1], n == 0 && str_eq(u->name, "pids.max") ? 1 : n);
                }
        }
        return NULL;
}

err *systemd_resources(const struct cgroup_resources *r, bool v2, int version, struct systemd_props *p)
{
        TRY(devices(r, v2, version, p));
        TRY(memory(r, v2, p));
        TRY(cpu(r, v2, version, p));
        io(r, v2, p);
        pids(r->pids_limit, p);
        if (v2)
                TRY(unified(r, version, p));
        return str_done(&p->body);
}
