/* seccomp_cache.h - how compiled filters are named on disk; see seccomp.h. */
#pragma once

#define SECCOMP_CACHE_FORMAT                                                                                           \
        5 /* raise it when seccomp.c makes other programs from the same profile, or the                                \
             specification's profile is read or checked otherwise */
#define SECCOMP_CACHE_NAME_MAX 80
#define SECCOMP_CACHE_SUFFIX ".bpf"
