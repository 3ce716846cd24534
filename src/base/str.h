/* str.h - strings: a growing buffer, string lists, small tests.
 *
 * A `struct str` remembers that it ran out of memory (sticky): append freely, ask once at the end with str_done(). */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

struct str {
        char *data; /* terminated whenever not NULL */
        size_t len;
        size_t cap;
        bool failed;
};

void str_free(struct str *s);
#define _cleanup_str_ __attribute__((cleanup(str_free)))

/* Append. What fails is remembered: str_done() tells. */
void str_add(struct str *s, const char *text);
void str_add_n(struct str *s, const char *data, size_t n);
void str_add_char(struct str *s, char c);
void str_printf(struct str *s, const char *fmt, ...) PRINTF(2, 3);
void str_vprintf(struct str *s, const char *fmt, va_list ap);
/* NULL when every append worked. */
MUST_USE err *str_done(const struct str *s);
/* Give the text away (never NULL on success; an empty buffer gives ""). */
MUST_USE err *str_take(struct str *s, char **ret);
static inline const char *str_text(const struct str *s)
{
        return s->data ? s->data : "";
}

/* printf into fresh memory; NULL when out of memory. */
char *str_format(const char *fmt, ...) PRINTF(1, 2);
/* strdup that keeps NULL. NULL when out of memory. */
char *str_dup(const char *text);

static inline bool str_eq(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}
static inline bool str_empty(const char *s)
{
        return !s || !*s;
}
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Rest of @s after @prefix, or NULL. */
const char *str_after(const char *s, const char *prefix);

/* NULL-terminated list of owned strings. */
void strv_free(char **list);
DEFINE_CLEANUP(char **, strv_free)
#define _cleanup_strv_ __attribute__((cleanup(strv_freep)))
size_t strv_len(char *const *list);
/* Append a copy of @text to *@list (may be NULL). */
MUST_USE err *strv_add(char ***list, const char *text);
/* Append @text itself (consumed, also on failure; NULL means out of memory). */
MUST_USE err *strv_push(char ***list, char *text);
MUST_USE err *strv_copy(char *const *list, char ***ret);
bool strv_contains(char *const *list, const char *text);
/* Sort by bytes; NULL is fine. */
void strv_sort(char **list);
/* Split @text at every @sep; empty fields are kept; "" gives one empty field. */
MUST_USE err *strv_split(const char *text, char sep, char ***ret);
/* Join with @sep; NULL when out of memory. */
char *strv_join(char *const *list, const char *sep);
/* Value of NAME in a list of NAME=value, or NULL. */
const char *strv_env(char *const *list, const char *name);

/* Levenshtein distance, for "did you mean"; saturates at 99. */
int str_distance(const char *a, const char *b);
