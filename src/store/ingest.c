/* ingest.c - an image from elsewhere: beginning, end, and what it keeps from being removed. See ingest.h. */
#include "store/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/digest.h"
#include "store/blob.h"
#include "store/gc.h"
#include "store/ingest_private.h"
#include "store/layer_tar.h"
#include "store/partial.h"
#include "store/tree.h"

size_t ingest_n_layers(const struct ingest *i)
{
        return i->n;
}

const struct ingest_layer *ingest_layer(const struct ingest *i, size_t n)
{
        return &i->items[n].shown;
}

/* Everything the image consists of, for whoever collects garbage meanwhile. */
static err *write_keep(struct ingest *i)
{
        _cleanup_str_ struct str text = {0};
        int r;

        str_printf(&text, "%s\n%s\n", i->id.text, i->manifest.text);
        if (*i->index.text)
                str_printf(&text, "%s\n", i->index.text);
        for (size_t n = 0; n < i->n; n++)
                str_printf(&text, "%s\n%s\n", i->items[n].layer.chain, i->items[n].layer.digest);
        TRY(str_done(&text));
        r = file_create(i->staging.fd, STAGING_KEEP, str_text(&text), text.len, 0600);
        return r < 0 ? err_sys(r, "writing a list of what is being received") : NULL;
}

static bool tree_exists(struct ingest *i, const char *chain)
{
        _cleanup_close_ int fd = -1;
        err *e = layer_open(i->store, chain, &fd);
        bool yes = !e;

        err_free(e);
        return yes;
}

/* One more line of the list. With the lease. */
static err *keep_too(struct ingest *i, const char *digest)
{
        _cleanup_close_ int fd = openat(i->staging.fd, STAGING_KEEP, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
        char line[DIGEST_TEXT + 2];
        int r;

        (void)snprintf(line, sizeof(line), "%s\n", digest);
        r = fd < 0 ? -errno : file_write_all(fd, line, strlen(line));
        return r < 0 ? err_sys(r, "writing a list of what is being received") : NULL;
}

/* Is the layer here, with what its archive can be had from? A tree whose archive was lost is no use for push and save:
 * the blob is fetched again. */
static err *look_at(struct ingest *i, struct ingest_item *item)
{
        _cleanup_free_ char *blob = NULL;
        bool kept = layer_tar_kept(i->store, &item->layer);

        if (!tree_exists(i, item->layer.chain))
                return NULL;
        TRY(layer_tar_blob(i->store, &item->layer, &blob));
        if (!kept && !blob)
                return NULL;
        if (!kept && strcmp(blob, item->layer.digest) != 0) {
                TRY(keep_too(i, blob));
                free(item->stand_in);
                item->stand_in = TAKE_PTR(blob);
        }
        item->shown.state = INGEST_EXISTS;
        item->shown.here = item->shown.size;
        return image_layer_size(i->store, &item->layer);
}

static err *look(struct ingest *i)
{
        for (size_t n = 0; n < i->n; n++)
                if (i->items[n].shown.state == INGEST_WAITING)
                        TRY(look_at(i, &i->items[n]));
        return NULL;
}

err *ingest_look(struct ingest *i)
{
        bool any = false;
        err *e;

        for (size_t n = 0; n < i->n && !any; n++)
                any = i->items[n].shown.state == INGEST_WAITING && tree_exists(i, i->items[n].layer.chain);
        if (!any)
                return NULL;
        TRY(txn_lease(i->store));
        e = look(i);
        txn_unlease(i->store);
        return e;
}

static err *begin(struct ingest *i)
{
        err *e;

        TRY(ingest_documents(i));
        log_error_free(LOG_LEVEL_WARN, gc_tmp(i->store));
        log_error_free(LOG_LEVEL_WARN, partial_gc(i->store, PARTIAL_AGE, NULL));
        TRY(staging_begin(i->store, &i->staging));
        /* With the lease nobody removes anything; from then on the list keeps it. */
        TRY(txn_lease(i->store));
        e = write_keep(i);
        if (!e)
                e = ingest_look(i);
        txn_unlease(i->store);
        return e;
}

err *ingest_begin(struct store *s, const struct ingest_options *o, struct ingest **ret)
{
        _cleanup_ingest_ struct ingest *i = MEM_NEW0(struct ingest, 1);

        if (!i)
                return err_nomem();
        i->store = s;
        i->options = *o;
        TRY(begin(i));
        *ret = TAKE_PTR(i);
        return NULL;
}

/* Give the blob's lock up. What was received stays for the next time, unless it is nothing. */
static void release(struct ingest *i, struct ingest_blob *b)
{
        struct stat st;

        if (b->lock_fd < 0)
                return;
        if (fstat(b->lock_fd, &st) == 0 && st.st_size == 0)
                partial_drop(i->store, b->digest);
        if (b->data_fd != b->lock_fd)
                (void)file_close(b->data_fd);
        b->lock_fd = b->data_fd = file_close(b->lock_fd);
}

void ingest_stop(struct ingest *i)
{
        for (size_t n = 0; n < i->n; n++) {
                struct ingest_item *item = &i->items[n];

                if (item->pid > 0) {
                        (void)kill(item->pid, SIGKILL);
                        while (waitpid(item->pid, NULL, 0) < 0 && errno == EINTR)
                                ;
                }
                item->pid = 0;
                item->pipe_fd = file_close(item->pipe_fd);
        }
}

static void item_done(struct ingest_item *item)
{
        image_layer_done(&item->layer);
        free(item->stand_in);
}

void ingest_free(struct ingest *i)
{
        if (!i)
                return;
        ingest_stop(i);
        for (size_t n = 0; n < i->n_blobs; n++)
                release(i, &i->blobs[n]);
        staging_done(&i->staging);
        for (size_t n = 0; n < i->n; n++)
                item_done(&i->items[n]);
        strv_free(i->superseded);
        json_free(i->config);
        free(i->items);
        free(i->blobs);
        free(i);
}

err *ingest_open_tree(struct ingest *i, const struct ingest_item *item, int *ret_fd)
{
        _cleanup_free_ char *path = NULL;
        int fd;

        if (!item->staged)
                return layer_open(i->store, item->layer.chain, ret_fd);
        path = str_format("%s/diff", item->layer.chain);
        if (!path)
                return err_nomem();
        fd = file_open_beneath(i->staging.fd, path, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0)
                return err_sys(fd, "opening layer %s", item->layer.chain);
        *ret_fd = fd;
        return NULL;
}

/* The root of a layer whose archive has no entry for it looks like the one below, which must be finished. */
static err *finish_root(struct ingest *i, size_t n)
{
        _cleanup_close_ int from = -1, to = -1;

        if (!n || i->items[n].has_root || !i->items[n].staged)
                return NULL;
        TRY(ingest_open_tree(i, &i->items[n - 1], &from));
        TRY(ingest_open_tree(i, &i->items[n], &to));
        return layer_root_like(from, to);
}

/* Can the layer be moved to its place? All below it are in theirs, or go there with it. */
static bool is_ready(const struct ingest_item *item)
{
        return item->shown.state == INGEST_DONE || item->shown.state == INGEST_EXISTS;
}

static err *publish_trees(struct ingest *i, size_t ready)
{
        for (size_t n = 0; n < ready; n++) {
                struct ingest_item *item = &i->items[n];

                if (!item->staged)
                        continue;
                TRY(staging_publish(&i->staging, item->layer.chain, "layers", item->layer.chain));
                item->staged = false;
        }
        return NULL;
}

static err *publish_blobs(struct ingest *i)
{
        for (size_t n = 0; n < i->n_blobs; n++)
                if (i->blobs[n].lock_fd >= 0 && i->blobs[n].whole && !i->blobs[n].here)
                        TRY(partial_publish(i->store, i->blobs[n].digest));
        return NULL;
}

err *ingest_settle(struct ingest *i)
{
        size_t ready = 0;

        while (ready < i->n && is_ready(&i->items[ready]))
                ready++;
        for (size_t n = 0; n < ready; n++)
                TRY(finish_root(i, n));
        TRY(staging_sync(&i->staging));
        TRY(publish_blobs(i));
        TRY(publish_trees(i, ready));
        TRY(layer_sync_directories(i->store));
        for (size_t n = 0; n < i->n_blobs; n++)
                if (i->blobs[n].whole)
                        release(i, &i->blobs[n]);
        return NULL;
}
