/* json.c - see json.h: nodes, reading and building. The text side is json_parse.c and json_print.c. */
#include "codec/json.h"
#include "codec/json_node.h"

#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Thread_local bool json_build_failed;

err *json_load(int dirfd, const char *path, char **ret, size_t *ret_size)
{
        int r = file_read(dirfd, path, JSON_MAX_SIZE, ret, ret_size);

        if (r == -ENOENT)
                return err_new(ERR_NOT_FOUND, "%s: no such file or directory", path);
        if (r == -EFBIG)
                return err_new(ERR_LIMIT, "%s is larger than %u bytes", path, JSON_MAX_SIZE);
        return r < 0 ? err_sys(r, "reading %s", path) : NULL;
}

err *json_read(int dirfd, const char *path, json **ret)
{
        _cleanup_free_ char *text = NULL;
        size_t size;

        TRY(json_load(dirfd, path, &text, &size));
        TRY_WRAP(json_parse(text, size, ret), "%s", path);
        return NULL;
}

json *json_ref(json *j)
{
        return json_object_get(j);
}

void json_free(json *j)
{
        (void)json_object_put(j);
}

err *json_copy(json *j, json **ret)
{
        json *copy = NULL;

        if (j && json_object_deep_copy(j, &copy, NULL) < 0)
                return err_nomem();
        *ret = copy;
        return NULL;
}

enum json_kind json_kind(const json *j)
{
        switch (json_object_get_type(j)) {
        case json_type_boolean:
                return JSON_BOOL;
        case json_type_int:
                return JSON_INT;
        case json_type_double:
                return JSON_DOUBLE;
        case json_type_string:
                return JSON_STRING;
        case json_type_array:
                return JSON_ARRAY;
        case json_type_object:
                return JSON_OBJECT;
        case json_type_null:
        default:
                return JSON_NULL;
        }
}

const char *json_kind_name(enum json_kind kind)
{
        static const char *const names[] = {
                [JSON_NULL] = "null",        [JSON_BOOL] = "a boolean",  [JSON_INT] = "an integer",
                [JSON_DOUBLE] = "a number",  [JSON_STRING] = "a string", [JSON_ARRAY] = "an array",
                [JSON_OBJECT] = "an object",
        };

        return (size_t)kind < ARRAY_SIZE(names) ? names[kind] : "nothing";
}

err *json_expect(const json *j, enum json_kind kind, const char *what)
{
        enum json_kind got = json_kind(j);

        if (got == kind || (kind == JSON_DOUBLE && got == JSON_INT))
                return NULL;
        return err_new(ERR_INVALID, "%s must be %s, not %s", what, json_kind_name(kind), json_kind_name(got));
}

json *json_get(const json *obj, const char *key)
{
        json *value = NULL;

        if (json_kind(obj) == JSON_OBJECT)
                (void)json_object_object_get_ex(obj, key, &value);
        return value;
}

bool json_has(const json *obj, const char *key)
{
        return json_kind(obj) == JSON_OBJECT && json_object_object_get_ex(obj, key, NULL);
}

json *json_path(const json *obj, const char *dotted)
{
        char key[256];

        if (!*dotted)
                return (json *)obj;
        for (;;) {
                const char *dot = strchrnul(dotted, '.');
                size_t n = (size_t)(dot - dotted);

                if (!*dot)
                        return json_get(obj, dotted);
                if (n >= sizeof(key))
                        return NULL;
                memcpy(key, dotted, n);
                key[n] = '\0';
                obj = json_get(obj, key);
                dotted = dot + 1;
        }
}

const char *json_str(const json *j)
{
        /* json-c takes a non-const node because other kinds are printed into it; a string is only read. */
        return json_kind(j) == JSON_STRING ? json_object_get_string((json *)j) : NULL;
}

size_t json_str_len(const json *j)
{
        return json_kind(j) == JSON_STRING ? (size_t)json_object_get_string_len(j) : 0;
}

const char *json_get_str(const json *obj, const char *key)
{
        return json_str(json_get(obj, key));
}

const char *json_get_str_or(const json *obj, const char *key, const char *otherwise)
{
        const char *text = json_get_str(obj, key);

        return text ? text : otherwise;
}

int64_t json_int(const json *j, int64_t otherwise)
{
        int64_t n;

        if (json_kind(j) != JSON_INT)
                return otherwise;
        n = json_object_get_int64(j);
        if (n == INT64_MAX && json_object_get_uint64(j) != (uint64_t)INT64_MAX)
                return otherwise; /* does not fit */
        return n;
}

int64_t json_get_int(const json *obj, const char *key, int64_t otherwise)
{
        return json_int(json_get(obj, key), otherwise);
}

uint64_t json_get_uint(const json *obj, const char *key, uint64_t otherwise)
{
        const json *j = json_get(obj, key);

        if (json_kind(j) != JSON_INT || json_object_get_int64(j) < 0)
                return otherwise;
        return json_object_get_uint64(j);
}

bool json_bool(const json *j, bool otherwise)
{
        return json_kind(j) == JSON_BOOL ? json_object_get_boolean(j) : otherwise;
}

bool json_get_bool(const json *obj, const char *key, bool otherwise)
{
        return json_bool(json_get(obj, key), otherwise);
}

double json_double(const json *j, double otherwise)
{
        enum json_kind kind = json_kind(j);

        return kind == JSON_DOUBLE || kind == JSON_INT ? json_object_get_double(j) : otherwise;
}

size_t json_len(const json *j)
{
        switch (json_kind(j)) {
        case JSON_ARRAY:
                return json_object_array_length(j);
        case JSON_OBJECT:
                return (size_t)json_object_object_length(j);
        default:
                return 0;
        }
}

json *json_at(const json *array, size_t i)
{
        return json_kind(array) == JSON_ARRAY ? json_object_array_get_idx(array, i) : NULL;
}

err *json_get_strv(const json *obj, const char *key, char ***ret)
{
        const json *array = json_get(obj, key);
        _cleanup_strv_ char **list = NULL;
        size_t n = json_len(array);

        if (array && json_kind(array) != JSON_ARRAY)
                return err_new(ERR_INVALID, "%s must be an array of strings, not %s", key,
                               json_kind_name(json_kind(array)));
        list = MEM_NEW0(char *, n + 1);
        if (!list)
                return err_nomem();
        for (size_t i = 0; i < n; i++) {
                const json *item = json_at(array, i);

                if (json_kind(item) != JSON_STRING)
                        return err_new(ERR_INVALID, "%s[%zu] must be a string, not %s", key, i,
                                       json_kind_name(json_kind(item)));
                if (strlen(json_str(item)) != json_str_len(item))
                        return err_new(ERR_INVALID, "%s[%zu] contains a NUL byte", key, i);
                list[i] = str_dup(json_str(item));
                if (!list[i])
                        return err_nomem();
        }
        *ret = TAKE_PTR(list);
        return NULL;
}

struct json_iter json_iter_begin(const json *obj)
{
        struct json_iter it = {.obj = obj};

        if (json_kind(obj) == JSON_OBJECT)
                it.entry = json_object_get_object(obj)->head;
        return it;
}

bool json_iter_next(struct json_iter *it)
{
        struct lh_entry *entry = it->entry;

        if (!entry)
                return false;
        it->key = lh_entry_k(entry);
        it->value = (json *)lh_entry_v(entry);
        it->entry = entry->next;
        return true;
}

static json *built(json *j)
{
        if (!j)
                json_build_failed = true;
        return j;
}

json *json_new_object(void)
{
        return built(json_object_new_object());
}

json *json_new_array(void)
{
        return built(json_object_new_array_ext(4));
}

json *json_new_str(const char *text)
{
        return text ? json_new_str_n(text, strlen(text)) : NULL;
}

json *json_new_str_n(const char *data, size_t n)
{
        if (n > INT32_MAX)
                return built(NULL);
        return built(json_object_new_string_len(data, (int)n));
}

json *json_new_int(int64_t n)
{
        return built(json_object_new_int64(n));
}

json *json_new_uint(uint64_t n)
{
        /* One representation for what fits both, so that comparing and printing need not care. */
        return n <= INT64_MAX ? json_new_int((int64_t)n) : built(json_object_new_uint64(n));
}

json *json_new_bool(bool b)
{
        return built(json_object_new_boolean(b));
}

json *json_new_double(double d)
{
        return built(json_object_new_double(d));
}

json *json_new_null(void)
{
        return NULL;
}

void json_set(json *obj, const char *key, json *value)
{
        if (json_kind(obj) == JSON_OBJECT && value != obj && json_object_object_add(obj, key, value) == 0)
                return;
        json_build_failed = true;
        json_free(value);
}

void json_set_str(json *obj, const char *key, const char *text)
{
        json_set(obj, key, json_new_str(text));
}

void json_set_int(json *obj, const char *key, int64_t n)
{
        json_set(obj, key, json_new_int(n));
}

void json_set_bool(json *obj, const char *key, bool b)
{
        json_set(obj, key, json_new_bool(b));
}

void json_set_strv(json *obj, const char *key, char *const *list)
{
        json *array = json_new_array();

        for (; list && *list; list++)
                json_add_str(array, *list);
        json_set(obj, key, array);
}

void json_del(json *obj, const char *key)
{
        if (json_kind(obj) == JSON_OBJECT)
                json_object_object_del(obj, key);
}

void json_add(json *array, json *value)
{
        if (json_kind(array) == JSON_ARRAY && value != array && json_object_array_add(array, value) == 0)
                return;
        json_build_failed = true;
        json_free(value);
}

void json_add_str(json *array, const char *text)
{
        json_add(array, json_new_str(text));
}

json *json_sub_object(json *obj, const char *key)
{
        if (json_kind(json_get(obj, key)) != JSON_OBJECT)
                json_set(obj, key, json_new_object());
        return json_get(obj, key);
}

json *json_sub_array(json *obj, const char *key)
{
        if (json_kind(json_get(obj, key)) != JSON_ARRAY)
                json_set(obj, key, json_new_array());
        return json_get(obj, key);
}
