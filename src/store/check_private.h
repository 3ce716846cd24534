/* check_private.h - between the files of check. */
#pragma once

#include "base/err.h"
#include "store/check.h"
#include "store/image.h"

struct check {
        struct store *store;
        const struct check_options *options;
        struct check_result result;
};

/* Tell of a finding and count it. */
void check_say(struct check *c, enum check_outcome outcome, const char *what, const char *fmt, ...) PRINTF(4, 5);

/* The records of images: those that cannot be read. */
MUST_USE err *check_records(struct check *c);

/* Layer @n of @image: its blob and its tree. */
MUST_USE err *check_layer(struct check *c, const struct image *image, size_t n);

/* Are the trees @want and @have (directories) the same, but for the times of directories? *@ret: NULL, or what differs
 * first ("/etc/passwd: its content"); owned. */
MUST_USE err *check_trees(int want, int have, char **ret);
