/* network_args.h - what is said about a container's place in a network, by the flags of run and create or of `network
 * connect`, becomes docker's EndpointSettings. */
#pragma once

#include "base/err.h"
#include "cli/create_args.h"
#include "codec/json.h"

/* NetworkMode of HostConfig and EndpointsConfig of the body. ERR_INVALID. */
MUST_USE err *network_args_body(json *body, json *host, const struct create_args *a);

struct network_connect_args {
        const char *ip, *ip6;
        char **aliases, **driver_opts, **links, **link_local_ips;
        int64_t gw_priority;
};
/* The EndpointSettings that the flags of `network connect` mean. ERR_INVALID. */
MUST_USE err *network_args_settings(const struct network_connect_args *a, json *settings);
