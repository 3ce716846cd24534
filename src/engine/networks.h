/* networks.h - the operations on networks: create, remove, list, inspect, prune, connect, disconnect. */
#pragma once

#include "base/err.h"
#include "engine/container.h"
#include "net/network.h"

/* The engine's networks, opened when first asked for; borrowed. */
MUST_USE err *networks_of(struct engine *e, struct networks **ret);
