/* endpoint.c - see endpoint.h.
 *
 * The order: mirrors of registries.conf, hod's own mirrors (of docker.io only, as docker), hosts of containerd's
 * hosts.toml, the registry itself. */
#include "registry/endpoint.h"

#include "base/str.h"
#include "registry/credentials.h"
#include "registry/hosts_toml.h"
#include "registry/registries_conf.h"
#include "registry/url.h"

void endpoint_done(struct endpoint *e)
{
        free(e->host);
        free(e->key);
        free(e->prefix);
        free(e->path);
        strv_free(e->ca_files);
        free(e->client_cert);
        free(e->client_key);
        strv_free(e->headers);
        *e = (struct endpoint){0};
}

void endpoints_done(struct endpoints *e)
{
        for (size_t i = 0; i < e->n; i++)
                endpoint_done(&e->list[i]);
        free(e->list);
        *e = (struct endpoints){0};
}

err *endpoints_add(struct endpoints *list, struct endpoint *e)
{
        if (mem_grow(&list->list, list->n, sizeof(*list->list)) < 0) {
                endpoint_done(e);
                return err_nomem();
        }
        list->list[list->n++] = *e;
        *e = (struct endpoint){0};
        return NULL;
}

/* ---- how far a place is trusted ---- */

static bool listed(char *const *list, const char *host, const char *name)
{
        for (; list && *list; list++)
                if (strcasecmp(*list, host) == 0 || url_in_cidr(name, *list))
                        return true;
        return false;
}

/* @insecure: some configuration says so of this place. */
static err *set_trust(const struct registry_options *o, bool insecure, struct endpoint *e)
{
        _cleanup_free_ char *name = NULL;
        uint16_t port;

        TRY(url_split_host(e->host, &name, &port));
        if (o->tls_verify >= 0) {
                e->insecure = e->plain = o->tls_verify == 0;
                if (e->plain_only && !e->plain && !url_is_loopback(name))
                        return err_new(ERR_DENIED, "%s is configured without TLS, which --tls-verify forbids", e->host);
                return NULL;
        }
        if (insecure || e->insecure || listed(o->insecure, e->host, name) || listed(o->insecure, e->key, name))
                e->insecure = e->plain = true;
        if (url_is_loopback(name))
                e->plain = true;
        return NULL;
}

static err *complete(const struct registry_options *o, bool insecure, struct endpoint *e)
{
        TRY(set_trust(o, insecure, e));
        return hosts_toml_certificates(o, e->host, e);
}

/* ---- one place ---- */

/* "host[:port][/path]" and what stands behind it in the name. */
static err *add_place(const struct registry_options *o, const char *location, bool mirror, bool insecure,
                      enum endpoint_for use, struct endpoints *list)
{
        struct endpoint e = {.mirror = mirror, .use = use};
        size_t n = strcspn(location, "/");
        const char *path = location[n] ? location + n + 1 : NULL;
        err *failed;

        e.key = strndup(location, n);
        e.host = str_dup(e.key && strcmp(e.key, DOCKER_IO) == 0 ? DOCKER_IO_SERVER : e.key);
        e.prefix = str_dup("/v2");
        if (!str_empty(path))
                e.path = str_format("%s%s",
                                    strchr(path, '/') || strcmp(e.key ? e.key : "", DOCKER_IO) != 0 ? "" : "library/",
                                    path);
        failed = !e.key || !e.host || !e.prefix || (!str_empty(path) && !e.path) ? err_nomem()
                                                                                 : complete(o, insecure, &e);
        if (!failed)
                return endpoints_add(list, &e);
        endpoint_done(&e);
        return failed;
}

/* ---- registries.conf ---- */

static enum endpoint_for use_of(const json *table, const json *mirror)
{
        const char *from = json_get_str_or(mirror, "pull-from-mirror", "all");

        if (strcmp(from, "digest-only") == 0 || json_get_bool(table, "mirror-by-digest-only", false))
                return ENDPOINT_DIGEST_ONLY;
        return strcmp(from, "tag-only") == 0 ? ENDPOINT_TAG_ONLY : ENDPOINT_ALL;
}

/* The table for the repository: its mirrors are added, and *@ret_location becomes where the registry itself is. */
static err *from_conf(const struct registry_options *o, const struct reference *r, struct endpoints *list,
                      char **ret_location, bool *ret_insecure)
{
        _cleanup_registries_ struct registries_conf conf = {0};
        _cleanup_free_ char *name = NULL;
        const json *table, *mirrors;
        const char *location;
        size_t covered = 0;

        name = str_format("%s%s%s", r->domain, r->path ? "/" : "", r->path ? r->path : "");
        if (!name)
                return err_nomem();
        TRY(registries_conf_load(o, &conf));
        table = registries_conf_find(&conf, name, &covered);
        if (table && json_get_bool(table, "blocked", false))
                return err_new(ERR_DENIED, "registry %s is blocked in registries.conf", r->domain);
        mirrors = o->push || !r->path ? NULL : json_get(table, "mirror");
        for (size_t i = 0; i < json_len(mirrors); i++) {
                const json *m = json_at(mirrors, i);
                _cleanup_free_ char *place = str_format("%s%s", json_get_str(m, "location"), name + covered);

                if (!place)
                        return err_nomem();
                TRY(add_place(o, place, true, json_get_bool(m, "insecure", false), use_of(table, m), list));
        }
        *ret_insecure = json_get_bool(table, "insecure", false);
        location = r->path ? json_get_str(table, "location") : NULL; /* who logs in, does so under the name */
        *ret_location = str_empty(location) ? TAKE_PTR(name) : str_format("%s%s", location, name + covered);
        return *ret_location ? NULL : err_nomem();
}

/* ---- hosts.toml and our own mirrors ---- */

static err *from_hosts(const struct registry_options *o, const struct reference *r, struct endpoints *list,
                       bool *ret_server)
{
        _cleanup_endpoints_ struct endpoints found = {0};

        TRY(hosts_toml_load(o, r->domain, &found, ret_server));
        for (size_t i = 0; i < found.n; i++) {
                struct endpoint *e = &found.list[i];

                if (e->mirror && (o->push || !r->path))
                        continue;
                e->path = str_dup(r->path);
                if (r->path && !e->path)
                        return err_nomem();
                if (!e->mirror) { /* the server itself: our credentials are for its name */
                        free(e->key);
                        e->key = str_dup(r->domain);
                        if (!e->key)
                                return err_nomem();
                }
                TRY(complete(o, e->insecure, e));
                TRY(endpoints_add(list, e));
        }
        return NULL;
}

static err *own_mirror(const struct registry_options *o, const char *address, const struct reference *r,
                       struct endpoint *e)
{
        _cleanup_free_ char *origin = NULL;
        _cleanup_url_ struct url u = {0};
        size_t n;

        TRY_WRAP(url_parse(address, &u), "registry-mirrors");
        if (strchr(u.path, '?'))
                return err_new(ERR_INVALID, "registry-mirrors: '%s' has a query", address);
        TRY(url_origin(&u, &origin));
        n = strlen(u.path);
        while (n && u.path[n - 1] == '/')
                n--;
        e->mirror = true;
        e->plain_only = !u.tls;
        e->host = str_dup(strstr(origin, "://") + 3);
        e->key = str_dup(e->host);
        e->prefix = str_format("%.*s/v2", (int)n, u.path);
        e->path = str_dup(r->path);
        if (!e->host || !e->key || !e->prefix || !e->path)
                return err_nomem();
        return complete(o, false, e);
}

static err *from_own(const struct registry_options *o, const struct reference *r, struct endpoints *list)
{
        if (o->push || !r->path || strcmp(r->domain, DOCKER_IO) != 0)
                return NULL;
        for (char *const *p = o->mirrors; p && *p; p++) {
                struct endpoint e = {0};
                err *failed = own_mirror(o, *p, r, &e);

                if (failed) {
                        endpoint_done(&e);
                        return failed;
                }
                TRY(endpoints_add(list, &e));
        }
        return NULL;
}

err *endpoint_find(const struct registry_options *o, const struct reference *r, struct endpoints *ret)
{
        _cleanup_endpoints_ struct endpoints list = {0};
        _cleanup_free_ char *location = NULL;
        bool insecure = false, server = false;

        TRY(from_conf(o, r, &list, &location, &insecure));
        TRY(from_own(o, r, &list));
        TRY(from_hosts(o, r, &list, &server));
        if (!server)
                TRY(add_place(o, location, false, insecure, ENDPOINT_ALL, &list));
        for (size_t i = 0; i < list.n; i++)
                TRY(credentials_headers(o, &list.list[i].headers));
        *ret = list;
        list = (struct endpoints){0};
        return NULL;
}
