/* client_push.c - see client.h: what is written to a repository.
 *
 * A blob goes in one PUT. When the connection breaks, the registry is asked how much it has, and the rest follows by
 * PATCH; a registry that finds a body too large gets pieces. */
#include <stdio.h>

#include "base/log.h"
#include "base/parse.h"
#include "registry/client_private.h"
#include "registry/failure.h"
#include "registry/url.h"

#define PIECE (16u << 20)
#define RESUMES 4

/* ---- manifests ---- */

struct document {
        const char *data;
        size_t size;
};

static err *open_document(void *arg, struct stream **ret)
{
        const struct document *d = arg;

        return stream_open_memory(d->data, d->size, ret);
}

static err *check_put(const struct http_answer *a, const char *data, size_t size)
{
        const char *said = http_answer_header(a, "docker-content-digest");
        struct digest have, want;

        if (a->status != 201 && a->status != 200 && a->status != 202)
                return failure_of(a, "manifest");
        if (!said)
                return NULL;
        digest_of(data, size, &have);
        TRY_WRAP(digest_parse(said, &want), "Docker-Content-Digest");
        if (!digest_equal(&have, &want))
                return err_new(ERR_DIGEST, "the registry stored the manifest as %s, but it is %s", want.text,
                               have.text);
        return NULL;
}

err *registry_manifest_put(struct registry *r, const char *reference, const char *media_type, const char *data,
                           size_t size)
{
        _cleanup_free_ char *type = str_format("Content-Type: %s", media_type), *suffix = NULL;
        _cleanup_answer_ struct http_answer a = {0};
        struct document d = {data, size};
        char *headers[] = {type, NULL};

        suffix = str_format("manifests/%s", reference);
        if (!type || !suffix)
                return err_nomem();
        TRY(client_check_reference(reference, NULL));
        TRY(client_send(r, client_main(r),
                        &(struct client_request){.method = "PUT",
                                                 .suffix = suffix,
                                                 .headers = headers,
                                                 .open = open_document,
                                                 .arg = &d,
                                                 .body_size = size},
                        &a, NULL));
        return check_put(&a, data, size);
}

/* ---- blobs ---- */

struct upload {
        struct registry *r;
        struct server *s;
        const struct registry_upload *u;
        struct stream *source;        /* the caller's bytes, hashed on their way; open from one piece to the next */
        struct digest_hasher *hasher; /* of all that came out of it, from the first byte */
        uint64_t at;                  /* how many bytes that were */
        struct digest digest;
        char *location;     /* absolute */
        uint64_t from;      /* bytes that the registry has */
        uint64_t piece;     /* bytes at once, 0 = all */
        uint64_t chunk_min; /* the registry's wish */
        bool resumed;
};

static err *keep_location(struct upload *up, const struct http_answer *a)
{
        const char *location = http_answer_header(a, "location"),
                   *least = http_answer_header(a, "oci-chunk-min-length");
        _cleanup_free_ char *url = NULL;

        if (least && parse_u64(least, &up->chunk_min) && up->chunk_min > (1u << 30))
                up->chunk_min = 1u << 30;
        if (!location)
                return err_new(ERR_CORRUPT, "the registry did not say where to upload to");
        TRY_WRAP(url_join(a->url, location, &url), "where to upload to");
        free(up->location);
        up->location = TAKE_PTR(url);
        return NULL;
}

static err *begin(struct upload *up)
{
        _cleanup_answer_ struct http_answer a = {0};

        TRY(client_send(up->r, up->s, &(struct client_request){.method = "POST", .suffix = "blobs/uploads/"}, &a,
                        NULL));
        if (a.status != 202)
                return failure_of(&a, "upload");
        up->from = 0;
        return keep_location(up, &a);
}

/* At most @left bytes of the upload's source, which stays the upload's. */
struct part {
        struct stream stream; /* first */
        struct upload *upload;
        uint64_t left;
};

static err *part_read(struct stream *s, void *data, size_t size, size_t *ret)
{
        struct part *p = (struct part *)s;

        if (size > p->left)
                size = (size_t)p->left;
        *ret = 0;
        if (!size)
                return NULL;
        TRY(stream_read(p->upload->source, data, size, ret));
        p->left -= *ret;
        p->upload->at += *ret;
        return NULL;
}

static void part_free(struct stream *s)
{
        free(s);
}

static void close_source(struct upload *up)
{
        stream_free(TAKE_PTR(up->source));
        digest_hasher_free(TAKE_PTR(up->hasher));
        up->at = 0;
}

static err *open_source(struct upload *up)
{
        struct stream *hashing;

        close_source(up);
        TRY(digest_hasher_new(&up->hasher));
        TRY(up->u->open(up->u->arg, &up->source));
        TRY(stream_open_hash(up->source, up->hasher, &hashing));
        up->source = hashing;
        return NULL;
}

static uint64_t rest_of(const struct upload *up)
{
        uint64_t rest = up->u->size - up->from;

        return up->piece && rest > up->piece ? up->piece : rest;
}

/* The caller's bytes from up->from on. After a piece the source stands there; else it begins anew, and what is passed
 * over has to be hashed all the same. */
static err *open_rest(void *arg, struct stream **ret)
{
        struct upload *up = arg;
        struct part *p;
        char buf[16384];

        if (!up->source || up->at != up->from)
                TRY(open_source(up));
        while (up->at < up->from) {
                uint64_t skip = up->from - up->at;
                size_t n;

                TRY(stream_read(up->source, buf, skip < sizeof(buf) ? (size_t)skip : sizeof(buf), &n));
                if (!n)
                        return err_new(ERR_CORRUPT, "the registry claims to have more than there is");
                up->at += n;
        }
        p = MEM_NEW0(struct part, 1);
        if (!p)
                return err_nomem();
        *p = (struct part){{part_read, part_free}, up, up->u->size ? rest_of(up) : UINT64_MAX};
        *ret = &p->stream;
        return NULL;
}

static void report(void *arg, uint64_t sent)
{
        struct upload *up = arg;

        if (up->u->progress)
                up->u->progress(up->u->arg, up->from + sent);
}

/* PUT of everything, or of nothing more, under its digest: the end. */
static err *put(struct upload *up, const char *digest, bool with_body, struct http_answer *ret)
{
        static char type[] = "Content-Type: application/octet-stream";
        char *headers[] = {type, NULL};
        _cleanup_free_ char *url =
                str_format("%s%sdigest=%s", up->location, strchr(up->location, '?') ? "&" : "?", digest);

        if (!url)
                return err_nomem();
        return client_send(up->r, up->s,
                           &(struct client_request){.method = "PUT",
                                                    .url = url,
                                                    .headers = headers,
                                                    .open = with_body ? open_rest : NULL,
                                                    .progress = report,
                                                    .arg = up,
                                                    .body_size = with_body ? up->u->size : 0,
                                                    .once = with_body},
                           ret, NULL);
}

/* PATCH of the next piece (or of the whole, when the size is not known). */
static err *patch(struct upload *up, struct http_answer *ret)
{
        static char type[] = "Content-Type: application/octet-stream";
        char range[80];
        char *headers[] = {type, range, NULL};
        uint64_t n = up->u->size ? rest_of(up) : 0;

        (void)snprintf(range, sizeof(range), "Content-Range: %llu-%llu", (unsigned long long)up->from,
                       (unsigned long long)(up->from + n - 1));
        if (!n)
                headers[1] = NULL;
        return client_send(up->r, up->s,
                           &(struct client_request){.method = "PATCH",
                                                    .url = up->location,
                                                    .headers = headers,
                                                    .open = open_rest,
                                                    .progress = report,
                                                    .arg = up,
                                                    .body_size = n,
                                                    .once = true},
                           ret, NULL);
}

/* "0-99" → 100 */
static bool range_end(const char *range, uint64_t *ret)
{
        const char *dash = range ? strchr(range, '-') : NULL;
        uint64_t n;

        if (!dash || !parse_u64(dash + 1, &n))
                return false;
        *ret = n == 0 ? 0 : n + 1;
        return true;
}

/* After a broken connection: how much has arrived? A registry that does not know begins again. */
static err *ask(struct upload *up)
{
        _cleanup_answer_ struct http_answer a = {0};
        uint64_t have = 0;
        err *e;

        e = client_send(up->r, up->s, &(struct client_request){.method = "GET", .url = up->location}, &a, NULL);
        if (e || a.status != 204 || !range_end(http_answer_header(&a, "range"), &have) || !up->u->size ||
            have >= up->u->size || have == 0) {
                err_free(e);
                return begin(up);
        }
        log_debug("%s: %llu bytes have arrived, going on from there", up->s->origin, (unsigned long long)have);
        up->from = have;
        up->resumed = true;
        return http_answer_header(&a, "location") ? keep_location(up, &a) : NULL;
}

static err *finish_put(struct upload *up, const struct http_answer *a)
{
        const char *said = http_answer_header(a, "docker-content-digest");
        struct digest have;

        if (a->status != 201 && a->status != 204 && a->status != 200)
                return failure_of(a, "blob");
        if (!said)
                return NULL;
        TRY_WRAP(digest_parse(said, &have), "Docker-Content-Digest");
        if (!digest_equal(&have, &up->digest))
                return err_new(ERR_DIGEST, "the registry stored the blob as %s, but it is %s", have.text,
                               up->digest.text);
        return NULL;
}

/* The hash of what the last open_rest() has let pass, which must have been everything. */
static err *settle_digest(struct upload *up)
{
        struct digest got;

        TRY(digest_hasher_final(up->hasher, &got));
        if (up->u->digest && !digest_equal(up->u->digest, &got))
                return err_new(ERR_DIGEST, "blob %s is damaged here: its content is %s", up->u->digest->text, got.text);
        up->digest = got;
        return NULL;
}

/* By PATCH, in one or several pieces, then an empty PUT. */
static err *send_patches(struct upload *up)
{
        _cleanup_answer_ struct http_answer a = {0};

        do {
                uint64_t n = up->u->size ? rest_of(up) : 0;

                http_answer_done(&a);
                TRY(patch(up, &a));
                if (a.status == 413 && !up->piece && up->u->size) {
                        up->piece = up->chunk_min > PIECE ? up->chunk_min : PIECE;
                        TRY(begin(up));
                        continue;
                }
                if (a.status != 202 && a.status != 201 && a.status != 204)
                        return failure_of(&a, "blob");
                TRY(keep_location(up, &a));
                up->from += n;
        } while (up->u->size && up->from < up->u->size);
        TRY(settle_digest(up));
        http_answer_done(&a);
        TRY(put(up, up->digest.text, false, &a));
        return finish_put(up, &a);
}

/* A registry that refuses what it got may be right: does what was sent have the digest? */
static err *explain(struct upload *up, err *refusal)
{
        err *e;

        if (!refusal || err_code(refusal) == ERR_NETWORK || !up->source || up->at != up->u->size)
                return refusal;
        e = settle_digest(up);
        err_free(e ? refusal : NULL);
        return e ? e : refusal;
}

static err *send_whole(struct upload *up)
{
        _cleanup_answer_ struct http_answer a = {0};

        TRY(put(up, up->u->digest->text, true, &a));
        if (a.status == 413) {
                up->piece = up->chunk_min > PIECE ? up->chunk_min : PIECE;
                TRY(begin(up));
                return send_patches(up);
        }
        up->digest = *up->u->digest;
        TRY(explain(up, finish_put(up, &a)));
        return settle_digest(up);
}

err *registry_blob_put(struct registry *r, const struct registry_upload *u, struct digest *ret_digest)
{
        struct upload up = {.r = r, .s = client_main(r), .u = u};
        err *e = begin(&up);

        for (int i = 0; !e; i++) {
                e = u->size && u->digest && up.from == 0 && !up.piece ? send_whole(&up) : send_patches(&up);
                if (!e || err_code(e) != ERR_NETWORK || !up.s->http || !http_may_retry(up.s->http) || i >= RESUMES)
                        break;
                log_debug("%s: the upload broke off", up.s->origin);
                err_free(e);
                client_pause((unsigned)i);
                e = ask(&up);
        }
        if (!e)
                *ret_digest = up.digest;
        close_source(&up);
        free(up.location);
        return e;
}

err *registry_blob_mount(struct registry *r, const struct digest *digest, const char *from, bool *ret)
{
        struct server *s = client_main(r);
        _cleanup_free_ char *suffix = NULL, *scope = NULL;
        _cleanup_answer_ struct http_answer a = {0};
        _cleanup_str_ struct str name = {0};

        url_encode(&name, from);
        TRY(str_done(&name));
        suffix = str_format("blobs/uploads/?mount=%s&from=%s", digest->text, str_text(&name));
        scope = str_format("repository:%s:pull,push repository:%s:pull", s->endpoint->path, from);
        if (!suffix || !scope)
                return err_nomem();
        TRY(client_send(r, s, &(struct client_request){.method = "POST", .suffix = suffix, .scope = scope}, &a, NULL));
        /* 202: an upload was begun in its place, which nobody goes on with. */
        *ret = a.status == 201;
        return a.status == 201 || a.status == 202 ? NULL : failure_of(&a, "mount");
}
