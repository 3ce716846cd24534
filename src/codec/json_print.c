/* json_print.c - nodes to text, as Go's encoding/json prints with HTML escaping off. */
#include "codec/json_node.h"

#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void print_value(const json *j, unsigned indent, unsigned depth, struct str *out);

/* A byte or sequence that cannot stand for itself, at @s; returns its length. */
static size_t print_escape(const unsigned char *s, size_t left, struct str *out)
{
        static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
        const char *found = *s ? strchr(from, (char)*s) : NULL;
        size_t n;

        if (found) {
                const char pair[2] = {'\\', to[found - from]};

                str_add_n(out, pair, 2);
                return 1;
        }
        if (*s < 0x20) {
                str_printf(out, "\\u%04x", *s);
                return 1;
        }
        n = json_utf8_length((const char *)s, (const char *)s + left);
        if (!n) { /* not UTF-8: kept for our own reader, see json_parse() */
                str_printf(out, "\\udc%02x", *s);
                return 1;
        }
        if (n == 3 && s[0] == 0xe2 && s[1] == 0x80 && (s[2] & 0xfe) == 0xa8)
                str_printf(out, "\\u20%02x", s[2] & 0x3f); /* line separators: Go escapes them for JavaScript */
        else
                str_add_n(out, (const char *)s, n);
        return n;
}

static void print_string(const char *text, size_t size, struct str *out)
{
        const unsigned char *s = (const unsigned char *)text;
        size_t from = 0, i = 0;

        str_add_char(out, '"');
        while (i < size) {
                if (s[i] >= 0x20 && s[i] < 0x80 && s[i] != '"' && s[i] != '\\') {
                        i++;
                        continue;
                }
                str_add_n(out, text + from, i - from);
                i += print_escape(s + i, size - i, out);
                from = i;
        }
        str_add_n(out, text + from, size - from);
        str_add_char(out, '"');
}

static void print_newline(unsigned indent, unsigned depth, struct str *out)
{
        static const char spaces[] = "                                ";

        if (!indent)
                return;
        str_add_char(out, '\n');
        for (size_t left = (size_t)indent * depth; left;) {
                size_t n = left < sizeof(spaces) - 1 ? left : sizeof(spaces) - 1;

                str_add_n(out, spaces, n);
                left -= n;
        }
}

static void print_object(const json *j, unsigned indent, unsigned depth, struct str *out)
{
        bool first = true;

        str_add_char(out, '{');
        JSON_EACH (j, it) {
                if (!first)
                        str_add_char(out, ',');
                first = false;
                print_newline(indent, depth + 1, out);
                print_string(it.key, strlen(it.key), out);
                str_add(out, indent ? ": " : ":");
                print_value(it.value, indent, depth + 1, out);
        }
        if (!first)
                print_newline(indent, depth, out);
        str_add_char(out, '}');
}

static void print_array(const json *j, unsigned indent, unsigned depth, struct str *out)
{
        size_t n = json_len(j);

        str_add_char(out, '[');
        for (size_t i = 0; i < n; i++) {
                if (i)
                        str_add_char(out, ',');
                print_newline(indent, depth + 1, out);
                print_value(json_at(j, i), indent, depth + 1, out);
        }
        if (n)
                print_newline(indent, depth, out);
        str_add_char(out, ']');
}

static void print_integer(const json *j, struct str *out)
{
        int64_t n = json_object_get_int64(j);

        if (n == INT64_MAX)
                str_printf(out, "%llu", (unsigned long long)json_object_get_uint64(j));
        else
                str_printf(out, "%lld", (long long)n);
}

static void print_double(const json *j, struct str *out)
{
        const char *source = json_object_get_userdata((json *)j);
        double d = json_object_get_double(j);
        char text[40];

        if (source) { /* parsed: as it was written */
                str_add(out, source);
                return;
        }
        if (!isfinite(d)) { /* JSON has no such number */
                str_add(out, "null");
                return;
        }
        for (int digits = 1; digits <= 17; digits++) { /* the shortest text that reads back the same */
                (void)snprintf(text, sizeof(text), "%.*g", digits, d);
                if (strtod(text, NULL) == d)
                        break;
        }
        str_add(out, text);
}

static void print_value(const json *j, unsigned indent, unsigned depth, struct str *out)
{
        switch (json_kind(j)) {
        case JSON_BOOL:
                str_add(out, json_bool(j, false) ? "true" : "false");
                break;
        case JSON_INT:
                print_integer(j, out);
                break;
        case JSON_DOUBLE:
                print_double(j, out);
                break;
        case JSON_STRING:
                print_string(json_str(j), json_str_len(j), out);
                break;
        case JSON_ARRAY:
                print_array(j, indent, depth, out);
                break;
        case JSON_OBJECT:
                print_object(j, indent, depth, out);
                break;
        case JSON_NULL:
        default:
                str_add(out, "null");
                break;
        }
}

err *json_print(const json *j, enum json_style style, char **ret)
{
        _cleanup_str_ struct str out = {0};

        if (json_build_failed)
                return err_nomem();
        print_value(j, style == JSON_INDENT4 ? 4 : style == JSON_INDENT2 ? 2 : 0, 0, &out);
        return str_take(&out, ret);
}
