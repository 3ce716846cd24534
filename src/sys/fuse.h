/* fuse.h - file systems in a program, without fusermount: the connection is a descriptor, the mount is detached. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* fuse-overlayfs(1). Where Debian, Fedora, Arch have it; it runs as root, so it is never looked for in a search path.
 */
#define FUSE_OVERLAY_PROGRAM "/usr/bin/fuse-overlayfs"

/* A new connection (@ret_dev, for the program that serves it; it ends when no copy of that is open) and its detached
 * mount, with permissions checked by the kernel and access for all users. Whoever touches the mount waits for the
 * program. @source: what /proc/mounts shows. Returns the mount's descriptor or -errno; @log as in mountfd_new().
 * Privilege: CAP_SYS_ADMIN. */
int fuse_mount(const char *source, uint32_t attrs, int *ret_dev, char *log, size_t log_size);
