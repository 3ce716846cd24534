/* seccomp.h - system call filters: profile → BPF, a cache of compiled filters, and the call that installs one.
 *
 * Compiling docker's default profile for three architectures takes about 11 ms, so a compiled filter is kept in a
 * directory under a name that is the SHA-256 of everything it depends on. Only what this program wrote is believed: a
 * cache entry must be a root-owned (euid) regular file, mode 0600, with our magic, a length and a hash that fit.
 *
 * Differences to plain libseccomp, both in the profile's favour:
 *   - A call number above every one that libseccomp knows gets ENOSYS, not the default action's errno, so that programs
 *     fall back properly (runc's patchbpf).
 *   - An equality on a value that fits 32 bits compares the low half only, where the kernel itself takes an int and
 * would ignore the upper half (CVE-2026-123876). */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct seccomp_arg {
        uint32_t index; /* 0..5 */
        uint32_t op;    /* libseccomp's enum scmp_compare, 1 NE .. 7 MASKED_EQ */
        uint64_t value, value_two;
};
struct seccomp_rule {
        char *const *names;
        uint32_t action; /* SECCOMP_RET_* without data */
        bool errno_set;
        uint32_t errno_ret; /* data of ERRNO and TRACE; EPERM when not set */
        const struct seccomp_arg *args;
        size_t n_args;
};
struct seccomp_profile { /* everything borrowed */
        uint32_t default_action;
        bool default_errno_set;
        uint32_t default_errno;
        const uint32_t *archs; /* AUDIT_ARCH_*, the native one is always added */
        size_t n_archs;
        uint32_t flags; /* SECCOMP_FILTER_FLAG_* for seccomp_install() */
        const struct seccomp_rule *rules;
        size_t n_rules;
};

struct seccomp_filter {
        struct sock_filter *insns; /* owned */
        unsigned short n;
        uint32_t flags;  /* SECCOMP_FILTER_FLAG_* the kernel here knows and the profile asked for */
        bool notify;     /* some action is USER_NOTIF: seccomp_install() gives a listener descriptor */
        bool from_cache; /* for tracing */
};
void seccomp_filter_done(struct seccomp_filter *f);
#define _cleanup_seccomp_filter_ __attribute__((cleanup(seccomp_filter_done)))

/* Compile @p. Unknown call names are skipped. Errors: ERR_INVALID (bad combination), ERR_LIMIT (more than 4096
 * instructions), ERR_NOMEM. */
MUST_USE err *seccomp_compile(const struct seccomp_profile *p, struct seccomp_filter *ret);

/* The same through the cache in the directory @cache_dir (made 0700 if missing; NULL = no cache). A damaged or foreign
 * entry is ignored and replaced; a cache that cannot be written is no error. */
MUST_USE err *seccomp_filter_load(const struct seccomp_profile *p, const char *cache_dir, struct seccomp_filter *ret);
/* The same under a @name of the caller's, which must tell everything that the program depends on (SECCOMP_CACHE_FORMAT
 * and libseccomp's version included): saves making, writing and reading the profile. @p NULL: it must be there, else
 * ERR_NOT_FOUND. */
MUST_USE err *seccomp_filter_load_as(const struct seccomp_profile *p, const char *cache_dir, const char *name,
                                     struct seccomp_filter *ret);

/* The filter that seccomp_text_keep() has kept for the profile that is written as @text: to compare is cheaper than to
 * read. False: there is none. */
bool seccomp_text_find(const char *cache_dir, const char *text, size_t size, struct seccomp_filter *ret);
/* Keep it; @text has been read, checked and compiled. A cache that cannot be written is no error. */
void seccomp_text_keep(const char *cache_dir, const char *text, size_t size, const struct seccomp_filter *f);

/* Install @f on the calling thread: one system call, safe between clone and exec. Needs no_new_privs or CAP_SYS_ADMIN.
 * Returns 0 (or, with notify, the listener's descriptor, which is O_CLOEXEC), or -errno. */
int seccomp_install(const struct seccomp_filter *f);

/* Is there a system call @name, as far as libseccomp knows? */
bool seccomp_call_known(const char *name);
/* Does this kernel know SECCOMP_FILTER_FLAG_@flag? */
bool seccomp_flag_supported(unsigned flag);
#define SECCOMP_FLAG_WAIT_KILLABLE_RECV (1u << 5) /* Linux 5.19; not in Debian 12's headers */
/* The flags of that call. */
unsigned seccomp_install_flags(const struct seccomp_filter *f);

/* Name of the cache entry for @p: 64 hexadecimal digits. */
MUST_USE err *seccomp_cache_key(const struct seccomp_profile *p, char ret[65]);
