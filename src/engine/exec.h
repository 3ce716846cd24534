/* exec.h - one more process in a running container. */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "engine/container.h"

struct exec_options {
        char *const *argv;
        char *const *env; /* added to the container's; NAME=value */
        const char *cwd;  /* NULL = the container's */
        const char *user; /* NULL = the container's */
        bool tty, privileged, detach;
        unsigned short rows, cols;
        int stdio[3]; /* container-side ends; ignored with a terminal */
};

/* What runs. @fd: connection to the monitor on which PROTO_EXIT comes (-1 when detached); @terminal: master, or -1. */
struct exec_session {
        int fd, terminal;
        pid_t pid;
};

/* Start the session. Errors: ERR_NOT_RUNNING, ERR_CONFLICT (paused), ERR_EXEC_NOT_FOUND, ERR_EXEC_DENIED, ... */
MUST_USE err *exec_start(struct container *c, const struct exec_options *o, struct exec_session *ret);
