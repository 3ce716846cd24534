/* guards.h - which ports of bridges are guarded (net/guard.h) for a container: HodGuard in an entry of its
 * network.json, beside the interface itself. */
#pragma once

#include "base/err.h"
#include "engine/container.h"
#include "net/network.h"

/* Write into @entry that the place of @c on @n is to be guarded, unless the network has it switched off (-o
 * hod.guard=false). Nothing is done yet. */
MUST_USE err *guards_note(json *entry, const struct container *c, const struct network *n);
/* Guard what @entry says, or let go of it. What is so already is fine. */
MUST_USE err *guards_add(const json *entry);
MUST_USE err *guards_remove(const json *entry);
