/* json.c - see json.h. json-c builds the tree; what it is too friendly about (duplicate keys, NaN, single quotes,
 * comments, broken UTF-8, trailing bytes) is refused by a scan of our own before it sees the text. */
#include "codec/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "codec/json_private.h"

/* ---- the scan ---- */

struct scan {
        const char *start, *p, *end;
        const char *what; /* what is wrong, once something is */
};

static bool fail(struct scan *s, const char *what)
{
        if (!s->what)
                s->what = what;
        return false;
}

static void skip_space(struct scan *s)
{
        while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
                s->p++;
}

static bool scan_escape(struct scan *s)
{
        s->p++;
        if (s->p >= s->end)
                return fail(s, "unexpected end of JSON input");
        if (*s->p == 'u') {
                for (int i = 1; i <= 4; i++)
                        if (s->p + i >= s->end || !strchr("0123456789abcdefABCDEF", s->p[i]) || !s->p[i])
                                return fail(s, "invalid character in \\u escape");
                s->p += 5;
                return true;
        }
        if (!*s->p || !strchr("\"\\/bfnrt", *s->p))
                return fail(s, "invalid escape in string");
        s->p++;
        return true;
}

/* One UTF-8 sequence (RFC 3629): no overlong forms, no surrogates. */
static bool scan_utf8(struct scan *s)
{
        const unsigned char *p = (const unsigned char *)s->p;
        size_t left = (size_t)(s->end - s->p), n;
        uint32_t c;

        if (p[0] >= 0xc2 && p[0] <= 0xdf)
                n = 2;
        else if ((p[0] & 0xf0) == 0xe0)
                n = 3;
        else if (p[0] >= 0xf0 && p[0] <= 0xf4)
                n = 4;
        else
                return fail(s, "invalid UTF-8");
        if (left < n)
                return fail(s, "invalid UTF-8");
        c = p[0] & (0xff >> (n + 1));
        for (size_t i = 1; i < n; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return fail(s, "invalid UTF-8");
                c = c << 6 | (p[i] & 0x3f);
        }
        if ((n == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff))) || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
                return fail(s, "invalid UTF-8");
        s->p += n;
        return true;
}

static bool scan_string(struct scan *s)
{
        if (s->p >= s->end || *s->p != '"')
                return fail(s, s->p >= s->end ? "unexpected end of JSON input" : "expected a string in double quotes");
        for (s->p++; s->p < s->end;) {
                unsigned char c = (unsigned char)*s->p;

                if (c == '"') {
                        s->p++;
                        return true;
                }
                if (c < 0x20)
                        return fail(s, "control character in string");
                if (c == '\\') {
                        if (!scan_escape(s))
                                return false;
                } else if (c < 0x80) {
                        s->p++;
                } else if (!scan_utf8(s)) {
                        return false;
                }
        }
        return fail(s, "unexpected end of JSON input");
}

static bool digits(struct scan *s)
{
        const char *from = s->p;

        while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
                s->p++;
        return s->p > from || fail(s, "invalid number");
}

static bool scan_number(struct scan *s)
{
        if (*s->p == '-')
                s->p++;
        if (s->p < s->end && *s->p == '0')
                s->p++;
        else if (!digits(s))
                return false;
        if (s->p < s->end && *s->p == '.') {
                s->p++;
                if (!digits(s))
                        return false;
        }
        if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
                s->p++;
                if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
                        s->p++;
                return digits(s);
        }
        return true;
}

static bool scan_word(struct scan *s)
{
        static const char *const words[] = {"true", "false", "null"};

        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                size_t n = strlen(words[i]);

                if ((size_t)(s->end - s->p) >= n && memcmp(s->p, words[i], n) == 0) {
                        s->p += n;
                        return true;
                }
        }
        return fail(s, s->p >= s->end ? "unexpected end of JSON input" : "invalid character looking for a value");
}

/* @members counts the keys of all objects: json-c keeps one of two equal keys, so that fewer members in its tree than
 * in the text mean a duplicate, however the keys were escaped. */
static bool scan_value(struct scan *s, int depth, size_t *members);

static bool scan_object(struct scan *s, int depth, size_t *members)
{
        s->p++;
        skip_space(s);
        if (s->p < s->end && *s->p == '}') {
                s->p++;
                return true;
        }
        for (;;) {
                skip_space(s);
                if (!scan_string(s))
                        return false;
                (*members)++;
                skip_space(s);
                if (s->p >= s->end || *s->p != ':')
                        return fail(s, "expected ':' after object key");
                s->p++;
                if (!scan_value(s, depth, members))
                        return false;
                skip_space(s);
                if (s->p < s->end && *s->p == '}') {
                        s->p++;
                        return true;
                }
                if (s->p >= s->end || *s->p != ',')
                        return fail(s, s->p >= s->end ? "unexpected end of JSON input"
                                                      : "expected ',' or '}' after object value");
                s->p++;
        }
}

static bool scan_array(struct scan *s, int depth, size_t *members)
{
        s->p++;
        skip_space(s);
        if (s->p < s->end && *s->p == ']') {
                s->p++;
                return true;
        }
        for (;;) {
                if (!scan_value(s, depth, members))
                        return false;
                skip_space(s);
                if (s->p < s->end && *s->p == ']') {
                        s->p++;
                        return true;
                }
                if (s->p >= s->end || *s->p != ',')
                        return fail(s, s->p >= s->end ? "unexpected end of JSON input"
                                                      : "expected ',' or ']' after array element");
                s->p++;
        }
}

static bool scan_value(struct scan *s, int depth, size_t *members)
{
        skip_space(s);
        if (s->p >= s->end)
                return fail(s, "unexpected end of JSON input");
        if (depth <= 0)
                return fail(s, "nested too deeply");
        switch (*s->p) {
        case '{':
                return scan_object(s, depth - 1, members);
        case '[':
                return scan_array(s, depth - 1, members);
        case '"':
                return scan_string(s);
        case '-':
        case '0' ... '9':
                return scan_number(s);
        default:
                return scan_word(s);
        }
}

static size_t count_members(json_object *j)
{
        size_t n = 0;

        if (json_object_is_type(j, json_type_object)) {
                n = (size_t)json_object_object_length(j);
                json_object_object_foreach(j, key, value)
                {
                        (void)key;
                        n += count_members(value);
                }
        } else if (json_object_is_type(j, json_type_array)) {
                for (size_t i = 0; i < json_object_array_length(j); i++)
                        n += count_members(json_object_array_get_idx(j, i));
        }
        return n;
}

static err *at(const struct scan *s)
{
        size_t line = 1, column = 1;

        for (const char *p = s->start; p < s->p && p < s->end; p++) {
                column++;
                if (*p == '\n') {
                        line++;
                        column = 1;
                }
        }
        return err_new(ERR_INVALID, "line %zu, column %zu: %s", line, column, s->what);
}

err *json_parse(const char *text, size_t size, json **ret)
{
        struct scan s = {.start = text, .p = text, .end = text + size};
        struct json_tokener *tok;
        json_object *j;
        size_t members = 0;

        if (size > JSON_MAX_SIZE)
                return err_new(ERR_LIMIT, "JSON document of %zu bytes: at most %u are read", size, JSON_MAX_SIZE);
        if (!scan_value(&s, JSON_MAX_DEPTH, &members))
                return at(&s);
        skip_space(&s);
        if (s.p < s.end) {
                fail(&s, "invalid character after top-level value");
                return at(&s);
        }
        tok = json_tokener_new_ex(JSON_MAX_DEPTH + 1);
        if (!tok)
                return err_nomem();
        /* A number or word at the very end is only complete for json-c when something follows it. */
        j = json_tokener_parse_ex(tok, text, (int)size);
        if (!j && json_tokener_get_error(tok) == json_tokener_continue)
                j = json_tokener_parse_ex(tok, "\n", 1);
        if (!j && json_tokener_get_error(tok) != json_tokener_success) {
                err *e = err_new(ERR_INVALID, "%s", json_tokener_error_desc(json_tokener_get_error(tok)));

                json_tokener_free(tok);
                return e;
        }
        json_tokener_free(tok);
        if (count_members(j) != members) {
                json_object_put(j);
                return err_new(ERR_INVALID, "an object has the same key twice");
        }
        *ret = j;
        return NULL;
}

err *json_read(int dirfd, const char *path, json **ret)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = file_read(dirfd, path, JSON_MAX_SIZE, &text, &size);

        if (r == -ENOENT)
                return err_new(ERR_NOT_FOUND, "%s: no such file or directory", path);
        if (r == -EFBIG)
                return err_new(ERR_LIMIT, "%s: larger than %u bytes", path, JSON_MAX_SIZE);
        if (r < 0)
                return err_sys(r, "reading %s", path);
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
        json_object *copy = NULL;

        if (j && json_object_deep_copy(j, &copy, NULL) < 0)
                return err_nomem();
        *ret = copy;
        return NULL;
}

/* ---- reading ---- */

static json_object *raw(const json *j)
{
        return (json_object *)(uintptr_t)j;
}

enum json_kind json_kind(const json *j)
{
        switch (json_object_get_type(raw(j))) {
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
                break;
        }
        return JSON_NULL;
}

json *json_get(const json *obj, const char *key)
{
        json_object *value = NULL;

        if (!json_object_is_type(raw(obj), json_type_object))
                return NULL;
        (void)json_object_object_get_ex(raw(obj), key, &value);
        return value;
}

json *json_path(const json *obj, const char *dotted)
{
        const json *j = obj;
        char key[256];

        while (*dotted && j) {
                size_t n = strcspn(dotted, ".");

                if (n >= sizeof(key))
                        return NULL;
                memcpy(key, dotted, n);
                key[n] = '\0';
                j = json_get(j, key);
                dotted += n + (dotted[n] == '.');
        }
        return raw(j);
}

const char *json_str(const json *j)
{
        return json_object_is_type(raw(j), json_type_string) ? json_object_get_string(raw(j)) : NULL;
}

size_t json_str_len(const json *j)
{
        return json_object_is_type(raw(j), json_type_string) ? (size_t)json_object_get_string_len(raw(j)) : 0;
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
        return json_object_is_type(raw(j), json_type_int) ? json_object_get_int64(raw(j)) : otherwise;
}

int64_t json_get_int(const json *obj, const char *key, int64_t otherwise)
{
        return json_int(json_get(obj, key), otherwise);
}

uint64_t json_get_uint(const json *obj, const char *key, uint64_t otherwise)
{
        json *j = json_get(obj, key);

        return json_object_is_type(j, json_type_int) ? json_object_get_uint64(j) : otherwise;
}

bool json_bool(const json *j, bool otherwise)
{
        return json_object_is_type(raw(j), json_type_boolean) ? json_object_get_boolean(raw(j)) : otherwise;
}

bool json_get_bool(const json *obj, const char *key, bool otherwise)
{
        return json_bool(json_get(obj, key), otherwise);
}

double json_double(const json *j, double otherwise)
{
        if (json_object_is_type(raw(j), json_type_double) || json_object_is_type(raw(j), json_type_int))
                return json_object_get_double(raw(j));
        return otherwise;
}

size_t json_len(const json *j)
{
        if (json_object_is_type(raw(j), json_type_array))
                return json_object_array_length(raw(j));
        if (json_object_is_type(raw(j), json_type_object))
                return (size_t)json_object_object_length(raw(j));
        return 0;
}

json *json_at(const json *array, size_t i)
{
        if (!json_object_is_type(raw(array), json_type_array) || i >= json_object_array_length(raw(array)))
                return NULL;
        return json_object_array_get_idx(raw(array), i);
}

err *json_get_strv(const json *obj, const char *key, char ***ret)
{
        const json *list = json_get(obj, key);
        size_t n = json_len(list);
        char **strv;

        if (list && json_kind(list) != JSON_NULL && json_kind(list) != JSON_ARRAY)
                return err_new(ERR_INVALID, "%s: must be a list of strings", key);
        strv = calloc(n + 1, sizeof(*strv));
        if (!strv)
                return err_nomem();
        for (size_t i = 0; i < n; i++) {
                const char *text = json_str(json_at(list, i));
                bool whole = text && strlen(text) == json_str_len(json_at(list, i));

                strv[i] = whole ? strdup(text) : NULL;
                if (strv[i])
                        continue;
                for (size_t k = 0; k < i; k++)
                        free(strv[k]);
                free(strv);
                return whole ? err_nomem() : err_new(ERR_INVALID, "%s: must be a list of strings without NUL bytes", key);
        }
        *ret = strv;
        return NULL;
}

struct json_iter json_iter_begin(const json *obj)
{
        struct json_iter it = {.obj = obj};

        if (json_object_is_type(raw(obj), json_type_object))
                it.entry = json_object_get_object(raw(obj))->head;
        return it;
}

bool json_iter_next(struct json_iter *it)
{
        struct lh_entry *entry = it->entry;

        if (!entry)
                return false;
        it->key = lh_entry_k(entry);
        it->value = (json *)(uintptr_t)lh_entry_v(entry);
        it->entry = entry->next;
        return true;
}

/* ---- building ---- */

bool json_building_failed;

static json *made(json *j)
{
        if (!j)
                json_building_failed = true;
        return j;
}

json *json_new_object(void)
{
        return made(json_object_new_object());
}

json *json_new_array(void)
{
        return made(json_object_new_array());
}

json *json_new_str(const char *text)
{
        return text ? made(json_object_new_string(text)) : NULL;
}

json *json_new_str_n(const char *data, size_t n)
{
        return made(json_object_new_string_len(data, (int)n));
}

json *json_new_int(int64_t n)
{
        return made(json_object_new_int64(n));
}

json *json_new_uint(uint64_t n)
{
        return made(json_object_new_uint64(n));
}

json *json_new_bool(bool b)
{
        return made(json_object_new_boolean(b));
}

json *json_new_double(double d)
{
        return made(json_object_new_double(d));
}

json *json_new_null(void)
{
        return NULL; /* json-c's null */
}

void json_set(json *obj, const char *key, json *value)
{
        if (!obj || json_object_object_add(obj, key, value) < 0) {
                json_free(value);
                json_building_failed = true;
        }
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
        if (json_object_is_type(obj, json_type_object))
                json_object_object_del(obj, key);
}

void json_add(json *array, json *value)
{
        if (!array || json_object_array_add(array, value) < 0) {
                json_free(value);
                json_building_failed = true;
        }
}

void json_add_str(json *array, const char *text)
{
        json_add(array, json_new_str(text));
}

json *json_sub_object(json *obj, const char *key)
{
        json *sub = json_get(obj, key);

        if (json_object_is_type(sub, json_type_object))
                return sub;
        sub = json_new_object();
        json_set(obj, key, sub);
        return sub;
}

json *json_sub_array(json *obj, const char *key)
{
        json *sub = json_get(obj, key);

        if (json_object_is_type(sub, json_type_array))
                return sub;
        sub = json_new_array();
        json_set(obj, key, sub);
        return sub;
}
