/* image_history.c - how an image was made. The history comes from outside: it may be missing, or have more or fewer
 * entries than there are layers. */
#include "base/clock.h"
#include "base/str.h"
#include "store/image_private.h"

static err *add_row(json *list, const json *entry, uint64_t size)
{
        _cleanup_json_ json *row = json_new_object();
        int64_t created = 0;

        err_free(clock_parse(json_get_str_or(entry, "created", ""), &created));
        json_set_str(row, "Id", "<missing>");
        json_set_int(row, "Created", created / 1000000000);
        json_set_str(row, "CreatedBy", json_get_str_or(entry, "created_by", ""));
        json_set(row, "Size", json_new_uint(size));
        json_set_str(row, "Comment", json_get_str_or(entry, "comment", ""));
        (void)json_sub_array(row, "Tags");
        json_add(list, TAKE_PTR(row));
        return NULL;
}

static err *set_image(json *row, const struct image *i)
{
        json *tags = json_sub_array(row, "Tags");

        json_set_str(row, "Id", i->id);
        for (char **n = i->names; n && *n; n++) {
                _cleanup_free_ char *familiar = NULL;

                TRY(image_familiar(*n, &familiar));
                json_add_str(tags, familiar);
        }
        return NULL;
}

/* The image itself in the first row, what it was committed from in the next ones, as far as they are here. */
static err *set_images(json *list, const struct image *i)
{
        _cleanup_image_ struct image *parent = NULL;

        for (size_t n = 0; n < json_len(list); n++) {
                struct image *next = NULL;
                err *e;

                TRY(set_image(json_at(list, n), i));
                if (!i->parent)
                        return NULL;
                e = image_find(i->store, i->parent, &next);
                if (e)
                        return err_code(e) == ERR_NOT_FOUND ? err_free(e) : e;
                image_free(parent);
                parent = next;
                i = parent;
        }
        return NULL;
}

err *image_history(const struct image *i, json **ret)
{
        const json *history = json_get(i->config, "history");
        size_t n = json_kind(history) == JSON_ARRAY ? json_len(history) : 0, layers = 0;
        _cleanup_json_ json *list = json_new_array();

        for (size_t h = 0; h < n; h++)
                layers += !json_get_bool(json_at(history, h), "empty_layer", false);
        /* Layers that nobody tells of are the newest: histories get shorter when somebody adds a layer to an image. */
        for (size_t l = i->n_layers; l > layers; l--)
                TRY(add_row(list, NULL, i->layers[l - 1].size));
        for (size_t h = n; h > 0; h--) {
                const json *entry = json_at(history, h - 1);
                bool empty = json_get_bool(entry, "empty_layer", false);

                layers -= !empty;
                TRY(add_row(list, entry, empty || layers >= i->n_layers ? 0 : i->layers[layers].size));
        }
        TRY(set_images(list, i));
        *ret = TAKE_PTR(list);
        return NULL;
}
