/* client_pull.c - see client.h: what is read from a repository. */
#include <stdio.h>

#include "registry/client_private.h"
#include "registry/failure.h"

static char accept_types[] =
        "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
        "application/vnd.docker.distribution.manifest.list.v2+json, "
        "application/vnd.docker.distribution.manifest.v2+json, "
        "application/vnd.docker.distribution.manifest.v1+prettyjws";
static char *const accept_manifest[] = {accept_types, NULL};

/* What comes from a server ends in an address: only what the grammar of tags and digests allows. */
err *client_check_reference(const char *reference, bool *ret_digest)
{
        bool is_digest = strchr(reference, ':') != NULL;
        struct digest d;

        if (ret_digest)
                *ret_digest = is_digest;
        if (is_digest)
                return digest_parse(reference, &d);
        if (!*reference || strlen(reference) > 128 || strchr(".-", *reference) ||
            reference[strspn(reference, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")])
                return err_new(ERR_INVALID, "'%s' is not a tag", reference);
        return NULL;
}

struct manifest_wanted {
        const char *reference;
        bool by_digest;
        struct registry_document document;
        struct digest digest;
};

static err *compare(const struct manifest_wanted *w, const struct registry_document *d, const char *said)
{
        struct digest want;

        if (w->by_digest) {
                TRY(digest_parse(w->reference, &want));
                if (!digest_equal(&want, &d->digest))
                        return err_new(ERR_DIGEST, "manifest verification failed for digest %s: the registry sent %s",
                                       want.text, d->digest.text);
                return NULL;
        }
        if (!said)
                return NULL;
        TRY_WRAP(digest_parse(said, &want), "Docker-Content-Digest");
        if (!digest_equal(&want, &d->digest))
                return err_new(ERR_DIGEST, "the registry says that the manifest is %s, but it is %s", want.text,
                               d->digest.text);
        return NULL;
}

static err *get_manifest(struct registry *r, struct server *s, void *arg)
{
        struct manifest_wanted *w = arg;
        _cleanup_(registry_document_done) struct registry_document d = {0};
        _cleanup_answer_ struct http_answer a = {0};
        char suffix[200];
        const char *type;

        (void)snprintf(suffix, sizeof(suffix), "manifests/%s", w->reference);
        TRY(client_send(r, s,
                        &(struct client_request){.method = "GET",
                                                 .suffix = suffix,
                                                 .headers = accept_manifest,
                                                 .max_answer = CLIENT_MANIFEST_MAX},
                        &a, NULL));
        if (a.status != 200)
                return failure_of(&a, "manifest");
        type = http_answer_header(&a, "content-type");
        d.media_type = strndup(type ? type : "", strcspn(type ? type : "", "; \t"));
        if (!d.media_type)
                return err_nomem();
        digest_of(a.data, a.size, &d.digest);
        TRY(compare(w, &d, http_answer_header(&a, "docker-content-digest")));
        d.size = a.size;
        d.data = TAKE_PTR(a.data);
        w->document = d;
        d = (struct registry_document){0};
        return NULL;
}

err *registry_manifest_get(struct registry *r, const char *reference, struct registry_document *ret)
{
        struct manifest_wanted w = {.reference = reference};

        TRY(client_check_reference(reference, &w.by_digest));
        TRY(client_each(r, w.by_digest, get_manifest, &w));
        *ret = w.document;
        return NULL;
}

static err *head_manifest(struct registry *r, struct server *s, void *arg)
{
        struct manifest_wanted *w = arg;
        _cleanup_answer_ struct http_answer a = {0};
        const char *said;
        char suffix[200];

        (void)snprintf(suffix, sizeof(suffix), "manifests/%s", w->reference);
        TRY(client_send(r, s, &(struct client_request){.method = "HEAD", .suffix = suffix, .headers = accept_manifest},
                        &a, NULL));
        said = http_answer_header(&a, "docker-content-digest");
        if (a.status != 200 || !said) {
                /* The body says why; and some registries know no HEAD, or send no digest. */
                TRY(get_manifest(r, s, w));
                w->digest = w->document.digest;
                registry_document_done(&w->document);
                return NULL;
        }
        TRY_WRAP(digest_parse(said, &w->digest), "Docker-Content-Digest");
        return NULL;
}

err *registry_manifest_head(struct registry *r, const char *reference, struct digest *ret)
{
        struct manifest_wanted w = {.reference = reference};

        TRY(client_check_reference(reference, &w.by_digest));
        TRY(client_each(r, w.by_digest, head_manifest, &w));
        *ret = w.digest;
        return NULL;
}

/* ---- blobs ---- */

struct blob_wanted {
        const struct digest *digest;
        uint64_t max, offset;
        char *data;
        size_t size;
        struct stream *stream;
        bool exists;
};

static err *get_blob(struct registry *r, struct server *s, void *arg)
{
        struct blob_wanted *w = arg;
        _cleanup_answer_ struct http_answer a = {0};
        struct digest got;
        char suffix[100];

        (void)snprintf(suffix, sizeof(suffix), "blobs/%s", w->digest->text);
        TRY(client_send(r, s, &(struct client_request){.method = "GET", .suffix = suffix, .max_answer = w->max}, &a,
                        NULL));
        if (a.status != 200)
                return failure_of(&a, "blob");
        digest_of(a.data, a.size, &got);
        if (!digest_equal(&got, w->digest))
                return err_new(ERR_DIGEST, "the registry sent %s for the blob %s", got.text, w->digest->text);
        w->size = a.size;
        w->data = TAKE_PTR(a.data);
        return NULL;
}

err *registry_blob_get(struct registry *r, const struct digest *digest, uint64_t max, char **ret, size_t *ret_size)
{
        struct blob_wanted w = {.digest = digest, .max = max};

        TRY(client_each(r, true, get_blob, &w));
        *ret = w.data;
        *ret_size = w.size;
        return NULL;
}

/* "bytes 100-199/200": does it begin where we asked? */
static bool begins_at(const char *range, uint64_t offset)
{
        const char *p = range ? str_after(range, "bytes ") : NULL;
        _cleanup_free_ char *digits = p ? strndup(p, strcspn(p, "-")) : NULL;
        uint64_t n;

        return digits && parse_u64(digits, &n) && n == offset;
}

static err *open_blob(struct registry *r, struct server *s, void *arg)
{
        struct blob_wanted *w = arg;
        char range[64], suffix[100];
        char *headers[] = {range, NULL};
        _cleanup_answer_ struct http_answer a = {0};

        (void)snprintf(suffix, sizeof(suffix), "blobs/%s", w->digest->text);
        (void)snprintf(range, sizeof(range), "Range: bytes=%llu-", (unsigned long long)w->offset);
        TRY(client_send(
                r, s,
                &(struct client_request){.method = "GET", .suffix = suffix, .headers = w->offset ? headers : NULL}, &a,
                &w->stream));
        if (a.status == 416 && w->offset) { /* what we have is more than there is */
                http_answer_done(&a);
                w->offset = 0;
                TRY(client_send(r, s, &(struct client_request){.method = "GET", .suffix = suffix}, &a, &w->stream));
        }
        if (!w->stream)
                return failure_of(&a, "blob");
        if (a.status != 200 && !(a.status == 206 && w->offset)) {
                stream_free(TAKE_PTR(w->stream));
                return err_new(ERR_CORRUPT, "blob %s: the server answered %ld", w->digest->text, a.status);
        }
        if (a.status == 206 && !begins_at(http_answer_header(&a, "content-range"), w->offset)) {
                stream_free(TAKE_PTR(w->stream));
                return err_new(ERR_CORRUPT, "blob %s: the server sent another part than we asked for", w->digest->text);
        }
        if (a.status == 200)
                w->offset = 0;
        return NULL;
}

err *registry_blob_open(struct registry *r, const struct digest *digest, uint64_t *offset, struct stream **ret)
{
        struct blob_wanted w = {.digest = digest, .offset = *offset};

        TRY(client_each(r, true, open_blob, &w));
        *offset = w.offset;
        *ret = w.stream;
        return NULL;
}

static err *head_blob(struct registry *r, struct server *s, void *arg)
{
        struct blob_wanted *w = arg;
        _cleanup_answer_ struct http_answer a = {0};
        char suffix[100];

        (void)snprintf(suffix, sizeof(suffix), "blobs/%s", w->digest->text);
        TRY(client_send(r, s, &(struct client_request){.method = "HEAD", .suffix = suffix}, &a, NULL));
        if (a.status != 200 && a.status != 404)
                return failure_of(&a, "blob");
        w->exists = a.status == 200;
        return NULL;
}

err *registry_blob_exists(struct registry *r, const struct digest *digest, bool *ret)
{
        struct blob_wanted w = {.digest = digest};

        TRY(head_blob(r, client_main(r), &w));
        *ret = w.exists;
        return NULL;
}
