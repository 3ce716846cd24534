/* mounts.h - resolve what the user wants mounted: binds (-v), --mount, the image's volumes. Named volumes are made,
 * missing bind sources (only of -v) created with their parents, volumes filled from the image. */
#pragma once

#include "base/err.h"
#include "codec/json.h"
#include "engine/engine.h"
#include "store/snapshot.h"

/* Give @record its "Mounts" list (docker's shape) from Config.Volumes and HostConfig. Volumes and directories that
 * were made are listed in @made (owned) so that mounts_undo() can take them back.
 * Errors: ERR_INVALID in docker's words, ERR_SYS. */
struct mounts_made {
        char **volumes;
        int marker; /* of pending_begin() */
};
void mounts_made_done(struct mounts_made *m);
MUST_USE err *mounts_resolve(struct engine *e, json *record, struct mounts_made *made);
void mounts_undo(struct engine *e, struct mounts_made *made);

/* Copy the image's content into the record's volumes that are empty and want it. @snap: the container's, still as the
 * image is. */
MUST_USE err *mounts_populate(struct engine *e, const json *record, const struct snapshot *snap);
