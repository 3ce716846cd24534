/* gc.c - see gc.h and store_gc(). */
#include "store/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "store/image_mounts.h"
#include "store/image_private.h"
#include "store/layer.h"
#include "store/partial.h"
#include "store/record.h"
#include "store/roots.h"
#include "store/snapshot_private.h"
#include "store/tree.h"
#include "store/txn.h"

static uint64_t size_of(int dir_fd, const char *name)
{
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        uint64_t bytes = 0;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return 0;
        if (!S_ISDIR(st.st_mode))
                return (uint64_t)st.st_size;
        err_free(tree_usage(fd, &bytes));
        return bytes;
}

/* Who makes something in ROOT/tmp holds a lock on its directory. */
static err *remove_unlocked(int tmp, const char *name, uint64_t *bytes)
{
        _cleanup_close_ int fd = openat(tmp, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        int r;

        /* What cannot be opened may be locked, but a symlink or a socket. */
        if (fd < 0 && errno != ELOOP && errno != ENXIO)
                return NULL;
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
                return NULL;
        if (bytes)
                *bytes += size_of(tmp, name);
        r = snapshot_remove_dir(tmp, name);
        return r < 0 ? err_sys(r, "removing tmp/%s", name) : NULL;
}

/* What is being removed has no lock: who does it is alone with the store. */
static err *collect_tmp(struct store *s, bool alone, uint64_t *bytes)
{
        _cleanup_close_ int tmp = file_open_beneath(s->root_fd, "tmp", O_RDONLY | O_DIRECTORY, 0);
        _cleanup_strv_ char **names = NULL;

        if (tmp < 0)
                return err_sys(tmp, "opening %s/tmp", s->root);
        TRY(tree_names(tmp, &names));
        for (char **n = names; *n; n++)
                if (alone || !str_starts(*n, LAYER_GONE))
                        TRY(remove_unlocked(tmp, *n, bytes));
        return NULL;
}

err *gc_tmp(struct store *s)
{
        return collect_tmp(s, s->exclusive, NULL);
}

/* Containers' directories without a record. Nobody makes one now: that takes a lease. */
static err *containers(struct store *s, uint64_t *bytes)
{
        _cleanup_strv_ char **names = NULL;

        TRY(tree_names(s->containers_fd, &names));
        for (char **n = names; *n; n++) {
                _cleanup_record_ struct record r = {0};
                err *e = id_valid(*n) ? record_find(s, *n, &r) : NULL;
                int removed;

                if (!e && id_valid(*n))
                        continue;
                if (e && err_code(e) != ERR_NOT_FOUND)
                        return e;
                err_free(e);
                log_debug("removing %s/containers/%s, which no container has", s->root, *n);
                *bytes += size_of(s->containers_fd, *n);
                removed = snapshot_remove_dir(s->containers_fd, *n);
                if (removed < 0)
                        return err_sys(removed, "removing %s/containers/%s", s->root, *n);
        }
        return NULL;
}

typedef err *remove_fn(struct store *s, const char *digest);

/* Layers or blobs that nothing needs. */
static err *unreferenced(struct store *s, const struct roots *roots, enum roots_kind kind, remove_fn *remove_one,
                         uint64_t *bytes)
{
        const char *dir = kind == ROOTS_LAYERS ? "layers" : "blobs/sha256";
        _cleanup_close_ int fd = file_open_beneath(s->root_fd, dir, O_RDONLY | O_DIRECTORY, 0);
        _cleanup_strv_ char **names = NULL;

        if (fd < 0)
                return err_sys(fd, "opening %s/%s", s->root, dir);
        TRY(tree_names(fd, &names));
        for (char **n = names; *n; n++) {
                _cleanup_free_ char *digest = str_format("sha256:%s", *n);

                if (!digest)
                        return err_nomem();
                if (roots_have(roots, kind, digest) ||
                    !id_valid(*n)) /* 64 digits, like an id; anything else is not ours */
                        continue;
                log_debug("removing %s/%s/%s, which nothing needs", s->root, dir, *n);
                *bytes += size_of(fd, *n);
                TRY(remove_one(s, digest));
        }
        return NULL;
}

static err *collect_blobs(struct store *s, char *const *digests)
{
        _cleanup_roots_ struct roots roots = {0};

        TRY(roots_collect(s, &roots));
        for (; *digests; digests++)
                if (!roots_have(&roots, ROOTS_BLOBS, *digests))
                        TRY(blob_remove(s, *digests));
        return NULL;
}

err *gc_blobs(struct store *s, char *const *digests)
{
        err *e;

        if (!digests || !*digests || !txn_exclusive_try(s))
                return NULL;
        e = collect_blobs(s, digests);
        txn_exclusive_end(s);
        return e;
}

static err *collect(struct store *s, uint64_t *bytes)
{
        _cleanup_roots_ struct roots roots = {0};

        TRY(collect_tmp(s, true, bytes));
        TRY(containers(s, bytes));
        TRY(image_mounts_gc(s));
        TRY(roots_collect(s, &roots));
        TRY(unreferenced(s, &roots, ROOTS_LAYERS, layer_remove, bytes));
        return unreferenced(s, &roots, ROOTS_BLOBS, blob_remove, bytes);
}

err *store_gc(struct store *s, uint64_t *ret_bytes)
{
        uint64_t bytes = 0;
        err *e;
        int fd;

        TRY(store_containers_fd(s, &fd));
        TRY(txn_exclusive(s));
        e = collect(s, &bytes);
        txn_exclusive_end(s);
        if (!e && ret_bytes)
                *ret_bytes = bytes;
        return e;
}

err *store_prune(struct store *s, uint64_t *ret_bytes)
{
        uint64_t bytes = 0;

        TRY(store_gc(s, &bytes));
        TRY(partial_gc(s, 0, &bytes));
        *ret_bytes = bytes;
        return NULL;
}

err *gc_after_boot(struct store *s)
{
        return store_gc(s, NULL);
}
