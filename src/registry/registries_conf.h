/* registries_conf.h - containers-registries.conf(5), version 2, with its drop-in directories. */
#pragma once

#include "base/err.h"
#include "codec/json.h"
#include "registry/client.h"

struct registries_conf {
        char **search;   /* unqualified-search-registries; NULL = not set */
        bool no_aliases; /* short-name-mode = "disabled" */
        bool enforcing;
        json *aliases;    /* short name → full name */
        json *registries; /* the [[registry]] tables, later files first */
};
void registries_conf_done(struct registries_conf *c);
#define _cleanup_registries_ __attribute__((cleanup(registries_conf_done)))

/* Read the files that there are. ERR_INVALID names file and mistake. */
MUST_USE err *registries_conf_load(const struct registry_options *o, struct registries_conf *ret);
/* Add what @text says; @name for messages. For tests and fuzzing. */
MUST_USE err *registries_conf_parse(const char *name, const char *text, size_t size, struct registries_conf *c);
/* The table for "host/path:tag@digest" (the longest prefix), or NULL; @ret_length: how much of it the prefix covers. */
json *registries_conf_find(const struct registries_conf *c, const char *name, size_t *ret_length);
/* Full name of a short one ("fedora"), or NULL. */
const char *registries_conf_alias(const struct registries_conf *c, const char *name);
