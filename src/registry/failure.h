/* failure.h - what an HTTP status of failure means, with what the server says of it. */
#pragma once

#include "base/err.h"
#include "registry/http.h"

/* "manifest unknown: manifest unknown" (docker's form of the code and message in the body), or the status in words.
 * Never NULL. 404: ERR_NOT_FOUND; 401, 403: ERR_DENIED; 429, 5xx: ERR_NETWORK; others ERR_INVALID. @what was wanted:
 * "manifest". */
MUST_USE err *failure_of(const struct http_answer *a, const char *what);
/* "401 Unauthorized"; @buf is returned. */
const char *failure_status(long status, char *buf, size_t size);
