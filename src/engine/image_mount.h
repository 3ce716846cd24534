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
/* Everything that is mounted. Owned array. */
MUST_USE err *image_mounted_list(struct engine *e, struct image_mounted **ret, size_t *ret_n);
void image_mounted_free(struct image_mounted *list, size_t n);
