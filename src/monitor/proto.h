/* proto.h - packets of protocol.h over a connection: for clients (engine, cli) with errors, for the monitor's loop
 * without blocking.
 *
 * Errors of every client function: ERR_NOT_RUNNING when the monitor is gone (refused, reset, end of the connection),
 * ERR_CORRUPT for what is not our protocol, ERR_SYS. None needs privilege beyond the socket's 0600. No locking. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "monitor/protocol.h"

/* A received packet. The caller sets data and room (PROTO_MAX is always enough) and owns the descriptors. */
struct proto_packet {
        uint16_t type;
        size_t size; /* bytes of the body in data */
        void *data;
        size_t room;
        int fds[PROTO_FDS_MAX]; /* O_CLOEXEC */
        size_t n_fds;
};
/* Close the descriptors that are still there (-1 = taken). */
void proto_packet_close(struct proto_packet *p);

/* ---- clients ---- */

/* Connect to the monitor of the container whose run directory is @dirfd. The descriptor is the caller's. */
MUST_USE err *proto_connect(int dirfd, int *ret_fd);

/* From now on no call on @fd waits longer than 15 s: ERR_TIMEOUT. For what is answered at once: a monitor that is
 * stopped must not hold whoever asks. */
void proto_be_patient(int fd);

/* Send one packet; waits while the monitor is busy. @fds are borrowed. */
MUST_USE err *proto_send(int fd, enum proto_type type, const void *data, size_t size, const int *fds, size_t n_fds);
/* Wait for the next packet. */
MUST_USE err *proto_receive(int fd, struct proto_packet *p);

/* Wait for OK; ERROR becomes an error with its code and text. Other packets on the way are dropped: for connections
 * that are not attached. */
MUST_USE err *proto_wait_ok(int fd);
/* Wait for OK with its descriptor (ROOTFS), O_CLOEXEC. */
MUST_USE err *proto_wait_descriptor(int fd, int *ret);
/* Wait for STARTED, for as long as the monitor says that it is there; ERR_TIMEOUT when it does not any more. Both
 * outputs may be NULL; *@ret_terminal is -1 when there is none. */
MUST_USE err *proto_wait_started(int fd, pid_t *ret_pid, int *ret_terminal);
/* Wait for ATTACHED in the same way, before anything of the stream. */
MUST_USE err *proto_wait_attached(int fd);
/* Wait for EXIT, at most @timeout_ms in all (-1 = for ever; 0 = only what is there): ERR_TIMEOUT. Other packets on the
 * way (the OK of a signal) are dropped, so polling the descriptor for POLLIN first proves nothing. */
MUST_USE err *proto_wait_exit_for(int fd, int64_t timeout_ms, struct proto_exit *ret);
MUST_USE err *proto_wait_exit(int fd, struct proto_exit *ret);
/* The cleanup that this client took on with PROTO_START_CLEANUP is done: say so, and wait (some seconds at most) until
 * the monitor has gone, so that nothing of the container is left when this returns. */
void proto_cleaned(int fd);

/* ---- both ends ---- */

/* One packet without waiting. 0 or -errno: -EAGAIN full, -EPIPE and -ECONNRESET gone. Never raises SIGPIPE. */
int proto_try_send(int fd, enum proto_type type, const void *data, size_t size, const int *descriptors, size_t n);
/* 1, 0 at the end of the connection, -EAGAIN, -EBADMSG for what proto_check() refuses (descriptors closed), -errno. */
int proto_try_receive(int fd, struct proto_packet *p);

/* Is this a packet that a client may send: version, known type, body of the right size, right number of descriptors?
 * @size: bytes received, header included. 0, -EPROTONOSUPPORT (another version), -EBADMSG. */
int proto_check(const struct proto_header *h, size_t size, size_t n_fds);

/* The strings of an EXEC request. Pointers go into @text, the arrays (NULL-terminated) are one allocation. */
struct proto_exec_strings {
        char **argv, **envp; /* envp lies behind argv in the same memory: free argv only */
        const char *cwd, *user;
};
/* Split @size bytes at @text. ERR_CORRUPT unless they are exactly what @x announces; ERR_NOMEM. */
MUST_USE err *proto_exec_split(const struct proto_exec *x, char *text, size_t size, struct proto_exec_strings *ret);
