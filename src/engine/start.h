/* start.h - start a container: spec, monitor, first connection. */
#pragma once

#include "base/err.h"
#include "engine/container.h"

struct start_options {
        unsigned streams;          /* PROTO_STREAM_* to attach; 0 = do not attach */
        unsigned short rows, cols; /* of the terminal, 0 = unknown */
        bool stay;                 /* keep the connection until the exit (foreground): the caller cleans up */
        bool fresh;                /* just created by this command: its record says so already */
};

/* Start @c. With streams or stay the connection to the monitor is given in @ret_fd, else -1: output, then PROTO_EXIT,
 * come on it; whoever stays calls cleanup_container() after the exit and sends PROTO_CLEANED.
 * Errors: ERR_NOT_MODIFIED (runs already), ERR_EXEC_NOT_FOUND, ERR_EXEC_DENIED, others from the runtime; the container
 * is then as before, with the error in its record (an --rm container is gone). */
MUST_USE err *start_container(struct container *c, const struct start_options *o, int *ret_fd);

/* Stop @c if it runs (see stop_container()) and start it. An --rm container survives this end, as docker's does. */
MUST_USE err *start_restart(struct container *c, int signal, int timeout_s);
