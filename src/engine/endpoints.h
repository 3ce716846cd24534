/* endpoints.h - a container's place in its networks, from its start to its end.
 *
 * What was asked for is in the record: HostConfig.NetworkMode, and for each network a docker EndpointSettings in
 * NetworkSettings.Networks. What it has while it runs is in STATE/containers/<id>/network.json, written before anything
 * is taken and removed with the directory, so that whoever cleans up knows what to give back.
 * Lock order: the container's lock is held by the caller. */
#pragma once

#include "base/err.h"
#include "engine/container.h"
#include "engine/ports.h"
#include "monitor/conf.h"
#include "sys/link.h"

/* Members of a network in network.json: where the host is reached by one that leads nowhere else (its bridge's
 * address). */
#define ENDPOINTS_HOST "HodHost"
#define ENDPOINTS_HOST6 "HodHost6"

/* Does the mode mean a network of ours (not host, none, container:, ns:)? */
bool endpoints_mode_is_network(const char *mode);
/* Does it mean a network namespace of its own (not host, container:, ns:)? Then networks can come and go. */
bool endpoints_mode_is_own(const char *mode);

/* Could what is asked for in @networks (a new record's NetworkSettings.Networks) be had? Networks that are not there
 * yet are not looked at. ERR_INVALID "invalid config for network n: ...". */
MUST_USE err *endpoints_verify(struct engine *e, const json *networks);

/* Before a start: take addresses, make bridges, publish ports; lines for the monitor into @conf. @state_fd: the
 * container's run directory. On failure everything is given back.
 * ERR_NOT_FOUND (network), ERR_CONFLICT (addresses, ports), ERR_INVALID. */
MUST_USE err *endpoints_attach(struct container *c, int state_fd, struct monitor_conf *conf);
/* Give back what network.json names. Nothing is fine; the first error is returned after all was tried. */
MUST_USE err *endpoints_detach(struct container *c);

/* network.json: Networks, docker's EndpointSettings by name, and Ports. *@ret (owned) is NULL when there is none.
 * ERR_CORRUPT. */
MUST_USE err *endpoints_read(const struct container *c, json **ret);

/* Does the container that a lease names still have a right to it? (It runs, or is being made or cleaned up.) */
bool endpoints_holder_lives(struct engine *e, const char *id);
/* May what it names be given to others? Then nothing of the host leads there any more: its published ports, if nobody
 * has cleaned up, are taken back. */
bool endpoints_reclaim(struct engine *e, const char *id);

/* It has ended: which networks it was in and what it was called there goes into the record, as docker keeps it. Not
 * saved. What cannot be read is left out. */
void endpoints_remember(struct container *c);

/* Complete docker's NetworkSettings document @settings with what a running container has. */
MUST_USE err *endpoints_inspect(const struct container *c, json *settings);

/* Where published ports of the running container @c lead, and docker's Ports document of those that it has (@ret_ports:
 * owned). @more: it is about to get more, so make its bridge ready for them. ERR_INVALID: none of its networks can have
 * published ports. */
MUST_USE err *endpoints_ports(const struct container *c, bool more, struct ports_target *ret, json **ret_ports);
/* The Ports document alone, which is kept for its next network while there is none that leads out (@ret: owned). */
MUST_USE err *endpoints_ports_kept(const struct container *c, json **ret);
/* It has these now; consumes @ports. */
MUST_USE err *endpoints_set_ports(const struct container *c, json *ports);
