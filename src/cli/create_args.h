/* create_args.h - the flags that `run` and `create` share, and docker's create body made from them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/json.h"

/* Filled by the option table (create_opts.h). Lists are NULL-terminated or NULL; numbers are 0 unless given. */
struct create_args {
        /* the program */
        bool interactive, tty, rm, init, rootfs;
        char *name, *workdir, *user, *hostname, *domainname, *entrypoint, *cidfile;
        bool entrypoint_given;
        char **env, **env_files, **labels, **label_files, **annotations, **attach, **group_add;
        char *stop_signal, *pull;
        int64_t stop_timeout;
        bool stop_timeout_given;
        char *restart;
        bool quiet;
        /* files */
        char **volumes, **mounts, **tmpfs;
        bool read_only;
        int64_t shm_size;
        /* isolation */
        char *network, *pid, *ipc, *uts, *userns, *cgroupns, *cgroup_parent;
        char **add_host, **sysctls, **cap_add, **cap_drop, **security_opt, **devices, **ulimits;
        bool privileged;
        /* limits */
        int64_t memory, memory_swap, memory_reservation, memory_swappiness, cpu_shares, cpu_period, cpu_quota, pids_limit,
                oom_score_adj;
        int64_t nano_cpus;
        bool memory_swappiness_given, pids_limit_given, oom_kill_disable;
        char *cpuset_cpus, *cpuset_mems;
        int64_t blkio_weight;
        char **read_bps, **write_bps, **read_iops, **write_iops;
        /* logs */
        char *log_driver;
        char **log_opts;
};

/* docker's create body for @image and @argv (NULL-terminated). Reads the files that flags name.
 * Errors: ERR_INVALID in docker's words, ERR_SYS. */
MUST_USE err *create_args_body(const struct create_args *a, const char *image, char *const *argv, json **ret);
