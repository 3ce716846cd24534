/* save.c - see save.h. */
#include "engine/save.h"

#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "engine/parcel.h"
#include "oci/reference.h"
#include "store/image.h"

/* One image and the names that it is wanted by. */
struct wanted {
        struct source *source;
        char *id;
        char **names;
};
struct wanted_list {
        struct wanted *items;
        size_t n;
};

static void wanted_done(struct wanted_list *l)
{
        for (size_t i = 0; i < l->n; i++) {
                source_free(l->items[i].source);
                free(l->items[i].id);
                strv_free(l->items[i].names);
        }
        free(l->items);
}

static err *want(struct wanted_list *l, struct engine *e, const char *id, const char *name)
{
        struct wanted *w = NULL;

        for (size_t i = 0; i < l->n && !w; i++)
                if (strcmp(l->items[i].id, id) == 0)
                        w = &l->items[i];
        if (!w) {
                if (mem_grow(&l->items, l->n, sizeof(*l->items)) < 0)
                        return err_nomem();
                w = &l->items[l->n++];
                *w = (struct wanted){.id = str_dup(id)};
                if (!w->id)
                        return err_nomem();
                TRY(source_open_store(e->store, id, &w->source));
        }
        return !name || strv_contains(w->names, name) ? NULL : strv_add(&w->names, name);
}

/* All tags of a repository, as docker does. */
static err *want_repository(struct wanted_list *l, struct engine *e, const struct reference *r, bool *ret_any)
{
        _cleanup_free_ char *prefix = str_format("%s/%s:", r->domain, r->path);
        _cleanup_image_list_ struct image_list all = {0};

        *ret_any = false;
        if (!prefix)
                return err_nomem();
        TRY(image_list(e->store, &all));
        for (size_t i = 0; i < all.n; i++)
                for (char **name = all.items[i]->names; name && *name; name++) {
                        const char *tag = str_after(*name, prefix);

                        if (!tag || strpbrk(tag, ":/@"))
                                continue;
                        *ret_any = true;
                        TRY(want(l, e, all.items[i]->id, *name));
                }
        return NULL;
}

static err *want_named(struct wanted_list *l, struct engine *e, const char *text)
{
        _cleanup_(image_freep) struct image *image = NULL;
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *full = NULL;
        bool any = false;
        err *error = reference_parse(text, false, &r);

        if (!error && !r.tag && !r.digest)
                TRY(want_repository(l, e, &r, &any));
        if (any)
                return NULL;
        if (!error && r.tag)
                error = reference_full(&r, &full);
        err_free(error); /* ids are no references */
        error = image_find(e->store, text, &image);
        if (err_code(error) == ERR_NOT_FOUND) { /* docker adds no tag here: it has looked for a repository, too */
                err_free(error);
                return err_new(ERR_NOT_FOUND, "No such image: %s", text);
        }
        TRY(error);
        return want(l, e, image->id, full && strv_contains(image->names, full) ? full : NULL);
}

static err *open_output(const struct save_options *o, struct fileout **ret)
{
        if (o->format == SAVE_OCI_DIR || o->format == SAVE_DOCKER_DIR)
                return fileout_open_dir(o->output, ret);
        return o->output ? fileout_open_file(o->output, ret) : fileout_open_stream(STDOUT_FILENO, ret);
}

err *save_images(struct engine *e, const struct save_options *o)
{
        static const enum parcel_form forms[] = {PARCEL_DOCKER, PARCEL_LAYOUT, PARCEL_LAYOUT, PARCEL_DIR};
        _cleanup_(wanted_done) struct wanted_list list = {0};
        _cleanup_(parcel_freep) struct parcel *parcel = NULL;
        _cleanup_(fileout_freep) struct fileout *to = NULL;

        for (char *const *image = o->images; *image; image++)
                TRY(want_named(&list, e, *image));
        TRY(parcel_new(forms[o->format], &parcel));
        for (size_t i = 0; i < list.n; i++) {
                struct wanted *w = &list.items[i];
                const struct parcel_options options = {
                        .platform = o->platform,
                        .all = !o->platform && o->format != SAVE_DOCKER_DIR,
                        .docker_types = o->format == SAVE_DOCKER_DIR,
                        .names = w->names,
                };

                TRY(parcel_add(parcel, w->source, &options));
        }
        TRY_WRAP(open_output(o, &to), "failed to save image");
        fileout_watch(to, o->progress);
        return parcel_write(parcel, to);
}
