/* layer.h - content being made, and unpacked layers. A READY layer never changes.
 *
 *   ABSENT -> STAGING (ROOT/tmp/<random>, locked by its maker) -> READY (ROOT/layers/<chain hex>) -> (gc) ABSENT
 *
 * Only for files of this layer. Nothing becomes READY before its data has been synced. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/digest.h"
#include "codec/stream.h"
#include "codec/tar.h"
#include "store/image.h"
#include "store/txn.h"

/* A private place in ROOT/tmp for whatever is being made. */
struct staging {
        struct store *store; /* NULL: nothing there */
        char name[40];       /* below ROOT/tmp */
        int fd;
};
/* In a staging place: digests that are needed there, one a line. No gc removes them while its maker lives. */
#define STAGING_KEEP "keep"
/* Beginning of a name in ROOT/tmp: a layer or a blob that is being removed. */
#define LAYER_GONE "gone-"
MUST_USE err *staging_begin(struct store *s, struct staging *ret);
/* Remove it with what is still in it. */
void staging_done(struct staging *st);
#define _cleanup_staging_ __attribute__((cleanup(staging_done)))
/* Everything written so far is on disk afterwards (one syncfs). */
MUST_USE err *staging_sync(struct staging *st);

/* Move @name of the staging place to ROOT/@dir/<hex of @digest>, unless that is there. Synced before. */
MUST_USE err *staging_publish(struct staging *st, const char *name, const char *dir, const char *digest);

/* Chain id of a layer: its diff id alone at the bottom (@parent NULL or ""), else sha256("parent diff"). */
void layer_chain_id(const char *parent, const char *diff_id, struct digest *ret);

/* Make the directory @name/diff for a layer in staging, owned by root with mode 0755. */
MUST_USE err *layer_make(struct staging *st, const char *name, int *ret_fd);
/* The root @to of a layer whose archive says nothing about it gets owner, mode and xattrs of the layer below. */
MUST_USE err *layer_root_like(int from, int to);
/* A new layer: an archive comes in and is unpacked. Compressed, it is kept as the layer's blob; of a plain one only the
 * skeleton is (layer_tar.h), unless it cannot be made again from that.
 * @from: the archive as received, consumed to its end; borrowed. @fd: the file that @from reads, or -1.
 * The root of a layer on top of another (@parent_chain not NULL) starts with owner, mode and xattrs of that one's root.
 * Fills everything of @ret but the chain. */
MUST_USE err *layer_stage(struct staging *st, struct stream *from, int fd, const char *parent_chain,
                          struct image_layer *ret);
/* The same for a plain archive that @write makes with a tar writer that has @watch: it is unpacked while it is being
 * written. */
MUST_USE err *layer_stage_written(struct staging *st,
                                  err *(*write)(void *arg, struct sink *to, const struct tar_watch *watch), void *arg,
                                  const char *parent_chain, struct image_layer *ret);
/* Make the staged layer READY under @l->chain, and its blob if it has one; an equal one that exists is kept. Synced
 * before. */
MUST_USE err *layer_publish(struct staging *st, const struct image_layer *l);
void image_layer_done(struct image_layer *l);

/* Put a small blob into staging, to be published with blob_publish(). */
MUST_USE err *blob_stage(struct staging *st, const char *text, size_t size, struct digest *ret);
MUST_USE err *blob_publish(struct staging *st, const char *digest);
/* fsync the directories that publishing changed. */
MUST_USE err *layer_sync_directories(struct store *s);

/* Open a layer's diff directory. ERR_NOT_FOUND. */
MUST_USE err *layer_open(struct store *s, const char *chain, int *ret_fd);
/* Is it there? For who only wants to know; what cannot be looked at is. */
bool layer_is_here(const struct store *s, const char *chain);
/* Its absolute path, owned. */
MUST_USE err *layer_path(struct store *s, const char *chain, char **ret);
/* Remove a layer, or a blob, that nothing needs any more; missing ones are fine. Alone with the store. */
MUST_USE err *layer_remove(struct store *s, const char *chain);
MUST_USE err *blob_remove(struct store *s, const char *digest);
