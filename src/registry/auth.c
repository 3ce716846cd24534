/* auth.c - see auth.h: tokens and what is sent. */
#include "registry/auth.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/json.h"
#include "registry/base64.h"
#include "registry/failure.h"
#include "registry/url.h"

#define CLIENT_ID "hod"
#define TOKEN_MAX (256u << 10)
#define TOKENS_MAX 64
#define SECOND 1000000000LL
#define EXPIRES_DEFAULT 60 /* of docker's specification */
#define MARGIN 5           /* seconds before the end at which a token is not used any more */

struct token {
        char *scope; /* "" = none */
        char *text;
        int64_t until; /* monotonic */
};

struct auth {
        char *origin;
        struct auth_challenge challenge;
        struct auth_credentials credentials;
        char *const *allowed;
        struct token *tokens;
        size_t n;
        char *identity, *extra_scope;
        bool offline; /* an identity token is wanted */
};

void auth_credentials_done(struct auth_credentials *c)
{
        /* What is freed may be given out again: no secret stays in there. */
        if (c->password)
                explicit_bzero(c->password, strlen(c->password));
        if (c->identity)
                explicit_bzero(c->identity, strlen(c->identity));
        free(c->user);
        free(c->password);
        free(c->identity);
        *c = (struct auth_credentials){0};
}

err *auth_credentials_copy(const struct auth_credentials *c, struct auth_credentials *ret)
{
        _cleanup_credentials_ struct auth_credentials copy = {str_dup(c->user), str_dup(c->password),
                                                              str_dup(c->identity)};

        if ((c->user && !copy.user) || (c->password && !copy.password) || (c->identity && !copy.identity))
                return err_nomem();
        *ret = copy;
        copy = (struct auth_credentials){0};
        return NULL;
}

static void token_done(struct token *t)
{
        free(t->scope);
        free(t->text);
}

static void forget(struct auth *a, struct token *t)
{
        token_done(t);
        *t = a->tokens[--a->n];
}

err *auth_new(const char *origin, const struct auth_challenge *c, struct auth_credentials *credentials,
              char *const *allowed, struct auth **ret)
{
        _cleanup_(auth_freep) struct auth *a = MEM_NEW0(struct auth, 1);

        if (!a)
                return err_nomem();
        a->origin = str_dup(origin);
        a->challenge.scheme = c->scheme;
        a->challenge.realm = str_dup(c->realm);
        a->challenge.service = str_dup(c->service);
        if (!a->origin || (c->realm && !a->challenge.realm) || (c->service && !a->challenge.service))
                return err_nomem();
        a->credentials = *credentials;
        *credentials = (struct auth_credentials){0};
        a->allowed = allowed;
        *ret = TAKE_PTR(a);
        return NULL;
}

void auth_free(struct auth *a)
{
        for (size_t i = 0; i < a->n; i++)
                token_done(&a->tokens[i]);
        free(a->tokens);
        auth_credentials_done(&a->credentials);
        auth_challenge_done(&a->challenge);
        free(a->origin);
        free(a->identity);
        free(a->extra_scope);
        free(a);
}

void auth_set_credentials(struct auth *a, struct auth_credentials *credentials)
{
        while (a->n)
                forget(a, &a->tokens[0]);
        auth_credentials_done(&a->credentials);
        a->credentials = *credentials;
        *credentials = (struct auth_credentials){0};
        a->offline = true;
}

bool auth_has_credentials(const struct auth *a)
{
        return a->credentials.identity || a->credentials.user;
}

enum auth_scheme auth_scheme(const struct auth *a)
{
        return a->challenge.scheme;
}

const char *auth_identity(const struct auth *a)
{
        return a->identity;
}

/* ---- Basic ---- */

static err *basic(const struct auth_credentials *c, char **ret)
{
        _cleanup_free_ char *pair = NULL, *encoded = NULL;

        pair = str_format("%s:%s", c->user, c->password ? c->password : "");
        if (!pair)
                return err_nomem();
        TRY(base64_encode(pair, strlen(pair), &encoded));
        explicit_bzero(pair, strlen(pair));
        *ret = str_format("Basic %s", encoded);
        return *ret ? NULL : err_nomem();
}

/* ---- tokens ---- */

/* "scope=a&scope=b" for "a b", "" for none. */
static void add_scopes(struct str *out, const char *scope, bool separate)
{
        if (!separate) {
                str_add(out, "&scope=");
                url_encode(out, scope);
                return;
        }
        while (*scope) {
                size_t n = strcspn(scope, " ");
                _cleanup_free_ char *one = strndup(scope, n);

                if (n) {
                        str_add(out, "&scope=");
                        url_encode(out, one ? one : "");
                }
                out->failed = out->failed || !one;
                scope += n;
                scope += strspn(scope, " ");
        }
}

static err *read_token(struct auth *a, const struct http_answer *answer, struct token *ret)
{
        _cleanup_json_ json *doc = NULL;
        const char *text, *refresh;
        int64_t seconds;

        if (answer->status != 200)
                return err_wrap(failure_of(answer, "token"), "getting a token for %s", a->origin);
        TRY_WRAP(json_parse(answer->data, answer->size, &doc), "the answer of the token server of %s", a->origin);
        text = json_get_str(doc, "token");
        if (str_empty(text))
                text = json_get_str(doc, "access_token");
        if (str_empty(text))
                return err_new(ERR_CORRUPT, "the token server of %s sent no token", a->origin);
        for (const char *p = text; *p; p++)
                if ((unsigned char)*p <= ' ' || *p == 0x7f)
                        return err_new(ERR_CORRUPT, "the token server of %s sent a token that cannot be used",
                                       a->origin);
        seconds = json_get_int(doc, "expires_in", EXPIRES_DEFAULT);
        if (seconds < EXPIRES_DEFAULT)
                seconds = EXPIRES_DEFAULT;
        if (seconds > 86400)
                seconds = 86400;
        refresh = json_get_str(doc, "refresh_token");
        if (!str_empty(refresh) && !a->identity) {
                a->identity = str_dup(refresh);
                if (!a->identity)
                        return err_nomem();
        }
        ret->until = clock_monotonic_ns() + (seconds - MARGIN) * SECOND;
        ret->text = str_dup(text);
        return ret->text ? NULL : err_nomem();
}

/* A token server that gets no passwords of ours gets no certificate either. */
static bool is_foreign(const struct auth *a)
{
        err *e = auth_check_realm(a->origin, a->challenge.realm, a->allowed);
        bool foreign = e;

        err_free(e);
        return foreign;
}

static err *fetch_by_password(struct auth *a, struct http *http, const char *scope, struct token *ret)
{
        const struct auth_challenge *c = &a->challenge;
        _cleanup_answer_ struct http_answer answer = {0};
        _cleanup_free_ char *authorization = NULL;
        _cleanup_str_ struct str url = {0};

        str_printf(&url, "%s%sservice=", c->realm, strchr(c->realm, '?') ? "&" : "?");
        url_encode(&url, c->service ? c->service : "");
        add_scopes(&url, scope, true);
        if (a->credentials.user) {
                str_add(&url, "&account=");
                url_encode(&url, a->credentials.user);
                if (a->offline)
                        str_add(&url, "&client_id=" CLIENT_ID "&offline_token=true");
                TRY(basic(&a->credentials, &authorization));
        }
        TRY(str_done(&url));
        TRY(http_send(http,
                      &(struct http_request){.method = "GET",
                                             .url = str_text(&url),
                                             .authorization = authorization,
                                             .foreign = is_foreign(a),
                                             .max_answer = TOKEN_MAX},
                      &answer));
        return read_token(a, &answer, ret);
}

static err *fetch_by_identity(struct auth *a, struct http *http, const char *scope, struct token *ret)
{
        static char type[] = "Content-Type: application/x-www-form-urlencoded";
        static char *const headers[] = {type, NULL};
        _cleanup_(stream_freep) struct stream *body = NULL;
        _cleanup_answer_ struct http_answer answer = {0};
        _cleanup_str_ struct str form = {0};

        str_add(&form, "grant_type=refresh_token&client_id=" CLIENT_ID "&service=");
        url_encode(&form, a->challenge.service ? a->challenge.service : "");
        add_scopes(&form, scope, false);
        str_add(&form, "&refresh_token=");
        url_encode(&form, a->credentials.identity);
        TRY(str_done(&form));
        TRY(stream_open_memory(str_text(&form), form.len, &body));
        TRY(http_send(http,
                      &(struct http_request){.method = "POST",
                                             .url = a->challenge.realm,
                                             .headers = headers,
                                             .foreign = is_foreign(a),
                                             .body = body,
                                             .body_size = form.len,
                                             .max_answer = TOKEN_MAX},
                      &answer));
        return read_token(a, &answer, ret);
}

static err *fetch(struct auth *a, struct http *http, const char *scope, struct token *ret)
{
        _cleanup_url_ struct url realm = {0};
        _cleanup_url_ struct url origin = {0};

        if (auth_has_credentials(a))
                TRY(auth_check_realm(a->origin, a->challenge.realm, a->allowed));
        /* A token asked for in the clear would be for anybody to take. */
        TRY_WRAP(url_parse(a->challenge.realm, &realm), "the token server that %s names", a->origin);
        TRY(url_parse(a->origin, &origin));
        if (origin.tls && !realm.tls)
                return err_new(ERR_DENIED, "%s names a token server without encryption, %s: refused", a->origin,
                               realm.host);
        log_debug("asking %s for a token, scope '%s'", realm.host, scope);
        return a->credentials.identity ? fetch_by_identity(a, http, scope, ret)
                                       : fetch_by_password(a, http, scope, ret);
}

static struct token *find(struct auth *a, const char *scope)
{
        for (size_t i = 0; i < a->n; i++)
                if (strcmp(a->tokens[i].scope, scope) == 0)
                        return &a->tokens[i];
        return NULL;
}

static err *bearer(struct auth *a, struct http *http, const char *scope, char **ret)
{
        struct token *have = find(a, scope);
        struct token t = {0};

        if (have && have->until < clock_monotonic_ns()) {
                forget(a, have);
                have = NULL;
        }
        if (!have) {
                _cleanup_free_ char *copy = str_dup(scope);

                if (!copy)
                        return err_nomem();
                if (a->n == TOKENS_MAX)
                        forget(a, &a->tokens[0]);
                if (mem_grow(&a->tokens, a->n, sizeof(*a->tokens)) < 0)
                        return err_nomem();
                TRY(fetch(a, http, scope, &t));
                t.scope = TAKE_PTR(copy);
                have = &a->tokens[a->n++];
                *have = t;
        }
        *ret = str_format("Bearer %s", have->text);
        return *ret ? NULL : err_nomem();
}

err *auth_authorize(struct auth *a, struct http *http, const char *scope, char **ret)
{
        _cleanup_free_ char *wide = NULL;

        *ret = NULL;
        switch (a->challenge.scheme) {
        case AUTH_BEARER:
                if (scope && a->extra_scope) {
                        wide = str_format("%s %s", scope, a->extra_scope);
                        if (!wide)
                                return err_nomem();
                }
                return bearer(a, http, wide ? wide : scope ? scope : "", ret);
        case AUTH_BASIC:
                if (!a->credentials.user)
                        return err_new(ERR_DENIED, "no basic auth credentials");
                return basic(&a->credentials, ret);
        default:
                return NULL;
        }
}

bool auth_renew(struct auth *a, const char *scope, const char *challenge)
{
        _cleanup_challenge_ struct auth_challenge c = {0};
        size_t n = strlen(scope ? scope : "");

        if (a->challenge.scheme != AUTH_BEARER)
                return false;
        if (challenge)
                err_free(auth_parse(challenge, &c));
        for (size_t i = a->n; i-- > 0;) { /* the wider one too: "SCOPE EXTRA" */
                const char *rest = a->tokens[i].scope;

                if (strncmp(rest, scope ? scope : "", n) == 0 && (!rest[n] || (scope && rest[n] == ' ')))
                        forget(a, &a->tokens[i]);
        }
        /* Some registries want more than the specification says: once. */
        if (c.scope && scope && !a->extra_scope && !str_eq(c.scope, scope))
                a->extra_scope = TAKE_PTR(c.scope);
        return true;
}
