/* roots.c - see roots.h. */
#include "store/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/json.h"
#include "oci/image.h"
#include "store/blob.h"
#include "store/image_private.h"
#include "store/ingest.h"
#include "store/layer.h"
#include "store/layer_tar.h"
#include "store/snapshot_private.h"
#include "store/tree.h"
#include "store/txn.h"

#define KEEP_MAX (64u << 20)

void roots_done(struct roots *r)
{
        for (size_t i = 0; i < ROOTS_KINDS; i++)
                free(r->kinds[i].items);
        *r = (struct roots){0};
}

static err *add(struct roots *r, enum roots_kind kind, const char *digest)
{
        struct digest **items = &r->kinds[kind].items;
        size_t *n = &r->kinds[kind].n;

        if (!oci_image_digest_valid(digest))
                return NULL;
        if (mem_grow(items, *n, sizeof(**items)) < 0)
                return err_nomem();
        memcpy((*items)[(*n)++].text, digest, sizeof((*items)->text));
        return NULL;
}

/* One digest a line, of layers and blobs. */
static err *add_lines(struct roots *r, char *text)
{
        for (char *line = text, *next; *line; line = next) {
                next = line + strcspn(line, "\n");
                if (*next)
                        *next++ = '\0';
                TRY(add(r, ROOTS_LAYERS, line));
                TRY(add(r, ROOTS_BLOBS, line));
        }
        return NULL;
}

/* What the makers of staging places need. Those of dead ones do no harm. */
static err *add_staging(struct store *s, struct roots *r)
{
        _cleanup_close_ int tmp = file_open_beneath(s->root_fd, "tmp", O_RDONLY | O_DIRECTORY, 0);
        _cleanup_strv_ char **names = NULL;

        if (tmp < 0)
                return err_sys(tmp, "opening %s/tmp", s->root);
        TRY(tree_names(tmp, &names));
        for (char **n = names; *n; n++) {
                _cleanup_free_ char *path = str_format("%s/" STAGING_KEEP, *n), *text = NULL;
                int e;

                if (!path)
                        return err_nomem();
                e = file_read(tmp, path, KEEP_MAX, &text, NULL);
                if (e == 0)
                        TRY(add_lines(r, text));
                else if (e != -ENOENT && e != -ENOTDIR)
                        return err_sys(e, "reading %s/tmp/%s", s->root, path);
        }
        return NULL;
}

struct rows {
        struct roots *roots;
        char **documents; /* digests of names */
};

static err *take_image(const struct db_row *row, void *arg)
{
        struct rows *rows = arg;
        const char *layers = db_row_text(row, 2);
        _cleanup_json_ json *list = NULL;

        TRY(add(rows->roots, ROOTS_BLOBS, db_row_text(row, 0)));
        TRY(add(rows->roots, ROOTS_BLOBS, db_row_text(row, 1)));
        list = image_record_layers(layers);
        if (!list) {
                log_warn("the record of image %s is damaged: no layer and no blob is removed before \"hod system check "
                         "--repair\"",
                         db_row_text(row, 0));
                rows->roots->unsure = true;
        }
        for (size_t i = 0; i < json_len(list); i++) {
                TRY(add(rows->roots, ROOTS_LAYERS, json_get_str(json_at(list, i), "chain")));
                TRY(add(rows->roots, ROOTS_BLOBS, json_get_str(json_at(list, i), "digest")));
        }
        return NULL;
}

static err *take_name(const struct db_row *row, void *arg)
{
        const char *at = strchr(db_row_text(row, 0), '@');
        struct rows *rows = arg;

        return at ? strv_add(&rows->documents, at + 1) : NULL;
}

/* Documents that are here: what names with a digest point at, and what those list. Each is read once: an index of 4 MiB
 * may list one manifest of 4 MiB forty thousand times. */
struct documents {
        struct store *store;
        struct roots *roots;
        char **list;
};

static err *add_document(struct documents *d, const char *digest)
{
        /* Of an index only one manifest is here, as a rule. */
        if (strv_contains(d->list, digest) || !blob_exists(d->store, digest))
                return NULL;
        TRY(add(d->roots, ROOTS_BLOBS, digest));
        return strv_add(&d->list, digest);
}

/* A manifest's config and layers, an index's manifests. */
static err *add_children(struct documents *d, const json *doc)
{
        const json *layers = json_get(doc, "layers"), *manifests = json_get(doc, "manifests");

        TRY(add(d->roots, ROOTS_BLOBS, json_get_str(json_get(doc, "config"), "digest")));
        for (size_t i = 0; i < json_len(layers); i++)
                TRY(add(d->roots, ROOTS_BLOBS, json_get_str(json_at(layers, i), "digest")));
        for (size_t i = 0; i < json_len(manifests); i++)
                TRY(add_document(d, json_get_str_or(json_at(manifests, i), "digest", "")));
        return NULL;
}

static err *read_document(struct documents *d, const char *digest)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_json_ json *doc = NULL;
        size_t size;
        err *e = blob_read(d->store, digest, INGEST_DOCUMENT_MAX, &text, &size);

        if (!e)
                e = json_parse(text, size, &doc);
        if (!e)
                return add_children(d, doc);
        if (err_code(e) == ERR_NOMEM)
                return e;
        /* Damaged: `system check` tells of it. It keeps nothing. */
        log_error_free(LOG_LEVEL_DEBUG, e);
        return NULL;
}

static err *add_documents(struct store *s, struct roots *r, char *const *digests)
{
        struct documents d = {.store = s, .roots = r};
        err *e = NULL;

        for (; digests && *digests && !e; digests++)
                e = add_document(&d, *digests);
        for (size_t i = 0; d.list && d.list[i] && !e; i++)
                e = read_document(&d, d.list[i]);
        strv_free(d.list);
        return e;
}

static int compare(const void *a, const void *b)
{
        return strcmp(((const struct digest *)a)->text, ((const struct digest *)b)->text);
}

static void sort(struct roots *r)
{
        for (size_t i = 0; i < ROOTS_KINDS; i++)
                if (r->kinds[i].n)
                        qsort(r->kinds[i].items, r->kinds[i].n, sizeof(struct digest), compare);
}

err *roots_collect(struct store *s, struct roots *ret)
{
        _cleanup_roots_ struct roots r = {0};
        _cleanup_strv_ char **documents = NULL;
        _cleanup_free_ char *notes = NULL;
        struct rows rows = {.roots = &r};
        struct db *db;
        err *e;

        /* The ingests first: what one has finished meanwhile is in the database then. */
        TRY(add_staging(s, &r));
        TRY(txn_reader(s, &db));
        TRY(db_select(db, take_image, &rows, "SELECT id, manifest, layers FROM images", ""));
        e = db_select(db, take_name, &rows, "SELECT name FROM names WHERE instr(name, '@')", "");
        documents = rows.documents;
        TRY(e);
        TRY(add_documents(s, &r, documents));
        TRY(snapshot_notes(s, &notes));
        TRY(add_lines(&r, notes));
        sort(&r);
        *ret = r;
        r = (struct roots){0};
        return NULL;
}

err *roots_collect_kept(struct store *s, struct roots *ret)
{
        _cleanup_roots_ struct roots r = {0};

        TRY(add_staging(s, &r));
        sort(&r);
        *ret = r;
        r = (struct roots){0};
        return NULL;
}

static err *add_layer(struct store *s, const struct image_layer *l, struct roots *r)
{
        _cleanup_free_ char *blob = NULL;

        TRY(add(r, ROOTS_LAYERS, l->chain));
        TRY(add(r, ROOTS_BLOBS, l->digest));
        TRY(layer_tar_blob(s, l, &blob));
        return blob && strcmp(blob, l->digest) != 0 ? add(r, ROOTS_BLOBS, blob) : NULL;
}

err *roots_of_image(struct store *s, const struct image *i, struct roots *ret)
{
        _cleanup_roots_ struct roots r = {0};
        _cleanup_strv_ char **documents = NULL;

        TRY(add(&r, ROOTS_BLOBS, i->id));
        TRY(add(&r, ROOTS_BLOBS, i->manifest));
        for (size_t n = 0; n < i->n_layers; n++)
                TRY(add_layer(s, &i->layers[n], &r));
        for (char **d = i->digests; d && *d; d++)
                if (strchr(*d, '@'))
                        TRY(strv_add(&documents, strchr(*d, '@') + 1));
        TRY(add_documents(s, &r, documents));
        sort(&r);
        *ret = r;
        r = (struct roots){0};
        return NULL;
}

bool roots_have(const struct roots *r, enum roots_kind kind, const char *digest)
{
        struct digest key = {0};

        if (r->unsure)
                return true;
        if (!oci_image_digest_valid(digest) || !r->kinds[kind].n)
                return false;
        memcpy(key.text, digest, sizeof(key.text));
        return bsearch(&key, r->kinds[kind].items, r->kinds[kind].n, sizeof(key), compare) != NULL;
}
