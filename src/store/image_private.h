/* image_private.h - between the files of image. */
#pragma once

#include "codec/json.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/txn.h"

/* A new image before it is published. */
struct image_draft {
        struct store *store;
        const char *name;           /* as the user wrote it; NULL = none */
        char *full_name;            /* normalised, owned */
        json *config;               /* OCI config, owned */
        struct image_layer *layers; /* bottom first, owned; the last one is staged, the others exist */
        size_t n_layers;
        bool staged;  /* the last layer is new */
        char *parent; /* the image that it builds on, or NULL; owned */
};
void image_draft_done(struct image_draft *d);
#define _cleanup_draft_ __attribute__((cleanup(image_draft_done)))

/* The end of image_keep(): what was removed meanwhile goes now. */
void image_keep_done(struct image *i);
/* Write the list again, with what came into being since. With the lease. */
MUST_USE err *image_keep_again(struct image *i);
/* names.tagged of a digest that came with an archive: no registry has promised it. Else it is a time. */
#define NAME_ARCHIVED 0
/* Is there an image with this id? */
MUST_USE err *image_is_recorded(struct store *s, const char *id, bool *ret);

/* Check and normalise a name that is to be given ("busybox" → "docker.io/library/busybox:latest"). */
MUST_USE err *image_check_name(const char *name, char **ret_full);
/* Complete chain ids, write config and manifest, sync, make everything visible. @ret_id: owned. */
MUST_USE err *image_publish(struct image_draft *d, struct staging *st, char **ret_id);
/* Members of the config that every new image has. */
MUST_USE err *image_draft_config(struct image_draft *d, int64_t now, const char *platform, const char *author,
                                 const char *comment, const json *run_config);
/* One more layer in rootfs.diff_ids and in the history. */
void image_draft_history(json *config, int64_t now, const char *created_by, const char *author, const char *comment,
                         bool empty_layer);

/* The manifest of an image with these layers. */
MUST_USE err *image_manifest_text(const struct image_layer *layers, size_t n, const char *config, size_t config_size,
                                  char **ret);
/* Which layer of @i @chain is; -1: none. */
ssize_t image_layer_place(const struct image *i, const char *chain);
/* A layer as an image's record has it. */
json *image_layer_record(const struct image_layer *l);
/* The list of layers in a record's text; NULL when it is damaged: `system check` tells of it. */
json *image_record_layers(const char *text);
/* Bytes of the files of @layer->chain, which is here: from a record, or counted; and of its archive, if a record has
 * them. */
MUST_USE err *image_layer_size(struct store *s, struct image_layer *layer);
/* Were images committed from it, which are still here? */
MUST_USE err *image_has_children(struct store *s, const char *id, bool *ret);
/* The familiar form of a full name. */
MUST_USE err *image_familiar(const char *full, char **ret);
