/* follower.h - hashes what a writer puts into its ring of bytes. Only for ring.c.
 *
 * Of a writer, a reader and this there are three, and often two processors: work that could run while a processor
 * rests is better kept until one does than shared out by time slices. So the writer hashes when it has no room, and a
 * thread of its own when the reader has nothing to do, or when there are more processors. If no thread can be had the
 * writer hashes all of it. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/digest.h"

struct follower;
/* @data: the ring, of @size bytes. @reader_rests: whether the reader waits for more. All borrowed. Nobody forks before
 * follower_end(). */
MUST_USE err *follower_start(struct digest_hasher *h, const unsigned char *data, size_t size,
                             const _Atomic bool *reader_rests, struct follower **ret);
/* The writer has written @filled bytes altogether. */
void follower_filled(struct follower *f, uint64_t filled);
/* How many of them are hashed. */
uint64_t follower_hashed(const struct follower *f);
/* Hash some of the rest, or wait until the thread has done so; false: there is no rest. */
bool follower_help(struct follower *f);
/* Everything that is there gets hashed. Consumes @f; NULL is fine. */
void follower_end(struct follower *f);
