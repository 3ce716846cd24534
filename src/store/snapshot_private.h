/* snapshot_private.h - between snapshot and the rest of the store. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "store/snapshot.h"

/* Remember in the container's directory which layers it needs, because its image's record goes away. */
MUST_USE err *snapshot_note_layers(struct store *s, const char *id, const struct image *image);
/* Does any container have such a note that names @chain? */
MUST_USE err *snapshot_layer_noted(struct store *s, const char *chain, bool *ret);

/* The small layer between image and container (see snapshot.h): ROOT/layers/<top chain>/init, made if missing.
 * @lower: the image's layers, topmost first. @ret_path: absolute, owned. */
MUST_USE err *snapshot_init_layer(struct store *s, const char *top_chain, char *const *lower, char **ret_path);

/* One way of giving a container its writable root. All work in the container's directory @fd. */
struct snapshot_driver {
        const char *name;  /* what people give and --driver takes */
        const char *shown; /* docker's name for it */
        const char *mark;  /* the entry of the container's directory that tells that this driver made it */
        /* Make the writable layer for @lower (topmost first). */
        err *(*prepare)(struct store *s, int fd, char *const *lower);
        /* Fill @ret; @path is the container's directory, @lower is consumed. */
        err *(*get)(const char *path, char **lower, struct snapshot *ret);
        /* Does it work with this ROOT? */
        bool (*works)(struct store *s);
};
extern const struct snapshot_driver snapshot_overlay, snapshot_vfs;
