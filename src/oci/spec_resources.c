/* spec_resources.c - linux.resources; see spec.h. */
#include "base/str.h"
#include "oci/spec_private.h"

/* ---- device rules ---- */

static err *read_rule_type(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        const char *text;

        TRY(fields_str(at, v, &text));
        if (strlen(text) > 1 || !strchr("abc", *text))
                return fields_bad(at, "must be a, b or c, not \"%.20s\"", text);
        ((struct oci_device_rule *)base)->type = *text;
        return NULL;
}

static err *read_rule_access(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_device_rule *rule = base;
        const char *text;

        TRY(fields_str(at, v, &text));
        for (; *text; text++) {
                /* "a" (all) is no letter of the specification; runc takes it and leaves it out. Nobody gets more by it
                 * here. */
                if (*text == 'a' && !rule->allow) {
                        rule->access |= OCI_DEVICE_READ | OCI_DEVICE_WRITE | OCI_DEVICE_MKNOD;
                        continue;
                }
                if (!strchr("rwm", *text))
                        return fields_bad(at, "may only have r, w and m");
                rule->access |= *text == 'r' ? OCI_DEVICE_READ : *text == 'w' ? OCI_DEVICE_WRITE : OCI_DEVICE_MKNOD;
        }
        return NULL;
}

/* A device number: -1 and absence mean any. */
static err *read_rule_number(const struct fields_at *at, json *rule, const char *key, int64_t *ret)
{
        struct fields_at here = {at, key, 0};
        json *v = json_get(rule, key);

        *ret = -1;
        return json_kind(v) == JSON_NULL ? NULL : fields_int(&here, v, -1, UINT32_MAX, ret);
}

static const struct fields rule_table[] = {
        FIELDS_BOOL("allow", struct oci_device_rule, allow),
        FIELDS_CUSTOM("type", read_rule_type),
        FIELDS_CUSTOM("access", read_rule_access),
        FIELDS_END,
};

static err *read_rules(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_resources *res = base;
        void *list = NULL;

        TRY(fields_list(r, at, v, rule_table, sizeof(struct oci_device_rule), &list, &res->n_devices));
        res->devices = list;
        for (size_t i = 0; i < res->n_devices; i++) {
                struct fields_at here = {at, NULL, i};
                struct oci_device_rule *rule = &res->devices[i];

                TRY(read_rule_number(&here, json_at(v, i), "major", &rule->major));
                TRY(read_rule_number(&here, json_at(v, i), "minor", &rule->minor));
                if (!rule->type)
                        rule->type = 'a';
                if (!rule->access)
                        rule->access = OCI_DEVICE_READ | OCI_DEVICE_WRITE | OCI_DEVICE_MKNOD;
        }
        return NULL;
}

/* ---- the controllers ---- */

static const struct fields memory_table[] = {
        FIELDS_PLAIN("limit", FIELDS_OPT_I64, struct oci_resources, memory.limit),
        FIELDS_PLAIN("reservation", FIELDS_OPT_I64, struct oci_resources, memory.reservation),
        FIELDS_PLAIN("swap", FIELDS_OPT_I64, struct oci_resources, memory.swap),
        FIELDS_PLAIN("kernel", FIELDS_OPT_I64, struct oci_resources, memory.kernel),
        FIELDS_PLAIN("kernelTCP", FIELDS_OPT_I64, struct oci_resources, memory.kernel_tcp),
        FIELDS_PLAIN("swappiness", FIELDS_OPT_U64, struct oci_resources, memory.swappiness),
        FIELDS_BOOL("disableOOMKiller", struct oci_resources, memory.disable_oom_killer),
        FIELDS_BOOL("checkBeforeUpdate", struct oci_resources, memory.check_before_update),
        FIELDS_END,
};

static const struct fields cpu_table[] = {
        FIELDS_PLAIN("shares", FIELDS_OPT_U64, struct oci_resources, cpu.shares),
        FIELDS_PLAIN("quota", FIELDS_OPT_I64, struct oci_resources, cpu.quota),
        FIELDS_PLAIN("burst", FIELDS_OPT_U64, struct oci_resources, cpu.burst),
        FIELDS_PLAIN("period", FIELDS_OPT_U64, struct oci_resources, cpu.period),
        FIELDS_PLAIN("realtimeRuntime", FIELDS_OPT_I64, struct oci_resources, cpu.realtime_runtime),
        FIELDS_PLAIN("realtimePeriod", FIELDS_OPT_U64, struct oci_resources, cpu.realtime_period),
        FIELDS_PLAIN("idle", FIELDS_OPT_I64, struct oci_resources, cpu.idle),
        FIELDS_STR("cpus", struct oci_resources, cpu.cpus),
        FIELDS_STR("mems", struct oci_resources, cpu.mems),
        FIELDS_END,
};

static const struct fields pids_table[] = {
        FIELDS_PLAIN("limit", FIELDS_OPT_I64, struct oci_resources, pids_limit),
        FIELDS_END,
};

static const struct fields weight_table[] = {
        FIELDS_PLAIN("major", FIELDS_U32, struct oci_weight_device, major),
        FIELDS_PLAIN("minor", FIELDS_U32, struct oci_weight_device, minor),
        FIELDS_PLAIN("weight", FIELDS_OPT_U64, struct oci_weight_device, weight),
        FIELDS_PLAIN("leafWeight", FIELDS_OPT_U64, struct oci_weight_device, leaf_weight),
        FIELDS_END,
};

static const struct fields throttle_table[] = {
        FIELDS_PLAIN("major", FIELDS_U32, struct oci_throttle_device, major),
        FIELDS_PLAIN("minor", FIELDS_U32, struct oci_throttle_device, minor),
        FIELDS_PLAIN("rate", FIELDS_U64, struct oci_throttle_device, rate),
        FIELDS_END,
};

#define THROTTLE(key, member)                                                                                          \
        {                                                                                                              \
                key, FIELDS_LIST, offsetof(struct oci_resources, block_io.member.device),                              \
                        offsetof(struct oci_resources, block_io.member.n), sizeof(struct oci_throttle_device),         \
                        throttle_table, NULL                                                                           \
        }

static const struct fields block_io_table[] = {
        FIELDS_PLAIN("weight", FIELDS_OPT_U64, struct oci_resources, block_io.weight),
        FIELDS_PLAIN("leafWeight", FIELDS_OPT_U64, struct oci_resources, block_io.leaf_weight),
        FIELDS_LIST("weightDevice", struct oci_resources, block_io.weight_devices, block_io.n_weight_devices,
                    weight_table),
        THROTTLE("throttleReadBpsDevice", read_bps),
        THROTTLE("throttleWriteBpsDevice", write_bps),
        THROTTLE("throttleReadIOPSDevice", read_iops),
        THROTTLE("throttleWriteIOPSDevice", write_iops),
        FIELDS_END,
};

static const struct fields hugepage_table[] = {
        FIELDS_STR("pageSize", struct oci_hugepage_limit, page_size),
        FIELDS_PLAIN("limit", FIELDS_U64, struct oci_hugepage_limit, limit),
        FIELDS_END,
};

static const struct fields priority_table[] = {
        FIELDS_STR("name", struct oci_net_priority, name),
        FIELDS_PLAIN("priority", FIELDS_U32, struct oci_net_priority, priority),
        FIELDS_END,
};

static const struct fields network_table[] = {
        FIELDS_PLAIN("classID", FIELDS_OPT_U64, struct oci_resources, network.class_id),
        FIELDS_LIST("priorities", struct oci_resources, network.priorities, network.n_priorities, priority_table),
        FIELDS_END,
};

static const struct fields rdma_table[] = {
        FIELDS_PLAIN("hcaHandles", FIELDS_OPT_U64, struct oci_rdma, hca_handles),
        FIELDS_PLAIN("hcaObjects", FIELDS_OPT_U64, struct oci_rdma, hca_objects),
        FIELDS_END,
};

static err *read_rdma(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_resources *res = base;

        TRY(fields_object(at, v));
        res->rdma = OCI_ARENA_NEW0(r->arena, struct oci_rdma, json_len(v));
        if (!res->rdma && json_len(v))
                return err_nomem();
        JSON_EACH (v, it) {
                struct fields_at here = {at, it.key, 0};
                struct oci_rdma *d = &res->rdma[res->n_rdma++];

                d->device = it.key;
                TRY(fields_read(r, &here, it.value, rdma_table, d));
        }
        return NULL;
}

/* Sections whose members are members of struct oci_resources itself. */
#define SECTION(name, table)                                                                                           \
        static err *read_##name(struct fields_reader *r, const struct fields_at *at, json *v, void *base)              \
        {                                                                                                              \
                return fields_read(r, at, v, table, base);                                                             \
        }
SECTION(memory, memory_table)
SECTION(cpu, cpu_table)
SECTION(pids, pids_table)
SECTION(block_io, block_io_table)
SECTION(network, network_table)

const struct fields spec_resources_table[] = {
        FIELDS_CUSTOM("devices", read_rules),
        FIELDS_CUSTOM("memory", read_memory),
        FIELDS_CUSTOM("cpu", read_cpu),
        FIELDS_CUSTOM("pids", read_pids),
        FIELDS_CUSTOM("blockIO", read_block_io),
        FIELDS_LIST("hugepageLimits", struct oci_resources, hugepages, n_hugepages, hugepage_table),
        FIELDS_CUSTOM("network", read_network),
        FIELDS_CUSTOM("rdma", read_rdma),
        FIELDS_COUNTED("unified", FIELDS_PAIRS, struct oci_resources, unified, n_unified),
        FIELDS_END,
};
