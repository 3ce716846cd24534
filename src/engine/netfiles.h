/* netfiles.h - /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: written before each start into the
 * container's own directory, bound into the root. */
#pragma once

#include "base/err.h"
#include "codec/json.h"

/* Write the three files of @record into @dirfd (ROOT/containers/<id>). The network mode decides: "host" copies the
 * host's, "none" has the loopback names. Files of a container that joins another's network belong to the other.
 * @endpoints: its interfaces, as sys/endpoint.h writes them; may be NULL. */
MUST_USE err *netfiles_write(int dirfd, const json *record, char *const *endpoints);
