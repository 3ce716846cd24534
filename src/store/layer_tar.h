/* layer_tar.h - the archive of a layer, byte for byte what its diff id says, also when its blob was dropped.
 *
 * A blob can be dropped to save space once what is needed to make the archive again has been written beside the
 * layer's tree: ROOT/layers/<chain hex>/skeleton holds everything of the archive but the content of files, which is in
 * the tree. It is tried out before the blob goes; of an archive that was unpacked here just now no blob is made at all
 * (layer_stage.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/stream.h"
#include "store/image.h"
#include "store/store.h"

/* Beside a layer's tree: its archive without the content of files. */
#define LAYER_SKELETON "skeleton"

/* Write the plain tar of layer @l to @sink (not finished): from its blob, from another blob with the same content, or
 * from its tree and skeleton. Everything is verified: ERR_DIGEST after the last byte when it is not what the diff id
 * says. ERR_NOT_FOUND "layer sha256:...: its archive was dropped and cannot be made again". Hold the image. */
MUST_USE err *layer_tar_write(struct store *s, const struct image_layer *l, struct sink *sink);

/* Make blob @l->digest, and others of its content, dispensable: write the skeleton if there is none, try it out, and
 * sync. @blob: one of its content that no image has, NULL = it is looked for. ERR_DIGEST: this archive cannot be made
 * again, keep the blob. */
MUST_USE err *layer_tar_keep(struct store *s, const struct image_layer *l, const char *blob);
/* Has that been done? (Or begun, by an older version that was interrupted.) */
bool layer_tar_kept(struct store *s, const struct image_layer *l);
/* The blob that has this content, its own or another image's; owned, NULL = there is none. */
MUST_USE err *layer_tar_blob(struct store *s, const struct image_layer *l, char **ret);
/* Can the very blob @l->digest be had: it is here, or it is the plain archive, which can be made again? */
bool layer_tar_whole(struct store *s, const struct image_layer *l);
