/* snapshot_vfs.c - the vfs driver: a full copy of the image. Slow, but works on any file system. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/snapshot_private.h"
#include "store/tree.h"

static err *vfs_prepare(struct store *s, int fd, char *const *lower)
{
        _cleanup_close_ int to = -1;
        size_t n = strv_len(lower);

        (void)s;
        if (mkdirat(fd, "rootfs", 0755) < 0)
                return err_sys(errno, "making the container's root");
        to = file_open_beneath(fd, "rootfs", O_RDONLY | O_DIRECTORY, 0);
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

static bool vfs_works(struct store *s)
{
        (void)s;
        return true;
}

const struct snapshot_driver snapshot_vfs = {
        .name = "vfs",
        .shown = "vfs",
        .mark = "rootfs",
        .prepare = vfs_prepare,
        .get = vfs_get,
        .works = vfs_works,
};
