/* lowers.h - looking into a stack of layers as overlayfs would: whiteouts, opaque directories, files over directories.
 * Layers never change, so paths below them need no care about races; symlinks are never followed. Only for this layer.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"

struct lowers {
        int *fds; /* topmost first */
        size_t n;
};
void lowers_done(struct lowers *l);
#define _cleanup_lowers_ __attribute__((cleanup(lowers_done)))
/* @paths: directories of layers, topmost first. */
MUST_USE err *lowers_open(char *const *paths, struct lowers *ret);

/* The layers that contribute to one directory, topmost first. */
struct lowers_view {
        unsigned short *index;
        size_t n;
};
/* View of the root directory. */
MUST_USE err *lowers_root(const struct lowers *l, struct lowers_view *ret);
/* View of the directory @path (relative, "a/b"), whose parent's view is @parent. Empty if there is none. */
MUST_USE err *lowers_enter(const struct lowers *l, const struct lowers_view *parent, const char *path,
                           struct lowers_view *ret);
void lowers_view_done(struct lowers_view *v);
/* What is visible as @path in the directory with view @dir? *@ret_layer is the layer's number, -1: nothing is. */
MUST_USE err *lowers_stat(const struct lowers *l, const struct lowers_view *dir, const char *path, struct stat *ret,
                          int *ret_layer);
/* The same for a path of several components, from the root. A component that is not a directory: nothing is visible. */
MUST_USE err *lowers_find(const struct lowers *l, const char *path, struct stat *ret, int *ret_layer);
/* Names visible in the directory @path with view @v, sorted; owned. */
MUST_USE err *lowers_names(const struct lowers *l, const struct lowers_view *v, const char *path, char ***ret);

/* Overlayfs' mark of a file that is gone: a character device 0:0. */
bool lowers_is_whiteout(const struct stat *st);
/* Has the directory @path (below @fd, "" = itself) the mark of overlayfs? */
bool lowers_is_opaque(int fd, const char *path);
