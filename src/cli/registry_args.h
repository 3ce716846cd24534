/* registry_args.h - the flags of commands that fetch from registries or send to them. */
#pragma once

#include "base/opt.h"
#include "cli/ui_registry.h"

struct registry_args {
        bool tls_verify;
        const char *creds, *auth_file, *cert_dir;
};

/* For a command whose args struct @T has a struct registry_args @m. */
#define REGISTRY_OPTS(T, m)                                                                                            \
        OPT_STR(0, "authfile", T, m.auth_file, "path",                                                                 \
                "File with credentials, instead of docker's config.json and podman's auth.json",                       \
                .env = "REGISTRY_AUTH_FILE", .complete = OPT_COMPLETE_FILE),                                           \
                OPT_STR(0, "cert-dir", T, m.cert_dir, "path",                                                          \
                        "Directory with *.crt, *.cert and *.key for the registry", .complete = OPT_COMPLETE_DIR),      \
                OPT_STR(0, "creds", T, m.creds, "user[:password]",                                                     \
                        "Credentials, instead of those that login has stored"),                                        \
                OPT_FLAG(0, "tls-verify", T, m.tls_verify,                                                             \
                         "Require HTTPS and verify the registry's certificate (default: as configured)")

/* @a lies in the args of @inv. */
static inline void registry_args_fill(const struct invocation *inv, const struct registry_args *a,
                                      struct registry_options *ret)
{
        ui_registry(inv, ret);
        if (opt_given(inv, &a->tls_verify))
                ret->tls_verify = a->tls_verify;
        ret->creds = a->creds;
        ret->auth_file = a->auth_file;
        ret->cert_dir = a->cert_dir;
}
