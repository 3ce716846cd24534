/* ring.h - a pipe in shared memory: from the process that reads archives to the one that unpacks them. Only for files
 * of this layer.
 *
 * The writer puts its bytes where the reader uses them: nothing is copied through the kernel. The reader is not
 * trusted: it can map the data for reading only, and what it says about its progress is checked. Either side learns
 * when the other one has gone. One writer, one reader. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/stream.h"

struct ring;
/* Before the fork. */
MUST_USE err *ring_new(struct ring **ret);
void ring_free(struct ring *r);
DEFINE_CLEANUP(struct ring *, ring_free)

/* --- the writer, after the fork */
void ring_write_here(struct ring *r);
/* Have everything hashed, see follower.h, until ring_end() or ring_free(). Before the first byte. */
MUST_USE err *ring_hash(struct ring *r, struct digest_hasher *h);
/* Room for at least one byte, when there is some. ERR_SYS EPIPE: the reader has gone. */
MUST_USE err *ring_reserve(struct ring *r, void **ret, size_t *ret_size);
/* @size bytes of it are filled. */
void ring_commit(struct ring *r, size_t size);
MUST_USE err *ring_write(struct ring *r, const void *data, size_t size);
/* Nothing follows; everything is hashed. */
void ring_end(struct ring *r);

/* --- the reader, after the fork */
MUST_USE err *ring_read_here(struct ring *r);
/* Its descriptors, and that they have got other numbers, from @first on. */
#define RING_FDS 3
void ring_fds(const struct ring *r, int ret[RING_FDS]);
void ring_moved(struct ring *r, int first);
/* The bytes as a stream that lends (see stream.h); it ends early when the writer goes. Freeing it frees nothing. */
struct stream *ring_stream(struct ring *r);
