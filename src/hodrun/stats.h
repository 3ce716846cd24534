/* stats.h - what a container uses, in the form that runc's callers parse: the "data" of an event of type "stats". */
#pragma once

#include "codec/json.h"
#include "sys/cgroup.h"
#include "sys/resctrl.h"

/* Read everything that the controllers of @path tell; what is not there is left out as runc does. @rdt: its
 * group of resctrl; NULL = none. */
MUST_USE err *stats_read(const struct cgroup_layout *l, const char *path, const struct resctrl_group *rdt, json **ret);
