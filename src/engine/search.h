/* search.h - search in the index of a registry. Nothing here needs the store. */
#pragma once

#include "base/err.h"
#include "codec/json.h"
#include "registry/client.h"

struct search_options {
        const char *term; /* "[registry/]text" */
        unsigned limit;   /* 1..100, 0 = 25 */
        char **filters;   /* is-official=BOOL, is-automated=BOOL, stars=N */
        struct registry_options registry;
};
/* Array of objects as the index has them (name, description, star_count, is_official, is_automated), most stars first.
 * ERR_INVALID (limit, filter, term). */
MUST_USE err *search_index(const struct search_options *o, json **ret);
