/* update.h - `hod update`: change a container that exists, running or not. */
#pragma once

#include "base/err.h"
#include "engine/container.h"

/* Merge @change, members of HostConfig, into the container's; a running one has it at once, or is as it was when that
 * fails. ERR_INVALID. */
MUST_USE err *update_container(struct container *c, const json *change);
