/* archive.h - files into a tar, by descriptor. Only for files of this layer. */
#pragma once

#include "base/err.h"
#include "codec/tar.h"
#include "store/inodes.h"

struct archive {
        struct tar_writer *writer; /* borrowed */
        struct inodes seen;
};
void archive_done(struct archive *a);
#define _cleanup_archive_ __attribute__((cleanup(archive_done)))

/* Add @name of the directory @dir_fd as @path ("a/b"). Sockets, and what has vanished, are left out; further names of
 * the same file become hard links. Content is never read through a mount point or a symlink. */
MUST_USE err *archive_add(struct archive *a, int dir_fd, const char *name, const char *path);
/* What a walk has just met. */
struct tree_entry;
MUST_USE err *archive_add_seen(struct archive *a, const struct tree_entry *e);
/* Add an empty regular file @path with mode 0 and time 0 (a whiteout). */
MUST_USE err *archive_add_empty(struct archive *a, const char *path);
