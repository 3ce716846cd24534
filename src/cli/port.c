/* port.c - `hod port`. */
#include <stdio.h>

#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/ui.h"
#include "engine/inspect.h"
#include "engine/ports.h"

/* "80" means "80/tcp". */
static err *complete_key(const char *text, char **ret)
{
        size_t n = strcspn(text, "/");
        _cleanup_free_ char *number = strndup(text, n);
        uint64_t value;

        if (!number)
                return err_nomem();
        if (!parse_u64(number, &value))
                return err_new(ERR_INVALID, "invalid port (%s): strconv.ParseUint: parsing \"%s\": invalid syntax",
                               number, number);
        if (value > UINT16_MAX)
                return err_new(ERR_INVALID, "invalid port (%s): strconv.ParseUint: parsing \"%s\": value out of range",
                               number, number);
        *ret = str_format("%s/%s", number, text[n] && text[n + 1] ? text + n + 1 : "tcp");
        return *ret ? NULL : err_nomem();
}

static err *port_run(struct invocation *inv)
{
        const char *name = inv->operands[0], *port = inv->operands[1];
        _cleanup_container_ struct container *c = NULL;
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_strv_ char **lines = NULL;
        _cleanup_json_ json *ports = NULL;
        _cleanup_free_ char *key = NULL;

        if (port)
                TRY(complete_key(port, &key));
        TRY(ui_engine(inv, &e));
        TRY(container_find(e, name, &c));
        TRY(inspect_ports(c, &ports));
        TRY(ports_list(ports, key, &lines));
        if (key && !strv_len(lines))
                return err_new(ERR_NOT_FOUND, "No public port '%s' published for %s", port, name);
        for (char **l = lines; l && *l; l++)
                (void)printf("%s\n", *l);
        return NULL;
}

const struct command cmd_port = {
        .name = "port",
        .operands = "CONTAINER [PRIVATE_PORT[/PROTO]]",
        .min_operands = 1,
        .max_operands = 2,
        .summary = "List port mappings or a specific mapping for the container",
        .run = port_run,
        .complete = OPT_COMPLETE_RUNNING,
};
