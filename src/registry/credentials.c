/* credentials.c - see credentials.h: finding. */
#include "registry/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "codec/json.h"
#include "registry/base64.h"
#include "registry/credentials_private.h"
#include "registry/files.h"
#include "registry/helper.h"

const char *credentials_server(const char *key)
{
        return strcmp(key, DOCKER_IO) == 0 ? DOCKER_IO_KEY : key;
}

/* A key of a file without what old versions wrote around it: "https://host/v1/" → "host". */
static void normalize(const char *key, char *buf, size_t size)
{
        const char *rest = str_after(key, "https://");
        size_t n;

        if (!rest)
                rest = str_after(key, "http://");
        n = rest ? strcspn(rest, "/") : strlen(key);
        (void)snprintf(buf, size, "%.*s", (int)n, rest ? rest : key);
        n = strlen(buf);
        while (n && buf[n - 1] == '/')
                buf[--n] = '\0';
        if (strcmp(buf, DOCKER_IO_INDEX) == 0 || strcmp(buf, DOCKER_IO_SERVER) == 0)
                (void)snprintf(buf, size, DOCKER_IO);
}

/* The member of @obj for the place @place; *@ret_key is how it is written there. */
static const json *member(const json *obj, const char *place, const char **ret_key)
{
        const json *found = NULL;

        JSON_EACH (obj, it) {
                char plain[512];

                normalize(it.key, plain, sizeof(plain));
                if (strcmp(it.key, credentials_server(place)) == 0 || (!found && strcmp(plain, place) == 0)) {
                        found = it.value;
                        *ret_key = it.key;
                }
        }
        return found;
}

bool credentials_has(const json *obj, const char *place, const char **ret_key)
{
        return member(obj, place, ret_key) != NULL;
}

/* ---- an entry ---- */

static err *copy(const char *text, char **ret)
{
        *ret = str_dup(text);
        return text && !*ret ? err_nomem() : NULL;
}

static err *read_entry(const json *entry, struct auth_credentials *ret)
{
        const char *auth = json_get_str(entry, "auth"), *identity = json_get_str(entry, "identitytoken");
        _cleanup_free_ char *pair = NULL;
        size_t size = 0;
        char *colon;

        if (!str_empty(identity))
                return copy(identity, &ret->identity);
        if (str_empty(auth)) {
                if (str_empty(json_get_str(entry, "username")))
                        return NULL;
                TRY(copy(json_get_str(entry, "username"), &ret->user));
                return copy(json_get_str_or(entry, "password", ""), &ret->password);
        }
        TRY(base64_decode(auth, &pair, &size));
        colon = strchr(pair, ':');
        if (!colon || strlen(pair) != size)
                return err_new(ERR_INVALID, "'auth' is not of the form user:password");
        *colon = '\0';
        TRY(copy(pair, &ret->user));
        TRY(copy(colon + 1, &ret->password));
        explicit_bzero(colon + 1, strlen(colon + 1));
        return NULL;
}

static bool is_empty(const struct auth_credentials *c)
{
        return !c->user && !c->identity;
}

/* ---- a file ---- */

const char *credentials_helper(const json *doc, const char *place, const char **ret_key)
{
        const char *key = NULL, *helper;

        helper = json_str(member(json_get(doc, "credHelpers"), place, &key));
        if (!str_empty(helper)) {
                *ret_key = key;
                return helper;
        }
        helper = json_get_str(doc, "credsStore");
        *ret_key = credentials_server(place);
        return str_empty(helper) ? NULL : helper;
}

/* "a/b/c" → "a/b"; false when there is nothing to cut. */
static bool shorten(char *place)
{
        char *slash = strrchr(place, '/');

        if (!slash)
                return false;
        *slash = '\0';
        return true;
}

static err *find_in(const struct registry_options *o, const char *name, const json *doc, const char *key,
                    const char *path, struct auth_credentials *ret)
{
        _cleanup_free_ char *place = str_format("%s%s%s", key, path ? "/" : "", path ? path : "");
        const char *helper, *written = NULL;

        if (!place)
                return err_nomem();
        helper = credentials_helper(doc, key, &written);
        if (helper) {
                bool found;

                TRY_WRAP(helper_get(o, helper, written, ret, &found), "%s", name);
                return NULL;
        }
        do {
                const json *entry = member(json_get(doc, "auths"), place, &written);

                if (!entry)
                        continue;
                TRY_WRAP(read_entry(entry, ret), "%s: auths: %s", name, written);
                if (!is_empty(ret))
                        return NULL;
        } while (shorten(place));
        return NULL;
}

err *credentials_read(const char *path, bool must, json **ret)
{
        _cleanup_json_ json *doc = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        *ret = NULL;
        TRY(files_read(path, must, &text, &size));
        if (!text || strspn(text, " \t\r\n") == size)
                return NULL;
        TRY_WRAP(json_parse(text, size, &doc), "%s", path);
        if (doc)
                TRY_WRAP(json_expect(doc, JSON_OBJECT, "the configuration"), "%s", path);
        *ret = TAKE_PTR(doc);
        return NULL;
}

static err *find_in_file(const struct registry_options *o, const char *path, bool must, const char *key,
                         const char *repository, struct auth_credentials *ret)
{
        _cleanup_json_ json *doc = NULL;

        TRY(credentials_read(path, must, &doc));
        return doc ? find_in(o, path, doc, key, repository, ret) : NULL;
}

/* ---- the files ---- */

const char *credentials_own_file(const struct registry_options *o)
{
        return str_empty(o->auth_file) ? files_variable(o, "REGISTRY_AUTH_FILE") : o->auth_file;
}

err *credentials_docker_file(const struct registry_options *o, char **ret)
{
        _cleanup_free_ char *dir = NULL;

        TRY(files_docker(o, &dir));
        *ret = dir ? str_format("%s/config.json", dir) : NULL;
        return dir && !*ret ? err_nomem() : NULL;
}

/* ${XDG_RUNTIME_DIR}/containers/auth.json, or /run/containers/UID/auth.json without it. */
static err *runtime_file(const struct registry_options *o, char **ret)
{
        const char *dir = files_variable(o, "XDG_RUNTIME_DIR");
        char path[64];

        if (dir && *dir == '/') {
                *ret = str_format("%s/containers/auth.json", dir);
                return *ret ? NULL : err_nomem();
        }
        (void)snprintf(path, sizeof(path), "/run/containers/%u/auth.json", geteuid());
        return files_system(o, path, ret);
}

static err *find_everywhere(const struct registry_options *o, const char *key, const char *path,
                            struct auth_credentials *ret)
{
        const char *text = files_variable(o, "DOCKER_AUTH_CONFIG");
        _cleanup_free_ char *files[3] = {NULL, NULL, NULL};
        err *e = NULL;

        if (text) {
                _cleanup_json_ json *doc = NULL;

                TRY_WRAP(json_parse(text, strlen(text), &doc), "DOCKER_AUTH_CONFIG");
                TRY(find_in(o, "DOCKER_AUTH_CONFIG", doc, key, path, ret));
        }
        if (is_empty(ret))
                e = credentials_docker_file(o, &files[0]);
        if (!e && is_empty(ret))
                e = runtime_file(o, &files[1]);
        if (!e && is_empty(ret))
                e = files_user(o, "containers/auth.json", &files[2]);
        for (size_t i = 0; i < ARRAY_SIZE(files) && !e && is_empty(ret); i++)
                if (files[i])
                        e = find_in_file(o, files[i], false, key, path, ret);
        for (size_t i = 1; i < ARRAY_SIZE(files); i++)
                free(files[i]);
        return e;
}

err *credentials_find(const struct registry_options *o, const char *key, const char *path, struct auth_credentials *ret)
{
        const char *own = credentials_own_file(o), *colon;

        if (o->creds) {
                colon = strchr(o->creds, ':');
                ret->user = colon ? strndup(o->creds, (size_t)(colon - o->creds)) : str_dup(o->creds);
                ret->password = str_dup(colon ? colon + 1 : "");
                return ret->user && ret->password ? NULL : err_nomem();
        }
        return own ? find_in_file(o, own, true, key, path, ret) : find_everywhere(o, key, path, ret);
}

err *credentials_headers(const struct registry_options *o, char ***list)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_json_ json *doc = NULL;

        TRY(credentials_docker_file(o, &path));
        if (!path)
                return NULL;
        TRY(credentials_read(path, false, &doc));
        JSON_EACH (json_get(doc, "HttpHeaders"), it)
                if (strncasecmp(it.key, "X-Meta-", 7) == 0 && json_str(it.value))
                        TRY(strv_push(list, str_format("%s: %s", it.key, json_str(it.value))));
        return NULL;
}
