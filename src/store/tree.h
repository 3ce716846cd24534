/* tree.h - walking and copying directory trees that somebody else may be changing meanwhile.
 *
 * By descriptor, a bounded number of them however deep it goes; symlinks are never followed, mount points never
 * crossed. Names are visited sorted, so that the same tree gives the same order. Only for files of this layer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

struct tree_entry {
        const char *path; /* from the top, without a leading slash; "" is the top itself */
        const char *name; /* its last component, below dir_fd */
        int dir_fd;
        int fd; /* of a directory itself, open for reading its attributes only; of a file, see below; -1: none */
        struct stat st;
        bool mount_point; /* a directory on which something is mounted: it is not entered */
};

struct tree_walk {
        /* Called for each entry, a directory before its content. */
        err *(*visit)(const struct tree_entry *e, void *arg);
        /* Called after a directory's content; may be NULL. e->dir_fd is the directory itself then, e->name "". */
        err *(*leave)(const struct tree_entry *e, void *arg);
        void *arg;
        bool open_files; /* their contents are wanted, too: most regular files come with e->fd */
};

/* Walk the tree below @top_fd (a readable directory). The top itself is not visited, but left. What vanishes meanwhile
 * is skipped. ERR_LIMIT for paths beyond PATH_MAX. */
MUST_USE err *tree_walk(int top_fd, const struct tree_walk *w);

/* Names in a directory, sorted, without "." and ".."; owned. */
MUST_USE err *tree_names(int dir_fd, char ***ret);

/* Extended attributes of an open descriptor (O_PATH is fine). */
struct tree_xattr {
        char *name;
        void *value;
        size_t size;
};
struct tree_xattrs {
        struct tree_xattr *items;
        size_t n;
};
void tree_xattrs_done(struct tree_xattrs *x);
/* Without those of overlayfs and of security modules; sorted by name. */
MUST_USE err *tree_xattrs_read(int fd, struct tree_xattrs *ret);
/* Give @to what @from has. */
MUST_USE err *tree_xattrs_copy(int from, int to);
/* Have @a_name in @a and @b_name in @b, neither followed, the same? */
MUST_USE err *tree_xattrs_same(int a, const char *a_name, int b, const char *b_name, bool *ret);

enum tree_copy_flags {
        TREE_COPY_WHITEOUTS = 1 << 0, /* @to is the merged tree below: 0:0 devices and opaque directories are applied */
        TREE_COPY_REPLACE = 1 << 1,   /* what exists in @to is replaced (a copy that was interrupted) */
};
/* Copy what is in @from into the directory @to: content (reflinks where possible), owners, modes, xattrs, hardlinks,
 * nanosecond times; the top's own metadata too. */
MUST_USE err *tree_copy(int from, int to, unsigned flags);

/* Sum of the sizes of regular files, each inode once. */
MUST_USE err *tree_usage(int top_fd, uint64_t *ret);
