/* layer_tar.c - see layer_tar.h. */
#include "store/layer_tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "codec/tar.h"
#include "store/blob.h"
#include "store/image_private.h"
#include "store/layer.h"
#include "store/layer_skeleton.h"
#include "store/txn.h"

static const char *hex_of(const char *digest)
{
        const char *hex = str_after(digest, DIGEST_PREFIX);

        return hex ? hex : "none";
}

struct other {
        struct store *store;
        const struct image_layer *layer;
        char *digest;
};

/* Another image's blob of the same content. */
static err *take_other(const struct db_row *row, void *arg)
{
        const char *text = db_row_text(row, 0);
        _cleanup_json_ json *list = NULL;
        struct other *o = arg;

        list = image_record_layers(text);
        for (size_t n = 0; n < json_len(list) && !o->digest; n++) {
                const char *digest = json_get_str_or(json_at(list, n), "digest", "");

                if (!str_eq(json_get_str(json_at(list, n), "diff_id"), o->layer->diff_id) ||
                    !blob_exists(o->store, digest))
                        continue;
                o->digest = str_dup(digest);
                if (!o->digest)
                        return err_nomem();
        }
        return NULL;
}

err *layer_tar_blob(struct store *s, const struct image_layer *l, char **ret)
{
        struct other o = {.store = s, .layer = l};
        struct db *db;
        err *e;

        if (blob_exists(s, l->digest)) {
                *ret = str_dup(l->digest);
                return *ret ? NULL : err_nomem();
        }
        TRY(txn_reader(s, &db));
        e = db_select(db, take_other, &o, "SELECT layers FROM images WHERE instr(layers, ?)", "s", l->diff_id);
        if (e)
                free(o.digest);
        else
                *ret = o.digest;
        return e;
}

/* The blob's plain tar. @fd is borrowed by the stream. */
static err *open_plain(struct store *s, const char *digest, int *ret_fd, struct stream **ret)
{
        _cleanup_(stream_freep) struct stream *raw = NULL;
        _cleanup_close_ int fd = -1;

        TRY(blob_open(s, digest, &fd, NULL));
        TRY(stream_open_fd(fd, &raw));
        TRY(stream_open_auto(raw, NULL, ret));
        raw = NULL;
        *ret_fd = TAKE_FD(fd);
        return NULL;
}

static err *open_skeleton(struct store *s, const struct image_layer *l, int *ret_fd)
{
        _cleanup_free_ char *path = str_format("layers/%s/" LAYER_SKELETON, hex_of(l->chain));
        int fd;

        if (!path)
                return err_nomem();
        fd = file_open_beneath(s->root_fd, path, O_RDONLY, 0);
        if (fd == -ENOENT)
                return err_new(ERR_NOT_FOUND, "its archive was dropped and cannot be made again");
        if (fd < 0)
                return err_sys(fd, "opening %s/%s", s->root, path);
        *ret_fd = fd;
        return NULL;
}

static err *write_from_tree(struct store *s, const struct image_layer *l, struct sink *to)
{
        _cleanup_(stream_freep) struct stream *raw = NULL;
        _cleanup_close_ int fd = -1, tree = -1;
        struct stream *plain;

        TRY(open_skeleton(s, l, &fd));
        TRY(layer_open(s, l->chain, &tree));
        TRY(stream_open_fd(fd, &raw));
        TRY(stream_open_gunzip(raw, &plain));
        raw = plain;
        return layer_skeleton_fill(raw, tree, to);
}

/* A sink that passes everything on and hashes it, but is not the owner of what it passes to. */
struct pass {
        struct sink sink; /* first */
        struct sink *to;
        struct digest_hasher *hasher;
        uint64_t max;
};

/* What is made of a damaged blob or skeleton may have no end: it is not longer than what was unpacked here. */
static uint64_t archive_size(const struct image_layer *l)
{
        if (l->diff_size)
                return l->diff_size;
        return strcmp(l->digest, l->diff_id) == 0 && l->blob_size ? l->blob_size : tar_limits_default.max_bytes;
}

static err *pass_write(struct sink *sink, const void *data, size_t size)
{
        struct pass *p = (struct pass *)sink;

        if (size > p->max - digest_hasher_size(p->hasher))
                return err_new(ERR_CORRUPT, "what it is made from gives more than its %llu bytes",
                               (unsigned long long)p->max);
        digest_hasher_update(p->hasher, data, size);
        return p->to ? sink_write(p->to, data, size) : NULL;
}

static err *check(struct digest_hasher *h, const struct image_layer *l)
{
        struct digest got;

        TRY(digest_hasher_final(h, &got));
        return strcmp(got.text, l->diff_id) == 0
                       ? NULL
                       : err_new(ERR_DIGEST, "its archive is %s, not %s", got.text, l->diff_id);
}

static err *write_checked(struct store *s, const struct image_layer *l, const char *blob, struct sink *to)
{
        _cleanup_(digest_hasher_freep) struct digest_hasher *h = NULL;
        _cleanup_(stream_freep) struct stream *plain = NULL;
        _cleanup_close_ int fd = -1;
        struct pass pass;

        TRY(digest_hasher_new(&h));
        pass = (struct pass){{.write = pass_write}, to, h, archive_size(l)};
        if (blob) {
                TRY(open_plain(s, blob, &fd, &plain));
                TRY(stream_copy(plain, &pass.sink, NULL));
        } else {
                TRY(write_from_tree(s, l, &pass.sink));
        }
        return check(h, l);
}

err *layer_tar_write(struct store *s, const struct image_layer *l, struct sink *sink)
{
        _cleanup_free_ char *blob = NULL;

        TRY(layer_tar_blob(s, l, &blob));
        return err_wrap(write_checked(s, l, blob, sink), "layer %s", l->digest);
}

static err *write_skeleton(struct store *s, const struct image_layer *l, const char *from, int fd)
{
        _cleanup_(stream_freep) struct stream *plain = NULL;
        _cleanup_(sink_freep) struct sink *out = NULL;
        _cleanup_free_ char *found = NULL;
        _cleanup_close_ int blob = -1;
        struct sink *gzip;

        if (!from)
                TRY(layer_tar_blob(s, l, &found));
        if (!from && !found)
                return err_new(ERR_NOT_FOUND, "there is no blob of its content");
        TRY(open_plain(s, from ? from : found, &blob, &plain));
        TRY(sink_open_fd(fd, &out));
        TRY(sink_open_gzip(out, 0, &gzip));
        out = gzip;
        TRY(layer_skeleton_make(plain, out));
        TRY(sink_finish(out));
        return fsync(fd) < 0 ? err_sys(errno, "writing a skeleton to disk") : NULL;
}

/* It has its name only when it is complete: others take one that is there for good. */
static err *keep(struct store *s, const struct image_layer *l, const char *blob, int dir)
{
        _cleanup_staging_ struct staging st = {0};
        _cleanup_close_ int fd = -1;

        if (file_exists(dir, LAYER_SKELETON))
                return NULL;
        TRY(staging_begin(s, &st));
        fd = openat(st.fd, LAYER_SKELETON, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return err_sys(errno, "making a skeleton");
        TRY(write_skeleton(s, l, blob, fd));
        if (renameat2(st.fd, LAYER_SKELETON, dir, LAYER_SKELETON, RENAME_NOREPLACE) < 0 && errno != EEXIST)
                return err_sys(errno, "publishing a skeleton");
        return NULL;
}

err *layer_tar_keep(struct store *s, const struct image_layer *l, const char *blob)
{
        _cleanup_free_ char *path = str_format("layers/%s", hex_of(l->chain));
        _cleanup_close_ int dir = -1;
        err *e;

        if (!path)
                return err_nomem();
        dir = file_open_beneath(s->root_fd, path, O_RDONLY | O_DIRECTORY, 0);
        if (dir < 0)
                return err_sys(dir, "opening %s/%s", s->root, path);
        /* One that is there may be damaged, or what a crash of an older version left of it: then it is made anew. */
        for (bool fresh = false;; fresh = true) {
                if (!file_exists(dir, LAYER_SKELETON))
                        fresh = true;
                TRY_WRAP(keep(s, l, blob, dir), "layer %s", l->digest);
                e = write_checked(s, l, NULL, NULL);
                if (!e)
                        break;
                (void)unlinkat(dir, LAYER_SKELETON, 0);
                if (fresh)
                        return err_wrap(e, "layer %s", l->digest);
                err_free(e);
        }
        return fsync(dir) < 0 ? err_sys(errno, "writing %s/%s to disk", s->root, path) : NULL;
}

bool layer_tar_kept(struct store *s, const struct image_layer *l)
{
        _cleanup_close_ int fd = -1;
        err *e = open_skeleton(s, l, &fd);
        bool yes = !e;

        err_free(e);
        return yes;
}

bool layer_tar_whole(struct store *s, const struct image_layer *l)
{
        return blob_exists(s, l->digest) || (strcmp(l->digest, l->diff_id) == 0 && layer_tar_kept(s, l));
}
