/* checkpoint.h - save a container's processes to files and bring them back, with CRIU (checkpoint_criu.h).
 *
 * What is restored is decided by two sides. From the image come memory, open files, and who the processes are; from the
 * bundle's config.json come the root file system, the sources of bind mounts, namespaces that are joined, the cgroup
 * and its limits. Before a restored process runs, all of them are compared with config.json (checkpoint_check.c): an
 * image gives no process more rights than the bundle does, and no mount of the bundle's fewer flags
 * (checkpoint_enforce.h). What it mounts besides is not looked at: an image is trusted like one that is run.
 *
 * Privilege: root. Errors: ERR_UNSUPPORTED (no criu, or too old), ERR_INVALID (the spec), ERR_SYS (criu says no; its
 * log is quoted through `warn`). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "oci/spec.h"
#include "runtime/runtime.h"

/* The container. */
struct checkpoint_container {
        const char *id;
        const struct oci_spec *spec;
        const char *bundle, *rootfs;     /* absolute */
        const char *cgroup;              /* below each hierarchy */
        const struct runtime_unit *unit; /* restore: systemd shall have that cgroup; or NULL */
        pid_t pid;                       /* dump: of init */
        int pidfd;
};

enum checkpoint_cgroups { /* criu's numbers */
                          CHECKPOINT_CGROUPS_IGNORE = 0,
                          CHECKPOINT_CGROUPS_SOFT = 3,
                          CHECKPOINT_CGROUPS_FULL = 4,
                          CHECKPOINT_CGROUPS_STRICT = 5,
                          CHECKPOINT_CGROUPS_DEFAULT = 6,
};
enum checkpoint_network_lock { /* criu's numbers; 0: criu's default */
                               CHECKPOINT_LOCK_DEFAULT = 0,
                               CHECKPOINT_LOCK_IPTABLES = 1,
                               CHECKPOINT_LOCK_NFTABLES = 2,
                               CHECKPOINT_LOCK_SKIP = 3,
};

struct checkpoint_options {
        int image_fd, work_fd; /* directories; work_fd -1: logs go to image_fd */
        const char *log_dir;   /* what messages call the one with the logs */
        bool tcp_established, tcp_close, ext_unix_sk, shell_job, file_locks, auto_dedup, lazy_pages;
        enum checkpoint_cgroups cgroups;
        enum checkpoint_network_lock network_lock;
        uint32_t empty_ns; /* CLONE_NEWNET */
        void (*warn)(const char *fmt, ...) PRINTF(1, 2);
        /* dump */
        bool leave_running, tcp_skip_in_flight, link_remap, pre_dump;
        const char *parent;      /* directory of the dump before, relative to image_fd; NULL = none */
        const char *page_server; /* address, NULL = none */
        int page_server_port;
        int status_fd;      /* gets a NUL byte when lazy pages can be asked for; -1 = none. Closed then. */
        char *const *stdio; /* what 0, 1, 2 of init were ("pipe:[123]"), NULL-terminated */
        /* restore */
        const char *lsm_profile, *lsm_mount_context;
        int stdio_fds[3];                        /* in the place of pipes that the container had there */
        int root_place;                          /* directory over which criu (only) sees the root file system */
        err *(*restored)(void *data, pid_t pid); /* the process is there, but does not run yet: remember it */
        void *data;
};

/* "soft", "full", "strict", "ignore"; empty is the default. ERR_INVALID. */
MUST_USE err *checkpoint_cgroups_parse(const char *text, enum checkpoint_cgroups *ret);
/* "iptables", "nftables", "skip". ERR_INVALID. */
MUST_USE err *checkpoint_network_lock_parse(const char *text, enum checkpoint_network_lock *ret);

/* Save @c. Afterwards it has ended, unless leave_running or pre_dump. */
MUST_USE err *checkpoint_dump(const struct checkpoint_container *c, const struct checkpoint_options *o);

/* Bring @c back as a child of the caller; @ret as runtime_create() gives it. On failure nothing is left. */
MUST_USE err *checkpoint_restore(const struct checkpoint_container *c, const struct checkpoint_options *o,
                                 struct runtime_process *ret);
