/* checkpoint_check.h - what was restored is no more than what the bundle allows. */
#pragma once

#include "runtime/checkpoint.h"

/* Look at every process in the cgroup (without cgroups: at @init) but criu's own (@criu and what descends from it),
 * while they all stand still: no capability outside of process.capabilities.bounding, a seccomp filter and no_new_privs
 * where the bundle has them, none of the host's namespaces where the bundle has its own, and no mount namespace but
 * @init's, unless checkpoint_may_mount(). ERR_DENIED. */
MUST_USE err *checkpoint_check(const struct checkpoint_container *c, pid_t init, pid_t criu);

/* May its processes have mounted, unmounted, or made mount namespaces themselves (CAP_SYS_ADMIN)? */
bool checkpoint_may_mount(const struct checkpoint_container *c);
