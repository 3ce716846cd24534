/* ns.h - namespaces (namespaces(7)): opening, checking and entering, and what a new network namespace needs at once. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* Open the namespace file @path (of the host; symlinks such as /proc/PID/ns/net are followed) and check that it is one
 * of the kind @clone_flag (CLONE_NEWNET, ...). The descriptor is the caller's. ERR_NOT_FOUND, ERR_INVALID, ERR_SYS. */
MUST_USE err *ns_open(const char *path, int clone_flag, int *ret_fd);

/* Are we without privilege over the machine: not root, or root of a user namespace only? Asked once. */
bool ns_is_rootless(void);
/* Are we in another user namespace than the machine's first one (whose map is everything on itself)? Asked once. */
bool ns_in_userns(void);

/* Bring up "lo" in the current network namespace. 0 or -errno; safe between clone and exec. Needs CAP_NET_ADMIN there.
 */
int ns_loopback_up(void);
/* A new network namespace with "lo" up. The calling thread, and no other, is in it afterwards. Returns a descriptor of
 * it (O_CLOEXEC), or -errno: what has been done until then stays. Allocates nothing. */
int ns_new_net(void);

/* socket(2) in the network namespace of the descriptor @ns; only this call runs there. A descriptor or -errno. Needs
 * CAP_SYS_ADMIN. */
int ns_socket(int ns, int family, int type, int protocol);

/* sethostname(2) and setdomainname(2) for terminated text. 0 or -errno; safe between clone and exec. */
int ns_set_hostname(const char *name);
int ns_set_domainname(const char *name);
