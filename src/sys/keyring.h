/* keyring.h - session keyrings (keyrings(7)). Only system calls: safe between clone and exec. */
#pragma once

/* Leave the inherited session keyring for a new one called @name that its user may search. 0 or -errno; a kernel
 * without keys, or a policy that forbids them, is success: nothing was inherited then that could be used. */
int keyring_join_session(const char *name);
