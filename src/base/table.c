/* table.c - see table.h. */
#include "base/table.h"

#include <stdarg.h>

#include "base/utf8.h"

void table_done(struct table *t)
{
        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i]);
        free(t->cells);
        free(t->ends);
        *t = (struct table){0};
}

/* A copy of @text that stays in its cell. */
static char *harmless(const char *text)
{
        _cleanup_str_ struct str s = {0};

        str_add(&s, "");
        while (*text) {
                const char *start = text;
                uint32_t c = utf8_next(&text);

                if (c == '\t' || c == '\n' || c == '\r')
                        str_add_char(&s, ' ');
                else if (utf8_printable(c))
                        str_add_n(&s, start, (size_t)(text - start));
                else
                        str_add_char(&s, '?');
        }
        return s.failed ? NULL : TAKE_PTR(s.data);
}

void table_cell(struct table *t, const char *text)
{
        char *copy = harmless(text ? text : "");

        if (!copy || mem_grow(&t->cells, t->n_cells, sizeof(char *)) < 0) {
                free(copy);
                t->failed = true;
                return;
        }
        t->cells[t->n_cells++] = copy;
}

void table_end_row(struct table *t)
{
        if (mem_grow(&t->ends, t->n_rows, sizeof(size_t)) < 0) {
                t->failed = true;
                return;
        }
        t->ends[t->n_rows++] = t->n_cells;
}

void table_row(struct table *t, ...)
{
        const char *text;
        va_list ap;

        va_start(ap, t);
        while ((text = va_arg(ap, const char *)))
                table_cell(t, text);
        va_end(ap);
        table_end_row(t);
}

err *table_print(const struct table *t, struct str *out)
{
        unsigned min = t->min_width ? t->min_width : TABLE_MIN_WIDTH, padding = t->padding ? t->padding : TABLE_PADDING;
        _cleanup_free_ size_t *widths = MEM_NEW0(size_t, t->n_cells + 1);

        if (!widths || t->failed)
                return err_nomem();
        for (size_t row = 0, i = 0; row < t->n_rows; row++)
                for (size_t column = 0; i < t->ends[row]; i++, column++) {
                        size_t width = utf8_columns(t->cells[i]) + padding;

                        /* The last cell of a row does not make its column wider. */
                        if (i + 1 < t->ends[row] && width > widths[column])
                                widths[column] = width;
                }
        for (size_t row = 0, i = 0; row < t->n_rows; row++) {
                for (size_t column = 0; i < t->ends[row]; i++, column++) {
                        size_t width = widths[column] > min ? widths[column] : min, used = utf8_columns(t->cells[i]);

                        str_add(out, t->cells[i]);
                        if (i + 1 == t->ends[row])
                                continue;
                        for (; used < width; used++)
                                str_add_char(out, ' ');
                }
                str_add_char(out, '\n');
        }
        return str_done(out);
}
