/* layer_skeleton.h - a tar archive without the content of its files. Only for files of this layer.
 *
 * Format (inside gzip): records {uint32 raw size, uint32 path size, uint64 content size}, little endian, each followed
 * by the raw bytes and the path: write the raw bytes, then the content of that file. */
#pragma once

#include "base/err.h"
#include "codec/stream.h"

/* Read the plain tar @from to its end and write its skeleton to @to (not finished). */
MUST_USE err *layer_skeleton_make(struct stream *from, struct sink *to);
/* Write to @to the archive whose skeleton is @skeleton and whose files are in the directory @tree_fd. The skeleton is
 * not trusted beyond naming files in there. ERR_CORRUPT when the two do not fit. */
MUST_USE err *layer_skeleton_fill(struct stream *skeleton, int tree_fd, struct sink *to);
