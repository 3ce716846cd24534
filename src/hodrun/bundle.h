/* bundle.h - the directory with config.json that create, run and restore begin with. */
#pragma once

#include <stdbool.h>

#include "hodrun/state.h"
#include "runtime/seccomp_ops.h"

struct bundle {
        int fd;
        char *path;         /* absolute */
        const char *config; /* name of config.json, from config_dir */
        int config_dir;     /* fd or AT_FDCWD; not ours */
        char *text;         /* of config.json, as it was read: what the container is made from is what is kept */
        size_t size;
        struct oci_spec *spec;
        struct seccomp_known seccomp;
        bool no_cgroup; /* the container gets none; set by who asks for that */
};

/* Open @path (NULL or "": the current directory) and read and check its config.json, or @config (from the current
 * directory; NULL or "": none) in place of that. @seccomp_cache: where known profiles are, see seccomp_ops_parse(). */
MUST_USE err *bundle_open(const char *path, const char *config, const char *seccomp_cache, struct bundle *ret);
void bundle_done(struct bundle *b);
#define _cleanup_bundle_ __attribute__((cleanup(bundle_done)))

/* A terminal of a detached container goes to a socket; nothing else does. ERR_INVALID. */
MUST_USE err *bundle_check_terminal(const struct oci_spec *s, const char *console_socket, bool detached);
/* Save the state as it is before anything else is made: enough to clean up after a crash. @systemd: the cgroup driver.
 */
MUST_USE err *bundle_remember(const struct bundle *b, bool systemd, struct state *s);
