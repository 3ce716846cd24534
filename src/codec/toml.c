/* toml.c - the tables of a TOML document. See toml.h. */
#include "codec/toml.h"
#include "codec/toml_value.h"

#include "base/file.h"

#include <errno.h>
#include <string.h>

err *toml_error(const struct toml *t, const char *fmt, ...)
{
        _cleanup_str_ struct str s = {0};
        va_list ap;

        va_start(ap, fmt);
        str_vprintf(&s, fmt, ap);
        va_end(ap);
        return err_new(ERR_INVALID, "line %zu: %s", t->line, str_text(&s));
}

static struct table *known(struct toml *t, const json *node)
{
        for (size_t i = t->n_tables; i > 0; i--)
                if (t->tables[i - 1].node == node)
                        return &t->tables[i - 1];
        return NULL;
}

err *toml_mark(struct toml *t, const json *node, enum table_kind kind)
{
        struct table *old = known(t, node);

        if (old) {
                old->kind = kind;
                return NULL;
        }
        if (t->n_tables >= TOML_MAX_TABLES)
                return err_new(ERR_LIMIT, "line %zu: more than %u tables", t->line, TOML_MAX_TABLES);
        if (mem_grow(&t->tables, t->n_tables, sizeof(*t->tables)) < 0)
                return err_nomem();
        t->tables[t->n_tables++] = (struct table){node, kind};
        return NULL;
}

static err *new_table(struct toml *t, json *parent, const char *key, enum table_kind kind, json **ret)
{
        json *node = json_new_object();

        if (!node)
                return err_nomem();
        if (json_kind(parent) == JSON_ARRAY)
                json_add(parent, node);
        else
                json_set(parent, key, node);
        *ret = node;
        return toml_mark(t, node, kind);
}

/* Go from @table into its member @key on the way to something deeper; @kind: what to make when it is missing. */
static err *descend(struct toml *t, json *table, const char *key, enum table_kind kind, json **ret)
{
        json *node = json_get(table, key);
        const struct table *info = known(t, node);

        if (!json_has(table, key))
                return new_table(t, table, key, kind, ret);
        if (kind == TABLE_IMPLICIT && info && info->kind == TABLE_ARRAY) {
                *ret = json_at(node, json_len(node) - 1);
                return NULL;
        }
        if (!info || info->kind == TABLE_INLINE || info->kind == TABLE_ARRAY)
                return toml_error(t, "%s is not a table that can be extended", key);
        if (kind == TABLE_DOTTED && info->kind != TABLE_DOTTED)
                return toml_error(t, "the table %s is already defined elsewhere", key);
        *ret = node;
        return NULL;
}

err *toml_pair(struct toml *t, json *table)
{
        _cleanup_strv_ char **keys = NULL;
        json *value = NULL;
        size_t n;

        TRY(toml_key(t, &keys));
        if (t->at == t->end || *t->at != '=')
                return toml_error(t, "expected = behind the key %s", keys[0]);
        t->at++;
        toml_skip_blank(t);
        n = strv_len(keys);
        if (n + t->depth >= JSON_MAX_DEPTH)
                return err_new(ERR_LIMIT, "line %zu: nested too deeply", t->line);
        for (size_t i = 0; i + 1 < n; i++)
                TRY(descend(t, table, keys[i], TABLE_DOTTED, &table));
        if (json_has(table, keys[n - 1]))
                return toml_error(t, "the key %s is already defined", keys[n - 1]);
        t->depth += (unsigned)n - 1;
        TRY(toml_value(t, &value));
        t->depth -= (unsigned)n - 1;
        json_set(table, keys[n - 1], value);
        return NULL;
}

/* [[a.b]]: one more element. */
static err *array_header(struct toml *t, json *table, const char *key, json **ret)
{
        json *array = json_get(table, key);
        const struct table *info = known(t, array);

        if (!json_has(table, key)) {
                array = json_new_array();
                if (!array)
                        return err_nomem();
                json_set(table, key, array);
                TRY(toml_mark(t, array, TABLE_ARRAY));
        } else if (!info || info->kind != TABLE_ARRAY) {
                return toml_error(t, "%s is already defined, and not by [[%s]]", key, key);
        }
        return new_table(t, array, NULL, TABLE_HEADER, ret);
}

static err *table_header(struct toml *t, json *table, const char *key, json **ret)
{
        json *node = json_get(table, key);
        struct table *info = known(t, node);

        if (!json_has(table, key))
                return new_table(t, table, key, TABLE_HEADER, ret);
        if (!info || info->kind != TABLE_IMPLICIT)
                return toml_error(t, "the table %s is already defined", key);
        info->kind = TABLE_HEADER;
        *ret = node;
        return NULL;
}

/* [a.b] or [[a.b]], at the first bracket. */
static err *parse_header(struct toml *t, json **ret)
{
        _cleanup_strv_ char **keys = NULL;
        json *table = t->root;
        bool array;
        size_t n;

        array = t->end - t->at >= 2 && t->at[1] == '[';
        t->at += array ? 2 : 1;
        TRY(toml_key(t, &keys));
        if (t->at == t->end || *t->at != ']' || (array && (t->end - t->at < 2 || t->at[1] != ']')))
                return toml_error(t, "expected %s behind a table's name", array ? "]]" : "]");
        t->at += array ? 2 : 1;
        n = strv_len(keys);
        if (n >= JSON_MAX_DEPTH / 4)
                return err_new(ERR_LIMIT, "line %zu: nested too deeply", t->line);
        for (size_t i = 0; i + 1 < n; i++)
                TRY(descend(t, table, keys[i], TABLE_IMPLICIT, &table));
        if (array)
                TRY(array_header(t, table, keys[n - 1], ret));
        else
                TRY(table_header(t, table, keys[n - 1], ret));
        /* [[a]] [[a.b]] ... : arrays add levels that the names do not show */
        t->depth = 2 * (unsigned)n;
        return toml_end_line(t);
}

static err *parse_document(struct toml *t)
{
        json *table = t->root;

        TRY(toml_mark(t, t->root, TABLE_HEADER));
        for (;;) {
                TRY(toml_skip_lines(t));
                if (t->at == t->end)
                        return NULL;
                if (*t->at == '[') {
                        TRY(parse_header(t, &table));
                } else {
                        TRY(toml_pair(t, table));
                        TRY(toml_end_line(t));
                }
        }
}

err *toml_parse(const char *text, size_t size, json **ret)
{
        _cleanup_json_ json *root = json_new_object();
        struct toml t = {.at = text, .end = text + size, .line = 1, .root = root};
        err *e;

        if (!root)
                return err_nomem();
        if (size > JSON_MAX_SIZE)
                return err_new(ERR_LIMIT, "a TOML text of %zu bytes (at most %u)", size, JSON_MAX_SIZE);
        e = parse_document(&t);
        free(t.tables);
        if (e)
                return e;
        *ret = TAKE_PTR(root);
        return NULL;
}

err *toml_read(int dirfd, const char *path, json **ret)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = file_read(dirfd, path, JSON_MAX_SIZE, &text, &size);

        if (r == -ENOENT)
                return err_new(ERR_NOT_FOUND, "%s: no such file or directory", path);
        if (r == -EFBIG)
                return err_new(ERR_LIMIT, "%s is larger than %u bytes", path, JSON_MAX_SIZE);
        if (r < 0)
                return err_sys(r, "reading %s", path);
        TRY_WRAP(toml_parse(text, size, ret), "%s", path);
        return NULL;
}
