/* search.c - see search.h. */
#include "engine/search.h"

#include "base/parse.h"
#include "base/str.h"
#include "engine/login.h"

#define LIMIT_DEFAULT 25
#define LIMIT_MAX 100

/* "registry/text" in two; without a registry it is docker.io. */
static err *split_term(const char *term, char **ret_server, const char **ret_rest)
{
        _cleanup_free_ char *first = strndup(term, strcspn(term, "/"));
        bool names;

        if (!first)
                return err_nomem();
        if (strstr(term, "://"))
                return err_new(
                        ERR_INVALID,
                        "invalid repository name: repository name (%s) should not have a scheme (remove 'https://')",
                        term);
        names = strchr(term, '/') && (strpbrk(first, ".:") || strcmp(first, "localhost") == 0);
        *ret_rest = names ? term + strlen(first) + 1 : term;
        TRY(login_server(names ? first : NULL, ret_server));
        if (strcmp(*ret_server, DOCKER_IO) == 0 && str_starts(*ret_rest, "library/"))
                *ret_rest += strlen("library/");
        return NULL;
}

struct wanted {
        int official, automated; /* -1 = any */
        int64_t stars;
};

static err *read_filters(char *const *filters, struct wanted *ret)
{
        *ret = (struct wanted){-1, -1, 0};
        for (; filters && *filters; filters++) {
                const char *eq = strchr(*filters, '='), *value = eq ? eq + 1 : "";
                _cleanup_free_ char *name = strndup(*filters, strcspn(*filters, "="));
                err *bad = NULL;
                bool yes = false;

                if (!name)
                        return err_nomem();
                if (strcmp(name, "stars") == 0) {
                        bad = parse_int(value, 0, INT64_MAX, &ret->stars);
                } else if (strcmp(name, "is-official") == 0 || strcmp(name, "is-automated") == 0) {
                        bad = parse_bool(value, &yes);
                        *(name[3] == 'o' ? &ret->official : &ret->automated) = yes;
                } else {
                        return err_new(ERR_INVALID, "invalid filter '%s'", name);
                }
                if (bad) {
                        err_free(bad);
                        return err_new(ERR_INVALID, "invalid filter '%s=[%s]'", name, value);
                }
        }
        return NULL;
}

static bool matches(const json *result, const struct wanted *w)
{
        return (w->official < 0 || json_get_bool(result, "is_official", false) == (bool)w->official) &&
               (w->automated < 0 || json_get_bool(result, "is_automated", false) == (bool)w->automated) &&
               json_get_int(result, "star_count", 0) >= w->stars;
}

/* Insert behind those with as many stars. */
static void insert(json **list, size_t n, json *result)
{
        int64_t stars = json_get_int(result, "star_count", 0);
        size_t i = n;

        for (; i > 0 && json_get_int(list[i - 1], "star_count", 0) < stars; i--)
                list[i] = list[i - 1];
        list[i] = result;
}

static err *pick(json *results, unsigned limit, const struct wanted *w, json **ret)
{
        _cleanup_free_ json **list = MEM_NEW0(json *, limit + 1);
        _cleanup_json_ json *out = json_new_array();
        size_t n = 0;

        if (!list)
                return err_nomem();
        for (size_t i = 0; i < json_len(results) && n < limit; i++)
                if (json_get_str(json_at(results, i), "name") && matches(json_at(results, i), w))
                        insert(list, n++, json_at(results, i));
        for (size_t i = 0; i < n; i++)
                json_add(out, json_ref(list[i]));
        *ret = TAKE_PTR(out);
        return NULL;
}

err *search_index(const struct search_options *o, json **ret)
{
        _cleanup_(registry_freep) struct registry *r = NULL;
        _cleanup_reference_ struct reference name = {0};
        _cleanup_json_ json *results = NULL;
        unsigned limit = o->limit ? o->limit : LIMIT_DEFAULT;
        struct wanted wanted;
        const char *rest = NULL;

        if (limit > LIMIT_MAX)
                return err_new(ERR_INVALID, "limit %u is outside the range of [1, %d]", limit, LIMIT_MAX);
        TRY(read_filters(o->filters, &wanted));
        TRY(split_term(o->term, &name.domain, &rest));
        TRY(registry_open(&o->registry, &name, &r));
        TRY(registry_search(r, rest, limit, &results));
        return pick(results, limit, &wanted, ret);
}
