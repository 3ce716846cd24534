/* network_connect.c - `hod network connect|disconnect`. */
#include <limits.h>

#include "cli/commands.h"
#include "cli/network_args.h"
#include "cli/ui.h"
#include "engine/connect.h"

static err *network_connect_run(struct invocation *inv)
{
        _cleanup_json_ json *settings = json_new_object();
        _cleanup_engine_ struct engine *e = NULL;

        TRY(network_args_settings(inv->args, settings));
        TRY(ui_engine(inv, &e));
        return connect_add(e, inv->operands[0], inv->operands[1], settings);
}

static const struct opt network_connect_opts[] = {
        OPT_LIST(0, "alias", struct network_connect_args, aliases, "strings",
                 "Add network-scoped alias for the container"),
        OPT_LIST(0, "driver-opt", struct network_connect_args, driver_opts, "strings",
                 "driver options for the network: com.docker.network.endpoint.ifname=NAME, "
                 "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.KEY=VALUE"),
        OPT_INT(0, "gw-priority", struct network_connect_args, gw_priority,
                "Highest gw-priority provides the default gateway. Accepts positive and negative values",
                .min = INT_MIN, .max = INT_MAX),
        OPT_STR(0, "ip", struct network_connect_args, ip, "ip", "IPv4 address (e.g., \"172.30.100.104\")"),
        OPT_STR(0, "ip6", struct network_connect_args, ip6, "ip", "IPv6 address (e.g., \"2001:db8::33\")"),
        OPT_LIST(0, "link", struct network_connect_args, links, "list", "Add link to another container"),
        OPT_LIST(0, "link-local-ip", struct network_connect_args, link_local_ips, "strings",
                 "Add a link-local address for the container"),
        OPT_END,
};

const struct command cmd_network_connect = {
        .name = "connect",
        .operands = "NETWORK CONTAINER",
        .min_operands = 2,
        .max_operands = 2,
        .summary = "Connect a container to a network",
        .description =
                "A running container gets the interface at once; a stopped one with its next start. Which of several "
                "networks leads out is decided by --gw-priority, then by having both IPv4 and IPv6, then by name.",
        .opts = network_connect_opts,
        .args_size = sizeof(struct network_connect_args),
        .run = network_connect_run,
        .complete = OPT_COMPLETE_NETWORK,
        .complete_rest = OPT_COMPLETE_CONTAINER,
};

struct network_disconnect_args {
        bool force;
};

static err *network_disconnect_run(struct invocation *inv)
{
        const struct network_disconnect_args *a = inv->args;
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        return connect_remove(e, inv->operands[0], inv->operands[1], a->force);
}

static const struct opt network_disconnect_opts[] = {
        OPT_FLAG('f', "force", struct network_disconnect_args, force,
                 "Force the container to disconnect from a network"),
        OPT_END,
};

const struct command cmd_network_disconnect = {
        .name = "disconnect",
        .operands = "NETWORK CONTAINER",
        .min_operands = 2,
        .max_operands = 2,
        .summary = "Disconnect a container from a network",
        .opts = network_disconnect_opts,
        .args_size = sizeof(struct network_disconnect_args),
        .run = network_disconnect_run,
        .complete = OPT_COMPLETE_NETWORK,
        .complete_rest = OPT_COMPLETE_CONTAINER,
};
