/* lines.h - a structure as lines "key=value", told by a table of its members, and back. Newline and backslash in values
 * are \n and \\; unknown keys are passed over, so that versions can differ. No JSON: the monitor must stay small. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum lines_kind {
        LINES_BOOL,
        LINES_UNSIGNED,
        LINES_INT,
        LINES_U64,
        LINES_I64,
        LINES_WORD,   /* an enumeration without gaps, whose words are in the table */
        LINES_TEXT,   /* char[] inside the structure */
        LINES_STRING, /* char *, owned; NULL has no line */
        LINES_LIST,   /* char **, owned; one line an item */
};
struct lines_field {
        const char *key;
        unsigned short offset, size;
        enum lines_kind kind;
        const char *const *words; /* of LINES_WORD; ends with NULL */
};
#define LINES_FIELD(type, member, key_, kind_, ...)                                                                    \
        {                                                                                                              \
                key_, offsetof(type, member), sizeof(((type *)NULL)->member), kind_, ##__VA_ARGS__                     \
        }

/* Write @object into @buf, terminated; @ret_size excludes the terminator. False: it does not fit. */
bool lines_format(const struct lines_field *fields, size_t n, const void *object, char *buf, size_t size,
                  size_t *ret_size);
/* Set the members that @text (changed) has lines of. ERR_CORRUPT, ERR_NOMEM; what was read so far is then in @object.
 */
MUST_USE err *lines_parse(char *text, const struct lines_field *fields, size_t n, void *object);
/* Free the strings and lists of @object. */
void lines_free(const struct lines_field *fields, size_t n, void *object);
/* Replace the file @name. A fixed @temporary name is enough where there is one writer (the holder of the lock; the
 * engine for conf). 0 or -errno. */
int lines_replace(int dirfd, const char *temporary, const char *name, const char *data, size_t size);
