/* bundle_docker.c - a manifest for an image of docker's archives, which have none. */
#include <string.h>

#include "base/str.h"
#include "engine/bundle_private.h"

static const char *const layer_types[] = {
        [STREAM_PLAIN] = OCI_MEDIA_LAYER,
        [STREAM_GZIP] = OCI_MEDIA_LAYER_GZIP,
        [STREAM_ZSTD] = OCI_MEDIA_LAYER_ZSTD,
        [STREAM_XZ] = NULL,
        [STREAM_BZIP2] = NULL,
};

static err *hash_file(const struct bundle *b, const char *name, struct digest *ret)
{
        _cleanup_(digest_hasher_freep) struct digest_hasher *hasher = NULL;
        _cleanup_(stream_freep) struct stream *raw = NULL, *hashed = NULL;
        _cleanup_file_ struct fileset_file file = {.fd = -1};

        TRY(fileset_open(b->files, name, &file));
        TRY(fileset_stream(&file, 0, &raw));
        TRY(digest_hasher_new(&hasher));
        TRY(stream_open_hash(raw, hasher, &hashed));
        raw = NULL;
        TRY(stream_drain(hashed));
        return digest_hasher_final(hasher, ret);
}

/* An uncompressed layer's digest is the config's diff id (and is verified when it is taken); another's has to be found
 * out. */
static err *describe_layer(const struct bundle *b, const char *name, const char *diff_id, struct bundle_blob *ret,
                           const char **ret_type)
{
        _cleanup_(stream_freep) struct stream *raw = NULL, *plain = NULL;
        _cleanup_file_ struct fileset_file file = {.fd = -1};
        enum stream_format format;

        TRY(fileset_open(b->files, name, &file));
        *ret = (struct bundle_blob){.size = file.size, .file = name};
        TRY(fileset_stream(&file, 0, &raw));
        TRY(stream_open_auto(raw, &format, &plain));
        raw = NULL;
        *ret_type = layer_types[format];
        if (!*ret_type)
                return err_new(ERR_UNSUPPORTED, "the layer is compressed by %s", stream_format_name(format));
        return format == STREAM_PLAIN ? digest_parse(diff_id ? diff_id : "", &ret->digest)
                                      : hash_file(b, name, &ret->digest);
}

static void add_descriptor(json *to, const char *type, const struct bundle_blob *blob)
{
        json_set_str(to, "mediaType", type);
        json_set_str(to, "digest", blob->digest.text);
        json_set(to, "size", json_new_uint(blob->size));
}

static err *read_config(const struct bundle *b, const char *name, struct bundle_blob *ret, json **ret_config)
{
        _cleanup_free_ char *text = NULL;
        size_t size;

        TRY(fileset_read(b->files, name, MANIFEST_MAX, &text, &size));
        *ret = (struct bundle_blob){.size = size, .file = name};
        digest_of(text, size, &ret->digest);
        TRY_WRAP(json_parse(text, size, ret_config), "%.200s", name);
        return NULL;
}

err *bundle_docker_manifest(const struct bundle *b, const struct docker_image *image, struct document *ret,
                            struct bundle_blob **ret_blobs, size_t *ret_n)
{
        _cleanup_free_ struct bundle_blob *blobs = MEM_NEW0(struct bundle_blob, image->n_layers + 1);
        _cleanup_json_ json *config = NULL, *manifest = json_new_object();
        const json *diff_ids;
        char *text = NULL;
        json *layers;

        if (!blobs)
                return err_nomem();
        TRY(read_config(b, image->config, &blobs[0], &config));
        diff_ids = json_path(config, "rootfs.diff_ids");
        if (json_len(diff_ids) != image->n_layers)
                return err_new(ERR_CORRUPT, "manifest.json lists %zu layers, the config %zu", image->n_layers,
                               json_len(diff_ids));
        json_set_int(manifest, "schemaVersion", 2);
        json_set_str(manifest, "mediaType", OCI_MEDIA_MANIFEST);
        add_descriptor(json_sub_object(manifest, "config"), OCI_MEDIA_CONFIG, &blobs[0]);
        layers = json_sub_array(manifest, "layers");
        for (size_t i = 0; i < image->n_layers; i++) {
                json *layer = json_new_object();
                const char *type = NULL;
                err *e = describe_layer(b, image->layers[i], json_str(json_at(diff_ids, i)), &blobs[i + 1], &type);

                if (!e)
                        add_descriptor(layer, type, &blobs[i + 1]);
                json_add(layers, layer);
                TRY_WRAP(e, "layer %.200s", image->layers[i]);
        }
        TRY(json_print(manifest, JSON_COMPACT, &text));
        TRY(document_make(text, strlen(text), OCI_MEDIA_MANIFEST, ret));
        *ret_blobs = TAKE_PTR(blobs);
        *ret_n = image->n_layers + 1;
        return NULL;
}
