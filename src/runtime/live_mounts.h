/* live_mounts.h - mounts of a container that runs (crun's `mounts add` and `mounts remove`).
 *
 * Sources are opened on the host and get their attributes there, as at create; a process enters the container and
 * attaches them, with destinations resolved inside the container's root by descriptor. */
#pragma once

#include "base/err.h"
#include "oci/spec.h"

struct live_mounts {
        pid_t pid;
        int pidfd;                   /* of the same: what is really entered */
        const struct oci_spec *spec; /* the container's */
        int bundle_fd;               /* relative sources start here */
        const char *cgroup;
        const struct oci_mount *mounts;
        size_t n;
};

/* Mount all, in order; after a failure none of them is there (mount points that were missing stay).
 * Errors as runtime_create(). */
MUST_USE err *live_mounts_add(const struct live_mounts *l);
/* Unmount what is at their destinations, the last first, also if it is in use. The first failure ends it. */
MUST_USE err *live_mounts_remove(const struct live_mounts *l);
