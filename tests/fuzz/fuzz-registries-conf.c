/* registries.conf and hosts.toml ('h' first): what is accepted can be asked. */
#include <stdlib.h>
#include <string.h>

#include "registry/endpoint.h"
#include "registry/hosts_toml.h"
#include "registry/registries_conf.h"

static void hosts(const char *text, size_t size)
{
        _cleanup_endpoints_ struct endpoints list = {0};
        bool server;
        err *e = hosts_toml_parse("f", text, size, "/d", &list, &server);

        for (size_t i = 0; !e && i < list.n; i++)
                if (!list.list[i].host || !*list.list[i].host || !list.list[i].prefix)
                        abort();
        err_free(e);
}

static void conf(const char *text, size_t size)
{
        static const char *const names[] = {"docker.io/library/busybox", "a.test/ns/x:1", "x.wild.test/y", "a"};
        _cleanup_registries_ struct registries_conf c = {0};
        err *e = registries_conf_parse("f", text, size, &c);

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                size_t n = 0;

                if (registries_conf_find(&c, names[i], &n) && n > strlen(names[i]))
                        abort();
                (void)registries_conf_alias(&c, names[i]);
        }
        err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size && *data == 'h')
                hosts((const char *)data + 1, size - 1);
        else if (size)
                conf((const char *)data + 1, size - 1);
        return 0;
}
