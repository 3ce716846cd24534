/* manifest.c - see manifest.h. */
#include "oci/manifest.h"

#include <string.h>

#include "base/str.h"

static const char *const index_types[] = {OCI_MEDIA_INDEX, DOCKER_MEDIA_LIST};
static const char *const image_types[] = {OCI_MEDIA_MANIFEST, DOCKER_MEDIA_MANIFEST};

static bool listed(const char *text, const char *const *list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(text, list[i]) == 0)
                        return true;
        return false;
}

err *manifest_descriptor(const json *from, const char *what, struct descriptor *ret)
{
        const char *digest = json_get_str(from, "digest");
        const json *size = json_get(from, "size");
        err *e;

        if (json_kind(from) != JSON_OBJECT)
                return err_new(ERR_CORRUPT, "%s is not an object", what);
        *ret = (struct descriptor){
                json_get_str_or(from, "mediaType", ""), {{0}}, json_get_uint(from, "size", UINT64_MAX), from};
        e = digest ? digest_parse(digest, &ret->digest) : err_new(ERR_INVALID, "no digest");
        if (err_code(e) == ERR_UNSUPPORTED)
                return err_wrap(e, "%s", what);
        err_free(e);
        if (e)
                return err_new(ERR_CORRUPT, "%s has no valid digest", what);
        if (json_kind(size) != JSON_INT || ret->size > INT64_MAX)
                return err_new(ERR_CORRUPT, "%s has no valid size", what);
        return NULL;
}

static err *check_word(const char *type, const char *who, bool index)
{
        if (str_empty(type))
                return NULL;
        if (listed(type, index_types, ARRAY_SIZE(index_types)))
                return index ? NULL : err_new(ERR_CORRUPT, "%s that it is an index, which it is not", who);
        if (listed(type, image_types, ARRAY_SIZE(image_types)))
                return index ? err_new(ERR_CORRUPT, "%s that it is an image manifest, which it is not", who) : NULL;
        return err_new(ERR_UNSUPPORTED, "%s that it is '%.100s', which is neither a manifest nor an index", who, type);
}

err *manifest_is_index(const json *doc, const char *media_type, bool *ret)
{
        const char *inside = json_get_str(doc, "mediaType");
        bool index = json_has(doc, "manifests");

        if (json_kind(doc) != JSON_OBJECT)
                return err_new(ERR_CORRUPT, "the manifest is not an object");
        if (json_get_int(doc, "schemaVersion", 0) == 1 || json_has(doc, "fsLayers"))
                return err_new(ERR_UNSUPPORTED, "the manifest has docker's schema 1, which is not supported any more");
        if (json_get_int(doc, "schemaVersion", 0) != 2)
                return err_new(ERR_CORRUPT, "the manifest's schemaVersion is not 2");
        if (index == (json_has(doc, "layers") || json_has(doc, "config")))
                return err_new(ERR_CORRUPT, index ? "the manifest is also an index"
                                                  : "the manifest has neither a config nor a list of manifests");
        if (json_has(doc, "mediaType") && !inside)
                return err_new(ERR_CORRUPT, "the manifest's mediaType is not a string");
        TRY(check_word(inside, "the manifest says", index));
        TRY(check_word(media_type, "the sender of the manifest says", index));
        if (inside && !str_empty(media_type) && strcmp(inside, media_type) != 0)
                return err_new(ERR_CORRUPT, "the manifest was sent as %s but says that it is %s", media_type, inside);
        *ret = index;
        return NULL;
}

const char *manifest_media_type(const json *doc, bool index)
{
        const char *inside = json_get_str(doc, "mediaType");

        if (inside)
                return inside;
        return index ? OCI_MEDIA_INDEX : OCI_MEDIA_MANIFEST;
}

err *manifest_blobs(const json *doc, struct descriptor **ret, size_t *ret_n)
{
        const json *layers = json_get(doc, "layers");
        _cleanup_free_ struct descriptor *list = NULL;
        size_t n = json_len(layers);

        if (json_kind(layers) != JSON_ARRAY)
                return err_new(ERR_CORRUPT, "the manifest has no list of layers");
        if (n > MANIFEST_LAYERS_MAX)
                return err_new(ERR_LIMIT, "the manifest has %zu layers, more than %u", n, MANIFEST_LAYERS_MAX);
        list = MEM_NEW0(struct descriptor, n + 1);
        if (!list)
                return err_nomem();
        TRY(manifest_descriptor(json_get(doc, "config"), "the manifest's config", &list[0]));
        for (size_t i = 0; i < n; i++)
                TRY(manifest_descriptor(json_at(layers, i), "a layer of the manifest", &list[i + 1]));
        *ret = TAKE_PTR(list);
        *ret_n = n + 1;
        return NULL;
}

err *manifest_members(const json *doc, struct descriptor **ret, size_t *ret_n)
{
        const json *members = json_get(doc, "manifests");
        _cleanup_free_ struct descriptor *list = NULL;
        size_t n = json_len(members);

        if (json_kind(members) != JSON_ARRAY)
                return err_new(ERR_CORRUPT, "the index has no list of manifests");
        list = MEM_NEW0(struct descriptor, n + 1);
        if (!list)
                return err_nomem();
        for (size_t i = 0; i < n; i++)
                TRY(manifest_descriptor(json_at(members, i), "a member of the index", &list[i]));
        *ret = TAKE_PTR(list);
        *ret_n = n;
        return NULL;
}

void docker_images_free(struct docker_image *list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(list[i].layers);
        free(list);
}

/* A name that may be looked for in an archive; json strings may hold NUL bytes. */
static const char *file_name(const json *j)
{
        const char *text = json_str(j);

        return !str_empty(text) && strlen(text) == json_str_len(j) ? text : NULL;
}

static err *docker_image(const json *from, struct docker_image *ret)
{
        const json *layers = json_get(from, "Layers"), *tags = json_get(from, "RepoTags");

        ret->config = file_name(json_get(from, "Config"));
        if (!ret->config)
                return err_new(ERR_CORRUPT, "manifest.json names no config");
        if (layers && json_kind(layers) != JSON_ARRAY)
                return err_new(ERR_CORRUPT, "manifest.json has no list of layers");
        if (json_len(layers) > MANIFEST_LAYERS_MAX)
                return err_new(ERR_LIMIT, "manifest.json has more than %u layers", MANIFEST_LAYERS_MAX);
        ret->layers = MEM_NEW0(const char *, json_len(layers) + 1);
        if (!ret->layers)
                return err_nomem();
        for (; ret->n_layers < json_len(layers); ret->n_layers++) {
                ret->layers[ret->n_layers] = file_name(json_at(layers, ret->n_layers));
                if (!ret->layers[ret->n_layers])
                        return err_new(ERR_CORRUPT, "manifest.json has a layer without a name");
        }
        if (tags && json_kind(tags) != JSON_ARRAY)
                return err_new(ERR_CORRUPT, "RepoTags in manifest.json is not a list");
        for (size_t i = 0; i < json_len(tags); i++)
                if (!file_name(json_at(tags, i)))
                        return err_new(ERR_CORRUPT, "RepoTags in manifest.json holds what is no text");
        ret->tags = tags;
        return NULL;
}

err *manifest_docker_archive(const json *doc, struct docker_image **ret, size_t *ret_n)
{
        struct docker_image *list;
        size_t n = json_len(doc);

        if (json_kind(doc) != JSON_ARRAY)
                return err_new(ERR_CORRUPT, "manifest.json is not a list");
        if (!n)
                return err_new(ERR_CORRUPT, "manifest.json lists no image");
        list = MEM_NEW0(struct docker_image, n);
        if (!list)
                return err_nomem();
        for (size_t i = 0; i < n; i++) {
                err *e = docker_image(json_at(doc, i), &list[i]);

                if (e) {
                        docker_images_free(list, n);
                        return e;
                }
        }
        *ret = list;
        *ret_n = n;
        return NULL;
}
