/* hodrun.h - shared by the files of the program hodrun: an OCI runtime with runc's command line.
 *
 * One file holds the commands of one stage of life: start.c (create, run, start), exec.c, life.c (kill, delete, pause,
 * resume), show.c (state, list, ps, spec, features), checkpoint.c (checkpoint, restore), mounts.c (mounts). What is
 * known about containers is in state.c, the foreground of run and exec in io.c. */
#pragma once

#include "base/err.h"
#include "base/opt.h"
#include "hodrun/state.h"
#include "runtime/runtime.h"

struct global_args {
        const char *root, *log, *log_format, *log_level, *rootless, *cgroup_manager;
        bool debug, systemd_cgroup, version;
};

extern const struct command cmd_create, cmd_run, cmd_start, cmd_exec, cmd_kill, cmd_delete, cmd_pause, cmd_resume,
        cmd_state, cmd_list, cmd_ps, cmd_spec, cmd_features, cmd_update, cmd_events, cmd_checkpoint, cmd_restore,
        cmd_mounts;

/* The name this program is called by: "runc" or "crun" where it stands in for them, else "hodrun". */
const char *hodrun_name(void);
/* ROOT of this call. */
const char *hodrun_root(const struct invocation *inv);
/* Is the cgroup driver systemd? */
bool hodrun_systemd(const struct invocation *inv);
/* --cgroup-manager disabled: containers get no cgroup. */
bool hodrun_no_cgroup(const struct invocation *inv);
/* Directory of compiled filters below ROOT: its name is no container's, "@" is not allowed in ids. Owned by the caller.
 */
MUST_USE err *hodrun_seccomp_cache(const struct invocation *inv, char **ret);
/* Write to stderr (or the log) without ending. */
void hodrun_warn(const char *fmt, ...) PRINTF(1, 2);

/* Write @pid to the file @path as runc does: digits only, complete when it appears. NULL path: nothing. */
MUST_USE err *hodrun_pid_file(const char *path, pid_t pid);
