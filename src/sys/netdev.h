/* netdev.h - moving network devices between network namespaces, by rtnetlink(7) itself. */
#pragma once

#include "base/err.h"

/* Move the device @name of our network namespace into that of the descriptor @ns, where it is called @new_name (NULL:
 * the same; "eth%d": the kernel finds a number). It keeps its attributes (address, MTU, ...) and its permanent global
 * IP addresses, and is up in the end. If it cannot be moved it is as before. Privilege: CAP_NET_ADMIN and CAP_SYS_ADMIN
 * over both. ERR_NOT_FOUND, ERR_SYS. */
MUST_USE err *netdev_move(const char *name, const char *new_name, int ns);
