/* protocol.h - what hod and a container's monitor say to each other.
 *
 * One SOCK_SEQPACKET unix connection a client: /STATE/<id>/monitor.sock, or the socket pair that hod passes as
 * descriptor 3 when it starts the monitor (the first client, served before the listening socket exists).
 * A packet is a `struct proto_header` followed by `size` bytes; descriptors travel by SCM_RIGHTS with the packet.
 * Every packet carries a version; a monitor serves clients of other versions that it knows and refuses the rest
 * with PROTO_ERROR. Integers are host order: both ends are on one machine.
 *
 * Client → monitor                         Monitor → client
 *   START   {trace fd?}                       STARTED {pid} | ERROR {code, text}
 *   ATTACH  {streams wanted, flags}           ATTACHED, then OUT/ERR data, then EXIT
 *   STDIN   data                              STDIN_OK when the container's input has taken it: send the next then
 *   STDIN_EOF
 *   WAIT    {}                                EXIT {code, oom, ...} when the container ends (at once if it has)
 *   EXEC    proto_exec + 3 fds (+trace fd)    STARTED {pid} (+ terminal master fd if tty) | ERROR; then EXIT
 *   SIGNAL  {signal, flags}                   OK | ERROR
 *   RESIZE  {rows, cols}                      OK
 *   PAUSE {flags} / RESUME                    OK | ERROR
 *   STATUS  {}                                STATUS text (the status file)
 *   ROOTFS  {}                                OK + descriptor (O_PATH) of the mounted root, with all that is mounted
 *                                             below
 *   DETACH                                    (none; the stream ends)
 *   CLEANED {}                                (none: the client that took on the cleanup has done it)
 *   NETWORK {}                                OK | ERROR: network.json has changed, or rules may have been flushed
 *   PORTS   {}                                OK | ERROR: conf has other published ports now
 *
 * Output and input share one connection, so a client must never block in sending while it has output to read: it has
 * at most one STDIN packet under way, and reads its own input again after STDIN_OK. (Both ends blocked in sending is a
 * deadlock: `cat big | hod run -i busybox cat`.)
 *
 * Order: STARTED comes before the first OUT; EXIT after the last. An adopting monitor says OK on descriptor 3 when it
 * serves. A connection on which EXEC succeeded belongs to that session: SIGNAL and RESIZE go to the session, EXIT is
 * the session's. EXIT with PROTO_EXIT_RESTARTING: this run has ended, the next one follows by policy. */
#pragma once

#include <stdint.h>

#define PROTO_VERSION 1
#define PROTO_MAX (64 * 1024) /* largest packet, header included */

enum proto_type {
        PROTO_START = 1,
        PROTO_ATTACH,
        PROTO_STDIN,
        PROTO_STDIN_EOF,
        PROTO_WAIT,
        PROTO_EXEC,
        PROTO_SIGNAL,
        PROTO_RESIZE,
        PROTO_PAUSE,
        PROTO_RESUME,
        PROTO_STATUS,
        PROTO_ROOTFS,
        PROTO_DETACH,
        PROTO_CLEANED,
        PROTO_PORTS,
        PROTO_NETWORK,

        PROTO_OK = 64,
        PROTO_ERROR,
        PROTO_STARTED,
        PROTO_ATTACHED,
        PROTO_OUT,
        PROTO_ERR,
        PROTO_EXIT,
        PROTO_STDIN_OK,
};

#define PROTO_STDIN_MAX (16 * 1024) /* largest STDIN payload */
#define PROTO_FDS_MAX 8

struct proto_header {
        uint16_t version;
        uint16_t type;
        uint32_t size;
};

/* START: may carry one descriptor, the trace pipe. */
enum {
        PROTO_START_CLEANUP = 1, /* this client stays connected and cleans up after EXIT, then sends CLEANED */
        PROTO_START_LINGER =
                2, /* ... and then waits until the monitor has gone (proto_cleaned): an --rm container's EXIT
                      may come while its cgroup is still being removed, and both work at the same time */
};
struct proto_start {
        uint32_t flags;
        uint16_t rows, cols; /* terminal size, 0 = unknown */
};

enum { PROTO_PAUSE_HELD = 1 }; /* only as long as this client is there */
struct proto_pause {           /* may be left out */
        uint32_t flags;
};

enum { PROTO_STREAM_IN = 1, PROTO_STREAM_OUT = 2, PROTO_STREAM_ERR = 4 };
struct proto_attach {
        uint32_t streams;
        uint16_t rows, cols;
};

struct proto_started {
        int32_t pid; /* in the host's PID namespace */
};

struct proto_error {
        uint32_t code; /* enum err_code */
        int32_t errnum;
        char text[]; /* header.size - sizeof(struct proto_error) bytes, not terminated */
};

struct proto_signal {
        int32_t signal;
        uint32_t flags; /* PROTO_SIGNAL_* */
};
enum {
        PROTO_SIGNAL_STOPPING = 1, /* a person asked for the end: the restart policy must not start it again */
        PROTO_SIGNAL_ALL = 2,      /* every process of the container */
};
/* Bits 8 and up of a signal's flags: 1 + the seconds after which the monitor sends SIGKILL if the container still runs,
 * so that a grace ends even when whoever gave it has gone. 0: none. The earliest counts. Older monitors do not know it:
 * whoever waits kills, too, a moment later. */
#define PROTO_SIGNAL_KILL_SHIFT 8
#define PROTO_SIGNAL_KILL_MAX ((1 << 24) - 2) /* seconds */

struct proto_resize {
        uint16_t rows, cols;
};

struct proto_exit {
        int32_t code;   /* 0..255; 128+n for signal n; 255 with UNKNOWN */
        uint32_t flags; /* PROTO_EXIT_* */
        int64_t finished_ns;
};
enum { PROTO_EXIT_OOM = 1, PROTO_EXIT_UNKNOWN = 2, PROTO_EXIT_NEVER_STARTED = 4, PROTO_EXIT_RESTARTING = 8 };

/* EXEC: three descriptors (stdin, stdout, stderr of the session, or one dummy /dev/null each with PROTO_EXEC_TTY),
 * and a fourth, the trace pipe, with PROTO_EXEC_TRACE. `strings` holds argc + envc NUL-terminated strings, then cwd,
 * then user ("" = the container's own for both). The environment is added to the container's. Connection
 * closed without PROTO_EXEC_DETACH: the session goes on and its terminal is drained. */
enum {
        PROTO_EXEC_TTY = 1,
        PROTO_EXEC_PRIVILEGED = 2,
        PROTO_EXEC_DETACH = 4, /* no EXIT packet wanted */
        PROTO_EXEC_TRACE = 8,
};
struct proto_exec {
        uint32_t flags;
        uint16_t rows, cols;
        uint32_t argc, envc;
        char strings[];
};
/* A request whose strings do not fit PROTO_MAX comes as a memfd instead: flag and one more, last descriptor. */
enum { PROTO_EXEC_MEMFD = 16 };
