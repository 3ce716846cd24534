/* spec_merge.c - an update of linux.resources, see oci_resources_merge() in spec.h. */
#include "base/str.h"
#include "oci/spec.h"

static void set_i64(json *obj, const char *key, struct oci_i64 n, bool zero_is_value)
{
        if (n.set && (n.n || zero_is_value))
                json_set_int(obj, key, n.n);
}

static void set_u64(json *obj, const char *key, struct oci_u64 n, bool zero_is_value)
{
        if (n.set && (n.n || zero_is_value))
                json_set(obj, key, json_new_uint(n.n));
}

/* Move the members of @change (consumed) into @resources' object @key; an empty one leaves no trace. */
static void merge_object(json *resources, const char *key, json *change)
{
        JSON_EACH (change, it)
                json_set(json_sub_object(resources, key), it.key, json_ref(it.value));
        json_free(change);
}

static void merge_memory(json *resources, const struct oci_resources *c)
{
        json *to = json_new_object();

        set_i64(to, "limit", c->memory.limit, false);
        set_i64(to, "reservation", c->memory.reservation, false);
        set_i64(to, "swap", c->memory.swap, false);
        set_u64(to, "swappiness", c->memory.swappiness, true);
        if (c->memory.limit.n == -1 && !c->memory.swap.n)
                json_del(json_get(resources, "memory"), "swap");
        if (c->memory.disable_oom_killer)
                json_set_bool(to, "disableOOMKiller", true);
        if (c->memory.check_before_update || (json_len(to) && json_path(resources, "memory.checkBeforeUpdate")))
                json_set_bool(to, "checkBeforeUpdate", c->memory.check_before_update);
        merge_object(resources, "memory", to);
}

static void merge_cpu(json *resources, const struct oci_resources *c)
{
        json *to = json_new_object();

        set_u64(to, "shares", c->cpu.shares, false);
        set_i64(to, "quota", c->cpu.quota, false);
        set_u64(to, "period", c->cpu.period, false);
        set_u64(to, "burst", c->cpu.burst, true);
        set_i64(to, "realtimeRuntime", c->cpu.realtime_runtime, false);
        set_u64(to, "realtimePeriod", c->cpu.realtime_period, false);
        set_i64(to, "idle", c->cpu.idle, true);
        if (!str_empty(c->cpu.cpus))
                json_set_str(to, "cpus", c->cpu.cpus);
        if (!str_empty(c->cpu.mems))
                json_set_str(to, "mems", c->cpu.mems);
        merge_object(resources, "cpu", to);
}

/* The last element of @array that is about the device; a new one at the end if there is none. (Of duplicates the kernel
 * keeps the last.) */
static json *device_in(json *array, uint32_t major, uint32_t minor)
{
        json *d;

        for (size_t i = json_len(array); i-- > 0;) {
                d = json_at(array, i);
                if (json_get_int(d, "major", -1) == major && json_get_int(d, "minor", -1) == minor)
                        return d;
        }
        d = json_new_object();
        json_set_int(d, "major", major);
        json_set_int(d, "minor", minor);
        json_add(array, d);
        return d;
}

static void merge_throttles(json *block_io, const char *key, const struct oci_throttle_devices *list)
{
        for (size_t i = 0; i < list->n; i++) {
                const struct oci_throttle_device *d = &list->device[i];

                json_set(device_in(json_sub_array(block_io, key), d->major, d->minor), "rate", json_new_uint(d->rate));
        }
}

static void merge_block_io(json *resources, const struct oci_resources *c)
{
        json *plain = json_new_object(), *to;

        set_u64(plain, "weight", c->block_io.weight, false);
        set_u64(plain, "leafWeight", c->block_io.leaf_weight, false);
        merge_object(resources, "blockIO", plain);
        if (!c->block_io.n_weight_devices && !c->block_io.read_bps.n && !c->block_io.write_bps.n &&
            !c->block_io.read_iops.n && !c->block_io.write_iops.n)
                return;
        to = json_sub_object(resources, "blockIO");
        for (size_t i = 0; i < c->block_io.n_weight_devices; i++) {
                const struct oci_weight_device *d = &c->block_io.weight_devices[i];
                json *device = device_in(json_sub_array(to, "weightDevice"), d->major, d->minor);

                set_u64(device, "weight", d->weight, true);
                set_u64(device, "leafWeight", d->leaf_weight, true);
        }
        merge_throttles(to, "throttleReadBpsDevice", &c->block_io.read_bps);
        merge_throttles(to, "throttleWriteBpsDevice", &c->block_io.write_bps);
        merge_throttles(to, "throttleReadIOPSDevice", &c->block_io.read_iops);
        merge_throttles(to, "throttleWriteIOPSDevice", &c->block_io.write_iops);
}

/* The element of @array whose member @key is @name; a new one if there is none. */
static json *named_in(json *array, const char *key, const char *name)
{
        json *d;

        for (size_t i = json_len(array); i-- > 0;) {
                d = json_at(array, i);
                if (str_eq(json_get_str(d, key), name))
                        return d;
        }
        d = json_new_object();
        json_set_str(d, key, name);
        json_add(array, d);
        return d;
}

static void merge_lists(json *resources, const struct oci_resources *c)
{
        for (size_t i = 0; i < c->n_hugepages; i++)
                json_set(named_in(json_sub_array(resources, "hugepageLimits"), "pageSize", c->hugepages[i].page_size),
                         "limit", json_new_uint(c->hugepages[i].limit));
        if (c->network.class_id.n)
                set_u64(json_sub_object(resources, "network"), "classID", c->network.class_id, true);
        for (size_t i = 0; i < c->network.n_priorities; i++)
                json_set_int(named_in(json_sub_array(json_sub_object(resources, "network"), "priorities"), "name",
                                      c->network.priorities[i].name),
                             "priority", c->network.priorities[i].priority);
        for (size_t i = 0; i < c->n_rdma; i++) {
                json *to = json_sub_object(json_sub_object(resources, "rdma"), c->rdma[i].device);

                set_u64(to, "hcaHandles", c->rdma[i].hca_handles, true);
                set_u64(to, "hcaObjects", c->rdma[i].hca_objects, true);
        }
        for (size_t i = 0; i < c->n_unified; i++)
                json_set_str(json_sub_object(resources, "unified"), c->unified[i].key, c->unified[i].value);
}

static void replace_devices(json *resources, const struct oci_resources *c)
{
        json *list = json_new_array();

        for (size_t i = 0; i < c->n_devices; i++) {
                const struct oci_device_rule *d = &c->devices[i];
                char type[] = {d->type, '\0'}, access[4] = "", *p = access;
                json *rule = json_new_object();

                json_set_bool(rule, "allow", d->allow);
                json_set_str(rule, "type", type);
                if (d->major >= 0)
                        json_set_int(rule, "major", d->major);
                if (d->minor >= 0)
                        json_set_int(rule, "minor", d->minor);
                if (d->access & OCI_DEVICE_READ)
                        *p++ = 'r';
                if (d->access & OCI_DEVICE_WRITE)
                        *p++ = 'w';
                if (d->access & OCI_DEVICE_MKNOD)
                        *p++ = 'm';
                *p = '\0';
                json_set_str(rule, "access", access);
                json_add(list, rule);
        }
        json_set(resources, "devices", list);
}

void oci_resources_merge(json *resources, const struct oci_resources *change)
{
        merge_memory(resources, change);
        merge_cpu(resources, change);
        if (change->pids_limit.set)
                set_i64(json_sub_object(resources, "pids"), "limit", change->pids_limit, true);
        merge_block_io(resources, change);
        merge_lists(resources, change);
        if (change->n_devices)
                replace_devices(resources, change);
}
