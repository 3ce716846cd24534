/* txn.h - changes of the databases, and the store's locks. Only for files of this layer.
 *
 * A durable change writes state.db and then the copy in run.db; the number that ties them together is state.db's file
 * change counter ("stamp"). If a crash separates them, the next reader or writer sees different numbers and copies
 * again. state.db is only ever touched under ROOT/lock, run.db is written under STATE/lock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/store.h"

struct snapshot_driver;

struct store {
        char *root, *state, *driver_wanted;
        char boot_id[40];
        const struct snapshot_driver *driver; /* found out when first needed */
        int root_fd, state_fd, containers_fd, state_containers_fd;
        int root_lock_fd, state_lock_fd; /* lock files, -1 until first used */
        int lease_fd;                    /* images.lock, held shared while lease_count > 0 */
        unsigned lease_count;
        bool exclusive;    /* images.lock is held alone */
        int stamp_fd;      /* state.db, to read the stamp; -1 until it exists */
        int64_t synced_ns; /* when the stamps were last compared, CLOCK_MONOTONIC; 0 = never */
        struct db *run, *durable;
};

struct txn {
        struct store *store; /* NULL: not open */
        bool durable;
};

/* Begin a change. @durable: of state.db too. Commit or lose it: _cleanup_txn_ rolls back. */
MUST_USE err *txn_begin(struct store *s, bool durable, struct txn *ret);
/* Run one statement on run.db, and on state.db if the change is durable. */
#define txn_run(t, sql, ...) txn_check_((t), db_run((t)->store->run, sql, __VA_ARGS__), sql, __VA_ARGS__)
#define txn_check_(t, first, sql, ...)                                                                                 \
        ({                                                                                                             \
                err *txn_e_ = (first);                                                                                 \
                if (!txn_e_ && (t)->durable)                                                                           \
                        txn_e_ = db_run((t)->store->durable, sql, __VA_ARGS__);                                        \
                txn_e_;                                                                                                \
        })
MUST_USE err *txn_commit(struct txn *t);
void txn_done(struct txn *t);
#define _cleanup_txn_ __attribute__((cleanup(txn_done)))

/* run.db for reading, known to be in step with state.db. */
MUST_USE err *txn_reader(struct store *s, struct db **ret);

/* The lease: images, layers and volumes stay while anybody holds one. Counted within the process. */
MUST_USE err *txn_lease(struct store *s);
void txn_unlease(struct store *s);
/* Alone with the store: waits until nobody else holds a lease. Not nested. */
MUST_USE err *txn_exclusive(struct store *s);
/* The same if nobody has one now; not while we hold one. */
bool txn_exclusive_try(struct store *s);
void txn_exclusive_end(struct store *s);
static inline void txn_exclusive_endp(struct store **s)
{
        if (*s)
                txn_exclusive_end(*s);
}
#define _cleanup_exclusive_ __attribute__((cleanup(txn_exclusive_endp)))

/* ROOT/lock and STATE/lock, for what is not in a database. txn_begin() must not be called in between. */
MUST_USE err *txn_lock_all(struct store *s);
void txn_unlock_all(struct store *s);
