/* inspect.h - what is shown of a container: docker's inspect document and the fields of ps. */
#pragma once

#include "base/err.h"
#include "engine/container.h"

/* The whole document; with @size also SizeRw and SizeRootFs. */
MUST_USE err *inspect_container(const struct container *c, bool size, json **ret);

/* docker's Ports document of a container that runs on networks: what is published, and null for what is only exposed.
 * Owned; empty for others. */
MUST_USE err *inspect_ports(const struct container *c, json **ret);

/* The fields that `ps --format` knows: ID Names Image Command CreatedAt RunningFor Ports State Status Size Labels
 * Mounts LocalVolumes Networks Platform. @trunc: short ids and commands as docker's table. */
MUST_USE err *inspect_ps_row(const struct container *c, bool trunc, bool size, json **ret);
