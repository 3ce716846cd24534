/* url.h - addresses of http and https, read strictly: no user and password, no blanks, no control characters. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct url {
        bool tls;
        char *host; /* lower case; IPv6 without brackets */
        bool v6;
        uint16_t port;
        bool has_port; /* was written */
        char *path;    /* "/..." with the query; never empty */
};
void url_done(struct url *u);
#define _cleanup_url_ __attribute__((cleanup(url_done)))

/* ERR_INVALID. A fragment is cut off. */
MUST_USE err *url_parse(const char *text, struct url *ret);
bool url_same_origin(const struct url *a, const struct url *b);
/* "https://host[:port]", owned. */
MUST_USE err *url_origin(const struct url *u, char **ret);
/* Where @location (absolute, or relative to @base) leads; owned. */
MUST_USE err *url_join(const char *base, const char *location, char **ret);
/* 127.0.0.0/8, ::1 or localhost. */
bool url_is_loopback(const char *host);
/* "host[:port]" or "[v6]:port" in two; the host without brackets and lower case. @ret_port 0 = none. ERR_INVALID. */
MUST_USE err *url_split_host(const char *text, char **ret_host, uint16_t *ret_port);
/* Is the address @host within "10.0.0.0/8"? False for names. */
bool url_in_cidr(const char *host, const char *cidr);
/* Append @text, percent-encoded for a query. */
struct str;
void url_encode(struct str *out, const char *text);
/* A copy of @url without what follows '?': that may be a signature and is not for logs. NULL when out of memory. */
char *url_without_query(const char *url);
