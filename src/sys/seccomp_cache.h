/* seccomp_cache.h - how compiled filters are named on disk; see seccomp.h. */
#pragma once

#define SECCOMP_CACHE_FORMAT 4 /* raise it when seccomp.c makes other programs from the same profile */
#define SECCOMP_CACHE_NAME_MAX 80
#define SECCOMP_CACHE_SUFFIX ".bpf"
