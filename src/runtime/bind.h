/* bind.h - what a bind mount gets before anybody sees it. Used by the parent and between clone and exec: only system
 * calls. */
#pragma once

#include "runtime/plan.h"

/* Clone what @path below @dirfd names, as @m wants it: recursively or not, the symlink itself or its target.
 * A descriptor or -errno. */
int bind_clone(int dirfd, const char *path, const struct plan_mount *m);
/* Map the ids of the detached tree @fd (if @m->idmap_fd says so). Needs CAP_SYS_ADMIN over the file system. */
int bind_idmap(int fd, const struct plan_mount *m);
/* Attributes, those of the tree below, propagation. 0 or -errno, with what failed in @ret_what. */
int bind_finish(int fd, const struct plan_mount *m, const char **ret_what);
/* Only the last of it. */
int bind_propagation(int fd, const struct plan_mount *m);
