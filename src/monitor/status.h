/* status.h - the files under the run directory by which a container's life is known.
 *
 *   STATE/containers/<id>/conf          what the monitor must know (conf.h)
 *   STATE/containers/<id>/status        what is true now; written by the monitor only, replaced atomically
 *   STATE/containers/<id>/lock          held (flock) by the living monitor
 *   STATE/containers/<id>/monitor.sock  its socket (protocol.h)
 *   STATE/containers/<id>/{in,out,err}  FIFOs of a container without a terminal
 *
 * conf and status are lines "key=value" (lines.h); unknown keys are ignored, so that versions can differ by two. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define STATUS_VERSION 1

enum status_state {
        STATUS_CREATED, /* monitor there, nothing started */
        STATUS_RUNNING,
        STATUS_PAUSED,
        STATUS_RESTARTING, /* waiting for the restart delay */
        STATUS_EXITED,
        STATUS_STATE_MAX_
};
const char *status_state_name(enum status_state s); /* "running", docker's words */

struct status {
        unsigned version;
        enum status_state state;
        char boot_id[40]; /* the boot in which this was written */
        pid_t monitor_pid;
        pid_t pid;          /* of init in the host's PID namespace; 0 unless running or paused */
        uint64_t pid_start; /* start time of pid in clock ticks (proc(5) stat field 22): tells a reused pid */
        int exit_code;
        bool exit_known; /* false: nobody saw the exit (unknown; exit_code is 255) */
        bool oom_killed;
        bool cleaned; /* the cleanup after exit has been done */
        unsigned restarts;
        int64_t started_ns, finished_ns;
        char error[512];  /* why the last start failed, "" if it did not */
        char cgroup[512]; /* path below each hierarchy, for stats and OOM */
};

/* Read @dirfd/status. ERR_NOT_FOUND if there is none, ERR_CORRUPT if it cannot be understood. */
MUST_USE err *status_read(int dirfd, struct status *ret);
MUST_USE err *status_write(int dirfd, const struct status *s);
/* The text of a status file, as PROTO_STATUS carries it, and back. @size excludes the terminator that @buf gets; what
 * does not fit is an error. */
#define STATUS_TEXT_MAX 2560
MUST_USE err *status_format(const struct status *s, char *buf, size_t size, size_t *ret_size);
MUST_USE err *status_parse(char *text, struct status *ret); /* changes @text */

/* Somebody who may trace might be in the container's PID namespace: other containers that join it, privileged sessions.
 * Said before they come; holds until the container ends. */
#define STATUS_SHARED_PID "shared-pid"
/* Other containers have joined its network namespace, and will keep it. */
#define STATUS_SHARED_NET "shared-net"
MUST_USE err *status_share(int dirfd, const char *what);

/* Is somebody holding @dirfd/lock? (Then status can be believed.) */
bool status_monitor_alive(int dirfd);
/* The lock's file, so that the monitor's end can be awaited after the directory is gone; -1: there is none. */
int status_open_lock(int dirfd);
/* Wait until nobody holds it (at most @timeout_ms; false: somebody still does). The monitor's builders and the
 * processes between clone and exec share the lock, so after this nothing can be added to the container's cgroup any
 * more. */
bool status_wait_ended(int lock_fd, int timeout_ms);
/* Start time of @pid in clock ticks, 0 if there is no such process. */
uint64_t status_pid_start(pid_t pid);
/* The wait status of one that has ended and that nobody has reaped: field 52 of its stat file (proc(5)). False: it is
 * not that one, has not ended, or the kernel does not say. */
bool status_of_zombie(pid_t pid, uint64_t start, int *ret);
/* A shell's exit status (128 + signal) for a wait status. */
int status_exit_code(int wait_status);
