/* cgroup_ops.c - see cgroup_ops.h and the last part of runtime.h. */
#include "runtime/cgroup_ops.h"

#include <signal.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtime/runtime.h"
#include "sys/ns.h"

/* What every container may use, whatever the specification says (runc's list): the nodes it always gets, pseudo
 * terminals, and making nodes (which alone gives no access). */
static const struct cgroup_device_rule always[] = {
        {true, 'c', -1, -1, CGROUP_DEVICE_MKNOD},
        {true, 'b', -1, -1, CGROUP_DEVICE_MKNOD},
#define RWM (CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE | CGROUP_DEVICE_MKNOD)
        {true, 'c', 1, 3, RWM},    /* null */
        {true, 'c', 1, 5, RWM},    /* zero */
        {true, 'c', 1, 7, RWM},    /* full */
        {true, 'c', 1, 8, RWM},    /* random */
        {true, 'c', 1, 9, RWM},    /* urandom */
        {true, 'c', 5, 0, RWM},    /* tty */
        {true, 'c', 5, 2, RWM},    /* ptmx */
        {true, 'c', 136, -1, RWM}, /* pts */
        {true, 'c', 10, 200, RWM}, /* net/tun: needs CAP_NET_ADMIN in the network namespace, too */
};

struct converted {
        struct cgroup_resources r;
        struct cgroup_device_rule *devices;
        struct cgroup_weight_device *weights;
        struct cgroup_throttle *throttles;
        struct cgroup_name_number *hugepages, *priorities;
        struct cgroup_rdma *rdma;
        struct cgroup_name_value *unified;
};

static void converted_done(struct converted *c)
{
        free(c->devices);
        free(c->weights);
        free(c->throttles);
        free(c->hugepages);
        free(c->priorities);
        free(c->rdma);
        free(c->unified);
}

static struct cgroup_i64 i64(struct oci_i64 n)
{
        return (struct cgroup_i64){n.set, n.n};
}

static struct cgroup_u64 u64(struct oci_u64 n)
{
        return (struct cgroup_u64){n.set, n.n};
}

static void convert_numbers(const struct oci_resources *o, struct cgroup_resources *r)
{
        r->memory_limit = i64(o->memory.limit);
        r->memory_reservation = i64(o->memory.reservation);
        r->memory_swap = i64(o->memory.swap);
        r->memory_swappiness = u64(o->memory.swappiness);
        r->disable_oom_killer = o->memory.disable_oom_killer;
        r->check_before_update = o->memory.check_before_update;
        r->cpu_shares = u64(o->cpu.shares);
        r->cpu_burst = u64(o->cpu.burst);
        r->cpu_period = u64(o->cpu.period);
        r->cpu_rt_period = u64(o->cpu.realtime_period);
        r->cpu_quota = i64(o->cpu.quota);
        r->cpu_rt_runtime = i64(o->cpu.realtime_runtime);
        r->cpu_idle = i64(o->cpu.idle);
        r->cpuset_cpus = o->cpu.cpus;
        r->cpuset_mems = o->cpu.mems;
        r->pids_limit = i64(o->pids_limit);
        r->blkio_weight = u64(o->block_io.weight);
        r->blkio_leaf_weight = u64(o->block_io.leaf_weight);
        r->net_class_id = u64(o->network.class_id);
}

static err *convert_devices(const struct oci_resources *o, bool with_always, struct converted *c)
{
        size_t n = o->n_devices + (with_always ? ARRAY_SIZE(always) : 0), i = 0;

        if (!n)
                return NULL;
        c->devices = MEM_NEW0(struct cgroup_device_rule, n);
        if (!c->devices)
                return err_nomem();
        for (; i < o->n_devices; i++) {
                const struct oci_device_rule *d = &o->devices[i];

                c->devices[i] = (struct cgroup_device_rule){d->allow, d->type, d->major, d->minor, d->access};
        }
        if (with_always)
                memcpy(c->devices + i, always, sizeof(always));
        c->r.devices = c->devices;
        c->r.n_devices = n;
        return NULL;
}

static err *convert_block_io(const struct oci_resources *o, struct converted *c)
{
        const struct {
                int what;
                const struct oci_throttle_devices *list;
        } lists[] = {
                {CGROUP_READ_BPS, &o->block_io.read_bps},
                {CGROUP_WRITE_BPS, &o->block_io.write_bps},
                {CGROUP_READ_IOPS, &o->block_io.read_iops},
                {CGROUP_WRITE_IOPS, &o->block_io.write_iops},
        };
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                n += lists[i].list->n;
        c->throttles = MEM_NEW0(struct cgroup_throttle, n + 1);
        c->weights = MEM_NEW0(struct cgroup_weight_device, o->block_io.n_weight_devices + 1);
        if (!c->throttles || !c->weights)
                return err_nomem();
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                for (size_t k = 0; k < lists[i].list->n; k++) {
                        const struct oci_throttle_device *d = &lists[i].list->device[k];
                        struct cgroup_throttle *t = &c->throttles[c->r.n_throttles++];

                        t->what = lists[i].what;
                        t->major = d->major;
                        t->minor = d->minor;
                        t->rate = d->rate;
                }
        for (size_t i = 0; i < o->block_io.n_weight_devices; i++) {
                const struct oci_weight_device *d = &o->block_io.weight_devices[i];

                c->weights[i] = (struct cgroup_weight_device){d->major, d->minor, u64(d->weight), u64(d->leaf_weight)};
        }
        c->r.throttles = c->throttles;
        c->r.weight_devices = c->weights;
        c->r.n_weight_devices = o->block_io.n_weight_devices;
        return NULL;
}

static err *convert_lists(const struct oci_resources *o, struct converted *c)
{
        c->hugepages = MEM_NEW0(struct cgroup_name_number, o->n_hugepages + 1);
        c->priorities = MEM_NEW0(struct cgroup_name_number, o->network.n_priorities + 1);
        c->rdma = MEM_NEW0(struct cgroup_rdma, o->n_rdma + 1);
        c->unified = MEM_NEW0(struct cgroup_name_value, o->n_unified + 1);
        if (!c->hugepages || !c->priorities || !c->rdma || !c->unified)
                return err_nomem();
        for (size_t i = 0; i < o->n_hugepages; i++)
                c->hugepages[i] = (struct cgroup_name_number){o->hugepages[i].page_size, o->hugepages[i].limit};
        for (size_t i = 0; i < o->network.n_priorities; i++)
                c->priorities[i] =
                        (struct cgroup_name_number){o->network.priorities[i].name, o->network.priorities[i].priority};
        for (size_t i = 0; i < o->n_rdma; i++)
                c->rdma[i] = (struct cgroup_rdma){o->rdma[i].device, u64(o->rdma[i].hca_handles),
                                                  u64(o->rdma[i].hca_objects)};
        for (size_t i = 0; i < o->n_unified; i++)
                c->unified[i] = (struct cgroup_name_value){o->unified[i].key, o->unified[i].value};
        c->r.hugepages = c->hugepages;
        c->r.n_hugepages = o->n_hugepages;
        c->r.net_priorities = c->priorities;
        c->r.n_net_priorities = o->network.n_priorities;
        c->r.rdma = c->rdma;
        c->r.n_rdma = o->n_rdma;
        c->r.unified = c->unified;
        c->r.n_unified = o->n_unified;
        return NULL;
}

static err *convert(const struct cgroup_layout *l, const struct oci_resources *o, bool is_new, bool devices,
                    struct converted *c)
{
        convert_numbers(o, &c->r);
        /* Without any cgroup (a container in a container) there is nothing that could refuse devices. */
        if (devices)
                TRY(convert_devices(o, (is_new || o->n_devices) && l->mode != CGROUP_MODE_NONE, c));
        c->r.devices_in_use = !is_new;
        TRY(convert_block_io(o, c));
        return convert_lists(o, c);
}

static err *apply(const struct cgroup_layout *l, const char *path, const struct oci_resources *o, bool is_new)
{
        _cleanup_(converted_done) struct converted c = {.devices = NULL};

        /* Rules of devices take privilege over the machine: who has none cannot open more than he may anyway. */
        TRY(convert(l, o, is_new, !ns_is_rootless(), &c));
        return cgroup_apply(l, path, &c.r);
}

err *cgroup_ops_apply_new(const struct cgroup_layout *l, const char *path, const struct oci_resources *r)
{
        return apply(l, path, r, true);
}

err *cgroup_ops_properties(const struct cgroup_layout *l, const char *path, const struct oci_resources *r, bool is_new,
                           int version, struct systemd_props *p)
{
        _cleanup_(converted_done) struct converted c = {.devices = NULL};

        TRY(convert(l, r, is_new, true, &c));
        TRY(cgroup_check_usage(l, path, &c.r));
        return systemd_resources(&c.r, l->mode == CGROUP_MODE_V2, version, p);
}

const char *cgroup_ops_limit(const struct oci_resources *r)
{
        const struct {
                bool wanted;
                const char *name;
        } limits[] = {
                {r->pids_limit.set && r->pids_limit.n >= 0, "pids"},
                {r->memory.limit.n || r->memory.reservation.n || r->memory.swap.n || r->memory.swappiness.set ||
                         r->memory.disable_oom_killer,
                 "memory"},
                {r->cpu.shares.n || r->cpu.quota.n || r->cpu.period.n || r->cpu.burst.set || r->cpu.idle.set ||
                         r->cpu.realtime_runtime.n || r->cpu.realtime_period.n,
                 "cpu"},
                {!str_empty(r->cpu.cpus) || !str_empty(r->cpu.mems), "cpuset"},
                {r->block_io.weight.n || r->block_io.leaf_weight.n || r->block_io.n_weight_devices ||
                         r->block_io.read_bps.n || r->block_io.write_bps.n || r->block_io.read_iops.n ||
                         r->block_io.write_iops.n,
                 "blkio"},
                {r->n_hugepages, "hugetlb"},
                {r->network.class_id.n || r->network.n_priorities, "network"},
                {r->n_rdma, "rdma"},
                {r->n_unified, "unified"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
                if (limits[i].wanted)
                        return limits[i].name;
        return NULL;
}

err *cgroup_ops_apply(const struct cgroup_layout *l, const char *path, const struct oci_resources *r)
{
        return apply(l, path, r, false);
}

/* Host's user of the container's user @uid; (uid_t)-1 if there is none. */
static uid_t host_uid(const struct oci_linux *l, uint32_t uid)
{
        for (size_t i = 0; i < l->uid_map.n; i++)
                if (uid >= l->uid_map.map[i].container && uid - l->uid_map.map[i].container < l->uid_map.map[i].size)
                        return l->uid_map.map[i].host + (uid - l->uid_map.map[i].container);
        return l->uid_map.n ? (uid_t)-1 : uid;
}

static bool sees_cgroups_writable(const struct oci_spec *spec)
{
        for (size_t i = 0; i < spec->n_mounts; i++) {
                const struct oci_mount *m = &spec->mounts[i];
                bool readonly = false;

                if (!str_eq(m->type, "cgroup") && !str_eq(m->type, "cgroup2"))
                        continue;
                for (size_t k = 0; m->options_text && m->options_text[k]; k++)
                        readonly = str_eq(m->options_text[k], "ro") || (readonly && !str_eq(m->options_text[k], "rw"));
                if (!readonly)
                        return true;
        }
        return false;
}

err *cgroup_ops_give(const struct cgroup_layout *l, const char *path, const struct oci_spec *spec)
{
        const struct oci_namespace *ns = &spec->linux_.ns[OCI_NS_CGROUP];
        uid_t uid;

        if (l->mode != CGROUP_MODE_V2 || !ns->present || ns->path || !spec->process || !sees_cgroups_writable(spec))
                return NULL;
        uid = host_uid(&spec->linux_, spec->process->user.uid);
        return uid == (uid_t)-1 || uid == geteuid() ? NULL : cgroup_give(l, path, uid);
}

err *cgroup_ops_create(const struct cgroup_layout *l, const char *path, const struct oci_resources *r, bool *ret_ours)
{
        err *e;

        TRY(cgroup_create_ours(l, path, ret_ours));
        e = apply(l, path, r, true);
        if (e && *ret_ours)
                (void)err_free(cgroup_remove(l, path, 0));
        *ret_ours &= !e;
        return e;
}

/* ---- by path, for the monitor and hodrun ---- */

err *runtime_cgroup_freeze(const char *cgroup, bool frozen)
{
        const struct cgroup_layout *l;

        if (str_empty(cgroup))
                return err_new(ERR_UNSUPPORTED, "the container has no cgroup that could be stopped");
        TRY(cgroup_layout_get(&l));
        return cgroup_freeze(l, cgroup, frozen);
}

void runtime_cgroup_thaw_all(const char *cgroup)
{
        const struct cgroup_layout *l;
        err *e = cgroup_layout_get(&l);

        if (!e)
                cgroup_thaw_all(l, cgroup);
        err_free(e);
}

err *runtime_cgroup_kill(const char *cgroup, int signal)
{
        const struct cgroup_layout *l;

        TRY(cgroup_layout_get(&l));
        return cgroup_kill(l, cgroup, signal);
}

err *runtime_cgroup_remove(const char *cgroup, int timeout_ms)
{
        const struct cgroup_layout *l;
        err *e;

        TRY(cgroup_layout_get(&l));
        e = cgroup_remove(l, cgroup, 0);
        if (!e || err_code(e) != ERR_BUSY)
                return e; /* nearly always: the end of init has ended everything */
        err_free(e);
        TRY(cgroup_kill(l, cgroup, SIGKILL));
        return cgroup_remove(l, cgroup, timeout_ms);
}

uint64_t runtime_cgroup_oom_kills(const char *cgroup)
{
        const struct cgroup_layout *l;
        err *e = cgroup_layout_get(&l);

        if (e) {
                err_free(e);
                return 0;
        }
        return cgroup_oom_kills(l, cgroup);
}
