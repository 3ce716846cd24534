/* overlay.h - the ways to stack layers; runtime_overlay_open() takes the first one that this kernel has. */
#pragma once

#include "runtime/runtime.h"

enum overlay_way {
        OVERLAY_BY_LAYERS, /* fsconfig("lowerdir+"), one layer each: Linux 6.8 */
        OVERLAY_BY_LIST,   /* fsconfig("lowerdir"): at most 255 bytes */
        OVERLAY_BY_MOUNT,  /* mount(2) in a helper with its own mount namespace: one page of options */
};

/* Open @o in this way. A descriptor or -errno; @log (LOG_MAX of overlay.c) gets the kernel's words; @ret_known is false
 * if the kernel does not know the way at all. For tests; everybody else calls runtime_overlay_open(). */
#define OVERLAY_LOG_MAX 512
int overlay_open_by(enum overlay_way way, const struct runtime_overlay *o, char log[OVERLAY_LOG_MAX], bool *ret_known);
