/* image_filter.h - the filters of `images`: dangling, label, reference, before, since, until. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/reference.h"
#include "store/image.h"

struct image_filter {
        char *const *filters; /* "key=value", all known */
        const char *pattern;  /* one more reference, or NULL */
        bool by_name;         /* there are patterns */
        int64_t before, since;
        enum { IMAGE_FILTER_ANY, IMAGE_FILTER_DANGLING, IMAGE_FILTER_TAGGED } dangling;
};

/* Check @filters (may be NULL) and look up what they name. @pattern (may be NULL): only these names. Both are borrowed.
 * ERR_INVALID "invalid filter 'x'", ERR_NOT_FOUND "No such image: x". */
MUST_USE err *image_filter_init(struct image_filter *f, struct store *s, char *const *filters, const char *pattern);
/* Does @i pass what is not about single names? */
bool image_filter_passes(const struct image_filter *f, const struct image *i);
/* Is this name of an image to be shown? */
MUST_USE err *image_filter_name(const struct image_filter *f, const struct reference *r, bool *ret);
