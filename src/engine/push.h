/* push.h - images from the store to registries. Programs that can load libraries only (codec/loader.h). */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "engine/engine.h"
#include "engine/progress.h"
#include "registry/client.h"

struct push_options {
        const char *name;        /* as a person wrote it */
        bool all_tags;           /* every tag of the repository @name that is here */
        const char *platform;    /* only this one of an image that is here for several, or NULL */
        const char *compression; /* "gzip", "zstd", each with ":LEVEL"; NULL = gzip */
        bool force_compression;  /* also of layers that are compressed already */
        struct registry_options registry;
        const struct progress *progress; /* gets docker's lines; may be NULL */
};

/* Push. What was received from a registry goes out byte for byte, under the digest that it had; layers made here are
 * compressed while they are sent, and what came of it is remembered: the second push sends nothing. What the registry
 * has is not sent, what another of its repositories has is mounted from there.
 * @ret_name: what was pushed, in full, owned. @ret_digest: of its (last) manifest.
 * Errors: ERR_NOT_FOUND "An image does not exist locally with the tag: x", "tag does not exist: x:1"; ERR_INVALID;
 * ERR_DENIED; ERR_NETWORK; ERR_CORRUPT (a stored blob is damaged); ERR_INTERRUPTED. */
MUST_USE err *push_image(struct engine *e, const struct push_options *o, char **ret_name, struct digest *ret_digest);
