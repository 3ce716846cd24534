/* json_parse.c - JSON text to nodes (RFC 8259), in one pass.
 *
 * json-c's own tokener accepts duplicate keys, NaN, single quotes and comments even in its strict mode, and is slower:
 * a state machine for text that arrives in pieces. Ours has the whole text. Each function leaves `p->at` behind what it
 * consumed; positions become line and column only when something is wrong. */
#include "codec/json_node.h"

#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_NUMBER 255

struct parser {
        const char *text, *at, *end;
        struct str scratch; /* an unescaped string; reused */
        unsigned nodes;
        unsigned depth;
        struct json_skip *skip; /* or NULL */
        bool in_outer;          /* inside of the member skip->outer of the document */
};

static err *parse_value(struct parser *p, json **ret);

static err *wrong(const struct parser *p, enum err_code code, const char *at, const char *what)
{
        size_t line = 1;
        const char *start = p->text;

        for (const char *c = p->text; c < at; c++)
                if (*c == '\n') {
                        line++;
                        start = c + 1;
                }
        return err_new(code, "line %zu, column %zu: %s", line, (size_t)(at - start) + 1, what);
}

static void skip_space(struct parser *p)
{
        while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
                p->at++;
}

size_t json_utf8_length(const char *s, const char *end)
{
        const unsigned char *u = (const unsigned char *)s;
        size_t left = (size_t)(end - s), n;
        unsigned char low = 0x80, high = 0xbf;

        if (u[0] < 0x80)
                return 1;
        if (u[0] >= 0xc2 && u[0] <= 0xdf)
                n = 2;
        else if (u[0] >= 0xe0 && u[0] <= 0xef)
                n = 3;
        else if (u[0] >= 0xf0 && u[0] <= 0xf4)
                n = 4;
        else
                return 0;
        if (left < n)
                return 0;
        if (u[0] == 0xe0)
                low = 0xa0;
        else if (u[0] == 0xed)
                high = 0x9f;
        else if (u[0] == 0xf0)
                low = 0x90;
        else if (u[0] == 0xf4)
                high = 0x8f;
        if (u[1] < low || u[1] > high)
                return 0;
        for (size_t i = 2; i < n; i++)
                if ((u[i] & 0xc0) != 0x80)
                        return 0;
        return n;
}

static bool hex4(const char *s, const char *end, unsigned *ret)
{
        unsigned n = 0;

        if (end - s < 4)
                return false;
        for (int i = 0; i < 4; i++) {
                unsigned char c = (unsigned char)s[i];

                if (c >= '0' && c <= '9')
                        n = n << 4 | (unsigned)(c - '0');
                else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
                        n = n << 4 | (unsigned)((c | 0x20) - 'a' + 10);
                else
                        return false;
        }
        *ret = n;
        return true;
}

static void put_utf8(struct str *s, unsigned c)
{
        char b[4];
        size_t n;

        if (c < 0x80) {
                b[0] = (char)c;
                n = 1;
        } else if (c < 0x800) {
                b[0] = (char)(0xc0 | c >> 6);
                b[1] = (char)(0x80 | (c & 0x3f));
                n = 2;
        } else if (c < 0x10000) {
                b[0] = (char)(0xe0 | c >> 12);
                b[1] = (char)(0x80 | (c >> 6 & 0x3f));
                b[2] = (char)(0x80 | (c & 0x3f));
                n = 3;
        } else {
                b[0] = (char)(0xf0 | c >> 18);
                b[1] = (char)(0x80 | (c >> 12 & 0x3f));
                b[2] = (char)(0x80 | (c >> 6 & 0x3f));
                b[3] = (char)(0x80 | (c & 0x3f));
                n = 4;
        }
        str_add_n(s, b, n);
}

/* \uXXXX at p->at (behind the 'u'). */
static err *unescape_unicode(struct parser *p, bool key)
{
        const char *start = p->at - 2;
        unsigned c, low;

        if (!hex4(p->at, p->end, &c))
                return wrong(p, ERR_INVALID, start, "\\u needs four hexadecimal digits");
        p->at += 4;
        if (c == 0 && key)
                return wrong(p, ERR_INVALID, start, "a NUL byte in a key");
        if (c >= 0xd800 && c <= 0xdbff) {
                if (p->end - p->at < 6 || p->at[0] != '\\' || p->at[1] != 'u' || !hex4(p->at + 2, p->end, &low) ||
                    low < 0xdc00 || low > 0xdfff)
                        return wrong(p, ERR_INVALID, start, "half of a surrogate pair");
                p->at += 6;
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        } else if (c >= 0xdc80 && c <= 0xdcff && !key) {
                str_add_char(&p->scratch, (char)(c & 0xff)); /* see json_parse() in the header */
                return NULL;
        } else if (c >= 0xdc00 && c <= 0xdfff) {
                return wrong(p, ERR_INVALID, start, "half of a surrogate pair");
        }
        put_utf8(&p->scratch, c);
        return NULL;
}

static err *unescape(struct parser *p, bool key)
{
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *found;

        if (p->at + 1 >= p->end)
                return wrong(p, ERR_INVALID, p->at, "the text ends inside a string");
        p->at += 2;
        if (p->at[-1] == 'u')
                return unescape_unicode(p, key);
        found = p->at[-1] ? strchr(from, p->at[-1]) : NULL;
        if (!found)
                return wrong(p, ERR_INVALID, p->at - 2, "unknown escape");
        str_add_char(&p->scratch, to[found - from]);
        return NULL;
}

/* Advance over bytes that stand for themselves. Eight at a time: none below 0x20, '"', '\\' or above 0x7f. */
static void skip_plain(struct parser *p)
{
        const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;

        while (p->end - p->at >= 8) {
                uint64_t w, quote, slash;

                memcpy(&w, p->at, 8);
                quote = w ^ ones * '"';
                slash = w ^ ones * '\\';
                if (((w | (w - ones * 0x20) | (quote - ones) | (slash - ones)) & tops) != 0)
                        break;
                p->at += 8;
        }
        while (p->at < p->end && (unsigned char)*p->at >= 0x20 && (unsigned char)*p->at < 0x80 && *p->at != '"' &&
               *p->at != '\\')
                p->at++;
}

/* A string at its opening quote. The result is borrowed: from the text when nothing is escaped, else from scratch. */
static err *parse_string(struct parser *p, bool key, const char **ret, size_t *ret_size)
{
        const char *open = p->at++, *from = p->at;
        bool escaped = false;

        for (;;) {
                size_t n;

                skip_plain(p);
                if (p->at >= p->end)
                        return wrong(p, ERR_INVALID, open, "a string without its closing quote");
                if (*p->at == '"')
                        break;
                if (*p->at == '\\') {
                        if (!escaped)
                                p->scratch.len = 0;
                        escaped = true;
                        str_add_n(&p->scratch, from, (size_t)(p->at - from));
                        TRY(unescape(p, key));
                        from = p->at;
                        continue;
                }
                if ((unsigned char)*p->at < 0x20)
                        return wrong(p, ERR_INVALID, p->at, "a control character in a string");
                n = json_utf8_length(p->at, p->end);
                if (!n)
                        return wrong(p, ERR_INVALID, p->at, "invalid UTF-8");
                p->at += n;
        }
        if (escaped) {
                str_add_n(&p->scratch, from, (size_t)(p->at - from));
                TRY(str_done(&p->scratch));
                *ret = p->scratch.data;
                *ret_size = p->scratch.len;
        } else {
                *ret = from;
                *ret_size = (size_t)(p->at - from);
        }
        p->at++;
        return NULL;
}

static size_t count_digits(const struct parser *p)
{
        const char *c = p->at;

        while (c < p->end && *c >= '0' && *c <= '9')
                c++;
        return (size_t)(c - p->at);
}

static err *make_double(struct parser *p, const char *start, json **ret)
{
        char copy[MAX_NUMBER + 1];
        size_t n = (size_t)(p->at - start);
        double d;

        if (n > MAX_NUMBER)
                return wrong(p, ERR_LIMIT, start, "a number of more than 255 characters");
        memcpy(copy, start, n);
        copy[n] = '\0';
        d = strtod(copy, NULL);
        if (!isfinite(d))
                return wrong(p, ERR_INVALID, start, "a number out of range");
        *ret = json_object_new_double_s(d, copy); /* prints as it was written */
        return *ret ? NULL : err_nomem();
}

static err *make_integer(struct parser *p, const char *start, json **ret)
{
        bool negative = *start == '-';
        uint64_t n = 0;

        for (const char *c = start + negative; c < p->at; c++)
                if (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, (unsigned)(*c - '0'), &n))
                        return wrong(p, ERR_INVALID, start, "an integer of more than 64 bits");
        if (negative && n > (uint64_t)INT64_MAX + 1)
                return wrong(p, ERR_INVALID, start, "an integer of more than 64 bits");
        if (negative)
                *ret = json_object_new_int64(n > INT64_MAX ? INT64_MIN : -(int64_t)n);
        else
                *ret = n <= INT64_MAX ? json_object_new_int64((int64_t)n) : json_object_new_uint64(n);
        return *ret ? NULL : err_nomem();
}

static err *parse_number(struct parser *p, json **ret)
{
        const char *start = p->at;
        bool integer = true;
        size_t n;

        if (*p->at == '-')
                p->at++;
        n = count_digits(p);
        if (!n)
                return wrong(p, ERR_INVALID, start, "a number without digits");
        if (n > 1 && *p->at == '0')
                return wrong(p, ERR_INVALID, start, "a number with a leading zero");
        p->at += n;
        if (p->at < p->end && *p->at == '.') {
                integer = false;
                p->at++;
                n = count_digits(p);
                if (!n)
                        return wrong(p, ERR_INVALID, p->at, "a digit must follow the decimal point");
                p->at += n;
        }
        if (p->at < p->end && (*p->at | 0x20) == 'e') {
                integer = false;
                p->at++;
                if (p->at < p->end && (*p->at == '+' || *p->at == '-'))
                        p->at++;
                n = count_digits(p);
                if (!n)
                        return wrong(p, ERR_INVALID, p->at, "an exponent without digits");
                p->at += n;
        }
        return integer ? make_integer(p, start, ret) : make_double(p, start, ret);
}

static err *parse_word(struct parser *p, const char *word, json **ret)
{
        size_t n = strlen(word);

        if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
                return wrong(p, ERR_INVALID, p->at, "unexpected word (true, false and null are known)");
        p->at += n;
        if (*word == 'n') {
                *ret = NULL;
                return NULL;
        }
        *ret = json_object_new_boolean(*word == 't');
        return *ret ? NULL : err_nomem();
}

static err *parse_array(struct parser *p, json **ret)
{
        _cleanup_json_ json *array = json_object_new_array_ext(4);

        if (!array)
                return err_nomem();
        p->at++;
        skip_space(p);
        if (p->at < p->end && *p->at == ']') {
                p->at++;
                *ret = TAKE_PTR(array);
                return NULL;
        }
        for (;;) {
                json *item = NULL;

                TRY(parse_value(p, &item));
                if (json_object_array_add(array, item) < 0) {
                        json_free(item);
                        return err_nomem();
                }
                skip_space(p);
                if (p->at >= p->end || (*p->at != ',' && *p->at != ']'))
                        return wrong(p, ERR_INVALID, p->at, "expected , or ] in an array");
                if (*p->at++ == ']')
                        break;
        }
        *ret = TAKE_PTR(array);
        return NULL;
}

/* Behind the object at @at, as far as that can be told without parsing it; NULL: it has no end. */
static const char *object_end(const char *at, const char *end)
{
        size_t depth = 0;

        for (; at < end; at++) {
                if (*at == '"') {
                        for (at++; at < end && *at != '"'; at++)
                                at += *at == '\\';
                } else if (*at == '{') {
                        depth++;
                } else if (*at == '}' && --depth == 0) {
                        return at + 1;
                }
        }
        return NULL;
}

/* Is the value here one that the caller knows? Then it has been consumed. */
static bool is_known(struct parser *p, const char *key)
{
        struct json_skip *skip = p->skip;
        const char *end;

        if (!skip || !p->in_outer || p->depth != 2 || strcmp(key, skip->inner) != 0)
                return false;
        skip_space(p);
        end = p->at < p->end && *p->at == '{' ? object_end(p->at, p->end) : NULL;
        if (!end)
                return false;
        skip->text = p->at;
        skip->size = (size_t)(end - p->at);
        skip->known = skip->ask(skip->arg, skip->text, skip->size);
        if (skip->known)
                p->at = end;
        return skip->known;
}

/* "key": value, at the key's place. */
static err *parse_member(struct parser *p, json *object)
{
        _cleanup_free_ char *heap = NULL;
        const char *at = p->at, *text;
        char stack[64], *key = stack;
        json *value = NULL;
        size_t n;

        if (p->at >= p->end || *p->at != '"')
                return wrong(p, ERR_INVALID, p->at, "expected a key in double quotes");
        TRY(parse_string(p, true, &text, &n));
        if (n >= sizeof(stack)) {
                key = heap = malloc(n + 1);
                if (!key)
                        return err_nomem();
        }
        memcpy(key, text, n);
        key[n] = '\0';
        if (json_object_object_get_ex(object, key, NULL))
                return wrong(p, ERR_INVALID, at, "this key is there twice");
        skip_space(p);
        if (p->at >= p->end || *p->at != ':')
                return wrong(p, ERR_INVALID, p->at, "expected : behind a key");
        p->at++;
        if (p->skip && p->depth == 1)
                p->in_outer = strcmp(key, p->skip->outer) == 0;
        if (!is_known(p, key))
                TRY(parse_value(p, &value));
        if (json_object_object_add_ex(object, key, value, JSON_C_OBJECT_ADD_KEY_IS_NEW) < 0) {
                json_free(value);
                return err_nomem();
        }
        return NULL;
}

static err *parse_object(struct parser *p, json **ret)
{
        _cleanup_json_ json *object = json_object_new_object();

        if (!object)
                return err_nomem();
        p->at++;
        skip_space(p);
        if (p->at < p->end && *p->at == '}') {
                p->at++;
                *ret = TAKE_PTR(object);
                return NULL;
        }
        for (;;) {
                skip_space(p);
                TRY(parse_member(p, object));
                skip_space(p);
                if (p->at >= p->end || (*p->at != ',' && *p->at != '}'))
                        return wrong(p, ERR_INVALID, p->at, "expected , or } in an object");
                if (*p->at++ == '}')
                        break;
        }
        *ret = TAKE_PTR(object);
        return NULL;
}

static err *parse_text(struct parser *p, json **ret)
{
        const char *text;
        size_t n;

        TRY(parse_string(p, false, &text, &n));
        *ret = json_object_new_string_len(text, (int)n);
        return *ret ? NULL : err_nomem();
}

static err *parse_nested(struct parser *p, json **ret)
{
        if (p->depth == JSON_MAX_DEPTH)
                return wrong(p, ERR_LIMIT, p->at, "nested too deeply");
        p->depth++;
        TRY(*p->at == '{' ? parse_object(p, ret) : parse_array(p, ret));
        p->depth--;
        return NULL;
}

static err *parse_value(struct parser *p, json **ret)
{
        skip_space(p);
        if (p->at >= p->end)
                return wrong(p, ERR_INVALID, p->at, "the text ends where a value should be");
        if (++p->nodes > JSON_MAX_NODES)
                return wrong(p, ERR_LIMIT, p->at, "too many values");
        switch (*p->at) {
        case '{':
        case '[':
                return parse_nested(p, ret);
        case '"':
                return parse_text(p, ret);
        case 't':
                return parse_word(p, "true", ret);
        case 'f':
                return parse_word(p, "false", ret);
        case 'n':
                return parse_word(p, "null", ret);
        case '-':
        case '0' ... '9':
                return parse_number(p, ret);
        default:
                return wrong(p, ERR_INVALID, p->at, "expected a value");
        }
}

err *json_parse(const char *text, size_t size, json **ret)
{
        return json_parse_but(text, size, NULL, ret);
}

err *json_parse_but(const char *text, size_t size, struct json_skip *skip, json **ret)
{
        struct parser p = {.text = text, .at = text, .end = text + size, .skip = skip};
        _cleanup_json_ json *j = NULL;
        err *e;

        if (size > JSON_MAX_SIZE)
                return err_new(ERR_LIMIT, "a JSON text of %zu bytes (at most %u)", size, JSON_MAX_SIZE);
        e = parse_value(&p, &j);
        str_free(&p.scratch);
        if (e)
                return e;
        skip_space(&p);
        if (p.at < p.end)
                return wrong(&p, ERR_INVALID, p.at, "unexpected text behind the document");
        *ret = TAKE_PTR(j);
        return NULL;
}
