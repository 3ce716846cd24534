/* fileout.h - files that are being written: into a directory, or as a tar archive. What was written is taken back if it
 * is not finished; what was there before stays. Archives depend on their content only: no clock, no user. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/stream.h"
#include "engine/fileset.h"

struct fileout;
/* An archive to @fd (borrowed): a pipe, or any file. */
MUST_USE err *fileout_open_stream(int fd, struct fileout **ret);
/* An archive as the file @path, which appears, or is replaced, at the end. Nothing is left of one that is not finished,
 * not even if we are killed (on a file system without O_TMPFILE the next one there removes it). ERR_INVALID (no regular
 * file), ERR_SYS. */
MUST_USE err *fileout_open_file(const char *path, struct fileout **ret);
/* The same for bytes that the caller writes himself, to fileout_fd(): nothing is added to it, it is only finished. */
MUST_USE err *fileout_open_bytes(const char *path, struct fileout **ret);
/* Borrowed. */
int fileout_fd(const struct fileout *o);
/* The directory @path, made if need be. What killed ones left half written in it goes. */
MUST_USE err *fileout_open_dir(const char *path, struct fileout **ret);
/* Takes everything back unless it was finished. */
void fileout_free(struct fileout *o);
DEFINE_CLEANUP(struct fileout *, fileout_free)

struct progress;
/* Tell it how much of which blob is written; it says whether to go on. Borrowed; may be NULL. */
void fileout_watch(struct fileout *o, const struct progress *progress);
/* The directory's descriptor, borrowed; -1 for an archive. */
int fileout_dir(const struct fileout *o);
MUST_USE err *fileout_mkdir(struct fileout *o, const char *name);
/* A document. In a directory it replaces the one of this name when everything is finished. */
MUST_USE err *fileout_put(struct fileout *o, const char *name, const char *data, size_t size);
/* What says of a directory what it is: there from the start, so that one that is killed can be gone on with. An archive
 * has none. */
MUST_USE err *fileout_mark(struct fileout *o, const char *name, const char *data, size_t size);
/* A blob from a file that is known to be sound, by the fastest way there is. One that is there already stays. */
MUST_USE err *fileout_copy(struct fileout *o, const char *name, const struct fileset_file *from);
/* A blob of exactly @size bytes with this digest, else ERR_CORRUPT or ERR_DIGEST. */
MUST_USE err *fileout_pump(struct fileout *o, const char *name, uint64_t size, const struct digest *digest,
                           struct stream *from);
/* Is there a file @name of @size bytes already (in a directory)? */
bool fileout_has(const struct fileout *o, const char *name, uint64_t size);
MUST_USE err *fileout_finish(struct fileout *o);
