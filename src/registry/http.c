/* http.c - see http.h: options, redirects. */
#include "registry/http.h"

#include <errno.h>
#include <fcntl.h>

#include "base/file.h"
#include "base/log.h"
#include "registry/http_private.h"

#define REDIRECTS 10
#define ANSWER_MAX (4u << 20)
#define FAILURE_MAX (64u << 10)
#define CA_MAX (8u << 20)

/* ---- options ---- */

static err *copy_text(const char *text, char **ret)
{
        *ret = str_dup(text);
        return text && !*ret ? err_nomem() : NULL;
}

/* The first variable that is set and not empty, as Go looks for them. */
static const char *variable(char *const *environment, const char *upper, const char *lower)
{
        const char *value = environment ? strv_env(environment, upper) : NULL;

        if (str_empty(value))
                value = environment ? strv_env(environment, lower) : NULL;
        return str_empty(value) ? NULL : value;
}

/* libcurl takes certificates from memory in place of a file, not beside it. */
static err *add_system_ca(struct http *h)
{
        static const char *const known[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                            "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
        const curl_version_info_data *version = curl.version(CURLVERSION_NOW);
        const char *file = h->ca_file;

        if (!file && version->age >= CURLVERSION_SEVENTH)
                file = version->cainfo;
        for (size_t i = 0; i <= ARRAY_SIZE(known); i++) {
                _cleanup_free_ char *text = NULL;

                if (file && file_read(AT_FDCWD, file, CA_MAX, &text, NULL) >= 0) {
                        str_printf(&h->ca, "%s\n", text);
                        return str_done(&h->ca);
                }
                file = i < ARRAY_SIZE(known) ? known[i] : NULL;
        }
        return NULL; /* a machine without certificates trusts only those that are given */
}

static err *read_ca(struct http *h, char *const *files)
{
        if (!files || !*files || h->insecure)
                return NULL;
        TRY(add_system_ca(h));
        for (; *files; files++) {
                _cleanup_free_ char *text = NULL;
                int r = file_read(AT_FDCWD, *files, CA_MAX, &text, NULL);

                if (r < 0)
                        return err_sys(r, "reading the certificate %s", *files);
                if (!strstr(text, "-----BEGIN "))
                        return err_new(ERR_INVALID, "%s is not a certificate in PEM form", *files);
                str_printf(&h->ca, "%s\n", text);
        }
        return str_done(&h->ca);
}

static err *new_multi(struct http *h)
{
        h->multi = curl.multi_init();
        if (!h->multi)
                return err_nomem();
        (void)curl.multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, 8L);
        return NULL;
}

err *http_new(const struct http_options *o, struct http **ret)
{
        _cleanup_(http_freep) struct http *h = NULL;
        char *const *env = o->environment;

        TRY(curl_load());
        h = MEM_NEW0(struct http, 1);
        if (!h)
                return err_nomem();
        h->insecure = o->insecure;
        h->connect_timeout = o->connect_timeout ? o->connect_timeout : 30;
        h->stall_timeout = o->stall_timeout ? o->stall_timeout : 60;
        TRY(copy_text(o->user_agent ? o->user_agent : "hod/" HOD_VERSION, &h->user_agent));
        TRY(copy_text(o->client_cert, &h->client_cert));
        TRY(copy_text(o->client_key, &h->client_key));
        TRY(copy_text(variable(env, "HTTP_PROXY", "http_proxy"), &h->proxy_http));
        TRY(copy_text(variable(env, "HTTPS_PROXY", "https_proxy"), &h->proxy_https));
        TRY(copy_text(variable(env, "NO_PROXY", "no_proxy"), &h->no_proxy));
        TRY(copy_text(variable(env, "SSL_CERT_FILE", "SSL_CERT_FILE"), &h->ca_file));
        TRY(copy_text(variable(env, "SSL_CERT_DIR", "SSL_CERT_DIR"), &h->ca_dir));
        TRY(read_ca(h, o->ca_files));
        TRY(new_multi(h));
        *ret = TAKE_PTR(h);
        return NULL;
}

void http_free(struct http *h)
{
        if (h->multi)
                (void)curl.multi_cleanup(h->multi);
        free(h->user_agent);
        free(h->client_cert);
        free(h->client_key);
        free(h->proxy_http);
        free(h->proxy_https);
        free(h->no_proxy);
        free(h->ca_file);
        free(h->ca_dir);
        str_free(&h->ca);
        free(h);
}

err *http_after_fork(struct http *h)
{
        /* Closing them properly would say goodbye in the parent's name: they are left alone. */
        h->busy = false;
        return new_multi(h);
}

bool http_may_retry(const struct http *h)
{
        return h->may_retry;
}

/* ---- answers ---- */

void http_answer_done(struct http_answer *a)
{
        free(a->url);
        strv_free(a->headers);
        free(a->data);
        *a = (struct http_answer){0};
}

const char *http_answer_header(const struct http_answer *a, const char *name)
{
        for (char **p = a->headers; p && *p; p++) {
                const char *rest = str_after(*p, name);

                if (rest && str_starts(rest, ": "))
                        return rest + 2;
        }
        return NULL;
}

static err *answer_from(struct transfer *t, struct http_answer *ret)
{
        struct http_answer a = {.status = t->status, .size = t->memory.len};

        TRY(str_take(&t->memory, &a.data));
        a.url = TAKE_PTR(t->url);
        a.headers = TAKE_PTR(t->answer_headers);
        *ret = a;
        return NULL;
}

/* ---- redirects ---- */

static bool is_redirect(long status)
{
        return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Where the answer of @t sends us; NULL: nowhere. */
static err *next_place(const struct transfer *t, char **ret)
{
        const char *location = transfer_header(t, "location");
        _cleanup_free_ char *url = NULL, *shown = url_without_query(t->url);
        _cleanup_url_ struct url from = {0}, to = {0};

        if (!shown)
                return err_nomem();
        if (!is_redirect(t->status) || !location || (strcmp(t->method, "GET") != 0 && strcmp(t->method, "HEAD") != 0))
                return NULL;
        TRY_WRAP(url_join(t->url, location, &url), "%s redirects", shown);
        TRY(url_parse(t->url, &from));
        TRY(url_parse(url, &to));
        if (from.tls && !to.tls)
                return err_new(ERR_DENIED, "%s redirects from https to http://%s: refused", shown, to.host);
        *ret = TAKE_PTR(url);
        return NULL;
}

static err *same_origin(const char *a, const char *b, bool *ret)
{
        _cleanup_url_ struct url x = {0}, y = {0};

        TRY(url_parse(a, &x));
        TRY(url_parse(b, &y));
        *ret = url_same_origin(&x, &y);
        return NULL;
}

static void log_answer(const struct transfer *t)
{
        _cleanup_free_ char *shown = url_without_query(t->url);

        log_debug("%s %s: %ld", t->method, shown ? shown : "", t->status);
}

/* Send @r and go where it is sent, up to the headers of the last answer. */
static err *start(struct http *h, const struct http_request *r, struct transfer **ret)
{
        _cleanup_free_ char *url = str_dup(r->url);
        bool own = true;

        if (!url)
                return err_nomem();
        if (h->busy)
                return err_new(ERR_INTERNAL, "a connection is used by two requests");
        h->may_retry = false;
        for (int i = 0; i <= REDIRECTS; i++) {
                _cleanup_(transfer_freep) struct transfer *t = NULL;
                _cleanup_free_ char *next = NULL;
                bool same;

                TRY(transfer_new(h, r, url, own, &t));
                t->own_url = i == 0;
                TRY(transfer_headers(t));
                log_answer(t);
                TRY(next_place(t, &next));
                if (!next) {
                        *ret = TAKE_PTR(t);
                        return NULL;
                }
                /* Reading the little that comes with it lets the connection be used again. */
                err_free(transfer_finish(t, FAILURE_MAX));
                /* Once away, there is no way back to credentials: the place in between chose where to go. */
                TRY(same_origin(r->url, next, &same));
                own = own && same;
                free(url);
                url = TAKE_PTR(next);
        }
        return err_new(ERR_NETWORK, "%s: stopped after %d redirects", r->url, REDIRECTS);
}

err *http_send(struct http *h, const struct http_request *r, struct http_answer *ret)
{
        _cleanup_(transfer_freep) struct transfer *t = NULL;

        TRY(start(h, r, &t));
        TRY(transfer_finish(t, r->max_answer ? r->max_answer : ANSWER_MAX));
        return answer_from(t, ret);
}

err *http_open(struct http *h, const struct http_request *r, struct http_answer *ret_answer, struct stream **ret)
{
        _cleanup_(transfer_freep) struct transfer *t = NULL;
        struct http_answer answer = {0};

        TRY(start(h, r, &t));
        if (t->status < 200 || t->status > 299) {
                TRY(transfer_finish(t, FAILURE_MAX));
                TRY(answer_from(t, ret_answer));
                *ret = NULL;
                return NULL;
        }
        TRY(transfer_as_stream(t));
        answer.status = t->status;
        TRY(copy_text(t->url, &answer.url));
        answer.headers = TAKE_PTR(t->answer_headers);
        h->busy = true;
        *ret_answer = answer;
        *ret = &TAKE_PTR(t)->stream;
        return NULL;
}
