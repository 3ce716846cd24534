/* check.c - see check.h: records, documents, leftovers. Layers are in check_layer.c. */
#include "store/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/str.h"
#include "codec/json.h"
#include "store/blob.h"
#include "store/check_private.h"
#include "store/gc.h"
#include "store/image_private.h"
#include "store/ingest.h"
#include "store/layer.h"
#include "store/record.h"
#include "store/roots.h"
#include "store/tree.h"
#include "store/txn.h"

void check_say(struct check *c, enum check_outcome outcome, const char *what, const char *fmt, ...)
{
        char text[2048];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        c->result.wrong += outcome == CHECK_WRONG;
        c->result.mended += outcome == CHECK_MENDED;
        c->result.leftovers += outcome == CHECK_LEFTOVER;
        c->options->say(c->options->arg, outcome, what, text);
}

/* ---- the database ---- */

static err *take_integrity(const struct db_row *row, void *arg)
{
        if (strcmp(db_row_text(row, 0), "ok") != 0)
                check_say(arg, CHECK_WRONG, "database", "%s", db_row_text(row, 0));
        return NULL;
}

/* What is true is in state.db; run.db is copied from it at each boot. */
static err *check_database(struct check *c)
{
        struct store *s = c->store;
        struct txn t;

        TRY(txn_begin(s, true, &t)); /* brings both in step, and keeps others out */
        txn_done(&t);
        TRY(txn_lock_all(s));
        {
                err *e = db_select(s->durable, take_integrity, c, "PRAGMA integrity_check(20)", "");

                txn_unlock_all(s);
                return e;
        }
}

struct lonely {
        char **names; /* of nothing: name and image in turn */
};

static err *take_lonely(const struct db_row *row, void *arg)
{
        struct lonely *l = arg;

        TRY(strv_add(&l->names, db_row_text(row, 0)));
        return strv_add(&l->names, db_row_text(row, 1));
}

static err *remove_name(struct check *c, const char *name)
{
        _cleanup_txn_ struct txn t = {0};

        TRY(txn_begin(c->store, true, &t));
        TRY(txn_run(&t, "DELETE FROM names WHERE name=?", "s", name));
        return txn_commit(&t);
}

static err *bad_name(struct check *c, const char *name, const char *why)
{
        _cleanup_free_ char *what = str_format("name %s", name);

        if (!what)
                return err_nomem();
        if (c->options->repair)
                TRY(remove_name(c, name));
        check_say(c, c->options->repair ? CHECK_MENDED : CHECK_WRONG, what, "%s%s", why,
                  c->options->repair ? "; removed" : "");
        return NULL;
}

static err *check_names(struct check *c)
{
        _cleanup_strv_ char **names = NULL;
        struct lonely l = {0};
        struct db *db;
        err *e;

        TRY(txn_reader(c->store, &db));
        e = db_select(db, take_lonely, &l, "SELECT name, image FROM names WHERE image NOT IN (SELECT id FROM images)",
                      "");
        names = l.names;
        TRY(e);
        for (char **n = names; n && *n; n += 2)
                TRY(bad_name(c, n[0], "it names an image that does not exist"));
        return NULL;
}

/* ---- documents ---- */

/* Is the document there, with its digest? If not, what is wrong with it is said in @text. */
static err *look_at_document(struct check *c, const char *digest, size_t max, bool *ret_good, char text[256])
{
        _cleanup_free_ char *data = NULL;
        err *e;

        c->result.blobs++;
        e = blob_read(c->store, digest, max, &data, NULL);
        *ret_good = !e;
        if (err_code(e) != ERR_NOT_FOUND && err_code(e) != ERR_CORRUPT && err_code(e) != ERR_LIMIT &&
            err_errno(e) != EIO)
                return e;
        (void)snprintf(text, 256, "%s",
                       err_code(e) == ERR_NOT_FOUND ? "it is missing"
                       : err_errno(e) == EIO        ? "the disk cannot read it"
                                                    : "it is damaged");
        err_free(e);
        return NULL;
}

/* A document put in the place of what is there or not. */
static err *write_document(struct check *c, const char *text, size_t size, struct digest *ret)
{
        _cleanup_staging_ struct staging st = {0};

        TRY(staging_begin(c->store, &st));
        TRY(blob_stage(&st, text, size, ret));
        TRY(staging_sync(&st));
        TRY(blob_remove(c->store, ret->text));
        TRY(blob_publish(&st, ret->text));
        return layer_sync_directories(c->store);
}

static err *take_text(const struct db_row *row, void *arg)
{
        return db_row_dup(row, 0, arg);
}

static err *check_config(struct check *c, const struct image *image)
{
        _cleanup_free_ char *what = str_format("blob %s", image->id), *text = NULL;
        char problem[256];
        struct digest got;
        struct db *db;
        bool good;

        if (!what)
                return err_nomem();
        TRY(look_at_document(c, image->id, INGEST_CONFIG_MAX, &good, problem));
        if (good)
                return NULL;
        TRY(txn_reader(c->store, &db));
        TRY(db_select(db, take_text, &text, "SELECT config FROM images WHERE id=?", "s", image->id));
        digest_of(text ? text : "", text ? strlen(text) : 0, &got);
        if (!c->options->repair || strcmp(got.text, image->id) != 0) {
                check_say(c, CHECK_WRONG, what, "config of image %s: %s", image->id, problem);
                return NULL;
        }
        TRY(write_document(c, text, strlen(text), &got));
        check_say(c, CHECK_MENDED, what, "config of image %s: %s; written again", image->id, problem);
        return NULL;
}

/* Another manifest for the same image: what was pulled by that digest cannot be pushed as it was, the image can. */
static err *new_manifest(struct check *c, const struct image *image, struct digest *ret)
{
        _cleanup_free_ char *config = NULL, *manifest = NULL;
        _cleanup_txn_ struct txn t = {0};
        size_t size;

        TRY(blob_read(c->store, image->id, INGEST_CONFIG_MAX, &config, &size));
        TRY(image_manifest_text(image->layers, image->n_layers, image->id, size, &manifest));
        TRY(write_document(c, manifest, strlen(manifest), ret));
        TRY(txn_begin(c->store, true, &t));
        TRY(txn_run(&t, "UPDATE images SET manifest=? WHERE id=?", "ss", ret->text, image->id));
        return txn_commit(&t);
}

/* No gc sees the document before the record names it. */
static err *new_manifest_leased(struct check *c, const struct image *image, struct digest *ret)
{
        err *e;

        TRY(txn_lease(c->store));
        e = new_manifest(c, image, ret);
        txn_unlease(c->store);
        return e;
}

static err *check_manifest(struct check *c, const struct image *image)
{
        _cleanup_free_ char *what = str_format("blob %s", image->manifest);
        char problem[256];
        struct digest now;
        bool good;
        err *e;

        if (!what)
                return err_nomem();
        TRY(look_at_document(c, image->manifest, INGEST_DOCUMENT_MAX, &good, problem));
        if (good)
                return NULL;
        e = c->options->repair ? new_manifest_leased(c, image, &now) : err_new(ERR_NOT_FOUND, "not asked for");
        if (!e) {
                check_say(c, CHECK_MENDED, what, "manifest of image %s: %s; it is %s now", image->id, problem,
                          now.text);
                return NULL;
        }
        err_free(e);
        check_say(c, CHECK_WRONG, what, "manifest of image %s: %s", image->id, problem);
        return NULL;
}

/* Documents that names with a digest point at. */
static err *check_digests(struct check *c, const struct image *image)
{
        for (char **d = image->digests; *d; d++) {
                const char *digest = strchr(*d, '@') + 1;
                char problem[256], text[320];
                bool good;

                TRY(look_at_document(c, digest, INGEST_DOCUMENT_MAX, &good, problem));
                if (good)
                        continue;
                (void)snprintf(text, sizeof(text), "its document: %s", problem);
                TRY(bad_name(c, *d, text));
        }
        return NULL;
}

/* @seen: chains and blobs that were looked at for other images. */
static err *check_image(struct check *c, const struct image *image, char ***seen)
{
        c->result.images++;
        TRY(check_config(c, image));
        TRY(check_manifest(c, image));
        TRY(check_digests(c, image));
        for (size_t n = 0; n < image->n_layers; n++) {
                _cleanup_free_ char *key = str_format("%s %s", image->layers[n].chain, image->layers[n].digest);

                if (!key)
                        return err_nomem();
                if (strv_contains(*seen, key))
                        continue;
                TRY(strv_add(seen, key));
                TRY_WRAP(check_layer(c, image, n), "layer %s", image->layers[n].chain);
        }
        return NULL;
}

static err *list_ids(struct check *c, char ***ret)
{
        _cleanup_image_list_ struct image_list all = {0};

        TRY(image_list(c->store, &all));
        for (size_t i = 0; i < all.n; i++)
                TRY(strv_add(ret, all.items[i]->id));
        return NULL;
}

/* By a list of its own, not by the lease: exchanging a tree takes the whole store, and a lease would be lost by that.
 */
static err *check_one(struct check *c, const char *id, char ***seen)
{
        _cleanup_image_ struct image *image = NULL;
        err *e = image_find(c->store, id, &image);

        if (err_code(e) == ERR_NOT_FOUND) /* removed meanwhile */
                return err_free(e);
        TRY(e);
        TRY(image_keep(image));
        return check_image(c, image, seen);
}

static err *check_images(struct check *c)
{
        _cleanup_strv_ char **ids = NULL, **seen = NULL;

        TRY(list_ids(c, &ids));
        for (char **id = ids; id && *id; id++)
                TRY(check_one(c, *id, &seen));
        return NULL;
}

/* ---- containers ---- */

static err *check_container(struct check *c, const struct record *r)
{
        _cleanup_free_ char *what = str_format("container %s", r->id);
        _cleanup_json_ json *doc = NULL;
        const json *mounts;
        struct stat st;
        err *e;

        if (!what)
                return err_nomem();
        c->result.containers++;
        e = json_parse(r->json, strlen(r->json), &doc);
        if (e) {
                err_free(e);
                check_say(c, CHECK_WRONG, what, "its record is damaged");
                return NULL;
        }
        if (fstatat(c->store->containers_fd, r->id, &st, AT_SYMLINK_NOFOLLOW) < 0)
                check_say(c, CHECK_WRONG, what, "its directory is missing: its files are lost");
        mounts = json_get(doc, "Mounts");
        for (size_t i = 0; i < json_len(mounts); i++) {
                const char *name = json_get_str(json_at(mounts, i), "Name");
                _cleanup_free_ char *path = str_format("volumes/%s/_data", name ? name : "");

                if (!path)
                        return err_nomem();
                if (name && str_eq(json_get_str(json_at(mounts, i), "Type"), "volume") &&
                    !file_exists(c->store->root_fd, path))
                        check_say(c, CHECK_WRONG, what, "its volume %s is missing", name);
        }
        return NULL;
}

static err *check_containers(struct check *c)
{
        _cleanup_record_list_ struct record_list list = {0};
        int fd;

        TRY(store_containers_fd(c->store, &fd));
        TRY(record_list_all(c->store, &list));
        for (size_t i = 0; i < list.n; i++)
                TRY(check_container(c, &list.items[i]));
        return NULL;
}

/* ---- leftovers ---- */

static err *list_leftovers(struct check *c, const struct roots *roots, enum roots_kind kind)
{
        const char *dir = kind == ROOTS_LAYERS ? "layers" : "blobs/sha256";
        _cleanup_close_ int fd = file_open_beneath(c->store->root_fd, dir, O_RDONLY | O_DIRECTORY, 0);
        _cleanup_strv_ char **names = NULL;

        if (fd < 0)
                return err_sys(fd, "opening %s/%s", c->store->root, dir);
        TRY(tree_names(fd, &names));
        for (char **n = names; *n; n++) {
                _cleanup_free_ char *digest = str_format("sha256:%s", *n), *what = NULL;

                what = str_format("%s %s", kind == ROOTS_LAYERS ? "layer" : "blob", *n);
                if (!digest || !what)
                        return err_nomem();
                if (!id_valid(*n))
                        check_say(c, CHECK_WRONG, what, "it is not ours");
                else if (!roots_have(roots, kind, digest))
                        check_say(c, c->options->repair ? CHECK_MENDED : CHECK_LEFTOVER, what, "nothing needs it%s",
                                  c->options->repair ? "; removed" : "");
        }
        return NULL;
}

static err *leftovers_alone(struct check *c)
{
        _cleanup_roots_ struct roots roots = {0};

        TRY(roots_collect(c->store, &roots));
        TRY(list_leftovers(c, &roots, ROOTS_LAYERS));
        return list_leftovers(c, &roots, ROOTS_BLOBS);
}

static err *check_leftovers(struct check *c)
{
        err *e;

        TRY(txn_exclusive(c->store));
        e = leftovers_alone(c);
        txn_exclusive_end(c->store);
        TRY(e);
        return c->options->repair ? store_gc(c->store, NULL) : NULL;
}

err *store_check(struct store *s, const struct check_options *o, struct check_result *ret)
{
        struct check c = {.store = s, .options = o};

        TRY(check_database(&c));
        TRY(check_records(&c));
        TRY(check_names(&c));
        TRY(check_images(&c));
        TRY(check_containers(&c));
        TRY(check_leftovers(&c));
        *ret = c.result;
        return NULL;
}
