/* links.h - --link. On the default bridge, which has no names, it is docker's old way: lines in /etc/hosts and
 * variables that tell of the other's address and ports, and the lines follow the other when it starts again. On other
 * networks a link is a name of its own that one container has for another: EndpointSettings.Links ("other:alias"),
 * answered by the container's name server.
 *
 * The record keeps HodLinks, [{"Id", "Alias"}]; ROOT/containers/<id>/linked of the other says that somebody links to
 * it. */
#pragma once

#include "base/err.h"
#include "engine/container.h"

/* Resolve HostConfig.Links ("container[:alias]") of a @record that is being made.
 * ERR_NOT_FOUND "could not get container for x: No such container: x", ERR_INVALID. */
MUST_USE err *links_create(struct engine *e, json *record);

/* Before a start: variables for the environment, lines for hosts; appended. ERR_CONFLICT: another does not run. */
MUST_USE err *links_of(struct container *c, char ***env, char ***hosts);
/* @c starts with the address that it has in @networks (EndpointSettings by name): correct the hosts of those that link
 * to it; all of them are tried. */
MUST_USE err *links_tell(struct container *c, const json *networks);

/* Remove the link "/name/alias" of the container "name". ERR_NOT_FOUND, ERR_CONFLICT (a container's own name). */
MUST_USE err *links_remove(struct engine *e, const char *path);

/* HostConfig.Links of the inspect document @doc as docker shows it: "/other:/name/alias". */
MUST_USE err *links_inspect(const struct container *c, json *doc);
