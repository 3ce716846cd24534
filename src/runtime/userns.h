/* userns.h - user namespaces as the specification describes them: maps of ids. */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "oci/spec.h"

/* A user namespace with these maps that nobody is in: for idmapped mounts. The descriptor is the caller's. */
MUST_USE err *userns_open(const struct oci_idmaps *uids, const struct oci_idmaps *gids, int *ret_fd);
/* Are the maps of the user namespace @fd these, in any order? ERR_INVALID if not. Needs CAP_SYS_ADMIN in it. */
MUST_USE err *userns_check(int fd, const struct oci_idmaps *uids, const struct oci_idmaps *gids);
/* Write the maps of the process @pid, which is alone in a new user namespace. Without the privilege to write them, the
 * caller's own id alone is mapped directly, with setgroups(2) denied; more goes through newuidmap(1) and newgidmap(1).
 * ERR_UNSUPPORTED if they are missing, ERR_DENIED if they refuse. */
MUST_USE err *userns_write_maps(pid_t pid, const struct oci_idmaps *uids, const struct oci_idmaps *gids);
