/* bundle.c - see bundle.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "engine/bundle_private.h"
#include "oci/reference.h"

#define IMAGES_MAX 10000u
#define NAMES_MAX 10000u /* of all images */

void bundle_free(struct bundle *b)
{
        if (!b)
                return;
        for (size_t i = 0; i < b->n; i++) {
                strv_free(b->images[i].names);
                strv_free(b->images[i].refs);
        }
        free(b->images);
        docker_images_free(b->docker, b->n_docker);
        json_free(b->index);
        json_free(b->archive);
        fileset_free(b->files);
        free(b);
}

size_t bundle_n(const struct bundle *b)
{
        return b->n;
}

/* ---- names ---- */

/* A name that an image is to get: a tag of a repository, nothing else. */
static err *add_name(struct bundle *b, struct bundle_image *i, const char *text)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *full = NULL;

        if (++b->n_names > NAMES_MAX)
                return err_new(ERR_LIMIT, "the archive gives its images more than %u names", NAMES_MAX);
        TRY_WRAP(reference_parse(text, true, &r), "the archive calls an image '%.200s'", text);
        if (r.digest) /* says nothing that the digest itself does not */
                return NULL;
        TRY(reference_full(&r, &full));
        return strv_contains(i->names, full) ? NULL : strv_add(&i->names, full);
}

/* Whole references stand there (podman), and plain tags (skopeo, umoci), which belong to no repository. */
static bool is_whole(const char *ref)
{
        _cleanup_reference_ struct reference r = {0};
        err *e = strpbrk(ref, "/:") ? reference_parse(ref, false, &r) : err_new(ERR_INVALID, "plain");
        bool whole = !e && r.tag;

        err_free(e);
        return whole;
}

static err *name_member(struct bundle *b, struct bundle_image *i, const struct descriptor *d)
{
        const json *annotations = json_get(d->json, "annotations");
        const char *name = json_get_str(annotations, MANIFEST_ANNOTATION_NAME);
        const char *ref = json_get_str(annotations, MANIFEST_ANNOTATION_REF);

        if (!str_empty(ref))
                TRY(strv_add(&i->refs, ref));
        if (!str_empty(name))
                return add_name(b, i, name);
        return !str_empty(ref) && is_whole(ref) ? add_name(b, i, ref) : NULL;
}

/* ---- the lists ---- */

static err *new_image(struct bundle *b, struct bundle_image **ret)
{
        if (b->n >= IMAGES_MAX)
                return err_new(ERR_LIMIT, "the archive lists more than %u images", IMAGES_MAX);
        if (mem_grow(&b->images, b->n, sizeof(*b->images)) < 0)
                return err_nomem();
        *ret = &b->images[b->n++];
        **ret = (struct bundle_image){0};
        return NULL;
}

static err *add_member(struct bundle *b, const struct descriptor *d)
{
        struct bundle_image *i = NULL;

        for (size_t n = 0; n < b->n && !i; n++)
                if (digest_equal(&b->images[n].top.digest, &d->digest))
                        i = &b->images[n];
        if (!i) {
                TRY(new_image(b, &i));
                i->top = *d;
        }
        return name_member(b, i, d);
}

static err *read_json(const struct bundle *b, const char *name, json **ret)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        err *e;

        TRY(fileset_read(b->files, name, MANIFEST_MAX, &text, &size));
        e = json_parse(text, size, ret);
        if (e && err_code(e) == ERR_INVALID) {
                char reason[512];
                err *mine = err_new(ERR_CORRUPT, "%s: %s", name, err_text(e, reason, sizeof(reason)));

                err_free(e);
                return mine;
        }
        return err_wrap(e, "%s", name);
}

static err *check_layout_version(const struct bundle *b)
{
        _cleanup_json_ json *doc = NULL;
        const char *version;

        if (!fileset_has(b->files, "oci-layout"))
                return NULL;
        TRY(read_json(b, "oci-layout", &doc));
        version = json_get_str_or(doc, "imageLayoutVersion", "");
        if (!str_starts(version, "1."))
                return err_new(ERR_UNSUPPORTED, "OCI layout version '%.50s' is not known", version);
        return NULL;
}

static err *open_layout(struct bundle *b)
{
        _cleanup_free_ struct descriptor *members = NULL;
        bool index;
        size_t n;

        b->kind = BUNDLE_LAYOUT;
        TRY(check_layout_version(b));
        TRY(read_json(b, "index.json", &b->index));
        TRY_WRAP(manifest_is_index(b->index, NULL, &index), "index.json");
        if (!index)
                return err_new(ERR_CORRUPT, "index.json is not an index");
        TRY_WRAP(manifest_members(b->index, &members, &n), "index.json");
        for (size_t i = 0; i < n; i++)
                TRY_WRAP(add_member(b, &members[i]), "index.json");
        return NULL;
}

static err *open_docker(struct bundle *b)
{
        b->kind = BUNDLE_DOCKER;
        TRY(manifest_docker_archive(b->archive, &b->docker, &b->n_docker));
        for (size_t n = 0; n < b->n_docker; n++) {
                struct bundle_image *i;

                TRY(new_image(b, &i));
                i->docker = n;
                for (size_t k = 0; k < json_len(b->docker[n].tags); k++)
                        TRY_WRAP(add_name(b, i, json_str(json_at(b->docker[n].tags, k))), "manifest.json");
        }
        return NULL;
}

static err *open_any(struct bundle *b, enum bundle_kind kind)
{
        struct bundle_image *i;

        if (fileset_has(b->files, "index.json") || fileset_has(b->files, "manifest.json"))
                TRY(fileset_check(b->files));
        if (kind != BUNDLE_DIR && (kind == BUNDLE_LAYOUT || fileset_has(b->files, "index.json")))
                return open_layout(b);
        if (!fileset_has(b->files, "manifest.json"))
                return err_new(ERR_NOT_FOUND,
                               "not an image archive: there is neither an index.json nor a manifest.json");
        TRY(read_json(b, "manifest.json", &b->archive));
        if (json_kind(b->archive) == JSON_ARRAY)
                return open_docker(b);
        b->kind = BUNDLE_DIR;
        return new_image(b, &i);
}

err *bundle_open(struct fileset *files, enum bundle_kind kind, struct bundle **ret)
{
        _cleanup_(bundle_freep) struct bundle *b = MEM_NEW0(struct bundle, 1);
        err *e;

        if (!b)
                return err_nomem();
        b->files = files;
        e = open_any(b, kind);
        if (e) {
                b->files = NULL;
                return e;
        }
        *ret = TAKE_PTR(b);
        return NULL;
}

static bool image_is(const struct bundle_image *i, const char *ref, const char *full)
{
        return strv_contains(i->refs, ref) || (full && strv_contains(i->names, full));
}

err *bundle_find(const struct bundle *b, const char *ref, size_t *ret)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *full = NULL;
        size_t n;

        if (!b->n)
                return err_new(ERR_NOT_FOUND, "there is no image in it");
        if (!ref && b->n > 1)
                return err_new(ERR_CONFLICT, "there are %zu images in it: say which one by its name, or by @number",
                               b->n);
        if (!ref) {
                *ret = 0;
                return NULL;
        }
        if (*ref == '@') {
                uint64_t at = 0;
                err *e = parse_uint(ref + 1, 0, b->n - 1, &at);

                if (e) {
                        err_free(e);
                        return err_new(ERR_NOT_FOUND, "there is no image %s in it, only %zu", ref, b->n);
                }
                *ret = (size_t)at;
                return NULL;
        }
        if (err_free(reference_parse(ref, true, &r)) == NULL && r.path)
                TRY(reference_full(&r, &full));
        for (n = 0; n < b->n && !image_is(&b->images[n], ref, full); n++)
                ;
        if (n == b->n)
                return err_new(ERR_NOT_FOUND, "there is no image '%s' in it", ref);
        *ret = n;
        return NULL;
}

/* ---- an image as a source ---- */

struct bundle_src {
        struct source source;
        const struct bundle *bundle;
        struct bundle_blob *blobs; /* of docker's archives */
        size_t n_blobs;
};

static err *docker_file(const struct bundle_src *s, const struct digest *d, struct fileset_file *ret)
{
        for (size_t i = 0; i < s->n_blobs; i++)
                if (digest_equal(&s->blobs[i].digest, d))
                        return fileset_open(s->bundle->files, s->blobs[i].file, ret);
        return err_new(ERR_NOT_FOUND, "there is no blob %s", d->text);
}

static err *src_file(struct source *source, const struct descriptor *d, struct fileset_file *ret)
{
        struct bundle_src *s = (struct bundle_src *)source;
        const struct bundle *b = s->bundle;
        _cleanup_file_ struct fileset_file file = {.fd = -1};
        char name[100];

        if (b->kind == BUNDLE_DOCKER) {
                TRY(docker_file(s, &d->digest, &file));
        } else {
                (void)snprintf(name, sizeof(name), "%s%s", b->kind == BUNDLE_DIR ? "" : "blobs/sha256/",
                               digest_hex(&d->digest));
                TRY(fileset_open(b->files, name, &file));
        }
        if (file.size != d->size)
                return err_new(ERR_CORRUPT, "%s has %llu bytes instead of %llu", d->digest.text,
                               (unsigned long long)file.size, (unsigned long long)d->size);
        *ret = file;
        file.owned = false;
        return NULL;
}

static err *src_open(struct source *source, const struct descriptor *d, uint64_t *offset, struct stream **ret)
{
        _cleanup_file_ struct fileset_file file = {.fd = -1};

        TRY(src_file(source, d, &file));
        return fileset_stream(&file, *offset, ret);
}

static err *src_manifest(struct source *source, const struct descriptor *d, struct document *ret)
{
        const struct bundle *b = ((struct bundle_src *)source)->bundle;
        char name[100], *text;
        size_t size;

        if (b->kind == BUNDLE_DIR)
                (void)snprintf(name, sizeof(name), "%s.manifest.json", digest_hex(&d->digest));
        else
                (void)snprintf(name, sizeof(name), "blobs/sha256/%s", digest_hex(&d->digest));
        TRY(fileset_read(b->files, name, MANIFEST_MAX, &text, &size));
        return document_make(text, size, *d->media_type ? d->media_type : NULL, ret);
}

static void src_free(struct source *source)
{
        free(((struct bundle_src *)source)->blobs);
        free(source);
}

static err *open_top(struct bundle_src *s, const struct bundle_image *i)
{
        const struct bundle *b = s->bundle;
        char *text;
        size_t size;

        switch (b->kind) {
        case BUNDLE_DOCKER:
                return bundle_docker_manifest(b, &b->docker[i->docker], &s->source.top, &s->blobs, &s->n_blobs);
        case BUNDLE_DIR:
                TRY(fileset_read(b->files, "manifest.json", MANIFEST_MAX, &text, &size));
                return document_make(text, size, NULL, &s->source.top);
        default:
                return source_manifest(&s->source, &i->top, &s->source.top);
        }
}

err *bundle_source(struct bundle *b, size_t n, struct source **ret)
{
        static const struct source_ops ops = {src_manifest, src_open, src_file, src_free};
        _cleanup_(source_freep) struct source *source = NULL;
        const struct bundle_image *i = &b->images[n];
        struct bundle_src *s = MEM_NEW0(struct bundle_src, 1);

        if (!s)
                return err_nomem();
        s->source.ops = &ops;
        s->bundle = b;
        source = &s->source;
        TRY(open_top(s, i));
        if (i->names)
                TRY(strv_copy(i->names, &source->names));
        *ret = TAKE_PTR(source);
        return NULL;
}
