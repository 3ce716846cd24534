/* template.h - Go text/template over JSON documents: docker's --format and -f.
 *
 * Everything of text/template except define, template, block, complex numbers and the functions call and js. Functions:
 * Go's and, or, not, len, index, slice, print, printf, println, html, urlquery, eq, ne, lt, le, gt, ge;
 * docker's json, split, join, title, lower, upper, pad, truncate.
 * Error texts are Go's, without the caller's prefix ("template parsing error: " and the like):
 *   template: :1: unclosed action
 *   template: :1:2: executing "" at <.Nosuch>: map has no entry for key "Nosuch"
 * A leading "table " is the caller's to cut off. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"

struct template;
/* @name appears in error texts and is "" for docker's formats. Copies @text. Errors: ERR_INVALID with Go's text,
 * ERR_LIMIT (text above 64 KB, nesting). */
MUST_USE err *template_parse(const char *name, const char *text, struct template **ret);
void template_free(struct template *t);
DEFINE_CLEANUP(struct template *, template_free)

/* What JSON does not say about Go's types, by the name of the member (the last element of the path, or two of them,
 * "LogConfig.Config"). NULL-terminated lists. It decides:
 *   null:    a map prints map[], a slice [], others <nil>
 *   missing: in a map <no value>, in anything else an error
 *   printing an object: a map map[k:v] sorted by key, others {v1 v2} in the order of the document. */
struct template_types {
        const char *const *maps;
        const char *const *slices;
        const char *const *maps_of_slices; /* also maps; a null element is a slice */
        const char *const *pointers;       /* "parent.member": left out of the document when nil */
        const char *const *texts;          /* "parent.member": left out of the document when empty */
};
/* The maps and slices of the Docker API. */
extern const struct template_types template_docker_types;

struct template_options {
        /* NULL: every object is a map[string]any, as in docker's fallback for unknown fields. */
        const struct template_types *types;
        /* Missing member: NULL gives `map has no entry for key "X"`; "*formatter.ContainerContext" gives
         * `can't evaluate field X in type *formatter.ContainerContext`. */
        const char *type_name;
        /* Called for {{.Name}} and {{.Name "arg"}} on the root document when it has no such member (may be NULL).
         * Sets *@ret (owned by the template then) and *@found. */
        err *(*method)(void *ctx, const json *root, const char *name, json *const *args, size_t n_args, json **ret,
                       bool *found);
        void *ctx;
        /* What an action prints goes through this to the output; NULL = as it is. The template's own text never does.
         */
        void (*print)(struct str *out, const char *text);
};

/* Append the output to @out. NULL @options means all zero. After an error @out holds what was printed before it
 * (docker prints that too). Errors: ERR_INVALID with Go's text, ERR_LIMIT (output above 64 MB, 10^6 steps). */
MUST_USE err *template_execute(const struct template *t, json *data, const struct template_options *options,
                               struct str *out);
