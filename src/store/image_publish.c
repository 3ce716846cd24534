/* image_publish.c - a draft becomes an image: documents, digests, and the moment when it is visible. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "oci/image.h"
#include "oci/platform.h"
#include "store/image_private.h"

void image_draft_done(struct image_draft *d)
{
        for (size_t i = 0; i < d->n_layers; i++)
                image_layer_done(&d->layers[i]);
        free(d->layers);
        free(d->full_name);
        free(d->parent);
        json_free(d->config);
        *d = (struct image_draft){0};
}

/* Run configuration with the members that an image has, empty ones left out, in the order of the image-spec. */
static json *filter_run_config(const json *from)
{
        static const char *const keys[] = {"User",        "ExposedPorts", "Env",    "Entrypoint", "Cmd",
                                           "Volumes",     "WorkingDir",   "Labels", "StopSignal", "ArgsEscaped",
                                           "Healthcheck", "OnBuild",      "Shell"};
        json *to = json_new_object();

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                json *value = json_get(from, keys[i]);
                enum json_kind kind = json_kind(value);

                if (kind == JSON_NULL || (kind == JSON_STRING && str_empty(json_str(value))) ||
                    ((kind == JSON_ARRAY || kind == JSON_OBJECT) && !json_len(value)))
                        continue;
                json_set(to, keys[i], json_ref(value));
        }
        return to;
}

static err *set_platform(json *config, const char *platform)
{
        const char *variant = NULL, *machine = oci_image_machine(&variant);
        struct platform p;

        if (!str_empty(platform)) {
                TRY(platform_parse(platform, &p));
                machine = p.arch;
                variant = p.variant;
        }
        json_set_str(config, "architecture", machine);
        if (!str_empty(variant))
                json_set_str(config, "variant", variant);
        json_set_str(config, "os", str_empty(platform) ? "linux" : p.os);
        return NULL;
}

err *image_draft_config(struct image_draft *d, int64_t now, const char *platform, const char *author,
                        const char *comment, const json *run_config)
{
        char created[CLOCK_TEXT_MAX];

        d->config = json_new_object();
        clock_format(now, created);
        TRY(set_platform(d->config, platform));
        json_set_str(d->config, "created", created);
        if (!str_empty(author))
                json_set_str(d->config, "author", author);
        if (!str_empty(comment))
                json_set_str(d->config, "comment", comment);
        json_set(d->config, "config", filter_run_config(run_config));
        (void)json_sub_array(d->config, "history");
        return NULL;
}

void image_draft_history(json *config, int64_t now, const char *created_by, const char *author, const char *comment,
                         bool empty_layer)
{
        json *entry = json_new_object();
        char created[CLOCK_TEXT_MAX];

        clock_format(now, created);
        json_set_str(entry, "created", created);
        if (!str_empty(author))
                json_set_str(entry, "author", author);
        if (!str_empty(created_by))
                json_set_str(entry, "created_by", created_by);
        if (!str_empty(comment))
                json_set_str(entry, "comment", comment);
        if (empty_layer)
                json_set_bool(entry, "empty_layer", true);
        json_add(json_sub_array(config, "history"), entry);
}

static json *descriptor(const char *media_type, const char *digest, uint64_t size)
{
        json *d = json_new_object();

        json_set_str(d, "mediaType", media_type);
        json_set_str(d, "digest", digest);
        json_set(d, "size", json_new_uint(size));
        return d;
}

err *image_manifest_text(const struct image_layer *layers, size_t n, const char *config, size_t config_size, char **ret)
{
        _cleanup_json_ json *m = json_new_object();
        json *list;

        json_set_int(m, "schemaVersion", 2);
        json_set_str(m, "mediaType", OCI_MEDIA_MANIFEST);
        json_set(m, "config", descriptor(OCI_MEDIA_CONFIG, config, config_size));
        list = json_sub_array(m, "layers");
        for (size_t i = 0; i < n; i++)
                json_add(list, descriptor(layers[i].media_type, layers[i].digest, layers[i].blob_size));
        return json_print(m, JSON_COMPACT, ret);
}

/* Chain ids of all layers, and their diff ids into the config. */
static err *link_layers(struct image_draft *d, uint64_t *ret_size)
{
        json *rootfs = json_sub_object(d->config, "rootfs"), *ids;
        const char *parent = NULL;

        json_set_str(rootfs, "type", "layers");
        json_del(rootfs, "diff_ids");
        ids = json_sub_array(rootfs, "diff_ids");
        *ret_size = 0;
        for (size_t i = 0; i < d->n_layers; i++) {
                struct image_layer *l = &d->layers[i];
                struct digest chain;

                layer_chain_id(parent, l->diff_id, &chain);
                free(l->chain);
                l->chain = str_dup(chain.text);
                if (!l->chain)
                        return err_nomem();
                parent = l->chain;
                json_add_str(ids, l->diff_id);
                *ret_size += l->size;
        }
        return NULL;
}

json *image_layer_record(const struct image_layer *l)
{
        json *o = json_new_object();

        json_set_str(o, "chain", l->chain);
        json_set_str(o, "diff_id", l->diff_id);
        json_set_str(o, "digest", l->digest);
        json_set_str(o, "media_type", l->media_type);
        json_set(o, "size", json_new_uint(l->size));
        json_set(o, "blob_size", json_new_uint(l->blob_size));
        if (l->diff_size)
                json_set(o, "diff_size", json_new_uint(l->diff_size));
        return o;
}

static err *layers_text(const struct image_draft *d, char **ret)
{
        _cleanup_json_ json *list = json_new_array();

        for (size_t i = 0; i < d->n_layers; i++)
                json_add(list, image_layer_record(&d->layers[i]));
        if (d->parent && d->n_layers)
                json_set_str(json_at(list, d->n_layers - 1), "parent", d->parent);
        return json_print(list, JSON_COMPACT, ret);
}

struct texts {
        char *config, *manifest, *layers;
};

static void texts_done(struct texts *t)
{
        free(t->config);
        free(t->manifest);
        free(t->layers);
}

static err *insert(struct image_draft *d, const char *id, const char *manifest, uint64_t size,
                   const struct texts *texts)
{
        _cleanup_txn_ struct txn t = {0};
        int64_t created = clock_now_ns();

        err_free(clock_parse(json_get_str_or(d->config, "created", ""), &created));
        TRY(txn_begin(d->store, true, &t));
        TRY(txn_run(&t, "INSERT OR REPLACE INTO images VALUES(?,?,?,?,?,?)", "siisss", id, created, (int64_t)size,
                    manifest, texts->config, texts->layers));
        if (d->full_name)
                TRY(txn_run(&t, "INSERT OR REPLACE INTO names VALUES(?,?,?)", "ssi", d->full_name, id, clock_now_ns()));
        return txn_commit(&t);
}

err *image_publish(struct image_draft *d, struct staging *st, char **ret_id)
{
        _cleanup_(texts_done) struct texts texts = {0};
        _cleanup_free_ char *id = NULL;
        struct digest config, manifest;
        uint64_t size;

        TRY(link_layers(d, &size));
        TRY(json_print(d->config, JSON_COMPACT, &texts.config));
        TRY(blob_stage(st, texts.config, strlen(texts.config), &config));
        TRY(image_manifest_text(d->layers, d->n_layers, config.text, strlen(texts.config), &texts.manifest));
        TRY(blob_stage(st, texts.manifest, strlen(texts.manifest), &manifest));
        TRY(layers_text(d, &texts.layers));
        id = str_dup(config.text);
        if (!id)
                return err_nomem();
        TRY(staging_sync(st));
        if (d->staged)
                TRY(layer_publish(st, &d->layers[d->n_layers - 1]));
        TRY(blob_publish(st, config.text));
        TRY(blob_publish(st, manifest.text));
        TRY(layer_sync_directories(d->store));
        TRY(insert(d, id, manifest.text, size, &texts));
        *ret_id = TAKE_PTR(id);
        return NULL;
}
