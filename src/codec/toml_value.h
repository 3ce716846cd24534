/* toml_value.h - between toml.c (tables) and toml_value.c (keys, strings, numbers). */
#pragma once

#include "codec/toml.h"
#include "base/str.h"

#define TOML_MAX_TABLES 10000u

enum table_kind {
        TABLE_IMPLICIT, /* the a of [a.b] */
        TABLE_HEADER,   /* has had its [header] */
        TABLE_DOTTED,   /* made by a.b = 1 */
        TABLE_INLINE,   /* { ... }: closed */
        TABLE_ARRAY,    /* the array of [[a]] */
};

struct toml {
        const char *at, *end;
        size_t line;
        unsigned depth;
        json *root;
        struct table { /* what JSON nodes cannot say about themselves */
                const json *node;
                enum table_kind kind;
        } * tables;
        size_t n_tables;
};

/* ERR_INVALID "line N: ..." */
MUST_USE err *toml_error(const struct toml *t, const char *fmt, ...) PRINTF(2, 3);
void toml_skip_blank(struct toml *t); /* spaces and tabs */
/* Spaces, newlines and comments. */
MUST_USE err *toml_skip_lines(struct toml *t);
/* Blanks, a comment perhaps, and the end of the line or text. */
MUST_USE err *toml_end_line(struct toml *t);
/* A dotted key; blanks around it are consumed. */
MUST_USE err *toml_key(struct toml *t, char ***ret);
MUST_USE err *toml_value(struct toml *t, json **ret);
/* key = value into @table, at the key. */
MUST_USE err *toml_pair(struct toml *t, json *table);
MUST_USE err *toml_mark(struct toml *t, const json *node, enum table_kind kind);
