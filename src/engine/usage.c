/* usage.c - see usage.h. */
#include "engine/usage.h"

#include <string.h>

#include "base/str.h"
#include "engine/container.h"
#include "engine/inspect.h"
#include "oci/reference.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/record.h"
#include "store/snapshot.h"
#include "store/volume.h"

/* One layer: who has it? */
struct layer_use {
        const char *chain; /* borrowed */
        uint64_t size;
        unsigned images;
        bool active;
};

struct images {
        struct image_list all;
        uint64_t *containers; /* made from each */
        struct layer_use *layers;
        size_t n_layers;
};

static void images_done(struct images *i)
{
        image_list_done(&i->all);
        free(i->containers);
        free(i->layers);
}

static int compare_chains(const void *a, const void *b)
{
        return strcmp(((const struct layer_use *)a)->chain, ((const struct layer_use *)b)->chain);
}

/* Equal neighbours become one. */
static void merge(struct images *i)
{
        size_t kept = 0;

        if (i->n_layers)
                qsort(i->layers, i->n_layers, sizeof(*i->layers), compare_chains);
        for (size_t k = 0; k < i->n_layers; k++) {
                if (!kept || strcmp(i->layers[kept - 1].chain, i->layers[k].chain) != 0) {
                        i->layers[kept++] = i->layers[k];
                        continue;
                }
                i->layers[kept - 1].images++;
                i->layers[kept - 1].active |= i->layers[k].active;
        }
        i->n_layers = kept;
}

static err *read_images(struct engine *e, struct images *i)
{
        size_t room = 0;

        TRY(image_list(e->store, &i->all));
        for (size_t k = 0; k < i->all.n; k++)
                room += i->all.items[k]->n_layers;
        i->containers = MEM_NEW0(uint64_t, i->all.n + 1);
        i->layers = MEM_NEW0(struct layer_use, room + 1);
        if (!i->containers || !i->layers)
                return err_nomem();
        for (size_t k = 0; k < i->all.n; k++) {
                _cleanup_record_list_ struct record_list users = {0};
                const struct image *image = i->all.items[k];

                TRY(record_image_users(e->store, image->id, &users));
                i->containers[k] = users.n;
                for (size_t l = 0; l < image->n_layers; l++)
                        i->layers[i->n_layers++] =
                                (struct layer_use){image->layers[l].chain, image->layers[l].size, 1, users.n > 0};
        }
        merge(i);
        return NULL;
}

static uint64_t shared_size(const struct images *i, const struct image *image)
{
        uint64_t size = 0;

        for (size_t l = 0; l < image->n_layers; l++) {
                const struct layer_use key = {.chain = image->layers[l].chain};
                const struct layer_use *use = bsearch(&key, i->layers, i->n_layers, sizeof(*i->layers), compare_chains);

                size += use && use->images > 1 ? use->size : 0;
        }
        return size;
}

/* As people write them. */
static err *add_names(json *row, const char *key, char *const *names)
{
        json *list = json_sub_array(row, key);

        for (; names && *names; names++) {
                _cleanup_reference_ struct reference r = {0};
                _cleanup_free_ char *familiar = NULL;

                TRY(reference_parse(*names, false, &r));
                TRY(reference_familiar(&r, &familiar));
                json_add_str(list, familiar);
        }
        return NULL;
}

/* Bytes of the layers' blobs that are here. */
static err *originals(struct engine *e, const struct images *i, uint64_t *ret)
{
        _cleanup_strv_ char **seen = NULL;

        *ret = 0;
        for (size_t k = 0; k < i->all.n; k++)
                for (size_t l = 0; l < i->all.items[k]->n_layers; l++) {
                        const struct image_layer *layer = &i->all.items[k]->layers[l];

                        if (strv_contains(seen, layer->digest) || !blob_exists(e->store, layer->digest))
                                continue;
                        TRY(strv_add(&seen, layer->digest));
                        *ret += layer->blob_size;
                }
        return NULL;
}

static err *add_images(struct engine *e, json *doc)
{
        _cleanup_(images_done) struct images i = {0};
        json *list = json_sub_array(doc, "Images");
        uint64_t all = 0, unused = 0, blobs;

        TRY(read_images(e, &i));
        for (size_t k = 0; k < i.n_layers; k++) {
                all += i.layers[k].size;
                unused += i.layers[k].active ? 0 : i.layers[k].size;
        }
        json_set(doc, "LayersSize", json_new_uint(all));
        json_set(doc, "LayersUnused", json_new_uint(unused));
        TRY(originals(e, &i, &blobs));
        json_set(json_sub_object(doc, "Blobs"), "Originals", json_new_uint(blobs));
        for (size_t k = 0; k < i.all.n; k++) {
                json *row = json_new_object();

                json_set_str(row, "Id", i.all.items[k]->id);
                json_add(list, row);
                TRY(add_names(row, "RepoTags", i.all.items[k]->names));
                TRY(add_names(row, "RepoDigests", i.all.items[k]->digests));
                json_set_int(row, "Created", i.all.items[k]->created_ns / 1000000000);
                json_set(row, "Size", json_new_uint(i.all.items[k]->size));
                json_set(row, "SharedSize", json_new_uint(shared_size(&i, i.all.items[k])));
                json_set(row, "Containers", json_new_uint(i.containers[k]));
                json_set_bool(row, "Pinned", i.all.items[k]->pinned);
        }
        return NULL;
}

static err *add_container(const struct container *c, json *list)
{
        uint64_t rw = 0, all = 0;
        json *row = NULL;

        TRY(inspect_ps_row(c, true, false, &row));
        json_add(list, row);
        err_free(snapshot_usage(c->engine->store, c->id, json_get_str(c->record, "Image"), &rw, &all));
        json_set(row, "SizeRw", json_new_uint(rw));
        json_set_bool(row, "Alive", container_is_alive(c));
        return NULL;
}

static err *add_containers(struct engine *e, json *doc)
{
        json *list = json_sub_array(doc, "Containers");
        _cleanup_container_list_ struct container_list all = {0};

        TRY(container_list(e, &all));
        for (size_t i = 0; i < all.n; i++)
                TRY(add_container(all.items[i], list));
        return NULL;
}

static err *add_volumes(struct engine *e, json *doc)
{
        json *list = json_sub_array(doc, "Volumes");
        _cleanup_json_ json *all = NULL;

        TRY(volume_list(e->store, &all));
        for (size_t i = 0; i < json_len(all); i++) {
                const char *name = json_get_str_or(json_at(all, i), "Name", "");
                _cleanup_strv_ char **users = NULL;
                json *row = json_new_object();
                uint64_t size = 0;

                json_add(list, row);
                err_free(volume_usage(e->store, name, &size));
                TRY(record_volume_users(e->store, name, &users));
                json_set_str(row, "Name", name);
                json_set(row, "Labels", json_ref(json_get(json_at(all, i), "Labels")));
                json_set_int(row, "Links", (int64_t)strv_len(users));
                json_set(row, "Size", json_new_uint(size));
        }
        return NULL;
}

static err *add_blobs(struct engine *e, json *doc)
{
        json *blobs = json_sub_object(doc, "Blobs");
        struct blob_usage u;

        TRY(blob_usage(e->store, &u));
        json_set(blobs, "Count", json_new_uint(u.count));
        json_set(blobs, "Size", json_new_uint(u.bytes));
        json_set(blobs, "Partial", json_new_uint(u.partial));
        return NULL;
}

err *usage_get(struct engine *e, json **ret)
{
        _cleanup_json_ json *doc = json_new_object();

        TRY(add_images(e, doc));
        TRY(add_containers(e, doc));
        TRY(add_volumes(e, doc));
        TRY(add_blobs(e, doc));
        *ret = TAKE_PTR(doc);
        return NULL;
}
