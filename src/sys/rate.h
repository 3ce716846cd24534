/* rate.h - how fast a container's link may be, in both directions, by traffic control on the host's end of its veth
 * pair (tc(8), linux/pkt_sched.h): what the container owns has no part in it.
 *
 *   to the container     a token bucket (tbf) where the host's end sends
 *   from the container   what comes in at the host's end is led through an ifb device, which has a token bucket, too
 *
 * Packets wait in a queue before any is dropped. The ifb device has the name of the host's end with "ifb" in place of
 * its first three letters; it does not go with the pair: rate_clear(). Privilege: CAP_NET_ADMIN. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct rate {
        uint64_t bytes; /* a second; 0 = no limit */
        uint32_t burst; /* bytes that may pass at once */
};

#define RATE_MIN 1000         /* bytes a second: 8kbit */
#define RATE_MAX 125000000000 /* 1tbit */
#define RATE_BURST_MIN 2048   /* one packet has to fit */
#define RATE_BURST_MAX (512u << 20)

/* "10mbit", "10mbit:64k", "1.5gbit", "100kbps" as tc(8) has rates: bit, kbit, mbit, gbit, tbit are multiples of 1000
 * bits a second, kibit, mibit, gibit of 1024; bps, kbps, mbps, gbps are bytes; a unit is needed. "0" is no limit. The
 * burst is a size as docker writes sizes. ERR_INVALID. */
MUST_USE err *rate_parse(const char *text, struct rate *ret);

/* Limit the link @name, the host's end of a pair; also when it is limited already. @fd: a NETLINK_ROUTE socket.
 * ERR_UNSUPPORTED: the kernel lacks what it takes. On failure what had been there may be half changed. */
MUST_USE err *rate_set(int fd, const char *name, const struct rate *r);
/* Devices of limits whose link has gone, which nobody who limited it has lived to remove: their names are added to
 * *@ret; with @remove they are removed. */
MUST_USE err *rate_sweep(int fd, bool remove, char ***ret);
/* No limit any more. A link that is gone, or has none, is fine. */
MUST_USE err *rate_clear(int fd, const char *name);
