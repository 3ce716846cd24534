/* image_mount.h - an image's files on the host, read only, until somebody unmounts them. */
#pragma once

#include <stdbool.h>

#include "engine/engine.h"
#include "store/image.h"

/* Mount @image (once more) at a place of ours below ROOT: read only, without devices and setuid. @ret_path: owned. */
MUST_USE err *image_mount(struct engine *e, const struct image *image, char **ret_path);
/* Take one mount back, or with @force all. ERR_NOT_MODIFIED: it is not mounted; ERR_BUSY: somebody uses it. */
MUST_USE err *image_unmount(struct engine *e, const struct image *image, bool force);

struct image_mounted {
        struct image *image;
        char *path;
};
struct image_mounted_list {
        struct image_mounted *items; /* owned, with what they point to */
        size_t n;
};
void image_mounted_list_done(struct image_mounted_list *l);
#define _cleanup_image_mounted_list_ __attribute__((cleanup(image_mounted_list_done)))
/* Everything that is mounted. */
MUST_USE err *image_mounted_list(struct engine *e, struct image_mounted_list *ret);
