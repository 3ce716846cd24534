/* credentials.h - passwords and identity tokens of registries: docker's config.json, containers' auth.json, credential
 * helpers.
 *
 * Where they are looked for: --creds; --authfile or $REGISTRY_AUTH_FILE, and then nowhere else; $DOCKER_AUTH_CONFIG;
 * docker's config.json; containers' auth.json. In each the entry of the repository comes before that of its registry. A
 * key is "host[:port][/path]"; docker.io's is "https://index.docker.io/v1/", as docker has always written it. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "registry/auth.h"
#include "registry/client.h"

/* For @key ("reg.example:5000", "docker.io") and the repository @path (may be NULL). Not found leaves *@ret empty.
 * ERR_INVALID names the file that cannot be read. A credential helper that is configured but missing is an error. */
MUST_USE err *credentials_find(const struct registry_options *o, const char *key, const char *path,
                               struct auth_credentials *ret);
/* Keep @c for @key, in --authfile, by a credential helper or in docker's config.json (0600, replaced as a whole).
 * @ret_file: the file if they are in it unencrypted, else NULL. Owned. */
MUST_USE err *credentials_store(const struct registry_options *o, const char *key, const struct auth_credentials *c,
                                char **ret_file);
/* Forget what is kept for @key; nothing is fine. */
MUST_USE err *credentials_erase(const struct registry_options *o, const char *key);
/* How @key is shown: "https://index.docker.io/v1/" for docker.io, else itself. */
const char *credentials_server(const char *key);
/* "Name: value" lines that config.json's HttpHeaders has for registries (X-Meta-..., as dockerd passes on), appended.
 */
MUST_USE err *credentials_headers(const struct registry_options *o, char ***list);
