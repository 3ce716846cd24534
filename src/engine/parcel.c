/* parcel.c - what goes into a parcel; see parcel.h and parcel_write.c. */
#include "engine/parcel.h"

#include <string.h>

#include "base/str.h"
#include "engine/parcel_private.h"

#define NESTING 4

err *parcel_new(enum parcel_form form, struct parcel **ret)
{
        struct parcel *p = MEM_NEW0(struct parcel, 1);

        if (!p)
                return err_nomem();
        p->form = form;
        *ret = p;
        return NULL;
}

void parcel_free(struct parcel *p)
{
        if (!p)
                return;
        for (size_t i = 0; i < p->n_blobs; i++)
                document_done(&p->blobs[i].document);
        for (size_t i = 0; i < p->n_images; i++) {
                struct parcel_image *image = &p->images[i];

                document_done(&image->top);
                document_done(&image->manifest);
                free(image->config);
                strv_free(image->names);
                free(image->ref);
        }
        free(p->blobs);
        free(p->images);
        free(p);
}

static err *new_blob(struct parcel *p, const struct digest *digest, struct parcel_blob **ret)
{
        *ret = NULL;
        for (size_t i = 0; i < p->n_blobs; i++)
                if (digest_equal(&p->blobs[i].what.digest, digest))
                        return NULL;
        if (mem_grow(&p->blobs, p->n_blobs, sizeof(*p->blobs)) < 0)
                return err_nomem();
        *ret = &p->blobs[p->n_blobs++];
        **ret = (struct parcel_blob){.what.digest = *digest, .what.media_type = ""};
        return NULL;
}

static err *add_document(struct parcel *p, const struct document *d)
{
        struct parcel_blob *b;

        TRY(new_blob(p, &d->digest, &b));
        if (!b)
                return NULL;
        b->what.size = d->size;
        return document_copy(d, &b->document);
}

static err *add_blobs(struct parcel *p, struct source *s, const json *manifest)
{
        _cleanup_free_ struct descriptor *list = NULL;
        size_t n;

        TRY(manifest_blobs(manifest, &list, &n));
        for (size_t i = 0; i < n; i++) {
                struct parcel_blob *b;

                TRY(new_blob(p, &list[i].digest, &b));
                if (!b)
                        continue;
                b->what.size = list[i].size;
                b->source = s;
        }
        return NULL;
}

static bool has_document(const struct parcel *p, const struct digest *digest)
{
        for (size_t i = 0; i < p->n_blobs; i++)
                if (p->blobs[i].document.data && digest_equal(&p->blobs[i].what.digest, digest))
                        return true;
        return false;
}

/* A document with everything that it names; what is there already is there with all of that. */
static err *add_tree(struct parcel *p, struct source *s, const struct document *d, int depth)
{
        _cleanup_free_ struct descriptor *members = NULL;
        _cleanup_json_ json *doc = NULL;
        bool index;
        size_t n;

        TRY(json_parse(d->data, d->size, &doc));
        TRY(manifest_is_index(doc, d->media_type, &index));
        TRY(add_document(p, d));
        if (!index)
                return add_blobs(p, s, doc);
        if (depth == NESTING)
                return err_new(ERR_LIMIT, "indexes within indexes, deeper than %d", NESTING);
        TRY(manifest_members(doc, &members, &n));
        for (size_t i = 0; i < n; i++) {
                _cleanup_doc_ struct document member = {0};

                if (has_document(p, &members[i].digest))
                        continue;
                TRY(source_manifest(s, &members[i], &member));
                TRY(add_tree(p, s, &member, depth + 1));
        }
        return NULL;
}

static err *docker_layer_type(const char *type, const char **ret)
{
        if (strcmp(type, OCI_MEDIA_LAYER) == 0 || strcmp(type, DOCKER_MEDIA_LAYER) == 0)
                *ret = DOCKER_MEDIA_LAYER;
        else if (strcmp(type, OCI_MEDIA_LAYER_GZIP) == 0 || strcmp(type, DOCKER_MEDIA_LAYER_GZIP) == 0)
                *ret = DOCKER_MEDIA_LAYER_GZIP;
        else
                return err_new(ERR_UNSUPPORTED, "docker's image format cannot hold a layer of the type %.100s", type);
        return NULL;
}

err *parcel_docker_types(struct document *d)
{
        _cleanup_json_ json *doc = NULL;
        json *layers;
        char *text;

        if (strcmp(d->media_type, DOCKER_MEDIA_MANIFEST) == 0)
                return NULL;
        TRY(json_parse(d->data, d->size, &doc));
        layers = json_get(doc, "layers");
        json_set_str(doc, "mediaType", DOCKER_MEDIA_MANIFEST);
        json_set_str(json_get(doc, "config"), "mediaType", DOCKER_MEDIA_CONFIG);
        for (size_t i = 0; i < json_len(layers); i++) {
                const char *type;

                TRY(docker_layer_type(json_get_str_or(json_at(layers, i), "mediaType", ""), &type));
                json_set_str(json_at(layers, i), "mediaType", type);
                json_del(json_at(layers, i), "annotations");
        }
        json_del(doc, "annotations");
        json_del(doc, "subject");
        json_del(doc, "artifactType");
        TRY(json_print(doc, JSON_COMPACT, &text));
        document_done(d);
        return document_make(text, strlen(text), DOCKER_MEDIA_MANIFEST, d);
}

/* manifest.json tells of one image by its config. */
static err *read_config(struct parcel_image *image, struct source *s)
{
        _cleanup_json_ json *doc = NULL;
        struct descriptor config;

        TRY(json_parse(image->manifest.data, image->manifest.size, &doc));
        TRY(manifest_descriptor(json_get(doc, "config"), "the manifest's config", &config));
        image->config_digest = config.digest;
        return source_read(s, &config, 2 * MANIFEST_MAX, &image->config, &image->config_size);
}

static err *fill_image(struct parcel *p, struct parcel_image *image, struct source *s, const struct parcel_options *o)
{
        _cleanup_doc_ struct document index = {0};

        if (!o->all || p->form == PARCEL_DOCKER)
                TRY(source_choose(s, o->platform, &image->manifest, &index));
        if (o->docker_types && image->manifest.data)
                TRY(parcel_docker_types(&image->manifest));
        TRY(document_copy(o->all ? &s->top : &image->manifest, &image->top));
        TRY(add_tree(p, s, &image->top, 0));
        if (p->form == PARCEL_DOCKER)
                TRY(read_config(image, s));
        if (o->names)
                TRY(strv_copy(o->names, &image->names));
        image->ref = str_dup(o->ref);
        return o->ref && !image->ref ? err_nomem() : NULL;
}

err *parcel_add(struct parcel *p, struct source *s, const struct parcel_options *o)
{
        struct parcel_image *image;

        if (mem_grow(&p->images, p->n_images, sizeof(*p->images)) < 0)
                return err_nomem();
        image = &p->images[p->n_images++];
        *image = (struct parcel_image){0};
        return fill_image(p, image, s, o);
}

const struct digest *parcel_digest(const struct parcel *p)
{
        return &p->images[0].top.digest;
}
