/* snapshot_private.h - between snapshot and the rest of the store. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/snapshot.h"

/* Remember in the container's directory which layers it needs, because its image's record goes away. */
MUST_USE err *snapshot_note_layers(struct store *s, const char *id, const struct image *image);
/* The chains of all such notes, one a line; owned. */
MUST_USE err *snapshot_notes(struct store *s, char **ret);

/* The small layer between image and container (see snapshot.h): ROOT/layers/<top chain>/init, made if missing.
 * @lower: the image's layers, topmost first. @ret_path: absolute, owned. */
MUST_USE err *snapshot_init_layer(struct store *s, const char *top_chain, char *const *lower, char **ret_path);

/* What a new writable layer is made of. */
struct snapshot_plan {
        struct store *store;
        const char *id;
        int fd;                    /* ROOT/containers/<id> */
        const struct image *image; /* its layers' directories exist */
        char *const *lower;        /* the image's layers and the small one, topmost first */
        uint64_t size;             /* limit in bytes, 0 = none */
};

/* One way of giving a container its writable root. All work in the container's directory @fd. Drivers live side by
 * side: a container keeps the one that made it, which its mark tells. */
struct snapshot_driver {
        const char *name;  /* what people give and --storage-driver takes */
        const char *shown; /* docker's name for it */
        const char *mark;  /* the entry of the container's directory that tells that this driver made it: the tree */
        bool copies;       /* the tree holds the image too */
        /* Make the writable layer. */
        err *(*prepare)(const struct snapshot_plan *p);
        /* Fill @ret; @path is the container's directory, @lower is consumed. */
        err *(*get)(const char *path, char **lower, struct snapshot *ret);
        /* An image without a container, for reading. @layers: topmost first, consumed. */
        err *(*image)(struct store *s, const struct image *image, char **layers, struct snapshot *ret);
        /* What must be done before the directory @fd, the container's or a layer's, is removed as files. May be NULL.
         */
        void (*forget)(int fd);
        /* Beside layer @n of the image the driver may have put a tree of what is visible up to there, under its mark.
         * Is it what it should be, now that the layer is? *@ret_difference: owned; NULL = it is, or there is none.
         * NULL: the driver has no such trees. */
        err *(*check_layer)(struct store *s, const struct image *image, size_t n, char **ret_difference);
        /* NULL if it works with this ROOT, else why not. */
        err *(*check)(struct store *s);
};
extern const struct snapshot_driver snapshot_overlay, snapshot_fuse, snapshot_btrfs, snapshot_vfs;

/* The driver @name ("overlay" or docker's "overlay2"); ERR_INVALID, ERR_UNSUPPORTED (docker has it, we do not). */
MUST_USE err *snapshot_driver_find(const char *name, const struct snapshot_driver **ret);
/* Remove @name below @dirfd, a container's or a layer's directory, whatever drivers have put there. -errno. */
int snapshot_remove_dir(int dirfd, const char *name);

/* check_layer() of all drivers. */
MUST_USE err *snapshot_check_layer(struct store *s, const struct image *image, size_t n, char **ret_difference);
/* Remove such trees of a layer; they are made again when they are needed. Alone with the store. */
MUST_USE err *snapshot_drop_trees(struct store *s, const char *chain);

/* What get() and image() of drivers that stack layers have in common. @path: of the container, or NULL: without a
 * writable layer. @lower is consumed. */
MUST_USE err *snapshot_stacked(const char *driver, const char *path, const char *upper, const char *work, char **lower,
                               struct snapshot *ret);
/* upper and work with the looks of the image's root, as overlayfs wants them. @lower: topmost first. */
MUST_USE err *snapshot_make_upper(int fd, const char *upper, const char *work, char *const *lower);

/* docker's words for a --storage-opt that the driver cannot have. */
MUST_USE err *quota_refuse(const char *shown);
/* A limit for all that is written below the directories @fds, by project quota. ERR_UNSUPPORTED in docker's words. */
MUST_USE err *quota_limit(const int *fds, size_t n, const char *id, uint64_t bytes);
/* Take it back; whatever was there. @fd: one of the directories. */
void quota_forget(int fd);
