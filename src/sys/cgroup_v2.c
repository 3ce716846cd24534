/* cgroup_v2.c - limits in the unified hierarchy; see cgroup.h. Conversions from v1's units are runc's. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/bpf.h"
#include "sys/cgroup_private.h"

/* ---- controllers ---- */

static int controller_by_name(const char *name, size_t n)
{
        if (n == 2 && memcmp(name, "io", 2) == 0)
                return CGROUP_BLKIO;
        for (int c = 0; c < CGROUP_CONTROLLER_MAX_; c++)
                if (strlen(cgroup_controller_name(c)) == n && memcmp(cgroup_controller_name(c), name, n) == 0)
                        return c;
        return -1;
}

static const char *v2_name(int c)
{
        return c == CGROUP_BLKIO ? "io" : cgroup_controller_name(c);
}

unsigned cgroup_v2_controllers(const struct cgroup_hierarchy *h, const char *path, const char *file)
{
        char buf[512];
        unsigned set = 0;

        if (cgroup_get(h, path, file, buf, sizeof(buf)) < 0)
                return 0;
        for (const char *p = buf; *p;) {
                size_t n = strcspn(p, " ");
                int c = controller_by_name(p, n);

                if (c >= 0)
                        set |= 1u << c;
                p += n;
                p += *p == ' ';
        }
        return set;
}

/* "+cpu +memory" for @set. */
static void enable_text(unsigned set, char *text, size_t size)
{
        size_t used = 0;

        *text = '\0';
        for (int c = 0; c < CGROUP_CONTROLLER_MAX_; c++)
                if (set & (1u << c))
                        used += (size_t)snprintf(text + used, size - used, "%s+%s", used ? " " : "", v2_name(c));
}

/* Enable @set for the children of @path. A controller that cannot be (processes inside, real-time tasks) must not keep
 * the others off, so a refused list is tried one by one; cgroup_apply() names what is missing if a limit needs it. */
static void enable_children(const struct cgroup_hierarchy *h, const char *path, unsigned set)
{
        char text[256];

        set &= cgroup_v2_controllers(h, path, "cgroup.controllers");
        set &= ~cgroup_v2_controllers(h, path, "cgroup.subtree_control");
        if (!set)
                return;
        enable_text(set, text, sizeof(text));
        if (cgroup_put(h, path, "cgroup.subtree_control", text) == 0)
                return;
        for (int c = 0; c < CGROUP_CONTROLLER_MAX_; c++)
                if (set & (1u << c)) {
                        enable_text(1u << c, text, sizeof(text));
                        (void)cgroup_put(h, path, "cgroup.subtree_control", text);
                }
}

err *cgroup_v2_create(const struct cgroup_hierarchy *h, const char *path)
{
        unsigned all = h->controllers ? h->controllers : cgroup_v2_controllers(h, "/", "cgroup.controllers");
        char part[CGROUP_FILE_MAX];
        int r = cgroup_mkdir(h, path, NULL);

        if (r < 0)
                return err_sys(-r, "cgroup: making %s", path);
        /* The usual case, somebody before us enabled them: one read. */
        if ((cgroup_v2_controllers(h, path, "cgroup.controllers") & all) == all)
                return NULL;
        for (const char *slash = path; slash; slash = strchr(slash + 1, '/')) {
                (void)snprintf(part, sizeof(part), "%.*s", slash == path ? 1 : (int)(slash - path), path);
                enable_children(h, part, all);
        }
        return NULL;
}

/* A limit of @c is wanted in @path. */
static err *need(const struct cgroup_layout *l, const char *path, enum cgroup_controller c)
{
        const struct cgroup_hierarchy *h;

        TRY(cgroup_need(l, c, &h));
        if (l->is_fake || cgroup_v2_controllers(h, path, "cgroup.controllers") & (1u << c))
                return NULL;
        return err_new(ERR_UNSUPPORTED, "cgroup: controller %s is not available in %s: a parent does not delegate it",
                       v2_name((int)c), path);
}

/* ---- memory ---- */

/* "max" for -1, a number otherwise. */
static err *set_max(const struct cgroup_hierarchy *h, const char *path, const char *file, int64_t n)
{
        return n < 0 ? cgroup_set(h, path, file, "max") : cgroup_set_i64(h, path, file, n);
}

err *cgroup_swap_v2(const struct cgroup_resources *r, int64_t *ret, bool *ret_set)
{
        int64_t limit = r->memory_limit.n, swap = r->memory_swap.n;

        *ret_set = true;
        *ret = -1;
        if (limit == -1 && swap == 0) /* unlimited memory alone: unlimited swap, as on v1 */
                return NULL;
        if (swap == -1)
                return NULL;
        *ret_set = swap != 0;
        if (swap == 0)
                return NULL;
        if (swap < -1)
                return err_new(ERR_INVALID, "invalid memory+swap limit: %lld", (long long)swap);
        if (limit <= 0)
                return err_new(ERR_INVALID, "unable to set swap limit without memory limit");
        if (swap < limit)
                return err_new(ERR_INVALID, "memory+swap limit should be >= memory limit");
        *ret = swap - limit;
        return NULL;
}

static err *memory_check_usage(const struct cgroup_hierarchy *h, const char *path, const struct cgroup_resources *r)
{
        uint64_t usage, swap = 0;

        if (!r->check_before_update || (r->memory_limit.n <= 0 && r->memory_swap.n <= 0) ||
            cgroup_get_u64(h, path, "memory.current", &usage) < 0)
                return NULL;
        if (r->memory_swap.n > 0) {
                (void)cgroup_get_u64(h, path, "memory.swap.current", &swap);
                swap += usage;
                if (swap > (uint64_t)r->memory_swap.n)
                        return err_new(ERR_INVALID, "rejecting memory+swap limit %lld < usage %llu",
                                       (long long)r->memory_swap.n, (unsigned long long)swap);
        }
        if (r->memory_limit.n > 0 && usage > (uint64_t)r->memory_limit.n)
                return err_new(ERR_INVALID, "rejecting memory limit %lld < usage %llu", (long long)r->memory_limit.n,
                               (unsigned long long)usage);
        return NULL;
}

static err *memory_apply(const struct cgroup_layout *l, const struct cgroup_hierarchy *h, const char *path,
                         const struct cgroup_resources *r)
{
        int64_t swap;
        bool swap_set;

        if (!r->memory_limit.n && !r->memory_swap.n && !r->memory_reservation.n)
                return NULL; /* swappiness and the OOM killer's switch do not exist here */
        TRY(need(l, path, CGROUP_MEMORY));
        TRY(memory_check_usage(h, path, r));
        TRY(cgroup_swap_v2(r, &swap, &swap_set));
        if (swap_set) {
                char text[24];
                int ret;

                (void)snprintf(text, sizeof(text), "%lld", (long long)swap);
                ret = cgroup_put(h, path, "memory.swap.max", swap < 0 ? "max" : text);
                /* Without swap accounting "none" and "unlimited" are true anyway. */
                if (ret < 0 && !(ret == -ENOENT && swap <= 0))
                        return cgroup_set_failed(-ret, path, "memory.swap.max", text);
        }
        if (r->memory_limit.n)
                TRY(set_max(h, path, "memory.max", r->memory_limit.n));
        return r->memory_reservation.n ? set_max(h, path, "memory.low", r->memory_reservation.n) : NULL;
}

/* ---- cpu ---- */

uint64_t cgroup_shares_to_weight(uint64_t shares)
{
        double l2, exponent;

        if (shares == 0)
                return 0;
        if (shares <= 2)
                return 1;
        if (shares >= 262144)
                return 10000;
        /* Three points fixed: 2 → 1, 1024 → 100, 262144 → 10000. */
        l2 = log2((double)shares);
        exponent = (l2 * l2 + 125.0 * l2) / 612.0 - 7.0 / 34.0;
        return (uint64_t)ceil(pow(10.0, exponent) - 1e-9);
}

static err *cpu_set_max(const struct cgroup_hierarchy *h, const char *path, const struct cgroup_resources *r)
{
        unsigned long long period = r->cpu_period.n ? r->cpu_period.n : 100000;
        char text[64];

        if (r->cpu_quota.n > 0)
                (void)snprintf(text, sizeof(text), "%lld %llu", (long long)r->cpu_quota.n, period);
        else
                (void)snprintf(text, sizeof(text), "max %llu", period);
        return cgroup_set(h, path, "cpu.max", text);
}

static err *cpu_apply(const struct cgroup_layout *l, const struct cgroup_hierarchy *h, const char *path,
                      const struct cgroup_resources *r)
{
        bool bandwidth = r->cpu_quota.n || r->cpu_period.n;

        if (!r->cpu_shares.n && !bandwidth && !r->cpu_burst.set && !r->cpu_idle.set)
                return NULL; /* real time is not part of v2 */
        TRY(need(l, path, CGROUP_CPU));
        if (r->cpu_idle.set)
                TRY(cgroup_set_i64(h, path, "cpu.idle", r->cpu_idle.n));
        /* An idle group has no weight: the kernel refuses one. */
        if (r->cpu_shares.n && !(r->cpu_idle.set && r->cpu_idle.n))
                TRY(cgroup_set_u64(h, path, "cpu.weight", cgroup_shares_to_weight(r->cpu_shares.n)));
        if (bandwidth) {
                /* burst <= quota at every moment */
                if (r->cpu_burst.set)
                        (void)cgroup_put(h, path, "cpu.max.burst", "0");
                TRY(cpu_set_max(h, path, r));
        }
        return r->cpu_burst.set ? cgroup_set_u64(h, path, "cpu.max.burst", r->cpu_burst.n) : NULL;
}

static err *cpuset_apply(const struct cgroup_layout *l, const struct cgroup_hierarchy *h, const char *path,
                         const struct cgroup_resources *r)
{
        if (str_empty(r->cpuset_cpus) && str_empty(r->cpuset_mems))
                return NULL;
        TRY(need(l, path, CGROUP_CPUSET));
        if (!str_empty(r->cpuset_cpus))
                TRY(cgroup_set(h, path, "cpuset.cpus", r->cpuset_cpus));
        return str_empty(r->cpuset_mems) ? NULL : cgroup_set(h, path, "cpuset.mems", r->cpuset_mems);
}

/* ---- block devices ---- */

/* BFQ takes v1's 1..1000 as it is; io.weight (iocost) 1..10000. */
uint64_t cgroup_io_weight(uint64_t weight)
{
        return weight <= 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
}

static err *weights_apply(const struct cgroup_hierarchy *h, const char *path, const struct cgroup_resources *r)
{
        char text[64];

        if (r->blkio_weight.n) {
                int ret;

                (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)r->blkio_weight.n);
                ret = cgroup_put(h, path, "io.bfq.weight", text);
                if (ret == -ENOENT) {
                        (void)snprintf(text, sizeof(text), "%llu",
                                       (unsigned long long)cgroup_io_weight(r->blkio_weight.n));
                        ret = cgroup_put(h, path, "io.weight", text);
                }
                if (ret == -ENOENT)
                        return err_new(ERR_UNSUPPORTED,
                                       "cgroup: block I/O weight is not available (needs BFQ or iocost)");
                if (ret < 0)
                        return cgroup_set_failed(-ret, path, "io.weight", text);
        }
        for (size_t i = 0; i < r->n_weight_devices; i++) {
                const struct cgroup_weight_device *d = &r->weight_devices[i];

                if (!d->weight.n)
                        continue;
                (void)snprintf(text, sizeof(text), "%u:%u %llu", d->major, d->minor, (unsigned long long)d->weight.n);
                TRY(cgroup_set(h, path, "io.bfq.weight", text));
        }
        return NULL;
}

static err *io_apply(const struct cgroup_layout *l, const struct cgroup_hierarchy *h, const char *path,
                     const struct cgroup_resources *r)
{
        static const char *const keys[] = {
                [CGROUP_READ_BPS] = "rbps",
                [CGROUP_WRITE_BPS] = "wbps",
                [CGROUP_READ_IOPS] = "riops",
                [CGROUP_WRITE_IOPS] = "wiops",
        };

        if (!r->blkio_weight.n && !r->n_weight_devices && !r->n_throttles)
                return NULL;
        TRY(need(l, path, CGROUP_BLKIO));
        TRY(weights_apply(h, path, r));
        for (size_t i = 0; i < r->n_throttles; i++) {
                const struct cgroup_throttle *t = &r->throttles[i];
                char text[64];

                if (t->rate)
                        (void)snprintf(text, sizeof(text), "%u:%u %s=%llu", t->major, t->minor, keys[t->what],
                                       (unsigned long long)t->rate);
                else
                        (void)snprintf(text, sizeof(text), "%u:%u %s=max", t->major, t->minor, keys[t->what]);
                TRY(cgroup_set(h, path, "io.max", text));
        }
        return NULL;
}

/* ---- the rest ---- */

err *cgroup_v2_hugetlb(const struct cgroup_hierarchy *h, const char *path, const struct cgroup_resources *r)
{
        for (size_t i = 0; i < r->n_hugepages; i++) {
                char file[64], text[24];
                int ret;

                (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)r->hugepages[i].n);
                (void)snprintf(file, sizeof(file), "hugetlb.%.20s.rsvd.max", r->hugepages[i].name);
                ret = cgroup_put(h, path, file, text);
                if (ret < 0 && ret != -ENOENT)
                        return cgroup_set_failed(-ret, path, file, text);
                (void)snprintf(file, sizeof(file), "hugetlb.%.20s.max", r->hugepages[i].name);
                TRY(cgroup_set(h, path, file, text));
        }
        return NULL;
}

/* Neither root nor root of the first user namespace: no eBPF, and no device nodes either that would have to be fenced
 * off. */
static bool is_rootless(void)
{
        _cleanup_free_ char *map = NULL;

        if (geteuid() != 0)
                return true;
        return file_read(AT_FDCWD, "/proc/self/uid_map", 4096, &map, NULL) == 0 && !strstr(map, " 4294967295\n");
}

static err *devices_apply(const struct cgroup_layout *l, const struct cgroup_hierarchy *h, const char *path,
                          const struct cgroup_resources *r)
{
        char name[CGROUP_FILE_MAX];
        _cleanup_close_ int fd = -1;

        if (!r->n_devices || l->is_fake)
                return NULL;
        fd = openat(h->fd, cgroup_name(path, NULL, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(errno, "cgroup: opening %s", path);
        err *e = bpf_device_attach(fd, r->devices, r->n_devices);

        return err_errno(e) == EPERM && is_rootless() ? err_free(e) : e;
}

/* There is no file @key. */
static err *unified_missing(const struct cgroup_hierarchy *h, const char *path, const char *key, const char *value)
{
        size_t n = strcspn(key, ".");
        int c = controller_by_name(key, n);

        if (!key[n])
                return err_new(ERR_INVALID, "unified resource \"%.100s\" must be in the form CONTROLLER.PARAMETER",
                               key);
        if ((n == 6 && strncmp(key, "cgroup", n) == 0) ||
            (c >= 0 && cgroup_v2_controllers(h, path, "cgroup.controllers") & (1u << c)))
                return cgroup_set_failed(ENOENT, path, key, value);
        return err_new(ERR_UNSUPPORTED, "unified resource \"%.100s\" can't be set: controller \"%.*s\" not available",
                       key, (int)n, key);
}

static err *unified_apply(const struct cgroup_hierarchy *h, const char *path, const struct cgroup_resources *r)
{
        for (size_t i = 0; i < r->n_unified; i++) {
                const char *key = r->unified[i].name, *value = r->unified[i].value;
                _cleanup_strv_ char **lines = NULL;
                int ret = 0;

                if (!*key || *key == '.' || strchr(key, '/'))
                        return err_new(ERR_INVALID, "unified resource \"%.100s\" must be a file name", key);
                /* Files of many devices take one a write. */
                TRY(strv_split(value, '\n', &lines));
                for (size_t k = 0; lines[k] && ret == 0; k++)
                        if (*lines[k] || !lines[1])
                                ret = cgroup_put(h, path, key, lines[k]);
                if (ret == -ENOENT)
                        return unified_missing(h, path, key, value);
                if (ret < 0)
                        return cgroup_set_failed(-ret, path, key, value);
        }
        return NULL;
}

err *cgroup_check_usage(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r)
{
        CGROUP_CHECK_PATH(path, false);
        return l->mode == CGROUP_MODE_V2 ? memory_check_usage(&l->h[(int)l->unified], path, r) : NULL;
}

err *cgroup_v2_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r)
{
        const struct cgroup_hierarchy *h = &l->h[(int)l->unified];

        TRY(memory_apply(l, h, path, r));
        TRY(io_apply(l, h, path, r));
        TRY(cpu_apply(l, h, path, r));
        TRY(devices_apply(l, h, path, r));
        TRY(cpuset_apply(l, h, path, r));
        if (r->n_hugepages) {
                TRY(need(l, path, CGROUP_HUGETLB));
                TRY(cgroup_v2_hugetlb(h, path, r));
        }
        if (r->n_rdma) {
                TRY(need(l, path, CGROUP_RDMA));
                TRY(cgroup_set_rdma(h, path, r));
        }
        if (r->pids_limit.set) {
                TRY(need(l, path, CGROUP_PIDS));
                TRY(r->pids_limit.n < 0 ? cgroup_set(h, path, "pids.max", "max")
                                        : cgroup_set_i64(h, path, "pids.max", r->pids_limit.n ? r->pids_limit.n : 1));
        }
        /* v1's network controllers have no successor: runc ignores them, too. */
        return unified_apply(h, path, r);
}
