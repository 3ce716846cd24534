/* state.h - what hodrun remembers: ROOT/<id>/state.json, config.json (a copy: the bundle may change), exec.fifo, lock.
 *
 * The lock of a container is a record lock (fcntl(2)) on its lock file: create, start, delete, pause and resume hold
 * it; those that only look do not. state.json is replaced atomically. The status is not stored but seen: the process
 * (pid and start time, so that a reused pid is not mistaken), the FIFO that `start` removes, the freezer. Whoever makes
 * a container holds its lock: if nobody does and there is no process yet, the maker was killed, and what it has left is
 * looked for in the cgroup. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"
#include "oci/spec.h"
#include "runtime/runtime.h"
#include "runtime/seccomp_ops.h"

enum state_status { STATE_CREATING, STATE_CREATED, STATE_RUNNING, STATE_PAUSED, STATE_STOPPED };
/* "running": runc's words. */
const char *state_status_name(enum state_status s);

#define STATE_FIFO "exec.fifo"
#define STATE_FIFO_STARTING "exec.fifo.start" /* its name once `start` has begun */

struct state {
        char *id, *bundle, *rootfs, *cgroup;
        pid_t pid;
        uint64_t pid_start; /* clock ticks, proc(5) stat field 22 */
        int64_t created_ns;
        uid_t owner;
        char **stdio;             /* of init: "pipe:[123]" or "", three or none; for `restore` */
        struct runtime_unit unit; /* of systemd's that the cgroup belongs to; no name: cgroupfs */

        /* From config.json, so that `kill` and `delete` do without it; older files lack all but the first. */
        bool ends_quietly;             /* nothing about the end: no poststop hook, nothing of intelRdt's */
        bool own_pids_known, own_pids; /* a PID namespace of its own */
        bool has_rdt;                  /* intelRdt: */
        struct {
                char *clos; /* NULL: none */
                bool monitoring;
        } rdt;

        bool abandoned;     /* whoever made it was killed before there was a process to be remembered */
        int root_fd, dirfd; /* ROOT, ROOT/<id> */
        int lock_fd;
        struct oci_spec *spec;
};

/* ERR_INVALID "invalid container ID format": letters, digits, "_+-." of ASCII, not "." or "..". */
MUST_USE err *state_check_id(const char *id);
/* Make ROOT (if missing) and ROOT/<id>, locked. ERR_CONFLICT "container with given ID already exists". */
MUST_USE err *state_create(const char *root, const char *id, struct state **ret);
/* Open an existing one. ERR_NOT_FOUND "container does not exist". */
MUST_USE err *state_open(const char *root, const char *id, bool lock, struct state **ret);
/* For `run`, which waits for the end without the lock. ERR_NOT_FOUND if somebody removed the container. */
void state_unlock(struct state *s);
MUST_USE err *state_lock(struct state *s);
/* Not root, or root of a user namespace only: then systemd is our user's manager, not the system's. */
bool state_is_rootless(void);
/* Where the manager of @u is found, from the environment. */
MUST_USE err *state_where(struct runtime_unit *u, bool user);
/* Load the copy of config.json into s->spec (once). */
MUST_USE err *state_load_spec(struct state *s);
/* For what must work on containers whose specification we refuse, as another version made them: what cannot be loaded
 * is only parsed (*@ret: owned). Of what is no JSON, too large or not there neither s->spec nor *@ret is set. */
MUST_USE err *state_load_any(struct state *s, json **ret);
/* As state_load_spec(), but a profile that is known is not read; see seccomp_ops_parse(). */
MUST_USE err *state_load_spec_but_seccomp(struct state *s, const char *seccomp_cache, struct seccomp_known *known);
/* Write state.json, in place of the one that is there. */
MUST_USE err *state_save(const struct state *s);
/* As it is now, by the process, the FIFO and the cgroup. */
enum state_status state_status(const struct state *s);
/* A descriptor of the living init process, or -ESRCH. */
int state_pidfd(const struct state *s);
/* Remember the process that runs now (start time too). */
MUST_USE err *state_set_process(struct state *s, pid_t pid);
/* Remember which pipes our 0, 1 and 2 are; none with a terminal. */
MUST_USE err *state_know_stdio(struct state *s, bool terminal);
/* Remove ROOT/<id>. */
MUST_USE err *state_remove(struct state *s);
void state_close(struct state *s);
DEFINE_CLEANUP(struct state *, state_close)
#define _cleanup_state_ __attribute__((cleanup(state_closep)))

/* All ids in ROOT in alphabetical order; a missing ROOT has none. */
MUST_USE err *state_list(const char *root, char ***ret);

/* End of a container: what is left of its processes and cgroup, poststop hooks, its directory. Lock held. */
MUST_USE err *state_destroy(struct state *s);
