/* opt_values.c - see opt.h: text to the members of an args struct. */
#include <stdio.h>

#include "base/opt.h"

static void *member(const struct opt_values *v, const struct opt *o)
{
        return (char *)v->args + o->offset;
}

static bool is_list(const struct opt *o)
{
        return o->kind == OPT_KIND_LIST || o->kind == OPT_KIND_CSV || o->kind == OPT_KIND_MAP;
}

err *opt_values_init(struct opt_values *v, const struct opt *opts, size_t args_size)
{
        *v = (struct opt_values){.opts = opts, .count = opt_count(opts), .args_size = args_size};
        if (v->count > OPT_MAX)
                return err_new(ERR_INTERNAL, "more than %d options", OPT_MAX);
        v->args = calloc(1, args_size ? args_size : 1);
        if (!v->args)
                return err_nomem();
        for (size_t i = 0; i < v->count; i++)
                if (opts[i].def && !is_list(&opts[i]))
                        TRY(opt_values_set(v, &opts[i], opts[i].def, OPT_DEFAULT, NULL));
        return NULL;
}

void opt_values_done(struct opt_values *v)
{
        for (size_t i = 0; v->args && i < v->count; i++)
                if (is_list(&v->opts[i]))
                        strv_free(*(char ***)member(v, &v->opts[i]));
        free(v->args);
        *v = (struct opt_values){0};
}

/* Replace the entry with the key of "key=value", or append. */
static err *map_put(char ***list, const char *text)
{
        size_t n = strcspn(text, "=");

        for (char **e = *list; e && *e; e++)
                if (strncmp(*e, text, n) == 0 && ((*e)[n] == '=' || (*e)[n] == '\0')) {
                        char *copy = strdup(text);

                        if (!copy)
                                return err_nomem();
                        free(*e);
                        *e = copy;
                        return NULL;
                }
        return strv_add(list, text);
}

static err *csv_put(char ***list, const char *text)
{
        _cleanup_strv_ char **parts = NULL;

        TRY(strv_split(text, ',', &parts));
        for (char **p = parts; *p; p++)
                TRY(strv_add(list, *p));
        return NULL;
}

static err *check_choice(const struct opt *o, const char *text)
{
        _cleanup_str_ struct str list = {0};

        if (!o->strict || !o->choices || strv_contains((char *const *)(uintptr_t)o->choices, text))
                return NULL;
        for (const char *const *c = o->choices; *c; c++)
                str_printf(&list, "%s\"%s\"", c == o->choices ? "" : c[1] ? ", " : " or ", *c);
        TRY(str_done(&list));
        return err_new(ERR_INVALID, "must be one of %s", str_text(&list));
}

static err *store(struct opt_values *v, const struct opt *o, const char *text)
{
        void *at = member(v, o);
        bool limited = o->min || o->max;
        int64_t n = 0;

        switch (o->kind) {
        case OPT_KIND_FLAG:
                return parse_bool(text, at);
        case OPT_KIND_STR:
                *(const char **)at = text;
                return NULL;
        case OPT_KIND_INT:
                TRY(limited ? parse_int(text, o->min, o->max ? o->max : INT64_MAX, &n)
                            : parse_int(text, INT64_MIN, INT64_MAX, &n));
                break;
        case OPT_KIND_UINT:
                return parse_uint(text, 0, o->max ? (uint64_t)o->max : UINT64_MAX, at);
        case OPT_KIND_SIZE:
                TRY(o->min == -1 ? parse_size_unlimited(text, &n) : parse_size(text, &n));
                break;
        case OPT_KIND_DURATION:
                TRY(parse_duration(text, &n));
                break;
        case OPT_KIND_CPUS:
                TRY(parse_cpus(text, &n));
                break;
        case OPT_KIND_LIST:
                return strv_add(at, text);
        case OPT_KIND_CSV:
                return csv_put(at, text);
        case OPT_KIND_MAP:
                return map_put(at, text);
        case OPT_KIND_END:
        case OPT_KIND_USAGE:
                return NULL;
        }
        *(int64_t *)at = n;
        return NULL;
}

/* `invalid argument "x" for "-m, --memory" flag: why`; consumes @e. */
static err *value_error(const struct opt *o, const char *text, const char *label, err *e)
{
        _cleanup_str_ struct str quoted = {0};
        char name[80];

        if (!e || err_code(e) == ERR_NOMEM)
                return e;
        parse_quote(&quoted, text);
        opt_display(o, name, sizeof(name));
        if (quoted.failed) {
                err_free(e);
                return err_nomem();
        }
        if (label) {
                char why[400];

                (void)err_text(e, why, sizeof(why));
                err_free(e);
                return err_new(ERR_INVALID, "%s: invalid value %s: %s", label, str_text(&quoted), why);
        }
        {
                char why[1024];

                (void)err_text(e, why, sizeof(why));
                err_free(e);
                return err_new(ERR_USAGE, "invalid argument %s for \"%s\" flag: %s", str_text(&quoted), name, why);
        }
}

err *opt_values_set(struct opt_values *v, const struct opt *o, const char *text, enum opt_source source,
                    const char *label)
{
        size_t i = (size_t)(o - v->opts);

        if (v->source[i] > source)
                return NULL;
        TRY(value_error(o, text, label, o->check ? o->check(text) : NULL));
        TRY(value_error(o, text, label, check_choice(o, text)));
        if (is_list(o) && v->source[i] < source) { /* a stronger source replaces the whole list */
                strv_free(*(char ***)member(v, o));
                *(char ***)member(v, o) = NULL;
        }
        TRY(value_error(o, text, label, store(v, o, text)));
        v->source[i] = (unsigned char)source;
        if (source != OPT_DEFAULT && o->given)
                *(bool *)((char *)v->args + o->given - 1) = true;
        return NULL;
}

static bool given_in(const struct opt_values *v, const void *at)
{
        uintptr_t begin = (uintptr_t)v->args, p = (uintptr_t)at;

        for (size_t i = 0; i < v->count; i++)
                if (v->opts[i].kind != OPT_KIND_USAGE && p - begin == v->opts[i].offset && v->source[i] != OPT_DEFAULT)
                        return true;
        return false;
}

bool opt_given(const struct invocation *inv, const void *at)
{
        return given_in(&inv->values, at);
}

bool opt_given_global(const struct invocation *inv, const void *at)
{
        return given_in(&inv->global, at);
}

err *opt_environment(struct invocation *inv, char *const *environ_)
{
        for (size_t i = 0; i < inv->global.count; i++) {
                const struct opt *o = &inv->global.opts[i];
                const char *value = o->env ? strv_env(environ_, o->env) : NULL;

                if (!str_empty(value))
                        TRY(opt_values_set(&inv->global, o, value, OPT_ENVIRONMENT, o->env));
        }
        return NULL;
}
