/* layer_skeleton.h - a tar archive without the content of its files. Only for files of this layer.
 *
 * Format (inside gzip): records {uint32 raw size, uint32 path size, uint64 content size}, little endian, each followed
 * by the raw bytes and the path: write the raw bytes, then the content of that file. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/stream.h"
#include "codec/tar.h"

/* A skeleton that is written while its archive is unpacked. @to is borrowed. */
struct skeleton;
MUST_USE err *skeleton_new(struct sink *to, struct skeleton **ret);
void skeleton_free(struct skeleton *s);
DEFINE_CLEANUP(struct skeleton *, skeleton_free)
/* Is the content of @entry left out? All others' is given to skeleton_raw(), too. */
bool skeleton_wants(const struct tar_entry *entry);
/* Bytes of the archive; @arg is the skeleton: fits tar_reader_watch() and struct tar_watch. */
MUST_USE err *skeleton_raw(void *arg, const void *data, size_t size);
/* Here @size bytes follow that will be the file @path of the tree. */
MUST_USE err *skeleton_content(void *arg, const char *path, uint64_t size);
/* The archive ends here. Does not finish the sink. */
MUST_USE err *skeleton_end(struct skeleton *s);

/* Read the plain tar @from to its end and write its skeleton to @to (not finished). */
MUST_USE err *layer_skeleton_make(struct stream *from, struct sink *to);
/* Write to @to the archive whose skeleton is @skeleton and whose files are in the directory @tree_fd. The skeleton is
 * not trusted beyond naming files in there. ERR_CORRUPT when the two do not fit. */
MUST_USE err *layer_skeleton_fill(struct stream *skeleton, int tree_fd, struct sink *to);
