/* partial.h - blobs that are being received: ROOT/partial/<hex>, locked by whoever does it until they are published.
 *
 * A file that nobody has locked is what an interrupted fetch left; the next one continues it. The lock is also taken to
 * unpack a blob that is here, so that two never unpack the same one. Only for files of this layer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

/* Seconds after which what an interrupted fetch left is no longer worth its space: a week. */
#define PARTIAL_AGE (7 * 24 * 3600)

/* Lock the partial blob @digest, making it if needed. *@ret_fd: open for reading and writing; -1: somebody else has it.
 */
MUST_USE err *partial_try(struct store *s, const char *digest, int *ret_fd);
/* Move it to the blobs, where an equal one may be already. Synced before. */
MUST_USE err *partial_publish(struct store *s, const char *digest);
/* Remove it. The caller has its lock, or is alone. */
void partial_drop(struct store *s, const char *digest);
/* Remove those that nobody has locked and that were last written @age_s seconds ago or earlier.
 * @ret_bytes (may be NULL) is added to. */
MUST_USE err *partial_gc(struct store *s, int64_t age_s, uint64_t *ret_bytes);
