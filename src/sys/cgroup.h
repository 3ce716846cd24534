/* cgroup.h - control groups: v1 hierarchies with any co-mounting, hybrid (v1 plus an empty v2), and pure v2.
 *
 * A cgroup is (layout, path): the path is the same in every hierarchy, absolute from the hierarchy's root as the
 * cgroupfs driver of docker and runc has it, "/hod/<id>". No descriptor is held per cgroup: every call is one system
 * call on (hierarchy's root descriptor, "hod/<id>/file").
 *
 * Life: cgroup_create → cgroup_apply → join → ... → cgroup_remove. Joining is cheapest when the process does it itself:
 * a write of "0" to v1's `tasks` (or a clone3 with CLONE_INTO_CGROUP) does not take the kernel's global threadgroup
 * lock, which waits for an RCU grace period (milliseconds); see cgroup_join_open().
 *
 * Privilege: root or a delegated tree. Locking: none; the kernel serialises. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum cgroup_controller {
        CGROUP_CPU,
        CGROUP_CPUACCT, /* v1 only: part of cpu on v2 */
        CGROUP_CPUSET,
        CGROUP_MEMORY,
        CGROUP_DEVICES, /* v1 only: eBPF on v2 */
        CGROUP_FREEZER, /* v1 only: core of v2 */
        CGROUP_BLKIO,   /* "io" on v2 */
        CGROUP_PIDS,
        CGROUP_HUGETLB,
        CGROUP_NET_CLS,  /* v1 only */
        CGROUP_NET_PRIO, /* v1 only */
        CGROUP_RDMA,
        CGROUP_PERF_EVENT,
        CGROUP_MISC,
        CGROUP_SYSTEMD, /* v1's named hierarchy "name=systemd": no controller, but systemd counts processes there */
        CGROUP_CONTROLLER_MAX_
};
const char *cgroup_controller_name(enum cgroup_controller c); /* v1's word; "io" is "blkio" here */

enum cgroup_mode {
        CGROUP_MODE_NONE, /* nothing mounted: limits are refused, the rest is no-ops */
        CGROUP_MODE_V1,
        CGROUP_MODE_HYBRID,
        CGROUP_MODE_V2,
};

#define CGROUP_HIERARCHIES_MAX 16

struct cgroup_hierarchy {
        int fd;               /* O_PATH directory: root of the mounted hierarchy */
        unsigned controllers; /* bit n = enum cgroup_controller n */
        bool v2;
};
struct cgroup_layout {
        enum cgroup_mode mode;
        size_t n;
        struct cgroup_hierarchy h[CGROUP_HIERARCHIES_MAX];
        signed char of[CGROUP_CONTROLLER_MAX_]; /* index into h of the hierarchy that has the controller, or -1 */
        signed char unified;                    /* index of the v2 hierarchy, or -1 */
        bool join_unified; /* hybrid: the caller is not at the root of v2, so containers must leave */
        bool is_fake;      /* below a directory of a test, not cgroupfs */
};

/* The machine's layout: found at the first call and kept open for the life of the process (9 v1 hierarchies: ~25 µs).
 * Looks at /sys/fs/cgroup by name and falls back to mountinfo for unusual places.
 * Errors: ERR_SYS. No cgroups at all is not an error, see CGROUP_MODE_NONE. */
MUST_USE err *cgroup_layout_get(const struct cgroup_layout **ret);
/* Before the first of these: make and join the v2 hierarchy of a hybrid machine for every container, as runc does, also
 * where nothing needs it. */
void cgroup_layout_join_unified(void);
/* The same below the directory @root_fd, not kept. Close with cgroup_layout_close(). @is_fake: a test's directories
 * with plain files; v2 if it has cgroup.controllers. */
MUST_USE err *cgroup_layout_open(int root_fd, bool is_fake, struct cgroup_layout *ret);
void cgroup_layout_close(struct cgroup_layout *l);

/* Make a path safe and canonical: absolute, ".." resolved as if "/" were the top, no empty components, at most 3800
 * bytes. Owned by the caller. Everything below takes only such paths and refuses others with ERR_INVALID.
 * Errors: ERR_INVALID for an unusable one (also "/" itself, control characters). */
MUST_USE err *cgroup_path_clean(const char *path, char **ret);

/* ---- resources: the specification's linux.resources as plain numbers; strings and arrays are borrowed ---- */

struct cgroup_i64 {
        bool set;
        int64_t n;
};
struct cgroup_u64 {
        bool set;
        uint64_t n;
};
#define CGROUP_DEVICE_MKNOD 1u /* the kernel's BPF_DEVCG_ACC_* */
#define CGROUP_DEVICE_READ 2u
#define CGROUP_DEVICE_WRITE 4u
struct cgroup_device_rule {
        bool allow;
        char type;            /* 'a', 'b', 'c' */
        int64_t major, minor; /* -1 = any */
        unsigned access;
};
struct cgroup_weight_device {
        uint32_t major, minor;
        struct cgroup_u64 weight, leaf_weight;
};
struct cgroup_throttle {
        enum { CGROUP_READ_BPS, CGROUP_WRITE_BPS, CGROUP_READ_IOPS, CGROUP_WRITE_IOPS } what;
        uint32_t major, minor;
        uint64_t rate;
};
struct cgroup_name_number { /* hugetlb: page size, net_prio: interface */
        const char *name;
        uint64_t n;
};
struct cgroup_rdma {
        const char *device;
        struct cgroup_u64 handles, objects;
};
struct cgroup_name_value {
        const char *name, *value;
};

struct cgroup_resources {
        struct cgroup_i64 memory_limit, memory_reservation, memory_swap; /* bytes, -1 = unlimited; swap = memory+swap */
        struct cgroup_u64 memory_swappiness;
        bool disable_oom_killer, check_before_update;
        struct cgroup_u64 cpu_shares, cpu_burst, cpu_period, cpu_rt_period; /* burst, period: µs */
        struct cgroup_i64 cpu_quota, cpu_rt_runtime, cpu_idle;
        const char *cpuset_cpus, *cpuset_mems; /* NULL = leave */
        struct cgroup_i64 pids_limit;          /* -1 = unlimited; 0 is taken as 1, as runc */
        struct cgroup_u64 blkio_weight, blkio_leaf_weight;
        const struct cgroup_weight_device *weight_devices;
        size_t n_weight_devices;
        const struct cgroup_throttle *throttles;
        size_t n_throttles;
        const struct cgroup_name_number *hugepages;
        size_t n_hugepages;
        struct cgroup_u64 net_class_id;
        const struct cgroup_name_number *net_priorities;
        size_t n_net_priorities;
        const struct cgroup_rdma *rdma;
        size_t n_rdma;
        const struct cgroup_name_value *unified; /* v2 files as they are; ERR_INVALID on v1 */
        size_t n_unified;
        const struct cgroup_device_rule *devices; /* in order; none = leave what the parent allows */
        size_t n_devices;
        bool devices_in_use; /* v1: change the rules of a living cgroup without a moment in which all is denied */
};

/* Make @path in every hierarchy (parents too; v2: enables the controllers on the way; v1 cpuset: inherits cpus and
 * mems). Hybrid: the v2 hierarchy is left out when it is empty and the caller is at its root: joining it costs 0.2 ms
 * and gives nothing; cgroup_apply() makes it there when a limit needs it. An existing directory is accepted when it is
 * empty of processes and not frozen. On failure nothing is left at @path (parents stay). Errors: ERR_CONFLICT
 * (processes inside, frozen), ERR_DENIED, ERR_SYS. */
MUST_USE err *cgroup_create(const struct cgroup_layout *l, const char *path);
/* The same. *@ret_ours: we have made it, in every hierarchy; else somebody else has, or does at this moment, and what
 * is in it may be his. */
MUST_USE err *cgroup_create_ours(const struct cgroup_layout *l, const char *path, bool *ret_ours);

/* The same for one that somebody else (systemd) has made, perhaps only in some hierarchies: it may have processes. */
MUST_USE err *cgroup_adopt(const struct cgroup_layout *l, const char *path);

/* Let @uid manage what is below @path: its directory and the files that the kernel names for that become his. The
 * limits stay ours. v2 only; elsewhere nothing happens. ERR_SYS. */
MUST_USE err *cgroup_give(const struct cgroup_layout *l, const char *path, uid_t uid);

/* Make @path, which is below a container's cgroup, without any limits or controllers, and open its cgroup.procs: a
 * process that writes "0" there (safe between clone and exec) is in it. v2 only. Owned by the caller. ERR_SYS. */
MUST_USE err *cgroup_sub_open(const struct cgroup_layout *l, const char *path, int *ret_fd);

/* Set limits, in the order in which the kernel accepts them. Also for `update` of a living cgroup.
 * Errors: ERR_UNSUPPORTED "cgroup: controller memory is not available" if a wanted limit has no controller, ERR_INVALID
 * for a value the kernel refuses (with file and value), ERR_SYS. */
MUST_USE err *cgroup_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r);

/* Put @pid (all its threads) into @path in every hierarchy. From outside: may wait for RCU (ms). ERR_SYS. */
MUST_USE err *cgroup_join(const struct cgroup_layout *l, const char *path, pid_t pid);

/* Descriptors (O_CLOEXEC, write only) to which a *single-threaded* process writes "0" to enter by itself, cheaply;
 * usable between clone and exec with cgroup_join_self(). @with_v2: also the v2 hierarchy (when the clone did not use
 * cgroup_clone_fd()). Returns how many in @ret_n; the caller closes them. ERR_SYS. */
MUST_USE err *cgroup_join_open(const struct cgroup_layout *l, const char *path, bool with_v2,
                               int ret_fds[CGROUP_HIERARCHIES_MAX], size_t *ret_n);
/* The same with a cgroup of its own for each hierarchy: @paths[i] for l->h[i], NULL: @path. */
MUST_USE err *cgroup_join_open_each(const struct cgroup_layout *l, const char *path, char *const *paths, bool with_v2,
                                    int ret_fds[CGROUP_HIERARCHIES_MAX], size_t *ret_n);
/* Write "0" to each. Only write(2): safe between clone and exec. 0 or -errno. A process that also gets a new cgroup
 * namespace must join before it unshares that. */
int cgroup_join_self(const int *fds, size_t n);

/* Directory descriptor of the v2 part for clone3's CLONE_INTO_CGROUP (pure v2 and hybrid), owned by the caller.
 * -ENOENT if there is no v2 hierarchy. */
int cgroup_clone_fd(const struct cgroup_layout *l, const char *path);

/* Stop or continue everything inside and wait (at most 10 s) until it is so. ERR_TIMEOUT, ERR_UNSUPPORTED, ERR_SYS. */
MUST_USE err *cgroup_freeze(const struct cgroup_layout *l, const char *path, bool frozen);
/* Let go of @path and of everything below it, where the container may have stopped something by itself: what is frozen
 * in v1's freezer does not even die. */
void cgroup_thaw_all(const struct cgroup_layout *l, const char *path);
/* Is it frozen? false if unknown. */
bool cgroup_is_frozen(const struct cgroup_layout *l, const char *path);

/* Send @signal to everything inside, also below. SIGKILL uses cgroup.kill where there is one and also wakes what is
 * frozen. A missing cgroup is success. */
MUST_USE err *cgroup_kill(const struct cgroup_layout *l, const char *path, int signal);

/* Pids inside @path (and, with @recursive, below). Owned by the caller. ERR_NOT_FOUND, ERR_SYS. */
MUST_USE err *cgroup_pids(const struct cgroup_layout *l, const char *path, bool recursive, pid_t **ret, size_t *ret_n);

/* Remove @path and what is below in every hierarchy, waiting at most @timeout_ms while the kernel still says busy.
 * Kills nothing. Missing parts are fine. ERR_BUSY, ERR_SYS. */
MUST_USE err *cgroup_remove(const struct cgroup_layout *l, const char *path, int timeout_ms);

/* Does it exist in at least one hierarchy? */
bool cgroup_exists(const struct cgroup_layout *l, const char *path);

/* OOM kills so far, 0 if unknown. v1 memory.oom_control oom_kill, v2 memory.events oom_kill. */
uint64_t cgroup_oom_kills(const struct cgroup_layout *l, const char *path);

/* Current use; what is unknown is UINT64_MAX. */
struct cgroup_stats {
        uint64_t memory_current, memory_limit, memory_inactive_file; /* bytes */
        uint64_t cpu_usage_ns, cpu_user_ns, cpu_system_ns;
        uint64_t cpu_periods, cpu_throttled, cpu_throttled_ns;
        uint64_t pids_current, pids_limit;
        uint64_t io_read_bytes, io_write_bytes;
};
MUST_USE err *cgroup_stats_read(const struct cgroup_layout *l, const char *path, struct cgroup_stats *ret);

/* Which version of cgroups the controller @c is in: 1, 2, or 0 if it is not there. */
int cgroup_version(const struct cgroup_layout *l, enum cgroup_controller c);
/* A file of @path in the hierarchy of @c, without its last newline; owned by the caller. 0, -ENODEV (no such
 * controller), -ENOENT, other -errno. */
int cgroup_read(const struct cgroup_layout *l, const char *path, enum cgroup_controller c, const char *file,
                char **ret);

/* Being told of OOM kills in @path. Ends with the cgroup (v1: when it is removed, v2: when nobody is in it any more).
 */
struct cgroup_watch {
        int fd; /* poll for POLLIN */
        bool v2;
        uint64_t kills; /* v2: so far */
        const struct cgroup_layout *l;
        const char *path; /* borrowed */
};
/* Begin. ERR_UNSUPPORTED without a memory controller, ERR_SYS. */
MUST_USE err *cgroup_watch_oom(const struct cgroup_layout *l, const char *path, struct cgroup_watch *ret);
/* After POLLIN: number of OOM kills (v1: "at least one" is 1), or -ENODEV when it is over. */
int cgroup_watch_read(struct cgroup_watch *w);
void cgroup_watch_done(struct cgroup_watch *w);

/* Docker's cpu shares (2..262144) to a v2 weight (1..10000); 1024 gives 100 (runc 1.4's formula). 0 stays 0. */
uint64_t cgroup_shares_to_weight(uint64_t shares);
/* v1's block I/O weight (10..1000) as io.weight (1..10000). */
uint64_t cgroup_io_weight(uint64_t weight);
/* The specification's swap is memory plus swap, v2 counts swap alone: the value, -1 for unlimited. *@ret_set false:
 * leave it as it is. ERR_INVALID. */
MUST_USE err *cgroup_swap_v2(const struct cgroup_resources *r, int64_t *ret, bool *ret_set);
/* The part of cgroup_apply() that refuses a memory limit below what is used, when the resources ask for that: for who
 * lets somebody else set the limit first. ERR_INVALID. */
MUST_USE err *cgroup_check_usage(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r);
