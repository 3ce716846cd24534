/* snapshots.c - see snapshots.h. */
#include "engine/snapshots.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/stop.h"
#include "monitor/proto.h"
#include "runtime/runtime.h"
#include "store/image.h"

static const char *image_of(const struct container *c)
{
        return json_get_str_or(c->record, "Image", "");
}

static const char *rootfs_of(const struct container *c)
{
        return json_get_str(container_host_config(c), "Rootfs");
}

err *snapshots_diff(struct container *c, struct diff_list *ret)
{
        _cleanup_snapshot_ struct snapshot snap = {0};

        if (rootfs_of(c))
                return err_new(ERR_UNSUPPORTED,
                               "container %s runs on the directory %s itself (--rootfs): there is nothing to "
                               "compare it with",
                               c->name, rootfs_of(c));
        TRY(snapshot_get(c->engine->store, c->id, image_of(c), &snap));
        return diff_changes(&snap, ret);
}

err *snapshots_commit(struct container *c, const struct commit_options *o, char **ret_id)
{
        struct image_commit commit = {
                .container_id = c->id,
                .parent = image_of(c),
                .container_config = container_config(c),
                .name = o->name,
                .changes = o->changes,
                .author = o->author,
                .message = o->message,
                .watch = o->watch,
        };
        _cleanup_close_ int paused = -1;
        err *e;

        if (rootfs_of(c))
                return err_new(ERR_UNSUPPORTED,
                               "container %s runs on a directory (--rootfs), not on an image: use `hod import`",
                               c->name);
        if (o->pause && c->state == STATUS_RUNNING)
                TRY(stop_pause_held(c, &paused));
        e = image_commit(c->engine->store, &commit, ret_id);
        if (paused >= 0) /* an error: it has ended, or somebody else has resumed it */
                log_error_free(LOG_LEVEL_DEBUG, stop_resume_held(paused));
        return e;
}

/* Ask the monitor for the mounted root. */
static err *mounted_root(struct container *c, int *ret_fd)
{
        _cleanup_close_ int fd = -1;

        TRY(container_connect(c, &fd));
        proto_be_patient(fd);
        TRY(proto_send(fd, PROTO_ROOTFS, NULL, 0, NULL, 0));
        return proto_wait_descriptor(fd, ret_fd);
}

err *snapshots_root(struct container *c, int *ret_fd)
{
        _cleanup_snapshot_ struct snapshot snap = {0};
        _cleanup_strv_ char **lower = NULL;
        struct runtime_overlay overlay;

        if (container_is_running(c))
                return mounted_root(c, ret_fd);
        if (rootfs_of(c)) {
                *ret_fd = open(rootfs_of(c), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                return *ret_fd < 0 ? err_sys(errno, "opening %s", rootfs_of(c)) : NULL;
        }
        TRY(snapshot_get(c->engine->store, c->id, image_of(c), &snap));
        if (!snap.upper) {
                *ret_fd = open(snap.lower[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                return *ret_fd < 0 ? err_sys(errno, "opening %s", snap.lower[0]) : NULL;
        }
        /* The writable layer as the topmost lower one: nothing is written, not even to the work directory. */
        TRY(strv_add(&lower, snap.upper));
        for (char **l = snap.lower; *l; l++)
                TRY(strv_add(&lower, *l));
        overlay = (struct runtime_overlay){.lower = lower, .readonly = true};
        return runtime_rootfs_open(snap.driver, &overlay, ret_fd);
}

err *snapshots_export(struct container *c, int fd, const struct watch *watch)
{
        _cleanup_close_ int root = -1, dir = -1;

        TRY(snapshots_root(c, &root));
        dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return err_sys(errno, "opening the root of container %s", c->name);
        return diff_write_tree(dir, fd, watch);
}
