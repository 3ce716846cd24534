/* image_remove.c - docker's rules for rmi. Names are checked and removed alone with the store, so that no container can
 * be made from an image between the check and its end. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "oci/reference.h"
#include "store/blob.h"
#include "store/gc.h"
#include "store/image_mounts.h"
#include "store/image_private.h"
#include "store/layer_tar.h"
#include "store/record.h"
#include "store/roots.h"
#include "store/snapshot_private.h"

#define PARENT "\"parent\":\"" /* in a record, see image_has_children() */

struct removal {
        struct store *store;
        const struct image_remove_options *options;
        struct image *image; /* holds no lease here: we are alone */
        struct record_list users;
        char **names;     /* to be taken away with the next change of the database */
        char **documents; /* what names with a digest pointed at */
        struct image_removed *done;
        size_t n_done;
        uint64_t bytes;    /* what became free: files of layers, blobs */
        bool content_last; /* only the record goes at first: what only it needed is found out once for many images */
        bool goes;         /* the image, it is decided */
        bool gone;         /* the record */
        bool keep_layers;  /* stopped containers need them */
};

void image_removed_free(struct image_removed *list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(list[i].text);
        free(list);
}

static void removal_done(struct removal *r)
{
        image_free(r->image);
        record_list_done(&r->users);
        strv_free(r->names);
        strv_free(r->documents);
        image_removed_free(r->done, r->n_done);
}

static err *note(struct removal *r, bool deleted, const char *text)
{
        if (mem_grow(&r->done, r->n_done, sizeof(*r->done)) < 0)
                return err_nomem();
        r->done[r->n_done] = (struct image_removed){.deleted = deleted, .text = str_dup(text)};
        return r->done[r->n_done++].text ? NULL : err_nomem();
}

/* The first twelve digits. */
static const char *short_id(const char *id, char buf[ID_SHORT + 1])
{
        const char *hex = str_after(id, "sha256:");

        (void)snprintf(buf, ID_SHORT + 1, "%s", hex ? hex : id);
        return buf;
}

/* @full goes with the next change: all that rmi does to one image is one. */
static err *untag(struct removal *r, const char *full)
{
        return strv_add(&r->names, full);
}

/* The names have gone: say so. */
static err *note_names(struct removal *r)
{
        err *e = NULL;

        for (char **n = r->names; n && *n && !e; n++) {
                _cleanup_free_ char *familiar = NULL;

                e = image_familiar(*n, &familiar);
                if (!e && strchr(*n, '@'))
                        e = strv_add(&r->documents, strchr(*n, '@') + 1);
                if (!e)
                        e = note(r, false, familiar);
        }
        strv_free(TAKE_PTR(r->names));
        return e;
}

static err *delete_names(struct removal *r, struct txn *t)
{
        for (char **n = r->names; n && *n; n++)
                TRY(txn_run(t, "DELETE FROM names WHERE name=?", "s", *n));
        return NULL;
}

/* Only names go. */
static err *untag_now(struct removal *r)
{
        _cleanup_txn_ struct txn t = {0};

        TRY(txn_begin(r->store, true, &t));
        TRY(delete_names(r, &t));
        TRY(txn_commit(&t));
        return note_names(r);
}

static err *conflict(const struct removal *r, bool hard, const char *why, const char *container)
{
        char image_id[ID_SHORT + 1], container_id[ID_SHORT + 1] = "";

        return err_new(ERR_CONFLICT, "conflict: unable to delete %s (%s) - %s%s%s", short_id(r->image->id, image_id),
                       hard ? "cannot be forced" : "must be forced", why, container ? " " : "",
                       container ? short_id(container, container_id) : "");
}

static const char *running_user(const struct removal *r)
{
        for (size_t i = 0; i < r->users.n; i++)
                if (r->options->is_running && r->options->is_running(r->users.items[i].id, r->options->arg))
                        return r->users.items[i].id;
        return NULL;
}

/* Is @b a name in the same repository as @a? (Full names: a tag cannot have a slash.) */
static bool same_repository(const char *a, const char *b)
{
        size_t n = strcspn(a, "@"), m = strcspn(b, "@");
        const char *tag_a = strchr(a, '@') ? NULL : strrchr(a, ':'), *tag_b = strchr(b, '@') ? NULL : strrchr(b, ':');

        n = tag_a ? (size_t)(tag_a - a) : n;
        m = tag_b ? (size_t)(tag_b - b) : m;
        return n == m && memcmp(a, b, n) == 0;
}

/* docker's rule: one tag and digests of its repository count as one name. */
static bool has_one_name(const struct image *i)
{
        const char *first = *i->names ? *i->names : *i->digests;

        if (strv_len(i->names) > 1)
                return false;
        for (char **d = i->digests; *d; d++)
                if (!same_repository(first, *d))
                        return false;
        return true;
}

/* What stands against deleting it, in docker's order. @names: its names do, too. */
static err *check_users(const struct removal *r, bool names)
{
        const char *running = running_user(r);
        bool children;

        TRY(image_has_children(r->store, r->image->id, &children));
        if (children)
                return conflict(r, true, "image has dependent child images", NULL);
        if (running)
                return conflict(r, true, "image is being used by running container", running);
        if (r->options->force)
                return NULL;
        if (r->image->pinned)
                return conflict(r, false, "image is pinned", NULL);
        if (image_is_mounted(r->store, r->image->id))
                return conflict(r, false, "image is mounted", NULL);
        if (names && (*r->image->names || *r->image->digests))
                return conflict(r, false, "image is referenced in multiple repositories", NULL);
        if (r->users.n)
                return conflict(r, false, "image is being used by stopped container", r->users.items[0].id);
        return NULL;
}

/* Stopped containers keep their layers when the image is forced away: note them beside their writable layer. */
static err *keep_for_users(struct removal *r, bool *ret_keep)
{
        *ret_keep = r->users.n > 0;
        for (size_t i = 0; i < r->users.n; i++)
                TRY(snapshot_note_layers(r->store, r->users.items[i].id, r->image));
        return NULL;
}

/* Layers of images that stay which have their content in common with layers of those that go. */
struct relatives {
        struct removal *list; /* borrowed */
        size_t n_list;
        const struct image_layer **leaving; /* by content */
        size_t n_leaving;
        struct image_layer *items;
        size_t n;
};

static void relatives_done(struct relatives *r)
{
        for (size_t i = 0; i < r->n; i++)
                image_layer_done(&r->items[i]);
        free(r->items);
        free(r->leaving);
}

static int compare_content(const void *a, const void *b)
{
        return strcmp((*(struct image_layer *const *)a)->diff_id, (*(struct image_layer *const *)b)->diff_id);
}

static err *list_leaving(struct relatives *r)
{
        for (size_t i = 0; i < r->n_list; i++)
                for (size_t k = 0; r->list[i].goes && k < r->list[i].image->n_layers; k++) {
                        if (mem_grow(&r->leaving, r->n_leaving, sizeof(*r->leaving)) < 0)
                                return err_nomem();
                        r->leaving[r->n_leaving++] = &r->list[i].image->layers[k];
                }
        if (r->n_leaving)
                qsort(r->leaving, r->n_leaving, sizeof(*r->leaving), compare_content);
        return NULL;
}

/* The first leaving layer of this content; NULL: none. */
static const struct image_layer **leaving_of(const struct relatives *r, const char *diff_id)
{
        const struct image_layer key = {.diff_id = (char *)diff_id}, *k = &key;
        const struct image_layer **found =
                diff_id && r->n_leaving ? bsearch(&k, r->leaving, r->n_leaving, sizeof(*r->leaving), compare_content)
                                        : NULL;

        while (found && found > r->leaving && strcmp(found[-1]->diff_id, diff_id) == 0)
                found--;
        return found;
}

static bool is_leaving(const struct relatives *r, const char *id)
{
        for (size_t i = 0; i < r->n_list; i++)
                if (r->list[i].goes && strcmp(r->list[i].image->id, id) == 0)
                        return true;
        return false;
}

static err *take_relatives(const struct db_row *row, void *arg)
{
        const char *text = db_row_text(row, 1);
        _cleanup_json_ json *list = NULL;
        struct relatives *r = arg;

        if (is_leaving(r, db_row_text(row, 0)))
                return NULL;
        list = image_record_layers(text);
        for (size_t i = 0; i < json_len(list); i++) {
                const json *from = json_at(list, i);
                struct image_layer *l;

                if (!leaving_of(r, json_get_str(from, "diff_id")))
                        continue;
                if (mem_grow(&r->items, r->n, sizeof(*r->items)) < 0)
                        return err_nomem();
                l = &r->items[r->n++];
                *l = (struct image_layer){.chain = str_dup(json_get_str_or(from, "chain", "")),
                                          .diff_id = str_dup(json_get_str_or(from, "diff_id", "")),
                                          .digest = str_dup(json_get_str_or(from, "digest", "")),
                                          .blob_size = json_get_uint(from, "blob_size", 0),
                                          .diff_size = json_get_uint(from, "diff_size", 0)};
                if (!l->chain || !l->diff_id || !l->digest)
                        return err_nomem();
        }
        return NULL;
}

/* Will the last archive of what layer @l of another image consists of go? */
static bool is_bereft(struct store *s, const struct relatives *r, const struct image_layer *l)
{
        const struct image_layer **ours = leaving_of(r, l->diff_id), **end = r->leaving + r->n_leaving;

        if (blob_exists(s, l->digest))
                return false;
        while (ours && ours < end && strcmp((*ours)->diff_id, l->diff_id) == 0 && !blob_exists(s, (*ours)->digest))
                ours++;
        if (!ours || ours == end || strcmp((*ours)->diff_id, l->diff_id) != 0)
                return false;
        for (size_t i = 0; i < r->n; i++)
                if (strcmp(r->items[i].diff_id, l->diff_id) == 0 && blob_exists(s, r->items[i].digest))
                        return false;
        return true;
}

/* A layer that came while it was here with another blob has none of its own (see ingest.h): before the last blob of its
 * content goes, it gets what is needed to do without. */
static err *keep_for_images(struct removal *list, size_t n)
{
        _cleanup_(relatives_done) struct relatives all = {.list = list, .n_list = n};
        struct store *s = list->store;
        struct db *db;

        TRY(list_leaving(&all));
        TRY(txn_reader(s, &db));
        TRY(db_select(db, take_relatives, &all, "SELECT id, layers FROM images", ""));
        for (size_t i = 0; i < all.n; i++) {
                err *e = is_bereft(s, &all, &all.items[i]) ? layer_tar_keep(s, &all.items[i], NULL) : NULL;

                if (err_code(e) == ERR_NOMEM)
                        return e;
                /* Then it cannot be saved or pushed any more; rmi is not to fail for that. */
                log_error_free(LOG_LEVEL_WARN, e);
        }
        return NULL;
}

static err *remove_blob(struct removal *r, const struct roots *roots, const char *digest)
{
        _cleanup_close_ int fd = -1;
        uint64_t size = 0;

        if (roots_have(roots, ROOTS_BLOBS, digest))
                return NULL;
        err_free(blob_open(r->store, digest, &fd, &size));
        TRY(blob_remove(r->store, digest));
        r->bytes += size;
        return NULL;
}

/* One that is not there went with another image. */
static err *remove_layer(struct removal *r, const struct image_layer *l)
{
        _cleanup_close_ int fd = -1;
        err *e = layer_open(r->store, l->chain, &fd);

        if (err_code(e) == ERR_NOT_FOUND)
                return err_free(e);
        TRY(e);
        TRY(note(r, true, l->chain));
        TRY(layer_remove(r->store, l->chain));
        r->bytes += l->size;
        return NULL;
}

static err *remove_unneeded(struct removal *r, const struct roots *roots)
{
        TRY(remove_blob(r, roots, r->image->id));
        TRY(remove_blob(r, roots, r->image->manifest));
        for (char **d = r->documents; d && *d; d++)
                TRY(remove_blob(r, roots, *d));
        for (size_t i = r->image->n_layers; i > 0; i--) {
                const struct image_layer *l = &r->image->layers[i - 1];

                TRY(remove_blob(r, roots, l->digest));
                if (!r->keep_layers && !roots_have(roots, ROOTS_LAYERS, l->chain))
                        TRY(remove_layer(r, l));
        }
        return NULL;
}

/* What @n images consisted of, as far as nothing else needs it. */
static err *remove_content(struct removal *list, size_t n)
{
        _cleanup_roots_ struct roots roots = {0};

        TRY(roots_collect(list->store, &roots));
        for (size_t i = 0; i < n; i++)
                if (list[i].gone)
                        TRY(remove_unneeded(&list[i], &roots));
        return NULL;
}

/* Who still needs something of it has been provided for. */
static err *delete_record(struct removal *r)
{
        _cleanup_txn_ struct txn t = {0};

        TRY(image_mounts_forget(r->store, r->image->id));
        TRY(txn_begin(r->store, true, &t));
        TRY(txn_run(&t, "DELETE FROM names WHERE image=?", "s", r->image->id));
        TRY(txn_run(&t, "DELETE FROM images WHERE id=?", "s", r->image->id));
        TRY(txn_run(&t, "DELETE FROM pins WHERE image=?", "s", r->image->id));
        TRY(txn_commit(&t));
        r->gone = true;
        TRY(note_names(r));
        TRY(note(r, true, r->image->id));
        /* It is gone now; what stays behind is only space, and gc will find it. */
        if (!r->content_last)
                log_error_free(LOG_LEVEL_WARN, remove_content(r, 1));
        return NULL;
}

static err *delete_image(struct removal *r)
{
        r->goes = true;
        TRY(keep_for_users(r, &r->keep_layers));
        TRY(keep_for_images(r, 1));
        return delete_record(r);
}

/* Go on with the image @ref. */
static err *look_at(struct removal *r, const char *ref)
{
        image_free(TAKE_PTR(r->image));
        record_list_done(&r->users);
        r->users = (struct record_list){0};
        TRY(image_find(r->store, ref, &r->image));
        return record_image_users(r->store, r->image->id, &r->users);
}

/* The images that it was committed from, as far as nothing else needs them and they have no name: never by force. */
static err *delete_parents(struct removal *r)
{
        const struct image_remove_options *options = r->options;
        struct image_remove_options gently = *options;
        err *e = NULL;

        gently.force = false;
        r->options = &gently;
        while (!e && !options->no_prune && r->image->parent) {
                _cleanup_free_ char *parent = str_dup(r->image->parent);

                e = parent ? look_at(r, parent) : err_nomem();
                if (!e)
                        e = check_users(r, true);
                if (!e)
                        e = delete_image(r);
        }
        r->options = options;
        /* Gone already, or needed: both are fine. */
        return err_code(e) == ERR_NOT_FOUND || err_code(e) == ERR_CONFLICT ? err_free(e) : e;
}

/* After a tag went: digests of a repository without any tag left go, too. */
static err *untag_digests(struct removal *r, const char *full)
{
        for (char **n = r->image->names; *n; n++)
                if (strcmp(*n, full) != 0 && same_repository(*n, full))
                        return NULL;
        for (char **d = r->image->digests; *d; d++)
                if (same_repository(*d, full))
                        TRY(untag(r, *d));
        return NULL;
}

/* What is left of the names after @full, and what goes with it, has gone? */
static bool is_last(const struct image *i, const char *full)
{
        bool digest = strchr(full, '@') != NULL, tags = false;
        size_t left = 0;

        for (char **n = i->names; *n; n++) {
                tags |= strcmp(*n, full) != 0 && same_repository(*n, full);
                left += strcmp(*n, full) != 0;
        }
        for (char **d = i->digests; *d; d++)
                left += strcmp(*d, full) != 0 && (digest || tags || !same_repository(*d, full));
        return left == 0;
}

static err *remove_by_name(struct removal *r, const char *full)
{
        _cleanup_free_ char *familiar = NULL;
        bool last = is_last(r->image, full);
        char container_id[ID_SHORT + 1], image_id[ID_SHORT + 1];
        err *e;

        TRY(image_familiar(full, &familiar));
        if (last && r->image->pinned && !r->options->force)
                return conflict(r, false, "image is pinned", NULL);
        if (last && !r->options->force && image_is_mounted(r->store, r->image->id))
                return conflict(r, false, "image is mounted", NULL);
        if (has_one_name(r->image) && !r->options->force && r->users.n)
                return err_new(ERR_CONFLICT,
                               "conflict: unable to remove repository reference \"%s\" (must force) - container %s is "
                               "using its referenced image %s",
                               familiar, short_id(r->users.items[0].id, container_id),
                               short_id(r->image->id, image_id));
        TRY(untag(r, full));
        if (!strchr(full, '@'))
                TRY(untag_digests(r, full));
        /* A name is removed: that the data is still needed is no failure then. */
        e = last ? check_users(r, false) : NULL;
        if (!last || err_code(e) == ERR_CONFLICT) {
                err_free(e);
                return untag_now(r);
        }
        TRY(e);
        TRY(delete_image(r));
        return delete_parents(r);
}

static err *untag_all(struct removal *r)
{
        for (char **n = r->image->names; *n; n++)
                TRY(untag(r, *n));
        for (char **d = r->image->digests; *d; d++)
                TRY(untag(r, *d));
        return NULL;
}

static err *remove_by_id(struct removal *r)
{
        TRY(check_users(r, !has_one_name(r->image)));
        TRY(untag_all(r));
        TRY(delete_image(r));
        return delete_parents(r);
}

/* Which of the image's names does @ref mean? NULL: it is an id. */
static err *match_name(const struct removal *r, const char *ref, const char **ret)
{
        _cleanup_reference_ struct reference parsed = {0};
        _cleanup_free_ char *full = NULL;
        err *e = reference_parse(ref, true, &parsed);

        *ret = NULL;
        if (e) {
                err_free(e);
                return NULL;
        }
        if (parsed.digest) {
                free(parsed.tag);
                parsed.tag = NULL;
        }
        TRY(reference_full(&parsed, &full));
        for (char **n = parsed.digest ? r->image->digests : r->image->names; *n; n++)
                if (strcmp(*n, full) == 0)
                        *ret = *n;
        return NULL;
}

static err *remove_alone(struct removal *r, const char *ref)
{
        const char *full;

        TRY(look_at(r, ref));
        for (char *const *p = r->options->platforms; p && *p; p++)
                TRY(image_check_platform(r->image, ref, *p));
        TRY(match_name(r, ref, &full));
        return full ? remove_by_name(r, full) : remove_by_id(r);
}

err *image_remove(struct store *s, const char *ref, const struct image_remove_options *o, struct image_removed **ret,
                  size_t *ret_n)
{
        _cleanup_(removal_done) struct removal r = {.store = s, .options = o};
        err *e;

        TRY(txn_exclusive(s));
        /* Whoever makes room wants all of it, also that of imports that were killed. */
        log_error_free(LOG_LEVEL_WARN, gc_tmp(s));
        e = remove_alone(&r, ref);
        image_free(TAKE_PTR(r.image));
        txn_exclusive_end(s);
        /* Even after a failure something may have been untagged, but then docker says only what failed, too. */
        TRY(e);
        *ret = r.done;
        *ret_n = r.n_done;
        r.done = NULL;
        r.n_done = 0;
        return NULL;
}

/* ---- prune: what stands against it is read once for all images ---- */

/* @child was committed from @parent. */
struct kin {
        char *child, *parent;
        bool gone;
};

struct survey {
        struct record_images used; /* by containers */
        struct kin *kin;
        size_t n_kin;
};

static void survey_done(struct survey *v)
{
        record_images_done(&v->used);
        for (size_t i = 0; i < v->n_kin; i++) {
                free(v->kin[i].child);
                free(v->kin[i].parent);
        }
        free(v->kin);
}

/* As the text has it: a damaged record may need its parent, too. */
static err *take_kin(const struct db_row *row, void *arg)
{
        struct survey *v = arg;

        for (const char *p = db_row_text(row, 1); (p = strstr(p, PARENT)); p++) {
                const char *from = p + strlen(PARENT);
                struct kin *k;

                if (mem_grow(&v->kin, v->n_kin, sizeof(*v->kin)) < 0)
                        return err_nomem();
                k = &v->kin[v->n_kin++];
                *k = (struct kin){.child = str_dup(db_row_text(row, 0)), .parent = strndup(from, strcspn(from, "\""))};
                if (!k->child || !k->parent)
                        return err_nomem();
        }
        return NULL;
}

static err *look_around(struct store *s, struct survey *ret)
{
        struct db *db;

        TRY(record_images_used(s, &ret->used));
        TRY(txn_reader(s, &db));
        return db_select(db, take_kin, ret, "SELECT id, layers FROM images WHERE instr(layers, ?)", "s", PARENT);
}

static bool has_children(const struct survey *v, const char *id)
{
        for (size_t i = 0; i < v->n_kin; i++)
                if (!v->kin[i].gone && strcmp(v->kin[i].parent, id) == 0)
                        return true;
        return false;
}

/* Is it to go? Nobody uses it, nobody pinned or mounted it. */
static bool is_prunable(const struct removal *r, const struct survey *v, const struct image_prune_options *o)
{
        const struct image *i = r->image;

        return !i->pinned && !image_is_mounted(r->store, i->id) && (o->all || !strv_len(i->names)) &&
               !record_images_have(&v->used, i->id) && !has_children(v, i->id) && (!o->wanted || o->wanted(i, o->arg));
}

/* The records of those that are to go. Parents come later in the list. */
static err *prune_records(struct removal *all, struct image *const *images, size_t n,
                          const struct image_prune_options *o)
{
        static const struct image_remove_options force = {.force = true, .no_prune = true};
        _cleanup_(survey_done) struct survey v = {0};
        bool any = false;

        TRY(look_around(all->store, &v));
        for (size_t i = 0; i < n; i++) {
                struct removal *r = &all[i];

                *r = (struct removal){.store = all->store, .options = &force, .image = images[i], .content_last = true};
                r->goes = is_prunable(r, &v, o);
                any |= r->goes;
                for (size_t k = 0; r->goes && k < v.n_kin; k++)
                        v.kin[k].gone |= strcmp(v.kin[k].child, images[i]->id) == 0;
        }
        if (any)
                TRY(keep_for_images(all, n));
        for (size_t i = 0; i < n; i++)
                if (all[i].goes) {
                        TRY(untag_all(&all[i]));
                        TRY(delete_record(&all[i]));
                }
        return NULL;
}

/* Move what one removal did to the end of @to. */
static err *append_done(struct removal *to, struct removal *from)
{
        to->bytes += from->bytes;
        for (size_t i = 0; i < from->n_done; i++) {
                if (mem_grow(&to->done, to->n_done, sizeof(*to->done)) < 0)
                        return err_nomem();
                to->done[to->n_done++] = from->done[i];
                from->done[i].text = NULL;
        }
        return NULL;
}

static err *prune_list(struct removal *to, struct image *const *images, size_t n, const struct image_prune_options *o)
{
        struct removal *all = MEM_NEW0(struct removal, n + 1);
        bool any = false;
        err *e;

        if (!all)
                return err_nomem();
        all->store = to->store;
        e = prune_records(all, images, n, o);
        for (size_t i = 0; i < n; i++)
                any |= all[i].gone;
        if (any)
                log_error_free(LOG_LEVEL_WARN, remove_content(all, n));
        for (size_t i = 0; i < n; i++) {
                if (!e)
                        e = append_done(to, &all[i]);
                all[i].image = NULL; /* the list's */
                removal_done(&all[i]);
        }
        free(all);
        return e;
}

static err *prune_alone(struct removal *r, const struct image_prune_options *o)
{
        _cleanup_image_list_ struct image_list all = {0};

        TRY(image_list(r->store, &all));
        return prune_list(r, all.items, all.n, o);
}

err *image_prune(struct store *s, const struct image_prune_options *o, struct image_removed **ret, size_t *ret_n,
                 uint64_t *ret_bytes)
{
        _cleanup_(removal_done) struct removal r = {.store = s};
        err *e;

        TRY(txn_exclusive(s));
        e = prune_alone(&r, o);
        txn_exclusive_end(s);
        TRY(e);
        *ret = TAKE_PTR(r.done);
        *ret_n = r.n_done;
        *ret_bytes = r.bytes;
        r.n_done = 0;
        return NULL;
}
