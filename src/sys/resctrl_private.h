/* resctrl_private.h - between the files of resctrl. */
#pragma once

#include "sys/resctrl.h"

#define RESCTRL_NAME_LIMIT 600

/* "<group>/<file>" below the root, or the group itself. */
const char *resctrl_group_name(const struct resctrl_group *g, const char *file, char buf[RESCTRL_NAME_LIMIT]);
/* The same of its group for counting. */
const char *resctrl_count_name(const struct resctrl_group *g, const char *file, char buf[RESCTRL_NAME_LIMIT]);
