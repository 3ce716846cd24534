/* image_mounts.c - see image_mounts.h. */
#include "store/image_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/parse.h"
#include "base/str.h"
#include "store/tree.h"
#include "store/txn.h"

#define ALGORITHM "sha256:"
#define COUNT_MAX 1000000

static const char *hex_of(const char *id)
{
        const char *hex = str_after(id, ALGORITHM);

        return hex ? hex : id;
}

void image_mount_done(struct image_mount *m)
{
        m->root = file_close(m->root);
        m->dir = file_close(m->dir);
        m->lock = file_close(m->lock);
        free(m->path);
        free(m->empty);
        m->path = m->empty = NULL;
}

/* ROOT/mounts; -1: there is none. */
static err *open_mounts(struct store *s, bool make, int *ret)
{
        int fd;

        if (make && mkdirat(s->root_fd, "mounts", 0700) < 0 && errno != EEXIST)
                return err_sys(errno, "making %s/mounts", s->root);
        fd = file_open_beneath(s->root_fd, "mounts", O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0 && (make || fd != -ENOENT))
                return err_sys(fd, "opening %s/mounts", s->root);
        *ret = fd < 0 ? -1 : fd;
        return NULL;
}

/* Is @path below @fd where something is mounted? */
static bool is_mounted(int fd, const char *path)
{
        struct statx sx;

        return statx(fd, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &sx) == 0 &&
               (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static unsigned read_count(int dir)
{
        _cleanup_free_ char *text = NULL;
        uint64_t n = 0;

        if (file_read(dir, "count", 32, &text, NULL) < 0 || !parse_u64(text, &n) || n > COUNT_MAX)
                return 1;
        return n ? (unsigned)n : 1;
}

static err *open_dirs(struct image_mount *m, int mounts, const char *hex)
{
        if (mkdirat(mounts, hex, 0700) < 0 && errno != EEXIST)
                return err_sys(errno, "making %s/mounts/%s", m->store->root, hex);
        m->dir = file_open_beneath(mounts, hex, O_RDONLY | O_DIRECTORY, 0);
        if (m->dir < 0)
                return err_sys(m->dir, "opening %s/mounts/%s", m->store->root, hex);
        if ((mkdirat(m->dir, "root", 0700) < 0 && errno != EEXIST) ||
            (mkdirat(m->dir, "empty", 0755) < 0 && errno != EEXIST))
                return err_sys(errno, "making a directory in %s/mounts/%s", m->store->root, hex);
        m->root = openat(m->dir, "root", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (m->root < 0)
                return err_sys(errno, "opening %s/mounts/%s/root", m->store->root, hex);
        m->path = str_format("%s/mounts/%s/root", m->store->root, hex);
        m->empty = str_format("%s/mounts/%s/empty", m->store->root, hex);
        return m->path && m->empty ? NULL : err_nomem();
}

err *image_mount_open(struct store *s, const char *id, struct image_mount *ret)
{
        _cleanup_image_mount_ struct image_mount m = {.store = s, .lock = -1, .dir = -1, .root = -1};
        _cleanup_close_ int mounts = -1;

        if (!id_valid(hex_of(id)))
                return err_new(ERR_INVALID, "'%s' is not an image id", id);
        TRY(open_mounts(s, true, &mounts));
        m.lock = file_lock(mounts, "lock", false);
        if (m.lock < 0)
                return err_sys(m.lock, "locking %s/mounts", s->root);
        TRY(open_dirs(&m, mounts, hex_of(id)));
        m.count = is_mounted(m.dir, "root") ? read_count(m.dir) : 0;
        *ret = m;
        m = (struct image_mount){.lock = -1, .dir = -1, .root = -1};
        return NULL;
}

static err *write_count(struct image_mount *m, unsigned count)
{
        char text[16];
        int r, n = snprintf(text, sizeof(text), "%u", count);

        r = file_replace(m->dir, "count", text, (size_t)n, 0600, FILE_VOLATILE);
        if (r < 0)
                return err_sys(r, "counting the mounts of %s", m->path);
        m->count = count;
        return NULL;
}

err *image_mount_add(struct image_mount *m)
{
        return write_count(m, m->count + 1);
}

/* Whatever is mounted there, and what is mounted over it, then the directories. The lock is held. */
static err *forget(struct store *s, int mounts, const char *hex)
{
        _cleanup_free_ char *path = str_format("%s/mounts/%s/root", s->root, hex);
        _cleanup_free_ char *below = str_format("%s/root", hex);
        int r;

        if (!path || !below)
                return err_nomem();
        while (is_mounted(mounts, below))
                if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
                        return err_sys(errno, "unmounting %s", path);
        r = file_remove_tree(mounts, hex);
        return r < 0 ? err_sys(r, "removing %s/mounts/%s", s->root, hex) : NULL;
}

err *image_mount_drop(struct image_mount *m, bool force)
{
        _cleanup_close_ int mounts = -1;
        _cleanup_free_ char *hex = NULL;
        size_t n = strlen(m->path) - strlen("/root");

        if (m->count > 1 && !force)
                return write_count(m, m->count - 1);
        m->root = file_close(m->root); /* it would keep the mount busy */
        if (m->count && !force && umount2(m->path, UMOUNT_NOFOLLOW) < 0)
                return errno == EBUSY ? err_new(ERR_BUSY, "%s is in use (--force unmounts it all the same)", m->path)
                                      : err_sys(errno, "unmounting %s", m->path);
        hex = strndup(m->path + n - ID_LEN, ID_LEN);
        if (!hex)
                return err_nomem();
        TRY(open_mounts(m->store, true, &mounts));
        m->count = 0;
        return forget(m->store, mounts, hex);
}

err *image_mounts(struct store *s, char ***ret)
{
        _cleanup_strv_ char **names = NULL, **ids = MEM_NEW0(char *, 1);
        _cleanup_close_ int mounts = -1;

        if (!ids)
                return err_nomem();
        TRY(open_mounts(s, false, &mounts));
        if (mounts >= 0)
                TRY(tree_names(mounts, &names));
        for (char **n = names; n && *n; n++) {
                _cleanup_free_ char *below = str_format("%s/root", *n);

                if (!below)
                        return err_nomem();
                if (id_valid(*n) && is_mounted(mounts, below))
                        TRY(strv_push(&ids, str_format(ALGORITHM "%s", *n)));
        }
        *ret = TAKE_PTR(ids);
        return NULL;
}

bool image_is_mounted(struct store *s, const char *id)
{
        _cleanup_free_ char *path = str_format("mounts/%s/root", hex_of(id));

        return path && is_mounted(s->root_fd, path);
}

err *image_mounts_forget(struct store *s, const char *id)
{
        _cleanup_close_ int mounts = -1, lock = -1;

        TRY(open_mounts(s, false, &mounts));
        if (mounts < 0 || !file_exists(mounts, hex_of(id)))
                return NULL;
        lock = file_lock(mounts, "lock", false);
        return lock < 0 ? err_sys(lock, "locking %s/mounts", s->root) : forget(s, mounts, hex_of(id));
}

err *image_mounts_gc(struct store *s)
{
        _cleanup_close_ int mounts = -1, lock = -1;
        _cleanup_strv_ char **names = NULL;

        TRY(open_mounts(s, false, &mounts));
        if (mounts < 0)
                return NULL;
        lock = file_lock(mounts, "lock", false);
        if (lock < 0)
                return err_sys(lock, "locking %s/mounts", s->root);
        TRY(tree_names(mounts, &names));
        for (char **n = names; *n; n++) {
                _cleanup_free_ char *below = str_format("%s/root", *n);

                if (!below)
                        return err_nomem();
                if (id_valid(*n) && !is_mounted(mounts, below))
                        TRY(forget(s, mounts, *n));
        }
        return NULL;
}
