/* spec.h - a container's config.json (OCI runtime-spec 1.3) as plain data.
 *
 * Reading has two steps. oci_spec_from_json() checks types, ranges, names and NUL bytes and refuses what it cannot
 * represent (unknown namespace, duplicate, unknown seccomp action ...). oci_spec_check() then checks what depends on
 * several fields or is forbidden. Unknown keys are ignored, as the specification demands; null is absent.
 *
 * Memory: everything a spec points to belongs to the spec and dies with oci_spec_free(); nothing else is freed then,
 * so a caller may put pointers to memory of its own into any field (which has to live as long).
 * Lists of strings are NULL-terminated and NULL when absent or empty. Strings are never "" unless the document says so;
 * absent ones are NULL. */
#pragma once

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/json.h"
#include "oci/mount_options.h"

#define OCI_SPEC_VERSION "1.3.0"

/* A number that may be absent. */
struct oci_i64 {
        bool set;
        int64_t n;
};
struct oci_u64 {
        bool set;
        uint64_t n;
};
struct oci_pair {
        const char *key, *value;
};
/* CPUs or memory nodes as the kernel takes them (sched_setaffinity, set_mempolicy). */
struct oci_bitmap {
        unsigned long *bits; /* NULL = not given */
        size_t size;         /* bytes, a multiple of sizeof(long); the highest set bit is inside */
};
/* Parse a list such as "0-3,7". At most OCI_BITMAP_MAX bits, so that no text can ask for memory without bound. Room for
 * the result is the caller's: @bits has OCI_BITMAP_MAX bits. */
#define OCI_BITMAP_MAX 8192
MUST_USE err *oci_bitmap_parse(const char *text, unsigned long *bits, size_t *ret_size);

struct oci_idmap {
        uint32_t container, host, size;
};
struct oci_idmaps {
        struct oci_idmap *map;
        size_t n;
};

/* ---- process ---- */

struct oci_user {
        uint32_t uid, gid;
        bool umask_set;
        uint32_t umask;
        uint32_t *groups; /* additionalGids */
        size_t n_groups;
        const char *username; /* not used on Linux by the specification; kept */
};

/* Bit n of a set is capability n. */
struct oci_caps {
        bool set; /* process.capabilities is there */
        uint64_t bounding, effective, inheritable, permitted, ambient;
        const char **unknown; /* names that we do not know: to be warned of, not fatal */
};

struct oci_rlimit {
        int resource; /* RLIMIT_* */
        uint64_t soft, hard;
};

struct oci_scheduler {
        bool set;
        uint32_t policy; /* SCHED_* */
        int32_t nice, priority;
        uint64_t flags; /* SCHED_FLAG_* */
        uint64_t runtime, deadline, period;
};

struct oci_io_priority {
        bool set;
        int class; /* 1 real time, 2 best effort, 3 idle: IOPRIO_CLASS_* */
        int priority;
};

struct oci_process {
        bool terminal;
        uint16_t console_height, console_width; /* 0 = not given */
        struct oci_user user;
        char **args;
        char **env;
        const char *cwd;
        struct oci_caps caps;
        struct oci_rlimit *rlimits;
        size_t n_rlimits;
        bool no_new_privileges;
        const char *apparmor_profile;
        const char *selinux_label;
        bool oom_score_adj_set;
        int oom_score_adj;
        struct oci_scheduler scheduler;
        struct oci_io_priority io_priority;
        struct oci_bitmap affinity_initial, affinity_final; /* execCPUAffinity */

        json *doc; /* owners of the above; NULL inside a spec */
        struct oci_arena *arena;
};

/* ---- mounts, hooks ---- */

struct oci_mount {
        const char *destination;
        const char *type; /* NULL or "none" together with options.is_bind: a bind mount */
        const char *source;
        char **options_text;
        struct mount_options options;
        struct oci_idmaps uid_map, gid_map;
};

enum oci_hook_kind {
        OCI_HOOK_PRESTART, /* deprecated, runtime namespace, as createRuntime */
        OCI_HOOK_CREATE_RUNTIME,
        OCI_HOOK_CREATE_CONTAINER,
        OCI_HOOK_START_CONTAINER,
        OCI_HOOK_POSTSTART,
        OCI_HOOK_POSTSTOP,
        OCI_HOOK_MAX_
};
struct oci_hook {
        const char *path;
        char **args;            /* including argv[0]; NULL: {path} */
        char **env;             /* NULL: empty environment */
        struct oci_i64 timeout; /* seconds, > 0 */
};
struct oci_hooks {
        struct oci_hook *hook;
        size_t n;
};
const char *oci_hook_name(enum oci_hook_kind kind); /* "createRuntime" */

/* ---- linux ---- */

enum oci_ns {
        OCI_NS_MOUNT,
        OCI_NS_PID,
        OCI_NS_NETWORK,
        OCI_NS_IPC,
        OCI_NS_UTS,
        OCI_NS_USER,
        OCI_NS_CGROUP,
        OCI_NS_TIME,
        OCI_NS_MAX_
};
struct oci_namespace {
        bool present;
        const char *path; /* join this one; NULL: make a new one */
};
const char *oci_ns_name(enum oci_ns ns);      /* the specification's: "network" */
const char *oci_ns_proc_name(enum oci_ns ns); /* under /proc/PID/ns: "net" */
int oci_ns_clone_flag(enum oci_ns ns);        /* CLONE_NEWNET */

struct oci_time_offset {
        bool set;
        int64_t secs;
        uint32_t nanosecs;
};

struct oci_device {
        char type; /* 'c', 'b' or 'p'; 'u' has become 'c' */
        const char *path;
        uint32_t major, minor;
        uint32_t mode; /* permission bits; 0666 when not given */
        uint32_t uid, gid;
};

#define OCI_DEVICE_MKNOD 1u /* the kernel's BPF_DEVCG_ACC_* */
#define OCI_DEVICE_READ 2u
#define OCI_DEVICE_WRITE 4u
struct oci_device_rule {
        bool allow;
        char type;            /* 'a', 'b' or 'c' */
        int64_t major, minor; /* -1 = any */
        unsigned access;      /* OCI_DEVICE_* */
};

struct oci_weight_device {
        uint32_t major, minor;
        struct oci_u64 weight, leaf_weight;
};
struct oci_throttle_device {
        uint32_t major, minor;
        uint64_t rate;
};
struct oci_throttle_devices {
        struct oci_throttle_device *device;
        size_t n;
};
struct oci_hugepage_limit {
        const char *page_size; /* "2MB" */
        uint64_t limit;
};
struct oci_net_priority {
        const char *name;
        uint32_t priority;
};
struct oci_rdma {
        const char *device;
        struct oci_u64 hca_handles, hca_objects;
};

struct oci_resources {
        struct oci_device_rule *devices;
        size_t n_devices;
        struct {
                struct oci_i64 limit, reservation, swap, kernel, kernel_tcp;
                struct oci_u64 swappiness;
                bool disable_oom_killer, check_before_update;
        } memory;
        struct {
                struct oci_u64 shares, burst, period, realtime_period;
                struct oci_i64 quota, realtime_runtime, idle;
                const char *cpus, *mems;
        } cpu;
        struct oci_i64 pids_limit;
        struct {
                struct oci_u64 weight, leaf_weight;
                struct oci_weight_device *weight_devices;
                size_t n_weight_devices;
                struct oci_throttle_devices read_bps, write_bps, read_iops, write_iops;
        } block_io;
        struct oci_hugepage_limit *hugepages;
        size_t n_hugepages;
        struct {
                struct oci_u64 class_id;
                struct oci_net_priority *priorities;
                size_t n_priorities;
        } network;
        struct oci_rdma *rdma;
        size_t n_rdma;
        struct oci_pair *unified;
        size_t n_unified;
};

/* Comparison of a system call's argument; the values are libseccomp's enum scmp_compare. */
enum oci_seccomp_op {
        OCI_SECCOMP_NE = 1,
        OCI_SECCOMP_LT = 2,
        OCI_SECCOMP_LE = 3,
        OCI_SECCOMP_EQ = 4,
        OCI_SECCOMP_GE = 5,
        OCI_SECCOMP_GT = 6,
        OCI_SECCOMP_MASKED_EQ = 7,
};
struct oci_seccomp_arg {
        uint32_t index; /* 0..5 */
        enum oci_seccomp_op op;
        uint64_t value, value_two;
};
struct oci_seccomp_rule {
        char **names;
        uint32_t action; /* the kernel's SECCOMP_RET_* without data */
        struct oci_u64 errno_ret;
        struct oci_seccomp_arg *args;
        size_t n_args;
};
struct oci_seccomp {
        uint32_t default_action;
        struct oci_u64 default_errno_ret;
        uint32_t *archs; /* AUDIT_ARCH_* tokens (libseccomp's SCMP_ARCH_*); empty = the native one */
        size_t n_archs;
        bool flags_set; /* the list is there, perhaps empty */
        uint32_t flags; /* SECCOMP_FILTER_FLAG_* */
        const char *listener_path, *listener_metadata;
        struct oci_seccomp_rule *rules;
        size_t n_rules;
};

struct oci_intel_rdt {
        const char *clos_id;
        char **schemata;
        const char *l3_cache_schema, *mem_bw_schema;
        bool enable_monitoring;
};
struct oci_memory_policy {
        int mode; /* MPOL_*, with MPOL_F_* flags or-ed in */
        struct oci_bitmap nodes;
};
struct oci_net_device {
        const char *host_name;
        const char *name; /* inside; NULL: the same */
};

struct oci_linux {
        struct oci_namespace ns[OCI_NS_MAX_];
        struct oci_idmaps uid_map, gid_map;
        struct oci_time_offset monotonic, boottime;
        struct oci_device *devices;
        size_t n_devices;
        const char *cgroups_path;
        struct oci_resources resources;
        unsigned long rootfs_propagation; /* MS_* with MS_REC, 0 = not given */
        struct oci_seccomp *seccomp;      /* NULL = none */
        char **masked_paths, **readonly_paths;
        const char *mount_label;
        struct oci_pair *sysctl;
        size_t n_sysctl;
        bool personality_set;
        unsigned long personality;       /* PER_LINUX, PER_LINUX32 */
        char **personality_flags;        /* the specification has none yet: to be warned of */
        struct oci_intel_rdt *intel_rdt; /* NULL = none */
        struct oci_memory_policy *memory_policy;
        struct oci_net_device *net_devices;
        size_t n_net_devices;
};

struct oci_spec {
        const char *oci_version;
        struct oci_process *process; /* NULL if the document has none (legal until start) */
        const char *root_path;
        bool root_readonly;
        const char *hostname, *domainname;
        struct oci_mount *mounts;
        size_t n_mounts;
        struct oci_hooks hooks[OCI_HOOK_MAX_];
        struct oci_pair *annotations;
        size_t n_annotations;
        struct oci_linux linux_; /* ("linux" is a macro in gnu17) */

        json *doc; /* the document itself */
        struct oci_arena *arena;
};

/* Read (dirfd, @name), usually "config.json". Errors: ERR_NOT_FOUND/ERR_SYS, ERR_INVALID with the field's name. */
MUST_USE err *oci_spec_read(int dirfd, const char *name, struct oci_spec **ret);
/* Translate @doc (borrowed; the spec takes a reference of its own). */
MUST_USE err *oci_spec_from_json(json *doc, struct oci_spec **ret);
void oci_spec_free(struct oci_spec *s);
DEFINE_CLEANUP(struct oci_spec *, oci_spec_free)
#define _cleanup_oci_spec_ __attribute__((cleanup(oci_spec_freep)))

/* A process alone, as `exec --process FILE` has it. Free with oci_process_free(). */
MUST_USE err *oci_process_from_json(json *doc, struct oci_process **ret);
void oci_process_free(struct oci_process *p);
DEFINE_CLEANUP(struct oci_process *, oci_process_free)
#define _cleanup_oci_process_ __attribute__((cleanup(oci_process_freep)))

/* "linux.resources" alone, as `update --resources FILE` has it. @ret_owner keeps its memory: oci_spec_free(). */
MUST_USE err *oci_resources_from_json(json *doc, struct oci_spec **ret_owner, struct oci_resources **ret);

/* Change @resources, the member "linux.resources" of a document, to what an update with @change makes of it: what is
 * set replaces what was there, lists are changed element by element (a device by its number, a page size, an interface
 * by its name), device rules are replaced as a whole. As in runc, zeros and empty strings mean "as it was", except
 * where zero is a value (pids, idle, burst, rates). A memory limit of -1 alone takes the limit of swap away, too.
 * Running out of memory shows at json_print(). */
void oci_resources_merge(json *resources, const struct oci_resources *change);

/* Is the container possible and permitted? One clear line for the first thing that is not.
 * Checks: version, root, process (cwd absolute, args, ids inside the map), mounts, hooks, namespaces against fields
 * that need them (hostname without uts, maps without user, sysctls by namespace), devices, seccomp, time offsets, ...
 * Errors: ERR_INVALID, ERR_UNSUPPORTED. */
MUST_USE err *oci_spec_check(const struct oci_spec *s);
/* Annotations of crun's that ask for something which there is not are refused: whoever sets one relies on it. Empty
 * ones ask for nothing. ERR_UNSUPPORTED. */
MUST_USE err *oci_spec_annotation_check(const char *name, const char *value);
/* The part of the above that concerns @p, for exec sessions. */
MUST_USE err *oci_process_check(const struct oci_process *p);

/* Path below /proc/sys of a sysctl: "net.ipv4.ip_forward" and "net/ipv4/ip_forward" give "net/ipv4/ip_forward". As in
 * sysctl(8) the first separator decides what the other one means ("net.ipv4.conf.eth0/1.forwarding" is eth0.1).
 * False if it is empty, too long for @size, or has an empty, "." or ".." component. */
bool oci_sysctl_path(const char *key, char *ret, size_t size);

/* Value of an annotation or NULL. */
const char *oci_spec_annotation(const struct oci_spec *s, const char *key);

/* Capability by name ("CAP_CHOWN", "CHOWN", any case): its number, or -1. */
int oci_cap_number(const char *name);
/* "CAP_CHOWN", or NULL beyond the last one. */
const char *oci_cap_name(unsigned number);
/* "RLIMIT_NOFILE" to RLIMIT_NOFILE, or -1. */
int oci_rlimit_number(const char *name);

/* The document that `hodrun spec` writes (@cgroup_ns: on pure cgroup v2 with such a namespace), byte for byte runc's
 * when printed with tabs (see oci_spec_default_text). */
MUST_USE err *oci_spec_default_json(bool rootless, bool cgroup_ns, json **ret);
MUST_USE err *oci_spec_default_text(bool rootless, bool cgroup_ns, char **ret);
