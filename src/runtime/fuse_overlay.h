/* fuse_overlay.h - the overlay of fuse-overlayfs(1), as a detached mount like the kernel's.
 *
 * The program is started here, by absolute path, as a process of its own (own session, nothing of ours open but the
 * connection and the layers). Nobody mounts or unmounts on the host: the mount is a descriptor, then in the container's
 * mount namespace, and when its last user is gone the kernel ends the connection and the program with it, whoever of
 * us may have been killed before. If the program dies, the container sees ENOTCONN until it is started again. */
#pragma once

#include "runtime/runtime.h"

/* Errors as runtime_overlay_open(); ERR_UNSUPPORTED: no program, no /dev/fuse. */
MUST_USE err *fuse_overlay_open(const struct runtime_overlay *o, int *ret_fd);
