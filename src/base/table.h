/* table.h - columns as docker prints them: each is as wide as its widest cell plus three blanks, at least ten; the last
 * one is not padded (a row whose last cells are empty keeps the padding of those before: so does docker).
 *
 *      _cleanup_table_ struct table t = {0};
 *      table_row(&t, "CONTAINER ID", "IMAGE", NULL);
 *      table_row(&t, id, image, NULL);
 *      TRY(table_print(&t, &out));
 *
 * Cells are text from anywhere: control characters are shown as '?', tabs and line breaks as blanks. Widths count
 * terminal columns. Out of memory is remembered and reported by table_print(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define TABLE_MIN_WIDTH 10
#define TABLE_PADDING 3

struct table {
        char **cells; /* all rows, one after the other */
        size_t *ends; /* of each row: index behind its last cell */
        size_t n_cells, n_rows;
        unsigned min_width, padding; /* 0 = docker's */
        bool failed;
};

void table_done(struct table *t);
#define _cleanup_table_ __attribute__((cleanup(table_done)))

/* A whole row: texts ended by NULL. */
void table_row(struct table *t, ...) __attribute__((sentinel));
/* The same one by one: cells (NULL = ""), then the end of the row. Rows may differ in length. */
void table_cell(struct table *t, const char *text);
void table_end_row(struct table *t);
/* Append all rows to @out. */
MUST_USE err *table_print(const struct table *t, struct str *out);
