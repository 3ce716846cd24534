/* runtime_private.h - between the files of runtime: the start of one process, step by step.
 *
 *   - runtime.c: plan, root, cgroup, mounts; then the others; undoes whatever was made if one of them fails
 *   - runtime_cgroup.c: the cgroup that the process begins in
 *   - runtime_clone.c: the clone, and where the parent itself has to go for it
 *   - runtime_talk.c: what the child asks for until its program runs */
#pragma once

#include <sys/types.h>

#include "base/trace.h"
#include "runtime/ahead.h"
#include "runtime/exec_cgroup.h"
#include "runtime/plan.h"
#include "runtime/runtime.h"

#define RUNTIME_KILL_WAIT_MS 10000

/* What has been made so far and is undone unless the end is reached. */
struct runtime_session {
        struct plan plan;
        const struct runtime_request *request; /* NULL: exec */
        const struct runtime_exec *exec;       /* NULL: create */
        const struct cgroup_layout *layout;
        const struct runtime_unit *unit; /* NULL: the cgroup is our own affair */
        char *cgroup, *bundle, *state_before, *state_after;
        const char *unit_sub;
        bool cgroup_made; /* by us: what is in another's is not ours to kill */
        bool unit_made, rdt_made, network_made, done;
        bool died;                 /* the new process, without a word */
        struct trace_span release; /* begins when it is done */
        struct exec_cgroup sub;
        struct ahead ahead;
        int net_ns; /* made ahead; the plan's. -1: none */
        int socket, pidfd, terminal_fd, clone_fd;
        pid_t pid;
};

/* Make the container's cgroup with its limits, below whose directories mounts may look; s->cgroup is NULL afterwards
 * where none may be made and none was asked for. */
MUST_USE err *runtime_cgroup_make(struct runtime_session *s);
/* Open what is needed to join s->cgroup: for the clone, and for the child. */
MUST_USE err *runtime_cgroup_open(struct runtime_session *s);

/* Make the process that walks the plan. Returns in the parent only. */
MUST_USE err *runtime_clone(struct runtime_session *s, bool as_sibling);

/* Answer the child until the program runs (the socket closes at execve) or, with a FIFO, waits for `start`. */
MUST_USE err *runtime_talk(struct runtime_session *s);
/* The caller's part in the network, once. */
MUST_USE err *runtime_talk_network(struct runtime_session *s);
