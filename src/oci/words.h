/* words.h - the words of a Dockerfile instruction: quotes, backslashes, $variables. Only for files of this layer. */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Value of a variable, or NULL; borrowed. */
typedef const char *words_lookup_fn(const char *name, size_t n, void *arg);

/* One word with quotes removed and $NAME, ${NAME}, ${NAME:-x}, ${NAME:+x} replaced (not within single quotes).
 * ERR_INVALID for an unclosed quote or brace. */
MUST_USE err *words_expand(const char *word, words_lookup_fn *lookup, void *arg, char **ret);
/* Cut @text at blanks outside of quotes; the words keep their quotes. */
MUST_USE err *words_split(const char *text, char ***ret);
