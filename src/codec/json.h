/* json.h - JSON documents: a small, strict interface over json-c.
 *
 * Integers are exact 64 bits, duplicate keys, NaN, single quotes, comments and trailing bytes are refused, depth and
 * size are bounded. A `struct json` is a reference-counted node. "get" functions borrow; "set" functions consume the
 * node they are given. Key order is kept. Building never fails half way: an allocation failure is remembered and
 * json_print() reports it. Errors of json_parse() name line and column. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

struct json_object; /* json-c's node; only json.c knows more */
typedef struct json_object json;

#define JSON_MAX_DEPTH 64
#define JSON_MAX_SIZE (16u << 20)
#define JSON_MAX_NODES 200000u /* a node costs up to 0.8 KB of memory for two bytes of text */

/* Parse exactly one document. Errors: ERR_INVALID "line 3, column 7: ...", ERR_LIMIT (depth, nodes, size), ERR_NOMEM.
 * Bytes that are not UTF-8 survive a round trip of our own files: json_print() writes each as a lone surrogate
 * (\udc80..\udcff, as Python's surrogateescape), and these, but no others, are turned back here. */
MUST_USE err *json_parse(const char *text, size_t size, json **ret);
/* A large part of a document that is the same in many of them: the member @inner, an object, of the document's member
 * @outer. */
struct json_skip {
        const char *outer, *inner;
        /* Does the caller know this very @text, byte for byte, as an object that json_parse() took? Then it is not
         * parsed again, and its value is null. */
        bool (*ask)(void *arg, const char *text, size_t size);
        void *arg;
        /* What was found: where it is in the document's text (NULL: it is not there, or not whole), and the answer. */
        const char *text;
        size_t size;
        bool known;
};
/* json_parse() but for that part; @skip may be NULL. */
MUST_USE err *json_parse_but(const char *text, size_t size, struct json_skip *skip, json **ret);
/* Read (dirfd, path), at most JSON_MAX_SIZE, for json_parse(). The text is the caller's. A missing file is
 * ERR_NOT_FOUND. */
MUST_USE err *json_load(int dirfd, const char *path, char **ret, size_t *ret_size);
/* Read and parse. Errors as of both; they name @path. */
MUST_USE err *json_read(int dirfd, const char *path, json **ret);
json *json_ref(json *j);
void json_free(json *j); /* drop one reference; NULL is fine */
DEFINE_CLEANUP(json *, json_free)
#define _cleanup_json_ __attribute__((cleanup(json_freep)))
MUST_USE err *json_copy(json *j, json **ret); /* deep copy */

enum json_kind { JSON_NULL, JSON_BOOL, JSON_INT, JSON_DOUBLE, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
enum json_kind json_kind(const json *j); /* NULL is JSON_NULL */

/* Reading. All accept NULL and wrong kinds and give the default then (use json_expect() to validate). */
json *json_get(const json *obj, const char *key);           /* member or NULL; borrowed */
bool json_has(const json *obj, const char *key);            /* also true for a null member */
json *json_path(const json *obj, const char *dotted);       /* json_path(rec, "HostConfig.Memory"); "" is @obj */
const char *json_str(const json *j);                        /* text or NULL; borrowed */
size_t json_str_len(const json *j);                         /* may contain NUL bytes */
const char *json_get_str(const json *obj, const char *key); /* text or NULL */
const char *json_get_str_or(const json *obj, const char *key, const char *otherwise);
int64_t json_int(const json *j, int64_t otherwise);
int64_t json_get_int(const json *obj, const char *key, int64_t otherwise);
uint64_t json_get_uint(const json *obj, const char *key, uint64_t otherwise); /* exact up to 2^64-1 */
bool json_bool(const json *j, bool otherwise);
bool json_get_bool(const json *obj, const char *key, bool otherwise);
double json_double(const json *j, double otherwise);
size_t json_len(const json *j);             /* elements of array or object */
json *json_at(const json *array, size_t i); /* element or NULL; borrowed */
/* ERR_INVALID "@what must be a string, not a number" unless @j is of @kind (JSON_DOUBLE also takes integers). */
MUST_USE err *json_expect(const json *j, enum json_kind kind, const char *what);
const char *json_kind_name(enum json_kind kind); /* "a string", "an object", ... */
/* Array of strings to strv (a missing one gives an empty list); ERR_INVALID if an element is not a string. */
MUST_USE err *json_get_strv(const json *obj, const char *key, char ***ret);

/* Members of an object in order: JSON_EACH(obj, it) { it.key, it.value }. The current member may be deleted. */
struct json_iter {
        const json *obj;
        void *entry;
        const char *key;
        json *value;
};
struct json_iter json_iter_begin(const json *obj);
bool json_iter_next(struct json_iter *it);
#define JSON_EACH(o, it) for (struct json_iter it = json_iter_begin(o); json_iter_next(&it);)

/* Building. @obj may be NULL after an allocation failure: everything is a no-op then. JSON null is a NULL node, so a
 * failure is remembered per thread, for good: from then on every json_print() of this thread says ERR_NOMEM. */
json *json_new_object(void);
json *json_new_array(void);
json *json_new_str(const char *text); /* NULL text gives JSON null */
json *json_new_str_n(const char *data, size_t n);
json *json_new_int(int64_t n);
json *json_new_uint(uint64_t n);
json *json_new_bool(bool b);
json *json_new_double(double d);
json *json_new_null(void);
void json_set(json *obj, const char *key, json *value); /* consumes value; NULL value stores null */
void json_set_str(json *obj, const char *key, const char *text);
void json_set_int(json *obj, const char *key, int64_t n);
void json_set_bool(json *obj, const char *key, bool b);
void json_set_strv(json *obj, const char *key, char *const *list); /* NULL list stores [] */
void json_del(json *obj, const char *key);
void json_add(json *array, json *value); /* consumes */
void json_add_str(json *array, const char *text);
/* Member object/array of @obj, made if missing; borrowed. */
json *json_sub_object(json *obj, const char *key);
json *json_sub_array(json *obj, const char *key);

enum json_style {
        JSON_COMPACT,
        JSON_INDENT4, /* docker inspect: four spaces, ": " */
        JSON_INDENT2,
};
/* Text of @j, owned by the caller, without a final newline. No escaping of '/'; <, >, & are kept. Numbers that were
 * parsed print as they were written. ERR_NOMEM if building had failed. */
MUST_USE err *json_print(const json *j, enum json_style style, char **ret);
