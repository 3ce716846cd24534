/* status.h - the files under the run directory by which a container's life is known.
 *
 *   STATE/containers/<id>/conf          what the monitor must know; written by the engine before the monitor starts
 *   STATE/containers/<id>/status        what is true now; written by the monitor only, replaced atomically
 *   STATE/containers/<id>/lock          held (flock) by the living monitor
 *   STATE/containers/<id>/monitor.sock  its socket (protocol.h)
 *   STATE/containers/<id>/{in,out,err}  FIFOs of a container without a terminal
 *
 * conf and status are lines "key=value" (newline and backslash in values are \n and \\); unknown keys are ignored, so
 * that versions can differ by two. No JSON: the monitor must stay small. */
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

/* What the engine tells the monitor. Strings are owned. */
struct monitor_conf {
        unsigned version;
        char *id, *name;
        char *bundle;          /* directory that holds config.json */
        char *log_path;        /* NULL or "" = no log */
        uint64_t log_max_size; /* bytes a file */
        unsigned log_max_files;
        char *log_attrs; /* JSON object for each line's "attrs" (--log-opt labels, env, tag), NULL = none */
        bool tty, open_stdin, stdin_once;
        bool term_added;     /* config.json's TERM is there for the terminal only: sessions do not inherit it */
        char *user;          /* docker's user[:group], NULL or "" = root; resolved inside the root file system */
        char **groups;       /* --group-add: names or numbers */
        char *rootfs_driver; /* as runtime_rootfs_open() takes it */
        char **lower;        /* overlay: topmost first, absolute; dir: one entry */
        char *upper, *work;
        bool rootfs_volatile, rootfs_readonly, rootfs_limited;
        char *restart_policy; /* "no", "always", "on-failure", "unless-stopped" */
        unsigned restart_max;
        int stop_signal;
        bool auto_remove;
        char *hod; /* program for `hod internal cleanup`, with its --root and --state */
        char *root_dir, *state_dir;
        char *seccomp_cache;  /* directory of compiled filters */
        char *seccomp_name;   /* the one of them to use; NULL = the profile in config.json, if any */
        char **donors;        /* "pid start-time" of the processes whose namespaces config.json names */
        char **endpoints;     /* network interfaces, as sys/endpoint.h writes them */
        char **ports;         /* published: "protocol host-address host-port address port" */
        char **dns;           /* --dns: servers, instead of the host's */
        bool names;           /* names are asked from us even if there is no user network: rules about names */
        char *monitor_cgroup; /* where the monitor itself goes; NULL = "/hod/monitor" */
};
MUST_USE err *monitor_conf_read(int dirfd, struct monitor_conf *ret);
MUST_USE err *monitor_conf_write(int dirfd, const struct monitor_conf *c);
void monitor_conf_done(struct monitor_conf *c);

/* Somebody who may trace might be in the container's PID namespace: other containers that join it, privileged sessions.
 * Said before they come; holds until the container ends. */
#define STATUS_SHARED_PID "shared-pid"
MUST_USE err *status_share_pid(int dirfd);

/* Held by whoever makes or takes away network interfaces of the container, for a run that has begun or is beginning:
 * what conf says is then in its namespace. (The first run begins under the container's own lock.) */
#define NETWORK_LOCK "network.lock"

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
