/* image_blobs.c - images without the blobs of their layers. */
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "store/blob.h"
#include "store/image_private.h"
#include "store/layer_tar.h"

/* Make all dispensable that can be. */
static err *keep_all(struct store *s)
{
        struct image **list;
        err *e = NULL;
        size_t n;

        TRY(image_list(s, &list, &n));
        for (size_t i = 0; i < n && !e; i++)
                for (size_t k = 0; k < list[i]->n_layers && !e; k++) {
                        const struct image_layer *l = &list[i]->layers[k];

                        if (!blob_exists(s, l->digest) || layer_tar_kept(s, l))
                                continue;
                        e = layer_tar_keep(s, l);
                        if (err_code(e) != ERR_DIGEST && err_code(e) != ERR_CORRUPT)
                                continue;
                        log_error_free(LOG_LEVEL_WARN, e); /* then it stays */
                        e = NULL;
                }
        image_list_free(list, n);
        return e;
}

/* A blob may belong to several layers: all have to do without it. */
static bool is_dispensable(struct store *s, struct image *const *list, size_t n, const char *digest)
{
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < list[i]->n_layers; k++)
                        if (strcmp(list[i]->layers[k].digest, digest) == 0 && !layer_tar_kept(s, &list[i]->layers[k]))
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
        struct image **list;
        err *e = NULL;
        size_t n;

        TRY(image_list(s, &list, &n));
        for (size_t i = 0; i < n && !e; i++)
                for (size_t k = 0; k < list[i]->n_layers && !e; k++)
                        if (blob_exists(s, list[i]->layers[k].digest) &&
                            is_dispensable(s, list, n, list[i]->layers[k].digest))
                                e = drop_one(s, list[i]->layers[k].digest, done, bytes);
        image_list_free(list, n);
        return e;
}

err *image_drop_blobs(struct store *s, char ***ret, uint64_t *ret_bytes)
{
        _cleanup_strv_ char **done = NULL;
        uint64_t bytes = 0;
        err *e;

        TRY(keep_all(s));
        TRY(txn_exclusive(s));
        e = drop_all(s, &done, &bytes);
        txn_exclusive_end(s);
        TRY(e);
        *ret = TAKE_PTR(done);
        *ret_bytes = bytes;
        return NULL;
}
