/* parent.h - the device of the host that a macvlan or ipvlan network stands on: one that is there, a VLAN of one
 * ("eth0.10"), which is made when it is missing, or, without `-o parent`, a dummy of its own. */
#pragma once

#include "base/err.h"
#include "net/network.h"

/* Make sure that it is there. ERR_NOT_FOUND, ERR_INVALID: it is missing and cannot be made; ERR_UNSUPPORTED: the kernel
 * has no such devices. Privilege: CAP_NET_ADMIN. */
MUST_USE err *parent_up(const struct network *n);
/* Take away what parent_up() made, unless one of @others stands on it: then it becomes that one's. */
MUST_USE err *parent_down(const struct network *n, const struct network_list *others);
