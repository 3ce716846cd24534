/* stream.h - byte pipelines: fd -> hasher -> inflater -> hasher -> tar reader, and the way back, without temporary
 * files.
 *
 * A stream is pulled, a sink is pushed. Each stage owns the one behind it: freeing the front frees the whole chain.
 * An open function consumes the stage it is given only on success. Memory is bounded (about 128 KB a stage; zstd: its
 * window, at most 128 MB). After an error a stage may only be freed. Nothing here is thread-safe. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/digest.h"

#define STREAM_CHUNK (128u << 10) /* a good size for reads and writes */

struct stream {
        /* Up to @size bytes (> 0) into @data. *@ret is 0 only at the end, and stays 0 then. */
        err *(*read)(struct stream *s, void *data, size_t size, size_t *ret);
        void (*free)(struct stream *s);
        /* The same without a copy, or NULL: *@ret is borrowed until the stream is used again. */
        err *(*lend)(struct stream *s, size_t max, const void **ret, size_t *ret_size);
};

static inline MUST_USE err *stream_read(struct stream *s, void *data, size_t size, size_t *ret)
{
        return s->read(s, data, size, ret);
}
static inline void stream_free(struct stream *s)
{
        if (s)
                s->free(s);
}
DEFINE_CLEANUP(struct stream *, stream_free)

/* Read until @size bytes are there or the end is reached. */
MUST_USE err *stream_read_full(struct stream *s, void *data, size_t size, size_t *ret);
/* Read and forget everything to the end: hashers then have seen every byte, and inflaters have checked their sums. */
MUST_USE err *stream_drain(struct stream *s);

/* Sources. @fd and @data are borrowed and must outlive the stream. A pipe or socket is fine. */
MUST_USE err *stream_open_fd(int fd, struct stream **ret);
MUST_USE err *stream_open_memory(const void *data, size_t size, struct stream **ret);

/* Let the bytes of @below pass and hash them. @h is borrowed. */
MUST_USE err *stream_open_hash(struct stream *below, struct digest_hasher *h, struct stream **ret);
/* Let at most @max bytes pass: then ERR_LIMIT "@what is larger than ...". @what is borrowed. */
MUST_USE err *stream_open_limit(struct stream *below, uint64_t max, const char *what, struct stream **ret);
/* Decompress. Several members or frames in a row are one text. ERR_CORRUPT when the input is damaged, truncated or
 * followed by garbage (zeros are padding). ERR_UNSUPPORTED when the library is missing. See gzip.h, zstd.h, xz.h,
 * bzip2.h.
 */
MUST_USE err *stream_open_gunzip(struct stream *below, struct stream **ret);
MUST_USE err *stream_open_unzstd(struct stream *below, struct stream **ret);
MUST_USE err *stream_open_unxz(struct stream *below, struct stream **ret);
MUST_USE err *stream_open_unbzip2(struct stream *below, struct stream **ret);

enum stream_format { STREAM_PLAIN, STREAM_GZIP, STREAM_ZSTD, STREAM_XZ, STREAM_BZIP2 };
const char *stream_format_name(enum stream_format format); /* "none", "gzip", "zstd", "xz", "bzip2" */
/* Look at the first bytes and decompress accordingly; anything unknown passes unchanged. lz4, compress and their like
 * are refused by name with ERR_UNSUPPORTED. @ret_format may be NULL. */
MUST_USE err *stream_open_auto(struct stream *below, enum stream_format *ret_format, struct stream **ret);

struct sink {
        err *(*write)(struct sink *s, const void *data, size_t size);
        /* Everything was written: flush, write trailers, and finish the stage behind. Once. */
        err *(*finish)(struct sink *s);
        void (*free)(struct sink *s);
        /* Both or neither: a place (> 0 bytes) for the next bytes, until the sink is used again; and how many of them
         * were put there. */
        err *(*lend)(struct sink *s, void **ret, size_t *ret_size);
        err *(*filled)(struct sink *s, size_t size);
};

static inline MUST_USE err *sink_write(struct sink *s, const void *data, size_t size)
{
        return s->write(s, data, size);
}
static inline MUST_USE err *sink_finish(struct sink *s)
{
        return s->finish(s);
}
static inline void sink_free(struct sink *s)
{
        if (s)
                s->free(s);
}
DEFINE_CLEANUP(struct sink *, sink_free)

/* Write to @fd (borrowed; not fsynced, not closed). */
MUST_USE err *sink_open_fd(int fd, struct sink **ret);
/* Forget the bytes: to learn a digest or a size only. */
MUST_USE err *sink_open_null(struct sink **ret);
/* Hash what passes (before the bytes reach @below). @h is borrowed. */
MUST_USE err *sink_open_hash(struct sink *below, struct digest_hasher *h, struct sink **ret);
/* Compress; @level 0 means a good default (fast: layers are written once and mostly stay local). The same input gives
 * the same output with the same library only: record the digest, never expect it. */
MUST_USE err *sink_open_gzip(struct sink *below, int level, struct sink **ret);
MUST_USE err *sink_open_zstd(struct sink *below, int level, struct sink **ret);

/* Pump @from to its end into @to (without finishing it). @ret_size may be NULL. */
MUST_USE err *stream_copy(struct stream *from, struct sink *to, uint64_t *ret_size);
