/* runtime.h - start a process in a container: the heart of hod, hodrun and hod-monitor.
 *
 * The caller is a short-lived *builder* (a fork of the monitor) or hodrun itself. The library
 *   1. checks the spec as plain data, 2. opens everything by descriptor (rootfs, mount sources, cgroup, namespaces),
 *   3. compiles it into a plan: flat arrays that need no memory and no locks, 4. clones the child, which only walks the
 *   plan (runtime/child/) and reports {step, errno, detail} over a socket pair, 5. undoes everything on failure.
 *
 * With `as_sibling` the child is cloned with CLONE_PARENT: it becomes the child of the builder's parent (the monitor),
 * which can wait for it after the builder has gone. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "oci/spec.h"

/* The systemd cgroup driver: the container's cgroup is a scope of systemd's, made and ended by it. */
struct runtime_unit {
        char *name, *slice;              /* "hodrun-<id>.scope", "system.slice" */
        bool user;                       /* of our user's manager, not the system's */
        char *runtime_dir, *bus_address; /* user: $XDG_RUNTIME_DIR, $DBUS_SESSION_BUS_ADDRESS; or NULL */
};

struct seccomp_known; /* seccomp_ops.h */
struct ahead;         /* ahead.h */

struct runtime_request {
        const char *id;
        const struct oci_spec *spec; /* checked with oci_spec_check() */
        int bundle_fd;               /* relative root.path and mount sources start here */
        int rootfs_fd;               /* detached mount (or O_PATH directory) to use instead of root.path; -1 = none */
        int stdio[3];                /* descriptors for 0, 1, 2 of the process; ignored with a terminal */
        bool fix_stdio_owner;        /* fchown pipes and FIFOs to the process' user, as runc does */
        int preserve_fds;            /* number of descriptors from 3 on to hand through */
        bool as_sibling;             /* CLONE_PARENT */
        bool relayed;                /* the caller shows the terminal's output on its own, which makes the line ends */
        bool runc_words;             /* errors say at which stage it was, in runc's words */
        bool no_pivot, no_new_keyring;
        bool no_cgroup;          /* make none; a spec that asks for limits is refused */
        bool rootless_cgroups;   /* run without a cgroup where none may be made, if none is named and no limit asked */
        const char *cgroup_path; /* below each hierarchy, e.g. "/hod/<id>"; NULL = spec's cgroupsPath or /<id> */
        const struct runtime_unit
                *unit;             /* systemd makes cgroup_path (both from runtime_unit_resolve()); NULL = we do */
        const char *seccomp_cache; /* directory of compiled filters, NULL = do not cache */
        const char *seccomp_name;  /* use (or make, if the spec has a profile) this one of them; NULL = by the spec */
        struct ahead *ahead;       /* begun by the caller (its result is taken); NULL: by us */
        struct seccomp_known *seccomp_known; /* what seccomp_ops_parse() said (its filter is taken), or NULL */
        int start_fd; /* descriptor of a FIFO that the child opens for writing and blocks on until
                         somebody reads (create/start split); -1 = start at once */
        /* Called when everything that the spec names by path is open, before there is a process: the caller's last
         * word. May be NULL. */
        err *(*opened)(void *arg);
        void *opened_arg;
        /* Called with the new network namespace of the container (a descriptor that is ours), beside what the
         * container's first process does meanwhile, and before the hooks: the program starts when this has ended. May
         * be NULL. */
        err *(*network)(void *arg, int ns);
        void *network_arg;
};

/* What now runs. Descriptors are the caller's. */
struct runtime_process {
        pid_t pid;
        int pidfd;
        int terminal_fd; /* master of the terminal, or -1 */
        char *cgroup;    /* path below the hierarchies, for status and removal */
};
void runtime_process_done(struct runtime_process *p);

/* Create the container and start its program (or stop before exec, see start_fd).
 * Privilege: CAP_SYS_ADMIN in the user namespace that owns the mounts. Errors: ERR_INVALID (spec), ERR_EXEC_NOT_FOUND,
 * ERR_EXEC_DENIED, ERR_UNSAFE_PATH, ERR_UNSUPPORTED, ERR_SYS; afterwards no process, mount or cgroup is left. */
MUST_USE err *runtime_create(const struct runtime_request *r, struct runtime_process *ret);

struct runtime_exec {
        const char *id, *bundle, *status;  /* of the container, as its seccomp listener is told */
        pid_t pid;                         /* of the container's init */
        int pidfd;                         /* of the same: what is really entered */
        const struct oci_spec *spec;       /* of the container: seccomp, LSM, defaults, namespaces */
        const struct oci_process *process; /* args, env, cwd, user, caps, rlimits, terminal of the session */
        const char *cgroup;                /* of the container; NULL or "": none */
        const struct runtime_unit *unit;   /* whose cgroup that is, if systemd has to help; or NULL */
        char *const *sub_cgroups; /* parts below it to go to, "[controller[,controller...]:]path"; NULL = none */
        int stdio[3];
        bool fix_stdio_owner;
        int preserve_fds;
        bool as_sibling, relayed, runc_words;
        const char *keyring; /* of the container: its session keyring, joined by name; NULL = keep the caller's */
        bool shared_pid;     /* others than this container's processes may be in its PID namespace, and trace */
        const char *seccomp_cache, *seccomp_name; /* as in runtime_request */
        struct seccomp_known *seccomp_known;
};
/* Start one more process inside. Errors as runtime_create(). */
MUST_USE err *runtime_exec(const struct runtime_exec *x, struct runtime_process *ret);

/* Open an overlay (fsopen/fsconfig/fsmount, with named fallbacks for older kernels) as a detached mount.
 * @lower: topmost first. @upper NULL: read only. Nothing appears in any mount table. */
struct runtime_overlay {
        char *const *lower;
        const char *upper, *work;
        bool is_volatile, readonly;
        bool limited; /* what is written through it is bound by disk quotas: it is made without CAP_SYS_RESOURCE */
};
MUST_USE err *runtime_overlay_open(const struct runtime_overlay *o, int *ret_fd);
/* The same for a plain directory: a detached, private bind mount. */
MUST_USE err *runtime_dir_open(const char *path, bool readonly, int *ret_fd);
/* What a snapshot's driver asks for: "overlay", "fuse-overlayfs" (see fuse_overlay.h), "dir" (o->lower[0]).
 * ERR_UNSUPPORTED: another, or not on this machine. */
MUST_USE err *runtime_rootfs_open(const char *driver, const struct runtime_overlay *o, int *ret_fd);

/* cgroup operations by the path that runtime_process reported. */
MUST_USE err *runtime_cgroup_freeze(const char *cgroup, bool frozen);
/* Continue everything inside, also what was stopped in cgroups that the container has made. */
void runtime_cgroup_thaw_all(const char *cgroup);
/* Kill everything inside and remove it; missing parts are fine; waits at most @timeout_ms for busy ones. */
MUST_USE err *runtime_cgroup_remove(const char *cgroup, int timeout_ms);
/* Number of OOM kills so far, 0 if unknown. */
uint64_t runtime_cgroup_oom_kills(const char *cgroup);
/* Send @signal to every process inside. */
MUST_USE err *runtime_cgroup_kill(const char *cgroup, int signal);

/* Names of the unit of @id from the spec's cgroupsPath ("slice:prefix:name"; without one it begins with @prefix) into
 * @u, whose other members are set, and the cgroup that it will have. ERR_INVALID, ERR_UNSUPPORTED; ERR_NOT_FOUND (a
 * user's manager that is not there). */
MUST_USE err *runtime_unit_resolve(const struct oci_spec *spec, const char *prefix, const char *id,
                                   struct runtime_unit *u, char **ret_cgroup);
void runtime_unit_done(struct runtime_unit *u);
/* Set limits that have changed: systemd is told, which may set them again at any time, then the unit's @cgroup gets
 * what systemd cannot say. Errors as cgroup_apply(). */
MUST_USE err *runtime_unit_update(const struct runtime_unit *u, const char *cgroup, const struct oci_resources *r);
/* Stop the unit, whose processes are dead already, and have it forgotten. A missing one is success. */
MUST_USE err *runtime_unit_stop(const struct runtime_unit *u);
