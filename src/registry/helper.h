/* helper.h - credential helpers: programs docker-credential-NAME, spoken to over stdin and stdout as docker does. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "registry/auth.h"
#include "registry/client.h"

/* What docker-credential-@name has for @server; *@ret_found false when it knows nothing. ERR_UNSUPPORTED when there is
 * no such program: `exec: "docker-credential-x": executable file not found in $PATH`. Directories of PATH that somebody
 * else could write to are passed over. */
MUST_USE err *helper_get(const struct registry_options *o, const char *name, const char *server,
                         struct auth_credentials *ret, bool *ret_found);
MUST_USE err *helper_store(const struct registry_options *o, const char *name, const char *server,
                           const struct auth_credentials *c);
/* Nothing to erase is fine. */
MUST_USE err *helper_erase(const struct registry_options *o, const char *name, const char *server);
