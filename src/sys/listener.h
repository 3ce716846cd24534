/* listener.h - who has a port of this network namespace: what /proc/net and /proc/PID/fd tell. For messages, and to
 * tell a server from a connection that happens to use the port. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct listener {
        pid_t pid;     /* 0: not to be found (another PID namespace, not allowed) */
        char name[16]; /* of the program */
};

/* Is a socket of @protocol (IPPROTO_TCP: one that listens; IPPROTO_UDP: any) bound to @port at @address (4 or 16 bytes
 * of @family; NULL, or nothing but zeros: at any), or at all of them? A socket of IPv6 with an address of IPv4 counts
 * as one of IPv4. What the process @besides has does not count (0: all do). @ret: whose it is; NULL
 * (@besides is 0 then) does not look for that, which takes a walk through /proc. 1, 0 or -errno. */
int listener_find(uint8_t protocol, int family, const void *address, uint16_t port, pid_t besides,
                  struct listener *ret);
