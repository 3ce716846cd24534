/* image_ls.h - what the table and the tree of `images` share. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "cli/image_filter.h"
#include "store/image.h"

/* The references of one image that are to be shown, parsed; in the order of their names. */
struct image_refs {
        struct reference *items;
        size_t n;
        bool shown; /* the image at all */
};
void image_refs_done(struct image_refs *r);
#define _cleanup_image_refs_ __attribute__((cleanup(image_refs_done)))
MUST_USE err *image_refs_get(const struct image_filter *f, const struct image *i, struct image_refs *ret);

/* Is it nameless, and only there because other images were committed from it? */
bool image_intermediate(const struct image *i, const struct image_list *all);
/* How many containers were made from @i? */
MUST_USE err *image_users(struct store *s, const struct image *i, uint64_t *ret);

/* `images --tree`. */
MUST_USE err *image_tree(struct store *s, const struct image_filter *f);
