/* fields.c - see fields.h. */
#include "oci/fields.h"

#include <stdio.h>
#include <strings.h>

#include "base/str.h"
#include "oci/spec.h"

static void at_text(struct str *s, const struct fields_at *at)
{
        if (!at)
                return;
        at_text(s, at->up);
        if (!at->key)
                str_printf(s, "[%zu]", at->index);
        else
                str_printf(s, "%s%.200s", s->len ? "." : "", at->key);
}

err *fields_bad(const struct fields_at *at, const char *fmt, ...)
{
        _cleanup_str_ struct str s = {0};
        err *e;
        va_list ap;

        at_text(&s, at);
        if (s.len)
                str_add(&s, ": ");
        va_start(ap, fmt);
        str_vprintf(&s, fmt, ap);
        va_end(ap);
        e = str_done(&s);
        return e ? e : err_new(ERR_INVALID, "%s", str_text(&s));
}

static const char *kind_text(const json *v)
{
        static const char *const names[] = {
                [JSON_NULL] = "null",         [JSON_BOOL] = "a boolean",  [JSON_INT] = "a number",
                [JSON_DOUBLE] = "a fraction", [JSON_STRING] = "a string", [JSON_ARRAY] = "an array",
                [JSON_OBJECT] = "an object"};

        return names[json_kind(v)];
}

err *fields_array(const struct fields_at *at, json *v)
{
        return json_kind(v) == JSON_ARRAY ? NULL : fields_bad(at, "must be an array, not %s", kind_text(v));
}

err *fields_object(const struct fields_at *at, json *v)
{
        return json_kind(v) == JSON_OBJECT ? NULL : fields_bad(at, "must be an object, not %s", kind_text(v));
}

err *fields_str(const struct fields_at *at, json *v, const char **ret)
{
        const char *text = json_str(v);

        if (json_kind(v) != JSON_STRING)
                return fields_bad(at, "must be a string, not %s", kind_text(v));
        if (strlen(text) != json_str_len(v))
                return fields_bad(at, "contains a NUL byte");
        *ret = text;
        return NULL;
}

err *fields_strv(struct fields_reader *r, const struct fields_at *at, json *v, char ***ret)
{
        size_t n = json_len(v);
        char **list;

        TRY(fields_array(at, v));
        if (n == 0)
                return NULL;
        list = OCI_ARENA_NEW0(r->arena, char *, n + 1);
        if (!list)
                return err_nomem();
        for (size_t i = 0; i < n; i++) {
                struct fields_at here = {at, NULL, i};
                const char *text;

                TRY(fields_str(&here, json_at(v, i), &text));
                list[i] = (char *)text; /* nobody writes to it: char ** is what execve and strv take */
        }
        *ret = list;
        return NULL;
}

err *fields_int(const struct fields_at *at, json *v, int64_t min, int64_t max, int64_t *ret)
{
        int64_t n = json_int(v, 0);

        if (json_kind(v) != JSON_INT)
                return fields_bad(at, "must be a whole number, not %s", kind_text(v));
        /* json_int() gives its default for a number above INT64_MAX. */
        if (n < min || n > max || (n == 0 && json_int(v, 1) == 1))
                return fields_bad(at, "must be between %lld and %lld", (long long)min, (long long)max);
        *ret = n;
        return NULL;
}

static err *read_i64(const struct fields_at *at, json *v, int64_t *ret)
{
        return fields_int(at, v, INT64_MIN, INT64_MAX, ret);
}

static err *read_u64(const struct fields_at *at, json *obj, const char *key, json *v, uint64_t *ret)
{
        uint64_t n = json_get_uint(obj, key, 0);

        if (json_kind(v) != JSON_INT)
                return fields_bad(at, "must be a whole number, not %s", kind_text(v));
        if (n == 0 && json_get_uint(obj, key, 1) == 1) /* its default */
                return fields_bad(at, "must not be negative");
        *ret = n;
        return NULL;
}

static err *read_u32v(struct fields_reader *r, const struct fields_at *at, json *v, uint32_t **ret, size_t *ret_n)
{
        size_t n = json_len(v);
        uint32_t *list;

        TRY(fields_array(at, v));
        if (n == 0)
                return NULL;
        list = OCI_ARENA_NEW0(r->arena, uint32_t, n);
        if (!list)
                return err_nomem();
        for (size_t i = 0; i < n; i++) {
                struct fields_at here = {at, NULL, i};
                int64_t number;

                TRY(fields_int(&here, json_at(v, i), 0, UINT32_MAX, &number));
                list[i] = (uint32_t)number;
        }
        *ret = list;
        *ret_n = n;
        return NULL;
}

static err *read_pairs(struct fields_reader *r, const struct fields_at *at, json *v, struct oci_pair **ret,
                       size_t *ret_n)
{
        size_t n = 0;
        struct oci_pair *list;

        TRY(fields_object(at, v));
        if (json_len(v) == 0)
                return NULL;
        list = OCI_ARENA_NEW0(r->arena, struct oci_pair, json_len(v));
        if (!list)
                return err_nomem();
        JSON_EACH (v, it) {
                struct fields_at here = {at, it.key, 0};

                TRY(fields_str(&here, it.value, &list[n].value));
                list[n++].key = it.key;
        }
        *ret = list;
        *ret_n = n;
        return NULL;
}

err *fields_list(struct fields_reader *r, const struct fields_at *at, json *v, const struct fields *table, size_t size,
                 void **ret, size_t *ret_n)
{
        size_t n = json_len(v);
        char *list;

        TRY(fields_array(at, v));
        if (n == 0)
                return NULL;
        list = oci_arena_new0(r->arena, n, size);
        if (!list)
                return err_nomem();
        for (size_t i = 0; i < n; i++) {
                struct fields_at here = {at, NULL, i};

                TRY(fields_read(r, &here, json_at(v, i), table, list + i * size));
        }
        *ret = list;
        *ret_n = n;
        return NULL;
}

static err *read_number(const struct fields_at *at, json *obj, const char *key, const struct fields *f, json *v,
                        void *to)
{
        int64_t n = 0;

        switch (f->type) {
        case FIELDS_U16:
                TRY(fields_int(at, v, 0, UINT16_MAX, &n));
                *(uint16_t *)to = (uint16_t)n;
                return NULL;
        case FIELDS_U32:
                TRY(fields_int(at, v, 0, UINT32_MAX, &n));
                *(uint32_t *)to = (uint32_t)n;
                return NULL;
        case FIELDS_I32:
                TRY(fields_int(at, v, INT32_MIN, INT32_MAX, &n));
                *(int32_t *)to = (int32_t)n;
                return NULL;
        case FIELDS_I64:
                return read_i64(at, v, to);
        case FIELDS_U64:
                return read_u64(at, obj, key, v, to);
        case FIELDS_OPT_I64:
                ((struct oci_i64 *)to)->set = true;
                return read_i64(at, v, &((struct oci_i64 *)to)->n);
        default:
                ((struct oci_u64 *)to)->set = true;
                return read_u64(at, obj, key, v, &((struct oci_u64 *)to)->n);
        }
}

/* @key: of @v in @obj, see member(). */
static err *read_one(struct fields_reader *r, const struct fields_at *at, json *obj, const char *key,
                     const struct fields *f, json *v, char *base)
{
        void *to = base + f->offset;
        size_t *count = (size_t *)(base + f->count_offset);

        switch (f->type) {
        case FIELDS_STR:
        case FIELDS_TEXT:
                TRY(fields_str(at, v, to));
                if (f->type == FIELDS_STR && !**(const char **)to)
                        *(const char **)to = NULL;
                return NULL;
        case FIELDS_STRV:
                return fields_strv(r, at, v, to);
        case FIELDS_BOOL:
                if (json_kind(v) != JSON_BOOL)
                        return fields_bad(at, "must be true or false, not %s", kind_text(v));
                *(bool *)to = json_bool(v, false);
                return NULL;
        case FIELDS_U32V:
                return read_u32v(r, at, v, to, count);
        case FIELDS_PAIRS:
                return read_pairs(r, at, v, to, count);
        case FIELDS_OBJECT:
                return fields_read(r, at, v, f->sub, to);
        case FIELDS_POINTER:
                *(void **)to = oci_arena_new0(r->arena, 1, f->size);
                return *(void **)to ? fields_read(r, at, v, f->sub, *(void **)to) : err_nomem();
        case FIELDS_LIST:
                return fields_list(r, at, v, f->sub, f->size, to, count);
        case FIELDS_CUSTOM:
                return f->custom(r, at, v, base);
        default:
                return read_number(at, obj, key, f, v, to);
        }
}

/* Member of @obj for @key, *@ret_key: as it is written there. Documents made for runc may have another case
 * ("pagesize", "CPU"): Go's decoder takes them, so do we where the exact key is missing. */
static json *member(const json *obj, const char *key, const char **ret_key)
{
        json *v = json_get(obj, key);

        *ret_key = key;
        if (v || json_has(obj, key))
                return v;
        JSON_EACH (obj, it)
                if (strcasecmp(it.key, key) == 0) {
                        *ret_key = it.key;
                        return it.value;
                }
        return NULL;
}

err *fields_read(struct fields_reader *r, const struct fields_at *at, json *obj, const struct fields *table, void *base)
{
        TRY(fields_object(at, obj));
        for (const struct fields *f = table; f->key; f++) {
                struct fields_at here = {at, f->key, 0};
                const char *key;
                json *v = member(obj, f->key, &key);

                if (json_kind(v) != JSON_NULL)
                        TRY(read_one(r, &here, obj, key, f, v, base));
        }
        return NULL;
}

err *fields_name(const struct fields_at *at, json *v, const struct fields_name *names, const char *what, int64_t *ret)
{
        const char *text;

        TRY(fields_str(at, v, &text));
        for (; names->name; names++)
                if (str_eq(names->name, text)) {
                        *ret = names->n;
                        return NULL;
                }
        return fields_bad(at, "invalid %s \"%.200s\"", what, text);
}

err *fields_name_set(const struct fields_at *at, json *v, const struct fields_name *names, const char *what,
                     uint64_t *ret)
{
        uint64_t set = 0;

        TRY(fields_array(at, v));
        for (size_t i = 0; i < json_len(v); i++) {
                struct fields_at here = {at, NULL, i};
                int64_t n;

                TRY(fields_name(&here, json_at(v, i), names, what, &n));
                set |= (uint64_t)n;
        }
        *ret = set;
        return NULL;
}
