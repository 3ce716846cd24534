/* netfiles.h - /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: written before each start into the
 * container's own directory, bound into the root. */
#pragma once

#include "base/err.h"
#include "codec/json.h"

struct netfiles {
        const json *record;
        const json *networks; /* docker's EndpointSettings by name, as they are now (network.json); NULL: none */
        char *const *links;   /* lines of hosts for --link; may be NULL */
};

/* Write the three files into @dirfd (ROOT/containers/<id>). The network mode decides: "host" copies the host's, "none"
 * has the loopback names. Files of a container that joins another's network belong to the other. A resolv.conf that was
 * edited inside stays. ERR_INVALID: "host-gateway" without a gateway. */
MUST_USE err *netfiles_write(int dirfd, const struct netfiles *n);

/* A container that runs was connected or disconnected: the lines of its own addresses that are in @before only go out
 * of hosts, those in @n->networks only come in, everything else stays; resolv.conf as netfiles_write(). */
MUST_USE err *netfiles_update(int dirfd, const struct netfiles *n, const json *before);

/* A container that is linked to has another address: replace the line of @alias in hosts; NULL: it goes away. */
MUST_USE err *netfiles_update_link(int dirfd, const char *alias, const char *line);
