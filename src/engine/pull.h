/* pull.h - images from registries into the store. Programs that can load libraries only (codec/loader.h). */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "engine/engine.h"
#include "engine/progress.h"
#include "registry/client.h"

struct pull_options {
        const char *name;     /* as a person wrote it */
        bool all_tags;        /* every tag of the repository @name */
        const char *platform; /* os/arch[/variant], or NULL = this machine's, or the best for it */
        struct registry_options registry;
        const struct progress *progress; /* gets docker's lines; may be NULL */
};

/* Pull. What is here already is not fetched again: an image that did not change costs one request. An interrupted pull
 * leaves what it received for the next one, and nothing else.
 * @ret_name: what was pulled, in full ("docker.io/library/busybox:latest"), owned.
 * Errors: ERR_NOT_FOUND "manifest for x not found: ...", "no matching manifest for linux/s390x in the manifest list
 * entries"; ERR_DENIED; ERR_INVALID (name, platform); ERR_CORRUPT, ERR_DIGEST, ERR_LIMIT, ERR_UNSUPPORTED (what came is
 * not what it should be); ERR_NETWORK; ERR_INTERRUPTED. Nothing is published then. */
MUST_USE err *pull_image(struct engine *e, const struct pull_options *o, char **ret_name);
