/* template_func.c - the functions of templates: Go's own and docker's. */
#include "codec/template_node.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static err *give_text(struct state *s, struct str *text, struct value *ret)
{
        TRY(str_done(text));
        return template_keep(s, json_new_str_n(str_text(text), text->len), ret);
}

static err *give_bool(struct state *s, bool b, struct value *ret)
{
        return template_keep(s, json_new_bool(b), ret);
}

static err *call_not(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        return give_bool(s, !template_true(s, &args[0]), ret);
}

static err *call_len(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        switch (json_kind(args[0].j)) {
        case JSON_STRING:
                return template_keep(s, json_new_int((int64_t)json_str_len(args[0].j)), ret);
        case JSON_ARRAY:
        case JSON_OBJECT:
                return template_keep(s, json_new_int((int64_t)json_len(args[0].j)), ret);
        case JSON_NULL:
                if (template_hint(s, &args[0]) != HINT_NONE)
                        return template_keep(s, json_new_int(0), ret);
                return err_new(ERR_INVALID, "len of nil pointer");
        default:
                return err_new(ERR_INVALID, "len of type %s", template_go_type(&args[0]));
        }
}

/* What Go's zero value of a map's elements is, guessed from another element. */
static err *zero_of(struct state *s, const struct value *map, struct value *ret)
{
        struct json_iter it = json_iter_begin(map->j);
        bool any = json_iter_next(&it);

        *ret = template_member(s, map, "");
        ret->j = NULL;
        ret->missing = !s->options->types;
        if (s->options->types && template_hint(s, ret) != HINT_SLICE && (!any || json_kind(it.value) == JSON_STRING))
                return template_keep(s, json_new_str(""), ret);
        return NULL;
}

static err *index_array(const struct value *item, const struct value *key, struct value *ret)
{
        int64_t i = json_int(key->j, -1);

        if (json_kind(key->j) != JSON_INT)
                return err_new(ERR_INVALID, "cannot index slice/array with %s%s", key->j ? "type " : "nil",
                               key->j ? template_go_type(key) : "");
        if (i < 0 || (uint64_t)i >= json_len(item->j))
                return err_new(ERR_INVALID, "index out of range: %lld", (long long)i);
        *ret = template_element(json_at(item->j, (size_t)i));
        return NULL;
}

static err *index_string(struct state *s, const struct value *item, const struct value *key, struct value *ret)
{
        int64_t i = json_int(key->j, -1);

        if (json_kind(key->j) != JSON_INT)
                return err_new(ERR_INVALID, "cannot index slice/array with type %s", template_go_type(key));
        if (i < 0 || (uint64_t)i >= json_str_len(item->j))
                return err_new(ERR_INVALID, "index out of range: %lld", (long long)i);
        return template_keep(s, json_new_int((unsigned char)json_str(item->j)[i]), ret);
}

static err *call_index(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        struct value item = args[0];

        for (size_t i = 1; i < n; i++) {
                const struct value *key = &args[i];
                struct value found;

                switch (json_kind(item.j)) {
                case JSON_ARRAY:
                        TRY(index_array(&item, key, &found));
                        break;
                case JSON_STRING:
                        TRY(index_string(s, &item, key, &found));
                        break;
                case JSON_OBJECT:
                        if (json_kind(key->j) != JSON_STRING)
                                return err_new(ERR_INVALID, "value has type %s; should be string",
                                               template_go_type(key));
                        if (json_has(item.j, json_str(key->j)))
                                found = template_member(s, &item, json_str(key->j));
                        else
                                TRY(zero_of(s, &item, &found));
                        break;
                case JSON_NULL:
                        if (template_hint(s, &item) == HINT_MAP) {
                                TRY(zero_of(s, &item, &found));
                                break;
                        }
                        if (template_hint(s, &item) == HINT_SLICE)
                                return err_new(ERR_INVALID, "index out of range: %lld", (long long)json_int(key->j, 0));
                        return err_new(ERR_INVALID, "index of untyped nil");
                default:
                        return err_new(ERR_INVALID, "can't index item of type %s", template_go_type(&item));
                }
                item = found;
        }
        *ret = item;
        return NULL;
}

static err *call_slice(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        bool text = json_kind(args[0].j) == JSON_STRING;
        size_t size = text ? json_str_len(args[0].j) : json_len(args[0].j), at[2] = {0, size};
        json *list;

        if (!text && json_kind(args[0].j) != JSON_ARRAY)
                return err_new(ERR_INVALID, "can't slice item of type %s", template_go_type(&args[0]));
        for (size_t i = 1; i < n; i++) {
                int64_t k = json_int(args[i].j, -1);

                if (json_kind(args[i].j) != JSON_INT)
                        return err_new(ERR_INVALID, "cannot index slice/array with type %s",
                                       template_go_type(&args[i]));
                if (k < 0 || (uint64_t)k > size)
                        return err_new(ERR_INVALID, "index out of range: %lld", (long long)k);
                at[i - 1] = (size_t)k;
        }
        if (at[0] > at[1])
                return err_new(ERR_INVALID, "invalid slice index: %zu > %zu", at[0], at[1]);
        if (text)
                return template_keep(s, json_new_str_n(json_str(args[0].j) + at[0], at[1] - at[0]), ret);
        list = json_new_array();
        for (size_t i = at[0]; i < at[1]; i++)
                json_add(list, json_ref(json_at(args[0].j, i)));
        return template_keep(s, list, ret);
}

/* ---- comparison ---- */

static bool is_number(const struct value *v)
{
        return json_kind(v->j) == JSON_INT || json_kind(v->j) == JSON_DOUBLE;
}

static int compare_numbers(const struct value *a, const struct value *b)
{
        double x, y;

        if (json_kind(a->j) == JSON_INT && json_kind(b->j) == JSON_INT) {
                int64_t i = json_int(a->j, INT64_MAX), k = json_int(b->j, INT64_MAX);

                return (i > k) - (i < k);
        }
        x = json_double(a->j, 0);
        y = json_double(b->j, 0);
        return (x > y) - (x < y);
}

static int compare_strings(const struct value *a, const struct value *b)
{
        size_t n = json_str_len(a->j), m = json_str_len(b->j);
        int c = memcmp(json_str(a->j), json_str(b->j), n < m ? n : m);

        return c ? c : (n > m) - (n < m);
}

static err *equal(const struct value *a, const struct value *b, bool *ret)
{
        enum json_kind x = json_kind(a->j), y = json_kind(b->j);

        if (x >= JSON_ARRAY || y >= JSON_ARRAY)
                return err_new(ERR_INVALID, "non-comparable type %s", template_go_type(x >= JSON_ARRAY ? a : b));
        if (x == JSON_NULL || y == JSON_NULL)
                *ret = x == y;
        else if (is_number(a) && is_number(b))
                *ret = compare_numbers(a, b) == 0;
        else if (x != y)
                return err_new(ERR_INVALID, "incompatible types for comparison");
        else if (x == JSON_STRING)
                *ret = compare_strings(a, b) == 0;
        else
                *ret = json_bool(a->j, false) == json_bool(b->j, false);
        return NULL;
}

static err *call_eq(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        bool same = false;

        for (size_t i = 1; i < n && !same; i++)
                TRY(equal(&args[0], &args[i], &same));
        return give_bool(s, same, ret);
}

static err *call_ne(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        bool same;

        TRY(equal(&args[0], &args[1], &same));
        return give_bool(s, !same, ret);
}

static err *order(const struct value *args, int *ret)
{
        if (is_number(&args[0]) && is_number(&args[1]))
                *ret = compare_numbers(&args[0], &args[1]);
        else if (json_kind(args[0].j) == JSON_STRING && json_kind(args[1].j) == JSON_STRING)
                *ret = compare_strings(&args[0], &args[1]);
        else if (json_kind(args[0].j) == json_kind(args[1].j) || json_kind(args[0].j) == JSON_BOOL)
                return err_new(ERR_INVALID, "invalid type for comparison");
        else
                return err_new(ERR_INVALID, "incompatible types for comparison");
        return NULL;
}

static err *call_lt(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        int c;

        TRY(order(args, &c));
        return give_bool(s, c < 0, ret);
}

static err *call_le(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        int c;

        TRY(order(args, &c));
        return give_bool(s, c <= 0, ret);
}

static err *call_gt(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        int c;

        TRY(order(args, &c));
        return give_bool(s, c > 0, ret);
}

static err *call_ge(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        int c;

        TRY(order(args, &c));
        return give_bool(s, c >= 0, ret);
}

/* ---- printing ---- */

static err *call_print(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        _cleanup_str_ struct str out = {0};

        template_sprint(s, args, n, false, &out);
        return give_text(s, &out, ret);
}

static err *call_println(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        _cleanup_str_ struct str out = {0};

        template_sprint(s, args, n, true, &out);
        return give_text(s, &out, ret);
}

static err *call_printf(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        _cleanup_str_ struct str out = {0};

        TRY(template_printf(s, args, n, &out));
        return give_text(s, &out, ret);
}

static err *call_html(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        static const struct {
                char c;
                const char *text;
        } escapes[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&#34;"}, {'\'', "&#39;"}};
        _cleanup_str_ struct str plain = {0}, out = {0};

        template_sprint(s, args, n, false, &plain);
        for (size_t i = 0; i < plain.len; i++) {
                const char *text = NULL;

                for (size_t k = 0; k < ARRAY_SIZE(escapes); k++)
                        if (plain.data[i] == escapes[k].c)
                                text = escapes[k].text;
                str_add_n(&out, text ? text : &plain.data[i], text ? strlen(text) : 1);
        }
        out.failed |= plain.failed;
        return give_text(s, &out, ret);
}

static err *call_urlquery(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        static const char keep[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
        _cleanup_str_ struct str plain = {0}, out = {0};

        template_sprint(s, args, n, false, &plain);
        for (size_t i = 0; i < plain.len; i++) {
                char c = plain.data[i];

                if (c && strchr(keep, c))
                        str_add_char(&out, c);
                else if (c == ' ')
                        str_add_char(&out, '+');
                else
                        str_printf(&out, "%%%02X", (unsigned char)c);
        }
        out.failed |= plain.failed;
        return give_text(s, &out, ret);
}

/* ---- docker's ---- */

static err *call_json(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        _cleanup_free_ char *text = NULL;

        TRY(json_print(args[0].j, JSON_COMPACT, &text));
        return template_keep(s, json_new_str(text), ret);
}

static err *call_split(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        const char *at = json_str(args[0].j), *end = at + json_str_len(args[0].j), *sep = json_str(args[1].j);
        size_t size = json_str_len(args[1].j);
        json *list = json_new_array();

        while (size || at < end) {
                /* Without a separator every character is an element. */
                size_t one = size ? 0 : 1;
                const char *to;

                while (!size && at + one < end && ((unsigned char)at[one] & 0xc0) == 0x80)
                        one++;
                to = size ? memmem(at, (size_t)(end - at), sep, size) : at + one;
                json_add(list, json_new_str_n(at, (size_t)((to ? to : end) - at)));
                if (!to)
                        break;
                at = to + size;
        }
        return template_keep(s, list, ret);
}

static err *call_join(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        _cleanup_str_ struct str out = {0};

        for (size_t i = 0; i < json_len(args[0].j); i++) {
                const json *item = json_at(args[0].j, i);

                if (i)
                        str_add_n(&out, json_str(args[1].j), json_str_len(args[1].j));
                str_add_n(&out, json_str(item), json_str_len(item));
        }
        return give_text(s, &out, ret);
}

static char lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static char upper(char c)
{
        return c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
}

static err *call_lower(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        _cleanup_str_ struct str out = {0};

        for (size_t i = 0; i < json_str_len(args[0].j); i++)
                str_add_char(&out, lower(json_str(args[0].j)[i]));
        return give_text(s, &out, ret);
}

static err *call_upper(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        _cleanup_str_ struct str out = {0};

        for (size_t i = 0; i < json_str_len(args[0].j); i++)
                str_add_char(&out, upper(json_str(args[0].j)[i]));
        return give_text(s, &out, ret);
}

/* Every letter that begins a word; digits and underscores do not end one (strings.Title). */
static err *call_title(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        _cleanup_str_ struct str out = {0};
        bool begin = true;

        for (size_t i = 0; i < json_str_len(args[0].j); i++) {
                char c = json_str(args[0].j)[i];

                str_add_char(&out, begin ? upper(c) : c);
                begin = (unsigned char)c < 0x80 && c != '_' && !(c >= '0' && c <= '9') &&
                        !(lower(c) >= 'a' && lower(c) <= 'z');
        }
        return give_text(s, &out, ret);
}

static err *call_pad(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        _cleanup_str_ struct str out = {0};
        int64_t before = json_int(args[1].j, 0), after = json_int(args[2].j, 0);

        if (before < 0 || after < 0)
                return err_new(ERR_INVALID, "negative Repeat count");
        if (before > 65536 || after > 65536)
                return err_new(ERR_INVALID, "more than 65536 spaces");
        if (!json_str_len(args[0].j)) {
                *ret = args[0];
                return NULL;
        }
        for (; before; before--)
                str_add_char(&out, ' ');
        str_add_n(&out, json_str(args[0].j), json_str_len(args[0].j));
        for (; after; after--)
                str_add_char(&out, ' ');
        return give_text(s, &out, ret);
}

static err *call_truncate(struct state *s, const struct value *args, size_t n, struct value *ret)
{
        int64_t max = json_int(args[1].j, 0);

        if (max < 0)
                return err_new(ERR_INVALID, "negative length");
        if ((uint64_t)max >= json_str_len(args[0].j)) {
                *ret = args[0];
                return NULL;
        }
        return template_keep(s, json_new_str_n(json_str(args[0].j), (size_t)max), ret);
}

static const struct function functions[] = {
        {"and", 1, UINT_MAX, "v", NULL},
        {"or", 1, UINT_MAX, "v", NULL},
        {"not", 1, 1, "v", call_not},
        {"len", 1, 1, "v", call_len},
        {"index", 1, UINT_MAX, "v", call_index},
        {"slice", 1, 3, "v", call_slice},
        {"eq", 2, UINT_MAX, "v", call_eq},
        {"ne", 2, 2, "v", call_ne},
        {"lt", 2, 2, "v", call_lt},
        {"le", 2, 2, "v", call_le},
        {"gt", 2, 2, "v", call_gt},
        {"ge", 2, 2, "v", call_ge},
        {"print", 0, UINT_MAX, "v", call_print},
        {"println", 0, UINT_MAX, "v", call_println},
        {"printf", 1, UINT_MAX, "sv", call_printf},
        {"html", 0, UINT_MAX, "v", call_html},
        {"urlquery", 0, UINT_MAX, "v", call_urlquery},
        {"json", 1, 1, "v", call_json},
        {"split", 2, 2, "s", call_split},
        {"join", 2, 2, "ls", call_join},
        {"title", 1, 1, "s", call_title},
        {"lower", 1, 1, "s", call_lower},
        {"upper", 1, 1, "s", call_upper},
        {"pad", 3, 3, "si", call_pad},
        {"truncate", 2, 2, "si", call_truncate},
};

const struct function *template_function(const char *name, size_t size)
{
        for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
                if (strlen(functions[i].name) == size && memcmp(functions[i].name, name, size) == 0)
                        return &functions[i];
        return NULL;
}
