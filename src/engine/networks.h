/* networks.h - the operations on networks. Connecting containers is endpoints.h's. */
#pragma once

#include "base/err.h"
#include "engine/container.h"
#include "engine/prune.h"
#include "net/network.h"

/* The engine's networks, opened when first asked for; borrowed. */
MUST_USE err *networks_of(struct engine *e, struct networks **ret);

/* Make one: @wanted is docker's NetworkCreate body. @ret_id: owned. Errors as network_create(). */
MUST_USE err *networks_create(struct engine *e, const json *wanted, char **ret_id);
/* docker's inspect document, with the endpoints of running containers. */
MUST_USE err *networks_inspect(struct engine *e, const char *ref, json **ret);
/* All of them: an array of documents without endpoints, sorted by name. */
MUST_USE err *networks_list(struct engine *e, json **ret);
/* Remove one that no running container uses, with its bridge and rules. ERR_DENIED (predefined), ERR_CONFLICT "error
 * while removing network: network n has active endpoints (...)". @ret_name: owned. */
MUST_USE err *networks_remove(struct engine *e, const char *ref, char **ret_name);
/* The same for one that has no document (networks_damaged.h). */
MUST_USE err *networks_take_away(struct engine *e, const struct network *n);
/* Remove all that no container uses; the default bridge goes down too when it is idle (it comes back with its next
 * container). */
MUST_USE err *networks_prune(struct engine *e, const struct prune_filter *f, struct prune_report *ret);
