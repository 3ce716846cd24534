/* info.h - what this engine and this machine are: docker's Info document. */
#pragma once

#include "codec/json.h"
#include "engine/engine.h"

struct info_options {
        const char *version;   /* of hod */
        char *const *insecure; /* registries: host[:port] or CIDR; may be NULL */
        char *const *mirrors;  /* of docker.io, URLs; may be NULL */
};
/* docker's members in docker's order, as far as there is something to say.
 * Errors: ERR_SYS, ERR_UNSUPPORTED (a storage driver was asked for that does not work here). */
MUST_USE err *info_document(struct engine *e, const struct info_options *o, json **ret);
