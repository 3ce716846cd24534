/* networks_damaged.h - networks whose document on disk cannot be read: they are left out wherever networks are listed,
 * and taken away here, with what the kernel still has of them. */
#pragma once

#include "engine/networks.h"
#include "store/check.h"

/* Remove the damaged network that @ref means (its id, or the beginning of it). ERR_NOT_FOUND: none. ERR_CONFLICT: a
 * running container uses it. @ret_name: owned. */
MUST_USE err *networks_remove_damaged(struct engine *e, const char *ref, char **ret_name);

/* Look at the networks' and leases' files as store_check() looks at the store, and count in @r. With @o->repair,
 * damaged documents and lines are removed, and devices that limited a link which has gone. */
MUST_USE err *networks_check(struct engine *e, const struct check_options *o, struct check_result *r);
