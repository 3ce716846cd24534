/* defaults.h - what every container gets when nobody says otherwise: plain data, docker's lists, a reason each.
 *
 * `--privileged` uses none of the masked and read-only paths, all host devices, and mounts /sys and cgroup writable. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct default_path {
        const char *path;
        const char *why;
};

/* Hidden: a file shows /dev/null, a directory an empty read-only tmpfs. A path that does not exist is passed over. */
extern const struct default_path defaults_masked[];
extern const size_t defaults_n_masked;
/* Masked too, for every processor that the machine has: its thermal counters tell what others do. */
#define DEFAULTS_CPUS "/sys/devices/system/cpu/present"
#define DEFAULTS_MASKED_PER_CPU "/sys/devices/system/cpu/cpu%u/thermal_throttle"

/* Bound onto themselves read-only. */
extern const struct default_path defaults_readonly[];
extern const size_t defaults_n_readonly;

struct default_mount {
        const char *destination, *type, *source;
        const char *options; /* separated by commas, as in the runtime specification */
        const char *why;
};
/* In the order in which they are mounted. The size of /dev/shm is an option of `run` and is not in here. */
extern const struct default_mount defaults_mounts[];
extern const size_t defaults_n_mounts;
#define DEFAULTS_SHM_SIZE (64 << 20)

struct default_device {
        const char *path; /* NULL: no node is made, the rule only permits its use */
        char type;        /* 'c' or 'b' */
        int major, minor; /* -1: any */
        mode_t mode;
        const char *access; /* of the device cgroup: letters of "rwm" */
        const char *why;
};
/* Nodes in /dev and rules of the device cgroup: everything that is not here is denied. */
extern const struct default_device defaults_devices[];
extern const size_t defaults_n_devices;

struct default_link {
        const char *path, *target;
};
extern const struct default_link defaults_links[];
extern const size_t defaults_n_links;

struct default_sysctl {
        const char *key, *value, *why;
};
/* Only in a network namespace of the container's own. */
extern const struct default_sysctl defaults_sysctls[];
extern const size_t defaults_n_sysctls;

#define DEFAULTS_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
