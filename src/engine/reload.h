/* reload.h - what the kernel was told of our networks, told again. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"

/* After somebody has flushed the ruleset, or removed a bridge: rules of every network whose bridge is there or whose
 * containers run, guards, published ports and names of these containers; a bridge that is missing is made and they are
 * joined to it again; one of ours has its addresses. What is there already stays. Names of the networks, sorted, are
 * appended to *@ret_names (may be NULL). The first error is returned after all was tried. Waits for no container's
 * lock: where somebody has it, it is done without (but waits, at most 20 s, for who is moving published ports; not for
 * those of the container with the id @own, whose lock the caller has; NULL: it has none). */
MUST_USE err *reload_networks(struct engine *e, const char *own, char ***ret_names);
