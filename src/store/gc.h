/* gc.h - finding and removing what crashed commands left behind. Only for files of this layer. */
#pragma once

#include "base/err.h"
#include "store/store.h"

/* First command of a boot: containers' directories without a durable record, unpublished downloads. */
MUST_USE err *gc_after_boot(struct store *s);
/* Remove those of the blobs @digests (may be NULL) that nothing needs any more. Not when somebody reads in the store
 * just now: then they wait for the next gc. */
MUST_USE err *gc_blobs(struct store *s, char *const *digests);
/* Remove from ROOT/tmp what no living process holds; what a dead one was removing only when alone with the store. */
MUST_USE err *gc_tmp(struct store *s);
