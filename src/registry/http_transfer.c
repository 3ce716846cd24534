/* http_transfer.c - one exchange with a server: libcurl's callbacks turned into a stream that is pulled.
 *
 * libcurl pushes. When the reader has enough, the transfer is paused; at most one of libcurl's buffers is kept. */
#include <ctype.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "registry/http_private.h"

#define BUFFER (256L << 10)
#define SECOND 1000000000LL

const char *transfer_header(const struct transfer *t, const char *name)
{
        for (char **p = t->answer_headers; p && *p; p++) {
                const char *rest = str_after(*p, name);

                if (rest && str_starts(rest, ": "))
                        return rest + 2;
        }
        return NULL;
}

/* ---- callbacks ---- */

static size_t fail(struct transfer *t, err *e, size_t result)
{
        if (t->failure)
                err_free(e);
        else
                t->failure = e;
        return result;
}

/* "HTTP/1.1 200 OK": what came before (100-continue) is forgotten. */
static void status_line(struct transfer *t, const char *line, size_t n)
{
        const char *p = memchr(line, ' ', n);
        char digits[4] = "";
        uint64_t status = 0;

        strv_free(t->answer_headers);
        t->answer_headers = NULL;
        if (p && n - (size_t)(p - line) >= 4)
                memcpy(digits, p + 1, 3);
        t->status = parse_u64(digits, &status) ? (long)status : 0;
        t->waited_ns = 0; /* it has woken up */
        t->window_bytes = t->sent + t->received;
}

static err *keep_header(struct transfer *t, const char *line, size_t n)
{
        const char *colon = memchr(line, ':', n);
        _cleanup_str_ struct str text = {0};
        const char *value, *end = line + n;
        char *owned;

        if (!colon || colon == line)
                return NULL;
        for (value = colon + 1; value < end && (*value == ' ' || *value == '\t'); value++)
                ;
        while (end > value && isspace((unsigned char)end[-1]))
                end--;
        for (const char *p = line; p < colon; p++)
                str_add_char(&text, (char)tolower((unsigned char)*p));
        str_add(&text, ": ");
        for (const char *p = value; p < end; p++)
                str_add_char(&text, iscntrl((unsigned char)*p) ? '?' : *p);
        TRY(str_take(&text, &owned));
        return strv_push(&t->answer_headers, owned);
}

static size_t on_header(char *line, size_t one, size_t n, void *data)
{
        struct transfer *t = data;
        err *e;

        n *= one;
        t->received += n;
        t->header_bytes += n;
        if (t->header_bytes > HTTP_HEADERS_MAX || t->header_count++ > HTTP_HEADERS_COUNT)
                return fail(t, err_new(ERR_LIMIT, "the headers of the answer are too large"), 0);
        if (n >= 5 && memcmp(line, "HTTP/", 5) == 0 && memchr(line, ' ', n)) {
                status_line(t, line, n);
                return n;
        }
        if (n <= 2 && (*line == '\r' || *line == '\n')) {
                t->headers_done = t->status >= 200;
                return n;
        }
        e = keep_header(t, line, n);
        return e ? fail(t, e, 0) : n;
}

static size_t to_memory(struct transfer *t, const char *data, size_t n)
{
        if (t->memory.len + n > t->max)
                return fail(t,
                            err_new(ERR_LIMIT, "the answer is larger than the allowed %llu bytes",
                                    (unsigned long long)t->max),
                            0);
        str_add_n(&t->memory, data, n);
        return t->memory.failed ? fail(t, err_nomem(), 0) : n;
}

static size_t on_data(char *data, size_t one, size_t n, void *arg)
{
        struct transfer *t = arg;
        size_t direct;

        n *= one;
        if (t->in_memory) {
                t->received += n;
                return to_memory(t, data, n);
        }
        direct = t->want_size - t->want_got;
        if (!direct || t->spill_pos < t->spill_size) {
                t->paused = true;
                return CURL_WRITEFUNC_PAUSE;
        }
        if (direct > n)
                direct = n;
        if (n - direct > BUFFER)
                return fail(t, err_new(ERR_INTERNAL, "libcurl gave %zu bytes at once", n), 0);
        memcpy(t->want + t->want_got, data, direct);
        t->want_got += direct;
        memcpy(t->spill, data + direct, n - direct);
        t->spill_pos = 0;
        t->spill_size = n - direct;
        t->received += n;
        return n;
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
        struct transfer *t = arg;
        size_t got = 0;
        err *e;

        if (!t->body)
                return 0;
        e = stream_read(t->body, data, one * n, &got);
        if (e)
                return fail(t, err_wrap(e, "reading what is sent"), CURL_READFUNC_ABORT);
        t->sent += got;
        t->body_sent = got == 0 || (t->body_size && t->sent >= t->body_size); /* then it does not ask again */
        if (t->progress)
                t->progress(t->arg, t->sent);
        return got;
}

/* ---- setting up ---- */

static err *add_header(struct transfer *t, const char *text)
{
        struct curl_slist *list;

        for (const char *p = text; *p; p++)
                if (iscntrl((unsigned char)*p))
                        return err_new(ERR_INVALID, "a header of the request contains a control character");
        list = curl.slist_append(t->headers, text);
        if (!list)
                return err_nomem();
        t->headers = list;
        return NULL;
}

static err *add_headers(struct transfer *t, const struct http_request *r, bool own)
{
        _cleanup_free_ char *authorization = NULL;

        /* No pause for a "100 Continue" that few servers send. */
        TRY(add_header(t, "Expect:"));
        for (char *const *p = r->headers; p && *p; p++)
                TRY(add_header(t, *p));
        for (char *const *p = own ? r->own_headers : NULL; p && *p; p++)
                TRY(add_header(t, *p));
        if (!own || !r->authorization)
                return NULL;
        authorization = str_format("Authorization: %s", r->authorization);
        return authorization ? add_header(t, authorization) : err_nomem();
}

#define SET(option, value) (void)curl.easy_setopt(t->easy, (option), (value))

/* @own: it is a place that may see who we are. */
static void set_trust(struct transfer *t, bool own)
{
        const struct http *h = t->http;

        SET(CURLOPT_SSL_VERIFYPEER, h->insecure ? 0L : 1L);
        SET(CURLOPT_SSL_VERIFYHOST, h->insecure ? 0L : 2L);
        if (h->ca_file)
                SET(CURLOPT_CAINFO, h->ca_file);
        if (h->ca_dir)
                SET(CURLOPT_CAPATH, h->ca_dir);
        if (h->ca.len) {
                struct curl_blob blob = {h->ca.data, h->ca.len, CURL_BLOB_NOCOPY};

                SET(CURLOPT_CAINFO_BLOB, &blob);
        }
        if (own && h->client_cert)
                SET(CURLOPT_SSLCERT, h->client_cert);
        if (own && h->client_key)
                SET(CURLOPT_SSLKEY, h->client_key);
        SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static err *set_target(struct transfer *t)
{
        _cleanup_url_ struct url u = {0};
        const char *proxy;

        TRY(url_parse(t->url, &u));
        proxy = u.tls ? t->http->proxy_https : t->http->proxy_http;
        if (!proxy || url_is_loopback(u.host))
                proxy = "";
        SET(CURLOPT_URL, t->url);
        SET(CURLOPT_PROXY, proxy);
        SET(CURLOPT_NOPROXY, t->http->no_proxy ? t->http->no_proxy : "");
        SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        return NULL;
}

static void set_method(struct transfer *t, const struct http_request *r)
{
        bool sends = strcmp(r->method, "PUT") == 0 || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PATCH") == 0;

        if (strcmp(r->method, "HEAD") == 0) {
                SET(CURLOPT_NOBODY, 1L);
        } else if (sends) {
                SET(CURLOPT_UPLOAD, 1L);
                SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)(!r->body        ? 0
                                                           : !r->body_size ? -1
                                                                           : (curl_off_t)r->body_size));
        }
        SET(CURLOPT_CUSTOMREQUEST, t->method);
}

err *transfer_new(struct http *h, const struct http_request *r, const char *url, bool own, struct transfer **ret)
{
        _cleanup_(transfer_freep) struct transfer *t = MEM_NEW0(struct transfer, 1);

        if (!t)
                return err_nomem();
        t->http = h;
        t->method = str_dup(r->method);
        t->url = str_dup(url);
        t->easy = curl.easy_init();
        t->body = r->body;
        t->body_size = r->body_size;
        t->progress = r->progress;
        t->arg = r->arg;
        if (!t->method || !t->url || !t->easy)
                return err_nomem();
        TRY(set_target(t));
        TRY(add_headers(t, r, own));
        set_method(t, r);
        set_trust(t, own && !r->foreign);
        SET(CURLOPT_HTTPHEADER, t->headers);
        SET(CURLOPT_USERAGENT, h->user_agent);
        SET(CURLOPT_ERRORBUFFER, t->error);
        /* Without CURLOPT_NOSIGNAL: libcurl itself keeps away SIGPIPE, which TLS raises with versions before 7.87. */
        SET(CURLOPT_PROTOCOLS_STR, "http,https");
        SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        SET(CURLOPT_PATH_AS_IS, 1L);
        SET(CURLOPT_CONNECTTIMEOUT, (long)h->connect_timeout);
        SET(CURLOPT_TCP_KEEPALIVE, 1L);
        SET(CURLOPT_BUFFERSIZE, BUFFER);
        SET(CURLOPT_UPLOAD_BUFFERSIZE, BUFFER);
        SET(CURLOPT_HEADERFUNCTION, on_header);
        SET(CURLOPT_HEADERDATA, t);
        SET(CURLOPT_WRITEFUNCTION, on_data);
        SET(CURLOPT_WRITEDATA, t);
        SET(CURLOPT_READFUNCTION, on_body);
        SET(CURLOPT_READDATA, t);
        if (curl.multi_add(h->multi, t->easy) != CURLM_OK)
                return err_new(ERR_INTERNAL, "libcurl does not take the request");
        *ret = TAKE_PTR(t);
        return NULL;
}

void transfer_free(struct transfer *t)
{
        if (t->easy) {
                (void)curl.multi_remove(t->http->multi, t->easy);
                curl.easy_cleanup(t->easy);
        }
        if (t->headers)
                curl.slist_free(t->headers);
        strv_free(t->answer_headers);
        err_free(t->failure);
        str_free(&t->memory);
        free(t->spill);
        free(t->method);
        free(t->url);
        free(t);
}

/* ---- going on ---- */

static err *stalled(struct transfer *t, int64_t waited)
{
        unsigned limit = t->http->stall_timeout;
        uint64_t bytes = t->sent + t->received;

        t->waited_ns += waited;
        /* A registry that has got everything may still be busy with it. */
        if (t->body && t->body_sent && !t->status)
                limit *= 5;
        if (t->waited_ns < limit * SECOND)
                return NULL;
        if (bytes - t->window_bytes < (uint64_t)HTTP_RATE_MIN * limit) {
                t->http->may_retry = true;
                return err_new(ERR_NETWORK, "the server is too slow: %llu bytes in %u seconds",
                               (unsigned long long)(bytes - t->window_bytes), limit);
        }
        t->waited_ns = 0;
        t->window_bytes = bytes;
        return NULL;
}

/* One step; waits for the network if there is nothing to do. */
static err *step(struct transfer *t)
{
        int64_t before;
        CURLMsg *message;
        int running, left;

        if (curl.multi_perform(t->http->multi, &running) != CURLM_OK)
                return err_new(ERR_INTERNAL, "libcurl failed");
        while ((message = curl.multi_info_read(t->http->multi, &left)))
                if (message->msg == CURLMSG_DONE && message->easy_handle == t->easy) {
                        t->done = true;
                        t->result = message->data.result;
                }
        if (t->failure || t->done || t->paused)
                return NULL;
        before = clock_monotonic_ns();
        (void)curl.multi_poll(t->http->multi, NULL, 0, 1000, NULL);
        return stalled(t, clock_monotonic_ns() - before);
}

/* The reason, if it has failed; each outcome is told once. */
static err *outcome(struct transfer *t)
{
        if (t->failure) {
                _cleanup_free_ char *shown = url_without_query(t->url);

                return err_wrap(TAKE_PTR(t->failure), "%s", shown ? shown : "");
        }
        return t->done && t->result != CURLE_OK ? transfer_error(t) : NULL;
}

static err *step_named(struct transfer *t)
{
        _cleanup_free_ char *shown = url_without_query(t->url);

        TRY_WRAP(step(t), "%s \"%s\"", t->method, shown ? shown : "");
        return outcome(t);
}

err *transfer_headers(struct transfer *t)
{
        while (!t->done && !t->headers_done)
                TRY(step_named(t));
        return NULL;
}

static err *transfer_unpause(struct transfer *t)
{
        if (!t->paused)
                return NULL;
        t->paused = false;
        /* This may call on_data() at once. */
        if (curl.easy_pause(t->easy, CURLPAUSE_CONT) != CURLE_OK && !t->failure)
                return err_new(ERR_INTERNAL, "libcurl does not go on");
        return NULL;
}

err *transfer_finish(struct transfer *t, uint64_t max)
{
        t->in_memory = true;
        t->max = max;
        TRY(transfer_unpause(t));
        while (!t->done)
                TRY(step_named(t));
        return outcome(t);
}

/* ---- as a stream ---- */

static err *transfer_read(struct stream *s, void *data, size_t size, size_t *ret)
{
        struct transfer *t = (struct transfer *)s;
        size_t n = t->spill_size - t->spill_pos;

        if (n) {
                if (n > size)
                        n = size;
                memcpy(data, t->spill + t->spill_pos, n);
                t->spill_pos += n;
                *ret = n;
                return NULL;
        }
        t->want = data;
        t->want_size = size;
        t->want_got = 0;
        TRY(transfer_unpause(t));
        while (!t->done && !t->want_got)
                TRY(step_named(t));
        n = t->want_got;
        t->want_size = t->want_got = 0;
        if (!n)
                TRY(outcome(t));
        *ret = n;
        return NULL;
}

static void transfer_stream_free(struct stream *s)
{
        struct transfer *t = (struct transfer *)s;

        t->http->busy = false;
        transfer_free(t);
}

err *transfer_as_stream(struct transfer *t)
{
        t->spill = malloc(BUFFER);
        if (!t->spill)
                return err_nomem();
        t->stream = (struct stream){transfer_read, transfer_stream_free};
        return NULL;
}
