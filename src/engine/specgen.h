/* specgen.h - a container's record becomes an OCI runtime spec (config.json). Pure translation: what docker's engine
 * does between the API and runc. Nothing is created here; the mounts were resolved by mounts.c. */
#pragma once

#include "base/err.h"
#include "codec/json.h"

/* What is known only at start. All borrowed. */
struct specgen_start {
        const char *net_path, *ipc_path, *pid_path; /* namespaces of other containers to join, or NULL */
        const char *shm_source;                     /* directory to bind on /dev/shm with ipc_path, or NULL */
        const char *cgroup;                         /* cgroupsPath */
        const char *root_path;                      /* root.path; the monitor passes a descriptor instead */
        const char *init_path;                      /* the static hod-init for --init, or NULL */
        char *const *env;                           /* more variables: of links; may be NULL */
        int seccomp_fd;     /* directory of compiled filters: the default profile is left out when it is there; or -1 */
        char *seccomp_name; /* [SECCOMP_DEFAULT_NAME_MAX], set to the name of the default profile's filter, or to ""
                               when another profile or none is wanted; NULL: always the whole profile */
};

/* Translate @record. The user stays symbolic: the builder resolves it inside the root (monitor/user.h).
 * Errors: ERR_INVALID (a value that only now can be checked), ERR_SYS (a device or a seccomp profile). */
MUST_USE err *specgen(const json *record, const struct specgen_start *start, json **ret);

/* Parts, in files of their own. */
MUST_USE err *specgen_mounts(json *spec, const json *record, const struct specgen_start *start);
MUST_USE err *specgen_resources(json *spec, const json *record);
MUST_USE err *specgen_devices(json *spec, const json *record);

/* Where --init's program is mounted inside. */
#define SPECGEN_INIT_PATH "/sbin/hod-init"
/* linux.<key> objects. */
static inline json *specgen_linux(json *spec)
{
        return json_sub_object(spec, "linux");
}
/* docker's fourteen: AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID
 * SETPCAP SETUID SYS_CHROOT. Bit n is capability n of linux/capability.h. */
#define SPECGEN_DEFAULT_CAPS 0x00000000a80425fbull
/* The capabilities of @host (defaults, CapAdd, CapDrop, Privileged) as a set. */
MUST_USE err *specgen_caps(const json *host, uint64_t *ret);
