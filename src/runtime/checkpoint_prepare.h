/* checkpoint_prepare.h - the root file system as criu needs it: with all mount points. */
#pragma once

#include "runtime/checkpoint.h"

/* Make the mount points that are missing in the root file system @tree (a detached clone, used up), as create does,
 * also those inside bind mounts. It happens in a mount namespace of its own, with @tree over @place: nothing stays
 * mounted.
 * @ret_places: for each mount of the spec where it is, relative to the root with symlinks followed, or "": not known
 * (inside of a file system that only criu makes). Owned by the caller. */
MUST_USE err *checkpoint_prepare(const struct checkpoint_container *c, int tree, const char *place, char ***ret_places);
