/* login.c - see login.h. */
#include "engine/login.h"

#include <errno.h>

#include "base/str.h"
#include "registry/credentials.h"
#include "registry/url.h"

err *login_server(const char *text, char **ret)
{
        static const char *const own[] = {"", DOCKER_IO, DOCKER_IO_INDEX, DOCKER_IO_SERVER};
        _cleanup_free_ char *host = NULL, *name = NULL;
        const char *rest = text ? text : "";
        uint16_t port;

        if (strstr(rest, "://"))
                rest = strstr(rest, "://") + 3;
        host = strndup(rest, strcspn(rest, "/"));
        if (!host)
                return err_nomem();
        for (size_t i = 0; i < ARRAY_SIZE(own); i++)
                if (strcmp(own[i], host) == 0) {
                        *ret = str_dup(DOCKER_IO);
                        return *ret ? NULL : err_nomem();
                }
        TRY(url_split_host(host, &name, &port));
        *ret = TAKE_PTR(host);
        return NULL;
}

const char *login_server_shown(const char *server)
{
        return credentials_server(server);
}

err *login_existing(const struct registry_options *o, const char *server, struct auth_credentials *ret)
{
        err *e = credentials_find(o, server, NULL, ret);

        if (e && err_errno(e) == ENOENT) /* --authfile is made by the first login */
                e = err_free(e);
        return e;
}

static err *verify(const struct registry_options *o, const char *server, const struct auth_credentials *c,
                   char **ret_token)
{
        _cleanup_(registry_freep) struct registry *r = NULL;
        _cleanup_reference_ struct reference name = {.domain = str_dup(server)};
        struct registry_options with = *o;

        if (!name.domain)
                return err_nomem();
        with.creds = ":"; /* they are in @c: nothing is to be looked up */
        TRY(registry_open(&with, &name, &r));
        return registry_login(r, c, ret_token);
}

err *login(const struct registry_options *o, const char *server, const char *user, const char *password,
           char **ret_file)
{
        _cleanup_credentials_ struct auth_credentials c = {.user = str_dup(user), .password = str_dup(password)};

        if (!c.user || !c.password)
                return err_nomem();
        TRY(verify(o, server, &c, &c.identity));
        return credentials_store(o, server, &c, ret_file);
}

err *login_again(const struct registry_options *o, const char *server, const struct auth_credentials *c)
{
        _cleanup_free_ char *token = NULL;

        return verify(o, server, c, &token);
}

err *login_forget(const struct registry_options *o, const char *server)
{
        return credentials_erase(o, server);
}
