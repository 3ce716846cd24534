/* stranger.h - containers of other engines on this machine: they share the host's ports and the firewall's table with
 * ours, and we have no record of them. */
#pragma once

#include <stdbool.h>

/* Does any process belong to the container @id (by its cgroup's name), or supervise it? A start that has taken its
 * first ports a moment ago is waited for. Reads all of /proc; what is hidden from us there does not live. */
bool stranger_lives(const char *id);
