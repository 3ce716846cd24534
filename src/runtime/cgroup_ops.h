/* cgroup_ops.h - the bridge from the specification (oci) to the kernel's cgroups (sys): neither layer sees the other.
 * The operations by path that runtime.h declares are implemented in cgroup_ops.c, too. */
#pragma once

#include "base/err.h"
#include "oci/spec.h"
#include "sys/cgroup.h"
#include "sys/systemd.h"

/* Make the cgroup @path and set the limits of @r. On failure nothing is left of ours (@ret_ours: see
 * cgroup_create_ours()). Errors as cgroup_create, cgroup_apply. */
MUST_USE err *cgroup_ops_create(const struct cgroup_layout *l, const char *path, const struct oci_resources *r,
                                bool *ret_ours);
/* Set the limits of @r on a cgroup that has just been made: devices of every container are permitted, too. */
MUST_USE err *cgroup_ops_apply_new(const struct cgroup_layout *l, const char *path, const struct oci_resources *r);
/* The same limits in systemd's words, for @version of it. @is_new: as cgroup_ops_apply_new(), else cgroup_ops_apply(),
 * which would refuse what is below the use of @path. */
MUST_USE err *cgroup_ops_properties(const struct cgroup_layout *l, const char *path, const struct oci_resources *r,
                                    bool is_new, int version, struct systemd_props *p);
/* A word for the first limit that @r asks for, or NULL: nothing of it needs a cgroup. (Device rules are no limit.) */
const char *cgroup_ops_limit(const struct oci_resources *r);
/* Set the limits of @r on an existing cgroup. */
MUST_USE err *cgroup_ops_apply(const struct cgroup_layout *l, const char *path, const struct oci_resources *r);
/* The specification's "cgroup ownership": on v2, with a cgroup namespace of its own and a writable view of it, the
 * cgroup belongs to the user of the container's process. */
MUST_USE err *cgroup_ops_give(const struct cgroup_layout *l, const char *path, const struct oci_spec *spec);
