/* builder.h - what only the code inside builders needs. */
#pragma once

#include "monitor/monitor.h"

/* Tell the monitor where the container's processes will be, before there are any. */
void builder_say_cgroup(int socket, const char *path);
