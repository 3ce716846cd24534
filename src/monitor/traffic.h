/* traffic.h - what a container may send, and how fast: STATE/containers/<id>/traffic, lines "key=value".
 *
 *   rate=10mbit:64k            as rate_parse() takes it
 *   egress=allow=10.0.0.0/8    one line a rule, in order
 *   endpoint=kind=bridge ...   interfaces that rules are in place for, as sys/endpoint.h writes them
 *
 * Written by the engine under the container's lock before anything of it is done in the kernel, replaced at once; read
 * by the monitor whenever it needs it, so that a change reaches it without a message. A container without limits has
 * none.
 *
 * Whoever changes the file and the kernel to match, or the kernel by the file, holds traffic.lock meanwhile (flock;
 * taken after the container's lock and NETWORK_LOCK, and not by who has nothing to limit): what is in place is what the
 * file says, whoever comes first. */
#pragma once

#include "base/err.h"
#include "base/mem.h"
#include "sys/endpoint.h"

#define TRAFFIC_FILE "traffic"
#define TRAFFIC_LOCK "traffic.lock"

struct traffic {
        char *rate; /* NULL = no limit */
        char **egress, **endpoints;
};
void traffic_done(struct traffic *t);
#define _cleanup_traffic_ __attribute__((cleanup(traffic_done)))

/* No file: all members are NULL. ERR_CORRUPT. */
MUST_USE err *traffic_read(int dirfd, struct traffic *ret);
MUST_USE err *traffic_write(int dirfd, const struct traffic *t);

/* *@ret: holds TRAFFIC_LOCK; to be closed. */
MUST_USE err *traffic_lock(int dirfd, int *ret);

/* The interface @e has just been made: limit it as the file in @dirfd says, or let it take the short way
 * (sys/shortcut.h). */
MUST_USE err *traffic_limit(int dirfd, const struct endpoint *e);
