/* pull_policy.h - run and create: --pull, --platform, -q. The pull is done by the program that can load libraries, so
 * that a run whose image is here pays nothing for it. */
#pragma once

#include "base/opt.h"
#include "engine/create.h"

/* create_container() with the image pulled before or when it is missing, as inv->args, which begin with a struct
 * create_args, say. Lines go to stderr. Errors: also those of a pull; ERR_INVALID "invalid pull option: ...". */
MUST_USE err *pull_policy_create(const struct invocation *inv, struct engine *e, struct create_options *o,
                                 struct container **ret, char ***warnings);
