/* cleanup.h - what has to happen when a container has ended: record how, or remove it; drop its run directory.
 * Done by whoever notices first: the waiting `hod run`, `hod internal cleanup` started by the monitor, or the next
 * command that meets the container. Idempotent: a crash in the middle leaves work for the next. */
#pragma once

#include "base/err.h"
#include "engine/container.h"

/* Clean up after @c if it has ended; a living one is left alone. */
MUST_USE err *cleanup_container(struct container *c);
/* The same by id; a container that does not exist any more is fine. */
MUST_USE err *cleanup_by_id(struct engine *e, const char *id);
/* The same with the container's lock held (see container_lock). */
MUST_USE err *cleanup_locked(struct container *c);
/* End the run of @c (whose lock is held), which has ended or failed, but keep the container, --rm or not. */
MUST_USE err *cleanup_keep(struct container *c);
/* Tell the monitor at @fd that its container has been cleaned up, and leave with it what takes time to close. */
void cleanup_tell(int fd);
/* A monitor that was killed could not remove the container's cgroup: do it, unless a monitor lives. */
void cleanup_cgroup(const struct container *c);
/* Note durably that the container was started in this boot. */
MUST_USE err *cleanup_mark_started(struct container *c);
/* A start failed with @e (borrowed): keep that in the record, or remove an --rm container. */
void cleanup_start_failed(struct container *c, const err *e);
/* Remove everything that belongs to the ended container @c: snapshot, run directory, anonymous volumes if @volumes,
 * record. The container's lock is held. */
MUST_USE err *cleanup_delete(struct container *c, bool volumes);
