/* publish.h - edit the published ports of a container that exists, running or not. The record keeps the change: the
 * next start publishes what the record says. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"

/* Publish @specs ("8080:80", as -p takes them) of the container @ref, all or none; at once if it runs. *@ret_ports (may
 * be NULL): docker's Ports document of what has been published (empty when it does not run). ERR_INVALID,
 * ERR_NOT_FOUND, ERR_CONFLICT as ports_publish(). */
MUST_USE err *publish_add(struct engine *e, const char *ref, char *const *specs, json **ret_ports);
/* Take back @specs: "[ip:]host-port[:container-port][/protocol]", ranges too; "[ip:]:container-port" for one whose
 * port of the host was left to us. Of a container that does not run, whose such ports have no number yet, they are
 * meant by the container's port alone, too. Connections over TCP that are there go on. ERR_NOT_FOUND "No public port
 * '8080/tcp' published for x": those before it have been taken back. */
MUST_USE err *publish_remove(struct engine *e, const char *ref, char *const *specs);
