/* stream.h - the person's side of a running process: our stdin, stdout, stderr and signals on one side, the monitor (or
 * the pipes and the terminal of an exec session) on the other.
 *
 *   stdin  ──(detach keys)──▶ PROTO_STDIN / pipe / terminal master
 *   stdout ◀── PROTO_OUT / pipe / terminal master        signals ──▶ PROTO_SIGNAL, SIGWINCH ──▶ PROTO_RESIZE
 *   the end: PROTO_EXIT, after all output */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"
#include "cli/terminal.h"
#include "monitor/protocol.h"

struct stream {
        int monitor;         /* connection on which PROTO_EXIT comes */
        bool packets;        /* data travels in packets too (attach); otherwise: */
        int in, out, errors; /* our ends of the session's pipes, -1 = none; with a terminal in == out */
        bool tty;            /* the other side is a terminal */
        bool stdin_wanted;   /* forward our stdin */
        bool input_only;     /* detach at the end of our stdin */
        bool sig_proxy;      /* forward signals that would end us */
        struct detach_keys keys;
        int trace; /* reading end of the trace pipe, or -1: printed as it comes */
};

enum stream_end {
        STREAM_EXITED,
        STREAM_DETACHED,
        STREAM_LOST /* the connection broke */,
        STREAM_FORCED,
        STREAM_BROKEN /* nobody reads our output any more: end as SIGPIPE would have ended us */
};
#define STREAM_BROKEN_STATUS (128 + SIGPIPE)

/* Relay until the process ends, the person detaches, or the third signal without proxying. Takes the signals over from
 * stream_signals() on. The terminal is raw on the way if stdin is one and @tty. */
MUST_USE err *stream_relay(struct stream *s, enum stream_end *ret_end, struct proto_exit *ret_exit);

/* Block the signals that are relayed; call before the process starts, so that none is lost. Without @proxy those that
 * are about us keep their effect, but for INT and TERM, of which the third ends us, as with docker. */
void stream_signals(bool proxy);
