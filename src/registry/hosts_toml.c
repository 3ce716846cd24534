/* hosts_toml.c - see hosts_toml.h. */
#include "registry/hosts_toml.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "codec/toml.h"
#include "registry/files.h"
#include "registry/url.h"

/* ---- certs.d ---- */

static err *add_file(char ***list, const char *dir, const char *name)
{
        return strv_push(list, str_format("%s/%s", dir, name));
}

/* As docker: *.crt is trusted, x.cert with x.key is our own. */
static err *read_directory(const char *dir, struct endpoint *e)
{
        _cleanup_strv_ char **crt = NULL, **cert = NULL, **key = NULL;

        TRY(files_list(dir, ".crt", &crt));
        TRY(files_list(dir, ".cert", &cert));
        TRY(files_list(dir, ".key", &key));
        for (char **p = crt; p && *p; p++)
                TRY(add_file(&e->ca_files, dir, *p));
        for (char **p = cert; p && *p; p++) {
                _cleanup_free_ char *want = str_format("%.*s.key", (int)(strlen(*p) - strlen(".cert")), *p);

                if (!want)
                        return err_nomem();
                if (!key || !strv_contains(key, want))
                        return err_new(ERR_INVALID,
                                       "missing key %s for client certificate %s in %s. CA certificates must use the "
                                       "extension .crt",
                                       want, *p, dir);
                if (e->client_cert)
                        continue;
                e->client_cert = str_format("%s/%s", dir, *p);
                e->client_key = str_format("%s/%s", dir, want);
                if (!e->client_cert || !e->client_key)
                        return err_nomem();
        }
        for (char **p = key; p && *p; p++) {
                _cleanup_free_ char *want = str_format("%.*s.cert", (int)(strlen(*p) - strlen(".key")), *p);

                if (!want)
                        return err_nomem();
                if (!cert || !strv_contains(cert, want))
                        return err_new(ERR_INVALID, "missing client certificate %s for key %s in %s", want, *p, dir);
        }
        return NULL;
}

err *hosts_toml_certificates(const struct registry_options *o, const char *host, struct endpoint *e)
{
        static const char *const system[] = {"/etc/containers/certs.d", "/etc/docker/certs.d",
                                             "/etc/containerd/certs.d"};
        static const char *const user[] = {"containers/certs.d", "docker/certs.d"};

        if (o->cert_dir) {
                if (access(o->cert_dir, R_OK | X_OK) < 0) /* the others need not be there; this one was asked for */
                        return err_sys(errno, "opening the directory of certificates %s", o->cert_dir);
                return read_directory(o->cert_dir, e);
        }
        for (size_t i = 0; i < ARRAY_SIZE(user); i++) {
                _cleanup_free_ char *base = NULL, *dir = NULL;

                TRY(files_user(o, user[i], &base));
                dir = base ? str_format("%s/%s", base, host) : NULL;
                if (base && !dir)
                        return err_nomem();
                if (dir)
                        TRY(read_directory(dir, e));
        }
        for (size_t i = 0; i < ARRAY_SIZE(system); i++) {
                _cleanup_free_ char *base = NULL, *dir = NULL;

                TRY(files_system(o, system[i], &base));
                dir = str_format("%s/%s", base, host);
                if (!dir)
                        return err_nomem();
                TRY(read_directory(dir, e));
        }
        return NULL;
}

/* ---- hosts.toml ---- */

static err *absolute(const char *dir, const char *file, char **ret)
{
        *ret = *file == '/' ? str_dup(file) : str_format("%s/%s", dir, file);
        return *ret ? NULL : err_nomem();
}

/* ca = "x" or ["x", "y"] */
static err *read_ca(const json *table, const char *dir, struct endpoint *e)
{
        const json *ca = json_get(table, "ca");

        if (!ca)
                return NULL;
        for (size_t i = 0; i < (json_kind(ca) == JSON_ARRAY ? json_len(ca) : 1); i++) {
                const json *one = json_kind(ca) == JSON_ARRAY ? json_at(ca, i) : ca;
                char *path;

                TRY(json_expect(one, JSON_STRING, "ca"));
                TRY(absolute(dir, json_str(one), &path));
                TRY(strv_push(&e->ca_files, path));
        }
        return NULL;
}

/* client = "both.pem", ["both.pem"] or [["cert", "key"]]: the first is used */
static err *read_client(const json *table, const char *dir, struct endpoint *e)
{
        const json *client = json_get(table, "client"), *cert, *key;

        if (!client)
                return NULL;
        if (json_kind(client) == JSON_ARRAY)
                client = json_at(client, 0);
        cert = key = client;
        if (json_kind(client) == JSON_ARRAY) {
                cert = json_at(client, 0);
                key = json_len(client) > 1 ? json_at(client, 1) : cert;
        }
        TRY(json_expect(cert, JSON_STRING, "client"));
        TRY(json_expect(key, JSON_STRING, "client"));
        TRY(absolute(dir, json_str(cert), &e->client_cert));
        if (!*json_str(key)) /* containerd's form for "in the same file" */
                key = cert;
        return absolute(dir, json_str(key), &e->client_key);
}

static err *read_headers(const json *table, struct endpoint *e)
{
        const json *headers = json_get(table, "header");

        if (!headers)
                return NULL;
        TRY(json_expect(headers, JSON_OBJECT, "header"));
        JSON_EACH (headers, it) {
                for (size_t i = 0; i < (json_kind(it.value) == JSON_ARRAY ? json_len(it.value) : 1); i++) {
                        const json *one = json_kind(it.value) == JSON_ARRAY ? json_at(it.value, i) : it.value;

                        TRY(json_expect(one, JSON_STRING, "header"));
                        TRY(strv_push(&e->headers, str_format("%s: %s", it.key, json_str(one))));
                }
        }
        return NULL;
}

/* Without capabilities a host can do everything. */
static err *read_capabilities(const json *table, bool *ret_pull, struct endpoint *e)
{
        _cleanup_strv_ char **list = NULL;

        *ret_pull = true;
        if (!json_get(table, "capabilities"))
                return NULL;
        TRY(json_get_strv(table, "capabilities", &list));
        *ret_pull = list && strv_contains(list, "pull");
        if (!list || !strv_contains(list, "resolve"))
                e->use = ENDPOINT_DIGEST_ONLY;
        return NULL;
}

/* "https://host:port/path", or without the scheme */
static err *read_address(const char *text, bool override_path, struct endpoint *e)
{
        _cleanup_free_ char *full = NULL, *origin = NULL;
        _cleanup_url_ struct url u = {0};
        size_t n;

        full = strstr(text, "://") ? str_dup(text) : str_format("https://%s", text);
        if (!full)
                return err_nomem();
        TRY(url_parse(full, &u));
        TRY(url_origin(&u, &origin));
        e->host = str_dup(strstr(origin, "://") + 3);
        e->plain_only = !u.tls;
        e->plain = !strstr(text, "://") && url_is_loopback(u.host);
        n = strcspn(u.path, "?");
        while (n && u.path[n - 1] == '/')
                n--;
        if (n >= 3 && strncmp(u.path + n - 3, "/v2", 3) == 0)
                override_path = true;
        e->prefix = str_format("%.*s%s", (int)n, u.path, override_path ? "" : "/v2");
        e->key = str_dup(e->host);
        return e->host && e->prefix && e->key ? NULL : err_nomem();
}

static err *read_host(const char *address, const json *table, const char *dir, struct endpoint *e, bool *ret_pull)
{
        TRY(json_expect(table, JSON_OBJECT, "host"));
        TRY(read_address(address, json_get_bool(table, "override_path", false), e));
        TRY(read_ca(table, dir, e));
        TRY(read_client(table, dir, e));
        TRY(read_headers(table, e));
        e->insecure = json_get_bool(table, "skip_verify", false);
        return read_capabilities(table, ret_pull, e);
}

static err *append_host(const char *address, const json *table, const char *dir, bool mirror, struct endpoints *list)
{
        struct endpoint e = {.mirror = mirror};
        bool pull = true;
        err *failed = read_host(address, table, dir, &e, &pull);

        if (!failed && !pull && !mirror) /* the server itself stays the one to push to */
                e.use = ENDPOINT_PUSH_ONLY;
        if (!failed && (pull || !mirror))
                return endpoints_add(list, &e);
        endpoint_done(&e);
        return failed;
}

err *hosts_toml_parse(const char *name, const char *text, size_t size, const char *dir, struct endpoints *list,
                      bool *ret_server)
{
        _cleanup_json_ json *doc = NULL;
        const char *server;

        TRY_WRAP(toml_parse(text, size, &doc), "%s", name);
        if (json_get(doc, "host"))
                TRY_WRAP(json_expect(json_get(doc, "host"), JSON_OBJECT, "host"), "%s", name);
        JSON_EACH (json_get(doc, "host"), it)
                TRY_WRAP(append_host(it.key, it.value, dir, true, list), "%s: host '%s'", name, it.key);
        server = json_get_str(doc, "server");
        *ret_server = !str_empty(server);
        if (*ret_server)
                TRY_WRAP(append_host(server, doc, dir, false, list), "%s: server '%s'", name, server);
        return NULL;
}

err *hosts_toml_load(const struct registry_options *o, const char *host, struct endpoints *list, bool *ret_server)
{
        _cleanup_free_ char *base = NULL;
        char *colon;

        *ret_server = false;
        TRY(files_system(o, "/etc/containerd/certs.d", &base));
        for (int form = 0; form < 3; form++) {
                _cleanup_free_ char *dir = NULL, *file = NULL, *text = NULL;
                size_t size = 0;
                int r;

                dir = form == 0   ? str_format("%s/%s", base, host)
                      : form == 1 ? str_format("%s/%s_", base, host)
                                  : str_format("%s/_default", base);
                if (!dir)
                        return err_nomem();
                /* "host_port_" where a colon is not allowed in names */
                colon = form == 1 ? strchr(dir + strlen(base), ':') : NULL;
                if (form == 1 && !colon)
                        continue;
                if (colon)
                        *colon = '_';
                file = str_format("%s/hosts.toml", dir);
                if (!file)
                        return err_nomem();
                r = file_read(AT_FDCWD, file, FILES_MAX, &text, &size);
                if (r == -ENOENT || r == -ENOTDIR || r == -EACCES)
                        continue;
                if (r < 0)
                        return err_sys(r, "reading %s", file);
                return hosts_toml_parse(file, text, size, dir, list, ret_server);
        }
        return NULL;
}
