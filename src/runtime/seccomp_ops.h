/* seccomp_ops.h - the bridge from the specification's seccomp section to sys/seccomp. */
#pragma once

#include "base/err.h"
#include "oci/spec.h"
#include "sys/seccomp.h"

/* Filter for @s through the cache directory @cache_dir (NULL = none), there under the name @name (NULL = its hash).
 * Errors as seccomp_filter_load(). */
MUST_USE err *seccomp_ops_load(const struct oci_seccomp *s, const char *cache_dir, const char *name,
                               struct seccomp_filter *ret);
