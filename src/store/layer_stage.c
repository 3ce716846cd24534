/* layer_stage.c - a new layer from an archive that comes, or that is being written; see layer.h.
 *
 * An archive that comes compressed is kept as it came. Of a plain one only the skeleton is kept (layer_tar.h): its
 * files are in the tree. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "oci/image.h"
#include "store/layer.h"
#include "store/layer_skeleton.h"
#include "store/layer_tar.h"
#include "store/unpack.h"

#define BLOB "blob"   /* in a staging directory: the blob as received */
#define LAYER "layer" /* ... and what becomes layers/<chain> */
#define SKELETON LAYER "/" LAYER_SKELETON

/* A stream that keeps a copy of what passes, and hashes it. */
struct tee {
        struct stream stream;         /* first */
        struct stream *below;         /* borrowed */
        int fd;                       /* -1: it keeps none */
        struct digest_hasher *hasher; /* borrowed; NULL: it does not hash */
};

static err *tee_read(struct stream *s, void *data, size_t size, size_t *ret)
{
        struct tee *t = (struct tee *)s;
        size_t n = 0;
        int r;

        TRY(stream_read(t->below, data, size, &n));
        r = t->fd < 0 ? 0 : file_write_all(t->fd, data, n);
        if (r < 0)
                return err_sys(r, "keeping the archive");
        if (t->hasher)
                digest_hasher_update(t->hasher, data, n);
        *ret = n;
        return NULL;
}

static void tee_free(struct stream *s)
{
        free(s);
}

static err *tee_open(struct stream *below, int fd, struct digest_hasher *h, struct tee **ret)
{
        struct tee *t = MEM_NEW0(struct tee, 1);

        if (!t)
                return err_nomem();
        *t = (struct tee){.stream = {.read = tee_read, .free = tee_free}, .below = below, .fd = fd, .hasher = h};
        *ret = t;
        return NULL;
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
        struct tee *tee;      /* owned by ... */
        struct stream *plain; /* ... this one, if there is one */
        struct digest_hasher *blob, *diff;
        enum stream_format format;
        int from_fd, blob_fd, skeleton_fd, diff_fd;
        off_t start; /* of the archive in from_fd, if that is not -1 */
};

static void stage_done(struct stage *g)
{
        stream_free(g->plain || !g->tee ? g->plain : &g->tee->stream);
        digest_hasher_free(g->blob);
        digest_hasher_free(g->diff);
        (void)file_close(g->blob_fd);
        (void)file_close(g->skeleton_fd);
        (void)file_close(g->diff_fd);
}
#define _cleanup_stage_ __attribute__((cleanup(stage_done)))
#define STAGE_INIT                                                                                                     \
        {                                                                                                              \
                .from_fd = -1, .blob_fd = -1, .skeleton_fd = -1, .diff_fd = -1                                         \
        }

static err *make_file(struct staging *st, const char *name, int *ret)
{
        *ret = openat(st->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        return *ret < 0 ? err_sys(errno, "making a file for the layer") : NULL;
}

/* Can the archive be read a second time, and is it plain? Then a copy can wait until it is needed. */
static err *look_ahead(struct stage *g, int fd, bool *ret_plain)
{
        _cleanup_(stream_freep) struct stream *stream = NULL;
        enum stream_format format;
        unsigned char block[512];
        struct stream *top;
        struct stat st;
        ssize_t n;

        *ret_plain = false;
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return NULL;
        g->start = lseek(fd, 0, SEEK_CUR);
        n = g->start < 0 ? -1 : pread(fd, block, sizeof(block), g->start);
        if (n < 0)
                return NULL;
        g->from_fd = fd;
        TRY(stream_open_memory(block, (size_t)n, &stream));
        TRY(stream_open_auto(stream, &format, &top));
        stream = top;
        *ret_plain = format == STREAM_PLAIN;
        return NULL;
}

/* @from → (copy, hash) → inflate; what comes out is hashed beside. */
static err *open_stage(struct stage *g, struct stream *from)
{
        TRY(digest_hasher_new(&g->blob));
        TRY(digest_hasher_new(&g->diff));
        TRY(tee_open(from, g->blob_fd, g->blob, &g->tee));
        TRY(stream_open_auto(&g->tee->stream, &g->format, &g->plain));
        if (g->format == STREAM_PLAIN)
                g->tee->hasher = NULL; /* the same bytes */
        return NULL;
}

static err *fill(struct stage *g, const struct unpack_result *unpacked, struct image_layer *ret)
{
        bool plain = g->format == STREAM_PLAIN;
        struct image_layer l = {.size = unpacked->bytes,
                                .blob_size = digest_hasher_size(plain ? g->diff : g->blob),
                                .diff_size = digest_hasher_size(g->diff)};
        struct digest blob, diff;

        TRY(digest_hasher_final(g->diff, &diff));
        blob = diff;
        if (!plain)
                TRY(digest_hasher_final(g->blob, &blob));
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

/* The archive once more, from the file that it came from. */
static err *copy_again(struct staging *st, struct stage *g, const struct image_layer *l)
{
        _cleanup_(digest_hasher_freep) struct digest_hasher *h = NULL;
        _cleanup_(stream_freep) struct stream *from = NULL;
        _cleanup_(sink_freep) struct sink *to = NULL;
        struct digest digest;
        struct sink *next;

        TRY(make_file(st, BLOB, &g->blob_fd));
        if (lseek(g->from_fd, g->start, SEEK_SET) < 0)
                return err_sys(errno, "going back to the beginning of the archive");
        TRY(digest_hasher_new(&h));
        TRY(stream_open_fd(g->from_fd, &from));
        TRY(sink_open_fd(g->blob_fd, &to));
        TRY(sink_open_hash(to, h, &next));
        to = next;
        TRY(stream_copy(from, to, NULL));
        TRY(digest_hasher_final(h, &digest));
        return str_eq(digest.text, l->digest) ? NULL : err_new(ERR_BUSY, "the archive changed while it was read");
}

static err *drop(struct staging *st, const char *name)
{
        return unlinkat(st->fd, name, 0) < 0 && errno != ENOENT ? err_sys(errno, "removing the layer's %s", name)
                                                                : NULL;
}

/* A plain archive is kept as its skeleton if that is enough, else as it is. */
static err *keep_plain(struct staging *st, struct stage *g, const struct unpack_result *unpacked,
                       const struct image_layer *l)
{
        if (!unpacked->replaced)
                return drop(st, BLOB);
        TRY(drop(st, SKELETON));
        return g->blob_fd < 0 ? copy_again(st, g, l) : NULL;
}

static err *stage(struct staging *st, struct stage *g, struct stream *from, struct image_layer *ret)
{
        struct unpack_result unpacked = {0};
        err *e;

        TRY(open_stage(g, from));
        if (g->format == STREAM_PLAIN)
                TRY(make_file(st, SKELETON, &g->skeleton_fd));
        TRY(unpack_hashed(g->diff_fd, UNPACK_LAYER, g->skeleton_fd, g->diff, g->plain, &unpacked));
        TRY(fill(g, &unpacked, ret));
        e = g->format == STREAM_PLAIN ? keep_plain(st, g, &unpacked, ret) : NULL;
        if (e)
                image_layer_done(ret);
        return e;
}

err *layer_stage(struct staging *st, struct stream *from, int fd, const char *parent_chain, struct image_layer *ret)
{
        _cleanup_stage_ struct stage g = STAGE_INIT;
        bool can_wait;

        TRY(look_ahead(&g, fd, &can_wait));
        if (!can_wait)
                TRY(make_file(st, BLOB, &g.blob_fd));
        TRY(make_diff_dir(st, parent_chain, &g.diff_fd));
        return stage(st, &g, from, ret);
}

/* The skeleton of an archive that is being written here: the unpacker has enough to do. */
struct own_skeleton {
        struct sink *out;
        struct skeleton *skeleton;
};

static void own_skeleton_done(struct own_skeleton *s)
{
        skeleton_free(s->skeleton);
        sink_free(s->out);
}

static err *own_skeleton_open(int fd, struct own_skeleton *s)
{
        struct sink *gzip;

        TRY(sink_open_fd(fd, &s->out));
        TRY(sink_open_gzip(s->out, 1, &gzip));
        s->out = gzip;
        return skeleton_new(s->out, &s->skeleton);
}

static err *write_all(struct unpack *unpack, err *(*write)(void *arg, struct sink *to, const struct tar_watch *watch),
                      void *arg, int skeleton_fd)
{
        _cleanup_(own_skeleton_done) struct own_skeleton own = {0};
        struct tar_watch watch = {.bytes = skeleton_raw, .content = skeleton_content};

        TRY(own_skeleton_open(skeleton_fd, &own));
        watch.arg = own.skeleton;
        TRY(write(arg, unpack_sink(unpack), &watch));
        TRY(skeleton_end(own.skeleton));
        return sink_finish(own.out);
}

err *layer_stage_written(struct staging *st, err *(*write)(void *arg, struct sink *to, const struct tar_watch *watch),
                         void *arg, const char *parent_chain, struct image_layer *ret)
{
        _cleanup_stage_ struct stage g = STAGE_INIT;
        _cleanup_(unpack_abortp) struct unpack *unpack = NULL; /* goes before its hasher */
        struct unpack_result unpacked = {0};
        err *e;

        TRY(make_diff_dir(st, parent_chain, &g.diff_fd));
        TRY(make_file(st, SKELETON, &g.skeleton_fd));
        TRY(digest_hasher_new(&g.diff));
        TRY(unpack_start(g.diff_fd, UNPACK_LAYER, NULL, -1, &unpack));
        TRY(unpack_hash(unpack, g.diff));
        e = write_all(unpack, write, arg, g.skeleton_fd);
        if (e && !unpack_broken(unpack))
                return e;
        err_free(e);
        TRY(unpack_finish(TAKE_PTR(unpack), &unpacked));
        if (unpacked.replaced)
                return err_new(ERR_INTERNAL, "the layer's archive names a file twice");
        return fill(&g, &unpacked, ret);
}

/* The layer was there; perhaps it came with another blob and has no skeleton yet. */
static err *give_skeleton(struct staging *st, const struct image_layer *l)
{
        _cleanup_free_ char *path = str_format("layers/%s", l->chain + sizeof(DIGEST_PREFIX) - 1);
        _cleanup_close_ int dir = -1;

        if (!path)
                return err_nomem();
        dir = file_open_beneath(st->store->root_fd, path, O_RDONLY | O_DIRECTORY, 0);
        if (dir < 0)
                return err_sys(dir, "opening %s/%s", st->store->root, path);
        if (renameat2(st->fd, SKELETON, dir, LAYER_SKELETON, RENAME_NOREPLACE) < 0)
                return errno == EEXIST || errno == ENOENT ? NULL : err_sys(errno, "publishing a skeleton");
        return fsync(dir) < 0 ? err_sys(errno, "writing %s/%s to disk", st->store->root, path) : NULL;
}

err *layer_publish(struct staging *st, const struct image_layer *l)
{
        TRY(staging_publish(st, LAYER, "layers", l->chain));
        if (file_exists(st->fd, LAYER))
                TRY(give_skeleton(st, l));
        return file_exists(st->fd, BLOB) ? staging_publish(st, BLOB, "blobs/sha256", l->digest) : NULL;
}
