/* container.h - one container as it is now: its record, and what its monitor says.
 *
 * The record (database) holds docker's inspect document: what was asked for, and how the last run ended. While the
 * container lives the truth is the status file that its monitor writes. container_refresh() puts both together:
 *
 *   status of this boot, monitor alive              → the status
 *   status of this boot, monitor dead, init alive   → the status; `adoptable` (container_adopt() before using it)
 *   status of this boot, both dead                  → exited; the exit is unknown unless the status says it
 *   no status, record says "started in another boot" → exited 255 (the machine went down)
 *   no status otherwise                             → the record
 *
 * An ended container whose cleanup nobody did is `dirty`: cleanup.h mends it. */
#pragma once

#include <stdbool.h>

#include "base/id.h"
#include "engine/engine.h"
#include "monitor/status.h"

struct container {
        struct engine *engine; /* borrowed */
        char *id;
        char *name; /* without the slash */
        int64_t created_ns;
        bool durable; /* record in state.db, else in run.db */
        json *record; /* docker's inspect document; NULL: see container_find_monitor() */
        int state_fd; /* STATE/containers/<id>, or -1 when there is none */
        enum status_state state;
        struct status status; /* valid when has_status */
        bool has_status, monitor_alive, adoptable, dirty;
};

void container_free(struct container *c);
DEFINE_CLEANUP(struct container *, container_free)
#define _cleanup_container_ __attribute__((cleanup(container_freep)))

/* Find by exact name, id or unique id prefix and refresh. ERR_NOT_FOUND "No such container: x"; ERR_CONFLICT when a
 * prefix fits several. */
MUST_USE err *container_find(struct engine *e, const char *ref, struct container **ret);
/* The same for who needs no more than a running container's monitor: one that is given by its whole name is found
 * without the database, and then has no record (NULL). */
MUST_USE err *container_find_monitor(struct engine *e, const char *ref, struct container **ret);
/* All containers, newest first, refreshed. */
struct container_list {
        struct container **items; /* owned, with what they point to */
        size_t n;
};
void container_list_done(struct container_list *l);
#define _cleanup_container_list_ __attribute__((cleanup(container_list_done)))
MUST_USE err *container_list(struct engine *e, struct container_list *ret);

/* Read the status again. */
MUST_USE err *container_refresh(struct container *c);
/* Read the record and the status again: others may have changed or removed (ERR_NOT_FOUND) the container while we
 * waited for its lock. */
MUST_USE err *container_reload(struct container *c);

static inline bool container_is_running(const struct container *c)
{
        return c->state == STATUS_RUNNING || c->state == STATUS_PAUSED;
}
static inline bool container_is_alive(const struct container *c)
{
        return container_is_running(c) || c->state == STATUS_RESTARTING;
}
/* Of its record: --rm, Config, HostConfig. Borrowed. */
bool container_auto_remove(const struct container *c);
const json *container_config(const struct container *c);
const json *container_host_config(const struct container *c);

/* docker's State object as of the last refresh. */
MUST_USE err *container_state_json(const struct container *c, json **ret);
/* "Up 3 minutes (Paused)", "Exited (0) 2 seconds ago", "Created" */
MUST_USE err *container_status_text(const struct container *c, char **ret);

/* Connect to the monitor; adopts a container whose monitor has died. ERR_NOT_RUNNING "container <id> is not running"
 * when it has ended. */
MUST_USE err *container_connect(struct container *c, int *ret_fd);

/* Lock the container's operations (start, cleanup, remove) until the descriptor is closed. Makes STATE/containers/<id>
 * if @create; without, -1 is given when it does not exist. */
MUST_USE err *container_lock(struct container *c, bool create, int *ret_fd);
/* Lock it whether it runs or not, and read it as it is now. container_unlock() removes the directory again that only
 * the lock has made. ERR_NOT_FOUND: it was removed meanwhile. */
MUST_USE err *container_lock_reload(struct container *c, int *ret_lock);
void container_unlock(struct container *c, int lock);

/* Write the record back. */
MUST_USE err *container_save(struct container *c);
/* Absolute path of its cgroup below each hierarchy, owned by the caller; NULL when out of memory. */
char *container_cgroup(const struct container *c);
/* Boot id of this boot, read once. */
const char *container_boot_id(void);
