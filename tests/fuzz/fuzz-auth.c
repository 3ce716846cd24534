/* What a registry says in headers: WWW-Authenticate, Link, Retry-After, and the places that these name. The first byte
 * chooses. */
#include <stdlib.h>
#include <string.h>

#include "registry/auth.h"
#include "registry/client_private.h"
#include "registry/url.h"

static void challenge(const char *text)
{
        _cleanup_challenge_ struct auth_challenge c = {0};
        err *e = auth_parse(text, &c);

        if (!e && c.scheme == AUTH_BEARER && (!c.realm || !*c.realm))
                abort();
        err_free(e);
        if (c.realm && c.scheme == AUTH_BEARER) {
                struct url u = {0};

                e = auth_check_realm("https://reg.example.test:5000", c.realm, NULL);
                if (!e) { /* it may have our password: then it is what it must be */
                        if (url_parse(c.realm, &u) || !u.tls || !strstr(u.host, "example.test"))
                                abort();
                        url_done(&u);
                }
                err_free(e);
        }
}

static void link_header(const char *text)
{
        char *next = NULL, *joined = NULL;
        err *e;

        err_free(client_link_next(text, &next));
        e = next ? url_join("https://reg.example.test/v2/x/tags/list", next, &joined) : NULL;
        err_free(e);
        if (next && !e) {
                struct url u = {0};

                if (url_parse(joined, &u))
                        abort();
                url_done(&u);
        }
        free(next);
        free(joined);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = NULL;

        if (!size)
                return 0;
        text = strndup((const char *)data + 1, size - 1);
        if (!text)
                return 0;
        switch (*data) {
        case 'l':
                link_header(text);
                break;
        case 'r':
                if (client_retry_after(text, 784111777000000000LL) > 3600)
                        abort();
                break;
        default:
                challenge(text);
        }
        return 0;
}
