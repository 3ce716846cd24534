/* toml_value.c - keys, strings, numbers, arrays and inline tables of TOML. See toml_value.h. */
#include "codec/json_node.h"
#include "codec/toml_value.h"

#include <math.h>
#include <string.h>

static bool at(const struct toml *t, const char *what)
{
        size_t n = strlen(what);

        return (size_t)(t->end - t->at) >= n && memcmp(t->at, what, n) == 0;
}

void toml_skip_blank(struct toml *t)
{
        while (t->at < t->end && (*t->at == ' ' || *t->at == '\t'))
                t->at++;
}

/* Length of the character at t->at if it may stand in a comment or string; else 0. */
static size_t plain_character(const struct toml *t)
{
        unsigned char c = (unsigned char)*t->at;

        if (c < 0x80)
                return (c >= 0x20 && c != 0x7f) || c == '\t';
        return json_utf8_length(t->at, t->end);
}

static bool newline(struct toml *t)
{
        if (!at(t, "\n") && !at(t, "\r\n"))
                return false;
        t->at += *t->at == '\r' ? 2 : 1;
        t->line++;
        return true;
}

static err *skip_comment(struct toml *t)
{
        if (t->at == t->end || *t->at != '#')
                return NULL;
        while (t->at < t->end && *t->at != '\n' && !at(t, "\r\n")) {
                size_t n = plain_character(t);

                if (!n)
                        return toml_error(t, "a control character or invalid UTF-8 in a comment");
                t->at += n;
        }
        return NULL;
}

err *toml_skip_lines(struct toml *t)
{
        do {
                toml_skip_blank(t);
                TRY(skip_comment(t));
        } while (newline(t));
        return NULL;
}

err *toml_end_line(struct toml *t)
{
        toml_skip_blank(t);
        TRY(skip_comment(t));
        if (t->at < t->end && !newline(t))
                return toml_error(t, "unexpected text behind a value or table name");
        return NULL;
}

/* ---- strings ---- */

static err *unescape_unicode(struct toml *t, unsigned digits, struct str *out)
{
        char utf8[4];
        uint32_t c = 0;
        size_t n = 0;

        for (; digits; digits--, t->at++) {
                char d = t->at < t->end ? *t->at : '\0';

                if (d >= '0' && d <= '9')
                        c = c << 4 | (uint32_t)(d - '0');
                else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
                        c = c << 4 | (uint32_t)((d | 0x20) - 'a' + 10);
                else
                        return toml_error(t, "an escape with too few hexadecimal digits");
        }
        if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return toml_error(t, "U+%X is not a character", c);
        if (c < 0x80) {
                utf8[n++] = (char)c;
        } else if (c < 0x800) {
                utf8[n++] = (char)(0xc0 | c >> 6);
                utf8[n++] = (char)(0x80 | (c & 0x3f));
        } else {
                if (c < 0x10000) {
                        utf8[n++] = (char)(0xe0 | c >> 12);
                } else {
                        utf8[n++] = (char)(0xf0 | c >> 18);
                        utf8[n++] = (char)(0x80 | (c >> 12 & 0x3f));
                }
                utf8[n++] = (char)(0x80 | (c >> 6 & 0x3f));
                utf8[n++] = (char)(0x80 | (c & 0x3f));
        }
        str_add_n(out, utf8, n);
        return NULL;
}

/* A backslash at the end of a line: all white space up to the next text disappears. */
static bool line_ending_backslash(struct toml *t)
{
        const char *start = t->at;

        toml_skip_blank(t);
        if (!newline(t)) {
                t->at = start;
                return false;
        }
        do
                toml_skip_blank(t);
        while (newline(t));
        return true;
}

/* At the backslash. */
static err *unescape(struct toml *t, bool multi, struct str *out)
{
        static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
        const char *found;
        char c;

        t->at++;
        if (multi && line_ending_backslash(t))
                return NULL;
        c = t->at < t->end ? *t->at : '\0';
        found = c ? strchr(from, c) : NULL;
        if (!found && c != 'u' && c != 'U')
                return toml_error(t, "unknown escape in a string");
        t->at++;
        if (!found)
                return unescape_unicode(t, c == 'u' ? 4 : 8, out);
        str_add_char(out, to[found - from]);
        return NULL;
}

/* Any of the four kinds, at its quote. @multi_ok: keys have one line. */
static err *parse_string(struct toml *t, bool multi_ok, struct str *out)
{
        char quote = *t->at, triple[4] = {quote, quote, quote};
        bool multi = at(t, triple);

        if (multi && !multi_ok)
                return toml_error(t, "a key cannot have several lines");
        t->at += multi ? 3 : 1;
        if (multi)
                (void)newline(t); /* right behind the quotes: not part of the text */
        for (;;) {
                size_t n;

                if (t->at == t->end)
                        return toml_error(t, "a string without its closing quote");
                if (*t->at == quote && (!multi || at(t, triple))) {
                        /* up to two quotes may stand before the closing three */
                        for (int extra = 0; multi && extra < 2 && t->end - t->at > 3 && t->at[3] == quote; extra++)
                                str_add_char(out, *t->at++);
                        t->at += multi ? 3 : 1;
                        return str_done(out);
                }
                if (*t->at == '\\' && quote == '"') {
                        TRY(unescape(t, multi, out));
                        continue;
                }
                if (multi && newline(t)) {
                        str_add_char(out, '\n');
                        continue;
                }
                n = plain_character(t);
                if (!n)
                        return toml_error(t, "a control character, line end or invalid UTF-8 in a string");
                str_add_n(out, t->at, n);
                t->at += n;
        }
}

static bool is_bare(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static err *simple_key(struct toml *t, char **ret)
{
        _cleanup_str_ struct str s = {0};
        const char *start = t->at;

        if (t->at < t->end && (*t->at == '"' || *t->at == '\'')) {
                TRY(parse_string(t, false, &s));
                if (s.len && memchr(s.data, '\0', s.len))
                        return toml_error(t, "a key with a NUL byte");
        } else {
                while (t->at < t->end && is_bare(*t->at))
                        t->at++;
                if (t->at == start)
                        return toml_error(t, "expected a key");
                str_add_n(&s, start, (size_t)(t->at - start));
        }
        return str_take(&s, ret);
}

err *toml_key(struct toml *t, char ***ret)
{
        _cleanup_strv_ char **keys = NULL;

        for (unsigned n = 0;; n++) {
                char *key;

                if (n == JSON_MAX_DEPTH)
                        return err_new(ERR_LIMIT, "line %zu: nested too deeply", t->line);
                toml_skip_blank(t);
                TRY(simple_key(t, &key));
                TRY(strv_push(&keys, key));
                toml_skip_blank(t);
                if (t->at == t->end || *t->at != '.')
                        break;
                t->at++;
        }
        *ret = TAKE_PTR(keys);
        return NULL;
}

/* ---- numbers ---- */

/* Digits of @base with underscores between them; false when malformed. */
static bool parse_digits(const char *s, unsigned base, uint64_t *ret, bool *overflow)
{
        uint64_t n = 0;
        bool digit = false;

        for (; *s; s++) {
                unsigned d;

                if (*s == '_') {
                        if (!digit)
                                return false;
                        digit = false;
                        continue;
                }
                d = *s >= '0' && *s <= '9'                     ? (unsigned)(*s - '0')
                    : (*s | 0x20) >= 'a' && (*s | 0x20) <= 'f' ? (unsigned)((*s | 0x20) - 'a' + 10)
                                                               : 99;
                if (d >= base)
                        return false;
                *overflow |= __builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, d, &n);
                digit = true;
        }
        *ret = n;
        return digit;
}

static err *integer(struct toml *t, const char *text, json **ret, bool *found)
{
        bool sign = *text == '-' || *text == '+', negative = *text == '-', overflow = false;
        const char *digits = text + sign;
        unsigned base = 10;
        uint64_t n;

        *found = false;
        if (!sign && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o' || digits[1] == 'b')) {
                base = digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : 2;
                digits += 2;
        }
        if (!parse_digits(digits, base, &n, &overflow) || (base == 10 && digits[0] == '0' && digits[1]))
                return NULL;
        if (overflow || n > (uint64_t)INT64_MAX + negative)
                return toml_error(t, "%s does not fit 64 bits", text);
        *found = true;
        *ret = json_new_int(negative ? (int64_t)(0 - n) : (int64_t)n);
        return *ret ? NULL : err_nomem();
}

/* A run of digits, single underscores between them, from *@s on. */
static bool skip_digits(const char **s, char **out)
{
        const char *start = *s;

        for (; (**s >= '0' && **s <= '9') || **s == '_'; (*s)++) {
                if (**s != '_')
                        *(*out)++ = **s;
                else if (*s == start || (*s)[1] < '0' || (*s)[1] > '9')
                        return false;
        }
        return *s > start;
}

/* [sign] digits [. digits] [e [sign] digits], without leading zeros. */
static bool is_float(const char *s, char *plain)
{
        const char *whole;

        if (*s == '-' || *s == '+')
                *plain++ = *s++;
        whole = s;
        if (!skip_digits(&s, &plain) || (whole[0] == '0' && s - whole > 1))
                return false;
        if (*s == '.') {
                *plain++ = *s++;
                if (!skip_digits(&s, &plain))
                        return false;
        }
        if (*s == 'e' || *s == 'E') {
                *plain++ = *s++;
                if (*s == '-' || *s == '+')
                        *plain++ = *s++;
                if (!skip_digits(&s, &plain))
                        return false;
        }
        *plain = '\0';
        return *s == '\0';
}

static bool is_date(const char *s)
{
        size_t n = strspn(s, "0123456789");

        return (n == 4 && s[4] == '-') || (n == 2 && s[2] == ':');
}

/* true, false, a number: a word up to the next separator. */
static err *parse_word(struct toml *t, json **ret)
{
        char text[128], plain[128];
        const char *start = t->at;
        size_t n;
        bool found;
        double d;

        while (t->at < t->end && (is_bare(*t->at) || *t->at == '+' || *t->at == '.' || *t->at == ':'))
                t->at++;
        n = (size_t)(t->at - start);
        if (!n)
                return toml_error(t, "expected a value");
        if (n >= sizeof(text))
                return toml_error(t, "a word of %zu characters is no value", n);
        memcpy(text, start, n);
        text[n] = '\0';
        if (str_eq(text, "true") || str_eq(text, "false")) {
                *ret = json_new_bool(*text == 't');
                return *ret ? NULL : err_nomem();
        }
        if (str_ends(text, "inf") || str_ends(text, "nan"))
                return toml_error(t, "%s is not supported", text);
        if (is_date(text))
                return toml_error(t, "dates and times are not supported");
        TRY(integer(t, text, ret, &found));
        if (found)
                return NULL;
        if (!is_float(text, plain))
                return toml_error(t, "%s is not a value (texts need quotes)", text);
        d = strtod(plain, NULL);
        if (!isfinite(d))
                return toml_error(t, "%s is out of range", text);
        *ret = json_new_double(d);
        return *ret ? NULL : err_nomem();
}

/* ---- arrays and inline tables ---- */

static err *parse_array(struct toml *t, json **ret)
{
        _cleanup_json_ json *array = json_new_array();

        if (!array)
                return err_nomem();
        t->at++;
        for (;;) {
                json *item = NULL;

                TRY(toml_skip_lines(t));
                if (t->at < t->end && *t->at == ']')
                        break;
                TRY(toml_value(t, &item));
                json_add(array, item);
                TRY(toml_skip_lines(t));
                if (t->at < t->end && *t->at == ',')
                        t->at++;
                else if (t->at == t->end || *t->at != ']')
                        return toml_error(t, "expected , or ] in an array");
        }
        t->at++;
        *ret = TAKE_PTR(array);
        return NULL;
}

static err *parse_inline_table(struct toml *t, json **ret)
{
        _cleanup_json_ json *table = json_new_object();
        size_t mark = t->n_tables;

        if (!table)
                return err_nomem();
        TRY(toml_mark(t, table, TABLE_INLINE));
        t->at++;
        toml_skip_blank(t);
        if (t->at < t->end && *t->at == '}') {
                t->at++;
                *ret = TAKE_PTR(table);
                return NULL;
        }
        for (;;) {
                TRY(toml_pair(t, table));
                toml_skip_blank(t);
                if (t->at == t->end || (*t->at != ',' && *t->at != '}'))
                        return toml_error(t, "expected , or } in an inline table");
                if (*t->at++ == '}')
                        break;
        }
        /* Tables that dotted keys made in here are closed now, too. */
        for (size_t i = mark; i < t->n_tables; i++)
                t->tables[i].kind = TABLE_INLINE;
        *ret = TAKE_PTR(table);
        return NULL;
}

static err *parse_text(struct toml *t, json **ret)
{
        _cleanup_str_ struct str s = {0};

        TRY(parse_string(t, true, &s));
        *ret = json_new_str_n(str_text(&s), s.len);
        return *ret ? NULL : err_nomem();
}

err *toml_value(struct toml *t, json **ret)
{
        if (t->at == t->end)
                return toml_error(t, "expected a value");
        if (*t->at == '"' || *t->at == '\'')
                return parse_text(t, ret);
        if (*t->at != '[' && *t->at != '{')
                return parse_word(t, ret);
        if (++t->depth > JSON_MAX_DEPTH / 2)
                return err_new(ERR_LIMIT, "line %zu: nested too deeply", t->line);
        TRY(*t->at == '[' ? parse_array(t, ret) : parse_inline_table(t, ret));
        t->depth--;
        return NULL;
}
