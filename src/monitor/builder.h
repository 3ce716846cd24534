/* builder.h - what only the code inside builders needs. */
#pragma once

#include "monitor/monitor.h"

/* Tell the monitor where the container's processes will be, before there are any. */
void builder_say_cgroup(int socket, const char *path);
/* The answer, and the end of the builder. @fds: -1 = none. */
_noreturn_ void builder_report(int socket, pid_t pid, const int fds[BUILDER_FDS]);
/* @e is consumed. */
_noreturn_ void builder_fail(int socket, err *e);

struct oci_spec;
struct oci_process;
/* In a builder: the container's specification, read and checked, and its bundle directory. Never freed. */
MUST_USE err *builder_spec(const struct monitor *m, struct oci_spec **ret, int *ret_bundle);
/* Resolve @text and --group-add below @rootfs, and put ids and HOME (unless set) into @process. */
MUST_USE err *builder_user(const struct monitor *m, const char *text, int rootfs, struct oci_process *process);
