/* http_private.h - what http.c (options, redirects) and http_transfer.c (one exchange) share. */
#pragma once

#include "base/parse.h"
#include "base/str.h"
#include "registry/curl.h"
#include "registry/http.h"
#include "registry/url.h"

#define HTTP_HEADERS_MAX (64u << 10)
#define HTTP_HEADERS_COUNT 200

struct http {
        CURLM *multi;
        char *user_agent, *client_cert, *client_key;
        char *proxy_http, *proxy_https, *no_proxy;
        char *ca_file, *ca_dir; /* in place of the system's, from the environment; NULL */
        struct str ca;          /* certificates in memory, when there are ca_files */

        bool insecure, may_retry, busy;
        unsigned connect_timeout, stall_timeout;
};

/* One exchange: a request and its answer, without redirects. */
struct transfer {
        struct stream stream; /* first: the body as a stream */
        struct http *http;
        CURL *easy;
        struct curl_slist *headers;
        char *method, *url;
        char error[CURL_ERROR_SIZE];
        struct stream *body;
        bool body_sent, own_url;            /* own_url: the caller's, not one of a redirect */
        uint64_t sent, received, body_size; /* body_size: as in http_request */
        void (*progress)(void *arg, uint64_t sent);
        void *arg;
        /* the answer */
        long status;
        char **answer_headers;
        size_t header_bytes, header_count;
        bool headers_done, done;
        CURLcode result;
        err *failure; /* of a callback */
        /* its body: to memory, or where the reader wants it and the rest of curl's piece to @spill */
        bool in_memory;
        uint64_t max;
        struct str memory;
        unsigned char *want, *spill;
        size_t want_size, want_got, spill_size, spill_pos;
        bool paused;
        /* waiting */
        int64_t waited_ns;
        uint64_t window_bytes;
};

/* Start @r at @url; @own says that it is the origin that @r->authorization and own_headers are for. */
MUST_USE err *transfer_new(struct http *h, const struct http_request *r, const char *url, bool own,
                           struct transfer **ret);
void transfer_free(struct transfer *t);
DEFINE_CLEANUP(struct transfer *, transfer_free)
/* Go on until the headers are there. */
MUST_USE err *transfer_headers(struct transfer *t);
/* Go on until the end, the body in memory, at most @max. */
MUST_USE err *transfer_finish(struct transfer *t, uint64_t max);
/* Make @t a stream: the reader of its body. */
MUST_USE err *transfer_as_stream(struct transfer *t);
/* Value of a header that has come, or NULL. */
const char *transfer_header(const struct transfer *t, const char *name);
/* The reason why libcurl gave up, in the words of Go's net/http. */
MUST_USE err *transfer_error(struct transfer *t);
