/* caps.h - the five capability sets of a thread (capabilities(7)). Bit n of a set is capability n.
 * Functions return 0 or -errno; only system calls: safe between clone and exec. */
#pragma once

#include <stdint.h>

/* Drop everything that is not in @keep from the bounding set. Needs CAP_SETPCAP if something is to be dropped. */
int caps_set_bounding(uint64_t keep);
/* capset(2), version 3. */
int caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable);
/* Make the ambient set exactly @ambient, which must be permitted and inheritable. */
int caps_set_ambient(uint64_t ambient);
/* Current sets of this thread. */
int caps_get(uint64_t *ret_effective, uint64_t *ret_permitted, uint64_t *ret_inheritable);
