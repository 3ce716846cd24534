/* engine.h - the operations of the engine: what the command line and the HTTP API translate to.
 *
 * An engine is a store (ROOT), a state directory (STATE) and the programs beside it. Nothing runs between two calls:
 * every operation works on the shared on-disk state and on the containers' monitors.
 * A container's record is docker's inspect document without what changes while it runs; record + status file = truth
 * (see container.h).
 * Lock order: container (by id) → store → database; none is held while waiting for a process or a person. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "codec/json.h"
#include "store/store.h"

struct engine_options {
        const char *root;    /* ROOT, absolute */
        const char *state;   /* STATE, absolute */
        const char *self;    /* the hod program, for `internal cleanup`; absolute */
        const char *monitor; /* hod-monitor; absolute; hod-init lies beside it */
        const char *driver;  /* storage driver or NULL = the best that works */
};

struct networks; /* net/network.h */

struct engine {
        struct store *store;
        char *root, *state, *self, *monitor, *init;
        struct networks *networks; /* opened when first needed */
        int containers_fd;         /* STATE/containers; the store's */
        int rw_fd;                 /* ROOT/containers; the store's */
};

/* Open the engine. Errors: ERR_DENIED (not root), ERR_SYS (a directory cannot be made or written). */
MUST_USE err *engine_open(const struct engine_options *o, struct engine **ret);
void engine_close(struct engine *e);
DEFINE_CLEANUP(struct engine *, engine_close)
#define _cleanup_engine_ __attribute__((cleanup(engine_closep)))
