/* seccomp_default.h - the system calls that a container may use when nobody says otherwise.
 *
 * An allow-list written from the kernel's own tables (x86-64, i386, x32, arm64, arm), grouped by purpose, every group
 * with its reason; what the kernel has and the list leaves out is named too, with why. The tests check that every call
 * that libseccomp knows is in exactly one place, so that a new kernel's calls are decided and not forgotten.
 *
 * Everything not allowed fails with EPERM. Arguments are compared as the kernel reads them: on the low 32 bits, since a
 * rule that compares 64 bits is passed by setting bits that the kernel ignores. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/json.h"

/* True when (argument @index & @mask) == @value. */
struct seccomp_arg {
        unsigned index;
        uint32_t mask, value;
};

enum seccomp_when {
        SECCOMP_ALWAYS,
        SECCOMP_WITH,    /* only if the container has one of the group's capabilities */
        SECCOMP_WITHOUT, /* only if it has none of them */
};

struct seccomp_group {
        const char *why;
        const char *calls; /* names, separated by one space */
        enum seccomp_when when;
        uint64_t caps;                  /* bits of CAP_*, for WITH and WITHOUT */
        const struct seccomp_arg *args; /* one of them must hold; NULL: whatever the arguments */
        size_t n_args;
        int errnum; /* 0: the call is allowed; otherwise what it fails with instead of EPERM */
};

extern const struct seccomp_group seccomp_groups[];
extern const size_t seccomp_n_groups;

/* Known to the kernel and refused whatever the capabilities: documentation and tests; no rules come from it. */
struct seccomp_denied {
        const char *why;
        const char *calls;
};
extern const struct seccomp_denied seccomp_denied[];
extern const size_t seccomp_n_denied;

/* The profile as OCI `linux.seccomp` for a container with the bounding set @caps (bit n is capability n): default
 * action ERRNO EPERM, this machine's architectures, rules in the order of the table. @ret is the caller's.
 * Pure: no privilege, no files. Errors: ERR_NOMEM. */
MUST_USE err *seccomp_default_json(uint64_t caps, json **ret);

/* A name for the filter compiled from that profile: another one whenever anything that it depends on has changed. */
#define SECCOMP_DEFAULT_NAME_MAX 64
void seccomp_default_name(uint64_t caps, char ret[SECCOMP_DEFAULT_NAME_MAX]);
