/* systemd_ops.h - the systemd cgroup driver: a container's cgroup as a scope. What hodrun needs of it is declared in
 * runtime.h (runtime_unit_*) and implemented here, too. */
#pragma once

#include "runtime/runtime.h"
#include "sys/cgroup.h"

/* Let systemd make the scope of @u with @pid in it, then set the limits of @spec on @cgroup, where it has to be.
 * @ret_made, also after a failure: there may be something to stop. ERR_SYS, ERR_CONFLICT (the unit lives already, and
 * is not ours to stop), ERR_INVALID, ERR_DENIED. */
MUST_USE err *systemd_ops_enter(const struct runtime_unit *u, const struct cgroup_layout *l, const char *cgroup,
                                const struct oci_spec *spec, pid_t pid, bool *ret_made);
/* Bring @pid into the living scope (or its cgroup @sub, NULL = none), from wherever it is: systemd may do what we may
 * not. */
MUST_USE err *systemd_ops_attach(const struct runtime_unit *u, const char *sub, pid_t pid);
