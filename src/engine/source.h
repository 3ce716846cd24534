/* source.h - where an image comes from: a registry, the store, an archive, a layout, a directory. All look alike: a
 * manifest or an index on top, and blobs by digest. Nothing that comes out is believed: what is read whole is verified
 * here, blobs that are streamed are verified by whoever takes them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/stream.h"
#include "engine/fileset.h"
#include "oci/manifest.h"
#include "oci/platform.h"
#include "oci/reference.h"

struct document {
        char *data; /* NUL-terminated, owned */
        size_t size;
        char *media_type;     /* owned */
        struct digest digest; /* of data */
};
void document_done(struct document *d);
#define _cleanup_doc_ __attribute__((cleanup(document_done)))
/* Takes @data over, also on failure. @media_type NULL: as the document says. */
MUST_USE err *document_make(char *data, size_t size, const char *media_type, struct document *ret);
MUST_USE err *document_copy(const struct document *from, struct document *ret);

struct source;
struct source_ops {
        /* The manifest or index with this digest, not verified. */
        err *(*manifest)(struct source *s, const struct descriptor *d, struct document *ret);
        /* A blob from *@offset; *@offset becomes 0 if it can only be sent whole. Also called in forked processes. */
        err *(*open)(struct source *s, const struct descriptor *d, uint64_t *offset, struct stream **ret);
        /* The blob as part of a file; NULL, or ERR_UNSUPPORTED: it is in none. */
        err *(*file)(struct source *s, const struct descriptor *d, struct fileset_file *ret);
        void (*free)(struct source *s);
};
struct source {
        const struct source_ops *ops;
        struct document top;
        char **names;               /* full references that go with it; NULL = none */
        const struct reference *at; /* the repository, if it is a registry's; borrowed */
        bool trusted;               /* our own store: its blobs were verified when they came */
};
void source_free(struct source *s);
DEFINE_CLEANUP(struct source *, source_free)

/* A manifest that an index names, verified. */
MUST_USE err *source_manifest(struct source *s, const struct descriptor *d, struct document *ret);
/* A blob of at most @max bytes, verified; NUL-terminated, owned. ERR_LIMIT, ERR_DIGEST. */
MUST_USE err *source_read(struct source *s, const struct descriptor *d, size_t max, char **ret, size_t *ret_size);

/* The image for @platform ("os/arch[/variant]", NULL = the best for this machine, or the only one there is): its
 * manifest, through indexes if need be. @ret_index: the index that it was chosen from; empty if there is none.
 * A @platform that the only image is not for is ERR_NOT_FOUND. */
MUST_USE err *source_choose(struct source *s, const char *platform, struct document *ret, struct document *ret_index);

struct registry_options;
struct store;
/* The source of an image in the store: name, id, or digest. ERR_NOT_FOUND "No such image: x". */
MUST_USE err *source_open_store(struct store *store, const char *ref, struct source **ret);
/* The source of an image in a registry: "busybox:1", "reg/x@sha256:...". The manifest is asked for at once. @o and what
 * it points at must outlive it. ERR_NOT_FOUND "manifest for x not found: ...", and what client.h says. */
MUST_USE err *source_open_registry(const struct registry_options *o, const char *ref, struct source **ret);
