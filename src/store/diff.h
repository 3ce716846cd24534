/* diff.h - what a container changed: its writable layer against its image, and as a layer tar. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "codec/stream.h"
#include "codec/tar.h"
#include "store/image.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "store/watch.h"

enum diff_kind { DIFF_CHANGED = 'C', DIFF_ADDED = 'A', DIFF_DELETED = 'D' };

struct diff_entry {
        enum diff_kind kind;
        bool opaque;       /* a directory that hides what the image has below it */
        bool under_opaque; /* deleted because of that: needs no whiteout of its own */
        bool name_only;    /* itself unchanged; a hard link of something changed, which must stay one in a layer */
        char *path;        /* absolute in the container */
};
struct diff_list {
        struct diff_entry *items;
        size_t n;
};
void diff_list_done(struct diff_list *l);
#define _cleanup_diff_list_ __attribute__((cleanup(diff_list_done)))

/* By path, what is in a directory directly after it. */
void diff_list_sort(struct diff_list *l);

/* What @new has that @old has not, and the other way round: sorted, directories on the way to a change are C. @old
 * NULL:
 * @new without its topmost layer. Found in the layers; nothing is mounted or run. */
MUST_USE err *image_diff(const struct image *new, const struct image *old, struct diff_list *ret);

/* docker diff: sorted by path; directories on the way to a change are C (name_only ones are not shown to people). The
 * container may run. */
MUST_USE err *diff_changes(const struct snapshot *snap, struct diff_list *ret);

/* The same, one after the other, in the order that an archive has them; those that are under_opaque come anywhere. @at:
 * where the entry is in the tree, NULL: look for it yourself. What @each returns ends it. */
struct tree_entry;
MUST_USE err *diff_each(const struct snapshot *snap,
                        err *(*each)(void *arg, const struct diff_entry *e, const struct tree_entry *at), void *arg);

/* Write the changes to @sink (not finished) as an OCI layer tar: whiteouts are .wh. files, opaque directories hold
 * .wh..wh..opq, hardlinks within the layer stay, xattrs and nanoseconds in pax records, sockets are left out. Sorted:
 * the same changes give the same bytes. @watch (may be NULL): see tar.h. *@ret_empty (may be NULL): there were no
 * changes. */
MUST_USE err *diff_write_layer(const struct snapshot *snap, struct sink *sink, const struct tar_watch *watch,
                               bool *ret_empty);

/* Write the tree @root_fd (a mounted root file system, or a directory) to @fd as a plain tar, sorted, for `export`.
 * Stays on the tree's file system: mounts inside are written as empty directories. @watch may be NULL. */
MUST_USE err *diff_write_tree(int root_fd, int fd, const struct watch *watch);
