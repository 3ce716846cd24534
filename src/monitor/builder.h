/* builder.h - what only the code inside builders needs. */
#pragma once

#include "monitor/monitor.h"

/* Tell the monitor where the container's processes will be, before there are any. */
void builder_say_cgroup(int socket, const char *path);
/* The answer, and the end of the builder. @fds: pidfd, terminal, rootfs; -1 = none. */
_noreturn_ void builder_report(int socket, pid_t pid, const int fds[3]);
/* @e is consumed. */
_noreturn_ void builder_fail(int socket, err *e);
