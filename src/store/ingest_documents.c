/* ingest_documents.c - manifest, config and index from outside: what they say, and whether they fit each other. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "oci/image.h"
#include "store/ingest_private.h"

#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+"
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"

static const char *const layer_types[] = {
        OCI_MEDIA_LAYER,
        OCI_MEDIA_LAYER_GZIP,
        OCI_MEDIA_LAYER_ZSTD,
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
};

static bool listed(const char *text, const char *const *list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(text, list[i]) == 0)
                        return true;
        return false;
}

static err *parse(const struct ingest_document *d, size_t max, const char *what, json **ret)
{
        err *e;

        if (d->size > max)
                return err_new(ERR_LIMIT, "the %s has %zu bytes, more than the %zu that are read", what, d->size, max);
        e = json_parse(d->data, d->size, ret);
        if (err_code(e) == ERR_INVALID) {
                char text[512];
                err *mine = err_new(ERR_CORRUPT, "the %s is not sound JSON: %s", what, err_text(e, text, sizeof(text)));

                err_free(e);
                return mine;
        }
        if (e)
                return err_wrap(e, "reading the %s", what);
        if (json_kind(*ret) != JSON_OBJECT) {
                json_free(TAKE_PTR(*ret));
                return err_new(ERR_CORRUPT, "the %s is not an object", what);
        }
        return NULL;
}

/* The sender's word, what the document says of itself, and what it looks like must be the same. */
static err *check_type(const struct ingest_document *d, const json *doc, const char *const *types, size_t n,
                       const char *what)
{
        const char *inside = json_get_str(doc, "mediaType");

        if (json_has(doc, "mediaType") && !inside)
                return err_new(ERR_CORRUPT, "the %s's mediaType is not a string", what);
        if (json_has(doc, "fsLayers") || json_get_int(doc, "schemaVersion", 0) == 1 ||
            (d->media_type && str_starts(d->media_type, DOCKER_SCHEMA1)))
                return err_new(ERR_UNSUPPORTED, "the %s has docker's schema 1, which is not supported any more", what);
        if (json_get_int(doc, "schemaVersion", 0) != 2)
                return err_new(ERR_CORRUPT, "the %s's schemaVersion is not 2", what);
        if (d->media_type && inside && strcmp(d->media_type, inside) != 0)
                return err_new(ERR_CORRUPT, "the %s was sent as %s but says that it is %s", what, d->media_type,
                               inside);
        if (d->media_type && !listed(d->media_type, types, n))
                return err_new(ERR_UNSUPPORTED, "the %s was sent as %s", what, d->media_type);
        if (inside && !listed(inside, types, n))
                return err_new(ERR_UNSUPPORTED, "the %s says that it is %s", what, inside);
        return NULL;
}

struct descriptor {
        const char *media_type, *digest;
        uint64_t size;
};

static err *read_descriptor(const json *from, const char *what, struct descriptor *ret)
{
        const json *size = json_get(from, "size");

        if (json_kind(from) != JSON_OBJECT)
                return err_new(ERR_CORRUPT, "the manifest's %s is not an object", what);
        *ret = (struct descriptor){json_get_str(from, "mediaType"), json_get_str(from, "digest"),
                                   json_get_uint(from, "size", UINT64_MAX)};
        if (str_empty(ret->media_type))
                return err_new(ERR_CORRUPT, "the manifest's %s has no mediaType", what);
        if (!oci_image_digest_valid(ret->digest)) {
                struct digest d;
                err *e = ret->digest ? digest_parse(ret->digest, &d) : NULL;

                if (err_code(e) == ERR_UNSUPPORTED)
                        return err_wrap(e, "the manifest's %s", what);
                err_free(e);
                return err_new(ERR_CORRUPT, "the manifest's %s has no valid digest", what);
        }
        if (json_kind(size) != JSON_INT || ret->size > INT64_MAX)
                return err_new(ERR_CORRUPT, "the manifest's %s has no valid size", what);
        return NULL;
}

/* The index has to name the manifest, unless it names another index that may. */
static err *check_index(struct ingest *i)
{
        static const char *const types[] = {OCI_INDEX, DOCKER_LIST};
        const struct ingest_document *d = &i->options.index;
        _cleanup_json_ json *doc = NULL;
        const json *list;
        bool found = false;

        TRY(parse(d, INGEST_DOCUMENT_MAX, "index", &doc));
        if (json_has(doc, "layers") || json_has(doc, "config"))
                return err_new(ERR_CORRUPT, "the index is also a manifest");
        TRY(check_type(d, doc, types, ARRAY_SIZE(types), "index"));
        list = json_get(doc, "manifests");
        if (json_kind(list) != JSON_ARRAY)
                return err_new(ERR_CORRUPT, "the index has no list of manifests");
        for (size_t n = 0; n < json_len(list) && !found; n++) {
                const char *type = json_get_str_or(json_at(list, n), "mediaType", "");

                found = str_eq(json_get_str(json_at(list, n), "digest"), i->manifest.text) ||
                        listed(type, types, ARRAY_SIZE(types));
        }
        if (!found)
                return err_new(ERR_CORRUPT, "the index does not list the manifest %s", i->manifest.text);
        digest_of(d->data, d->size, &i->index);
        return NULL;
}

static err *check_config(struct ingest *i, const json *manifest)
{
        static const char *const types[] = {OCI_MEDIA_CONFIG, DOCKER_CONFIG};
        const struct ingest_document *d = &i->options.config;
        struct descriptor c;

        TRY(read_descriptor(json_get(manifest, "config"), "config", &c));
        if (!listed(c.media_type, types, ARRAY_SIZE(types)))
                return err_new(ERR_UNSUPPORTED, "not an image but an artifact: its config is %s", c.media_type);
        if (c.size != d->size)
                return err_new(ERR_CORRUPT, "the config has %zu bytes, the manifest says %llu", d->size,
                               (unsigned long long)c.size);
        digest_of(d->data, d->size, &i->id);
        if (strcmp(i->id.text, c.digest) != 0)
                return err_new(ERR_DIGEST, "the config is %s, the manifest says %s", i->id.text, c.digest);
        TRY(parse(d, INGEST_CONFIG_MAX, "config", &i->config));
        return oci_image_config_check(i->config);
}

static struct ingest_blob *find_blob(struct ingest *i, const char *digest)
{
        for (size_t n = 0; n < i->n_blobs; n++)
                if (strcmp(i->blobs[n].digest, digest) == 0)
                        return &i->blobs[n];
        return NULL;
}

static err *add_layer(struct ingest *i, const json *from, const char *diff_id, const char *parent)
{
        struct ingest_item *item = &i->items[i->n];
        struct descriptor d;
        struct digest chain;
        char what[32];

        (void)snprintf(what, sizeof(what), "layer %zu", i->n + 1);
        TRY(read_descriptor(from, what, &d));
        if (!listed(d.media_type, layer_types, ARRAY_SIZE(layer_types)))
                return err_new(ERR_UNSUPPORTED, "layer %zu is %s, which cannot be unpacked", i->n + 1, d.media_type);
        layer_chain_id(parent, diff_id, &chain);
        *item = (struct ingest_item){.pipe_fd = -1};
        i->n++;
        item->layer = (struct image_layer){
                .chain = str_dup(chain.text),
                .diff_id = str_dup(diff_id),
                .digest = str_dup(d.digest),
                .media_type = str_dup(d.media_type),
                .blob_size = d.size,
        };
        if (!item->layer.chain || !item->layer.diff_id || !item->layer.digest || !item->layer.media_type)
                return err_nomem();
        item->shown = (struct ingest_layer){item->layer.digest, item->layer.diff_id, item->layer.media_type, d.size, 0,
                                            INGEST_WAITING};
        item->blob = find_blob(i, item->layer.digest);
        if (!item->blob) {
                item->blob = &i->blobs[i->n_blobs++];
                *item->blob = (struct ingest_blob){
                        .digest = item->layer.digest, .size = d.size, .lock_fd = -1, .data_fd = -1};
        }
        return item->blob->size == d.size
                       ? NULL
                       : err_new(ERR_CORRUPT, "the manifest gives two sizes for blob %s", item->layer.digest);
}

static err *check_layers(struct ingest *i, const json *manifest)
{
        const json *layers = json_get(manifest, "layers"), *ids = json_path(i->config, "rootfs.diff_ids");
        size_t n = json_len(layers);

        if (json_kind(layers) != JSON_ARRAY)
                return err_new(ERR_CORRUPT, "the manifest has no list of layers");
        if (n > INGEST_LAYERS_MAX)
                return err_new(ERR_LIMIT, "the image has %zu layers, more than the %u that are supported", n,
                               INGEST_LAYERS_MAX);
        if (json_len(ids) != n)
                return err_new(ERR_CORRUPT, "the manifest has %zu layers, the config %zu", n, json_len(ids));
        i->items = MEM_NEW0(struct ingest_item, n + 1);
        i->blobs = MEM_NEW0(struct ingest_blob, n + 1);
        if (!i->items || !i->blobs)
                return err_nomem();
        for (size_t k = 0; k < n; k++)
                TRY(add_layer(i, json_at(layers, k), json_str(json_at(ids, k)),
                              k ? i->items[k - 1].layer.chain : NULL));
        return NULL;
}

err *ingest_documents(struct ingest *i)
{
        static const char *const types[] = {OCI_MEDIA_MANIFEST, DOCKER_MANIFEST};
        const struct ingest_document *d = &i->options.manifest;
        _cleanup_json_ json *manifest = NULL;

        TRY(parse(d, INGEST_DOCUMENT_MAX, "manifest", &manifest));
        if (json_has(manifest, "manifests"))
                return err_new(ERR_CORRUPT, json_has(manifest, "layers") ? "the manifest is also an index"
                                                                         : "the manifest is an index");
        TRY(check_type(d, manifest, types, ARRAY_SIZE(types), "manifest"));
        digest_of(d->data, d->size, &i->manifest);
        if (i->options.index.data)
                TRY(check_index(i));
        TRY(check_config(i, manifest));
        return check_layers(i, manifest);
}
