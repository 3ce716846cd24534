/* io.h - the foreground of `run` and `exec`: signals, terminal, exit status; and the sockets of `--console-socket`. */
#pragma once

#include "base/err.h"
#include "runtime/runtime.h"

/* Block all signals until the end: io_foreground() takes them. Children begin with an empty mask (the runtime sees to
 * that). */
MUST_USE err *io_block_signals(void);

/* Pass signals on to @p, its terminal (if any) to ours, and wait for its end. @ret_status: exit status as a shell has
 * it (128 + signal). The terminal is restored. */
MUST_USE err *io_foreground(const struct runtime_process *p, int *ret_status);

/* Send @fd over the listening Unix socket @path with @text, as runc does. */
MUST_USE err *io_send_fd(const char *path, const char *text, int fd);
