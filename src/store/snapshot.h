/* snapshot.h - a container's root: an image's layers and one writable layer. Drivers:
 *
 *   overlay         nothing is copied; the caller mounts
 *   btrfs           each layer is a subvolume, a snapshot of the one below it with the layer's changes; so is the
 *                   container's; what is equal is on disk once
 *   fuse-overlayfs  overlay in a program, where the kernel's does not work; the caller starts it
 *   vfs             a full copy, for any file system
 *
 * Layers, and so images, are the same for all of them (ROOT/layers/<chain>/diff, deletions as overlayfs marks them);
 * what a driver makes of them lies beside that. A container keeps the driver that it was made with: containers of
 * different drivers live in one ROOT.
 *
 * Between the image and the writable layer lies a small read-only one with the places that every container needs and
 * that the image may lack (/dev/console /dev/pts /dev/shm /proc /sys /etc/{hosts,hostname,resolv.conf,mtab}
 * /.dockerenv), made once for each image beside its top layer. So starting a container writes nothing into its own
 * layer, and diff and commit show only what the container did. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/image.h"
#include "store/store.h"

struct snapshot {
        char *driver;       /* "overlay", "fuse-overlayfs": mount lower, upper, work; "dir": lower[0] is the root */
        char **lower;       /* absolute, topmost first */
        char *upper, *work; /* NULL for "dir" */
        char **image;       /* "dir": the image alone, topmost first, for diff; else NULL */
        bool wh_names;      /* in upper, names that begin with .wh. mean what they mean in a layer's tar */
};
void snapshot_done(struct snapshot *s);
#define _cleanup_snapshot_ __attribute__((cleanup(snapshot_done)))

/* Name of the driver for new containers, as docker's inspect shows it ("overlay2", "vfs"); borrowed. ERR_UNSUPPORTED:
 * the one that was asked for does not work here. */
MUST_USE err *snapshot_driver_name(struct store *s, const char **ret);
struct snapshot_about {
        const char *shown; /* docker's name for the driver; borrowed */
        char *why;         /* for people: who or what chose it */
        char *backing;     /* docker's name for the file system of ROOT: "extfs" */
        bool overlay;      /* overlayfs stands on it: what docker says of overlay2 is true */
};
void snapshot_about_done(struct snapshot_about *a);
MUST_USE err *snapshot_about(struct store *s, struct snapshot_about *ret);

struct snapshot_options {
        uint64_t size; /* --storage-opt size=: at most so many bytes of the container's own; 0 = no limit */
};
/* Make ROOT/containers/<id> with the writable layer; its root gets mode, owner and times of the image's root.
 * @image NULL (--rootfs): only the directory is made and @ret stays empty. On failure nothing is left.
 * ERR_CONFLICT if the directory exists; ERR_UNSUPPORTED: no limit can be kept here (docker's words). */
MUST_USE err *snapshot_prepare(struct store *s, const char *id, const struct image *image,
                               const struct snapshot_options *o, struct snapshot *ret);
/* The same snapshot later. ERR_NOT_FOUND if a layer or the directory is missing. */
MUST_USE err *snapshot_get(struct store *s, const char *id, const char *image_id, struct snapshot *ret);
/* @image alone, for reading: "overlay" and "fuse-overlayfs" have no upper then. */
MUST_USE err *snapshot_of_image(struct store *s, const struct image *image, struct snapshot *ret);
/* Remove ROOT/containers/<id> and everything in it. A missing one is fine. */
MUST_USE err *snapshot_remove(struct store *s, const char *id);
/* Bytes in the writable layer; and together with the image's. */
MUST_USE err *snapshot_usage(struct store *s, const char *id, const char *image_id, uint64_t *ret_rw,
                             uint64_t *ret_all);
