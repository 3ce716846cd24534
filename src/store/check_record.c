/* check_record.c - images whose record cannot be read: it is written again from the image's own documents. */
#include <string.h>

#include "base/file.h"
#include "base/id.h"
#include "base/str.h"
#include "oci/image.h"
#include "store/blob.h"
#include "store/check_private.h"
#include "store/image_private.h"
#include "store/ingest.h"
#include "store/record.h"
#include "store/tree.h"

/* A row as it is. */
struct damaged {
        char *id, *manifest;
};
struct damaged_list {
        struct damaged *items;
        size_t n;
};

static void list_done(struct damaged_list *l)
{
        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].id);
                free(l->items[i].manifest);
        }
        free(l->items);
}

static bool is_object(const char *text)
{
        _cleanup_json_ json *doc = NULL;
        err *e = json_parse(text, strlen(text), &doc);
        bool yes = !e && json_kind(doc) == JSON_OBJECT;

        err_free(e);
        return yes;
}

static err *take_damaged(const struct db_row *row, void *arg)
{
        _cleanup_json_ json *layers = image_record_layers(db_row_text(row, 3));
        struct damaged_list *l = arg;

        if (layers && is_object(db_row_text(row, 2)))
                return NULL;
        if (mem_grow(&l->items, l->n, sizeof(*l->items)) < 0)
                return err_nomem();
        l->items[l->n++] = (struct damaged){0};
        TRY(db_row_dup(row, 0, &l->items[l->n - 1].id));
        return db_row_dup(row, 1, &l->items[l->n - 1].manifest);
}

/* What image_layer_record() would have written. */
static err *add_layer(struct store *s, const json *descriptor, const char *diff_id, char **chain, json *list)
{
        struct image_layer l = {.diff_id = (char *)diff_id,
                                .digest = (char *)json_get_str(descriptor, "digest"),
                                .media_type = (char *)json_get_str_or(descriptor, "mediaType", ""),
                                .blob_size = json_get_uint(descriptor, "size", 0)};
        _cleanup_close_ int fd = -1;
        struct digest d;
        err *e;

        if (!oci_image_digest_valid(l.diff_id) || !oci_image_digest_valid(l.digest))
                return err_new(ERR_CORRUPT, "its documents are odd");
        layer_chain_id(*chain, l.diff_id, &d);
        free(*chain);
        *chain = l.chain = str_dup(d.text);
        if (!l.chain)
                return err_nomem();
        e = layer_open(s, l.chain, &fd);
        if (!e)
                e = tree_usage(fd, &l.size);
        if (err_code(e) == ERR_NOT_FOUND) /* told of when the layers are looked at */
                e = err_free(e);
        TRY(e);
        json_add(list, image_layer_record(&l));
        return NULL;
}

static err *rebuild(struct store *s, const struct damaged *row, char **ret_config, char **ret_layers)
{
        _cleanup_json_ json *config = NULL, *manifest = NULL, *list = json_new_array();
        _cleanup_free_ char *text = NULL, *chain = NULL;
        const json *ids, *layers;
        size_t size;

        TRY(blob_read(s, row->id, INGEST_CONFIG_MAX, ret_config, &size));
        TRY(json_parse(*ret_config, size, &config));
        TRY(blob_read(s, row->manifest, INGEST_DOCUMENT_MAX, &text, &size));
        TRY(json_parse(text, size, &manifest));
        ids = json_path(config, "rootfs.diff_ids");
        layers = json_get(manifest, "layers");
        if (json_len(ids) != json_len(layers))
                return err_new(ERR_CORRUPT, "its documents do not fit each other");
        for (size_t n = 0; n < json_len(layers); n++)
                TRY(add_layer(s, json_at(layers, n), json_str(json_at(ids, n)), &chain, list));
        return json_print(list, JSON_COMPACT, ret_layers);
}

static err *write_record(struct store *s, const struct damaged *row, const char *config, const char *layers)
{
        _cleanup_txn_ struct txn t = {0};

        TRY(txn_begin(s, true, &t));
        TRY(txn_run(&t, "UPDATE images SET config=?, layers=? WHERE id=?", "sss", config, layers, row->id));
        return txn_commit(&t);
}

static err *remove_record(struct store *s, const struct damaged *row)
{
        _cleanup_txn_ struct txn t = {0};

        TRY(txn_begin(s, true, &t));
        TRY(txn_run(&t, "DELETE FROM names WHERE image=?", "s", row->id));
        TRY(txn_run(&t, "DELETE FROM images WHERE id=?", "s", row->id));
        TRY(txn_run(&t, "DELETE FROM pins WHERE image=?", "s", row->id));
        return txn_commit(&t);
}

static err *check_record(struct check *c, const struct damaged *row)
{
        _cleanup_free_ char *what = str_format("image %s", row->id), *config = NULL, *layers = NULL;
        _cleanup_record_list_ struct record_list users = {0};
        err *e;

        if (!what)
                return err_nomem();
        if (!c->options->repair) {
                check_say(c, CHECK_WRONG, what, "its record is damaged");
                return NULL;
        }
        e = rebuild(c->store, row, &config, &layers);
        if (err_code(e) == ERR_NOMEM || err_code(e) == ERR_SYS)
                return e;
        if (!e) {
                TRY(write_record(c->store, row, config, layers));
                check_say(c, CHECK_MENDED, what, "its record is damaged; written again from its documents");
                return NULL;
        }
        err_free(e);
        TRY(record_image_users(c->store, row->id, &users));
        if (users.n) { /* their files are the image's layers, which nothing else names */
                check_say(c, CHECK_WRONG, what,
                          "its record and its documents are damaged; not removed, because container %.*s uses it",
                          ID_SHORT, users.items[0].id);
                return NULL;
        }
        TRY(remove_record(c->store, row));
        check_say(c, CHECK_MENDED, what, "its record and its documents are damaged; removed, pull it again");
        return NULL;
}

err *check_records(struct check *c)
{
        _cleanup_(list_done) struct damaged_list list = {0};
        struct db *db;

        TRY(txn_reader(c->store, &db));
        TRY(db_select(db, take_damaged, &list, "SELECT id, manifest, config, layers FROM images", ""));
        for (size_t i = 0; i < list.n; i++)
                TRY(check_record(c, &list.items[i]));
        return NULL;
}
