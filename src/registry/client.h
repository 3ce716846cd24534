/* client.h - one repository of a registry: OCI distribution-spec 1.1 and docker's registry v2.
 *
 * Which hosts are asked (mirrors first), with which certificates and credentials: config.h. Tokens are fetched and
 * renewed here. Retries: connection failures, 429 and 5xx, with Retry-After or growing pauses. Nothing that comes back
 * is believed before its digest has been compared. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "codec/stream.h"
#include "oci/reference.h"

/* cli/ui_registry.h fills this from the environment and hod's configuration. Everything is borrowed until
 * registry_free(). */
struct registry_options {
        bool push;                 /* scope "pull,push", no mirrors */
        int tls_verify;            /* -1 = as configured, 0, 1 */
        const char *creds;         /* "user[:password]" from --creds, never for mirrors; NULL = as configured */
        const char *auth_file;     /* --authfile, or NULL */
        const char *cert_dir;      /* --cert-dir, or NULL */
        char *const *environment;  /* HOME, DOCKER_CONFIG, HTTPS_PROXY, ... */
        char *const *insecure;     /* hod's insecure-registries: host[:port] or CIDR; may be NULL */
        char *const *mirrors;      /* hod's registry-mirrors of docker.io: URLs; may be NULL */
        char *const *token_realms; /* other hosts that may be sent passwords for a token; may be NULL */
        unsigned timeout;          /* seconds without progress, 0 = 60 */
        const char *system_root;   /* for tests: where /etc/... is; NULL = "" */
};
struct registry;
/* The names that @text, as a person wrote it, may stand for, in the order in which they are to be tried: full names
 * ("docker.io/library/busybox:latest"). One, docker's, unless registries.conf has an alias or search registries for a
 * name without a registry. ERR_INVALID (a bad name; several registries, and short-name-mode = "enforcing" or .creds).
 */
MUST_USE err *registry_names(const struct registry_options *o, const char *text, bool default_tag, char ***ret);
/* Find out how to reach the repository of @r; no request is made. A @r with only a domain is for login. ERR_DENIED
 * (blocked by registries.conf), ERR_INVALID (a configuration file is wrong; it is named). */
MUST_USE err *registry_open(const struct registry_options *o, const struct reference *r, struct registry **ret);
void registry_free(struct registry *r);
DEFINE_CLEANUP(struct registry *, registry_free)
/* Of a forked child: connections are not shared with the parent; tokens are. */
MUST_USE err *registry_after_fork(struct registry *r);

/* Get to know the registry itself and fetch the token that this needs: what is forked later need not. ERR_DENIED,
 * ERR_NETWORK. */
MUST_USE err *registry_prepare(struct registry *r);

struct registry_document {
        char *data; /* NUL-terminated, owned */
        size_t size;
        char *media_type;     /* Content-Type without parameters, owned */
        struct digest digest; /* of data, computed */
};
void registry_document_done(struct registry_document *d);
#define _cleanup_document_ __attribute__((cleanup(registry_document_done)))

/* A manifest or an index, by tag or digest (which is then verified). ERR_NOT_FOUND "manifest unknown", ERR_DENIED. */
MUST_USE err *registry_manifest_get(struct registry *r, const char *reference, struct registry_document *ret);
/* Its digest only (HEAD). ERR_NOT_FOUND. */
MUST_USE err *registry_manifest_head(struct registry *r, const char *reference, struct digest *ret);
/* Put one under a tag, a digest, or both (@reference). */
MUST_USE err *registry_manifest_put(struct registry *r, const char *reference, const char *media_type, const char *data,
                                    size_t size);

/* A small blob (an image's config), verified. ERR_LIMIT. */
MUST_USE err *registry_blob_get(struct registry *r, const struct digest *digest, uint64_t max, char **ret,
                                size_t *ret_size);
/* A blob from *@offset (Range; a server that cannot sends all and *@offset becomes 0). Not verified. */
MUST_USE err *registry_blob_open(struct registry *r, const struct digest *digest, uint64_t *offset,
                                 struct stream **ret);
MUST_USE err *registry_blob_exists(struct registry *r, const struct digest *digest, bool *ret);
/* Ask the registry to take the blob from another of its repositories ("library/busybox"). */
MUST_USE err *registry_blob_mount(struct registry *r, const struct digest *digest, const char *from, bool *ret);
/* Upload: @open is called for each try. @size 0 = unknown: chunks. @ret_digest: of what was sent. */
struct registry_upload {
        err *(*open)(void *arg, struct stream **ret);
        void (*progress)(void *arg, uint64_t sent); /* may be NULL */
        void *arg;
        uint64_t size;
        const struct digest *digest; /* NULL: known only when everything was sent */
};
MUST_USE err *registry_blob_put(struct registry *r, const struct registry_upload *u, struct digest *ret_digest);

/* All tags, sorted as the registry does; owned. */
MUST_USE err *registry_tags(struct registry *r, char ***ret);
/* Does the registry believe @c? For login. @ret_token: an identity token if the server gave one, owned; NULL. */
struct auth_credentials;
MUST_USE err *registry_login(struct registry *r, const struct auth_credentials *c, char **ret_token);
/* What the index (docker's v1) of @r's registry finds for @term: the "results" array. ERR_CORRUPT, ERR_NETWORK. */
MUST_USE err *registry_search(struct registry *r, const char *term, unsigned limit, json **ret);
