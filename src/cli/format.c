/* format.c - see format.h. */
#include "cli/format.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/table.h"
#include "cli/ui.h"
#include "codec/template.h"

static const char *cell(const json *row, const char *field)
{
        return json_get_str_or(row, field, "");
}

static err *print_table(const struct format_list *list, const json *rows)
{
        _cleanup_table_ struct table t = {0};
        _cleanup_str_ struct str out = {0};

        for (const struct format_column *c = list->columns; c->field; c++)
                if (c->standard)
                        table_cell(&t, c->heading);
        table_end_row(&t);
        for (size_t i = 0; i < json_len(rows); i++) {
                for (const struct format_column *c = list->columns; c->field; c++)
                        if (c->standard)
                                table_cell(&t, cell(json_at(rows, i), c->field));
                table_end_row(&t);
        }
        TRY(table_print(&t, &out));
        (void)fputs(str_text(&out), stdout);
        return NULL;
}

/* {{.Label "key"}} of a row whose Labels are "a=b,c=d". */
static err *label_method(void *ctx, const json *root, const char *name, json *const *args, size_t n_args, json **ret,
                         bool *found)
{
        _cleanup_strv_ char **labels = NULL;
        const char *value;

        (void)ctx;
        *found = false;
        if (strcmp(name, "Label") != 0 || n_args != 1 || !json_str(args[0]))
                return NULL;
        TRY(strv_split(json_get_str_or(root, "Labels", ""), ',', &labels));
        value = strv_env(labels, json_str(args[0]));
        *ret = json_new_str(value ? value : "");
        *found = true;
        return NULL;
}

/* How values get to a terminal; the format itself is the user's own. */
static void (*print_hook(void))(struct str *out, const char *text)
{
        return ui_terminal(stdout) ? ui_escape : NULL;
}

/* A row of headings, for "table TEMPLATE". */
static json *heading_row(const struct format_list *list)
{
        json *row = json_new_object();

        for (const struct format_column *c = list->columns; c->field; c++)
                json_set_str(row, c->field, c->heading);
        return row;
}

static err *print_lines(struct str *text, bool as_table)
{
        _cleanup_table_ struct table t = {0};
        _cleanup_strv_ char **lines = NULL;
        _cleanup_str_ struct str out = {0};

        TRY(str_done(text));
        if (!as_table) {
                (void)fputs(str_text(text), stdout);
                return NULL;
        }
        TRY(strv_split(str_text(text), '\n', &lines));
        for (char **l = lines; *l && (**l || l[1]); l++) {
                _cleanup_strv_ char **cells = NULL;

                TRY(strv_split(*l, '\t', &cells));
                for (char **c = cells; *c; c++)
                        table_cell(&t, *c);
                table_end_row(&t);
        }
        TRY(table_print(&t, &out));
        (void)fputs(str_text(&out), stdout);
        return NULL;
}

static err *heading_label(void *ctx, const json *root, const char *name, json *const *args, size_t n_args, json **ret,
                          bool *found)
{
        (void)ctx;
        (void)root;
        *found = strcmp(name, "Label") == 0 && n_args == 1;
        if (*found)
                *ret = json_new_str(json_str(args[0]) ? json_str(args[0]) : "");
        return NULL;
}

static err *print_template(const struct format_list *list, const json *rows, const char *text, bool as_table)
{
        const char *parsing = list->is_ps ? "failed to parse template" : "template parsing error";
        const char *executing = list->is_ps ? "failed to execute template" : "template parsing error";
        struct template_options options = {.type_name = list->type_name, .method = label_method, .print = print_hook()};
        _cleanup_(template_freep) struct template *t = NULL;
        _cleanup_str_ struct str out = {0}, unescaped = {0};

        /* docker takes \t and \n in the format as a shell user writes them */
        for (const char *p = text; *p; p++) {
                if (p[0] == '\\' && (p[1] == 't' || p[1] == 'n'))
                        str_add_char(&unescaped, *++p == 't' ? '\t' : '\n');
                else
                        str_add_char(&unescaped, *p);
        }
        TRY(str_done(&unescaped));
        TRY_WRAP(template_parse("", str_text(&unescaped), &t), "%s", parsing);
        if (as_table) {
                struct template_options heading = {.type_name = list->type_name, .method = heading_label};
                _cleanup_json_ json *row = heading_row(list);

                TRY_WRAP(template_execute(t, row, &heading, &out), "%s", executing);
                str_add_char(&out, '\n');
        }
        for (size_t i = 0; i < json_len(rows); i++) {
                TRY_WRAP(template_execute(t, json_at(rows, i), &options, &out), "%s", executing);
                str_add_char(&out, '\n');
        }
        return print_lines(&out, as_table);
}

static void print_quiet(const struct format_list *list, const json *rows)
{
        for (size_t i = 0; i < json_len(rows); i++) {
                ui_print(stdout, cell(json_at(rows, i), list->quiet_field));
                (void)putchar('\n');
        }
}

static err *print_json_lines(const json *rows)
{
        for (size_t i = 0; i < json_len(rows); i++) {
                _cleanup_free_ char *line = NULL;

                TRY(json_print(json_at(rows, i), JSON_COMPACT, &line));
                ui_print(stdout, line);
                (void)putchar('\n');
        }
        return NULL;
}

err *format_rows(const struct format_list *list, const json *rows, const char *format, bool quiet)
{
        bool as_table = format && str_starts(format, "table");
        bool raw = list->raw && str_eq(format, "raw");

        if (str_empty(format)) /* as docker takes it: a script's variable may be */
                format = NULL;
        if (quiet && format && list->is_ps) {
                (void)fprintf(stderr, "WARNING: Ignoring custom format, because both --format and --quiet are set.\n");
                if (!raw)
                        format = NULL;
        }
        if (raw)
                return print_template(list, rows, quiet ? list->raw_quiet : list->raw, false);
        if (!format || strcmp(format, "table") == 0) {
                if (!quiet)
                        return print_table(list, rows);
                print_quiet(list, rows);
                return NULL;
        }
        if (strcmp(format, "json") == 0 || strcmp(format, "{{json .}}") == 0)
                return print_json_lines(rows);
        if (as_table)
                format += strlen("table") + strspn(format + strlen("table"), " ");
        return print_template(list, rows, format, as_table);
}

err *format_struct(const char *text, json *doc, const char *type_name)
{
        struct template_options options = {
                .types = &template_docker_types, .type_name = type_name, .print = print_hook()};
        _cleanup_(template_freep) struct template *t = NULL;
        _cleanup_str_ struct str out = {0};
        err *e;

        TRY(template_parse("", text, &t));
        e = template_execute(t, doc, &options, &out);
        (void)printf("%s\n", str_text(&out));
        return e;
}

err *format_document(const char *text, json *doc)
{
        struct template_options options = {.types = &template_docker_types, .print = print_hook()};
        _cleanup_(template_freep) struct template *t = NULL;
        _cleanup_str_ struct str out = {0};
        err *e;

        TRY_WRAP(template_parse("", text, &t), "template parsing error");
        e = template_execute(t, doc, &options, &out);
        (void)printf("%s\n", str_text(&out));
        TRY_WRAP(e, "template parsing error");
        return NULL;
}
