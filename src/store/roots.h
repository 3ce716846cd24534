/* roots.h - what must stay: every digest that something in the store needs. Only for files of this layer.
 *
 * Needed are: the documents, layers and blobs of images; the documents that names with a digest point at, and what
 * those list; layers of containers whose image was forced away; what a living ingest or reader works with. Collect
 * alone with the store (txn_exclusive()): what is not among them then, nothing can need later but by making it again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "codec/digest.h"
#include "store/image.h"
#include "store/store.h"

/* Apart: the chain id of a lowest layer is also the digest of its uncompressed blob. */
enum roots_kind { ROOTS_LAYERS, ROOTS_BLOBS, ROOTS_KINDS };
struct roots {
        struct {
                struct digest *items; /* sorted */
                size_t n;
        } kinds[ROOTS_KINDS];
        bool unsure; /* an image's record is damaged: what else is needed is not known, and everything counts as needed
                      */
};
void roots_done(struct roots *r);
#define _cleanup_roots_ __attribute__((cleanup(roots_done)))

/* Everything. */
MUST_USE err *roots_collect(struct store *s, struct roots *ret);
/* Of that, only what living ingests and readers have put on their lists. */
MUST_USE err *roots_collect_kept(struct store *s, struct roots *ret);
/* What image @i consists of, and the blobs of other images that stand in for its own. */
MUST_USE err *roots_of_image(struct store *s, const struct image *i, struct roots *ret);
bool roots_have(const struct roots *r, enum roots_kind kind, const char *digest);
