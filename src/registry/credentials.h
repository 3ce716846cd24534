/* credentials.h - passwords and identity tokens of registries: docker's config.json, containers' auth.json, credential
 * helpers. */
#pragma once

#include "base/err.h"
#include "registry/auth.h"
#include "registry/client.h"

/* For @host ("reg.example:5000", or docker.io's server) and the repository @path (may be NULL). Not found leaves *@ret
 * empty. A credential helper that is configured but missing is an error. */
MUST_USE err *credentials_find(const struct registry_options *o, const char *host, const char *path,
                               struct auth_credentials *ret);
