/* names.c - what a name that a person wrote may stand for. */
#include "base/str.h"
#include "registry/client.h"
#include "registry/registries_conf.h"

/* Does @text name its registry? The grammar: a first part with a dot, a colon or a capital, or "localhost". */
static bool has_registry(const char *text)
{
        size_t n = strcspn(text, "/");

        if (!text[n])
                return false;
        return memchr(text, '.', n) || memchr(text, ':', n) || strcspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") < n ||
               (n == 9 && strncmp(text, "localhost", n) == 0);
}

static err *add_full(const char *text, bool default_tag, char ***list)
{
        _cleanup_reference_ struct reference r = {0};
        char *full;

        TRY(reference_parse(text, default_tag, &r));
        TRY(reference_full(&r, &full));
        return strv_push(list, full);
}

/* How much of @text is in front of its tag and digest. */
static size_t name_length(const char *text)
{
        size_t n = strcspn(text, "@"), slash = 0;

        for (size_t i = 0; i < n; i++)
                if (text[i] == '/')
                        slash = i;
        for (size_t i = slash; i < n; i++)
                if (text[i] == ':')
                        n = i;
        return n;
}

/* "registry/name" with the tag and digest of @text. */
static err *add_joined(const char *place, const char *name, const char *text, bool default_tag, char ***list)
{
        _cleanup_free_ char *joined =
                str_format("%s%s%s%s", place, name ? "/" : "", name ? name : "", text + name_length(text));

        return joined ? add_full(joined, default_tag, list) : err_nomem();
}

err *registry_names(const struct registry_options *o, const char *text, bool default_tag, char ***ret)
{
        _cleanup_registries_ struct registries_conf conf = {0};
        _cleanup_reference_ struct reference r = {0};
        _cleanup_strv_ char **list = NULL;
        _cleanup_free_ char *name = NULL;
        const char *alias;

        TRY(reference_parse(text, default_tag, &r));
        if (!has_registry(text))
                TRY(registries_conf_load(o, &conf));
        name = strndup(text, name_length(text));
        if (!name)
                return err_nomem();
        alias = has_registry(text) ? NULL : registries_conf_alias(&conf, name);
        if (alias) {
                TRY(add_joined(alias, NULL, text, default_tag, &list));
        } else if (!conf.search || !*conf.search) {
                TRY(add_full(text, default_tag, &list));
        } else {
                if (conf.enforcing && conf.search[1])
                        return err_new(ERR_INVALID,
                                       "short name '%s' may mean several registries (%s, %s, ...), and short-name-mode "
                                       "is \"enforcing\": write the registry",
                                       text, conf.search[0], conf.search[1]);
                if (o->creds && conf.search[1])
                        return err_new(ERR_INVALID,
                                       "short name '%s' may mean several registries (%s, %s, ...), and the credentials "
                                       "are for one: write the registry",
                                       text, conf.search[0], conf.search[1]);
                for (char **p = conf.search; *p; p++)
                        TRY(add_joined(*p, name, text, default_tag, &list));
        }
        *ret = TAKE_PTR(list);
        return NULL;
}
