/* files.h - where the configuration of registries lies: paths made from the environment. */
#pragma once

#include "base/err.h"
#include "codec/json.h"
#include "registry/client.h"

#define FILES_MAX (1u << 20)

/* Value of an environment variable that is set and not empty, or NULL. */
const char *files_variable(const struct registry_options *o, const char *name);
/* "/etc/..." below o->system_root. Owned. */
MUST_USE err *files_system(const struct registry_options *o, const char *path, char **ret);
/* $XDG_CONFIG_HOME/@path, or $HOME/.config/@path; NULL: neither is set. Owned. */
MUST_USE err *files_user(const struct registry_options *o, const char *path, char **ret);
/* Docker's directory: $DOCKER_CONFIG or $HOME/.docker; NULL: neither is set. Owned. */
MUST_USE err *files_docker(const struct registry_options *o, char **ret);
/* A file of at most FILES_MAX bytes; NUL-terminated, owned. Unless it @must be there, one that is not, or that we may
 * not read, is NULL. */
MUST_USE err *files_read(const char *path, bool must, char **ret, size_t *ret_size);
/* Names in the directory @path that end in @suffix, sorted; NULL when there are none or there is no directory. */
MUST_USE err *files_list(const char *path, const char *suffix, char ***ret);
