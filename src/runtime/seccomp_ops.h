/* seccomp_ops.h - the bridge from the specification's seccomp section to sys/seccomp. */
#pragma once

#include "base/err.h"
#include "oci/spec.h"
#include "sys/seccomp.h"

/* Filter for @s through the cache directory @cache_dir (NULL = none), there under the name @name (NULL = its hash).
 * Errors as seccomp_filter_load(). */
MUST_USE err *seccomp_ops_load(const struct oci_seccomp *s, const char *cache_dir, const char *name,
                               struct seccomp_filter *ret);

/* The profile as it is written in a specification. To read docker's takes longer than all the rest of one: its filter
 * is kept with the very text, and found again without reading it. */
struct seccomp_known {
        const char *text; /* in the specification's text, for seccomp_ops_keep(); NULL = there is none */
        size_t size;
        struct seccomp_filter filter; /* when @found */
        bool found;                   /* then the specification seems to have no profile */
};
void seccomp_known_done(struct seccomp_known *k);
#define _cleanup_seccomp_known_ __attribute__((cleanup(seccomp_known_done)))

/* oci_spec_from_json() for the @size bytes @text, but what is known of the profile in the cache @cache_dir is taken
 * from there. */
MUST_USE err *seccomp_ops_parse(const char *text, size_t size, const char *cache_dir, struct seccomp_known *known,
                                struct oci_spec **ret);
/* Keep the filter @f of @spec's profile for the text @known, if nothing but the text has a say in it. */
void seccomp_ops_keep(const struct oci_spec *spec, const struct seccomp_known *known, const char *cache_dir,
                      const struct seccomp_filter *f);

/* For those who want it so (crun's annotation run.oci.seccomp_fail_unknown_syscall): an error for names of system calls
 * that nobody here knows, which are skipped otherwise. */
MUST_USE err *seccomp_ops_check_names(const struct oci_spec *s);

/* Where the listener of @s goes: listenerPath, or the annotation "run.oci.seccomp.receiver". NULL: nowhere. */
const char *seccomp_ops_receiver(const struct oci_spec *s);

/* A process that has a listener, and its container. */
struct listener_process {
        const struct oci_spec *spec;
        const char *id, *bundle, *status;
        pid_t init, pid;
};
/* Send the listener @fd with the specification's "container process state" to who is to have it.
 * ERR_SYS, ERR_TIMEOUT: nobody listens there. */
MUST_USE err *seccomp_ops_deliver(const struct listener_process *p, int fd);
