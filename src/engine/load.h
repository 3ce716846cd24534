/* load.h - images from archives, layouts, and any other source, into the store. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "engine/engine.h"
#include "engine/progress.h"
#include "engine/source.h"

struct load_progress {
        /* A line for people; may be NULL. */
        void (*say)(void *arg, const char *line);
        void *arg;
        const struct progress *progress; /* of the layers; may be NULL */
};

/* Take the image of @s for @platform (see source_choose()) into the store and give it @names (may be NULL).
 * @ret_id: owned. */
MUST_USE err *load_source(struct engine *e, struct source *s, const char *platform, char *const *names,
                          const struct load_progress *progress, char **ret_id);

/* docker load. @path: a file, a directory (an OCI layout), or NULL = standard input. Says "Loaded image: ..." for each
 * name, "Loaded image ID: ..." for an image without one, and which names were somebody else's before. Images before one
 * that fails stay. ERR_CORRUPT, ERR_DIGEST, ERR_LIMIT, ERR_UNSAFE_PATH, ERR_NOT_FOUND, ERR_SYS. */
MUST_USE err *load_images(struct engine *e, const char *path, const char *platform,
                          const struct load_progress *progress);

/* The files at @path: a directory, or an archive. @path NULL: standard input. */
MUST_USE err *load_open_files(struct engine *e, const char *path, struct fileset **ret);
