/* image.c - finding, listing and naming images; see image.h. */
#include "store/image.h"

#include <ctype.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "oci/image.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "store/image_private.h"
#include "store/tree.h"

#define COLUMNS                                                                                                        \
        "SELECT i.id, i.created, i.size, i.manifest, i.config, i.layers,"                                              \
        " EXISTS(SELECT 1 FROM pins p WHERE p.image=i.id) FROM images i "

void image_free(struct image *i)
{
        if (!i)
                return;
        if (i->keep)
                image_keep_done(i);
        else if (i->store)
                txn_unlease(i->store);
        for (size_t n = 0; n < i->n_layers; n++)
                image_layer_done(&i->layers[n]);
        free(i->layers);
        strv_free(i->names);
        strv_free(i->digests);
        json_free(i->config);
        free(i->parent);
        free(i->id);
        free(i->manifest);
        free(i);
}

void image_list_done(struct image_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                image_free(l->items[i]);
        free(l->items);
        *l = (struct image_list){0};
}

static err *dup_member(const json *obj, const char *key, char **ret)
{
        *ret = str_dup(json_get_str_or(obj, key, ""));
        return *ret ? NULL : err_nomem();
}

static err *parse_layers(const char *text, struct image *i)
{
        _cleanup_json_ json *list = NULL;

        TRY(json_parse(text, strlen(text), &list));
        i->layers = MEM_NEW0(struct image_layer, json_len(list) + 1);
        if (!i->layers)
                return err_nomem();
        for (size_t n = 0; n < json_len(list); n++) {
                const json *from = json_at(list, n);
                struct image_layer *l = &i->layers[i->n_layers++];

                TRY(dup_member(from, "chain", &l->chain));
                TRY(dup_member(from, "diff_id", &l->diff_id));
                TRY(dup_member(from, "digest", &l->digest));
                TRY(dup_member(from, "media_type", &l->media_type));
                l->size = json_get_uint(from, "size", 0);
                l->blob_size = json_get_uint(from, "blob_size", 0);
                l->diff_size = json_get_uint(from, "diff_size", 0);
                /* Of the whole image; it stands with the top layer. */
                if (n + 1 == json_len(list) && json_get_str(from, "parent"))
                        TRY(dup_member(from, "parent", &i->parent));
        }
        return NULL;
}

/* Rows are kept as they are until the query has ended. */
struct image_row {
        struct image *image;
        char *config, *layers;
};
struct image_rows {
        struct image_row *items;
        size_t n;
};

static void rows_done(struct image_rows *rows)
{
        for (size_t i = 0; i < rows->n; i++) {
                image_free(rows->items[i].image);
                free(rows->items[i].config);
                free(rows->items[i].layers);
        }
        free(rows->items);
}

static err *add_row(const struct db_row *row, void *arg)
{
        struct image_rows *rows = arg;
        struct image_row *r;

        if (mem_grow(&rows->items, rows->n, sizeof(*rows->items)) < 0)
                return err_nomem();
        r = &rows->items[rows->n];
        *r = (struct image_row){.image = MEM_NEW0(struct image, 1)};
        if (!r->image)
                return err_nomem();
        rows->n++;
        r->image->created_ns = db_row_int(row, 1);
        r->image->size = (uint64_t)db_row_int(row, 2);
        r->image->pinned = db_row_int(row, 6) != 0;
        TRY(db_row_dup(row, 0, &r->image->id));
        TRY(db_row_dup(row, 3, &r->image->manifest));
        TRY(db_row_dup(row, 4, &r->config));
        return db_row_dup(row, 5, &r->layers);
}

static err *add_name(const struct db_row *row, void *arg)
{
        struct image *i = arg;
        const char *name = db_row_text(row, 0);

        if (strchr(name, '@')) {
                TRY(strv_add(&i->digests, name));
                if (!i->origin && db_row_int(row, 1) != NAME_ARCHIVED)
                        i->origin = i->digests[strv_len(i->digests) - 1];
                return NULL;
        }
        if (db_row_int(row, 1) > i->tagged_ns)
                i->tagged_ns = db_row_int(row, 1);
        return strv_add(&i->names, name);
}

static err *read_names(struct db *db, struct image *i)
{
        i->names = MEM_NEW0(char *, 1);
        i->digests = MEM_NEW0(char *, 1);
        if (!i->names || !i->digests)
                return err_nomem();
        return db_select(db, add_name, i, "SELECT name, tagged FROM names WHERE image=? ORDER BY name", "s", i->id);
}

/* Turn a row into an image that holds a lease. */
static err *finish(struct store *s, struct db *db, struct image_row *row, struct image **ret)
{
        struct image *i = row->image;

        TRY_WRAP(json_parse(row->config, strlen(row->config), &i->config), "configuration of image %s", i->id);
        TRY_WRAP(parse_layers(row->layers, i), "layers of image %s", i->id);
        TRY(read_names(db, i));
        TRY(txn_lease(s));
        i->store = s;
        *ret = TAKE_PTR(row->image);
        return NULL;
}

static err *not_found(const char *ref)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *name = NULL;
        err *e = reference_parse(ref, true, &r);

        if (!e)
                e = reference_familiar(&r, &name);
        err_free(e);
        return err_new(ERR_NOT_FOUND, "No such image: %s", name ? name : ref);
}

static err *find_by_name(struct db *db, const char *ref, struct image_rows *rows, bool *ret_valid)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *name = NULL;
        err *e = reference_parse(ref, true, &r);

        *ret_valid = !e;
        if (e)
                return e;
        /* A digest says it all: "name:tag@digest" is found whatever the tag points at now. */
        if (r.digest) {
                free(r.tag);
                r.tag = NULL;
        }
        TRY(reference_full(&r, &name));
        return db_select(db, add_row, rows, COLUMNS "JOIN names n ON n.image=i.id WHERE n.name=?", "s", name);
}

static err *find_by_id(struct db *db, const char *ref, struct image_rows *rows)
{
        char low[7 + ID_LEN + 1], high[7 + ID_LEN + 2];
        const char *hex = str_after(ref, "sha256:");
        size_t n;

        hex = hex ? hex : ref;
        n = strlen(hex);
        if (n > ID_LEN || !id_prefix_valid(hex))
                return NULL;
        memcpy(low, "sha256:", 7);
        for (size_t i = 0; i < n; i++)
                low[7 + i] = (char)tolower((unsigned char)hex[i]);
        low[7 + n] = '\0';
        memcpy(high, low, 7 + n);
        high[7 + n] = 'g';
        high[8 + n] = '\0';
        return db_select(db, add_row, rows, COLUMNS "WHERE i.id>=? AND i.id<? LIMIT 2", "ss", low, high);
}

static err *find_row(struct db *db, const char *ref, struct image_rows *rows)
{
        bool valid;
        err *e = find_by_name(db, ref, rows, &valid);

        if (e && valid)
                return e;
        if (!rows->n) {
                err *by_id = find_by_id(db, ref, rows);

                if (by_id) {
                        err_free(e);
                        return by_id;
                }
        }
        /* 64 digits, "sha256:..." and their like are no references, but may be ids. */
        if (e && !rows->n && !id_prefix_valid(ref) && !str_starts(ref, "sha256:"))
                return e;
        err_free(e);
        if (!rows->n)
                return not_found(ref);
        if (rows->n > 1)
                return err_new(ERR_CONFLICT, "Multiple IDs found with provided prefix: %s", ref);
        return NULL;
}

err *image_find(struct store *s, const char *ref, struct image **ret)
{
        _cleanup_(rows_done) struct image_rows rows = {0};
        struct db *db;
        err *e;

        if (str_empty(ref))
                return err_new(ERR_INVALID, "invalid reference format");
        /* The lease first: what is found then stays. */
        TRY(txn_lease(s));
        e = txn_reader(s, &db);
        if (!e)
                e = find_row(db, ref, &rows);
        if (!e)
                e = finish(s, db, &rows.items[0], ret);
        txn_unlease(s);
        return e;
}

static err *list_rows(struct store *s, struct db *db, struct image_rows *rows, struct image_list *ret)
{
        _cleanup_image_list_ struct image_list list = {0};

        TRY(db_select(db, add_row, rows, COLUMNS "ORDER BY i.created DESC, i.id", ""));
        list.items = MEM_NEW0(struct image *, rows->n + 1);
        if (!list.items)
                return err_nomem();
        for (size_t i = 0; i < rows->n; i++) {
                err *e = finish(s, db, &rows->items[i], &list.items[list.n]);

                if (err_code(e) == ERR_INVALID) { /* damaged: the others are not */
                        log_error_free(LOG_LEVEL_WARN, err_wrap(e, "\"hod system check --repair\" may help"));
                        continue;
                }
                TRY(e);
                list.n++;
        }
        *ret = list;
        list = (struct image_list){0};
        return NULL;
}

err *image_list(struct store *s, struct image_list *ret)
{
        _cleanup_(rows_done) struct image_rows rows = {0};
        struct db *db;
        err *e;

        /* The lease first: what is found then stays. */
        TRY(txn_lease(s));
        e = txn_reader(s, &db);
        if (!e)
                e = list_rows(s, db, &rows, ret);
        txn_unlease(s);
        return e;
}

err *image_familiar(const char *full, char **ret)
{
        _cleanup_reference_ struct reference r = {0};

        TRY(reference_parse(full, false, &r));
        return reference_familiar(&r, ret);
}

err *image_check_name(const char *name, char **ret_full)
{
        _cleanup_reference_ struct reference r = {0};

        TRY(reference_parse(name, true, &r));
        if (r.digest)
                return err_new(ERR_UNSUPPORTED, "refusing to create a tag with a digest reference");
        return reference_full(&r, ret_full);
}

err *image_tag(struct store *s, const char *image, const char *name)
{
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_free_ char *full = NULL;
        _cleanup_txn_ struct txn t = {0};
        err *e = image_check_name(name, &full);

        if (err_code(e) == ERR_UNSUPPORTED)
                return e;
        TRY_WRAP(e, "Error parsing reference: \"%s\" is not a valid repository/tag", name);
        TRY(image_find(s, image, &i));
        TRY(txn_begin(s, true, &t));
        TRY(txn_run(&t, "INSERT OR REPLACE INTO names VALUES(?,?,?)", "ssi", full, i->id, clock_now_ns()));
        return txn_commit(&t);
}

err *image_pin(struct store *s, const char *image, bool pinned)
{
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_txn_ struct txn t = {0};

        TRY(image_find(s, image, &i));
        if (i->pinned == pinned)
                return NULL;
        TRY(txn_begin(s, true, &t));
        if (pinned)
                TRY(txn_run(&t, "INSERT OR REPLACE INTO pins VALUES(?,?)", "si", i->id, clock_now_ns()));
        else
                TRY(txn_run(&t, "DELETE FROM pins WHERE image=?", "s", i->id));
        return txn_commit(&t);
}

err *image_check_platform(const struct image *i, const char *ref, const char *platform)
{
        char wanted[PLATFORM_TEXT], actual[PLATFORM_TEXT];
        struct platform want, have;

        if (str_empty(platform))
                return NULL;
        TRY_WRAP(platform_parse(platform, &want), "error parsing specified platform");
        /* What a machine could run beside its own is not what was asked for here. */
        if (platform_read(i->config, &have) && strcmp(have.arch, want.arch) == 0 && platform_rank(&want, &have) >= 0)
                return NULL;
        return err_new(ERR_NOT_FOUND,
                       "image with reference %s was found but its platform (%s) does not match the specified platform "
                       "(%s)",
                       ref, platform_read(i->config, &have) ? platform_text(&have, actual) : "unknown",
                       platform_text(&want, wanted));
}

static err *take_flag(const struct db_row *row, void *arg)
{
        *(bool *)arg = db_row_int(row, 0) != 0;
        return NULL;
}

err *image_has_children(struct store *s, const char *id, bool *ret)
{
        _cleanup_free_ char *member = str_format("\"parent\":\"%s\"", id);
        bool any = false;
        struct db *db;

        if (!member)
                return err_nomem();
        TRY(txn_reader(s, &db));
        TRY(db_select(db, take_flag, &any, "SELECT count(*) FROM images WHERE instr(layers, ?)", "s", member));
        *ret = any;
        return NULL;
}

json *image_record_layers(const char *text)
{
        json *list = NULL;
        err *e = json_parse(text, strlen(text), &list);

        if (!e && json_kind(list) == JSON_ARRAY)
                return list;
        err_free(e);
        json_free(list);
        return NULL;
}

struct layer_size {
        const char *chain;
        bool found;
        uint64_t size, diff_size;
};

static err *take_layer_size(const struct db_row *row, void *arg)
{
        const char *text = db_row_text(row, 0);
        _cleanup_json_ json *list = NULL;
        struct layer_size *l = arg;

        list = image_record_layers(text);
        for (size_t n = 0; n < json_len(list); n++) {
                if (!str_eq(json_get_str(json_at(list, n), "chain"), l->chain))
                        continue;
                l->size = json_get_uint(json_at(list, n), "size", 0);
                l->diff_size = json_get_uint(json_at(list, n), "diff_size", 0);
                l->found = true;
        }
        return NULL;
}

err *image_layer_size(struct store *s, struct image_layer *layer)
{
        struct layer_size l = {.chain = layer->chain};
        _cleanup_close_ int fd = -1;
        struct db *db;

        TRY(txn_reader(s, &db));
        TRY(db_select(db, take_layer_size, &l, "SELECT layers FROM images WHERE instr(layers, ?) LIMIT 1", "s",
                      layer->chain));
        if (!l.found) {
                TRY(layer_open(s, layer->chain, &fd));
                TRY(tree_usage(fd, &l.size));
        }
        layer->size = l.size;
        layer->diff_size = l.diff_size;
        return NULL;
}
