/* parcel.h - images packed for others: docker's archive (which is an OCI layout too), an OCI layout, skopeo's "dir:".
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/fileout.h"
#include "engine/source.h"

enum parcel_form {
        PARCEL_DOCKER, /* index.json, manifest.json, repositories, blobs: docker since 25 writes and reads it */
        PARCEL_LAYOUT, /* index.json, blobs */
        PARCEL_DIR,    /* manifest.json and blobs, one image */
        PARCEL_PUSH,   /* to a registry, one image */
};

struct parcel;
/* An empty one. */
MUST_USE err *parcel_new(enum parcel_form form, struct parcel **ret);
void parcel_free(struct parcel *p);
DEFINE_CLEANUP(struct parcel *, parcel_free)

struct parcel_options {
        const char *platform; /* of an index: only that; NULL = this machine's */
        bool all;             /* the whole index */
        bool docker_types;    /* docker's media types: the manifest, and its digest, change */
        char *const *names;   /* full references to note; may be NULL */
        const char *ref;      /* the layout's name for it; NULL = the names' tags */
};
/* Add an image. The source is borrowed until the parcel is freed. What several images share is there once. */
MUST_USE err *parcel_add(struct parcel *p, struct source *s, const struct parcel_options *o);
/* Write everything: what does not come from the store is verified. */
MUST_USE err *parcel_write(struct parcel *p, struct fileout *to);

struct progress;
struct registry;
/* Send the one image to a repository, as @tag (NULL = by its digest alone): blobs first, several at once, what is there
 * already or can be mounted from the source's repository is not sent. The registry verifies the digests. @registry
 * belongs to @at. */
MUST_USE err *parcel_push(struct parcel *p, struct registry *registry, const struct reference *at, const char *tag,
                          const struct progress *progress);
/* Digest of the (first) image's top document; borrowed. */
const struct digest *parcel_digest(const struct parcel *p);
