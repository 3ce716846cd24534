/* layer.c - see layer.h. */
#include "store/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "oci/image.h"
#include "store/snapshot_private.h"
#include "store/tree.h"
#include "store/unpack.h"

static err *check_digest(const char *digest)
{
        if (!oci_image_digest_valid(digest))
                return err_new(ERR_CORRUPT, "'%s' is not a digest", digest ? digest : "");
        return NULL;
}

static const char *hex_of(const char *digest)
{
        const char *hex = str_after(digest, "sha256:");

        return hex ? hex : "";
}

/* One try: false when a gc came between making and locking it and took it for rubbish. */
static err *try_begin(struct store *s, struct staging *st, bool *ret_done)
{
        _cleanup_close_ int fd = -1;
        char path[64];
        struct stat sb;
        uint64_t salt;

        if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
                return err_sys(errno, "getting random numbers");
        (void)snprintf(st->name, sizeof(st->name), "%016llx", (unsigned long long)salt);
        (void)snprintf(path, sizeof(path), "tmp/%s", st->name);
        if (mkdirat(s->root_fd, path, 0700) < 0)
                return err_sys(errno, "making %s/%s", s->root, path);
        fd = file_open_beneath(s->root_fd, path, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0 && fd != -ENOENT)
                return err_sys(fd, "opening %s/%s", s->root, path);
        *ret_done = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &sb) == 0 && sb.st_nlink > 0;
        if (*ret_done)
                st->fd = TAKE_FD(fd);
        return NULL;
}

err *staging_begin(struct store *s, struct staging *ret)
{
        struct staging st = {.store = s, .fd = -1};
        bool done = false;

        for (int tries = 0; tries < 10 && !done; tries++)
                TRY(try_begin(s, &st, &done));
        if (!done)
                return err_new(ERR_BUSY, "no place could be made in %s/tmp", s->root);
        *ret = st;
        return NULL;
}

void staging_done(struct staging *st)
{
        _cleanup_free_ char *path = NULL;
        int r;

        if (!st->store)
                return;
        path = str_format("tmp/%s", st->name);
        r = path ? snapshot_remove_dir(st->store->root_fd, path) : -ENOMEM;
        if (r < 0)
                log_warn("removing %s/tmp/%s: %s", st->store->root, st->name, strerror(-r));
        st->fd = file_close(st->fd);
        st->store = NULL;
}

err *staging_sync(struct staging *st)
{
        if (syncfs(st->fd) < 0)
                return err_sys(errno, "writing %s to disk", st->store->root);
        return NULL;
}

void layer_chain_id(const char *parent, const char *diff_id, struct digest *ret)
{
        char text[2 * DIGEST_TEXT + 2];
        int n;

        if (str_empty(parent))
                n = snprintf(ret->text, sizeof(ret->text), "%s", diff_id);
        else
                n = snprintf(text, sizeof(text), "%s %s", parent, diff_id);
        if (!str_empty(parent))
                digest_of(text, (size_t)n, ret);
}

err *layer_make(struct staging *st, const char *name, int *ret_fd)
{
        _cleanup_close_ int fd = -1;
        char diff[NAME_MAX + 8];

        (void)snprintf(diff, sizeof(diff), "%s/diff", name);
        if (mkdirat(st->fd, name, 0700) < 0 || mkdirat(st->fd, diff, 0700) < 0)
                return err_sys(errno, "making a directory for the layer");
        fd = file_open_beneath(st->fd, diff, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0)
                return err_sys(fd, "opening the layer's directory");
        if (fchmod(fd, 0755) < 0)
                return err_sys(errno, "setting the mode of the layer's root");
        *ret_fd = TAKE_FD(fd);
        return NULL;
}

err *layer_root_like(int from, int to)
{
        struct stat like;

        if (fstat(from, &like) < 0)
                return err_sys(errno, "looking at the root of a layer");
        if (fchown(to, like.st_uid, like.st_gid) < 0 || fchmod(to, like.st_mode & 07777) < 0)
                return err_sys(errno, "setting the owner of the layer's root");
        return tree_xattrs_copy(from, to);
}

void image_layer_done(struct image_layer *l)
{
        free(l->chain);
        free(l->diff_id);
        free(l->digest);
        free(l->media_type);
        *l = (struct image_layer){0};
}

err *staging_publish(struct staging *st, const char *name, const char *dir, const char *digest)
{
        _cleanup_free_ char *path = NULL;

        TRY(check_digest(digest));
        path = str_format("%s/%s", dir, hex_of(digest));
        if (!path)
                return err_nomem();
        if (renameat2(st->fd, name, st->store->root_fd, path, RENAME_NOREPLACE) < 0 && errno != EEXIST)
                return err_sys(errno, "publishing %s/%s", st->store->root, path);
        return NULL;
}

err *blob_stage(struct staging *st, const char *text, size_t size, struct digest *ret)
{
        struct digest d;
        int r;

        digest_of(text, size, &d);
        r = file_replace(st->fd, d.text, text, size, 0600, FILE_VOLATILE);
        if (r < 0)
                return err_sys(r, "writing blob %s", d.text);
        *ret = d;
        return NULL;
}

err *blob_publish(struct staging *st, const char *digest)
{
        return staging_publish(st, digest, "blobs/sha256", digest);
}

err *layer_sync_directories(struct store *s)
{
        static const char *const dirs[] = {"layers", "blobs/sha256"};

        for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
                _cleanup_close_ int fd = file_open_beneath(s->root_fd, dirs[i], O_RDONLY | O_DIRECTORY, 0);

                if (fd < 0 || fsync(fd) < 0)
                        return err_sys(fd < 0 ? -fd : errno, "writing %s/%s to disk", s->root, dirs[i]);
        }
        return NULL;
}

err *layer_open(struct store *s, const char *chain, int *ret_fd)
{
        char path[128];
        int fd;

        TRY(check_digest(chain));
        (void)snprintf(path, sizeof(path), "layers/%s/diff", hex_of(chain));
        fd = file_open_beneath(s->root_fd, path, O_RDONLY | O_DIRECTORY, 0);
        if (fd == -ENOENT)
                return err_new(ERR_NOT_FOUND, "layer %s is missing from %s", chain, s->root);
        if (fd < 0)
                return err_sys(fd, "opening %s/%s", s->root, path);
        *ret_fd = fd;
        return NULL;
}

bool layer_is_here(const struct store *s, const char *chain)
{
        char path[128];

        (void)snprintf(path, sizeof(path), "layers/%.64s/diff", hex_of(chain));
        return faccessat(s->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

err *layer_path(struct store *s, const char *chain, char **ret)
{
        TRY(check_digest(chain));
        *ret = str_format("%s/layers/%s/diff", s->root, hex_of(chain));
        return *ret ? NULL : err_nomem();
}

/* First out of sight, then away: a crash in the middle leaves rubbish in tmp, never half a layer. */
static err *remove_published(struct store *s, const char *dir, const char *digest)
{
        _cleanup_free_ char *path = NULL, *tmp = NULL;
        int r;

        TRY(check_digest(digest));
        path = str_format("%s/%s", dir, hex_of(digest));
        tmp = str_format("tmp/" LAYER_GONE "%s", hex_of(digest));
        if (!path || !tmp)
                return err_nomem();
        r = snapshot_remove_dir(s->root_fd, tmp);
        if (r == 0 && renameat(s->root_fd, path, s->root_fd, tmp) < 0)
                r = errno == ENOENT ? 0 : -errno;
        if (r == 0)
                r = snapshot_remove_dir(s->root_fd, tmp);
        return r < 0 ? err_sys(r, "removing %s/%s", s->root, path) : NULL;
}

err *layer_remove(struct store *s, const char *chain)
{
        return remove_published(s, "layers", chain);
}

err *blob_remove(struct store *s, const char *digest)
{
        return remove_published(s, "blobs/sha256", digest);
}
