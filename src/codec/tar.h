/* tar.h - tar archives, read and written as streams. Never touches the file system: extraction is by descriptor, in the
 * store.
 *
 * Reads V7, ustar (POSIX.1-1988), pax (POSIX.1-2001), star's and old GNU's ('L', 'K', 'S') formats, base-256 numbers,
 * global pax headers (uid, gid, mtime), sparse files of GNU 'S' and pax 0.0, 0.1 and 1.0. Writes ustar, and pax where
 * that is not enough.
 *
 * Input is hostile. Everything is bounded by struct tar_limits. Where known readers (Go, GNU, libarchive) disagree
 * about what an archive contains, the archive is refused: duplicate or empty pax records, a global header that names
 * files, a long name given twice and differently, a lone zero block. Names come out as they are in the archive, without
 * final slashes: absolute ones, "..", "." and duplicates are the store's to judge; only empty names and names with NUL
 * bytes are refused here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/stream.h"

enum tar_type {
        TAR_FILE,
        TAR_HARDLINK, /* linkname is the name of an earlier entry */
        TAR_SYMLINK,
        TAR_CHAR,
        TAR_BLOCK,
        TAR_DIR,
        TAR_FIFO,
};

struct tar_xattr {
        char *name;  /* "user.x", terminated, 1..255 bytes */
        void *value; /* any bytes; NULL when empty */
        size_t size;
};

struct tar_stretch { /* one stretch of data of a sparse file */
        uint64_t offset, size;
};

struct tar_entry {
        const char *name;     /* terminated, never empty; no final slash (except "/" itself) */
        const char *linkname; /* hard links and symlinks; else "" */
        enum tar_type type;
        mode_t mode; /* permission bits 07777 only */
        uint32_t uid, gid;
        uint32_t dev_major, dev_minor; /* char and block */
        uint64_t size;                 /* logical size of a file; 0 for all others */
        int64_t mtime;                 /* seconds since 1970 */
        uint32_t mtime_ns;             /* 0..999999999 */
        const struct tar_xattr *xattrs;
        size_t n_xattrs;
        const struct tar_stretch *map; /* sparse files: the stretches that have data, ascending; else NULL */
        size_t n_map;
        bool sparse;
};

struct tar_limits {
        uint64_t max_entries;
        uint64_t max_bytes;     /* of file data stored in the archive, all entries together */
        uint64_t max_file;      /* logical size of one file */
        size_t max_name;        /* of a name or link name */
        size_t max_xattr_value; /* of one xattr */
        size_t max_xattr_total; /* of all names and values of one entry */
        size_t max_pax;         /* of one pax header, and of a sparse map kept in data */
        size_t max_map;         /* stretches of a sparse file */
        /* Accept an archive that stops at an entry's end without the end marker (two zero blocks), and without what
         * rounds the last file up to a block. Off: it counts as truncated. On for blobs whose digest is known, as
         * docker does. */
        bool missing_end_ok;
};
/* 10^7 entries, 1 TiB, names of 4095 bytes, xattrs of 64 KiB (256 KiB an entry), pax 1 MiB, 10^5 stretches. */
extern const struct tar_limits tar_limits_default;

struct tar_reader;
/* @below is borrowed and must deliver plain tar (see stream_open_auto()). NULL @limits means the default. */
MUST_USE err *tar_reader_new(struct stream *below, const struct tar_limits *limits, struct tar_reader **ret);
void tar_reader_free(struct tar_reader *r);
DEFINE_CLEANUP(struct tar_reader *, tar_reader_free)

/* Go to the next entry; data of the current one that was not read is skipped. *@ret is NULL at the end of the archive,
 * else borrowed until the next call. Errors: ERR_CORRUPT (damaged or truncated; names entry number and offset),
 * ERR_LIMIT, ERR_UNSUPPORTED (entry types nobody uses in images), ERR_NOMEM and what the stream says. */
MUST_USE err *tar_next(struct tar_reader *r, const struct tar_entry **ret);
/* The next piece of the current file's data, borrowed from the reader's buffer until the next call. *@ret_size is 0 at
 * the end. *@ret_offset is where the piece goes: sparse files have gaps, also at the end, so set the file's
 * length to entry->size. */
MUST_USE err *tar_read_data(struct tar_reader *r, const void **ret, size_t *ret_size, uint64_t *ret_offset);
/* Have everything of the archive but what tar_read_data() gives out told to @watch, in order: headers, padding, data
 * that was skipped. Before the first tar_next(). */
void tar_reader_watch(struct tar_reader *r, err *(*watch)(void *arg, const void *data, size_t size), void *arg);
/* After the last entry: read what follows the end marker, to the end of the stream. */
MUST_USE err *tar_drain(struct tar_reader *r);
/* Bytes of the archive that were consumed so far. */
uint64_t tar_reader_offset(const struct tar_reader *r);

/* The writer. The bytes depend on the entries only (xattrs are sorted, no clock, no user names): equal trees give equal
 * diff_ids. */
struct tar_writer;
/* @sink is borrowed. */
MUST_USE err *tar_writer_new(struct sink *sink, struct tar_writer **ret);
void tar_writer_free(struct tar_writer *w);
DEFINE_CLEANUP(struct tar_writer *, tar_writer_free)
/* Before the first entry: have everything but files' data told to @bytes, in order, and where the data of a file of
 * more than 0 bytes follows, that to @content. */
struct tar_watch {
        err *(*bytes)(void *arg, const void *data, size_t size);
        err *(*content)(void *arg, const char *name, uint64_t size);
        void *arg;
};
void tar_writer_watch(struct tar_writer *w, const struct tar_watch *watch);
/* Begin an entry. For TAR_FILE exactly @entry->size bytes of tar_write_data() must follow (map is ignored: holes are
 * written as zeros, see tar_write_zeros()). Directories get their final slash here. Nothing is kept of @entry.
 * Errors: ERR_INVALID (empty name, NUL, numbers that no format holds), and the sink's. */
MUST_USE err *tar_write_entry(struct tar_writer *w, const struct tar_entry *entry);
/* ERR_INVALID when it is more than the entry announced. */
MUST_USE err *tar_write_data(struct tar_writer *w, const void *data, size_t size);
/* The same without a copy: a place for the next bytes (at most so many as are missing; none only when none are), and
 * how many were put there. */
MUST_USE err *tar_write_place(struct tar_writer *w, void **ret, size_t *ret_size);
MUST_USE err *tar_write_placed(struct tar_writer *w, size_t size);
/* Zeros: holes, or the rest of a file that shrank while it was read. */
MUST_USE err *tar_write_zeros(struct tar_writer *w, uint64_t size);
/* For who copies a file's data past the writer (copy_file_range): give everything so far to the sink; then say how much
 * was copied. */
MUST_USE err *tar_write_flush(struct tar_writer *w);
MUST_USE err *tar_write_copied(struct tar_writer *w, uint64_t size);
/* The end marker. Does not finish the sink. ERR_INVALID when the last file is incomplete. */
MUST_USE err *tar_write_end(struct tar_writer *w);
