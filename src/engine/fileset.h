/* fileset.h - named files that travel together: a directory, or a tar archive that is never unpacked.
 *
 * An archive in a seekable, uncompressed file is used where it is; any other (a pipe, a compressed file) goes in one
 * pass into a file without a name. Names are only ever compared with an archive's: they are no paths. In a directory
 * they are looked up beneath it, without following links. Links, devices and the like are refused: an archive must not
 * decide which of the machine's files are read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/stream.h"

struct fileset;
/* @dirfd: consumed on success. */
MUST_USE err *fileset_open_dir(int dirfd, struct fileset **ret);
/* @fd: any open file, borrowed. @spool_dirfd: a directory that can hold a copy. ERR_CORRUPT (no tar, truncated, two
 * files of one name), ERR_UNSAFE_PATH (links, odd names), ERR_LIMIT, ERR_SYS (disk full). */
MUST_USE err *fileset_open_archive(int fd, int spool_dirfd, struct fileset **ret);
void fileset_free(struct fileset *f);
DEFINE_CLEANUP(struct fileset *, fileset_free)

/* The error if there is something in the archive that must not be in one. (Told only when it is known to be an image.)
 */
MUST_USE err *fileset_check(struct fileset *f);
bool fileset_has(const struct fileset *f, const char *name);

/* A file, readable by pread(2) from several processes. */
struct fileset_file {
        int fd;
        uint64_t offset, size; /* where it is in @fd */
        bool owned;
};
void fileset_file_done(struct fileset_file *file);
#define _cleanup_file_ __attribute__((cleanup(fileset_file_done)))
/* ERR_NOT_FOUND "there is no manifest.json", ERR_UNSAFE_PATH. */
MUST_USE err *fileset_open(const struct fileset *f, const char *name, struct fileset_file *ret);
/* From @at on. Takes the descriptor over on success if it is owned. */
MUST_USE err *fileset_stream(struct fileset_file *file, uint64_t at, struct stream **ret);
/* A whole document of at most @max bytes, NUL-terminated, owned. ERR_LIMIT. */
MUST_USE err *fileset_read(const struct fileset *f, const char *name, size_t max, char **ret, size_t *ret_size);
