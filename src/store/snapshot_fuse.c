/* snapshot_fuse.c - the fuse-overlayfs driver: overlay in a program, for kernels and file systems where the kernel's
 * own does not work. Layers look as for overlay; whoever opens the root starts the program (runtime/fuse_overlay.h).
 * Besides overlay's marks it leaves files named .wh. in the writable layer. */
#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/snapshot_private.h"
#include "sys/fuse.h"

#define UPPER "fuse-upper"
#define WORK "fuse-work"

static err *fuse_prepare(const struct snapshot_plan *p)
{
        if (p->size)
                return quota_refuse("fuse-overlayfs");
        return snapshot_make_upper(p->fd, UPPER, WORK, p->lower);
}

static err *fuse_get(const char *path, char **lower, struct snapshot *ret)
{
        TRY(snapshot_stacked("fuse-overlayfs", path, UPPER, WORK, lower, ret));
        ret->wh_names = true;
        return NULL;
}

static err *fuse_image(struct store *s, const struct image *image, char **layers, struct snapshot *ret)
{
        (void)s;
        (void)image;
        return snapshot_stacked("fuse-overlayfs", NULL, NULL, NULL, layers, ret);
}

static err *fuse_check(struct store *s)
{
        _cleanup_close_ int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);

        (void)s;
        if (access(FUSE_OVERLAY_PROGRAM, X_OK) < 0)
                return err_new(ERR_UNSUPPORTED, "fuse-overlayfs: %s: %s", FUSE_OVERLAY_PROGRAM, strerror(errno));
        return dev < 0 ? err_new(ERR_UNSUPPORTED, "fuse-overlayfs: /dev/fuse: %s", strerror(errno)) : NULL;
}

const struct snapshot_driver snapshot_fuse = {
        .name = "fuse-overlayfs",
        .shown = "fuse-overlayfs",
        .mark = UPPER,
        .prepare = fuse_prepare,
        .get = fuse_get,
        .image = fuse_image,
        .check = fuse_check,
};
