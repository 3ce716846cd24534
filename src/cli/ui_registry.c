/* ui_registry.c - see ui_registry.h. */
#include "cli/ui_registry.h"

#include <unistd.h>

#include "cli/config.h"

void ui_registry(const struct invocation *inv, struct registry_options *ret)
{
        const struct global_args *g = inv->global.args;

        *ret = (struct registry_options){
                .tls_verify = -1,
                .environment = environ,
                .insecure = g->insecure_registries,
                .mirrors = g->registry_mirrors,
                .token_realms = g->token_realms,
                .timeout = (unsigned)(g->registry_timeout / 1000000000),
        };
}
