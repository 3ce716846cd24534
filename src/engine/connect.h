/* connect.h - a container comes to a network, or leaves it, at any time. Of a running one the interface is made or
 * taken away at once; either way its record says what the next start does. */
#pragma once

#include "base/err.h"
#include "engine/container.h"

/* Connect @container to @network. @settings: docker's EndpointSettings as asked for (IPAMConfig, Links, Aliases,
 * DriverOpts, GwPriority, MacAddress); on failure all is as before. If it leads out, published ports lead there, and
 * are published for each family that it has. ERR_NOT_FOUND (network, container), ERR_CONFLICT (is connected already,
 * addresses, ports), ERR_INVALID. */
MUST_USE err *connect_add(struct engine *e, const char *network, const char *container, const json *settings);
/* Disconnect it. @force: also what a container that has gone left in the network. Published ports that led by this
 * network lead by the next one that can be reached from outside; without one they are closed, as are those for a family
 * that it has not. What is relayed to where it was is cut. */
MUST_USE err *connect_remove(struct engine *e, const char *network, const char *container, bool force);
/* The container @c, which is still called so in @c, gets the name @name: others find it by that from now on. For one
 * that does not run: nothing. The container's lock is held. */
MUST_USE err *connect_rename(struct container *c, const char *name);
/* Tell the monitor of a running container to look at network.json again, and to make sure that its own rules (names)
 * and sockets (ports) are there. */
MUST_USE err *connect_wake(struct container *c);
/* Of a running container whose lock (@state_fd) is held: a connect that somebody was killed at is undone, or done if
 * the record has it, and a disconnect is done. Reads one file when there is none. */
MUST_USE err *connect_repair(struct container *c, int state_fd);
