/* traffic.h - `--net-rate` and `--egress`: limits of a container's traffic, on the host's side of its interfaces.
 *
 * What was asked for is HostConfig.NetRate ("10mbit:64k") and HostConfig.Egress (rules, in order) of the record; what
 * is in place while it runs is in the file of monitor/traffic.h. Lock order: the container's lock is held by the
 * caller. */
#pragma once

#include "base/err.h"
#include "engine/container.h"
#include "sys/endpoint.h"

/* Are NetRate and Egress of @host right, and can its network mode have them? ERR_INVALID. */
MUST_USE err *traffic_check(const json *host);

/* Before a start: rules for the interfaces @endpoints (lines of sys/endpoint.h; they need not exist yet, their bridges
 * must); the monitor limits their rate. On failure nothing of it is left. ERR_UNSUPPORTED: an interface without a
 * host's end (macvlan, ipvlan), names without a name service. */
MUST_USE err *traffic_attach(struct container *c, int state_fd, char *const *endpoints);
/* Take back what is in place. Nothing is fine. */
MUST_USE err *traffic_detach(struct container *c);

/* Take rules and limits out that were put in for the interfaces @endpoints, whatever is written down of them. */
MUST_USE err *traffic_forget(const struct container *c, char *const *endpoints);

/* A running container is about to get the interface @e, has got it, or has lost it. */
MUST_USE err *traffic_connect(struct container *c, int state_fd, const struct endpoint *e);
MUST_USE err *traffic_connected(int state_fd, const struct endpoint *e);
MUST_USE err *traffic_disconnect(struct container *c, int state_fd, const struct endpoint *e);

/* The record of a running container has changed, or somebody has flushed the rules: put in place what it says now. */
MUST_USE err *traffic_apply(struct container *c, int state_fd);
/* Somebody has flushed the rules, and somebody else has the container's lock, who may change what it may do: put in
 * place what was there last. */
MUST_USE err *traffic_restore(const struct container *c, int state_fd);
