/* client_private.h - what client*.c share: servers in use, and requests to them with tokens and retries. */
#pragma once

#include "base/parse.h"
#include "base/str.h"
#include "registry/auth.h"
#include "registry/client.h"
#include "registry/endpoint.h"
#include "registry/http.h"

#define CLIENT_MANIFEST_MAX (4u << 20) /* distribution's own limit */

/* An endpoint in use. */
struct server {
        const struct endpoint *endpoint;
        struct http *http;
        char *origin;      /* "https://host:port", known after the first answer */
        struct auth *auth; /* the same */
};

struct registry {
        struct registry_options options;
        char *domain, *path; /* of the reference */
        struct endpoints endpoints;
        struct server *servers; /* as many */
        size_t current;         /* that had the manifest */
};

struct client_request {
        const char *method;
        const char *suffix; /* behind .../v2/<path>/ */
        const char *url;    /* or the whole address */
        char *const *headers;
        const char *scope; /* NULL = of this repository */
        uint64_t max_answer;
        /* a body: opened for each try */
        err *(*open)(void *arg, struct stream **ret);
        void (*progress)(void *arg, uint64_t sent);
        void *arg;
        uint64_t body_size;
        bool once; /* do not repeat after a broken connection: it may have worked */
};

/* Seconds of a Retry-After (a number, or a date against @now), 0 if it cannot be read; at most 3600. */
unsigned client_retry_after(const char *text, int64_t now);
/* Wait before try @n + 2 of something: longer each time. */
void client_pause(unsigned n);
struct client_attempts {
        unsigned n;
        bool renewed;
};
/* Is @a, the answer from @url, the final one? If the server is only busy: waits, as long as it wants or longer each
 * time, and says no. ERR_NETWORK when it wants us to wait for too long. */
MUST_USE err *client_judge(const char *url, const struct http_answer *a, struct client_attempts *attempts,
                           bool *ret_final);
/* The schemes by which @e is to be spoken to, in order; the second may be NULL. */
MUST_USE err *client_schemes(const struct endpoint *e, const char *ret[2]);
/* GET @path without credentials, by the first scheme that works. */
MUST_USE err *client_try_schemes(struct registry *r, struct server *s, const char *path, struct http_answer *ret,
                                 char **ret_origin);
/* Make sure that @s is known: how it is spoken to, and what it wants to see. */
MUST_USE err *client_connect(struct registry *r, struct server *s);
/* One request with the credentials that it needs, repeated as long as that makes sense. With @ret_stream the body of
 * success is not read but streamed. */
MUST_USE err *client_send(struct registry *r, struct server *s, const struct client_request *q, struct http_answer *ret,
                          struct stream **ret_stream);
/* Is @reference a tag or a digest, as the grammar has it? It ends in an address. @ret_digest may be NULL. ERR_INVALID.
 */
MUST_USE err *client_check_reference(const char *reference, bool *ret_digest);
/* The address of `Link: <URL>; rel="next"`, owned; NULL = none. */
MUST_USE err *client_link_next(const char *link, char **ret);

/* Do @f with the servers in order, the current one first, until one does it. Mirrors that fail are passed over. */
MUST_USE err *client_each(struct registry *r, bool by_digest,
                          err *(*f)(struct registry *r, struct server *s, void *arg), void *arg);
/* The server that is written to. */
struct server *client_main(struct registry *r);
