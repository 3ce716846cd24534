/* image_blobs.c - images without the blobs of their layers. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/gzip.h"
#include "oci/image.h"
#include "oci/platform.h"
#include "store/blob.h"
#include "store/gc.h"
#include "store/image_private.h"
#include "store/ingest.h"
#include "store/layer_tar.h"
#include "store/roots.h"

static err *is_complete(const struct image *i, const struct image_layer *l, bool *ret)
{
        _cleanup_free_ char *blob = NULL;
        _cleanup_close_ int fd = -1;
        err *e = layer_open(i->store, l->chain, &fd);

        *ret = !e;
        if (err_code(e) == ERR_NOT_FOUND)
                return err_free(e);
        TRY(e);
        if (layer_tar_kept(i->store, l))
                return NULL;
        TRY(layer_tar_blob(i->store, l, &blob));
        *ret = blob;
        return NULL;
}

err *image_is_complete(struct store *s, const char *id, bool *ret)
{
        _cleanup_image_ struct image *i = NULL;
        err *e = image_find(s, id, &i);

        *ret = !e;
        if (err_code(e) == ERR_NOT_FOUND) /* removed meanwhile */
                return err_free(e);
        TRY(e);
        for (size_t n = 0; n < i->n_layers && *ret; n++)
                TRY(is_complete(i, &i->layers[n], ret));
        return NULL;
}

void image_origin_done(struct image_origin *o)
{
        free(o->name);
        free(o->platform);
}

/* Which layer of @i @chain is; -1: none. */
ssize_t image_layer_place(const struct image *i, const char *chain)
{
        for (size_t n = 0; n < i->n_layers; n++)
                if (str_eq(i->layers[n].chain, chain))
                        return (ssize_t)n;
        return -1;
}

err *image_origin(struct store *s, const char *chain, struct image_origin *ret)
{
        _cleanup_image_list_ struct image_list all = {0};
        _cleanup_image_origin_ struct image_origin o = {0};
        char text[PLATFORM_TEXT];
        struct platform p;

        TRY(image_list(s, &all));
        for (size_t i = 0; i < all.n && !o.name; i++) {
                if (!all.items[i]->origin || image_layer_place(all.items[i], chain) < 0)
                        continue;
                o.name = str_dup(all.items[i]->origin);
                if (!o.name)
                        return err_nomem();
                if (!platform_read(all.items[i]->config, &p))
                        continue;
                o.platform = str_dup(platform_text(&p, text));
                if (!o.platform)
                        return err_nomem();
        }
        *ret = o;
        o = (struct image_origin){0};
        return NULL;
}

static err *no_layer(const struct image *i, const char *chain, const char *name, struct image_origin *ret_origin)
{
        _cleanup_image_origin_ struct image_origin o = {0};
        err *e;

        TRY(image_origin(i->store, chain, &o));
        if (o.name)
                e = err_new(ERR_NOT_FOUND, "image %s lacks its layer %s: pull %s again", name, chain, o.name);
        else
                e = err_new(ERR_NOT_FOUND,
                            "image %s lacks its layer %s, which no image here was pulled with: remove it, and make or "
                            "load it again",
                            name, chain);
        if (ret_origin) {
                *ret_origin = o;
                o = (struct image_origin){0};
        }
        return e;
}

err *image_check_layers(const struct image *i, const char *name, struct image_origin *ret_origin)
{
        for (size_t n = 0; n < i->n_layers; n++)
                if (!layer_is_here(i->store, i->layers[n].chain))
                        return no_layer(i, i->layers[n].chain, name, ret_origin);
        return NULL;
}

/* Make all dispensable that can be. */
static err *keep_all(struct store *s)
{
        _cleanup_image_list_ struct image_list all = {0};

        TRY(image_list(s, &all));
        for (size_t i = 0; i < all.n; i++)
                for (size_t k = 0; k < all.items[i]->n_layers; k++) {
                        const struct image_layer *l = &all.items[i]->layers[k];
                        err *e;

                        /* A skeleton that is there may be half of one: it is tried out in any case. */
                        if (!blob_exists(s, l->digest) || !layer_is_here(s, l->chain))
                                continue;
                        e = layer_tar_keep(s, l, NULL);
                        if (err_code(e) == ERR_DIGEST || err_code(e) == ERR_CORRUPT)
                                log_error_free(LOG_LEVEL_WARN, e); /* then it stays */
                        else
                                TRY(e);
                }
        return NULL;
}

/* Does @other live from the blob of @l: is it its own, or the one that stands in for its own? */
static bool depends(struct store *s, const struct image_layer *other, const struct image_layer *l)
{
        bool same = str_eq(other->digest, l->digest);

        if (!same && (!str_eq(other->diff_id, l->diff_id) || blob_exists(s, other->digest)))
                return false;
        return !layer_tar_kept(s, other);
}

/* The blob of @l may belong to several layers: all have to do without it. What somebody receives or reads now stays. */
static bool is_dispensable(struct store *s, const struct roots *kept, const struct image_list *all,
                           const struct image_layer *l)
{
        if (roots_have(kept, ROOTS_BLOBS, l->digest))
                return false;
        for (size_t i = 0; i < all->n; i++)
                for (size_t k = 0; k < all->items[i]->n_layers; k++)
                        if (depends(s, &all->items[i]->layers[k], l))
                                return false;
        return true;
}

static err *drop_one(struct store *s, const char *digest, char ***done, uint64_t *bytes)
{
        _cleanup_close_ int fd = -1;
        uint64_t size;

        TRY(blob_open(s, digest, &fd, &size));
        TRY(blob_remove(s, digest));
        *bytes += size;
        return strv_add(done, digest);
}

/* Alone with the store. */
static err *drop_all(struct store *s, char ***done, uint64_t *bytes)
{
        _cleanup_roots_ struct roots kept = {0};
        _cleanup_image_list_ struct image_list all = {0};

        TRY(roots_collect_kept(s, &kept));
        TRY(image_list(s, &all));
        for (size_t i = 0; i < all.n; i++)
                for (size_t k = 0; k < all.items[i]->n_layers; k++) {
                        const struct image_layer *l = &all.items[i]->layers[k];

                        if (blob_exists(s, l->digest) && is_dispensable(s, &kept, &all, l))
                                TRY(drop_one(s, l->digest, done, bytes));
                }
        return NULL;
}

err *image_drop_blobs(struct store *s, char ***ret, uint64_t *ret_bytes)
{
        _cleanup_strv_ char **done = NULL;
        uint64_t bytes = 0;
        err *e;

        TRY(keep_all(s));
        log_error_free(LOG_LEVEL_WARN, gc_tmp(s)); /* dead ones' lists keep nothing */
        TRY(txn_exclusive(s));
        e = drop_all(s, &done, &bytes);
        txn_exclusive_end(s);
        TRY(e);
        *ret = TAKE_PTR(done);
        *ret_bytes = bytes;
        return NULL;
}

/* The layer's archive, compressed anew, into staging: *l says what its blob is then. */
static err *compress(struct store *s, struct staging *st, struct image_layer *l)
{
        _cleanup_(digest_hasher_freep) struct digest_hasher *h = NULL;
        _cleanup_(sink_freep) struct sink *out = NULL;
        _cleanup_close_ int fd = openat(st->fd, l->chain, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        struct digest digest;
        struct sink *next;

        if (fd < 0)
                return err_sys(errno, "making a blob");
        TRY(digest_hasher_new(&h));
        TRY(sink_open_fd(fd, &out));
        TRY(sink_open_hash(out, h, &next));
        out = next;
        TRY(sink_open_gzip_wide(out, 0, -1, &next));
        out = next;
        TRY(layer_tar_write(s, l, out));
        TRY(sink_finish(out));
        l->blob_size = digest_hasher_size(h);
        TRY(digest_hasher_final(h, &digest));
        free(l->digest);
        free(l->media_type);
        l->digest = str_dup(digest.text);
        l->media_type = str_dup(OCI_MEDIA_LAYER_GZIP);
        return l->digest && l->media_type ? NULL : err_nomem();
}

/* The new blobs become visible, and the record says so. With the lease, and only if there still is a record. */
static err *record_blobs(struct store *s, struct staging *st, struct image *i)
{
        _cleanup_free_ char *config = NULL, *manifest = NULL, *layers = NULL;
        _cleanup_json_ json *list = json_new_array();
        _cleanup_txn_ struct txn t = {0};
        struct digest digest;
        size_t size;

        for (size_t n = 0; n < i->n_layers; n++)
                json_add(list, image_layer_record(&i->layers[n]));
        if (i->parent && i->n_layers)
                json_set_str(json_at(list, i->n_layers - 1), "parent", i->parent);
        TRY(json_print(list, JSON_COMPACT, &layers));
        TRY(blob_read(s, i->id, INGEST_CONFIG_MAX, &config, &size));
        TRY(image_manifest_text(i->layers, i->n_layers, i->id, size, &manifest));
        TRY(blob_stage(st, manifest, strlen(manifest), &digest));
        TRY(staging_sync(st));
        for (size_t n = 0; n < i->n_layers; n++)
                if (file_exists(st->fd, i->layers[n].chain))
                        TRY(staging_publish(st, i->layers[n].chain, "blobs/sha256", i->layers[n].digest));
        TRY(blob_publish(st, digest.text));
        TRY(layer_sync_directories(s));
        TRY(txn_begin(s, true, &t));
        TRY(txn_run(&t, "UPDATE images SET manifest=?, layers=? WHERE id=?", "sss", digest.text, layers, i->id));
        TRY(txn_commit(&t));
        free(i->manifest);
        i->manifest = str_dup(digest.text);
        return i->manifest ? NULL : err_nomem();
}

/* Compressing takes long: nobody waits for it. */
static err *make_blobs(struct store *s, struct image *i, struct staging *st)
{
        for (size_t n = 0; n < i->n_layers; n++) {
                struct image_layer *l = &i->layers[n];
                _cleanup_free_ char *blob = NULL;

                if (layer_tar_whole(s, l)) /* one that never was compressed can be had as it is */
                        continue;
                TRY(layer_tar_blob(s, l, &blob));
                if (blob || !layer_tar_kept(s, l))
                        continue;
                if (!st->store)
                        TRY(staging_begin(s, st));
                TRY(compress(s, st, l));
        }
        return NULL;
}

/* The lease is held: what is made visible now, no gc sees before it is in the record, and on the list. */
static err *publish_blobs(struct store *s, struct image *i, struct staging *st)
{
        bool recorded;

        TRY(image_is_recorded(s, i->id, &recorded));
        if (!recorded)
                return err_new(ERR_NOT_FOUND, "No such image: %s: it was removed meanwhile", i->id);
        TRY(record_blobs(s, st, i));
        return image_keep_again(i);
}

err *image_find_whole(struct store *s, const char *ref, struct image **ret)
{
        _cleanup_staging_ struct staging st = {0};
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_strv_ char **old = NULL;
        err *e;

        TRY(image_find(s, ref, &i));
        TRY(image_keep(i));
        TRY(strv_add(&old, i->manifest));
        TRY(make_blobs(s, i, &st));
        if (st.store) {
                TRY(txn_lease(s));
                e = publish_blobs(s, i, &st);
                txn_unlease(s);
                TRY(e);
                log_error_free(LOG_LEVEL_WARN, gc_blobs(s, old));
        }
        *ret = TAKE_PTR(i);
        return NULL;
}
