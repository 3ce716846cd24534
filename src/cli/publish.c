/* publish.c - `hod container publish|unpublish`: edit the published ports of a container. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/ui.h"
#include "engine/publish.h"

static err *publish_run(struct invocation *inv)
{
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_json_ json *ports = NULL;

        TRY(ui_engine(inv, &e));
        TRY(publish_add(e, inv->operands[0], inv->operands + 1, &ports));
        JSON_EACH (ports, it)
                for (size_t i = 0; i < json_len(it.value); i++) {
                        const char *ip = json_get_str_or(json_at(it.value, i), "HostIp", "");
                        bool six = strchr(ip, ':') != NULL;

                        (void)printf("%s -> %s%s%s:%s\n", it.key, six ? "[" : "", ip, six ? "]" : "",
                                     json_get_str_or(json_at(it.value, i), "HostPort", ""));
                }
        return NULL;
}

const struct command cmd_container_publish = {
        .name = "publish",
        .operands = "CONTAINER PORT [PORT...]",
        .min_operands = 2,
        .max_operands = OPERANDS_ANY,
        .summary = "Publish ports of a container that exists",
        .description =
                "PORT is what -p of `hod run` takes: [[ip|device:][host-port[-range]]:]port[-range][/protocol]. If "
                "the container runs, the ports are published at once, and printed as `hod port` prints them; "
                "they are published again whenever it starts.",
        .run = publish_run,
        .complete = OPT_COMPLETE_CONTAINER,
};

static err *unpublish_run(struct invocation *inv)
{
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        return publish_remove(e, inv->operands[0], inv->operands + 1);
}

const struct command cmd_container_unpublish = {
        .name = "unpublish",
        .operands = "CONTAINER PORT [PORT...]",
        .min_operands = 2,
        .max_operands = OPERANDS_ANY,
        .summary = "Take back published ports of a container",
        .description =
                "PORT is a port of the host, with protocol tcp unless it is said: 8080, 53/udp, 8000-8010; or one "
                "publication as -p of `hod run` takes it: 127.0.0.1:8080:80, or 127.0.0.1::80 where the host's port "
                "was not said. Of a container that does not run such ports have no number yet: PORT is the "
                "container's then. Connections over TCP that are open go on.",
        .run = unpublish_run,
        .complete = OPT_COMPLETE_CONTAINER,
};
