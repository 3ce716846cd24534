/* image_mount.c - see image_mount.h. */
#include "engine/image_mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "runtime/runtime.h"
#include "store/image_mounts.h"
#include "store/snapshot.h"
#include "sys/mountfd.h"

/* The image as a detached mount. */
static err *open_image(struct engine *e, const struct image *image, const char *empty, int *ret)
{
        _cleanup_snapshot_ struct snapshot snap = {0};
        _cleanup_strv_ char **lower = NULL;
        struct runtime_overlay o = {.readonly = true};

        TRY(snapshot_of_image(e->store, image, &snap));
        /* The kernel stacks two directories at least. */
        if (strcmp(snap.driver, "dir") != 0)
                TRY(strv_add(&lower, empty));
        for (char **l = snap.lower; *l; l++)
                TRY(strv_add(&lower, *l));
        o.lower = lower;
        return runtime_rootfs_open(snap.driver, &o, ret);
}

err *image_mount(struct engine *e, const struct image *image, char **ret_path)
{
        _cleanup_image_mount_ struct image_mount m = {.lock = -1, .dir = -1, .root = -1};
        _cleanup_close_ int fd = -1;
        int r;

        TRY(image_mount_open(e->store, image->id, &m));
        if (!m.count) {
                TRY(open_image(e, image, m.empty, &fd));
                r = mountfd_set(fd, 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0);
                if (r == 0)
                        r = mountfd_attach(fd, m.root);
                if (r < 0)
                        return err_sys(r, "mounting %s", m.path);
        }
        TRY(image_mount_add(&m));
        *ret_path = TAKE_PTR(m.path);
        return NULL;
}

err *image_unmount(struct engine *e, const struct image *image, bool force)
{
        _cleanup_image_mount_ struct image_mount m = {.lock = -1, .dir = -1, .root = -1};

        if (!image_is_mounted(e->store, image->id))
                return err_new(ERR_NOT_MODIFIED, "image %s is not mounted", *image->names ? *image->names : image->id);
        TRY(image_mount_open(e->store, image->id, &m));
        return image_mount_drop(&m, force);
}

void image_mounted_list_done(struct image_mounted_list *l)
{
        for (size_t i = 0; i < l->n; i++) {
                image_free(l->items[i].image);
                free(l->items[i].path);
        }
        free(l->items);
        *l = (struct image_mounted_list){0};
}

static err *add(struct engine *e, const char *id, struct image_mounted *to)
{
        _cleanup_(image_freep) struct image *image = NULL;

        TRY(image_find(e->store, id, &image));
        to->path = str_format("%s/mounts/%s/root", e->root, strchr(id, ':') + 1);
        if (!to->path)
                return err_nomem();
        to->image = TAKE_PTR(image);
        return NULL;
}

err *image_mounted_list(struct engine *e, struct image_mounted_list *ret)
{
        _cleanup_image_mounted_list_ struct image_mounted_list list = {0};
        _cleanup_strv_ char **ids = NULL;

        TRY(image_mounts(e->store, &ids));
        list.items = MEM_NEW0(struct image_mounted, strv_len(ids) + 1);
        if (!list.items)
                return err_nomem();
        for (char **id = ids; *id; id++) {
                err *error = add(e, *id, &list.items[list.n]);

                if (err_code(error) == ERR_NOT_FOUND) { /* removed this instant */
                        err_free(error);
                        continue;
                }
                TRY(error);
                list.n++;
        }
        *ret = list;
        list = (struct image_mounted_list){0};
        return NULL;
}
