/* conf.h - what the engine tells the monitor: STATE/containers/<id>/conf, written before the monitor starts, and again
 * when networks or ports change while the container runs. Lines "key=value" (lines.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Strings are owned. */
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
/* ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE err *monitor_conf_read(int dirfd, struct monitor_conf *ret);
MUST_USE err *monitor_conf_write(int dirfd, const struct monitor_conf *c);
void monitor_conf_done(struct monitor_conf *c);

/* Held by whoever makes or takes away network interfaces of the container, for a run that has begun or is beginning:
 * what conf says is then in its namespace. (The first run begins under the container's own lock.) */
#define NETWORK_LOCK "network.lock"
