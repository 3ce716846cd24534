/* auth_challenge.c - reading WWW-Authenticate (RFC 9110, 11.6.1), and judging where it sends us. */
#include <arpa/inet.h>

#include "base/str.h"
#include "registry/auth.h"
#include "registry/url.h"

#define CHALLENGE_MAX 8192
#define BLANKS " \t"

void auth_challenge_done(struct auth_challenge *c)
{
        free(c->realm);
        free(c->service);
        free(c->scope);
        free(c->error);
        *c = (struct auth_challenge){0};
}

static size_t token_length(const char *text)
{
        return strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* A token or a quoted string at *@text; moves on. */
static err *read_value(const char **text, char **ret)
{
        _cleanup_str_ struct str value = {0};
        const char *p = *text;

        if (*p == '"') {
                for (p++; *p && *p != '"'; p++) {
                        if (*p == '\\' && p[1])
                                p++;
                        if ((unsigned char)*p < ' ' || *p == 0x7f)
                                return err_new(ERR_INVALID, "a control character in WWW-Authenticate");
                        str_add_char(&value, *p);
                }
                if (*p != '"')
                        return err_new(ERR_INVALID, "a quote in WWW-Authenticate is not closed");
                p++;
        } else {
                /* Some servers do not quote addresses. */
                size_t n = strcspn(p, BLANKS ",\"");

                str_add_n(&value, p, n);
                p += n;
        }
        *text = p;
        return str_take(&value, ret);
}

static bool is_parameter(const char *text)
{
        size_t n = token_length(text);

        n += strspn(text + n, BLANKS);
        return token_length(text) && text[n] == '=' && text[n + 1] != '=' && text[n + 1];
}

static err *read_parameter(const char **text, struct auth_challenge *c)
{
        static const struct {
                const char *name;
                size_t offset;
        } known[] = {
                {"realm", offsetof(struct auth_challenge, realm)},
                {"service", offsetof(struct auth_challenge, service)},
                {"scope", offsetof(struct auth_challenge, scope)},
                {"error", offsetof(struct auth_challenge, error)},
        };
        _cleanup_free_ char *name = NULL, *value = NULL;
        size_t n = token_length(*text);

        name = strndup(*text, n);
        if (!name)
                return err_nomem();
        *text += n;
        *text += strspn(*text, BLANKS) + 1;
        *text += strspn(*text, BLANKS);
        TRY(read_value(text, &value));
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
                char **slot = (char **)((char *)c + known[i].offset);

                if (strcasecmp(known[i].name, name) == 0 && !*slot)
                        *slot = TAKE_PTR(value);
        }
        return NULL;
}

/* One challenge: a scheme and its parameters, up to the next scheme. */
static err *read_challenge(const char **text, struct auth_challenge *ret)
{
        const char *p = *text;
        size_t n = token_length(p);

        if (!n)
                return err_new(ERR_INVALID, "WWW-Authenticate cannot be read");
        ret->scheme = n == 6 && strncasecmp(p, "bearer", n) == 0  ? AUTH_BEARER
                      : n == 5 && strncasecmp(p, "basic", n) == 0 ? AUTH_BASIC
                                                                  : AUTH_NONE;
        p += n;
        p += strspn(p, BLANKS);
        while (*p) {
                if (is_parameter(p)) {
                        TRY(read_parameter(&p, ret));
                } else if (*p != ',') {
                        /* "Negotiate abc==": of no use to us */
                        if (ret->scheme != AUTH_NONE)
                                return err_new(ERR_INVALID, "WWW-Authenticate cannot be read");
                        p += strcspn(p, ",");
                }
                p += strspn(p, BLANKS);
                if (*p && *p != ',')
                        return err_new(ERR_INVALID, "WWW-Authenticate cannot be read");
                p += strspn(p, BLANKS ",");
                if (*p && !is_parameter(p))
                        break;
        }
        *text = p;
        return NULL;
}

err *auth_parse(const char *value, struct auth_challenge *ret)
{
        if (strlen(value) > CHALLENGE_MAX)
                return err_new(ERR_INVALID, "WWW-Authenticate is too long");
        value += strspn(value, BLANKS ",");
        while (*value) {
                _cleanup_challenge_ struct auth_challenge c = {0};

                TRY(read_challenge(&value, &c));
                if (c.scheme == AUTH_BEARER && str_empty(c.realm))
                        return err_new(ERR_INVALID, "WWW-Authenticate: Bearer without a realm");
                if (c.scheme > ret->scheme) {
                        auth_challenge_done(ret);
                        *ret = c;
                        c = (struct auth_challenge){0};
                }
        }
        return NULL;
}

/* ---- where a password may go ---- */

static bool is_address(const char *host)
{
        unsigned char buf[16];

        return inet_pton(AF_INET, host, buf) == 1 || inet_pton(AF_INET6, host, buf) == 1;
}

/* The end of @host that one owner has registered, as far as that can be told without a list: the last two names, or
 * three where the second last is short ("example.co.uk"). */
static const char *registered(const char *host)
{
        const char *dot[3] = {NULL, NULL, NULL}; /* the last, the one before, ... */

        for (const char *p = host; *p; p++)
                if (*p == '.') {
                        dot[2] = dot[1];
                        dot[1] = dot[0];
                        dot[0] = p;
                }
        if (!dot[0])
                return NULL;
        if (!dot[1])
                return host;
        if (dot[0] - dot[1] <= 4)
                return dot[2] ? dot[2] + 1 : host;
        return dot[1] + 1;
}

static bool same_owner(const char *a, const char *b)
{
        const char *x, *y;

        if (strcasecmp(a, b) == 0 || (url_is_loopback(a) && url_is_loopback(b)))
                return true;
        if (is_address(a) || is_address(b))
                return false;
        x = registered(a);
        y = registered(b);
        return x && y && strcasecmp(x, y) == 0;
}

static bool listed(const char *host, char *const *allowed)
{
        for (; allowed && *allowed; allowed++)
                if (strcasecmp(*allowed, host) == 0)
                        return true;
        return false;
}

err *auth_check_realm(const char *origin, const char *realm, char *const *allowed)
{
        _cleanup_url_ struct url from = {0}, to = {0};

        TRY(url_parse(origin, &from));
        TRY_WRAP(url_parse(realm, &to), "the token server that %s names", origin);
        if (from.tls && !to.tls)
                return err_new(ERR_DENIED, "%s wants its password sent without encryption to %s: refused", origin,
                               to.host);
        if (!to.tls && strcasecmp(from.host, to.host) != 0 && !(url_is_loopback(from.host) && url_is_loopback(to.host)))
                return err_new(ERR_DENIED, "%s wants its password sent without encryption to %s: refused", origin,
                               to.host);
        if (same_owner(from.host, to.host) || listed(to.host, allowed))
                return NULL;
        return err_new(ERR_DENIED,
                       "%s wants its password sent to another host, %s: refused (if that is right, add the host to "
                       "token-realms in hod's configuration)",
                       origin, to.host);
}
