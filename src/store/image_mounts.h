/* image_mounts.h - images that people have mounted on the host (`image mount`): where, and how often.
 *
 *   ROOT/mounts/lock  ROOT/mounts/<id hex>/{root, empty, count}
 *
 * What counts is the mount on root, as this mount namespace sees it: after a crash or a reboot there may be a directory
 * without one, which is no mount and is removed by whoever meets it. Lock order: lease, then mounts/lock. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "store/store.h"

struct image_mount {
        struct store *store;
        int lock, dir, root; /* mounts/lock held; mounts/<hex>; its root, where the mount goes or is */
        char *path;          /* of root, absolute */
        char *empty;         /* a directory without anything, for stacks of one layer */
        unsigned count;      /* 0: it is not mounted */
};
void image_mount_done(struct image_mount *m);
#define _cleanup_image_mount_ __attribute__((cleanup(image_mount_done)))

/* Lock and look; the directories are made. @id: "sha256:...", of an image that cannot go away now. */
MUST_USE err *image_mount_open(struct store *s, const char *id, struct image_mount *ret);
/* It is mounted once more: after the first mount was made. */
MUST_USE err *image_mount_add(struct image_mount *m);
/* Once less; with the last, or @force, it is unmounted and the directories go. */
MUST_USE err *image_mount_drop(struct image_mount *m, bool force);

/* Ids ("sha256:...") of what is mounted, sorted; an owned list. */
MUST_USE err *image_mounts(struct store *s, char ***ret);
bool image_is_mounted(struct store *s, const char *id);
/* Unmount @id whatever its count, e.g. before it is removed by force. Nothing to do is fine. */
MUST_USE err *image_mounts_forget(struct store *s, const char *id);
/* Remove the directories that nothing is mounted on. */
MUST_USE err *image_mounts_gc(struct store *s);
