/* ingest_publish.c - the moment when an image from elsewhere is visible. */
#include <string.h>

#include "base/file.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "oci/image.h"
#include "oci/reference.h"
#include "store/blob.h"
#include "store/gc.h"
#include "store/ingest_private.h"
#include "store/layer_tar.h"

/* Names as the database has them: a tag, or a digest that one of the documents has. */
static err *check_names(const struct ingest *i, char *const *names, char ***ret)
{
        _cleanup_strv_ char **full = MEM_NEW0(char *, 1);

        if (!full)
                return err_nomem();
        for (; names && *names; names++) {
                _cleanup_reference_ struct reference r = {0};
                char *name = NULL;

                TRY(reference_parse(*names, true, &r));
                if (r.digest && strcmp(r.digest, i->manifest.text) != 0 && strcmp(r.digest, i->index.text) != 0)
                        return err_new(ERR_DIGEST, "%s: the manifest is %s", *names, i->manifest.text);
                if (r.digest && r.tag) {
                        free(r.tag);
                        r.tag = NULL;
                }
                TRY(reference_full(&r, &name));
                TRY(strv_push(&full, name));
        }
        *ret = TAKE_PTR(full);
        return NULL;
}

struct known {
        bool found;
        char *manifest, *layers;
};

static void known_done(struct known *k)
{
        free(k->manifest);
        free(k->layers);
}

static err *take_known(const struct db_row *row, void *arg)
{
        struct known *k = arg;

        k->found = true;
        TRY(db_row_dup(row, 0, &k->manifest));
        return db_row_dup(row, 1, &k->layers);
}

static err *find_known(const struct ingest *i, struct db *db, struct known *ret)
{
        return db_select(db, take_known, ret, "SELECT manifest, layers FROM images WHERE id=?", "s", i->id.text);
}

static err *take_flag(const struct db_row *row, void *arg)
{
        *(bool *)arg = db_row_int(row, 0) != 0;
        return NULL;
}

/* Can all blobs of the layers in a record's text be had? */
static bool has_blobs(struct store *s, const char *layers)
{
        _cleanup_json_ json *list = image_record_layers(layers);

        for (size_t n = 0; n < json_len(list); n++) {
                const json *item = json_at(list, n);
                const struct image_layer l = {.chain = (char *)json_get_str_or(item, "chain", ""),
                                              .diff_id = (char *)json_get_str_or(item, "diff_id", ""),
                                              .digest = (char *)json_get_str_or(item, "digest", "")};

                if (!layer_tar_whole(s, &l))
                        return false;
        }
        return list;
}

/* The same image may come with other blobs (another compression). The record names those that are here, or the newest.
 */
static bool keeps_old(struct ingest *i, const struct known *k)
{
        _cleanup_json_ json *sound = k->found ? image_record_layers(k->layers) : NULL;

        if (!sound || strcmp(k->manifest, i->manifest.text) == 0)
                return sound;
        for (size_t n = 0; n < i->n; n++)
                if (!layer_tar_whole(i->store, &i->items[n].layer))
                        return has_blobs(i->store, k->layers);
        return false;
}

/* What an image was committed from is no matter of its blobs. */
static err *parent_of(const char *layers, char **ret)
{
        _cleanup_json_ json *list = image_record_layers(layers); /* damaged: then it is replaced by a good one */
        const char *parent;

        parent = json_len(list) ? json_get_str(json_at(list, json_len(list) - 1), "parent") : NULL;
        *ret = str_dup(parent);
        return parent && !*ret ? err_nomem() : NULL;
}

static err *layers_text(const struct ingest *i, const struct known *old, char **ret)
{
        _cleanup_json_ json *list = json_new_array();
        _cleanup_free_ char *parent = NULL;

        for (size_t n = 0; n < i->n; n++)
                json_add(list, image_layer_record(&i->items[n].layer));
        if (old->found)
                TRY(parent_of(old->layers, &parent));
        if (parent && i->n)
                json_set_str(json_at(list, i->n - 1), "parent", parent);
        return json_print(list, JSON_COMPACT, ret);
}

/* What the old record named and the new one does not. */
static err *list_superseded(struct ingest *i, const struct known *old)
{
        _cleanup_json_ json *list = image_record_layers(old->layers);

        TRY(strv_add(&i->superseded, old->manifest));
        for (size_t n = 0; n < json_len(list); n++)
                TRY(strv_add(&i->superseded, json_get_str_or(json_at(list, n), "digest", "")));
        return NULL;
}

static err *write_image(struct ingest *i, const struct known *old, struct txn *t)
{
        int64_t created = 0;
        _cleanup_free_ char *layers = NULL, *config = strndup(i->options.config.data, i->options.config.size);
        uint64_t size = 0;

        if (!config)
                return err_nomem();
        if (old->found)
                TRY(list_superseded(i, old));
        err_free(clock_parse(json_get_str_or(i->config, "created", ""), &created));
        for (size_t n = 0; n < i->n; n++)
                size += i->items[n].layer.size;
        TRY(layers_text(i, old, &layers));
        return txn_run(t, "INSERT OR REPLACE INTO images VALUES(?,?,?,?,?,?)", "siisss", i->id.text, created,
                       (int64_t)size, i->manifest.text, config, layers);
}

/* Does the database say all this already? */
static err *is_known(struct ingest *i, struct db *db, char *const *names, bool *ret)
{
        _cleanup_(known_done) struct known k = {0};

        *ret = false;
        TRY(db_select(db, take_known, &k, "SELECT manifest, layers FROM images WHERE id=?", "s", i->id.text));
        if (!keeps_old(i, &k))
                return NULL;
        *ret = true;
        for (; *names && *ret; names++) {
                *ret = false;
                TRY(db_select(db, take_flag, ret, "SELECT count(*) FROM names WHERE name=? AND image=? AND tagged<>?",
                              "ssi", *names, i->id.text, (int64_t)(i->options.archived ? -1 : NAME_ARCHIVED)));
        }
        return NULL;
}

/* A layer that is here by another image's blob needs that no longer to be so: the image may have been removed since we
 * looked, or be the one that we replace. Its blob is still here, because it is on our list. */
static err *settle_stand_ins(struct ingest *i, bool replaces)
{
        for (size_t n = 0; n < i->n; n++) {
                const struct ingest_item *item = &i->items[n];
                _cleanup_free_ char *blob = NULL;
                err *e;

                if (!item->stand_in || layer_tar_kept(i->store, &item->layer))
                        continue;
                if (!replaces)
                        TRY(layer_tar_blob(i->store, &item->layer, &blob));
                e = blob ? NULL : layer_tar_keep(i->store, &item->layer, item->stand_in);
                if (!replaces || (err_code(e) != ERR_DIGEST && err_code(e) != ERR_CORRUPT))
                        TRY(e);
                else
                        log_error_free(LOG_LEVEL_WARN, e); /* it can be used, but not saved and not pushed */
        }
        return NULL;
}

/* A layer that was here when we looked may have been found damaged since: a repair heeds no list. */
static err *look_again(const struct ingest *i)
{
        for (size_t n = 0; n < i->n; n++) {
                _cleanup_close_ int fd = -1;
                err *e = layer_open(i->store, i->items[n].layer.chain, &fd);

                if (err_code(e) == ERR_NOT_FOUND) {
                        err_free(e);
                        return err_new(ERR_BUSY, "layer %s was removed by a repair meanwhile: try again",
                                       i->items[n].layer.digest);
                }
                TRY(e);
        }
        return NULL;
}

/* One by which it was pulled stays that. */
static err *write_name(const struct ingest *i, const char *name, int64_t now, struct txn *t)
{
        if (i->options.archived && strchr(name, '@'))
                return txn_run(t,
                               "INSERT INTO names VALUES(?,?,?) ON CONFLICT(name) DO UPDATE SET image=excluded.image",
                               "ssi", name, i->id.text, (int64_t)NAME_ARCHIVED);
        return txn_run(t, "INSERT OR REPLACE INTO names VALUES(?,?,?)", "ssi", name, i->id.text, now);
}

static err *write_with_lease(struct ingest *i, char *const *names)
{
        _cleanup_(known_done) struct known before = {0}, k = {0};
        _cleanup_txn_ struct txn t = {0};
        int64_t now = clock_now_ns();
        struct db *db;

        TRY(look_again(i));
        TRY(txn_reader(i->store, &db));
        TRY(find_known(i, db, &before));
        TRY(settle_stand_ins(i, before.found && !keeps_old(i, &before)));
        TRY(txn_begin(i->store, true, &t));
        TRY(find_known(i, i->store->run, &k));
        if (!keeps_old(i, &k)) {
                if (!blob_exists(i->store, i->manifest.text)) /* left out, because there was a record */
                        return err_new(ERR_BUSY, "image %s was removed meanwhile: try again", i->id.text);
                TRY(write_image(i, &k, &t));
        }
        for (; *names; names++)
                TRY(write_name(i, *names, now, &t));
        return txn_commit(&t);
}

static err *write_records(struct ingest *i, char *const *names)
{
        err *e;

        TRY(txn_lease(i->store));
        e = write_with_lease(i, names);
        txn_unlease(i->store);
        TRY(e);
        log_error_free(LOG_LEVEL_WARN, gc_blobs(i->store, i->superseded));
        return NULL;
}

static err *stage_document(struct ingest *i, const struct ingest_document *d, const struct digest *want)
{
        struct digest got;

        if (!d->data || blob_exists(i->store, want->text))
                return NULL;
        return blob_stage(&i->staging, d->data, d->size, &got);
}

static err *publish_document(struct ingest *i, const struct ingest_document *d, const struct digest *want)
{
        if (!d->data || blob_exists(i->store, want->text))
                return NULL;
        return blob_publish(&i->staging, want->text);
}

static err *stage_documents(struct ingest *i)
{
        TRY(stage_document(i, &i->options.config, &i->id));
        TRY(stage_document(i, &i->options.manifest, &i->manifest));
        return stage_document(i, &i->options.index, &i->index);
}

static err *publish_documents(struct ingest *i)
{
        TRY(publish_document(i, &i->options.config, &i->id));
        TRY(publish_document(i, &i->options.manifest, &i->manifest));
        return publish_document(i, &i->options.index, &i->index);
}

static bool layers_here(const struct ingest *i)
{
        for (size_t n = 0; n < i->n; n++)
                if (i->items[n].shown.state != INGEST_EXISTS)
                        return false;
        return blob_exists(i->store, i->id.text);
}

static bool documents_here(const struct ingest *i)
{
        return blob_exists(i->store, i->manifest.text) && (!*i->index.text || blob_exists(i->store, i->index.text));
}

/* The record keeps another manifest, and no name is to have the digest of this one: nothing would point at it. */
static bool needs_no_documents(struct ingest *i, const struct known *k, char *const *names)
{
        for (; *names; names++)
                if (strchr(*names, '@'))
                        return false;
        return keeps_old(i, k) && strcmp(k->manifest, i->manifest.text) != 0;
}

/* If everything that it takes is here. *@ret: has it been done? */
static err *publish_known(struct ingest *i, char *const *names, bool *ret)
{
        _cleanup_(known_done) struct known k = {0};
        struct db *db;
        err *e = NULL;

        *ret = false;
        if (!layers_here(i))
                return NULL;
        TRY(txn_reader(i->store, &db));
        TRY(find_known(i, db, &k));
        if (!documents_here(i) && !needs_no_documents(i, &k, names))
                return NULL;
        TRY(is_known(i, db, names, ret));
        if (!*ret)
                e = write_records(i, names);
        if (err_code(e) == ERR_BUSY) /* the record went meanwhile: all of it, then */
                return err_free(e);
        *ret = true;
        return e;
}

static err *publish(struct ingest *i, char *const *names)
{
        bool done;

        TRY(publish_known(i, names, &done));
        if (done)
                return NULL;
        for (size_t n = 0; n < i->n; n++)
                if (i->items[n].shown.state != INGEST_DONE && i->items[n].shown.state != INGEST_EXISTS)
                        return err_new(ERR_INTERNAL, "layer %s is not complete", i->items[n].layer.digest);
        TRY(stage_documents(i));
        TRY(ingest_settle(i));
        TRY(publish_documents(i));
        TRY(layer_sync_directories(i->store));
        return write_records(i, names);
}

err *ingest_publish(struct ingest *i, char *const *names, char **ret_id)
{
        _cleanup_strv_ char **full = NULL;
        _cleanup_free_ char *id = str_dup(i->id.text);

        if (!id)
                return err_nomem();
        TRY(check_names(i, names, &full));
        TRY(publish(i, full));
        *ret_id = TAKE_PTR(id);
        return NULL;
}
