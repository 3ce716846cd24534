/* cgroup_ops.h - the bridge from the specification (oci) to the kernel's cgroups (sys): neither layer sees the other.
 * The operations by path that runtime.h declares are implemented in cgroup_ops.c, too. */
#pragma once

#include "base/err.h"
#include "oci/spec.h"
#include "sys/cgroup.h"

/* Make the cgroup @path and set the limits of @r. On failure nothing is left. Errors as cgroup_create, cgroup_apply. */
MUST_USE err *cgroup_ops_create(const struct cgroup_layout *l, const char *path, const struct oci_resources *r);
/* Set the limits of @r on an existing cgroup. */
MUST_USE err *cgroup_ops_apply(const struct cgroup_layout *l, const char *path, const struct oci_resources *r);
