/* spec_linux.c - the linux section; see spec.h. */
#include <linux/mempolicy.h>
#include <sys/personality.h>

#include "base/str.h"
#include "oci/spec_private.h"

#ifndef MPOL_WEIGHTED_INTERLEAVE
#define MPOL_WEIGHTED_INTERLEAVE_ 6 /* Linux 6.9 */
#endif

/* ---- namespaces ---- */

struct namespace_entry {
        const char *type, *path;
};

static const struct fields namespace_table[] = {
        FIELDS_STR("type", struct namespace_entry, type),
        FIELDS_STR("path", struct namespace_entry, path),
        FIELDS_END,
};

static err *read_namespaces(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_namespace *ns = ((struct oci_linux *)base)->ns;

        TRY(fields_array(at, v));
        for (size_t i = 0; i < json_len(v); i++) {
                struct fields_at here = {at, NULL, i};
                struct namespace_entry entry = {0};
                int kind = 0;

                TRY(fields_read(r, &here, json_at(v, i), namespace_table, &entry));
                while (kind < OCI_NS_MAX_ && !str_eq(entry.type, oci_ns_name(kind)))
                        kind++;
                if (kind == OCI_NS_MAX_)
                        return fields_bad(&here, "namespace \"%.100s\" does not exist", entry.type ? entry.type : "");
                if (ns[kind].present)
                        return fields_bad(&here, "duplicated namespace \"%s\"", entry.type);
                ns[kind] = (struct oci_namespace){true, entry.path};
        }
        return NULL;
}

static const struct fields time_offset_table[] = {
        FIELDS_PLAIN("secs", FIELDS_I64, struct oci_time_offset, secs),
        FIELDS_PLAIN("nanosecs", FIELDS_U32, struct oci_time_offset, nanosecs),
        FIELDS_END,
};

static err *read_time_offsets(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_linux *l = base;

        TRY(fields_object(at, v));
        JSON_EACH (v, it) {
                struct fields_at here = {at, it.key, 0};
                struct oci_time_offset *o = str_eq(it.key, "monotonic")  ? &l->monotonic
                                            : str_eq(it.key, "boottime") ? &l->boottime
                                                                         : NULL;

                if (!o)
                        return fields_bad(&here, "unknown clock");
                TRY(fields_read(r, &here, it.value, time_offset_table, o));
                if (o->nanosecs >= 1000000000u)
                        return fields_bad(&here, "nanosecs must be below 1000000000");
                o->set = true;
        }
        return NULL;
}

/* ---- devices ---- */

static err *read_device_type(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        const char *text;

        TRY(fields_str(at, v, &text));
        if (strlen(text) != 1 || !strchr("cbup", *text))
                return fields_bad(at, "must be c, b, u or p, not \"%.20s\"", text);
        ((struct oci_device *)base)->type = *text == 'u' ? 'c' : *text;
        return NULL;
}

static const struct fields device_table[] = {
        FIELDS_CUSTOM("type", read_device_type),
        FIELDS_STR("path", struct oci_device, path),
        FIELDS_PLAIN("major", FIELDS_U32, struct oci_device, major),
        FIELDS_PLAIN("minor", FIELDS_U32, struct oci_device, minor),
        FIELDS_PLAIN("fileMode", FIELDS_U32, struct oci_device, mode),
        FIELDS_PLAIN("uid", FIELDS_U32, struct oci_device, uid),
        FIELDS_PLAIN("gid", FIELDS_U32, struct oci_device, gid),
        FIELDS_END,
};

static bool has_key(json *object, const char *key)
{
        return json_kind(json_get(object, key)) != JSON_NULL;
}

static err *read_devices(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_linux *l = base;
        void *list = NULL;

        TRY(fields_list(r, at, v, device_table, sizeof(struct oci_device), &list, &l->n_devices));
        l->devices = list;
        for (size_t i = 0; i < l->n_devices; i++) {
                struct fields_at here = {at, NULL, i};
                struct oci_device *d = &l->devices[i];

                if (!d->type || !d->path)
                        return fields_bad(&here, "needs a type and a path");
                if (d->type != 'p' && (!has_key(json_at(v, i), "major") || !has_key(json_at(v, i), "minor")))
                        return fields_bad(&here, "needs major and minor");
                if (!has_key(json_at(v, i), "fileMode"))
                        d->mode = 0666;
                d->mode &= 07777; /* some callers leave the file type in */
        }
        return NULL;
}

/* ---- small things ---- */

static err *read_propagation(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        const char *text;

        TRY(fields_str(at, v, &text));
        if (*text && !mount_options_propagation(text, &((struct oci_linux *)base)->rootfs_propagation))
                return fields_bad(at, "rootfsPropagation=%.100s is not supported", text);
        return NULL;
}

static err *read_personality(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_linux *l = base;
        const char *domain = NULL;

        TRY(fields_object(at, v));
        if (json_kind(json_get(v, "domain")) != JSON_NULL)
                TRY(fields_str(at, json_get(v, "domain"), &domain));
        if (str_eq(domain, "LINUX"))
                l->personality = PER_LINUX;
        else if (str_eq(domain, "LINUX32"))
                l->personality = PER_LINUX32;
        else
                return fields_bad(at, "invalid personality domain %.100s", domain ? domain : "");
        l->personality_set = true;
        return json_kind(json_get(v, "flags")) == JSON_NULL
                       ? NULL
                       : fields_strv(r, at, json_get(v, "flags"), &l->personality_flags);
}

static const struct fields rdt_table[] = {
        FIELDS_STR("closID", struct oci_intel_rdt, clos_id),
        FIELDS_PLAIN("schemata", FIELDS_STRV, struct oci_intel_rdt, schemata),
        FIELDS_STR("l3CacheSchema", struct oci_intel_rdt, l3_cache_schema),
        FIELDS_STR("memBwSchema", struct oci_intel_rdt, mem_bw_schema),
        FIELDS_BOOL("enableMonitoring", struct oci_intel_rdt, enable_monitoring),
        FIELDS_END,
};

static err *read_memory_mode(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        static const struct fields_name names[] = {
                {"MPOL_DEFAULT", MPOL_DEFAULT},
                {"MPOL_PREFERRED", MPOL_PREFERRED},
                {"MPOL_BIND", MPOL_BIND},
                {"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
                {"MPOL_LOCAL", MPOL_LOCAL},
                {"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
                {"MPOL_WEIGHTED_INTERLEAVE", MPOL_WEIGHTED_INTERLEAVE_},
                {NULL, 0},
        };
        int64_t n;

        TRY(fields_name(at, v, names, "memory policy mode", &n));
        ((struct oci_memory_policy *)base)->mode |= (int)n;
        return NULL;
}

static err *read_memory_flags(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        static const struct fields_name names[] = {
                {"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
                {"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
                {"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
                {NULL, 0},
        };
        uint64_t set;

        TRY(fields_name_set(at, v, names, "memory policy flag", &set));
        ((struct oci_memory_policy *)base)->mode |= (int)set;
        return NULL;
}

static err *read_memory_nodes(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        return err_wrap(spec_bitmap(r, at, v, &((struct oci_memory_policy *)base)->nodes),
                        "invalid memory policy nodes");
}

static const struct fields memory_policy_table[] = {
        FIELDS_CUSTOM("mode", read_memory_mode),
        FIELDS_CUSTOM("flags", read_memory_flags),
        FIELDS_CUSTOM("nodes", read_memory_nodes),
        FIELDS_END,
};

static err *read_memory_policy(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_linux *l = base;

        TRY(fields_object(at, v));
        if (json_kind(json_get(v, "mode")) == JSON_NULL)
                return fields_bad(at, "invalid memory policy mode \"\"");
        l->memory_policy = OCI_ARENA_NEW0(r->arena, struct oci_memory_policy, 1);
        if (!l->memory_policy)
                return err_nomem();
        return fields_read(r, at, v, memory_policy_table, l->memory_policy);
}

static const struct fields net_device_table[] = {
        FIELDS_STR("name", struct oci_net_device, name),
        FIELDS_END,
};

static err *read_net_devices(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_linux *l = base;

        TRY(fields_object(at, v));
        l->net_devices = OCI_ARENA_NEW0(r->arena, struct oci_net_device, json_len(v));
        if (!l->net_devices && json_len(v))
                return err_nomem();
        JSON_EACH (v, it) {
                struct fields_at here = {at, it.key, 0};
                struct oci_net_device *d = &l->net_devices[l->n_net_devices++];

                d->host_name = it.key;
                TRY(fields_read(r, &here, it.value, net_device_table, d));
        }
        return NULL;
}

const struct fields spec_linux_table[] = {
        FIELDS_CUSTOM("namespaces", read_namespaces),
        FIELDS_LIST("uidMappings", struct oci_linux, uid_map.map, uid_map.n, spec_idmap_table),
        FIELDS_LIST("gidMappings", struct oci_linux, gid_map.map, gid_map.n, spec_idmap_table),
        FIELDS_CUSTOM("timeOffsets", read_time_offsets),
        FIELDS_CUSTOM("devices", read_devices),
        FIELDS_STR("cgroupsPath", struct oci_linux, cgroups_path),
        FIELDS_OBJECT("resources", struct oci_linux, resources, spec_resources_table),
        FIELDS_CUSTOM("rootfsPropagation", read_propagation),
        FIELDS_CUSTOM("seccomp", spec_seccomp_read),
        FIELDS_PLAIN("maskedPaths", FIELDS_STRV, struct oci_linux, masked_paths),
        FIELDS_PLAIN("readonlyPaths", FIELDS_STRV, struct oci_linux, readonly_paths),
        FIELDS_STR("mountLabel", struct oci_linux, mount_label),
        FIELDS_COUNTED("sysctl", FIELDS_PAIRS, struct oci_linux, sysctl, n_sysctl),
        FIELDS_CUSTOM("personality", read_personality),
        FIELDS_POINTER("intelRdt", struct oci_linux, intel_rdt, rdt_table),
        FIELDS_CUSTOM("memoryPolicy", read_memory_policy),
        FIELDS_CUSTOM("netDevices", read_net_devices),
        FIELDS_END,
};
