/* inodes.h - a set of inodes that have several names, each with the first path seen. Only for files of this layer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

struct inodes {
        struct inode *slots;
        size_t n, room;
};
void inodes_done(struct inodes *s);
/* *@ret: the path under which the inode was seen first, or NULL: then @path (copied) is remembered. */
MUST_USE err *inodes_seen(struct inodes *s, const struct stat *st, const char *path, const char **ret);
/* Has the inode been seen? */
bool inodes_has(const struct inodes *s, const struct stat *st);
