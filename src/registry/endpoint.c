/* endpoint.c - see endpoint.h. */
#include "registry/endpoint.h"

#include "base/str.h"
#include "registry/url.h"

/* What stands behind the name docker.io. */
#define DEFAULT_NAME "docker.io"
#define DEFAULT_SERVER "registry-1.docker.io"

void endpoint_done(struct endpoint *e)
{
        free(e->host);
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

err *endpoint_find(const struct registry_options *o, const struct reference *r, struct endpoints *ret)
{
        _cleanup_endpoints_ struct endpoints all = {MEM_NEW0(struct endpoint, 1), 1};
        _cleanup_free_ char *name = NULL;
        struct endpoint *e = all.list;
        uint16_t port;

        if (!e) {
                all.n = 0;
                return err_nomem();
        }
        e->host = str_dup(str_eq(r->domain, DEFAULT_NAME) ? DEFAULT_SERVER : r->domain);
        e->prefix = str_dup("/v2");
        e->path = str_dup(r->path);
        if (!e->host || !e->prefix || (r->path && !e->path))
                return err_nomem();
        TRY(url_split_host(e->host, &name, &port));
        e->plain = o->tls_verify == 0 || (o->tls_verify < 0 && url_is_loopback(name));
        e->insecure = o->tls_verify == 0;
        *ret = all;
        all = (struct endpoints){0};
        return NULL;
}
