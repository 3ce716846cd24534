/* client.c - see client.h: opening, and reaching the servers. */
#include "registry/client.h"

#include "base/log.h"
#include "registry/client_private.h"
#include "registry/credentials.h"
#include "registry/failure.h"
#include "registry/url.h"

#define CONNECT_MAX 30 /* seconds */

err *registry_open(const struct registry_options *o, const struct reference *r, struct registry **ret)
{
        _cleanup_(registry_freep) struct registry *new = MEM_NEW0(struct registry, 1);

        if (!new)
                return err_nomem();
        new->options = *o;
        new->domain = str_dup(r->domain);
        new->path = str_dup(r->path);
        if (!new->domain || (r->path && !new->path))
                return err_nomem();
        TRY(endpoint_find(o, r, &new->endpoints));
        new->servers = MEM_NEW0(struct server, new->endpoints.n);
        if (!new->servers)
                return err_nomem();
        for (size_t i = 0; i < new->endpoints.n; i++)
                new->servers[i].endpoint = &new->endpoints.list[i];
        *ret = TAKE_PTR(new);
        return NULL;
}

void registry_free(struct registry *r)
{
        for (size_t i = 0; r->servers && i < r->endpoints.n; i++) {
                struct server *s = &r->servers[i];

                if (s->auth)
                        auth_free(s->auth);
                if (s->http)
                        http_free(s->http);
                free(s->origin);
        }
        free(r->servers);
        endpoints_done(&r->endpoints);
        free(r->domain);
        free(r->path);
        free(r);
}

err *registry_after_fork(struct registry *r)
{
        for (size_t i = 0; i < r->endpoints.n; i++)
                if (r->servers[i].http)
                        TRY(http_after_fork(r->servers[i].http));
        return NULL;
}

void registry_document_done(struct registry_document *d)
{
        free(d->data);
        free(d->media_type);
        *d = (struct registry_document){0};
}

/* ---- the first contact ---- */

static err *new_http(struct registry *r, struct server *s)
{
        const struct endpoint *e = s->endpoint;

        if (s->http)
                return NULL;
        return http_new(&(struct http_options){.insecure = e->insecure,
                                               .ca_files = e->ca_files,
                                               .client_cert = e->client_cert,
                                               .client_key = e->client_key,
                                               .environment = r->options.environment,
                                               .connect_timeout = r->options.timeout < CONNECT_MAX ? r->options.timeout
                                                                                                   : CONNECT_MAX,
                                               .stall_timeout = r->options.timeout},
                        &s->http);
}

/* Could this be TLS's answer to plain text, or the answer of something that is no registry? */
static bool looks_wrong(const struct http_answer *a)
{
        return a->status == 400 && !http_answer_header(a, "docker-distribution-api-version");
}

/* One question without credentials; what a busy server says is waited for. */
static err *ask(const struct server *s, const char *origin, const char *path, struct http_answer *ret)
{
        _cleanup_free_ char *url = str_format("%s%s", origin, path);
        struct http_request q = {.method = "GET", .url = url, .own_headers = s->endpoint->headers};
        struct client_attempts attempts = {0};

        if (!url)
                return err_nomem();
        for (;;) {
                bool final;

                TRY(http_send(s->http, &q, ret));
                TRY(client_judge(url, ret, &attempts, &final));
                if (final)
                        return NULL;
                http_answer_done(ret);
        }
}

static err *meet(struct registry *r, struct server *s, const char *origin, const struct http_answer *a,
                 struct auth_credentials *credentials)
{
        _cleanup_challenge_ struct auth_challenge challenge = {0};

        for (char **h = a->headers; a->status == 401 && h && *h; h++) {
                const char *value = str_after(*h, "www-authenticate: ");

                if (value)
                        TRY_WRAP(auth_parse(value, &challenge), "%s", a->url);
        }
        if (a->status == 401 && challenge.scheme == AUTH_NONE)
                return err_new(ERR_DENIED, "%s wants a way to authenticate that is not known here", origin);
        TRY(auth_new(origin, &challenge, credentials, r->options.token_realms, &s->auth));
        s->origin = str_dup(origin);
        return s->origin ? NULL : err_nomem();
}

/* The loopback is tried without encryption first: nobody listens there, and a failed handshake costs 15 ms. Elsewhere
 * http comes second, and only where it is allowed. */
err *client_schemes(const struct endpoint *e, const char *ret[2])
{
        _cleanup_free_ char *name = NULL;
        uint16_t port;
        bool here;

        TRY(url_split_host(e->host, &name, &port));
        here = url_is_loopback(name);
        ret[0] = e->plain_only || (e->plain && here) ? "http" : "https";
        ret[1] = e->plain_only || !e->plain ? NULL : here ? "https" : "http";
        return NULL;
}

err *client_try_schemes(struct registry *r, struct server *s, const char *path, struct http_answer *ret,
                        char **ret_origin)
{
        const char *schemes[2] = {NULL, NULL};
        _cleanup_err_ err *first = NULL;

        TRY(new_http(r, s));
        TRY(client_schemes(s->endpoint, schemes));
        for (size_t i = 0; i < 2 && schemes[i]; i++) {
                bool last = i == 1 || !schemes[1], plain = strcmp(schemes[i], "http") == 0;
                _cleanup_free_ char *origin = str_format("%s://%s", schemes[i], s->endpoint->host);
                _cleanup_answer_ struct http_answer a = {0};
                err *failed;

                if (!origin)
                        return err_nomem();
                failed = ask(s, origin, path, &a);
                if (!failed && (last || !looks_wrong(&a))) {
                        *ret = a;
                        a = (struct http_answer){0};
                        *ret_origin = TAKE_PTR(origin);
                        return NULL;
                }
                if (failed && err_code(failed) != ERR_NETWORK)
                        return failed;
                /* What http says of the place is what matters when both fail. */
                if (failed && (plain || !first)) {
                        err_free(first);
                        first = failed;
                } else {
                        err_free(failed);
                }
        }
        return first ? TAKE_PTR(first) : err_new(ERR_NETWORK, "%s does not speak HTTP", s->endpoint->host);
}

err *client_connect(struct registry *r, struct server *s)
{
        _cleanup_credentials_ struct auth_credentials credentials = {0};
        _cleanup_free_ char *path = NULL, *origin = NULL;
        _cleanup_answer_ struct http_answer a = {0};
        struct registry_options o = r->options;

        if (s->origin)
                return NULL;
        if (s->endpoint->mirror) /* what was given with the name is for who has that name */
                o.creds = NULL;
        /* First: with a configuration that is wrong nobody is asked at all. */
        TRY(credentials_find(&o, s->endpoint->key, s->endpoint->path, &credentials));
        path = str_format("%s/", s->endpoint->prefix);
        if (!path)
                return err_nomem();
        TRY(client_try_schemes(r, s, path, &a, &origin));
        return meet(r, s, origin, &a, &credentials);
}

/* ---- which server ---- */

struct server *client_main(struct registry *r)
{
        for (size_t i = 0; i < r->endpoints.n; i++)
                if (!r->endpoints.list[i].mirror)
                        return &r->servers[i];
        return &r->servers[r->endpoints.n - 1];
}

static bool usable(const struct registry *r, const struct endpoint *e, bool by_digest)
{
        if ((r->options.push && e->mirror) || e->use == ENDPOINT_PUSH_ONLY)
                return false;
        return e->use == ENDPOINT_ALL || (e->use == ENDPOINT_DIGEST_ONLY) == by_digest;
}

err *client_each(struct registry *r, bool by_digest, err *(*f)(struct registry *r, struct server *s, void *arg),
                 void *arg)
{
        _cleanup_err_ err *why = NULL;
        size_t first = r->current, n = r->endpoints.n;
        char text[512];

        for (size_t k = 0; k < n; k++) {
                /* The current one, then the others in their order. */
                size_t i = k == 0 ? first : k <= first ? k - 1 : k;
                const struct endpoint *e = &r->endpoints.list[i];
                err *failed;

                if (!usable(r, e, by_digest))
                        continue;
                failed = f(r, &r->servers[i], arg);
                if (!failed) {
                        r->current = i;
                        return NULL;
                }
                if (!e->mirror) {
                        if (n > 1)
                                log_debug("%s failed", e->host);
                        return failed;
                }
                LOG_AT(err_code(failed) == ERR_NOT_FOUND ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
                       "going on without the mirror %s: %s", e->host, err_text(failed, text, sizeof(text)));
                err_free(why);
                why = failed;
        }
        return why ? TAKE_PTR(why)
                   : err_new(ERR_DENIED, "the configuration has no server of %s that may be asked for this", r->domain);
}
