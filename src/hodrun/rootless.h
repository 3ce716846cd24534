/* rootless.h - what is different for who is not root: where state is kept, cgroups that may not be made, and finding
 * the processes of a container that has none. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "hodrun/state.h"

/* ROOT when nobody names one: below XDG_RUNTIME_DIR for who is not root of the machine, as with runc. */
const char *rootless_root(void);
/* --rootless: are failures of permission with cgroups to be ignored? ERR_USAGE. */
MUST_USE err *rootless_cgroups(const char *option, bool *ret);
/* Processes of a container: those of its cgroup or, without one, of its PID namespace. Owned by the caller. */
MUST_USE err *rootless_pids(const struct state *s, pid_t **ret, size_t *ret_n);
/* Send @signal to those of a container without a cgroup. */
MUST_USE err *rootless_kill(const struct state *s, int signal);
