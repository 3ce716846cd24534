/* template_value.c - what Go's text/template and fmt do with values: truth, %v, Sprintf. */
#include "codec/template_node.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The Docker API's map and slice members. Everything else is a struct, a pointer to one, or a scalar. */
const struct template_types template_docker_types = {
        .maps = (const char *const[]){"Labels",
                                      "Networks",
                                      "Ports",
                                      "ExposedPorts",
                                      "PortBindings",
                                      "Volumes",
                                      "Options",
                                      "DriverOpts",
                                      "Sysctls",
                                      "Annotations",
                                      "Tmpfs",
                                      "StorageOpt",
                                      "LogConfig.Config",
                                      "GraphDriver.Data",
                                      "Containers",
                                      "Status",
                                      "Runtimes",
                                      "Auxiliary",
                                      "AuxAddress",
                                      "ExtraAttributes",
                                      NULL},
        .slices = (const char *const[]){"Cmd",
                                        "Entrypoint",
                                        "Env",
                                        "Args",
                                        "OnBuild",
                                        "Shell",
                                        "Binds",
                                        "CapAdd",
                                        "CapDrop",
                                        "Dns",
                                        "DnsOptions",
                                        "DnsSearch",
                                        "ExtraHosts",
                                        "GroupAdd",
                                        "Links",
                                        "SecurityOpt",
                                        "VolumesFrom",
                                        "Devices",
                                        "DeviceCgroupRules",
                                        "DeviceRequests",
                                        "Ulimits",
                                        "BlkioWeightDevice",
                                        "BlkioDeviceReadBps",
                                        "BlkioDeviceWriteBps",
                                        "BlkioDeviceReadIOps",
                                        "BlkioDeviceWriteIOps",
                                        "MaskedPaths",
                                        "ReadonlyPaths",
                                        "ExecIDs",
                                        "Mounts",
                                        "Aliases",
                                        "DNSNames",
                                        "RepoTags",
                                        "RepoDigests",
                                        "Layers",
                                        "Test",
                                        "Log",
                                        "SecondaryIPAddresses",
                                        "SecondaryIPv6Addresses",
                                        "ConsoleSize",
                                        "SecurityOptions",
                                        "Warnings",
                                        "LinkLocalIPs",
                                        NULL},
        .maps_of_slices = (const char *const[]){"Ports", "PortBindings", NULL},
        .pointers = (const char *const[]){"State.Health", "Config.Healthcheck", NULL},
        .texts = (const char *const[]){"Mounts.Name", "Mounts.Driver", NULL},
};

/* Is @key, or "parent.key", in the list? */
static bool listed(const char *const *list, const char *parent, const char *key)
{
        for (; key && list && *list; list++) {
                const char *rest = parent ? str_after(*list, parent) : NULL;

                if (str_eq(*list, key) || (rest && *rest == '.' && str_eq(rest + 1, key)))
                        return true;
        }
        return false;
}

enum template_hint template_hint(const struct state *s, const struct value *v)
{
        const struct template_types *types = s->options->types;

        if (!types)
                return json_kind(v->j) == JSON_OBJECT ? HINT_MAP : HINT_NONE;
        if (v->key && !*v->key) /* an element of a map: see template_member() */
                return listed(types->maps_of_slices, NULL, v->parent) ? HINT_SLICE : HINT_NONE;
        if (json_kind(v->j) != JSON_ARRAY && listed(types->maps, v->parent, v->key))
                return HINT_MAP;
        return json_kind(v->j) != JSON_OBJECT && listed(types->slices, v->parent, v->key) ? HINT_SLICE : HINT_NONE;
}

struct value template_member(const struct state *s, const struct value *object, const char *name)
{
        struct value v = {.j = json_get(object->j, name), .key = name, .parent = object->key};

        /* The names in a map are the user's and say nothing about types. */
        if (s->options->types && template_hint(s, object) == HINT_MAP) {
                v.key = "";
                v.parent = object->key;
        }
        return v;
}

bool template_optional(const struct state *s, const struct value *object, const char *name, bool *ret_text)
{
        const struct template_types *types = s->options->types;
        const char *owner = object->key ? object->key : object->parent; /* an element has its list's name */

        if (!types || !owner)
                return false;
        *ret_text = listed(types->texts, owner, name);
        return *ret_text || listed(types->pointers, owner, name);
}

struct value template_element(json *j)
{
        return (struct value){.j = j};
}

bool template_true(const struct state *s, const struct value *v)
{
        switch (json_kind(v->j)) {
        case JSON_BOOL:
                return json_bool(v->j, false);
        case JSON_INT:
        case JSON_DOUBLE:
                return json_double(v->j, 0) != 0;
        case JSON_STRING:
                return json_str_len(v->j) > 0;
        case JSON_ARRAY:
                return json_len(v->j) > 0;
        case JSON_OBJECT: /* a struct is always true */
                return template_hint(s, v) != HINT_MAP || json_len(v->j) > 0;
        default:
                return false;
        }
}

const char *template_go_type(const struct value *v)
{
        switch (json_kind(v->j)) {
        case JSON_BOOL:
                return "bool";
        case JSON_INT:
                return "int";
        case JSON_DOUBLE:
                return "float64";
        case JSON_STRING:
                return "string";
        case JSON_ARRAY:
                return "[]interface {}";
        case JSON_OBJECT:
                return "map[string]interface {}";
        default:
                return "interface {}";
        }
}

static int by_text(const void *a, const void *b)
{
        const char *const *x = a, *const *y = b;

        return strcmp(*x, *y);
}

const char **template_sorted_keys(const json *object)
{
        const char **keys = MEM_NEW0(const char *, json_len(object) + 1);
        size_t n = 0;

        if (!keys)
                return NULL;
        JSON_EACH (object, it)
                keys[n++] = it.key;
        if (n > 1)
                qsort(keys, n, sizeof(*keys), by_text);
        return keys;
}

/* The shortest digits that read back the same; exponents below -4 and from 21 on are written as such. */
static void print_double(double d, struct str *out)
{
        char text[40], digits[20];
        int precision = 0, exponent, n = 0;
        const char *e;

        do
                (void)snprintf(text, sizeof(text), "%.*e", precision, d);
        while (strtod(text, NULL) != d && ++precision < 17);
        e = strchr(text, 'e');
        if (!e) { /* not finite */
                str_add(out, text);
                return;
        }
        exponent = (e[2] - '0') * 10 + (e[3] - '0');
        if (e[4])
                exponent = exponent * 10 + (e[4] - '0');
        if (e[1] == '-')
                exponent = -exponent;
        if (exponent < -4 || exponent >= 21) {
                str_add(out, text);
                return;
        }
        for (const char *c = text; c < e; c++)
                if (*c >= '0' && *c <= '9')
                        digits[n++] = *c;
        str_add(out, *text == '-' ? "-" : "");
        str_add(out, exponent < 0 ? "0." : "");
        for (int i = -1; i > exponent; i--)
                str_add_char(out, '0');
        for (int i = 0; i < n || i <= exponent; i++) {
                str_add_char(out, i < n ? digits[i] : '0');
                if (i == exponent && i + 1 < n)
                        str_add_char(out, '.');
        }
}

static void print_list(const struct state *s, const struct value *v, struct str *out)
{
        size_t n = json_len(v->j);

        str_add_char(out, '[');
        for (size_t i = 0; i < n; i++) {
                struct value item = template_element(json_at(v->j, i));

                str_add(out, i ? " " : "");
                template_print_value(s, &item, false, out);
        }
        str_add_char(out, ']');
}

static void print_map(const struct state *s, const struct value *v, struct str *out)
{
        _cleanup_free_ const char **keys = template_sorted_keys(v->j);

        if (!keys)
                out->failed = true;
        str_add(out, "map[");
        for (size_t i = 0; keys && keys[i]; i++) {
                struct value item = template_member(s, v, keys[i]);

                str_printf(out, "%s%s:", i ? " " : "", keys[i]);
                template_print_value(s, &item, false, out);
        }
        str_add_char(out, ']');
}

static void print_struct(const struct state *s, const struct value *v, struct str *out)
{
        bool first = true;

        str_add_char(out, '{');
        JSON_EACH (v->j, it) {
                struct value item = template_member(s, v, it.key);

                str_add(out, first ? "" : " ");
                first = false;
                template_print_value(s, &item, false, out);
        }
        str_add_char(out, '}');
}

static void print_null(const struct state *s, const struct value *v, bool top, struct str *out)
{
        enum template_hint hint = template_hint(s, v);

        if (v->missing || (top && !s->options->types && !s->options->type_name))
                str_add(out, "<no value>");
        else
                str_add(out, hint == HINT_MAP ? "map[]" : hint == HINT_SLICE ? "[]" : "<nil>");
}

void template_print_value(const struct state *s, const struct value *v, bool top, struct str *out)
{
        switch (json_kind(v->j)) {
        case JSON_BOOL:
                str_add(out, json_bool(v->j, false) ? "true" : "false");
                break;
        case JSON_INT:
                if (json_int(v->j, 0) == 0 && json_int(v->j, 1) == 1) /* above INT64_MAX */
                        str_printf(out, "%.0f", json_double(v->j, 0));
                else
                        str_printf(out, "%lld", (long long)json_int(v->j, 0));
                break;
        case JSON_DOUBLE:
                print_double(json_double(v->j, 0), out);
                break;
        case JSON_STRING:
                str_add_n(out, json_str(v->j), json_str_len(v->j));
                break;
        case JSON_ARRAY:
                print_list(s, v, out);
                break;
        case JSON_OBJECT:
                if (template_hint(s, v) == HINT_MAP)
                        print_map(s, v, out);
                else
                        print_struct(s, v, out);
                break;
        default:
                print_null(s, v, top, out);
        }
}

/* Sprint puts a space between two operands when neither is a string, Sprintln always. */
void template_sprint(const struct state *s, const struct value *args, size_t n, bool line, struct str *out)
{
        for (size_t i = 0; i < n; i++) {
                bool text = json_kind(args[i].j) == JSON_STRING || (i && json_kind(args[i - 1].j) == JSON_STRING);

                if (i && (line || !text))
                        str_add_char(out, ' ');
                if (args[i].missing || (!args[i].j && !s->options->types))
                        str_add(out, "<nil>");
                else
                        template_print_value(s, &args[i], false, out);
        }
        if (line)
                str_add_char(out, '\n');
}

struct spec {
        char flags[8];        /* of C's: "-+ #0" */
        int width, precision; /* -1: none */
        char verb;
};

/* A width or precision; at most 9999. */
static const char *spec_number(const char *f, int *ret)
{
        int n = 0;

        for (; *f >= '0' && *f <= '9'; f++)
                n = n < 1000 ? n * 10 + (*f - '0') : n;
        *ret = n;
        return f;
}

/* Behind '%'. */
static const char *parse_spec(const char *f, struct spec *ret)
{
        size_t n = 0;

        *ret = (struct spec){.width = -1, .precision = -1};
        for (; *f && strchr("-+ #0", *f); f++)
                if (n < sizeof(ret->flags) - 1 && !strchr(ret->flags, *f))
                        ret->flags[n++] = *f;
        if (*f >= '1' && *f <= '9')
                f = spec_number(f, &ret->width);
        if (*f == '.')
                f = spec_number(f + 1, &ret->precision);
        ret->verb = *f;
        return *f ? f + 1 : f;
}

static size_t count_characters(const char *text, size_t size)
{
        size_t n = 0;

        for (size_t i = 0; i < size; i++)
                n += ((unsigned char)text[i] & 0xc0) != 0x80;
        return n;
}

/* Text, cut to the precision and filled to the width; both count characters. */
static void put_padded(const struct spec *spec, const char *text, size_t size, bool cut, struct str *out)
{
        size_t fill, n = 0;
        bool left = strchr(spec->flags, '-');

        for (size_t i = 0; cut && spec->precision >= 0 && i <= size; i++) {
                if (i == size || ((unsigned char)text[i] & 0xc0) != 0x80) {
                        if (n++ == (size_t)spec->precision)
                                size = i;
                }
        }
        n = count_characters(text, size);
        fill = spec->width > 0 && (size_t)spec->width > n ? (size_t)spec->width - n : 0;
        for (size_t i = 0; i < fill && !left; i++)
                str_add_char(out, strchr(spec->flags, '0') ? '0' : ' ');
        str_add_n(out, text, size);
        for (size_t i = 0; i < fill && left; i++)
                str_add_char(out, ' ');
}

/* Flags, width, precision and @conversion as a C format for one argument. */
static void c_format(const struct spec *spec, const char *conversion, char ret[40])
{
        char width[12] = "", precision[12] = "";

        if (spec->width >= 0)
                (void)snprintf(width, sizeof(width), "%d", spec->width);
        if (spec->precision >= 0)
                (void)snprintf(precision, sizeof(precision), ".%d", spec->precision);
        (void)snprintf(ret, 40, "%%%s%s%s%s", spec->flags, width, precision, conversion);
}

static void put_binary(const struct spec *spec, int64_t n, struct str *out)
{
        uint64_t bits = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
        char text[68];
        size_t at = sizeof(text);

        do
                text[--at] = (char)('0' + (bits & 1));
        while (bits >>= 1);
        if (n < 0)
                text[--at] = '-';
        put_padded(spec, text + at, sizeof(text) - at, false, out);
}

static bool put_integer(const struct spec *spec, int64_t n, struct str *out)
{
        char format[40], text[8] = "";

        switch (spec->verb) {
        case 'd':
                c_format(spec, "lld", format);
                str_printf(out, format, (long long)n);
                return true;
        case 'o':
        case 'x':
        case 'X':
                /* Go prints the sign, C two's complement. */
                c_format(spec, spec->verb == 'o' ? "llo" : spec->verb == 'x' ? "llx" : "llX", format);
                str_add(out, n < 0 ? "-" : "");
                str_printf(out, format, n < 0 ? 0ull - (unsigned long long)n : (unsigned long long)n);
                return true;
        case 'b':
                put_binary(spec, n, out);
                return true;
        case 'c':
        case 'q':
                (void)snprintf(text, sizeof(text), spec->verb == 'c' ? "%c" : "'%c'",
                               n >= 0x20 && n < 0x7f ? (char)n : '?');
                put_padded(spec, text, strlen(text), false, out);
                return true;
        default:
                return false;
        }
}

static bool put_string(const struct spec *spec, const char *text, size_t size, struct str *out)
{
        _cleanup_str_ struct str s = {0};

        switch (spec->verb) {
        case 's':
                put_padded(spec, text, size, true, out);
                return true;
        case 'q':
                template_quote(&s, text, size);
                break;
        case 'x':
        case 'X':
                for (size_t i = 0; i < size; i++)
                        str_printf(&s, spec->verb == 'x' ? "%02x" : "%02X", (unsigned char)text[i]);
                break;
        default:
                return false;
        }
        put_padded(spec, str_text(&s), s.len, false, out);
        out->failed |= s.failed;
        return true;
}

/* Lists and maps: the verb for every element is only done for %s, %d and %v, which print alike. */
static bool put_value(const struct state *s, const struct spec *spec, const struct value *v, struct str *out)
{
        enum json_kind kind = json_kind(v->j);
        char format[40], conversion[2] = {spec->verb};

        if (spec->verb == 'v' || (spec->verb == 's' && kind >= JSON_ARRAY) ||
            (spec->verb == 'd' && kind >= JSON_ARRAY)) {
                _cleanup_str_ struct str text = {0};

                template_sprint(s, v, 1, false, &text);
                put_padded(spec, str_text(&text), text.len, kind == JSON_STRING, out);
                out->failed |= text.failed;
                return true;
        }
        if (kind == JSON_STRING)
                return put_string(spec, json_str(v->j), json_str_len(v->j), out);
        if (kind == JSON_INT)
                return put_integer(spec, json_int(v->j, INT64_MAX), out);
        if (kind == JSON_DOUBLE && spec->verb && strchr("eEfFgG", spec->verb)) {
                c_format(spec, conversion, format);
                str_printf(out, format, json_double(v->j, 0));
                return true;
        }
        if (kind != JSON_BOOL || spec->verb != 't')
                return false;
        put_padded(spec, json_bool(v->j, false) ? "true" : "false", json_bool(v->j, false) ? 4 : 5, false, out);
        return true;
}

static void put_wrong_verb(const struct state *s, const struct spec *spec, const struct value *v, struct str *out)
{
        str_printf(out, "%%!%c(", spec->verb);
        if (v->j) {
                str_printf(out, "%s=", template_go_type(v));
                template_print_value(s, v, false, out);
        } else {
                str_add(out, "<nil>");
        }
        str_add_char(out, ')');
}

err *template_printf(const struct state *s, const struct value *args, size_t n, struct str *out)
{
        const char *f = json_str(args[0].j);
        size_t used = 1;

        while (f && *f) {
                size_t plain = strcspn(f, "%");
                struct spec spec;

                str_add_n(out, f, plain);
                f += plain;
                if (!*f)
                        break;
                f = parse_spec(f + 1, &spec);
                if (spec.verb == '%')
                        str_add_char(out, '%');
                else if (!spec.verb)
                        str_add(out, "%!(NOVERB)");
                else if (used >= n)
                        str_printf(out, "%%!%c(MISSING)", spec.verb);
                else if (!put_value(s, &spec, &args[used], out))
                        put_wrong_verb(s, &spec, &args[used++], out);
                else
                        used++;
                if (out->len > TEMPLATE_MAX_OUTPUT)
                        return err_new(ERR_LIMIT, "more than %u bytes of output", TEMPLATE_MAX_OUTPUT);
        }
        for (size_t i = used; i < n; i++) {
                str_printf(out, "%s%s=", i == used ? "%!(EXTRA " : ", ", template_go_type(&args[i]));
                template_print_value(s, &args[i], false, out);
        }
        if (used < n)
                str_add_char(out, ')');
        return str_done(out);
}
