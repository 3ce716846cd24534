/* attach.h - our terminal and a container's streams: `attach`, `start -a`, the foreground of `run`. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "engine/container.h"

struct attach_options {
        unsigned streams; /* PROTO_STREAM_* */
        bool sig_proxy;
        bool clean_up; /* we stay until the end and do the cleanup (start -a, run) */
        bool fresh;    /* see start_options */
        const char *detach_keys;
        int trace; /* reading end of the trace pipe; 0 and below: none */
};

/* Start @c attached and relay until it ends or the person detaches. *@ret_status is the exit status of the command. */
MUST_USE err *attach_start(struct container *c, const struct attach_options *o, int *ret_status);
