/* seccomp_ops.h - the bridge from the specification's seccomp section to sys/seccomp. */
#pragma once

#include "base/err.h"
#include "oci/spec.h"
#include "sys/seccomp.h"

/* Filter for @s through the cache directory @cache_dir (NULL = none), there under the name @name (NULL = its hash).
 * Errors as seccomp_filter_load(). */
MUST_USE err *seccomp_ops_load(const struct oci_seccomp *s, const char *cache_dir, const char *name,
                               struct seccomp_filter *ret);

/* For those who want it so (crun's annotation run.oci.seccomp_fail_unknown_syscall): an error for names of system calls
 * that nobody here knows, which are skipped otherwise. */
MUST_USE err *seccomp_ops_check_names(const struct oci_spec *s);

/* Where the listener of @s goes: listenerPath, or the annotation "run.oci.seccomp.receiver". NULL: nowhere. */
const char *seccomp_ops_receiver(const struct oci_spec *s);

/* A process that has a listener, and its container. */
struct listener_process {
        const struct oci_spec *spec;
        const char *id, *bundle, *status;
        pid_t init, pid;
};
/* Send the listener @fd with the specification's "container process state" to who is to have it.
 * ERR_SYS, ERR_TIMEOUT: nobody listens there. */
MUST_USE err *seccomp_ops_deliver(const struct listener_process *p, int fd);
