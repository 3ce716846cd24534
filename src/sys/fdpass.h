/* fdpass.h - messages with at most one descriptor over AF_UNIX sockets.
 * fdpass_send() and fdpass_receive() return the number of bytes, 0 at the end, or -errno; only system calls: safe
 * between clone and exec. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* @fd -1 = none. Never raises SIGPIPE. */
ssize_t fdpass_send(int socket, const void *data, size_t size, int fd);
/* A received descriptor (O_CLOEXEC, the caller's) is left in @ret_fd, -1 if there was none. -EMSGSIZE: cut off. */
ssize_t fdpass_receive(int socket, void *data, size_t size, int *ret_fd);

/* Connect a SOCK_STREAM socket to @path ("@name" is an abstract one; of any length), and send @data with @fd. Neither
 * waits for ever: ERR_TIMEOUT when nobody accepts or reads for FDPASS_TIMEOUT_S. ERR_SYS. */
#define FDPASS_TIMEOUT_S 10
MUST_USE err *fdpass_deliver(const char *path, const void *data, size_t size, int fd);
