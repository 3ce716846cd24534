/* cgroup_v1.c - limits in the v1 hierarchies; see cgroup.h. The order of writes is runc's: the kernel checks each write
 * against what is there. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/bpf.h"
#include "sys/cgroup_private.h"

#define LIST_MAX 16384 /* bytes of a cpuset list */

/* ---- create: a new cpuset has no CPUs and takes no process ---- */

/* Copy cpus and mems of @parent into @path where they are empty. */
static int cpuset_copy(const struct cgroup_hierarchy *h, const char *parent, const char *path)
{
        static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
        char buf[LIST_MAX];

        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                int r = cgroup_get(h, path, files[i], buf, sizeof(buf));

                if (r == 0 && !*buf) {
                        r = cgroup_get(h, parent, files[i], buf, sizeof(buf));
                        if (r == 0)
                                r = cgroup_put(h, path, files[i], buf);
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The same for every directory from the top down to @path: a parent may be just as new. */
static int cpuset_inherit(const struct cgroup_hierarchy *h, const char *path)
{
        char parent[CGROUP_FILE_MAX] = "/", here[CGROUP_FILE_MAX];
        const char *end = path;
        int r = 0;

        while (r == 0 && *end) {
                end += 1 + strcspn(end + 1, "/");
                (void)snprintf(here, sizeof(here), "%.*s", (int)(end - path), path);
                r = cpuset_copy(h, parent, here);
                memcpy(parent, here, sizeof(parent));
        }
        return r;
}

err *cgroup_v1_create(const struct cgroup_hierarchy *h, const char *path)
{
        char buf[LIST_MAX], parent[CGROUP_FILE_MAX];
        const char *slash = strrchr(path, '/');
        int r;

        if (!(h->controllers & (1u << CGROUP_CPUSET)))
                return NULL;
        /* With cgroup.clone_children on the parent the kernel has done it: one read instead of four accesses. */
        r = cgroup_get(h, path, "cpuset.mems", buf, sizeof(buf));
        if (r == 0 && *buf)
                r = cgroup_get(h, path, "cpuset.cpus", buf, sizeof(buf));
        if (r == 0 && !*buf) {
                r = cpuset_inherit(h, path);
                if (slash != path) {
                        /* Next time: a directory such as "/hod" is ours; whoever owns another one is not disturbed by
                         * children that begin with its own CPUs, which is what everybody gives them anyway. */
                        (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
                        (void)cgroup_put(h, parent, "cgroup.clone_children", "1");
                }
        }
        return r < 0 ? err_sys(-r, "cgroup: inheriting the cpuset of %s", path) : NULL;
}

/* ---- memory ---- */

static err *memory_set_limit(const struct cgroup_hierarchy *h, const char *path, int64_t limit)
{
        char text[24];
        uint64_t usage = 0, peak = 0;
        int r;

        (void)snprintf(text, sizeof(text), "%lld", (long long)limit);
        r = cgroup_put(h, path, "memory.limit_in_bytes", text);
        if (r == -EBUSY) {
                (void)cgroup_get_u64(h, path, "memory.usage_in_bytes", &usage);
                (void)cgroup_get_u64(h, path, "memory.max_usage_in_bytes", &peak);
                return err_new(ERR_INVALID, "unable to set memory limit to %s (current usage: %llu, peak usage: %llu)",
                               text, (unsigned long long)usage, (unsigned long long)peak);
        }
        return r < 0 ? cgroup_set_failed(-r, path, "memory.limit_in_bytes", text) : NULL;
}

static err *memory_set_swap(const struct cgroup_hierarchy *h, const char *path, int64_t swap)
{
        char text[24];
        int r;

        (void)snprintf(text, sizeof(text), "%lld", (long long)swap);
        r = cgroup_put(h, path, "memory.memsw.limit_in_bytes", text);
        if (r == -ENOENT)
                return err_new(ERR_UNSUPPORTED, "cgroup: swap accounting is not available (boot with swapaccount=1)");
        return r < 0 ? cgroup_set_failed(-r, path, "memory.memsw.limit_in_bytes", text) : NULL;
}

static err *memory_set_both(const struct cgroup_hierarchy *h, const char *path, const struct cgroup_resources *r)
{
        int64_t limit = r->memory_limit.set ? r->memory_limit.n : 0, swap = r->memory_swap.set ? r->memory_swap.n : 0;
        uint64_t current;

        /* "unlimited memory" alone means unlimited swap, too, where swap is counted. */
        if (limit == -1 && swap == 0 && cgroup_get_u64(h, path, "memory.memsw.limit_in_bytes", &current) == 0)
                swap = -1;
        /* memory <= memory+swap holds at every moment: when raising, swap goes first. */
        if (limit && swap &&
            (swap == -1 ||
             (cgroup_get_u64(h, path, "memory.limit_in_bytes", &current) == 0 && current < (uint64_t)swap))) {
                TRY(memory_set_swap(h, path, swap));
                return memory_set_limit(h, path, limit);
        }
        if (limit)
                TRY(memory_set_limit(h, path, limit));
        return swap ? memory_set_swap(h, path, swap) : NULL;
}

static err *memory_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r)
{
        const struct cgroup_hierarchy *h;

        if (!r->memory_limit.n && !r->memory_swap.n && !r->memory_reservation.n && !r->memory_swappiness.set &&
            !r->disable_oom_killer)
                return NULL;
        TRY(cgroup_need(l, CGROUP_MEMORY, &h));
        TRY(memory_set_both(h, path, r));
        if (r->memory_reservation.n)
                TRY(cgroup_set_i64(h, path, "memory.soft_limit_in_bytes", r->memory_reservation.n));
        if (r->disable_oom_killer)
                TRY(cgroup_set(h, path, "memory.oom_control", "1"));
        if (!r->memory_swappiness.set)
                return NULL;
        if (r->memory_swappiness.n > 100)
                return err_new(ERR_INVALID, "invalid memory swappiness value: %llu (valid range is 0-100)",
                               (unsigned long long)r->memory_swappiness.n);
        return cgroup_set_u64(h, path, "memory.swappiness", r->memory_swappiness.n);
}

/* ---- cpu, cpuset, pids ---- */

static err *cpu_set_shares(const struct cgroup_hierarchy *h, const char *path, uint64_t shares)
{
        uint64_t got;

        TRY(cgroup_set_u64(h, path, "cpu.shares", shares));
        /* The kernel clamps silently. */
        if (cgroup_get_u64(h, path, "cpu.shares", &got) < 0 || got == shares)
                return NULL;
        return err_new(ERR_INVALID, "the %s allowed cpu-shares is %llu", shares > got ? "maximum" : "minimum",
                       (unsigned long long)got);
}

/* A write that is EINVAL until another one has been made: remember it. */
static err *cpu_set_early(const struct cgroup_hierarchy *h, const char *path, const char *file, uint64_t n,
                          bool may_retry, bool *later)
{
        char text[24];
        int r;

        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
        r = cgroup_put(h, path, file, text);
        *later = r == -EINVAL && may_retry;
        return r < 0 && !*later ? cgroup_set_failed(-r, path, file, text) : NULL;
}

/* The period can be refused because of the runtime that is there, and the other way round. */
static err *realtime_apply(const struct cgroup_hierarchy *h, const char *path, const struct cgroup_resources *r)
{
        bool later = false;

        if (r->cpu_rt_period.n)
                TRY(cpu_set_early(h, path, "cpu.rt_period_us", r->cpu_rt_period.n, r->cpu_rt_runtime.n != 0, &later));
        if (r->cpu_rt_runtime.n)
                TRY(cgroup_set_i64(h, path, "cpu.rt_runtime_us", r->cpu_rt_runtime.n));
        return later ? cgroup_set_u64(h, path, "cpu.rt_period_us", r->cpu_rt_period.n) : NULL;
}

static err *bandwidth_apply(const struct cgroup_hierarchy *h, const char *path, const struct cgroup_resources *r)
{
        bool period_later = false, burst_later = false;

        if (r->cpu_period.n)
                TRY(cpu_set_early(h, path, "cpu.cfs_period_us", r->cpu_period.n, r->cpu_quota.n != 0, &period_later));
        if (r->cpu_burst.set)
                TRY(cpu_set_early(h, path, "cpu.cfs_burst_us", r->cpu_burst.n, r->cpu_quota.n != 0, &burst_later));
        if (r->cpu_quota.n)
                TRY(cgroup_set_i64(h, path, "cpu.cfs_quota_us", r->cpu_quota.n));
        if (period_later)
                TRY(cgroup_set_u64(h, path, "cpu.cfs_period_us", r->cpu_period.n));
        return burst_later ? cgroup_set_u64(h, path, "cpu.cfs_burst_us", r->cpu_burst.n) : NULL;
}

static err *cpu_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r)
{
        const struct cgroup_hierarchy *h;

        if (!r->cpu_shares.n && !r->cpu_quota.n && !r->cpu_period.n && !r->cpu_burst.set && !r->cpu_idle.set &&
            !r->cpu_rt_period.n && !r->cpu_rt_runtime.n)
                return NULL;
        TRY(cgroup_need(l, CGROUP_CPU, &h));
        TRY(realtime_apply(h, path, r));
        /* An idle group has no shares, and becomes an ordinary one with the default. */
        if (r->cpu_idle.set)
                TRY(cgroup_set_i64(h, path, "cpu.idle", r->cpu_idle.n));
        if (r->cpu_shares.n && !(r->cpu_idle.set && r->cpu_idle.n))
                TRY(cpu_set_shares(h, path, r->cpu_shares.n));
        return bandwidth_apply(h, path, r);
}

static err *cpuset_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r)
{
        const struct cgroup_hierarchy *h;

        if (str_empty(r->cpuset_cpus) && str_empty(r->cpuset_mems))
                return NULL;
        TRY(cgroup_need(l, CGROUP_CPUSET, &h));
        if (!str_empty(r->cpuset_cpus))
                TRY(cgroup_set(h, path, "cpuset.cpus", r->cpuset_cpus));
        return str_empty(r->cpuset_mems) ? NULL : cgroup_set(h, path, "cpuset.mems", r->cpuset_mems);
}

static err *pids_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r)
{
        const struct cgroup_hierarchy *h;

        if (!r->pids_limit.set)
                return NULL;
        TRY(cgroup_need(l, CGROUP_PIDS, &h));
        if (r->pids_limit.n < 0)
                return cgroup_set(h, path, "pids.max", "max");
        return cgroup_set_i64(h, path, "pids.max", r->pids_limit.n ? r->pids_limit.n : 1);
}

/* ---- block devices ---- */

/* blkio.weight is CFQ's, gone with Linux 5.0; BFQ has files of its own, if it is there. */
static err *weight_set(const struct cgroup_hierarchy *h, const char *path, const char *const files[2], const char *text)
{
        int r = cgroup_put(h, path, files[0], text);
        const char *file = files[0];

        if (r == -ENOENT) {
                file = files[1];
                r = cgroup_put(h, path, file, text);
        }
        if (r == -ENOENT)
                return err_new(ERR_UNSUPPORTED, "cgroup: block I/O weight is not available (needs the BFQ scheduler)");
        return r < 0 ? cgroup_set_failed(-r, path, file, text) : NULL;
}

static err *weights_apply(const struct cgroup_hierarchy *h, const char *path, const struct cgroup_resources *r)
{
        static const char *const weight[2] = {"blkio.bfq.weight", "blkio.weight"};
        static const char *const device[2] = {"blkio.bfq.weight_device", "blkio.weight_device"};
        static const char *const leaf[2] = {"blkio.leaf_weight", "blkio.leaf_weight"};
        static const char *const leaf_device[2] = {"blkio.leaf_weight_device", "blkio.leaf_weight_device"};
        char text[64];

        if (r->blkio_weight.n) {
                (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)r->blkio_weight.n);
                TRY(weight_set(h, path, weight, text));
        }
        if (r->blkio_leaf_weight.n) {
                (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)r->blkio_leaf_weight.n);
                TRY(weight_set(h, path, leaf, text));
        }
        for (size_t i = 0; i < r->n_weight_devices; i++) {
                const struct cgroup_weight_device *d = &r->weight_devices[i];

                if (d->weight.n) {
                        (void)snprintf(text, sizeof(text), "%u:%u %llu", d->major, d->minor,
                                       (unsigned long long)d->weight.n);
                        TRY(weight_set(h, path, device, text));
                }
                if (d->leaf_weight.n) {
                        (void)snprintf(text, sizeof(text), "%u:%u %llu", d->major, d->minor,
                                       (unsigned long long)d->leaf_weight.n);
                        TRY(weight_set(h, path, leaf_device, text));
                }
        }
        return NULL;
}

static err *blkio_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r)
{
        static const char *const files[] = {
                [CGROUP_READ_BPS] = "blkio.throttle.read_bps_device",
                [CGROUP_WRITE_BPS] = "blkio.throttle.write_bps_device",
                [CGROUP_READ_IOPS] = "blkio.throttle.read_iops_device",
                [CGROUP_WRITE_IOPS] = "blkio.throttle.write_iops_device",
        };
        const struct cgroup_hierarchy *h;

        if (!r->blkio_weight.n && !r->blkio_leaf_weight.n && !r->n_weight_devices && !r->n_throttles)
                return NULL;
        TRY(cgroup_need(l, CGROUP_BLKIO, &h));
        TRY(weights_apply(h, path, r));
        for (size_t i = 0; i < r->n_throttles; i++) {
                const struct cgroup_throttle *t = &r->throttles[i];
                char text[64];

                (void)snprintf(text, sizeof(text), "%u:%u %llu", t->major, t->minor, (unsigned long long)t->rate);
                TRY(cgroup_set(h, path, files[t->what], text));
        }
        return NULL;
}

/* ---- devices ---- */

static void rule_text(const struct cgroup_device_rule *d, char *text, size_t size)
{
        char major[24] = "*", minor[24] = "*";

        if (d->major >= 0)
                (void)snprintf(major, sizeof(major), "%lld", (long long)d->major);
        if (d->minor >= 0)
                (void)snprintf(minor, sizeof(minor), "%lld", (long long)d->minor);
        if (d->type == 'a')
                (void)snprintf(text, size, "a");
        else
                (void)snprintf(text, size, "%c %s:%s %s%s%s", d->type, major, minor,
                               d->access & CGROUP_DEVICE_READ ? "r" : "", d->access & CGROUP_DEVICE_WRITE ? "w" : "",
                               d->access & CGROUP_DEVICE_MKNOD ? "m" : "");
}

static err *devices_write(int fd, const char *path, const char *file, const char *text)
{
        return write(fd, text, strlen(text)) < 0 ? cgroup_set_failed(errno, path, file, text) : NULL;
}

/* "*" or a number up to @end; what follows it, or NULL. */
static const char *parse_number(const char *text, char end, int64_t *ret)
{
        int64_t n = 0;

        *ret = -1;
        if (*text == '*')
                return text[1] == end ? text + 2 : NULL;
        if (*text < '0' || *text > '9')
                return NULL;
        for (; *text >= '0' && *text <= '9' && n <= UINT32_MAX; text++)
                n = n * 10 + (*text - '0');
        *ret = n;
        return *text == end ? text + 1 : NULL;
}

/* One line of devices.list, "c 1:3 rwm". False for "a": everything but what nobody can read is allowed. */
static bool parse_rule(const char *line, struct cgroup_device_rule *d)
{
        const char *p = line;

        if ((*p != 'b' && *p != 'c') || p[1] != ' ')
                return false;
        *d = (struct cgroup_device_rule){.type = *p};
        p = parse_number(p + 2, ':', &d->major);
        if (p)
                p = parse_number(p, ' ', &d->minor);
        for (; p && *p; p++)
                d->access |= *p == 'r' ? CGROUP_DEVICE_READ : *p == 'w' ? CGROUP_DEVICE_WRITE : CGROUP_DEVICE_MKNOD;
        return p && d->access;
}

/* What @list allows of the device that @d names, by a rule for exactly that. */
static unsigned allowed_by(const struct bpf_device_list *list, const struct cgroup_device_rule *d)
{
        for (size_t i = 0; i < list->n; i++)
                if (list->rules[i].type == d->type && list->rules[i].major == d->major &&
                    list->rules[i].minor == d->minor)
                        return list->rules[i].access;
        return 0;
}

/* Take away what is allowed now and not in @list. False if that cannot be known: begin anew. */
static bool devices_withdraw(const struct cgroup_hierarchy *h, const char *path, const struct bpf_device_list *list)
{
        char buf[16384], text[64];

        if (list->default_allow || cgroup_get(h, path, "devices.list", buf, sizeof(buf)) < 0 ||
            strlen(buf) + 64 > sizeof(buf))
                return false;
        for (char *line = buf, *next; line && *line; line = next) {
                struct cgroup_device_rule d;

                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                if (!parse_rule(line, &d))
                        return false;
                d.access &= ~allowed_by(list, &d);
                if (!d.access)
                        continue;
                rule_text(&d, text, sizeof(text));
                if (cgroup_put(h, path, "devices.deny", text) < 0)
                        return false;
        }
        return true;
}

/* The list is reduced first (a default and exceptions), so that the kernel gets each device once. One rule a write: the
 * default through one file, all exceptions through the other. */
static err *devices_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r)
{
        _cleanup_(bpf_device_list_done) struct bpf_device_list list = {0};
        const struct cgroup_hierarchy *h;
        _cleanup_close_ int fd = -1;
        char name[CGROUP_FILE_MAX], text[64];
        const char *file;

        if (!r->n_devices)
                return NULL;
        TRY(cgroup_need(l, CGROUP_DEVICES, &h));
        TRY(bpf_device_reduce(r->devices, r->n_devices, &list));
        if (!r->devices_in_use || !devices_withdraw(h, path, &list))
                TRY(cgroup_set(h, path, list.default_allow ? "devices.allow" : "devices.deny", "a"));
        file = list.default_allow ? "devices.deny" : "devices.allow";
        if (list.n)
                fd = openat(h->fd, cgroup_name(path, file, name), O_WRONLY | O_CLOEXEC);
        if (list.n && fd < 0)
                return err_sys(errno, "cgroup: opening %s", file);
        for (size_t i = 0; i < list.n; i++) {
                rule_text(&list.rules[i], text, sizeof(text));
                TRY(devices_write(fd, path, file, text));
        }
        return NULL;
}

/* ---- the rest ---- */

static err *hugetlb_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r)
{
        const struct cgroup_hierarchy *h;
        char file[64], text[24];

        if (!r->n_hugepages)
                return NULL;
        TRY(cgroup_need(l, CGROUP_HUGETLB, &h));
        if (h->v2) { /* hybrid */
                TRY(cgroup_v2_create(h, path));
                return cgroup_v2_hugetlb(h, path, r);
        }
        for (size_t i = 0; i < r->n_hugepages; i++) {
                int ret;

                (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)r->hugepages[i].n);
                (void)snprintf(file, sizeof(file), "hugetlb.%.20s.rsvd.limit_in_bytes", r->hugepages[i].name);
                ret = cgroup_put(h, path, file, text); /* Linux 5.7 */
                if (ret < 0 && ret != -ENOENT)
                        return cgroup_set_failed(-ret, path, file, text);
                (void)snprintf(file, sizeof(file), "hugetlb.%.20s.limit_in_bytes", r->hugepages[i].name);
                TRY(cgroup_set(h, path, file, text));
        }
        return NULL;
}

err *cgroup_set_rdma(const struct cgroup_hierarchy *h, const char *path, const struct cgroup_resources *r)
{
        for (size_t i = 0; i < r->n_rdma; i++) {
                const struct cgroup_rdma *d = &r->rdma[i];
                _cleanup_str_ struct str s = {0};

                str_add(&s, d->device);
                if (d->handles.set)
                        str_printf(&s, " hca_handle=%llu", (unsigned long long)d->handles.n);
                if (d->objects.set)
                        str_printf(&s, " hca_object=%llu", (unsigned long long)d->objects.n);
                TRY(str_done(&s));
                TRY(cgroup_set(h, path, "rdma.max", str_text(&s)));
        }
        return NULL;
}

static err *network_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r)
{
        const struct cgroup_hierarchy *h;

        if (r->net_class_id.n) {
                TRY(cgroup_need(l, CGROUP_NET_CLS, &h));
                TRY(cgroup_set_u64(h, path, "net_cls.classid", r->net_class_id.n));
        }
        if (!r->n_net_priorities)
                return NULL;
        TRY(cgroup_need(l, CGROUP_NET_PRIO, &h));
        for (size_t i = 0; i < r->n_net_priorities; i++) {
                char text[64];

                (void)snprintf(text, sizeof(text), "%.30s %llu", r->net_priorities[i].name,
                               (unsigned long long)r->net_priorities[i].n);
                TRY(cgroup_set(h, path, "net_prio.ifpriomap", text));
        }
        return NULL;
}

err *cgroup_v1_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r)
{
        const struct cgroup_hierarchy *h;

        if (r->n_unified)
                return err_new(ERR_INVALID, "invalid configuration: cannot use unified on cgroup v1");
        TRY(cpuset_apply(l, path, r));
        TRY(devices_apply(l, path, r));
        TRY(memory_apply(l, path, r));
        TRY(cpu_apply(l, path, r));
        TRY(pids_apply(l, path, r));
        TRY(blkio_apply(l, path, r));
        TRY(hugetlb_apply(l, path, r));
        TRY(network_apply(l, path, r));
        if (!r->n_rdma)
                return NULL;
        TRY(cgroup_need(l, CGROUP_RDMA, &h));
        if (h->v2)
                TRY(cgroup_v2_create(h, path));
        return cgroup_set_rdma(h, path, r);
}
