/* snapshot_about.c - which driver, on what, and why, for `info`. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/str.h"
#include "store/snapshot_private.h"
#include "store/txn.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#define ZFS_SUPER_MAGIC 0x2fc12fc1
#define FUSE_MAGIC 0x65735546
#define EROFS_MAGIC 0xe0f5e1e2

void snapshot_about_done(struct snapshot_about *a)
{
        free(a->why);
        free(a->backing);
        *a = (struct snapshot_about){0};
}

/* docker's names. */
static const char *backing_name(const struct store *s)
{
        static const struct {
                unsigned long magic;
                const char *name;
        } names[] = {
                {EXT4_SUPER_MAGIC, "extfs"}, {XFS_SUPER_MAGIC, "xfs"},   {BTRFS_SUPER_MAGIC, "btrfs"},
                {TMPFS_MAGIC, "tmpfs"},      {F2FS_SUPER_MAGIC, "f2fs"}, {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
                {NFS_SUPER_MAGIC, "nfs"},    {ZFS_SUPER_MAGIC, "zfs"},   {FUSE_MAGIC, "fuse"},
                {RAMFS_MAGIC, "ramfs"},      {EROFS_MAGIC, "erofs"},     {ECRYPTFS_SUPER_MAGIC, "ecryptfs"},
        };
        struct statfs fs;

        if (fstatfs(s->root_fd, &fs) == 0)
                for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                        if ((unsigned long)fs.f_type == names[i].magic)
                                return names[i].name;
        return "<unknown>";
}

static err *explain(struct store *s, char **ret)
{
        static const struct snapshot_driver *const order[] = {&snapshot_overlay, &snapshot_btrfs, &snapshot_fuse};
        _cleanup_str_ struct str why = {0};

        if (s->driver_wanted) {
                *ret = str_format("asked for (--storage-driver, HOD_STORAGE_DRIVER or the configuration)");
                return *ret ? NULL : err_nomem();
        }
        str_add(&why, "the first that works here");
        for (size_t i = 0; i < ARRAY_SIZE(order) && order[i] != s->driver; i++) {
                char text[256];
                err *e = order[i]->check(s);

                /* It was remembered at a time when this one did not work, or was put there by hand. */
                (void)snprintf(text, sizeof(text), "%s works now", order[i]->name);
                if (e)
                        (void)err_text(e, text, sizeof(text));
                err_free(e);
                str_printf(&why, "%s%s", i ? "; " : " (not ", text);
        }
        if (s->driver != &snapshot_overlay)
                str_add(&why, ")");
        TRY(str_done(&why));
        return str_take(&why, ret);
}

err *snapshot_about(struct store *s, struct snapshot_about *ret)
{
        struct snapshot_about a = {0};
        err *e;

        TRY(snapshot_driver_name(s, &a.shown));
        a.overlay = s->driver == &snapshot_overlay;
        a.backing = str_dup(backing_name(s));
        e = a.backing ? explain(s, &a.why) : err_nomem();
        if (e)
                snapshot_about_done(&a);
        else
                *ret = a;
        return e;
}
