/* format.h - lists as docker prints them: a table of columns, --format "table ...", json lines, or a Go template.
 *
 * Rows are JSON objects whose members are what {{.Name}} in a template may name. A column is such a member with its
 * heading. */
#pragma once

#include "base/err.h"
#include "codec/json.h"

struct format_column {
        const char *field;   /* member of the row */
        const char *heading; /* "CONTAINER ID" */
        bool standard;       /* in the table without --format */
};

struct format_list {
        const char *type_name;               /* Go's, for error messages: "*formatter.ContainerContext" */
        const struct format_column *columns; /* all known fields, ended by {0} */
        const char *quiet_field;             /* member printed with -q */
        const char *raw, *raw_quiet;         /* templates of the format "raw"; NULL: it is a text as any other */
        bool is_ps;                          /* says "failed to parse template", not "template parsing error", and
                                                leaves a format out, with a warning, where it is given with -q */
};

/* Print @rows (array). @format: NULL, "table", "json", "raw", "table TEMPLATE" or TEMPLATE; "" is NULL. @quiet is about
 * "table", "raw" and NULL. */
MUST_USE err *format_rows(const struct format_list *list, const json *rows, const char *format, bool quiet);

/* Execute the template @text over one document and print the result with a newline. Errors as Go's. */
MUST_USE err *format_document(const char *text, json *doc);
/* The same of a value of Go's type @type_name, whose unknown members are an error that names it ("system.dockerInfo").
 */
MUST_USE err *format_struct(const char *text, json *doc, const char *type_name);
