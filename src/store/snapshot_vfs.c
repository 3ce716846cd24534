/* snapshot_vfs.c - the vfs driver: a full copy of the image. Slow, but works on any file system. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/snapshot_private.h"
#include "store/tree.h"

static err *vfs_prepare(const struct snapshot_plan *p)
{
        _cleanup_close_ int to = -1;
        char *const *lower = p->lower;
        size_t n = strv_len(lower);

        if (p->size)
                return quota_refuse("vfs");
        if (mkdirat(p->fd, "rootfs", 0755) < 0)
                return err_sys(errno, "making the container's root");
        to = file_open_beneath(p->fd, "rootfs", O_RDONLY | O_DIRECTORY, 0);
        if (to < 0)
                return err_sys(to, "opening the container's root");
        while (n > 0) {
                _cleanup_close_ int from = open(lower[--n], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

                if (from < 0)
                        return err_sys(errno, "opening %s", lower[n]);
                TRY_WRAP(tree_copy(from, to, TREE_COPY_WHITEOUTS), "copying layer %s", lower[n]);
        }
        return NULL;
}

static err *vfs_get(const char *path, char **lower, struct snapshot *ret)
{
        struct snapshot snap = {.image = lower};
        err *e = strv_push(&snap.lower, str_format("%s/rootfs", path));

        snap.driver = str_dup("dir");
        if (e || !snap.driver) {
                snapshot_done(&snap);
                return e ? e : err_nomem();
        }
        *ret = snap;
        return NULL;
}

/* Nothing can be copied for a reader who may never come back: what is only read can be stacked nearly everywhere. */
static err *vfs_image(struct store *s, const struct image *image, char **layers, struct snapshot *ret)
{
        return snapshot_overlay.image(s, image, layers, ret);
}

static err *vfs_check(struct store *s)
{
        (void)s;
        return NULL;
}

const struct snapshot_driver snapshot_vfs = {
        .name = "vfs",
        .shown = "vfs",
        .mark = "rootfs",
        .copies = true,
        .prepare = vfs_prepare,
        .get = vfs_get,
        .image = vfs_image,
        .check = vfs_check,
};
