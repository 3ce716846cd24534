/* seccomp_layout.h - the same filter in fewer instructions. */
#pragma once

#include "base/err.h"
#include "sys/seccomp.h"

/* Replace @f's program by a shorter one that answers every call in the same way; leave it alone if it holds
 * instructions that libseccomp does not make, or if nothing is gained. Installing a filter costs the kernel time for
 * each instruction (check, translation, machine code), and that is done at every start and every exec.
 * Errors: ERR_NOMEM. No privilege. */
MUST_USE err *seccomp_layout(struct seccomp_filter *f);
