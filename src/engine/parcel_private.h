/* parcel_private.h - between the files of parcel. */
#pragma once

#include "engine/parcel.h"

struct parcel_blob {
        struct descriptor what;
        struct source *source;    /* where it comes from, or */
        struct document document; /* it is here */
};

struct parcel_image {
        struct document top;
        struct document manifest; /* the one of this machine's platform, if @top is an index */
        char *config;             /* its config (PARCEL_DOCKER) */
        size_t config_size;
        struct digest config_digest;
        char **names;
        char *ref;
};

struct parcel {
        enum parcel_form form;
        struct parcel_blob *blobs;
        size_t n_blobs;
        struct parcel_image *images;
        size_t n_images;
};

/* The same manifest with docker's media types. ERR_UNSUPPORTED (layers that docker has no type for). */
MUST_USE err *parcel_docker_types(struct document *d);
