/* bundle.h - the images of an archive or a layout: docker's archives old and new, OCI layouts, and skopeo's "dir:". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/fileset.h"
#include "engine/source.h"

struct bundle;
enum bundle_kind {
        BUNDLE_ANY,    /* what it looks like: an OCI layout, or else a docker archive */
        BUNDLE_LAYOUT, /* index.json, blobs/sha256/<hex> */
        BUNDLE_DOCKER, /* manifest.json and files that it names */
        BUNDLE_DIR,    /* one manifest.json that is the manifest, <hex>, <hex>.manifest.json */
};
/* Takes @files over on success. ERR_NOT_FOUND (no such thing in it), ERR_CORRUPT, ERR_LIMIT. */
MUST_USE err *bundle_open(struct fileset *files, enum bundle_kind kind, struct bundle **ret);
void bundle_free(struct bundle *b);
DEFINE_CLEANUP(struct bundle *, bundle_free)

/* Its images, in order; what several names point at is there once. */
size_t bundle_n(const struct bundle *b);
/* The source of one; the bundle must outlive it. */
MUST_USE err *bundle_source(struct bundle *b, size_t n, struct source **ret);
/* Which one is called @ref: a reference, the layout's own name, or "@2" (the third)? NULL = the only one.
 * ERR_NOT_FOUND, ERR_CONFLICT (several). */
MUST_USE err *bundle_find(const struct bundle *b, const char *ref, size_t *ret);
