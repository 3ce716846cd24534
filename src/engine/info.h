/* info.h - what this engine and this machine are: docker's Info document. */
#pragma once

#include "codec/json.h"
#include "engine/engine.h"

/* docker's members in docker's order, as far as there is something to say. @version: of hod.
 * Errors: ERR_SYS, ERR_UNSUPPORTED (a storage driver was asked for that does not work here). */
MUST_USE err *info_document(struct engine *e, const char *version, json **ret);
