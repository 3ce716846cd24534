/* snapshot.h - a container's root: an image's layers and one writable layer. Drivers: overlay (nothing is copied; the
 * caller mounts), vfs (a full copy, for file systems that overlay cannot stand on).
 *
 * Between the image and the writable layer lies a small read-only one with the places that every container needs and
 * that the image may lack (/dev/console /dev/pts /dev/shm /proc /sys /etc/{hosts,hostname,resolv.conf,mtab}
 * /.dockerenv), made once for each image beside its top layer. So starting a container writes nothing into its own
 * layer, and diff and commit show only what the container did. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "store/image.h"
#include "store/store.h"

struct snapshot {
        char *driver;       /* "overlay": mount lower, upper, work; "dir": lower[0] is the writable root itself */
        char **lower;       /* absolute, topmost first */
        char *upper, *work; /* NULL for "dir" */
        char **image;       /* "dir": the image alone, topmost first, for diff; else NULL */
};
void snapshot_done(struct snapshot *s);
#define _cleanup_snapshot_ __attribute__((cleanup(snapshot_done)))

/* Name of the driver for new containers, as docker's inspect shows it ("overlay2", "vfs"); borrowed. */
const char *snapshot_driver(struct store *s);

/* Make ROOT/containers/<id> with the writable layer; its root gets mode, owner and times of the image's root.
 * @image NULL (--rootfs): only the directory is made and @ret stays empty. On failure nothing is left.
 * ERR_CONFLICT if the directory exists. */
MUST_USE err *snapshot_prepare(struct store *s, const char *id, const struct image *image, struct snapshot *ret);
/* The same snapshot later. ERR_NOT_FOUND if a layer or the directory is missing. */
MUST_USE err *snapshot_get(struct store *s, const char *id, const char *image_id, struct snapshot *ret);
/* Remove ROOT/containers/<id> and everything in it. A missing one is fine. */
MUST_USE err *snapshot_remove(struct store *s, const char *id);
/* Bytes in the writable layer; and together with the image's. */
MUST_USE err *snapshot_usage(struct store *s, const char *id, const char *image_id, uint64_t *ret_rw,
                             uint64_t *ret_all);
