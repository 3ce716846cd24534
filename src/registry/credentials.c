/* credentials.c - see credentials.h. */
#include "registry/credentials.h"

#include "base/str.h"

err *credentials_find(const struct registry_options *o, const char *host, const char *path,
                      struct auth_credentials *ret)
{
        const char *colon;

        (void)host;
        (void)path;
        if (!o->creds)
                return NULL;
        colon = strchr(o->creds, ':');
        ret->user = colon ? strndup(o->creds, (size_t)(colon - o->creds)) : str_dup(o->creds);
        ret->password = str_dup(colon ? colon + 1 : "");
        return ret->user && ret->password ? NULL : err_nomem();
}
