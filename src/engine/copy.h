/* copy.h - an image from one place to another: registries, the store, layouts, archives, directories. Nothing of it is
 * unpacked unless it goes into the store, and nothing is changed. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "codec/digest.h"
#include "engine/engine.h"
#include "engine/progress.h"
#include "registry/client.h"

struct copy_options {
        /* docker://NAME, oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:NAME|:@N], dir:DIR,
         * hod:NAME or NAME (the store) */
        const char *from, *to;
        const char *platform; /* the one to copy of several; NULL = the best for this machine */
        bool all;             /* all of them, with their index */
        struct registry_options from_registry, to_registry;
        const struct progress *progress; /* may be NULL */
};
/* @ret_digest: of the manifest (or index) that was written. ERR_INVALID (no such transport, or one that needs more),
 * and what source.h, parcel.h and ingest.h say. */
MUST_USE err *copy_image(struct engine *e, const struct copy_options *o, struct digest *ret_digest);
