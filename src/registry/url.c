/* url.c - see url.h. */
#include "registry/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"

#define URL_MAX 8192

void url_done(struct url *u)
{
        free(u->host);
        free(u->path);
        *u = (struct url){0};
}

static bool plain_text(const char *text)
{
        for (; *text; text++)
                if ((unsigned char)*text <= ' ' || *text == 0x7f || strchr("\"<>\\^`{|}", *text))
                        return false;
        return true;
}

static bool host_name(const char *host)
{
        size_t n = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._");

        return n > 0 && n < 254 && !host[n] && host[0] != '.' && host[0] != '-' && !strstr(host, "..");
}

static bool host_v6(const char *host)
{
        struct in6_addr a;

        return inet_pton(AF_INET6, host, &a) == 1;
}

err *url_split_host(const char *text, char **ret_host, uint16_t *ret_port)
{
        _cleanup_free_ char *host = NULL;
        const char *rest;
        uint64_t port = 0;
        bool v6 = *text == '[';

        rest = v6 ? strchr(text, ']') : text + strcspn(text, ":");
        if (!rest)
                return err_new(ERR_INVALID, "'%s' is not a host", text);
        host = strndup(text + v6, (size_t)(rest - text) - v6);
        if (!host)
                return err_nomem();
        rest += v6;
        for (char *p = host; *p; p++)
                *p = (char)tolower((unsigned char)*p);
        if (*rest && (*rest != ':' || strlen(rest) > 6 || !parse_u64(rest + 1, &port) || port == 0 || port > 65535))
                return err_new(ERR_INVALID, "'%s' has a wrong port", text);
        if (v6 ? !host_v6(host) : !host_name(host))
                return err_new(ERR_INVALID, "'%s' is not a host", text);
        *ret_host = TAKE_PTR(host);
        *ret_port = (uint16_t)port;
        return NULL;
}

err *url_parse(const char *text, struct url *ret)
{
        _cleanup_free_ char *authority = NULL;
        _cleanup_url_ struct url u = {0};
        const char *rest;
        size_t n;

        u.tls = strncasecmp(text, "https://", 8) == 0;
        if (!u.tls && strncasecmp(text, "http://", 7) != 0)
                return err_new(ERR_INVALID, "'%.200s' is not an address that begins with https:// or http://", text);
        if (strlen(text) > URL_MAX || !plain_text(text))
                return err_new(ERR_INVALID, "'%.200s' is not a valid address", text);
        rest = text + (u.tls ? 8 : 7);
        n = strcspn(rest, "/?#");
        authority = strndup(rest, n);
        if (!authority)
                return err_nomem();
        if (strchr(authority, '@'))
                return err_new(ERR_INVALID, "an address must not contain a user name or a password");
        TRY_WRAP(url_split_host(authority, &u.host, &u.port), "'%.200s' is not a valid address", text);
        u.v6 = strchr(u.host, ':') != NULL;
        u.has_port = u.port != 0;
        if (!u.port)
                u.port = u.tls ? 443 : 80;
        rest += n;
        n = strcspn(rest, "#");
        u.path = str_format("%s%.*s", *rest == '/' ? "" : "/", (int)n, rest);
        if (!u.path)
                return err_nomem();
        *ret = u;
        u = (struct url){0};
        return NULL;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
        return a->tls == b->tls && a->port == b->port && str_eq(a->host, b->host);
}

err *url_origin(const struct url *u, char **ret)
{
        char port[8] = "";

        if (u->port != (u->tls ? 443 : 80) || u->has_port)
                (void)snprintf(port, sizeof(port), ":%u", u->port);
        *ret = str_format("%s://%s%s%s%s", u->tls ? "https" : "http", u->v6 ? "[" : "", u->host, u->v6 ? "]" : "",
                          port);
        return *ret ? NULL : err_nomem();
}

err *url_join(const char *base, const char *location, char **ret)
{
        _cleanup_free_ char *origin = NULL, *text = NULL;
        _cleanup_url_ struct url b = {0}, result = {0};
        size_t keep;

        TRY(url_parse(base, &b));
        TRY(url_origin(&b, &origin));
        keep = strcspn(b.path, "?");
        if (strncasecmp(location, "https://", 8) == 0 || strncasecmp(location, "http://", 7) == 0) {
                text = str_dup(location);
        } else if (str_starts(location, "//")) {
                text = str_format("%s:%s", b.tls ? "https" : "http", location);
        } else if (*location == '/') {
                text = str_format("%s%s", origin, location);
        } else if (*location == '?') {
                text = str_format("%s%.*s%s", origin, (int)keep, b.path, location);
        } else if (strcspn(location, ":") < strcspn(location, "/?#")) {
                return err_new(ERR_INVALID, "'%.200s' is not an address of http or https", location);
        } else {
                while (keep > 1 && b.path[keep - 1] != '/')
                        keep--;
                text = str_format("%s%.*s%s", origin, (int)keep, b.path, location);
        }
        if (!text)
                return err_nomem();
        TRY(url_parse(text, &result));
        *ret = TAKE_PTR(text);
        return NULL;
}

bool url_is_loopback(const char *host)
{
        struct in_addr a;
        struct in6_addr b;

        if (inet_pton(AF_INET, host, &a) == 1)
                return ntohl(a.s_addr) >> 24 == 127;
        if (inet_pton(AF_INET6, host, &b) == 1)
                return IN6_IS_ADDR_LOOPBACK(&b);
        return strcasecmp(host, "localhost") == 0;
}

bool url_in_cidr(const char *host, const char *cidr)
{
        unsigned char have[16], want[16];
        const char *slash = strchr(cidr, '/');
        _cleanup_free_ char *net = slash ? strndup(cidr, (size_t)(slash - cidr)) : NULL;
        int family = strchr(cidr, ':') ? AF_INET6 : AF_INET;
        uint64_t bits;

        if (!net || !parse_u64(slash + 1, &bits) || bits > (family == AF_INET ? 32 : 128))
                return false;
        if (inet_pton(family, net, want) != 1 || inet_pton(family, host, have) != 1)
                return false;
        for (unsigned i = 0; i < bits; i++)
                if (((have[i / 8] ^ want[i / 8]) >> (7 - i % 8)) & 1)
                        return false;
        return true;
}

void url_encode(struct str *out, const char *text)
{
        for (; *text; text++) {
                unsigned char c = (unsigned char)*text;

                if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("-._~", c))
                        str_add_char(out, (char)c);
                else
                        str_printf(out, "%%%02X", c);
        }
}

char *url_without_query(const char *url)
{
        return strndup(url, strcspn(url, "?"));
}
