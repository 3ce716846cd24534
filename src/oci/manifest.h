/* manifest.h - what manifests and indexes point at: OCI's and docker's documents, and docker's archive manifest.json.
 * Everything here comes from outside. Texts are borrowed from the parsed document. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "oci/image.h"

#define OCI_MEDIA_INDEX "application/vnd.oci.image.index.v1+json"
#define DOCKER_MEDIA_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_MEDIA_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MEDIA_CONFIG "application/vnd.docker.container.image.v1+json"
#define DOCKER_MEDIA_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define DOCKER_MEDIA_LAYER_GZIP DOCKER_MEDIA_LAYER ".gzip"

/* Documents larger than this are not read. */
#define MANIFEST_MAX (4u << 20)
#define MANIFEST_LAYERS_MAX 10000u
#define MANIFEST_ANNOTATION_NAME "io.containerd.image.name"
#define MANIFEST_ANNOTATION_REF "org.opencontainers.image.ref.name"

struct descriptor {
        const char *media_type; /* "" = it does not say */
        struct digest digest;
        uint64_t size;
        const json *json; /* the whole of it: platform, annotations */
};
/* @what names it in messages: "the config". ERR_CORRUPT, ERR_UNSUPPORTED (another algorithm). */
MUST_USE err *manifest_descriptor(const json *from, const char *what, struct descriptor *ret);

/* Is it an index (a manifest list)? @media_type: as its sender said it, NULL or "" = look inside. A document that could
 * be taken for both, or is another one than its sender says, is refused: ERR_CORRUPT; ERR_UNSUPPORTED. */
MUST_USE err *manifest_is_index(const json *doc, const char *media_type, bool *ret);
/* Its media type: from inside, or what it looks like. */
const char *manifest_media_type(const json *doc, bool index);

/* The blobs of an image manifest: config first. Owned array. ERR_CORRUPT, ERR_LIMIT. */
MUST_USE err *manifest_blobs(const json *doc, struct descriptor **ret, size_t *ret_n);
/* The members of an index. Owned array, may be empty. */
MUST_USE err *manifest_members(const json *doc, struct descriptor **ret, size_t *ret_n);

/* One image of an archive's manifest.json. */
struct docker_image {
        const char *config;  /* names of files in the archive: never paths */
        const char **layers; /* bottom first, owned array */
        size_t n_layers;
        const json *tags; /* array of strings, or NULL */
};
/* The whole of manifest.json, at least one image. ERR_CORRUPT. */
MUST_USE err *manifest_docker_archive(const json *doc, struct docker_image **ret, size_t *ret_n);
void docker_images_free(struct docker_image *list, size_t n);
