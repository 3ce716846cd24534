/* client_login.c - see client.h: what concerns a registry as a whole. */
#include <stdio.h>

#include "registry/client_private.h"
#include "registry/credentials.h"
#include "registry/failure.h"
#include "registry/url.h"

#define SEARCH_MAX (4u << 20)

err *registry_login(struct registry *r, const struct auth_credentials *c, char **ret_token)
{
        _cleanup_credentials_ struct auth_credentials copy = {0};
        _cleanup_answer_ struct http_answer a = {0};
        struct server *s = client_main(r);
        char status[64];

        *ret_token = NULL;
        TRY(auth_credentials_copy(c, &copy));
        TRY(client_connect(r, s));
        auth_set_credentials(s->auth, &copy);
        TRY(client_send(r, s, &(struct client_request){.method = "GET", .suffix = "", .scope = ""}, &a, NULL));
        if (a.status != 200)
                return err_new(ERR_DENIED, "login attempt to %s failed with status: %s", a.url,
                               failure_status(a.status, status, sizeof(status)));
        if (auth_identity(s->auth)) {
                *ret_token = str_dup(auth_identity(s->auth));
                return *ret_token ? NULL : err_nomem();
        }
        return NULL;
}

/* ---- search ---- */

static err *read_results(const struct http_answer *a, json **ret)
{
        _cleanup_json_ json *doc = NULL;
        json *results;

        if (a->status != 200)
                return failure_of(a, "search");
        TRY_WRAP(json_parse(a->data, a->size, &doc), "the answer to the search");
        results = json_get(doc, "results");
        TRY_WRAP(json_expect(results, JSON_ARRAY, "results"), "the answer to the search");
        *ret = json_ref(results);
        return NULL;
}

/* With a password, if one is wanted and known. */
static err *search_again(struct registry *r, struct server *s, const char *origin, const char *path,
                         struct http_answer *a)
{
        _cleanup_credentials_ struct auth_credentials c = {0};
        _cleanup_challenge_ struct auth_challenge wanted = {0};
        _cleanup_free_ char *url = NULL, *authorization = NULL;
        _cleanup_(auth_freep) struct auth *auth = NULL;
        const char *value = http_answer_header(a, "www-authenticate");

        if (!value)
                return NULL;
        TRY(auth_parse(value, &wanted));
        TRY(credentials_find(&r->options, s->endpoint->key, NULL, &c));
        if (!c.user && !c.identity)
                return NULL;
        TRY(auth_new(origin, &wanted, &c, r->options.token_realms, &auth));
        TRY(auth_authorize(auth, s->http, wanted.scope, &authorization));
        url = str_format("%s%s", origin, path);
        if (!url)
                return err_nomem();
        http_answer_done(a);
        return http_send(s->http,
                         &(struct http_request){.method = "GET",
                                                .url = url,
                                                .authorization = authorization,
                                                .own_headers = s->endpoint->headers,
                                                .max_answer = SEARCH_MAX},
                         a);
}

err *registry_search(struct registry *r, const char *term, unsigned limit, json **ret)
{
        struct server *s = client_main(r);
        struct endpoint *e = &r->endpoints.list[s - r->servers];
        _cleanup_answer_ struct http_answer a = {0};
        _cleanup_free_ char *origin = NULL;
        _cleanup_str_ struct str path = {0};

        if (strcmp(e->host, DOCKER_IO_SERVER) == 0) {
                free(e->host);
                e->host = str_dup(DOCKER_IO_INDEX);
                if (!e->host)
                        return err_nomem();
        }
        str_add(&path, "/v1/search?q=");
        url_encode(&path, term);
        str_printf(&path, "&n=%u", limit);
        TRY(str_done(&path));
        TRY(client_try_schemes(r, s, str_text(&path), &a, &origin));
        if (a.status == 401)
                TRY(search_again(r, s, origin, str_text(&path), &a));
        return read_results(&a, ret);
}
