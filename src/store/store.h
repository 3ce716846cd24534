/* store.h - everything that hod keeps on disk: images, layers, containers' directories and records, volumes.
 *
 *   ROOT   (/var/lib/hod)  state.db  lock  images.lock  blobs/sha256/<hex>  layers/<chain hex>/diff
 *                          containers/<id>/{upper,work} or {rootfs}  volumes/<name>/_data  tmp/
 *   STATE  (/run/hod)      run.db  lock  boot, root (links: text = boot id, ROOT)  pending/<id>  containers/<id>/
 *                          names/  seccomp/
 *
 * state.db is what a reboot must keep; it is written rarely, always durably, always under ROOT/lock, and nobody reads
 * it on the hot path: run.db holds a copy of it beside its own (volatile) rows, and remembers which version of state.db
 * it copied (the file change counter in the first page). So a command reads one database, and `run --rm` writes one, on
 * a tmpfs. See docs/decisions and db.h.
 *
 * Lock order: container (engine) → images.lock → ROOT/lock → STATE/lock. None is held when a function here returns,
 * except the lease of pending_begin() and of a living `struct image`, which is images.lock shared: no image, layer or
 * volume disappears while somebody is making a container from it.
 *
 * One thread, one `struct store` for each process. Nothing is opened before it is needed: opening costs some ten system
 * calls. A crash at any instruction leaves the old or the new state; leftovers are removed by later commands.
 * Privilege: root. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

struct store;

struct store_options {
        const char *root;   /* absolute */
        const char *state;  /* absolute */
        const char *driver; /* "overlay", "btrfs", "fuse-overlayfs", "vfs", or NULL = the best that works */
};

/* Open both directories, making them (0700) if needed. What an earlier boot left in STATE is void and is reset here.
 * Errors: ERR_DENIED (not root), ERR_SYS (cannot be made or written), ERR_INVALID (relative path, unknown driver),
 * ERR_CONFLICT (ROOT is in use with another STATE, or STATE with another ROOT), ERR_UNSUPPORTED (written by a newer
 * hod). */
MUST_USE err *store_open(const struct store_options *o, struct store **ret);
void store_close(struct store *s);
DEFINE_CLEANUP(struct store *, store_close)
#define _cleanup_store_ __attribute__((cleanup(store_closep)))

/* The two paths, without a trailing slash; borrowed. */
const char *store_root(const struct store *s);
const char *store_state(const struct store *s);
/* Descriptors of the two directories, and of the containers' directories below them; borrowed. */
int store_root_fd(const struct store *s);
int store_state_fd(const struct store *s);
MUST_USE err *store_containers_fd(struct store *s, int *ret_fd);       /* ROOT/containers */
MUST_USE err *store_state_containers_fd(struct store *s, int *ret_fd); /* STATE/containers */

/* Remove what crashed commands left: unpublished downloads, unreferenced layers and blobs, containers' directories
 * without a record. Waits for commands that use an image. @ret_bytes (may be NULL): how much was freed, about. */
MUST_USE err *store_gc(struct store *s, uint64_t *ret_bytes);
/* The same, and all that interrupted downloads left, however new; not what is being downloaded. */
MUST_USE err *store_prune(struct store *s, uint64_t *ret_bytes);
