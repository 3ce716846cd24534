/* client_request.c - one request to a registry: token, retries. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "registry/client_private.h"
#include "registry/failure.h"
#include "registry/url.h"

#define TRIES 5
#define PAUSE_MIN 200      /* ms before the second try; doubles */
#define PAUSE_MAX 8000     /* ms */
#define RETRY_AFTER_MAX 60 /* seconds that a server may make us wait at once */
#define SECOND 1000000000LL

unsigned client_retry_after(const char *text, int64_t now)
{
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        char month[4] = "", digits[5] = "";
        struct tm tm = {0};
        uint64_t n;
        int64_t at;

        if (parse_u64(text, &n))
                return n > 3600 ? 3600 : (unsigned)n;
        /* "Sun, 06 Nov 1994 08:49:37 GMT", the only form that may still be sent */
        if (strlen(text) != 29 || strcmp(text + 25, " GMT") != 0)
                return 0;
        memcpy(month, text + 8, 3);
        for (int i = 0; i < 12; i++)
                if (memcmp(months + (size_t)3 * (size_t)i, month, 3) == 0)
                        tm.tm_mon = i + 1;
        if (!tm.tm_mon--)
                return 0;
#define FIELD(at, length, to)                                                                                          \
        memcpy(digits, text + (at), (length));                                                                         \
        digits[length] = '\0';                                                                                         \
        if (!parse_u64(digits, &n))                                                                                    \
                return 0;                                                                                              \
        (to) = (int)n
        FIELD(5, 2, tm.tm_mday);
        FIELD(12, 4, tm.tm_year);
        FIELD(17, 2, tm.tm_hour);
        FIELD(20, 2, tm.tm_min);
        FIELD(23, 2, tm.tm_sec);
#undef FIELD
        tm.tm_year -= 1900;
        at = (int64_t)timegm(&tm) - now / SECOND;
        return at <= 0 ? 0 : at > 3600 ? 3600 : (unsigned)at;
}

static void pause_ms(unsigned ms)
{
        struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

        while (nanosleep(&t, &t) != 0)
                ;
}

void client_pause(unsigned n)
{
        unsigned ms = n < 8 ? PAUSE_MIN << n : PAUSE_MAX;

        pause_ms(ms > PAUSE_MAX ? PAUSE_MAX : ms);
}

static err *address(const struct registry *r, const struct server *s, const struct client_request *q, char **ret)
{
        (void)r;
        *ret = q->url ? str_dup(q->url)
               : !*q->suffix || !s->endpoint->path
                       ? str_format("%s%s/%s", s->origin, s->endpoint->prefix, q->suffix)
                       : str_format("%s%s/%s/%s", s->origin, s->endpoint->prefix, s->endpoint->path, q->suffix);
        return *ret ? NULL : err_nomem();
}

static err *scope_of(const struct registry *r, const struct server *s, const struct client_request *q, char **ret)
{
        *ret = q->scope ? str_dup(q->scope)
               : s->endpoint->path
                       ? str_format("repository:%s:%s", s->endpoint->path, r->options.push ? "pull,push" : "pull")
                       : str_dup("");
        return *ret ? NULL : err_nomem();
}

/* Credentials never go to a place that a server has named on another host. */
static err *is_own(const struct server *s, const char *url, bool *ret)
{
        _cleanup_url_ struct url own = {0}, to = {0};

        TRY(url_parse(s->origin, &own));
        TRY(url_parse(url, &to));
        if (own.tls && !to.tls)
                return err_new(ERR_DENIED, "%s sends us to %s without encryption: refused", s->origin, to.host);
        *ret = url_same_origin(&own, &to);
        return NULL;
}

static err *try_once(struct server *s, const struct client_request *q, const char *url, const char *scope,
                     struct http_answer *ret, struct stream **ret_stream)
{
        _cleanup_free_ char *authorization = NULL;
        _cleanup_(stream_freep) struct stream *body = NULL;
        struct http_request h = {.method = q->method,
                                 .url = url,
                                 .headers = q->headers,
                                 .max_answer = q->max_answer,
                                 .progress = q->progress,
                                 .arg = q->arg,
                                 .body_size = q->body_size};
        bool own = false;

        TRY(is_own(s, url, &own));
        h.foreign = !own;
        if (own) {
                err *e = auth_authorize(s->auth, s->http, scope, &authorization);

                /* docker names the request when it is one of pull */
                if (e && auth_scheme(s->auth) == AUTH_BASIC && q->suffix && str_starts(q->suffix, "manifests/") &&
                    (*q->method == 'G' || *q->method == 'H'))
                        return err_wrap(e, "%c%s \"%s\"", *q->method, *q->method == 'H' ? "ead" : "et", url);
                TRY(e);
                h.authorization = authorization;
                h.own_headers = s->endpoint->headers;
        }
        if (q->open) {
                TRY(q->open(q->arg, &body));
                h.body = body;
        }
        return ret_stream ? http_open(s->http, &h, ret, ret_stream) : http_send(s->http, &h, ret);
}

static bool worth_repeating(long status)
{
        return status == 429 || status == 500 || status == 502 || status == 503 || status == 504 || status == 408;
}

/* Wait before the next try, or say no. */
static bool again(struct client_attempts *a, const char *url, const char *why, unsigned after)
{
        unsigned ms = PAUSE_MIN << a->n;

        if (++a->n >= TRIES || after > RETRY_AFTER_MAX)
                return false;
        if (ms > PAUSE_MAX)
                ms = PAUSE_MAX;
        if (after)
                ms = after * 1000;
        log_debug("%s: %s, trying again in %u ms (%u of %d)", url, why, ms, a->n + 1, TRIES);
        pause_ms(ms);
        return true;
}

static err *give_up(const struct http_answer *a, const char *url, unsigned after)
{
        if (after > RETRY_AFTER_MAX)
                return err_wrap(failure_of(a, "request"), "%s: the server wants to be asked again in %u seconds", url,
                                after);
        return NULL;
}

err *client_judge(const char *url, const struct http_answer *a, struct client_attempts *attempts, bool *ret_final)
{
        const char *wish = http_answer_header(a, "retry-after");
        unsigned after = wish ? client_retry_after(wish, clock_now_ns()) : 0;
        char status[64];

        *ret_final = !worth_repeating(a->status) ||
                     !again(attempts, url, failure_status(a->status, status, sizeof(status)), after);
        return *ret_final && worth_repeating(a->status) ? give_up(a, url, after) : NULL;
}

/* 401 with a token that was good before: another one, once. */
static bool renew(struct server *s, const char *scope, const struct http_answer *a, struct client_attempts *attempts)
{
        if (a->status != 401 || attempts->renewed)
                return false;
        attempts->renewed = true;
        return auth_renew(s->auth, scope, http_answer_header(a, "www-authenticate"));
}

err *client_send(struct registry *r, struct server *s, const struct client_request *q, struct http_answer *ret,
                 struct stream **ret_stream)
{
        _cleanup_free_ char *url = NULL, *scope = NULL;
        struct client_attempts attempts = {0};

        TRY(client_connect(r, s));
        TRY(address(r, s, q, &url));
        TRY(scope_of(r, s, q, &scope));
        for (;;) {
                _cleanup_answer_ struct http_answer a = {0};
                err *e = try_once(s, q, url, scope, &a, ret_stream);
                bool final;

                if (e && err_code(e) == ERR_NETWORK && http_may_retry(s->http) && !q->once) {
                        char text[512];

                        if (again(&attempts, url, err_text(e, text, sizeof(text)), 0)) {
                                err_free(e);
                                continue;
                        }
                }
                if (e)
                        return e;
                if (renew(s, scope, &a, &attempts))
                        continue;
                TRY(client_judge(url, &a, &attempts, &final));
                if (final) {
                        *ret = a;
                        a = (struct http_answer){0};
                        return NULL;
                }
        }
}

err *registry_prepare(struct registry *r)
{
        struct server *s = client_main(r);
        _cleanup_free_ char *scope = NULL, *authorization = NULL;

        TRY(client_connect(r, s));
        TRY(scope_of(r, s, &(struct client_request){0}, &scope));
        return auth_authorize(s->auth, s->http, scope, &authorization);
}
