/* path.h - paths as text; nothing here touches a file. (Paths that lead somewhere are (dirfd, name): see file.h.) */
#pragma once

#include "base/err.h"

/* "/a//b/./c/" → "/a/b/c", "x" → "/x": absolute, without empty parts and "."; ".." is resolved against the text, as
 * Go's path.Clean does. The result is the caller's. Errors: ERR_NOMEM. */
MUST_USE err *path_clean(const char *path, char **ret);
