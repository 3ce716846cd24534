/* checkpoint_check.h - what was restored is no more than what the bundle allows. */
#pragma once

#include "runtime/checkpoint.h"

/* Look at every process in the cgroup (without cgroups: at @init) but criu's own (@criu and what descends from it),
 * while they all stand still: no capability outside of process.capabilities.bounding, a seccomp filter and no_new_privs
 * where the bundle has them, and none of the host's namespaces where the bundle has its own. ERR_DENIED. */
MUST_USE err *checkpoint_check(const struct checkpoint_container *c, pid_t init, pid_t criu);
