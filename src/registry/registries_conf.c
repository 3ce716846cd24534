/* registries_conf.c - see registries_conf.h. */
#include "registry/registries_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "codec/toml.h"
#include "oci/reference.h"
#include "registry/files.h"

void registries_conf_done(struct registries_conf *c)
{
        strv_free(c->search);
        json_free(c->aliases);
        json_free(c->registries);
        *c = (struct registries_conf){0};
}

/* ---- one file ---- */

static err *check_string(const json *table, const char *key, const char *name)
{
        const json *value = json_get(table, key);

        if (!value)
                return NULL;
        TRY_WRAP(json_expect(value, JSON_STRING, key), "%s", name);
        if (strlen(json_str(value)) != json_str_len(value))
                return err_new(ERR_INVALID, "%s: %s contains a NUL byte", name, key);
        return NULL;
}

static err *check_bool(const json *table, const char *key, const char *name)
{
        if (json_get(table, key))
                TRY_WRAP(json_expect(json_get(table, key), JSON_BOOL, key), "%s", name);
        return NULL;
}

/* host[:port][/path], without a scheme and a final slash */
static err *check_place(const char *place, const char *key, const char *name)
{
        if (strstr(place, "://") || str_ends(place, "/") || *place == '/' || strstr(place, "//") ||
            strstr(place, "..") ||
            place[strspn(place, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:/[]@")])
                return err_new(ERR_INVALID, "%s: %s '%s' is not of the form host[:port][/path]", name, key, place);
        return NULL;
}

static err *check_mirror(const json *mirror, const char *name)
{
        const char *from;

        TRY_WRAP(json_expect(mirror, JSON_OBJECT, "registry.mirror"), "%s", name);
        TRY(check_string(mirror, "location", name));
        TRY(check_string(mirror, "pull-from-mirror", name));
        TRY(check_bool(mirror, "insecure", name));
        if (str_empty(json_get_str(mirror, "location")))
                return err_new(ERR_INVALID, "%s: a mirror without a location", name);
        TRY(check_place(json_get_str(mirror, "location"), "location", name));
        from = json_get_str_or(mirror, "pull-from-mirror", "all");
        if (strcmp(from, "all") != 0 && strcmp(from, "digest-only") != 0 && strcmp(from, "tag-only") != 0)
                return err_new(ERR_INVALID, "%s: unsupported pull-from-mirror value '%s'", name, from);
        return NULL;
}

static const char *prefix_of(const json *table)
{
        const char *prefix = json_get_str(table, "prefix");

        return str_empty(prefix) ? json_get_str_or(table, "location", "") : prefix;
}

static err *check_registry(const json *table, const char *name)
{
        static const char *const strings[] = {"prefix", "location"};
        static const char *const bools[] = {"insecure", "blocked", "mirror-by-digest-only"};
        const char *prefix, *location;
        const json *mirrors;

        TRY_WRAP(json_expect(table, JSON_OBJECT, "registry"), "%s", name);
        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                TRY(check_string(table, strings[i], name));
        for (size_t i = 0; i < ARRAY_SIZE(bools); i++)
                TRY(check_bool(table, bools[i], name));
        prefix = prefix_of(table);
        location = json_get_str_or(table, "location", "");
        if (!*prefix)
                return err_new(ERR_INVALID, "%s: a registry with neither prefix nor location", name);
        TRY(check_place(str_starts(prefix, "*.") ? prefix + 2 : prefix, "prefix", name));
        TRY(check_place(location, "location", name));
        if (str_starts(prefix, "*.") ? *location == '*' : strchr(prefix, '*') != NULL)
                return err_new(ERR_INVALID, "%s: a wildcard is only allowed at the beginning of a prefix: '%s'", name,
                               prefix);
        mirrors = json_get(table, "mirror");
        if (mirrors)
                TRY_WRAP(json_expect(mirrors, JSON_ARRAY, "registry.mirror"), "%s", name);
        for (size_t i = 0; i < json_len(mirrors); i++)
                TRY(check_mirror(json_at(mirrors, i), name));
        return NULL;
}

static err *add_aliases(const json *aliases, const char *name, struct registries_conf *c)
{
        if (!aliases)
                return NULL;
        TRY_WRAP(json_expect(aliases, JSON_OBJECT, "aliases"), "%s", name);
        if (!c->aliases)
                c->aliases = json_new_object();
        JSON_EACH (aliases, it) {
                _cleanup_reference_ struct reference r = {0};
                const char *to = json_str(it.value);

                if (!to || strlen(to) != json_str_len(it.value))
                        return err_new(ERR_INVALID, "%s: alias '%s' is not a string", name, it.key);
                if (!*to) { /* takes back an earlier one */
                        json_del(c->aliases, it.key);
                        continue;
                }
                TRY_WRAP(reference_parse(to, false, &r), "%s: alias '%s'", name, it.key);
                if (r.tag || r.digest || !str_starts(to, r.domain))
                        return err_new(ERR_INVALID, "%s: alias '%s' must be a repository with its registry: '%s'", name,
                                       it.key, to);
                json_set_str(c->aliases, it.key, to);
        }
        return NULL;
}

/* A table replaces an earlier one with the same prefix. */
static err *add_registries(json *list, const char *name, struct registries_conf *c)
{
        json *merged = NULL;

        if (!list)
                return NULL;
        TRY_WRAP(json_expect(list, JSON_ARRAY, "registry"), "%s", name);
        for (size_t i = 0; i < json_len(list); i++)
                TRY(check_registry(json_at(list, i), name));
        merged = json_new_array();
        for (size_t i = 0; i < json_len(list); i++)
                json_add(merged, json_ref(json_at(list, i)));
        for (size_t k = 0; k < json_len(c->registries); k++) {
                json *old = json_at(c->registries, k);
                bool replaced = false;

                for (size_t i = 0; i < json_len(list); i++)
                        replaced = replaced || strcmp(prefix_of(old), prefix_of(json_at(list, i))) == 0;
                if (!replaced)
                        json_add(merged, json_ref(old));
        }
        json_free(c->registries);
        c->registries = merged;
        return NULL;
}

static err *read_mode(const json *doc, const char *name, struct registries_conf *c)
{
        const char *mode;

        TRY(check_string(doc, "short-name-mode", name));
        mode = json_get_str(doc, "short-name-mode");
        if (str_empty(mode))
                return NULL;
        if (strcmp(mode, "enforcing") != 0 && strcmp(mode, "permissive") != 0 && strcmp(mode, "disabled") != 0)
                return err_new(ERR_INVALID, "%s: invalid short-name mode: \"%s\"", name, mode);
        c->enforcing = strcmp(mode, "enforcing") == 0;
        c->no_aliases = strcmp(mode, "disabled") == 0;
        return NULL;
}

err *registries_conf_parse(const char *name, const char *text, size_t size, struct registries_conf *c)
{
        _cleanup_json_ json *doc = NULL;

        TRY_WRAP(toml_parse(text, size, &doc), "%s", name);
        if (json_get(doc, "registries"))
                return err_new(ERR_INVALID, "%s: [registries.*] is version 1 of the format, which is not read any more",
                               name);
        if (json_get(doc, "unqualified-search-registries")) {
                _cleanup_strv_ char **search = NULL;

                TRY_WRAP(json_get_strv(doc, "unqualified-search-registries", &search), "%s", name);
                for (char **p = search; p && *p; p++)
                        if (!**p || strchr(*p, '/'))
                                return err_new(ERR_INVALID, "%s: unqualified-search-registries: '%s' is not a registry",
                                               name, *p);
                strv_free(c->search);
                c->search = TAKE_PTR(search);
        }
        TRY(read_mode(doc, name, c));
        TRY(add_aliases(json_get(doc, "aliases"), name, c));
        return add_registries(json_get(doc, "registry"), name, c);
}

/* ---- the files ---- */

static err *load_file(const char *path, bool must, struct registries_conf *c)
{
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        TRY(files_read(path, must, &text, &size));
        return text ? registries_conf_parse(path, text, size, c) : NULL;
}

static err *load_directory(const char *path, struct registries_conf *c)
{
        _cleanup_strv_ char **names = NULL;

        TRY(files_list(path, ".conf", &names));
        for (char **p = names; p && *p; p++) {
                _cleanup_free_ char *file = str_format("%s/%s", path, *p);

                if (!file)
                        return err_nomem();
                TRY(load_file(file, false, c));
        }
        return NULL;
}

err *registries_conf_load(const struct registry_options *o, struct registries_conf *ret)
{
        _cleanup_registries_ struct registries_conf c = {0};
        _cleanup_free_ char *user = NULL, *system = NULL, *system_dir = NULL, *user_dir = NULL, *cache = NULL;
        const char *own = files_variable(o, "CONTAINERS_REGISTRIES_CONF");

        TRY(files_user(o, "containers/registries.conf", &user));
        TRY(files_user(o, "containers/registries.conf.d", &user_dir));
        TRY(files_system(o, "/etc/containers/registries.conf", &system));
        TRY(files_system(o, "/etc/containers/registries.conf.d", &system_dir));
        TRY(files_system(o, "/var/cache/containers/short-name-aliases.conf", &cache));
        if (own)
                TRY(load_file(own, true, &c));
        else
                TRY(load_file(user && access(user, R_OK) == 0 ? user : system, false, &c));
        if (own && files_variable(o, "CONTAINERS_REGISTRIES_CONF_DIR")) {
                TRY(load_directory(files_variable(o, "CONTAINERS_REGISTRIES_CONF_DIR"), &c));
        } else {
                TRY(load_directory(system_dir, &c));
                if (user_dir)
                        TRY(load_directory(user_dir, &c));
        }
        /* What podman has asked a person once. */
        TRY(load_file(cache, false, &c));
        *ret = c;
        c = (struct registries_conf){0};
        return NULL;
}

/* ---- looking up ---- */

static bool at_boundary(char c)
{
        return !c || c == '/' || c == ':' || c == '@';
}

/* How much of @name does @prefix cover? 0 = it does not match. */
static size_t covers(const char *prefix, const char *name)
{
        size_t n = strlen(prefix);

        if (str_starts(prefix, "*.")) {
                const char *host_end = name + strcspn(name, "/");
                const char *at = strstr(name, prefix + 1);

                for (; at && at > name && at < host_end; at = strstr(at + 1, prefix + 1))
                        if (at_boundary(at[n - 1]))
                                return (size_t)(at - name) + n - 1;
                return 0;
        }
        return strncmp(prefix, name, n) == 0 && at_boundary(name[n]) ? n : 0;
}

json *registries_conf_find(const struct registries_conf *c, const char *name, size_t *ret_length)
{
        size_t best = 0;
        json *found = NULL;

        for (size_t i = 0; i < json_len(c->registries); i++) {
                const char *prefix = prefix_of(json_at(c->registries, i));
                size_t n = covers(prefix, name);

                if (n && strlen(prefix) > best) {
                        best = strlen(prefix);
                        found = json_at(c->registries, i);
                        *ret_length = n;
                }
        }
        return found;
}

const char *registries_conf_alias(const struct registries_conf *c, const char *name)
{
        return c->no_aliases ? NULL : json_get_str(c->aliases, name);
}
