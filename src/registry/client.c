/* client.c - see client.h: opening, and reaching the servers. */
#include "registry/client.h"

#include "base/log.h"
#include "registry/client_private.h"
#include "registry/credentials.h"
#include "registry/failure.h"
#include "registry/url.h"

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

const char *registry_origin(const struct registry *r)
{
        return r->servers[r->current].origin ? r->servers[r->current].origin : r->domain;
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
                                               .connect_timeout = r->options.timeout,
                                               .stall_timeout = r->options.timeout},
                        &s->http);
}

/* Could this be TLS's answer to plain text, or the answer of something that is no registry? */
static bool looks_wrong(const struct http_answer *a)
{
        return a->status == 400 && !http_answer_header(a, "docker-distribution-api-version");
}

static err *ping(const struct server *s, const char *origin, struct http_answer *ret)
{
        _cleanup_free_ char *url = str_format("%s%s/", origin, s->endpoint->prefix);

        if (!url)
                return err_nomem();
        return http_send(s->http,
                         &(struct http_request){.method = "GET", .url = url, .own_headers = s->endpoint->headers}, ret);
}

static err *meet(struct registry *r, struct server *s, const char *origin, const struct http_answer *a)
{
        _cleanup_credentials_ struct auth_credentials credentials = {0};
        _cleanup_challenge_ struct auth_challenge challenge = {0};

        for (char **h = a->headers; a->status == 401 && h && *h; h++) {
                const char *value = str_after(*h, "www-authenticate: ");

                if (value)
                        TRY_WRAP(auth_parse(value, &challenge), "%s", a->url);
        }
        if (a->status == 401 && challenge.scheme == AUTH_NONE)
                return err_new(ERR_DENIED, "%s wants a way to authenticate that is not known here", origin);
        if (challenge.scheme != AUTH_NONE)
                TRY(credentials_find(&r->options, s->endpoint->host, s->endpoint->path, &credentials));
        TRY(auth_new(origin, &challenge, &credentials, r->options.token_realms, &s->auth));
        s->origin = str_dup(origin);
        return s->origin ? NULL : err_nomem();
}

/* The loopback is tried without encryption first: nobody listens there, and a failed handshake costs 15 ms. Elsewhere
 * http comes second, and only where it is allowed. */
err *client_connect(struct registry *r, struct server *s)
{
        const struct endpoint *e = s->endpoint;
        const char *schemes[2] = {"https", NULL};
        _cleanup_free_ char *name = NULL;
        _cleanup_err_ err *first = NULL;
        uint16_t port;

        if (s->origin)
                return NULL;
        TRY(new_http(r, s));
        TRY(url_split_host(e->host, &name, &port));
        if (e->plain_only) {
                schemes[0] = "http";
        } else if (e->plain) {
                bool here = url_is_loopback(name);

                schemes[here ? 0 : 1] = "http";
                schemes[here ? 1 : 0] = "https";
        }
        for (size_t i = 0; i < 2 && schemes[i]; i++) {
                bool last = i == 1 || !schemes[1], plain = strcmp(schemes[i], "http") == 0;
                _cleanup_free_ char *origin = str_format("%s://%s", schemes[i], e->host);
                _cleanup_answer_ struct http_answer a = {0};
                err *failed;

                if (!origin)
                        return err_nomem();
                failed = ping(s, origin, &a);
                if (!failed && (last || !looks_wrong(&a)))
                        return meet(r, s, origin, &a);
                if (failed && err_code(failed) != ERR_NETWORK)
                        return failed;
                /* What http says of the place is what matters when both fail. */
                if (failed && (plain || !first)) {
                        err_free(first);
                        first = failed;
                } else {
                        err_free(failed);
                }
                if (last)
                        return TAKE_PTR(first);
        }
        return err_new(ERR_INTERNAL, "no way to reach %s", e->host);
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
        if (r->options.push && e->mirror)
                return false;
        return e->use == ENDPOINT_ALL || (e->use == ENDPOINT_DIGEST_ONLY) == by_digest;
}

err *client_each(struct registry *r, bool by_digest, err *(*f)(struct registry *r, struct server *s, void *arg),
                 void *arg)
{
        _cleanup_err_ err *why = NULL;
        size_t first = r->current, n = r->endpoints.n;

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
                log_warn("the mirror %s does not have it, going on without", e->host);
                err_free(why);
                why = failed;
        }
        return why ? TAKE_PTR(why) : err_new(ERR_NOT_FOUND, "no server for %s", r->domain);
}
