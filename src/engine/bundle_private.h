/* bundle_private.h - between the files of bundle. */
#pragma once

#include "engine/bundle.h"

struct bundle_image {
        char **names;          /* full references */
        char **refs;           /* the layout's own words for it */
        struct descriptor top; /* layouts; .json belongs to the bundle's document */
        size_t docker;         /* number in manifest.json */
};

struct bundle {
        struct fileset *files;
        enum bundle_kind kind;
        json *index;   /* index.json */
        json *archive; /* manifest.json of docker */
        struct docker_image *docker;
        size_t n_docker;
        struct bundle_image *images;
        size_t n, n_names;
};

/* A docker archive's image has no manifest: make one. @ret_blobs: which files are meant by its digests. */
struct bundle_blob {
        struct digest digest;
        uint64_t size;
        const char *file; /* borrowed from the bundle */
};
MUST_USE err *bundle_docker_manifest(const struct bundle *b, const struct docker_image *image, struct document *ret,
                                     struct bundle_blob **ret_blobs, size_t *ret_n);
