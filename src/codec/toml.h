/* toml.h - TOML 1.0 to JSON: hod's own configuration files, and those of registries.
 *
 * All of TOML except dates and times (refused with a clear error): tables, arrays of tables, dotted and quoted keys,
 * basic, literal and multi-line strings, decimal/hex/octal/binary integers with underscores, floats (inf and nan are
 * refused: JSON has neither), booleans, nested arrays, inline tables, comments. Redefinitions are errors, as the
 * standard says. */
#pragma once

#include "base/err.h"
#include "codec/json.h"

/* Parse one document into an object. Errors: ERR_INVALID "line 3: ...", ERR_LIMIT (JSON_MAX_SIZE, JSON_MAX_DEPTH). */
MUST_USE err *toml_parse(const char *text, size_t size, json **ret);
/* Read and parse (dirfd, path). A missing file is ERR_NOT_FOUND. */
MUST_USE err *toml_read(int dirfd, const char *path, json **ret);
