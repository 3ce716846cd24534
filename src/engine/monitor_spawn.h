/* monitor_spawn.h - start the supervisor of a container. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"

/* Start hod-monitor for container @id (its STATE directory and conf exist). @ret_fd is the first client's connection,
 * @ret_pid the monitor, a child of ours.
 * @lock is the container's lock (container_lock()): the monitor shares it until it has started the container or failed
 * to, so that nobody takes the container for a stopped one when its starter is killed meanwhile.
 * The monitor starts with default signals, in a session of its own, with no descriptor of ours but these two. */
MUST_USE err *monitor_spawn(struct engine *e, const char *id, int lock, int *ret_fd, pid_t *ret_pid);
/* Start a monitor that takes over the running container @id and wait until it serves. ERR_TIMEOUT: it does not. */
MUST_USE err *monitor_adopt(struct engine *e, const char *id);
