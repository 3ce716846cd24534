/* push_plan.c - see push_private.h: which blobs and documents a tag needs.
 *
 * As it was received: the manifest's own bytes, or a whole index with everything that it lists. Rebuilt: an image with
 * layers that are compressed on the way gets a manifest when their digests are known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/push_private.h"
#include "oci/image.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "store/blob.h"
#include "store/ingest.h"

#define INDEX_MEMBERS_MAX 200

void push_plan_done(struct push_plan *p)
{
        for (size_t i = 0; i < p->n_blobs; i++) {
                free(p->blobs[i].stored);
                for (size_t s = 0; s < p->blobs[i].n_sources; s++)
                        free(p->blobs[i].sources[s]);
        }
        for (size_t i = 0; i < p->n_documents; i++) {
                free(p->documents[i].reference);
                free(p->documents[i].media_type);
                free(p->documents[i].data);
        }
        free(p->blobs);
        free(p->documents);
        free(p->layers);
        image_free(p->image);
        *p = (struct push_plan){0};
}

err *push_blob_source(struct push_blob *b, const char *path)
{
        if (b->n_sources == PUSH_SOURCES)
                return NULL;
        for (size_t i = 0; i < b->n_sources; i++)
                if (strcmp(b->sources[i], path) == 0)
                        return NULL;
        b->sources[b->n_sources] = str_dup(path);
        return b->sources[b->n_sources++] ? NULL : err_nomem();
}

/* Index of the blob @digest in the plan; new ones are appended. @layer: to compress, or NULL. */
static err *add_blob(struct push *p, const char *digest, uint64_t size, const char *shown,
                     const struct image_layer *layer, size_t *ret)
{
        struct push_plan *plan = &p->plan;
        struct push_blob *b;

        for (size_t i = 0; i < plan->n_blobs; i++)
                if (strcmp(plan->blobs[i].stored, digest) == 0) {
                        *ret = i;
                        return NULL;
                }
        if (mem_grow(&plan->blobs, plan->n_blobs, sizeof(*plan->blobs)) < 0)
                return err_nomem();
        b = &plan->blobs[plan->n_blobs];
        *b = (struct push_blob){.stored_size = size, .layer = layer};
        if (shown)
                (void)snprintf(b->id, sizeof(b->id), "%s", strchr(shown, ':') + 1);
        if (!layer)
                TRY(digest_parse(digest, &b->digest));
        b->stored = str_dup(digest);
        *ret = plan->n_blobs++;
        return b->stored ? NULL : err_nomem();
}

static err *add_document(struct push_plan *plan, const char *reference, const char *media_type, char **data,
                         size_t size)
{
        struct push_document *d;

        if (mem_grow(&plan->documents, plan->n_documents, sizeof(*plan->documents)) < 0)
                return err_nomem();
        d = &plan->documents[plan->n_documents++];
        *d = (struct push_document){.reference = str_dup(reference),
                                    .media_type = str_dup(media_type),
                                    .data = TAKE_PTR(*data),
                                    .size = size};
        return d->reference && d->media_type ? NULL : err_nomem();
}

static err *read_document(struct push *p, const char *digest, char **ret, size_t *ret_size, json **ret_json)
{
        TRY(blob_read(p->engine->store, digest, INGEST_DOCUMENT_MAX, ret, ret_size));
        return json_parse(*ret, *ret_size, ret_json);
}

static const char *document_type(const json *j)
{
        const char *type = json_get_str(j, "mediaType");

        return type ? type : json_has(j, "manifests") ? OCI_MEDIA_INDEX : OCI_MEDIA_MANIFEST;
}

/* A manifest of the store with all that it needs, under @reference. @image (may be NULL): for the layers' names. */
static err *add_manifest(struct push *p, const char *digest, const char *reference, const struct image *image)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_json_ json *j = NULL;
        const json *layers, *config;
        size_t size, at;

        TRY(read_document(p, digest, &text, &size, &j));
        layers = json_get(j, "layers");
        for (size_t i = json_len(layers); i-- > 0;) {
                const json *l = json_at(layers, i);
                const char *blob = json_get_str_or(l, "digest", "");
                bool named = image && image->n_layers == json_len(layers);

                bool valid = oci_image_digest_valid(blob), here = valid && blob_exists(p->engine->store, blob);

                if (!here && (!valid || !named || p->no_absent))
                        return err_new(ERR_NOT_FOUND, "layer %s is not here", blob);
                TRY(add_blob(p, blob, json_get_uint(l, "size", 0), named ? image->layers[i].diff_id : blob, NULL, &at));
                p->plan.blobs[at].absent = !here;
                p->plan.absent = p->plan.absent || !here;
        }
        config = json_get(j, "config");
        if (!blob_exists(p->engine->store, json_get_str_or(config, "digest", "")))
                return err_new(ERR_NOT_FOUND, "the image's configuration is not here");
        TRY(add_blob(p, json_get_str(config, "digest"), json_get_uint(config, "size", 0), NULL, NULL, &at));
        return add_document(&p->plan, reference, document_type(j), &text, size);
}

/* An index and all its members. ERR_NOT_FOUND: not everything is here. */
static err *add_index(struct push *p, const char *digest, const char *reference, const struct image *image)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_json_ json *j = NULL;
        const json *list;
        size_t size;

        TRY(read_document(p, digest, &text, &size, &j));
        list = json_get(j, "manifests");
        if (!json_len(list) || json_len(list) > INDEX_MEMBERS_MAX)
                return err_new(ERR_NOT_FOUND, "not an index, or one with too many members");
        for (size_t i = 0; i < json_len(list); i++) {
                const char *member = json_get_str_or(json_at(list, i), "digest", "");

                if (!oci_image_digest_valid(member) || !blob_exists(p->engine->store, member))
                        return err_new(ERR_NOT_FOUND, "manifest %s is not here", member);
        }
        for (size_t i = 0; i < json_len(list); i++) {
                const char *member = json_get_str(json_at(list, i), "digest");

                TRY(add_manifest(p, member, member, strcmp(member, image->manifest) == 0 ? image : NULL));
        }
        return add_document(&p->plan, reference, document_type(j), &text, size);
}

/* Start again, with the image. */
static void forget(struct push_plan *plan)
{
        struct image *image = TAKE_PTR(plan->image);

        push_plan_done(plan);
        plan->image = image;
}

static err *platform_error(const struct push *p, const struct platform *want)
{
        _cleanup_free_ char *familiar = NULL;
        char text[PLATFORM_TEXT];

        TRY(reference_familiar(&p->ref, &familiar));
        return err_new(ERR_NOT_FOUND,
                       "image with reference %s was found but does not provide the specified platform (%s)", familiar,
                       platform_text(want, text));
}

/* The member of the index @digest for the platform; false: it lists none, or it is not here. */
static bool choose_member(struct push *p, const char *digest, const struct platform *want, char **ret)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_json_ json *j = NULL;
        const json *d;
        size_t size;
        err *e = read_document(p, digest, &text, &size, &j);

        if (e) {
                err_free(e);
                return false;
        }
        d = platform_choose(j, want);
        if (!d || !blob_exists(p->engine->store, json_get_str_or(d, "digest", "")))
                return false;
        *ret = str_dup(json_get_str(d, "digest"));
        return *ret;
}

/* Is the document @digest a manifest of the image @i? */
static bool is_manifest_of(struct push *p, const char *digest, const struct image *i)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_json_ json *j = NULL;
        size_t size;
        err *e = read_document(p, digest, &text, &size, &j);

        if (!e)
                return str_eq(json_get_str(json_get(j, "config"), "digest"), i->id);
        err_free(e);
        return false;
}

/* By the document that one of the image's names with a digest points at; *@ret: it did. */
static err *plan_document(struct push *p, const char *digest, const struct platform *want, bool *ret)
{
        struct image *i = p->plan.image;
        _cleanup_free_ char *member = NULL;
        err *e;

        *ret = true;
        if (p->o->platform && choose_member(p, digest, want, &member))
                return add_manifest(p, member, p->ref.tag, is_manifest_of(p, member, i) ? i : NULL);
        *ret = false;
        if (p->o->platform)
                return NULL;
        e = is_manifest_of(p, digest, i) ? add_manifest(p, digest, p->ref.tag, i) : add_index(p, digest, p->ref.tag, i);
        *ret = !e;
        if (e && err_code(e) != ERR_NOT_FOUND)
                return e;
        err_free(e);
        if (e)
                forget(&p->plan);
        return NULL;
}

/* The image as it came: with its whole index if that is here, else its own manifest. ERR_NOT_FOUND: not all is here. */
static err *plan_as_it_is(struct push *p, bool plain)
{
        struct image *i = p->plan.image;
        struct platform want, have;
        bool done;

        TRY(platform_parse(p->o->platform, &want));
        for (char **name = i->digests; name && *name; name++) {
                const char *digest = strchr(*name, '@');

                if (!digest)
                        continue;
                TRY(plan_document(p, digest + 1, &want, &done));
                if (done)
                        return NULL;
        }
        if (p->o->platform && (!platform_read(i->config, &have) || platform_rank(&want, &have) < 0))
                return platform_error(p, &want);
        if (plain)
                return err_new(ERR_NOT_FOUND, "the manifest as it came is not here");
        return add_manifest(p, i->manifest, p->ref.tag, i);
}

/* ---- rebuilt ---- */

static enum stream_format layer_format(const char *media_type)
{
        if (str_ends(media_type, "gzip"))
                return STREAM_GZIP;
        return str_ends(media_type, "zstd") ? STREAM_ZSTD : STREAM_PLAIN;
}

static const char *format_type(enum stream_format format)
{
        return format == STREAM_GZIP   ? OCI_MEDIA_LAYER_GZIP
               : format == STREAM_ZSTD ? OCI_MEDIA_LAYER_ZSTD
                                       : OCI_MEDIA_LAYER;
}

/* Also a layer whose blob was dropped: its archive can be made again. */
static bool must_compress(const struct push *p, const struct image_layer *l)
{
        enum stream_format wanted = p->compression.zstd ? STREAM_ZSTD : STREAM_GZIP, is = layer_format(l->media_type);

        return is == STREAM_PLAIN || !blob_exists(p->engine->store, l->digest) ||
               (p->o->force_compression && (is != wanted || p->compression.level));
}

static err *plan_rebuilt(struct push *p)
{
        struct image *i = p->plan.image;
        _cleanup_close_ int fd = -1;
        struct platform want, have;
        uint64_t config_size;
        size_t at;

        TRY(platform_parse(p->o->platform, &want));
        if (p->o->platform && (!platform_read(i->config, &have) || platform_rank(&want, &have) < 0))
                return platform_error(p, &want);
        p->plan.rebuild = true;
        p->plan.layers = MEM_NEW0(size_t, i->n_layers + 1);
        if (!p->plan.layers)
                return err_nomem();
        for (size_t n = i->n_layers; n-- > 0;) {
                const struct image_layer *l = &i->layers[n];
                bool compress = must_compress(p, l);

                TRY(add_blob(p, l->digest, l->blob_size, l->diff_id, compress ? l : NULL, &p->plan.layers[n]));
                p->plan.blobs[p->plan.layers[n]].media_type = format_type(
                        compress ? (p->compression.zstd ? STREAM_ZSTD : STREAM_GZIP) : layer_format(l->media_type));
        }
        TRY(blob_open(p->engine->store, i->id, &fd, &config_size));
        return add_blob(p, i->id, config_size, NULL, NULL, &at);
}

static json *descriptor(const char *media_type, const char *digest, uint64_t size)
{
        json *d = json_new_object();

        json_set_str(d, "mediaType", media_type);
        json_set_str(d, "digest", digest);
        json_set(d, "size", json_new_uint(size));
        return d;
}

err *push_plan_manifest(const struct push *p, char **ret)
{
        _cleanup_json_ json *m = json_new_object();
        const struct push_plan *plan = &p->plan;
        json *layers;

        json_set_int(m, "schemaVersion", 2);
        json_set_str(m, "mediaType", OCI_MEDIA_MANIFEST);
        for (size_t i = 0; i < plan->n_blobs; i++)
                if (strcmp(plan->blobs[i].stored, plan->image->id) == 0)
                        json_set(m, "config",
                                 descriptor(OCI_MEDIA_CONFIG, p->outcomes[i].digest.text, p->outcomes[i].size));
        layers = json_sub_array(m, "layers");
        for (size_t n = 0; n < plan->image->n_layers; n++) {
                size_t at = plan->layers[n];

                json_add(layers,
                         descriptor(plan->blobs[at].media_type, p->outcomes[at].digest.text, p->outcomes[at].size));
        }
        return json_print(m, JSON_COMPACT, ret);
}

/* ---- where a blob could be mounted from ---- */

/* What the record of the image says, or the manifest that the name with a digest stands for. */
static err *add_sources_of(struct push *p, const struct image *i, const char *path, const char *digest)
{
        _cleanup_free_ char *text = NULL;
        size_t size;

        err_free(blob_read(p->engine->store, digest, INGEST_DOCUMENT_MAX, &text, &size));
        for (size_t b = 0; b < p->plan.n_blobs; b++) {
                struct push_blob *blob = &p->plan.blobs[b];

                for (size_t n = 0; n < i->n_layers; n++)
                        if (strcmp(i->layers[n].digest, blob->digest.text) == 0)
                                TRY(push_blob_source(blob, path));
                if (text && blob->digest.text[0] && strstr(text, blob->digest.text))
                        TRY(push_blob_source(blob, path));
        }
        return NULL;
}

/* Images that were pulled from this registry have their layers there. */
static err *add_pulled_sources(struct push *p)
{
        _cleanup_image_list_ struct image_list all = {0};

        TRY(image_list(p->engine->store, &all));
        for (size_t i = 0; i < all.n; i++)
                for (char **d = all.items[i]->digests; d && *d; d++) {
                        _cleanup_reference_ struct reference r = {0};

                        TRY(reference_parse(*d, false, &r));
                        if (strcmp(r.domain, p->ref.domain) == 0 && strcmp(r.path, p->ref.path) != 0)
                                TRY(add_sources_of(p, all.items[i], r.path, r.digest ? r.digest : ""));
                }
        return NULL;
}

/* What an earlier push found out. */
static err *add_remembered(struct push *p)
{
        _cleanup_(push_memory_freep) struct push_memory *m = NULL;

        TRY(push_memory_load(p->engine, &m));
        for (size_t i = 0; i < p->plan.n_blobs; i++) {
                struct push_blob *b = &p->plan.blobs[i];

                if (b->layer)
                        (void)push_memory_find(m, b->layer->diff_id, &p->compression, &b->digest, &b->size);
                if (b->digest.text[0])
                        TRY(push_memory_sources(m, p->ref.domain, b->digest.text, b));
        }
        return NULL;
}

/* ---- */

/* docker tells a repository that is unknown from a tag that is. */
static err *no_such_tag(struct push *p)
{
        _cleanup_free_ char *repository = NULL, *full = NULL, *familiar = NULL;
        _cleanup_image_list_ struct image_list all = {0};
        bool known = false;

        TRY(reference_repository(&p->ref, &repository));
        TRY(reference_familiar(&p->ref, &familiar));
        full = str_format("%s/%s:", p->ref.domain, p->ref.path);
        if (!full)
                return err_nomem();
        TRY(image_list(p->engine->store, &all));
        for (size_t i = 0; i < all.n; i++)
                for (char **name = all.items[i]->names; name && *name; name++)
                        known = known || str_starts(*name, full);
        return known ? err_new(ERR_NOT_FOUND, "tag does not exist: %s", familiar)
                     : err_new(ERR_NOT_FOUND, "An image does not exist locally with the tag: %s", repository);
}

static err *find_image(struct push *p)
{
        _cleanup_free_ char *full = NULL;
        err *e;

        TRY(reference_full(&p->ref, &full));
        e = image_find_whole(p->engine->store, full, &p->plan.image);
        if ((e && err_code(e) == ERR_NOT_FOUND) || (!e && !strv_contains(p->plan.image->names, full))) {
                err_free(e);
                return no_such_tag(p);
        }
        return e;
}

static err *choose_plan(struct push *p)
{
        const struct image *i = p->plan.image;
        bool plain = false, came = i->digests && *i->digests;
        err *e;

        for (size_t n = 0; n < i->n_layers; n++)
                plain = plain || layer_format(i->layers[n].media_type) == STREAM_PLAIN;
        if (p->o->force_compression || (plain && (p->compression.given || !came)))
                return plan_rebuilt(p);
        e = plan_as_it_is(p, plain);
        if (!e || err_code(e) != ERR_NOT_FOUND || p->o->platform)
                return e;
        /* The blobs as they came are not here: the same layers came in another form, or were dropped. */
        err_free(e);
        forget(&p->plan);
        return plan_rebuilt(p);
}

err *push_plan_make(struct push *p)
{
        TRY(find_image(p));
        TRY(choose_plan(p));
        TRY(add_remembered(p));
        return add_pulled_sources(p);
}
