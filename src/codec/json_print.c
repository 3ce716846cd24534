/* json_print.c - text of a document. Our own, because docker's indentation and escaping are not json-c's. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "codec/json.h"
#include "codec/json_private.h"

static void print_string(struct str *s, const char *text, size_t n)
{
        size_t from = 0;

        str_add_char(s, '"');
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)text[i];

                if (c >= 0x20 && c != '"' && c != '\\')
                        continue;
                str_add_n(s, text + from, i - from);
                from = i + 1;
                switch (c) {
                case '"':
                        str_add(s, "\\\"");
                        break;
                case '\\':
                        str_add(s, "\\\\");
                        break;
                case '\n':
                        str_add(s, "\\n");
                        break;
                case '\r':
                        str_add(s, "\\r");
                        break;
                case '\t':
                        str_add(s, "\\t");
                        break;
                default:
                        str_printf(s, "\\u%04x", c);
                }
        }
        str_add_n(s, text + from, n - from);
        str_add_char(s, '"');
}

/* The shortest text that reads back as @d. */
static void print_double(struct str *s, double d)
{
        char text[40];

        if (!isfinite(d)) {
                str_add(s, "null"); /* JSON has no such number */
                return;
        }
        for (int precision = 1; precision <= 17; precision++) {
                double back = 0;

                (void)snprintf(text, sizeof(text), "%.*g", precision, d);
                if (sscanf(text, "%lf", &back) == 1 && memcmp(&back, &d, sizeof(d)) == 0)
                        break;
        }
        str_add(s, text);
}

static void new_line(struct str *s, int indent, int depth)
{
        if (!indent)
                return;
        str_add_char(s, '\n');
        for (int i = 0; i < indent * depth; i++)
                str_add_char(s, ' ');
}

static void print_value(struct str *s, json_object *j, int indent, int depth)
{
        size_t n = json_len(j);

        switch (json_object_get_type(j)) {
        case json_type_null:
                str_add(s, "null");
                break;
        case json_type_boolean:
                str_add(s, json_object_get_boolean(j) ? "true" : "false");
                break;
        case json_type_int:
                if (json_object_get_int64(j) == INT64_MAX)
                        str_printf(s, "%llu", (unsigned long long)json_object_get_uint64(j));
                else
                        str_printf(s, "%lld", (long long)json_object_get_int64(j));
                break;
        case json_type_double:
                print_double(s, json_object_get_double(j));
                break;
        case json_type_string:
                print_string(s, json_object_get_string(j), json_str_len(j));
                break;
        case json_type_array:
                str_add_char(s, '[');
                for (size_t i = 0; i < n; i++) {
                        if (i)
                                str_add_char(s, ',');
                        new_line(s, indent, depth + 1);
                        print_value(s, json_at(j, i), indent, depth + 1);
                }
                if (n)
                        new_line(s, indent, depth);
                str_add_char(s, ']');
                break;
        case json_type_object: {
                bool first = true;

                str_add_char(s, '{');
                JSON_EACH(j, it)
                {
                        if (!first)
                                str_add_char(s, ',');
                        first = false;
                        new_line(s, indent, depth + 1);
                        print_string(s, it.key, strlen(it.key));
                        str_add(s, indent ? ": " : ":");
                        print_value(s, it.value, indent, depth + 1);
                }
                if (n)
                        new_line(s, indent, depth);
                str_add_char(s, '}');
                break;
        }
        }
}

err *json_print(const json *j, enum json_style style, char **ret)
{
        _cleanup_str_ struct str s = {0};

        if (json_building_failed)
                return err_nomem();
        print_value(&s, (json_object *)(uintptr_t)j, style == JSON_INDENT4 ? 4 : style == JSON_INDENT2 ? 2 : 0, 0);
        return str_take(&s, ret);
}
