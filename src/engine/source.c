/* source.c - see source.h. */
#include "engine/source.h"

#include <string.h>

#include "base/str.h"

#define NESTING 4

void document_done(struct document *d)
{
        free(d->data);
        free(d->media_type);
        *d = (struct document){0};
}

err *document_make(char *data, size_t size, const char *media_type, struct document *ret)
{
        _cleanup_doc_ struct document d = {.data = data, .size = size};

        if (media_type) {
                d.media_type = str_dup(media_type);
        } else {
                _cleanup_json_ json *doc = NULL;
                bool index;

                TRY(json_parse(data, size, &doc));
                TRY(manifest_is_index(doc, NULL, &index));
                d.media_type = str_dup(manifest_media_type(doc, index));
        }
        if (!d.media_type)
                return err_nomem();
        digest_of(data, size, &d.digest);
        *ret = d;
        d = (struct document){0};
        return NULL;
}

err *document_copy(const struct document *from, struct document *ret)
{
        char *data = malloc(from->size + 1);

        if (!data)
                return err_nomem();
        memcpy(data, from->data, from->size + 1);
        return document_make(data, from->size, from->media_type, ret);
}

void source_free(struct source *s)
{
        if (!s)
                return;
        document_done(&s->top);
        strv_free(s->names);
        s->ops->free(s);
}

static err *check_digest(const struct descriptor *d, const void *data, size_t size)
{
        struct digest got;

        if (size != d->size)
                return err_new(ERR_CORRUPT, "%s has %zu bytes instead of %llu", d->digest.text, size,
                               (unsigned long long)d->size);
        digest_of(data, size, &got);
        if (!digest_equal(&got, &d->digest))
                return err_new(ERR_DIGEST, "%s is not what it should be: its digest is %s", d->digest.text, got.text);
        return NULL;
}

err *source_manifest(struct source *s, const struct descriptor *d, struct document *ret)
{
        _cleanup_doc_ struct document doc = {0};

        if (d->size > MANIFEST_MAX)
                return err_new(ERR_LIMIT, "the manifest %s has %llu bytes, more than the %u that are read",
                               d->digest.text, (unsigned long long)d->size, MANIFEST_MAX);
        TRY(s->ops->manifest(s, d, &doc));
        TRY(check_digest(d, doc.data, doc.size));
        *ret = doc;
        doc = (struct document){0};
        return NULL;
}

err *source_read(struct source *s, const struct descriptor *d, size_t max, char **ret, size_t *ret_size)
{
        _cleanup_(stream_freep) struct stream *stream = NULL;
        _cleanup_free_ char *data = NULL;
        uint64_t offset = 0;
        size_t size;

        if (d->size > max)
                return err_new(ERR_LIMIT, "the blob %s has %llu bytes, more than the %zu that are read", d->digest.text,
                               (unsigned long long)d->size, max);
        TRY(s->ops->open(s, d, &offset, &stream));
        data = malloc((size_t)d->size + 2);
        if (!data)
                return err_nomem();
        TRY(stream_read_full(stream, data, (size_t)d->size + 1, &size));
        TRY(check_digest(d, data, size));
        data[size] = '\0';
        *ret = TAKE_PTR(data);
        *ret_size = size;
        return NULL;
}

/* ---- choosing from indexes ---- */

static bool is_image(const struct descriptor *d)
{
        struct platform p;

        if (strcmp(d->media_type, OCI_MEDIA_MANIFEST) != 0 && strcmp(d->media_type, DOCKER_MEDIA_MANIFEST) != 0)
                return false;
        /* Attestations stand there as images for unknown/unknown. */
        return !platform_read(json_get(d->json, "platform"), &p) || strcmp(p.os, "unknown") != 0;
}

static err *none_matches(const char *wanted)
{
        struct platform p;
        char text[PLATFORM_TEXT];

        TRY(platform_parse(wanted, &p));
        return err_new(ERR_NOT_FOUND, "no matching manifest for %s in the manifest list entries",
                       platform_text(&p, text));
}

static err *choose_member(const json *index, const char *wanted, struct descriptor *ret)
{
        _cleanup_free_ struct descriptor *members = NULL;
        const struct descriptor *only = NULL;
        size_t n, images = 0;
        struct platform p;
        const json *best;

        TRY(platform_parse(wanted, &p));
        TRY(manifest_members(index, &members, &n));
        best = platform_choose(index, &p);
        if (best)
                return manifest_descriptor(best, "a member of the index", ret);
        for (size_t i = 0; i < n; i++)
                if (is_image(&members[i])) {
                        only = &members[i];
                        images++;
                }
        if (wanted || images != 1)
                return none_matches(wanted);
        *ret = *only;
        return NULL;
}

/* An image that stands alone says in its config what it is for. */
static err *check_platform(struct source *s, const json *manifest, const char *wanted)
{
        _cleanup_json_ json *config = NULL;
        _cleanup_free_ char *text = NULL;
        struct platform want, have;
        struct descriptor d;
        size_t size;

        TRY(platform_parse(wanted, &want));
        TRY(manifest_descriptor(json_get(manifest, "config"), "the manifest's config", &d));
        TRY(source_read(s, &d, MANIFEST_MAX, &text, &size));
        TRY(json_parse(text, size, &config));
        if (platform_read(config, &have) && platform_rank(&want, &have) < 0) {
                char a[PLATFORM_TEXT], b[PLATFORM_TEXT];

                return err_new(ERR_NOT_FOUND, "the image's platform (%s) does not match the specified platform (%s)",
                               platform_text(&have, a), platform_text(&want, b));
        }
        return NULL;
}

static err *parse(const struct document *d, json **ret, bool *ret_index)
{
        _cleanup_json_ json *doc = NULL;

        TRY_WRAP(json_parse(d->data, d->size, &doc), "manifest %s", d->digest.text);
        TRY(manifest_is_index(doc, d->media_type, ret_index));
        *ret = TAKE_PTR(doc);
        return NULL;
}

err *source_choose(struct source *s, const char *platform, struct document *ret, struct document *ret_index)
{
        _cleanup_doc_ struct document doc = {0}, index = {0};

        TRY(document_copy(&s->top, &doc));
        for (int depth = 0;; depth++) {
                _cleanup_json_ json *parsed = NULL;
                struct descriptor d;
                bool is_index;

                TRY(parse(&doc, &parsed, &is_index));
                if (!is_index) {
                        if (platform && !index.data)
                                TRY(check_platform(s, parsed, platform));
                        break;
                }
                if (depth == NESTING)
                        return err_new(ERR_LIMIT, "indexes within indexes, deeper than %d", NESTING);
                TRY(choose_member(parsed, platform, &d));
                document_done(&index);
                index = doc;
                doc = (struct document){0};
                TRY(source_manifest(s, &d, &doc));
        }
        *ret = doc;
        *ret_index = index;
        doc = index = (struct document){0};
        return NULL;
}
