/* snapshot_btrfs.c - the btrfs driver: subvolumes instead of stacked directories.
 *
 * layers/<chain>/btrfs is the whole tree up to that layer: a snapshot of the tree below it, to which the layer's
 * changes were copied (by reflink: content stays on disk once). containers/<id>/btrfs is a snapshot of the image's.
 * Trees of layers are made when the first container needs them; a crash leaves one in tmp, or a whole one in its place,
 * because btrfs writes the rename of a subvolume not before the names that were made in it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "store/check_private.h"
#include "store/layer.h"
#include "store/snapshot_private.h"
#include "store/tree.h"
#include "store/txn.h"

#define TREE "btrfs"

/* New subvolume TREE in the directory @dir: empty, or a snapshot of the subvolume @from (-1 = empty). */
static int make_tree(int dir, int from)
{
        struct btrfs_ioctl_vol_args_v2 args = {.fd = from};

        (void)snprintf(args.name, sizeof(args.name), "%s", TREE);
        return ioctl(dir, from < 0 ? BTRFS_IOC_SUBVOL_CREATE_V2 : BTRFS_IOC_SNAP_CREATE_V2, &args) < 0 ? -errno : 0;
}

static int open_tree_in(int dir)
{
        return file_open_beneath(dir, TREE, O_RDONLY | O_DIRECTORY, 0);
}

static err *apply(const char *layer, int to)
{
        _cleanup_close_ int from = open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        if (from < 0)
                return err_sys(errno, "opening %s", layer);
        TRY_WRAP(tree_copy(from, to, TREE_COPY_WHITEOUTS), "copying layer %s", layer);
        return NULL;
}

static err *apply_layer(struct store *s, const char *chain, int tree)
{
        _cleanup_free_ char *diff = NULL;

        TRY(layer_path(s, chain, &diff));
        return apply(diff, tree);
}

/* A subvolume in staging, a snapshot of @below (-1 = empty). */
static err *begin_tree(struct staging *st, const char *chain, int below, int *ret)
{
        int r = make_tree(st->fd, below);

        if (r < 0)
                return err_sys(r, "making a subvolume for layer %s", chain);
        r = open_tree_in(st->fd);
        if (r < 0)
                return err_sys(r, "opening the subvolume of layer %s", chain);
        *ret = r;
        return NULL;
}

/* The tree of layer number @i, made from the one below (@below, -1 = none) if it is not there. */
static err *layer_tree(struct store *s, const struct image *image, size_t i, int below, int *ret)
{
        const char *chain = image->layers[i].chain;
        _cleanup_free_ char *diff = NULL, *place = NULL;
        _cleanup_staging_ struct staging st = {0};
        _cleanup_close_ int tree = -1;

        TRY(staging_begin(s, &st));
        TRY(begin_tree(&st, chain, below, &tree));
        TRY(apply_layer(s, chain, tree));
        TRY(layer_path(s, chain, &diff));
        place = str_format("%.*s" TREE, (int)(strlen(diff) - strlen("diff")), diff);
        if (!place)
                return err_nomem();
        if (renameat2(st.fd, TREE, AT_FDCWD, place, RENAME_NOREPLACE) < 0 && errno != EEXIST)
                return err_sys(errno, "publishing %s", place);
        tree = file_close(tree);
        tree = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (tree < 0)
                return err_sys(errno, "opening %s", place);
        *ret = TAKE_FD(tree);
        return NULL;
}

static err *open_layer_tree(struct store *s, const char *chain, int *ret)
{
        _cleanup_free_ char *diff = NULL, *place = NULL;

        TRY(layer_path(s, chain, &diff));
        place = str_format("%.*s" TREE, (int)(strlen(diff) - strlen("diff")), diff);
        if (!place)
                return err_nomem();
        *ret = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        return *ret < 0 && errno != ENOENT ? err_sys(errno, "opening %s", place) : NULL;
}

/* The tree of the whole image, with all that are missing below it. */
static err *image_tree(struct store *s, const struct image *image, int *ret)
{
        _cleanup_close_ int below = -1;
        size_t n = image->n_layers;

        while (n > 0 && below < 0) {
                TRY(open_layer_tree(s, image->layers[n - 1].chain, &below));
                if (below < 0)
                        n--;
        }
        for (; n < image->n_layers; n++) {
                int next = -1;

                TRY(layer_tree(s, image, n, below, &next));
                (void)file_close(below);
                below = next;
        }
        *ret = TAKE_FD(below);
        return NULL;
}

/* Made once more, from the tree below if there is one, and compared. */
static err *btrfs_check_layer(struct store *s, const struct image *image, size_t n, char **ret_difference)
{
        _cleanup_close_ int have = -1, below = -1, fresh = -1;
        _cleanup_staging_ struct staging st = {0};

        TRY(open_layer_tree(s, image->layers[n].chain, &have));
        if (have < 0)
                return NULL;
        for (size_t i = 0; i <= n; i++) /* without one below there is nothing to compare with: that has been told */
                if (!layer_is_here(s, image->layers[i].chain))
                        return NULL;
        if (n)
                TRY(open_layer_tree(s, image->layers[n - 1].chain, &below));
        TRY(staging_begin(s, &st));
        TRY(begin_tree(&st, image->layers[n].chain, below, &fresh));
        for (size_t i = below < 0 ? 0 : n; i <= n; i++)
                TRY(apply_layer(s, image->layers[i].chain, fresh));
        return check_trees(fresh, have, ret_difference);
}

/* At most @bytes that no other tree has. */
static err *limit(int tree, uint64_t bytes)
{
        struct btrfs_ioctl_quota_ctl_args on = {.cmd = BTRFS_QUOTA_CTL_ENABLE};
        struct btrfs_ioctl_qgroup_limit_args args = {.lim = {.flags = BTRFS_QGROUP_LIMIT_MAX_EXCL, .max_excl = bytes}};

        /* What is counted already is kept. A first count goes on in the background; wait for it. */
        if (ioctl(tree, BTRFS_IOC_QUOTA_CTL, &on) < 0 && errno != EEXIST)
                return err_sys(errno, "switching the quotas of btrfs on");
        if (ioctl(tree, BTRFS_IOC_QUOTA_RESCAN_WAIT) < 0)
                log_debug("waiting for the quotas of btrfs: %s", strerror(errno));
        if (ioctl(tree, BTRFS_IOC_QGROUP_LIMIT, &args) < 0)
                return err_sys(errno, "setting the quota of a subvolume");
        return NULL;
}

static err *btrfs_prepare(const struct snapshot_plan *p)
{
        _cleanup_close_ int image = -1, tree = -1;
        int r;

        TRY(image_tree(p->store, p->image, &image));
        r = make_tree(p->fd, image);
        if (r < 0)
                return err_sys(r, "making a snapshot for the container");
        tree = open_tree_in(p->fd);
        if (tree < 0)
                return err_sys(tree, "opening the container's snapshot");
        TRY(apply(p->lower[0], tree)); /* the small layer */
        return p->size ? limit(tree, p->size) : NULL;
}

static err *dir_snapshot(char *root, char **layers, struct snapshot *ret)
{
        struct snapshot snap = {.image = layers, .driver = str_dup("dir")};
        err *e = strv_push(&snap.lower, root);

        if (e || !snap.driver) {
                snapshot_done(&snap);
                return e ? e : err_nomem();
        }
        *ret = snap;
        return NULL;
}

static err *btrfs_get(const char *path, char **lower, struct snapshot *ret)
{
        return dir_snapshot(str_format("%s/" TREE, path), lower, ret);
}

static err *btrfs_image(struct store *s, const struct image *image, char **layers, struct snapshot *ret)
{
        _cleanup_strv_ char **owned = layers;
        _cleanup_free_ char *place = NULL;
        _cleanup_close_ int tree = -1;

        TRY(image_tree(s, image, &tree));
        place = str_format("%.*s" TREE, (int)(strlen(owned[0]) - strlen("diff")), owned[0]);
        return dir_snapshot(TAKE_PTR(place), TAKE_PTR(owned), ret);
}

/* A subvolume goes away at once; one that holds others (a container may make them) is removed file by file. */
static void btrfs_forget(int fd)
{
        struct btrfs_ioctl_vol_args args = {.name = TREE};

        if (ioctl(fd, BTRFS_IOC_SNAP_DESTROY, &args) < 0 && errno != ENOENT && errno != ENOTTY)
                log_debug("removing a subvolume: %s", strerror(errno));
}

static err *btrfs_check(struct store *s)
{
        struct statfs fs;

        if (fstatfs(s->root_fd, &fs) < 0)
                return err_sys(errno, "looking at the file system of %s", s->root);
        if (fs.f_type != BTRFS_SUPER_MAGIC)
                return err_new(ERR_UNSUPPORTED, "btrfs: %s does not lie on a btrfs file system", s->root);
        return NULL;
}

const struct snapshot_driver snapshot_btrfs = {
        .name = "btrfs",
        .shown = "btrfs",
        .mark = TREE,
        .copies = true,
        .prepare = btrfs_prepare,
        .get = btrfs_get,
        .image = btrfs_image,
        .forget = btrfs_forget,
        .check_layer = btrfs_check_layer,
        .check = btrfs_check,
};
