/* blob.h - documents and layers as they were received: ROOT/blobs/sha256/<hex>, read only once they are there.
 *
 * A blob is written in a staging place (layer.h), synced, and appears under its digest at once; nothing there is ever
 * changed. What keeps one: an image's config, manifest and layers, and the documents that names with a digest point at
 * (an index is kept whole). Hold a `struct image` or a `struct ingest` that needs it while reading. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

/* Open for reading from the start. ERR_NOT_FOUND, ERR_CORRUPT (@digest is none). */
MUST_USE err *blob_open(struct store *s, const char *digest, int *ret_fd, uint64_t *ret_size);
/* Is it here? (An error counts as no.) */
bool blob_exists(struct store *s, const char *digest);
/* A document of at most @max bytes, its digest verified; NUL-terminated, owned. ERR_LIMIT, ERR_CORRUPT, ERR_NOT_FOUND.
 */
MUST_USE err *blob_read(struct store *s, const char *digest, size_t max, char **ret, size_t *ret_size);

struct blob_usage {
        uint64_t count, bytes; /* all blobs */
        uint64_t partial;      /* bytes of what is being received, or was */
};
/* What the blobs take. */
MUST_USE err *blob_usage(struct store *s, struct blob_usage *ret);
