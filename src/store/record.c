/* record.c - see record.h. */
#include "store/record.h"

#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/json.h"
#include "store/name_index.h"
#include "store/names.h"
#include "store/txn.h"

#define COLUMNS "SELECT id, name, created, durable, json FROM containers "
#define NAME_TRIES 50

void record_done(struct record *r)
{
        free(r->id);
        free(r->name);
        free(r->json);
        *r = (struct record){0};
}

void record_list_done(struct record_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                record_done(&l->items[i]);
        free(l->items);
        *l = (struct record_list){0};
}

static err *take_row(const struct db_row *row, struct record *ret)
{
        struct record r = {.created_ns = db_row_int(row, 2), .durable = db_row_int(row, 3) != 0};
        err *e = db_row_dup(row, 0, &r.id);

        if (!e)
                e = db_row_dup(row, 1, &r.name);
        if (!e)
                e = db_row_dup(row, 4, &r.json);
        if (e) {
                record_done(&r);
                return e;
        }
        *ret = r;
        return NULL;
}

static err *add_row(const struct db_row *row, void *arg)
{
        struct record_list *l = arg;

        if (mem_grow(&l->items, l->n, sizeof(*l->items)) < 0)
                return err_nomem();
        TRY(take_row(row, &l->items[l->n]));
        l->n++;
        return NULL;
}

static err *take_id(const struct db_row *row, void *arg)
{
        return db_row_dup(row, 0, arg);
}

static err *conflict(const char *name, const char *id)
{
        return err_new(
                ERR_CONFLICT,
                "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to remove (or "
                "rename) that container to be able to reuse that name.",
                name, id);
}

/* ERR_CONFLICT if another container than @but has @name. */
static err *check_name(struct db *db, const char *name, const char *but)
{
        _cleanup_free_ char *id = NULL;

        TRY(db_select(db, take_id, &id, "SELECT id FROM containers WHERE name=?", "s", name));
        return id && !str_eq(id, but) ? conflict(name, id) : NULL;
}

err *record_insert(struct store *s, const char *id, const char *name, int64_t created_ns, bool durable,
                   const char *text)
{
        _cleanup_txn_ struct txn t = {0};

        TRY(txn_begin(s, durable, &t));
        TRY(check_name(s->run, name, NULL));
        TRY(txn_run(&t, "INSERT INTO containers VALUES(?,?,?,?,?)", "ssiis", id, name, created_ns, (int64_t)durable,
                    text));
        name_index_put(s, name, id); /* before it is true, but nothing runs yet */
        return txn_commit(&t);
}

err *record_name_free(struct store *s, const char *name)
{
        struct db *db;

        TRY(txn_reader(s, &db));
        return check_name(db, name, NULL);
}

err *record_make_name(struct store *s, char **ret)
{
        struct db *db;

        TRY(txn_reader(s, &db));
        for (unsigned i = 0; i < NAME_TRIES; i++) {
                _cleanup_free_ char *name = NULL;
                err *e;

                TRY(names_generate(i > NAME_TRIES / 4, &name));
                e = check_name(db, name, NULL);
                if (!e) {
                        *ret = TAKE_PTR(name);
                        return NULL;
                }
                if (err_code(e) != ERR_CONFLICT)
                        return e;
                err_free(e);
        }
        return err_new(ERR_CONFLICT, "no free container name was found: give one with --name");
}

static err *not_found(const char *ref)
{
        return err_new(ERR_NOT_FOUND, "No such container: %s", ref);
}

static err *find_prefix(struct db *db, const char *ref, struct record_list *found)
{
        char low[ID_LEN + 1], high[ID_LEN + 2];
        size_t n = strlen(ref);

        /* 'g' sorts after every hexadecimal digit. */
        memcpy(low, ref, n);
        memcpy(high, ref, n);
        low[n] = high[n + 1] = '\0';
        high[n] = 'g';
        return db_select(db, add_row, found, COLUMNS "WHERE id>=? AND id<? LIMIT 2", "ss", low, high);
}

err *record_find(struct store *s, const char *ref, struct record *ret)
{
        _cleanup_record_list_ struct record_list found = {0};
        struct db *db;

        if (str_empty(ref))
                return err_new(ERR_INVALID, "invalid container name or ID: value is empty");
        TRY(txn_reader(s, &db));
        TRY(db_select(db, add_row, &found, COLUMNS "WHERE name=?", "s", *ref == '/' ? ref + 1 : ref));
        if (found.n == 0 && id_prefix_valid(ref))
                TRY(find_prefix(db, ref, &found));
        if (found.n == 0)
                return not_found(ref);
        if (found.n > 1)
                return err_new(ERR_CONFLICT, "Multiple IDs found with provided prefix: %s", ref);
        *ret = found.items[0];
        found.n = 0;
        return NULL;
}

err *record_list_all(struct store *s, struct record_list *ret)
{
        _cleanup_record_list_ struct record_list list = {0};
        struct db *db;

        TRY(txn_reader(s, &db));
        TRY(db_select(db, add_row, &list, COLUMNS "ORDER BY created DESC, id", ""));
        *ret = list;
        list = (struct record_list){0};
        return NULL;
}

static err *check_changed(const struct store *s, const char *id)
{
        return db_changes(s->run) ? NULL : not_found(id);
}

static err *take_name(const struct db_row *row, void *arg)
{
        return db_row_dup(row, 1, arg);
}

/* The name of record @id, "" if there is no such record. Inside a transaction. */
static err *name_of(const struct store *s, const char *id, char **ret)
{
        TRY(db_select(s->run, take_name, ret, "SELECT id, name FROM containers WHERE id=?", "s", id));
        if (!*ret)
                *ret = str_dup("");
        return *ret ? NULL : err_nomem();
}

err *record_update(struct store *s, const char *id, bool durable, const char *text)
{
        _cleanup_free_ char *name = NULL;
        _cleanup_txn_ struct txn t = {0};

        TRY(txn_begin(s, durable, &t));
        TRY(txn_run(&t, "UPDATE containers SET json=? WHERE id=?", "ss", text, id));
        TRY(check_changed(s, id));
        TRY(name_of(s, id, &name));
        name_index_put(s, name, id);
        return txn_commit(&t);
}

err *record_rename(struct store *s, const char *id, bool durable, const char *name, const char *text)
{
        _cleanup_free_ char *old = NULL;
        _cleanup_txn_ struct txn t = {0};

        TRY(txn_begin(s, durable, &t));
        TRY(check_name(s->run, name, id));
        TRY(name_of(s, id, &old));
        TRY(name_index_remove(s, old));
        TRY(txn_run(&t, "UPDATE containers SET name=?, json=? WHERE id=?", "sss", name, text, id));
        TRY(check_changed(s, id));
        return txn_commit(&t);
}

err *record_delete(struct store *s, const char *id, bool durable)
{
        _cleanup_free_ char *name = NULL;
        _cleanup_txn_ struct txn t = {0};

        TRY(txn_begin(s, durable, &t));
        TRY(name_of(s, id, &name));
        TRY(name_index_remove(s, name));
        TRY(txn_run(&t, "DELETE FROM containers WHERE id=?", "s", id));
        return txn_commit(&t);
}

/* Records whose text contains @needle: candidates that are then parsed. */
static err *list_containing(struct store *s, const char *needle, struct record_list *ret)
{
        struct db *db;

        TRY(txn_reader(s, &db));
        return db_select(db, add_row, ret, COLUMNS "WHERE instr(json, ?) ORDER BY created DESC, id", "s", needle);
}

static bool names_volume(const json *doc, const char *volume)
{
        const json *mounts = json_get(doc, "Mounts");

        for (size_t i = 0; i < json_len(mounts); i++) {
                const json *m = json_at(mounts, i);

                if (str_eq(json_get_str(m, "Type"), "volume") && str_eq(json_get_str(m, "Name"), volume))
                        return true;
        }
        return false;
}

/* What it says; *@ret_sound is false if it is damaged: then its text names what it may well use. */
static err *parse_record(const struct record *r, json **ret, bool *ret_sound)
{
        err *e = json_parse(r->json, strlen(r->json), ret);

        *ret_sound = !e;
        if (!e || err_code(e) == ERR_NOMEM)
                return e;
        log_error_free(LOG_LEVEL_WARN, err_wrap(e, "record of container %s", r->id));
        return NULL;
}

err *record_volume_users(struct store *s, const char *volume, char ***ret)
{
        _cleanup_record_list_ struct record_list list = {0};
        _cleanup_strv_ char **ids = NULL;

        TRY(list_containing(s, volume, &list));
        for (size_t i = 0; i < list.n; i++) {
                _cleanup_json_ json *doc = NULL;
                bool sound;

                TRY(parse_record(&list.items[i], &doc, &sound));
                if (!sound || names_volume(doc, volume))
                        TRY(strv_add(&ids, list.items[i].id));
        }
        *ret = TAKE_PTR(ids);
        return NULL;
}

err *record_image_users(struct store *s, const char *image_id, struct record_list *ret)
{
        _cleanup_record_list_ struct record_list list = {0};
        size_t kept = 0;

        TRY(list_containing(s, image_id, &list));
        for (size_t i = 0; i < list.n; i++) {
                _cleanup_json_ json *doc = NULL;
                bool sound;

                TRY(parse_record(&list.items[i], &doc, &sound));
                if (!sound || str_eq(json_get_str(doc, "Image"), image_id)) {
                        struct record swap = list.items[kept];

                        list.items[kept++] = list.items[i];
                        list.items[i] = swap;
                }
        }
        for (size_t i = kept; i < list.n; i++)
                record_done(&list.items[i]);
        list.n = kept;
        *ret = list;
        list = (struct record_list){0};
        return NULL;
}

void record_images_done(struct record_images *u)
{
        strv_free(u->ids);
        strv_free(u->damaged);
        *u = (struct record_images){0};
}

err *record_images_used(struct store *s, struct record_images *ret)
{
        _cleanup_record_images_ struct record_images u = {0};
        _cleanup_record_list_ struct record_list list = {0};

        TRY(record_list_all(s, &list));
        for (size_t i = 0; i < list.n; i++) {
                _cleanup_json_ json *doc = NULL;
                bool sound;

                TRY(parse_record(&list.items[i], &doc, &sound));
                if (sound)
                        TRY(strv_add(&u.ids, json_get_str_or(doc, "Image", "")));
                else
                        TRY(strv_add(&u.damaged, list.items[i].json));
        }
        strv_sort(u.ids);
        *ret = u;
        u = (struct record_images){0};
        return NULL;
}

static int compare_texts(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

bool record_images_have(const struct record_images *u, const char *image_id)
{
        if (u->ids && bsearch(&image_id, u->ids, strv_len(u->ids), sizeof(*u->ids), compare_texts))
                return true;
        for (char **text = u->damaged; text && *text; text++)
                if (strstr(*text, image_id))
                        return true;
        return false;
}
