/* update.c - update: other limits for a living container. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "hodrun/hodrun.h"
#include "runtime/cgroup_ops.h"
#include "runtime/rdt.h"

struct update_args {
        const char *resources, *cpuset_cpus, *cpuset_mems, *l3_cache_schema, *mem_bw_schema;
        const char *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_rt_period, *cpu_rt_runtime, *cpu_idle;
        const char *memory, *memory_reservation, *memory_swap, *kernel_memory, *kernel_memory_tcp;
        int64_t blkio_weight, pids_limit;
};

static const struct opt update_opts[] = {
        OPT_STR('r', "resources", struct update_args, resources, "string",
                "path to the file containing the resources to update or '-' to read from the standard input;\n"
                "the format is that of linux.resources in config.json, and all other options are ignored",
                .complete = OPT_COMPLETE_FILE),
        OPT_INT(0, "blkio-weight", struct update_args, blkio_weight,
                "Specifies per cgroup weight, range is from 10 to 1000", .max = 65535),
        OPT_STR(0, "cpu-period", struct update_args, cpu_period, "string",
                "CPU CFS period to be used for hardcapping (in usecs). 0 to use system default"),
        OPT_STR(0, "cpu-quota", struct update_args, cpu_quota, "string",
                "CPU CFS hardcap limit (in usecs). Allowed cpu time in a given period"),
        OPT_STR(0, "cpu-burst", struct update_args, cpu_burst, "string",
                "CPU CFS hardcap burst limit (in usecs). Allowed accumulated cpu time additionally for burst a given "
                "period"),
        OPT_STR(0, "cpu-share", struct update_args, cpu_share, "string",
                "CPU shares (relative weight vs. other containers)"),
        OPT_STR(0, "cpu-rt-period", struct update_args, cpu_rt_period, "string",
                "CPU realtime period to be used for hardcapping (in usecs). 0 to use system default"),
        OPT_STR(0, "cpu-rt-runtime", struct update_args, cpu_rt_runtime, "string",
                "CPU realtime hardcap limit (in usecs). Allowed cpu time in a given period"),
        OPT_STR(0, "cpuset-cpus", struct update_args, cpuset_cpus, "string", "CPU(s) to use"),
        OPT_STR(0, "cpuset-mems", struct update_args, cpuset_mems, "string", "Memory node(s) to use"),
        OPT_STR(0, "kernel-memory", struct update_args, kernel_memory, "string", "(obsoleted; do not use)",
                .hidden = true),
        OPT_STR(0, "kernel-memory-tcp", struct update_args, kernel_memory_tcp, "string", "(obsoleted; do not use)",
                .hidden = true),
        OPT_STR(0, "memory", struct update_args, memory, "string", "Memory limit (in bytes)"),
        OPT_STR(0, "cpu-idle", struct update_args, cpu_idle, "string",
                "set cgroup SCHED_IDLE or not, 0: default behavior, 1: SCHED_IDLE"),
        OPT_STR(0, "memory-reservation", struct update_args, memory_reservation, "string",
                "Memory reservation or soft_limit (in bytes)"),
        OPT_STR(0, "memory-swap", struct update_args, memory_swap, "string",
                "Total memory usage (memory + swap); set '-1' to enable unlimited swap"),
        OPT_INT(0, "pids-limit", struct update_args, pids_limit, "Maximum number of pids allowed in the container",
                .min = INT32_MIN, .max = INT64_MAX),
        OPT_STR(0, "l3-cache-schema", struct update_args, l3_cache_schema, "string",
                "The string of Intel RDT/CAT L3 cache schema"),
        OPT_STR(0, "mem-bw-schema", struct update_args, mem_bw_schema, "string",
                "The string of Intel RDT/MBA memory bandwidth schema"),
        OPT_END};

/* ---- what is to change ---- */

/* A changed resource section, and who owns its memory (NULL: the command line). */
struct change {
        struct oci_resources r;
        struct oci_spec *owner;
        struct resctrl_group rdt; /* only the schemas of the command line */
};

static void change_done(struct change *c)
{
        oci_spec_free(c->owner);
}

static err *from_file(const char *path, struct change *c)
{
        _cleanup_close_ int fd = -1;
        _cleanup_json_ json *doc = NULL;
        _cleanup_free_ char *text = NULL;
        struct oci_resources *r;
        size_t size;
        int ret;

        if (!str_eq(path, "-")) {
                fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        return err_sys(errno, "open %s", path);
        }
        ret = file_read_fd(fd < 0 ? 0 : fd, JSON_MAX_SIZE, &text, &size);
        if (ret < 0)
                return err_sys(-ret, "reading %s", path);
        TRY_WRAP(json_parse(text, size, &doc), "resources");
        TRY_WRAP(oci_resources_from_json(doc, &c->owner, &r), "resources");
        c->r = *r;
        return NULL;
}

static err *flag_i64(const char *name, const char *text, struct oci_i64 *to)
{
        if (str_empty(text))
                return NULL;
        TRY_WRAP(parse_int(text, INT64_MIN, INT64_MAX, &to->n), "invalid value for %s", name);
        to->set = true;
        return NULL;
}

static err *flag_u64(const char *name, const char *text, struct oci_u64 *to)
{
        if (str_empty(text))
                return NULL;
        TRY_WRAP(parse_uint(text, 0, UINT64_MAX, &to->n), "invalid value for %s", name);
        to->set = true;
        return NULL;
}

static err *flag_size(const char *name, const char *text, struct oci_i64 *to)
{
        if (str_empty(text))
                return NULL;
        TRY_WRAP(parse_size_unlimited(text, &to->n), "invalid value for %s", name);
        to->set = true;
        return NULL;
}

static err *from_flags(const struct invocation *inv, struct change *c)
{
        const struct update_args *a = inv->args;
        struct oci_resources *r = &c->r;

        r->block_io.weight = (struct oci_u64){a->blkio_weight != 0, (uint64_t)a->blkio_weight};
        r->cpu.cpus = a->cpuset_cpus;
        r->cpu.mems = a->cpuset_mems;
        TRY(flag_i64("cpu-idle", a->cpu_idle, &r->cpu.idle));
        TRY(flag_u64("cpu-burst", a->cpu_burst, &r->cpu.burst));
        TRY(flag_u64("cpu-period", a->cpu_period, &r->cpu.period));
        TRY(flag_u64("cpu-rt-period", a->cpu_rt_period, &r->cpu.realtime_period));
        TRY(flag_u64("cpu-share", a->cpu_share, &r->cpu.shares));
        TRY(flag_i64("cpu-quota", a->cpu_quota, &r->cpu.quota));
        TRY(flag_i64("cpu-rt-runtime", a->cpu_rt_runtime, &r->cpu.realtime_runtime));
        TRY(flag_size("memory", a->memory, &r->memory.limit));
        TRY(flag_size("memory-swap", a->memory_swap, &r->memory.swap));
        TRY(flag_size("kernel-memory", a->kernel_memory, &r->memory.kernel));
        TRY(flag_size("kernel-memory-tcp", a->kernel_memory_tcp, &r->memory.kernel_tcp));
        TRY(flag_size("memory-reservation", a->memory_reservation, &r->memory.reservation));
        if (opt_given(inv, &a->pids_limit))
                r->pids_limit = (struct oci_i64){true, a->pids_limit};
        return NULL;
}

/* ---- the change of the container ---- */

/* The container's config.json with the change in it. */
static err *merged_spec(const struct state *s, const struct change *c, struct oci_spec **ret)
{
        _cleanup_json_ json *doc = NULL;
        _cleanup_oci_spec_ struct oci_spec *spec = NULL;

        TRY(json_copy(s->spec->doc, &doc));
        oci_resources_merge(json_sub_object(json_sub_object(doc, "linux"), "resources"), &c->r);
        if (!str_empty(c->rdt.l3_schema))
                json_set_str(json_sub_object(json_sub_object(doc, "linux"), "intelRdt"), "l3CacheSchema",
                             c->rdt.l3_schema);
        if (!str_empty(c->rdt.mb_schema))
                json_set_str(json_sub_object(json_sub_object(doc, "linux"), "intelRdt"), "memBwSchema",
                             c->rdt.mb_schema);
        TRY(oci_spec_from_json(doc, &spec));
        *ret = TAKE_PTR(spec);
        return NULL;
}

/* Only what changes is written, so that what others have set meanwhile stays; except that some values have a meaning
 * in pairs, on v2 in one file even: the other one is what the container has. */
static void complete(struct oci_resources *r, const struct oci_resources *merged)
{
        if (r->memory.limit.n || r->memory.swap.n) {
                r->memory.limit = merged->memory.limit;
                r->memory.swap = merged->memory.swap;
        }
        if (r->cpu.quota.n || r->cpu.period.n) {
                r->cpu.quota = merged->cpu.quota;
                r->cpu.period = merged->cpu.period;
        }
        if (r->cpu.idle.set && !r->cpu.idle.n) /* back from idle: the kernel has forgotten them */
                r->cpu.shares = merged->cpu.shares;
}

/* Other shares of cache and memory bandwidth. */
static err *change_rdt(const struct state *s, struct change *c, const struct oci_spec *merged)
{
        struct resctrl_group whole;
        _cleanup_close_ int root = -1;

        if (str_empty(c->rdt.l3_schema) && str_empty(c->rdt.mb_schema))
                return NULL;
        root = resctrl_open();
        if (!str_empty(c->rdt.l3_schema) && !resctrl_has(root, "L3"))
                return err_new(ERR_UNSUPPORTED, "Intel RDT/CAT: l3 cache schema is not enabled");
        if (!str_empty(c->rdt.mb_schema) && !resctrl_has(root, "MB"))
                return err_new(ERR_UNSUPPORTED, "Intel RDT/MBA: memory bandwidth schema is not enabled");
        if (!s->spec->linux_.intel_rdt || !rdt_group(merged, s->id, &whole))
                return err_new(ERR_UNSUPPORTED, "updating a non-existent Intel RDT configuration is not supported");
        return resctrl_set(root, &whole);
}

static err *save(const struct state *s, const struct oci_spec *spec)
{
        _cleanup_free_ char *text = NULL;
        int r;

        TRY(json_print(spec->doc, JSON_COMPACT, &text));
        r = file_replace(s->dirfd, "config.json", text, strlen(text), 0600, FILE_VOLATILE);
        return r < 0 ? err_sys(-r, "keeping config.json") : NULL;
}

static err *apply(const struct cgroup_layout *l, const struct state *s, const struct oci_resources *r)
{
        return s->unit.name ? runtime_unit_update(&s->unit, s->cgroup, r) : cgroup_ops_apply(l, s->cgroup, r);
}

/* The old limits again, after some of the new ones were refused. */
static void set_back(const struct cgroup_layout *l, const struct state *s)
{
        struct oci_resources old = s->spec->linux_.resources;
        char why[1024];
        err *e;

        old.n_devices = 0;
        e = apply(l, s, &old);
        if (e)
                hodrun_warn("Setting back cgroup configs failed due to error: %s, your state.json and actual configs "
                            "might be inconsistent.",
                            err_text(e, why, sizeof(why)));
        err_free(e);
}

static err *change_container(struct state *s, struct change *c)
{
        _cleanup_oci_spec_ struct oci_spec *merged = NULL;
        const struct cgroup_layout *l;
        err *e;

        TRY(state_load_spec(s));
        TRY(merged_spec(s, c, &merged));
        complete(&c->r, &merged->linux_.resources);
        TRY(change_rdt(s, c, merged));
        TRY(cgroup_layout_get(&l));
        if (str_empty(s->cgroup) || !cgroup_exists(l, s->cgroup))
                return err_new(ERR_NOT_FOUND, "container %s has no cgroup", s->id);
        e = apply(l, s, &c->r);
        if (e) {
                set_back(l, s);
                return e;
        }
        return save(s, merged);
}

static err *update_run(struct invocation *inv)
{
        const struct update_args *a = inv->args;
        _cleanup_(change_done) struct change c = {.owner = NULL};
        _cleanup_state_ struct state *s = NULL;
        enum state_status status;

        TRY(state_open(hodrun_root(inv), inv->operands[0], true, &s));
        if (!str_empty(a->resources))
                TRY(from_file(a->resources, &c));
        else
                TRY(from_flags(inv, &c));
        if (c.r.memory.kernel.set || c.r.memory.kernel_tcp.set)
                hodrun_warn("Kernel memory settings are ignored and will be removed");
        c.rdt.l3_schema = a->l3_cache_schema;
        c.rdt.mb_schema = a->mem_bw_schema;
        status = state_status(s);
        if (status == STATE_STOPPED || status == STATE_CREATING)
                return err_new(ERR_NOT_RUNNING, "container not running");
        return change_container(s, &c);
}

const struct command cmd_update = {
        .name = "update",
        .operands = "<container-id>",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Update container resource constraints",
        .opts = update_opts,
        .args_size = sizeof(struct update_args),
        .run = update_run,
};
