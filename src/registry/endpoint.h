/* endpoint.h - which servers are asked for a repository, in which order, and how each of them is to be trusted:
 * registries.conf, certs.d, hosts.toml, hod's own settings. Reads files, asks nobody. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "registry/client.h"

enum endpoint_for { ENDPOINT_ALL, ENDPOINT_DIGEST_ONLY, ENDPOINT_TAG_ONLY, ENDPOINT_PUSH_ONLY };

struct endpoint {
        char *host;      /* "host[:port]" */
        char *key;       /* the same as credentials know it: docker.io, not its server */
        char *prefix;    /* "/v2"; of some mirrors "/v2/cache" */
        char *path;      /* the repository there; NULL = only for login */
        bool plain;      /* http is allowed */
        bool plain_only; /* the address was written with http:// */
        bool insecure;   /* the certificate is not verified */
        bool mirror;
        enum endpoint_for use;
        char **ca_files, *client_cert, *client_key;
        char **headers; /* to be sent there, "Name: value" */
};
void endpoint_done(struct endpoint *e);

struct endpoints {
        struct endpoint *list;
        size_t n;
};
void endpoints_done(struct endpoints *e);
#define _cleanup_endpoints_ __attribute__((cleanup(endpoints_done)))

/* Append @e, which is moved, also on failure. */
MUST_USE err *endpoints_add(struct endpoints *list, struct endpoint *e);

/* At least one that is no mirror. ERR_DENIED "blocked", ERR_INVALID. */
MUST_USE err *endpoint_find(const struct registry_options *o, const struct reference *r, struct endpoints *ret);
