/* checkpoint_enforce.h - what is mounted in a restored container is as the bundle wants it. */
#pragma once

#include "runtime/checkpoint.h"

/* criu takes the flags of mounts from the image. Before the processes run (@init is theirs), give each mount of the
 * spec those that create would give it (those of a bind mount's source included), the root file system and
 * linux.readonlyPaths theirs, and see that linux.maskedPaths are masked. What the image has besides (further flags,
 * further mounts) stays.
 * ERR_DENIED: one of them is not there, and the container may not have unmounted it itself (no CAP_SYS_ADMIN). */
MUST_USE err *checkpoint_enforce(const struct checkpoint_container *c, pid_t init);
