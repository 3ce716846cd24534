/* http.h - HTTPS requests to registries, by libcurl, which is loaded at first use (linking it would cost every command
 * 3.4 ms). Only programs that may load libraries can use it: commands with `.libraries = true`.
 *
 * Every answer is bounded. Redirects are followed here, not by libcurl: Authorization never goes to another scheme,
 * host or port, nor does a client's certificate, and https never becomes http. Proxies come from the environment as Go
 * reads it (HTTPS_PROXY, HTTP_PROXY, NO_PROXY, in either case); the loopback is never reached through one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/stream.h"

struct http_options {
        const char *user_agent;               /* NULL = hod/VERSION */
        bool insecure;                        /* do not verify the peer */
        char *const *ca_files;                /* PEM files, trusted beside the system's; may be NULL */
        const char *client_cert, *client_key; /* PEM files that identify us where nobody sent us, or NULL */
        char *const *environment;             /* proxies, SSL_CERT_FILE, SSL_CERT_DIR; may be NULL */
        unsigned connect_timeout;             /* seconds, 0 = 30 */
        unsigned stall_timeout;               /* seconds below HTTP_RATE_MIN, 0 = 60 */
};
#define HTTP_RATE_MIN 256 /* bytes a second on average: who sends less for stall_timeout is given up */

/* Connections to one or several hosts, kept open and used again. What @o points to is copied. */
struct http;
MUST_USE err *http_new(const struct http_options *o, struct http **ret);
void http_free(struct http *h);
/* Of a forked child: forget the connections, which stay the parent's. */
MUST_USE err *http_after_fork(struct http *h);
DEFINE_CLEANUP(struct http *, http_free)

struct http_request {
        const char *method; /* "GET", ... */
        const char *url;
        char *const *headers;                       /* "Accept: ...", NULL-terminated; may be NULL */
        char *const *own_headers;                   /* the same, sent to the url's own origin only; may be NULL */
        const char *authorization;                  /* value of that header; sent to the url's own origin only */
        bool foreign;                               /* somebody sent us to the url: no certificate of ours goes there */
        struct stream *body;                        /* NULL = none; borrowed */
        uint64_t body_size;                         /* 0 with a body = unknown: sent in chunks */
        uint64_t max_answer;                        /* of bytes in memory; 0 = 4 MB */
        void (*progress)(void *arg, uint64_t sent); /* of the body; may be NULL */
        void *arg;
};
struct http_answer {
        long status;
        char *url;      /* where it came from after redirects */
        char **headers; /* "name: value", names in lower case */
        char *data;     /* NUL-terminated */
        size_t size;
};
void http_answer_done(struct http_answer *a);
#define _cleanup_answer_ __attribute__((cleanup(http_answer_done)))
/* Value of a header of the answer; NULL; borrowed. The first one if it came several times. */
const char *http_answer_header(const struct http_answer *a, const char *name);

/* One request, the answer in memory. Redirects of GET and HEAD are followed, others are the answer. An HTTP status of
 * failure is not an error here. ERR_LIMIT; ERR_NETWORK with Go's words, which scripts look for:
 * `Get "URL": dial tcp 127.0.0.1:1: connect: connection refused`. */
MUST_USE err *http_send(struct http *h, const struct http_request *r, struct http_answer *ret);
/* A GET whose body is read piece by piece. @ret_answer: without data. The stream fails with ERR_NETWORK when the
 * connection breaks before Content-Length bytes. One at a time for each `struct http`, and no http_send() meanwhile;
 * free the stream before @h. A status outside of 200..299: *@ret is NULL and the (small) answer is in memory. */
MUST_USE err *http_open(struct http *h, const struct http_request *r, struct http_answer *ret_answer,
                        struct stream **ret);
/* Was the last ERR_NETWORK one that another try could mend (a connection that broke, not a certificate)? */
bool http_may_retry(const struct http *h);
