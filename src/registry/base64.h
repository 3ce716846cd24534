/* base64.h - RFC 4648, with padding. */
#pragma once

#include <stddef.h>

#include "base/err.h"

/* Owned. */
MUST_USE err *base64_encode(const void *data, size_t size, char **ret);
/* Padding may be missing; line ends are skipped, as by docker. ERR_INVALID. NUL-terminated, owned. */
MUST_USE err *base64_decode(const char *text, char **ret, size_t *ret_size);
