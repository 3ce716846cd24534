/* check.h - is everything in the store what it should be? `hod system check`. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

enum check_outcome {
        CHECK_WRONG,    /* and not mended */
        CHECK_MENDED,   /* it was wrong */
        CHECK_LEFTOVER, /* of something interrupted; harmless, `system prune` removes it */
};

struct check_options {
        bool repair; /* mend what can be mended */
        bool quick;  /* what is there and how large, not what is in it */
        /* For each finding: @what is "blob sha256:...", "layer sha256:...", "image sha256:...", "name ...",
         * "container <id>", "database"; @text says what is wrong, or was, in one line. */
        void (*say)(void *arg, enum check_outcome outcome, const char *what, const char *text);
        void *arg;
        /* Is the container running? Its root stands on the trees. NULL = none is. */
        bool (*is_running)(const char *container_id, void *arg);
        void *running_arg;
};

struct check_result {
        uint64_t blobs, layers, images, containers; /* looked at */
        uint64_t wrong, mended, leftovers;
};

/* Look at everything. Findings are no errors. Images stay while it runs; but where a tree is exchanged, it waits until
 * it is alone with the store, and what others want to remove may go meanwhile. Needs space for the largest layer (not
 * @quick).
 *   mended: a layer whose tree is missing, or differs and nothing running stands on it, is unpacked again from its
 *   blob; without one, when it was pulled and no container needs it, it is removed, so that a pull gets it again; a
 *   config is written again from the database; a manifest that is missing or damaged is made anew; damaged blobs,
 *   names of nothing and leftovers are removed. */
MUST_USE err *store_check(struct store *s, const struct check_options *o, struct check_result *ret);
