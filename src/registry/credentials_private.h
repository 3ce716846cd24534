/* credentials_private.h - what credentials.c (finding) and credentials_store.c (keeping) share. */
#pragma once

#include "codec/json.h"
#include "registry/credentials.h"

/* --authfile or $REGISTRY_AUTH_FILE, or NULL. */
const char *credentials_own_file(const struct registry_options *o);
/* Path of docker's config.json, NULL when there is no home directory. Owned. */
MUST_USE err *credentials_docker_file(const struct registry_options *o, char **ret);
/* A missing or empty file gives NULL. */
MUST_USE err *credentials_read(const char *path, bool must, json **ret);
/* Is there a member for @place in @obj? *@ret_key is how it is written there. */
bool credentials_has(const json *obj, const char *place, const char **ret_key);
/* The credential helper that the configuration names for @place, or NULL; *@ret_key is what to ask it for. */
const char *credentials_helper(const json *doc, const char *place, const char **ret_key);
