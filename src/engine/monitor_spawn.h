/* monitor_spawn.h - start the supervisor of a container. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"

/* Start hod-monitor for container @id (its STATE directory and conf exist). @ret_fd is the first client's connection.
 * The monitor starts with default signals, in a session of its own, with no descriptor of ours but that one. */
MUST_USE err *monitor_spawn(struct engine *e, const char *id, int *ret_fd);
/* Start a monitor that takes over the running container @id and wait until it serves. */
MUST_USE err *monitor_adopt(struct engine *e, const char *id);
