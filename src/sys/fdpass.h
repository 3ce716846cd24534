/* fdpass.h - one message with at most one descriptor over a SOCK_SEQPACKET socket.
 * Return the number of bytes, 0 at the end, or -errno; only system calls: safe between clone and exec. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* @fd -1 = none. Never raises SIGPIPE. */
ssize_t fdpass_send(int socket, const void *data, size_t size, int fd);
/* A received descriptor (O_CLOEXEC, the caller's) is left in @ret_fd, -1 if there was none. -EMSGSIZE: cut off. */
ssize_t fdpass_receive(int socket, void *data, size_t size, int *ret_fd);
