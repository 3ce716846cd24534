/* save.h - images of the store as archives and layouts. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "engine/progress.h"

enum save_format { SAVE_DOCKER_ARCHIVE, SAVE_OCI_ARCHIVE, SAVE_OCI_DIR, SAVE_DOCKER_DIR };

struct save_options {
        enum save_format format;
        const char *output;              /* file or directory; NULL = standard output */
        const char *platform;            /* os/arch[/variant], or NULL */
        char *const *images;             /* names (a repository without a tag means all its tags), ids */
        const struct progress *progress; /* is asked whether to go on; may be NULL */
};
/* docker save. Everything is found before anything is written; what was at @output is replaced only when the new is
 * whole. */
MUST_USE err *save_images(struct engine *e, const struct save_options *o);
