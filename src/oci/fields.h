/* fields.h - JSON objects to structs by table: one table for each object of a specification.
 *
 * A table lists the keys that are understood, their type and where they go. Unknown keys are ignored, null is absent,
 * a wrong type or range is an error that names the field by its path ("linux.devices[3].major"), and so is a NUL byte.
 * Strings are borrowed from the JSON document; everything else is in the reader's arena. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/json.h"
#include "oci/arena.h"

/* Where we are in the document, for messages: a chain on the stack, so that it costs nothing. */
struct fields_at {
        const struct fields_at *up;
        const char *key; /* NULL: element @index of an array */
        size_t index;
};

struct fields_reader {
        struct oci_arena *arena;
};

enum fields_type {
        FIELDS_STR,     /* const char *; "" becomes NULL */
        FIELDS_TEXT,    /* const char *; "" is kept */
        FIELDS_STRV,    /* char **, NULL when empty; the strings may be "" */
        FIELDS_BOOL,    /* bool */
        FIELDS_U16,     /* uint16_t */
        FIELDS_U32,     /* uint32_t */
        FIELDS_I32,     /* int32_t */
        FIELDS_I64,     /* int64_t */
        FIELDS_U64,     /* uint64_t */
        FIELDS_OPT_I64, /* struct oci_i64 */
        FIELDS_OPT_U64, /* struct oci_u64 */
        FIELDS_U32V,    /* uint32_t * with a count */
        FIELDS_PAIRS,   /* object of strings: struct oci_pair * with a count */
        FIELDS_OBJECT,  /* struct inside the struct, by @sub */
        FIELDS_POINTER, /* the same, allocated when there */
        FIELDS_LIST,    /* array of objects: pointer and count, by @sub */
        FIELDS_CUSTOM,  /* by @custom */
};

struct fields {
        const char *key; /* NULL ends the table */
        enum fields_type type;
        size_t offset;       /* of the member */
        size_t count_offset; /* of its size_t count */
        size_t size;         /* of one element */
        const struct fields *sub;
        /* @v is never null. @base: the struct. */
        err *(*custom)(struct fields_reader *r, const struct fields_at *at, json *v, void *base);
};

/* Fill *@base, a zeroed struct, from the object @obj. ERR_INVALID, ERR_NOMEM. */
MUST_USE err *fields_read(struct fields_reader *r, const struct fields_at *at, json *obj, const struct fields *table,
                          void *base);
/* The pieces, for custom functions. */
MUST_USE err *fields_str(const struct fields_at *at, json *v, const char **ret);
MUST_USE err *fields_strv(struct fields_reader *r, const struct fields_at *at, json *v, char ***ret);
MUST_USE err *fields_int(const struct fields_at *at, json *v, int64_t min, int64_t max, int64_t *ret);
MUST_USE err *fields_list(struct fields_reader *r, const struct fields_at *at, json *v, const struct fields *table,
                          size_t size, void **ret, size_t *ret_n);
MUST_USE err *fields_array(const struct fields_at *at, json *v);  /* must be an array */
MUST_USE err *fields_object(const struct fields_at *at, json *v); /* must be an object */
/* "linux.devices[3]: " and then the message. */
MUST_USE err *fields_bad(const struct fields_at *at, const char *fmt, ...) PRINTF(2, 3);

/* Names with a number each; ends with a NULL name. */
struct fields_name {
        const char *name;
        int64_t n;
};
/* Number of the string @v. ERR_INVALID "invalid @what \"...\"". */
MUST_USE err *fields_name(const struct fields_at *at, json *v, const struct fields_name *names, const char *what,
                          int64_t *ret);
/* The same for an array of names, or-ed together. */
MUST_USE err *fields_name_set(const struct fields_at *at, json *v, const struct fields_name *names, const char *what,
                              uint64_t *ret);

/* Table entries. */
#define FIELDS_END                                                                                                     \
        {                                                                                                              \
                NULL                                                                                                   \
        }
#define FIELDS_PLAIN(key, type, s, m)                                                                                  \
        {                                                                                                              \
                key, type, offsetof(s, m), 0, 0, NULL, NULL                                                            \
        }
#define FIELDS_STR(key, s, m) FIELDS_PLAIN(key, FIELDS_STR, s, m)
#define FIELDS_BOOL(key, s, m) FIELDS_PLAIN(key, FIELDS_BOOL, s, m)
#define FIELDS_COUNTED(key, type, s, m, n)                                                                             \
        {                                                                                                              \
                key, type, offsetof(s, m), offsetof(s, n), 0, NULL, NULL                                               \
        }
#define FIELDS_OBJECT(key, s, m, sub)                                                                                  \
        {                                                                                                              \
                key, FIELDS_OBJECT, offsetof(s, m), 0, 0, sub, NULL                                                    \
        }
#define FIELDS_POINTER(key, s, m, sub)                                                                                 \
        {                                                                                                              \
                key, FIELDS_POINTER, offsetof(s, m), 0, sizeof(*((s *)0)->m), sub, NULL                                \
        }
#define FIELDS_LIST(key, s, m, n, sub)                                                                                 \
        {                                                                                                              \
                key, FIELDS_LIST, offsetof(s, m), offsetof(s, n), sizeof(*((s *)0)->m), sub, NULL                      \
        }
#define FIELDS_CUSTOM(key, fn)                                                                                         \
        {                                                                                                              \
                key, FIELDS_CUSTOM, 0, 0, 0, NULL, fn                                                                  \
        }
