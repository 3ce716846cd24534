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

#define BLOB "blob"   /* in a staging directory: the blob as received */
#define LAYER "layer" /* ... and what becomes layers/<chain> */

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

/* A stream that keeps a copy of what passes. */
struct tee {
        struct stream stream; /* first */
        struct stream *below; /* borrowed */
        int fd;
};

static err *tee_read(struct stream *s, void *data, size_t size, size_t *ret)
{
        struct tee *t = (struct tee *)s;
        size_t n = 0;
        int r;

        TRY(stream_read(t->below, data, size, &n));
        r = file_write_all(t->fd, data, n);
        if (r < 0)
                return err_sys(r, "keeping the archive");
        *ret = n;
        return NULL;
}

static void tee_free(struct stream *s)
{
        free(s);
}

static err *tee_open(struct stream *below, int fd, struct stream **ret)
{
        struct tee *t = MEM_NEW0(struct tee, 1);

        if (!t)
                return err_nomem();
        *t = (struct tee){.stream = {.read = tee_read, .free = tee_free}, .below = below, .fd = fd};
        *ret = &t->stream;
        return NULL;
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

/* LAYER/diff in the staging directory. */
static err *make_diff_dir(struct staging *st, const char *parent_chain, int *ret)
{
        _cleanup_close_ int fd = -1, parent = -1;

        TRY(layer_make(st, LAYER, &fd));
        if (!str_empty(parent_chain)) {
                TRY(layer_open(st->store, parent_chain, &parent));
                TRY(layer_root_like(parent, fd));
        }
        *ret = TAKE_FD(fd);
        return NULL;
}

static const char *media_type(enum stream_format format)
{
        return format == STREAM_GZIP   ? OCI_MEDIA_LAYER_GZIP
               : format == STREAM_ZSTD ? OCI_MEDIA_LAYER_ZSTD
                                       : OCI_MEDIA_LAYER;
}

struct stage {
        struct stream *tee, *hashed, *plain; /* the last owned one owns what is below it */
        struct digest_hasher *blob, *diff;
        enum stream_format format;
};

static void stage_done(struct stage *g)
{
        stream_free(g->plain ? g->plain : g->hashed ? g->hashed : g->tee);
        digest_hasher_free(g->blob);
        digest_hasher_free(g->diff);
}

/* @from → copy to @fd → hash → inflate → (hash again) */
static err *open_stage(struct stream *from, int fd, struct stage *g)
{
        struct stream *next;

        TRY(digest_hasher_new(&g->blob));
        TRY(tee_open(from, fd, &g->tee));
        TRY(stream_open_hash(g->tee, g->blob, &g->hashed));
        TRY(stream_open_auto(g->hashed, &g->format, &g->plain));
        if (g->format == STREAM_PLAIN)
                return NULL; /* the same bytes */
        TRY(digest_hasher_new(&g->diff));
        TRY(stream_open_hash(g->plain, g->diff, &next));
        g->plain = next;
        return NULL;
}

static err *fill(struct stage *g, const struct unpack_result *unpacked, struct image_layer *ret)
{
        struct image_layer l = {.size = unpacked->bytes, .blob_size = digest_hasher_size(g->blob)};
        struct digest blob, diff;

        TRY(digest_hasher_final(g->blob, &blob));
        diff = blob;
        if (g->diff)
                TRY(digest_hasher_final(g->diff, &diff));
        l.digest = str_dup(blob.text);
        l.diff_id = str_dup(diff.text);
        l.media_type = str_dup(media_type(g->format));
        if (!l.digest || !l.diff_id || !l.media_type) {
                image_layer_done(&l);
                return err_nomem();
        }
        *ret = l;
        return NULL;
}

static err *make_blob(struct staging *st, int *ret)
{
        *ret = openat(st->fd, BLOB, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        return *ret < 0 ? err_sys(errno, "making a blob") : NULL;
}

err *layer_stage(struct staging *st, struct stream *from, const char *parent_chain, struct image_layer *ret)
{
        _cleanup_(stage_done) struct stage g = {0};
        _cleanup_close_ int blob = -1, diff = -1;
        struct unpack_result unpacked = {0};

        TRY(make_blob(st, &blob));
        TRY(make_diff_dir(st, parent_chain, &diff));
        TRY(open_stage(from, blob, &g));
        TRY(unpack_stream(diff, UNPACK_LAYER, -1, g.plain, &unpacked));
        return fill(&g, &unpacked, ret);
}

/* Where a written archive goes: into the blob, the hash and the unpacker. */
struct split {
        struct sink sink; /* first */
        int fd;
        struct digest_hasher *hasher;
        struct unpack *unpack;
};

static err *split_write(struct sink *sink, const void *data, size_t size)
{
        struct split *s = (struct split *)sink;
        int r;

        /* First the other process, which then has work. */
        TRY(sink_write(unpack_sink(s->unpack), data, size));
        digest_hasher_update(s->hasher, data, size);
        r = file_write_all(s->fd, data, size);
        return r < 0 ? err_sys(r, "keeping the archive") : NULL;
}

static err *split_finish(struct sink *sink)
{
        (void)sink;
        return NULL;
}

err *layer_stage_written(struct staging *st, err *(*write)(void *arg, struct sink *to), void *arg,
                         const char *parent_chain, struct image_layer *ret)
{
        _cleanup_(unpack_abortp) struct unpack *unpack = NULL;
        _cleanup_(stage_done) struct stage g = {.format = STREAM_PLAIN};
        _cleanup_close_ int blob = -1, diff = -1;
        struct unpack_result unpacked = {0};
        struct split split;
        err *e;

        TRY(make_blob(st, &blob));
        TRY(make_diff_dir(st, parent_chain, &diff));
        TRY(digest_hasher_new(&g.blob));
        TRY(unpack_start(diff, UNPACK_LAYER, NULL, -1, &unpack));
        split = (struct split){{.write = split_write, .finish = split_finish}, blob, g.blob, unpack};
        e = write(arg, &split.sink);
        if (e && !unpack_broken(unpack))
                return e; /* cppcheck-suppress returnDanglingLifetime ; an error, not the sink */
        err_free(e);
        TRY(unpack_finish(TAKE_PTR(unpack), &unpacked));
        return fill(&g, &unpacked, ret);
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

err *layer_publish(struct staging *st, const struct image_layer *l)
{
        TRY(staging_publish(st, LAYER, "layers", l->chain));
        return staging_publish(st, BLOB, "blobs/sha256", l->digest);
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
