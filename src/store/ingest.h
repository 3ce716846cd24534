/* ingest.h - an image that was made elsewhere (a registry, an archive, a layout) comes into the store.
 *
 *   ingest_begin      manifest and config are checked against each other; the lease is taken; what is here is found
 *   ingest_layers     what is missing is fetched, verified and unpacked, several layers at once, each in a process of
 *                     its own: bytes → blob file + sha256 → inflate → sha256 → unpack. No temporary copy.
 *   ingest_publish    one syncfs, then everything is visible at once, with its names
 *
 * What an interrupted fetch received of a blob stays as ROOT/partial/<hex> (locked by whoever fetches it) and is used
 * by the next one, which asks its source only for the rest. Two ingests of one layer: the second waits for the first
 * and finds it done. Nothing is believed: sizes and digests of blobs and diff_ids are compared before publishing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/stream.h"
#include "store/store.h"

/* Larger manifests and indexes are refused (the distribution-spec's advice), and larger configs. */
#define INGEST_DOCUMENT_MAX (4u << 20)
#define INGEST_CONFIG_MAX (8u << 20)
/* Images with more layers are refused: overlayfs cannot stack more than 500, two of which are a container's own. */
#define INGEST_LAYERS_MAX 498u

struct ingest_document {
        const char *media_type; /* as its sender said it; NULL = look inside */
        const char *data;
        size_t size;
};

struct ingest_options {
        struct ingest_document manifest; /* OCI or docker v2 schema 2; borrowed until ingest_free() */
        struct ingest_document config;
        struct ingest_document index; /* the index that the manifest was chosen from, kept too; .data NULL = none */
        bool archived;                /* it comes from no registry: it cannot be pulled by the digests it gets */
        unsigned parallel;            /* layers at once, 0 = 3 */
};

struct ingest;
/* ERR_CORRUPT (documents do not fit each other, are ambiguous, have odd digests or sizes), ERR_UNSUPPORTED (not an
 * image that can run here: artifact, foreign layers without a blob), ERR_LIMIT. */
MUST_USE err *ingest_begin(struct store *s, const struct ingest_options *o, struct ingest **ret);
/* Gives up what was not published; partial blobs stay for the next time. */
void ingest_free(struct ingest *i);
DEFINE_CLEANUP(struct ingest *, ingest_free)
#define _cleanup_ingest_ __attribute__((cleanup(ingest_freep)))

enum ingest_state { INGEST_WAITING, INGEST_FETCHING, INGEST_UNPACKING, INGEST_DONE, INGEST_EXISTS };
struct ingest_layer {
        const char *digest; /* of the blob; borrowed from the ingest, as the rest */
        const char *diff_id;
        const char *media_type;
        uint64_t size; /* of the blob */
        uint64_t here; /* bytes received so far, with what an earlier fetch left */
        enum ingest_state state;
};
/* Its layers, lowest first, as they are at this moment. */
size_t ingest_n_layers(const struct ingest *i);
const struct ingest_layer *ingest_layer(const struct ingest *i, size_t n);

struct ingest_source {
        /* Called in the layer's own process: the bytes of blob @n from @offset to its end. A source that cannot start
         * in the middle starts at the beginning and sets *@offset to 0. May be called again after a stream broke. */
        err *(*open)(void *arg, size_t n, uint64_t *offset, struct stream **ret);
        /* Called in the caller's process, some ten times a second and whenever a state changes. May be NULL.
         * An error ends the ingest (Ctrl-C). */
        err *(*progress)(void *arg, const struct ingest *i);
        void *arg;
};
/* Fetch what is missing. A stream that breaks is opened again where it stopped as long as it makes progress. On an
 * error the other layers are stopped. ERR_CORRUPT "layer sha256:...: ..." when the content is not what was promised. */
MUST_USE err *ingest_layers(struct ingest *i, const struct ingest_source *source);

/* Make it visible. @names: references to give, normalised by us, tags or digests ("reg/a@sha256:..."); a tag that
 * points elsewhere moves. May be empty. @ret_id: the image's id, owned. Syncs. */
MUST_USE err *ingest_publish(struct ingest *i, char *const *names, char **ret_id);
