/* http_error.c - why libcurl gave up, in the words that docker prints (Go's): scripts look for them. */
#include <ctype.h>
#include <stdio.h>

#include "base/str.h"
#include "registry/http_private.h"

struct place {
        char text[320]; /* "127.0.0.1:5000" */
        const char *host;
        unsigned port;
};

static void find_place(struct transfer *t, const struct url *u, struct place *ret)
{
        char *ip = NULL;
        long port = 0;

        (void)curl.easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &ip);
        (void)curl.easy_getinfo(t->easy, CURLINFO_PRIMARY_PORT, &port);
        if (!str_empty(ip) && port > 0)
                (void)snprintf(ret->text, sizeof(ret->text), strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld", ip, port);
        else
                (void)snprintf(ret->text, sizeof(ret->text), u->v6 ? "[%s]:%u" : "%s:%u", u->host, u->port);
        ret->host = u->host;
        ret->port = u->port;
}

/* Is who did not answer another than the one that the request is for? libcurl says so only in its text, "Failed to
 * connect to HOST port PORT after ...". */
static bool is_proxy(const struct transfer *t, const struct place *p, char *ret, size_t size)
{
        const char *host = str_after(t->error, "Failed to connect to "), *port = host ? strstr(host, " port ") : NULL;
        char own[320];

        if (!port)
                return false;
        (void)snprintf(ret, size, "%.*s:%.*s", (int)(port - host), host, (int)strspn(port + 6, "0123456789"), port + 6);
        (void)snprintf(own, sizeof(own), "%s:%u", p->host, p->port);
        return strcasecmp(ret, own) != 0;
}

static void refused(struct transfer *t, const struct place *p, struct str *out)
{
        char proxy[320];
        long number = 0;

        (void)curl.easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &number);
        if (is_proxy(t, p, proxy, sizeof(proxy)))
                str_printf(out, "proxyconnect tcp: dial tcp %s: connect: ", proxy);
        else
                str_printf(out, "dial tcp %s: connect: ", p->text);
        if (number) {
                const char *text = strerror((int)number);

                str_add_char(out, (char)tolower((unsigned char)*text));
                str_add(out, text + 1);
        } else {
                str_add(out, t->error);
        }
}

static void certificate(struct transfer *t, const struct place *p, struct str *out)
{
        str_add(out, "tls: failed to verify certificate: x509: ");
        if (strstr(t->error, "self") || strstr(t->error, "issuer") || strstr(t->error, "unknown ca"))
                str_printf(out, "certificate signed by unknown authority (%s)", t->error);
        else if (strstr(t->error, "expired") || strstr(t->error, "not yet valid"))
                str_add(out, "certificate has expired or is not yet valid");
        else if (strstr(t->error, "match"))
                str_printf(out, "certificate is not valid for %s", p->host);
        else
                str_add(out, t->error);
}

static void handshake(struct transfer *t, struct str *out)
{
        static const char *const plain[] = {"wrong version number", "packet length too long", "unknown protocol",
                                            "record layer failure", "http request"};

        for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
                if (strstr(t->error, plain[i])) {
                        str_add(out, "http: server gave HTTP response to HTTPS client");
                        return;
                }
        str_printf(out, "tls: %s", t->error[0] ? t->error : "the handshake failed");
}

static void describe(struct transfer *t, const struct place *p, struct str *out)
{
        switch (t->result) {
        case CURLE_COULDNT_RESOLVE_HOST:
                str_printf(out, "dial tcp: lookup %s: no such host", p->host);
                return;
        case CURLE_COULDNT_RESOLVE_PROXY:
                str_printf(out, "proxyconnect tcp: %s", t->error);
                return;
        case CURLE_COULDNT_CONNECT:
                refused(t, p, out);
                return;
        case CURLE_OPERATION_TIMEDOUT:
                str_printf(out, "dial tcp %s: i/o timeout", p->text);
                return;
        case CURLE_PEER_FAILED_VERIFICATION:
                certificate(t, p, out);
                return;
        case CURLE_SSL_CONNECT_ERROR:
                handshake(t, out);
                return;
        case CURLE_PARTIAL_FILE:
                str_printf(out, "unexpected EOF: %s", t->error);
                return;
        case CURLE_GOT_NOTHING:
                str_add(out, "EOF: the server closed the connection without an answer");
                return;
        case CURLE_SEND_FAIL_REWIND:
                str_add(out, "EOF: the server closed the connection");
                return;
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_WEIRD_SERVER_REPLY:
                str_printf(out, "malformed HTTP response (%s)", t->error);
                return;
        default:
                str_add(out, t->error[0] ? t->error : curl.easy_strerror(t->result));
        }
}

err *transfer_error(struct transfer *t)
{
        _cleanup_free_ char *shown = url_without_query(t->url);
        _cleanup_url_ struct url u = {0};
        _cleanup_str_ struct str text = {0};
        char method[16];
        struct place p;

        switch (t->result) {
        case CURLE_PARTIAL_FILE:
        case CURLE_GOT_NOTHING:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_SEND_FAIL_REWIND: /* a kept connection that had been closed meanwhile */
                t->http->may_retry = true;
                break;
        default:
                t->http->may_retry = false;
        }
        TRY(url_parse(t->url, &u));
        find_place(t, &u, &p);
        describe(t, &p, &text);
        TRY(str_done(&text));
        if (!shown)
                return err_nomem();
        (void)snprintf(method, sizeof(method), "%s", t->method);
        for (char *c = method + 1; method[0] && *c; c++)
                *c = (char)tolower((unsigned char)*c);
        return err_new(ERR_NETWORK, "%s \"%s\": %s", method, t->own_url ? t->url : shown, str_text(&text));
}
