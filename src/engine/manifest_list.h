/* manifest_list.h - docker's `manifest` commands: lists of images for several platforms, kept as
 * ROOT/manifests/<hex>.json until they are pushed. Members are images of registries; what is kept of one is its
 * manifest and its platform. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "engine/engine.h"
#include "engine/progress.h"
#include "registry/client.h"

/* Make the list @name of @members, or with @amend add them. @ret_name: in full, owned. ERR_CONFLICT (exists),
 * ERR_NOT_FOUND "no such manifest: x", ERR_INVALID (a member is a list). */
MUST_USE err *manifest_list_create(struct engine *e, const char *name, char *const *members, bool amend,
                                   const struct registry_options *o, char **ret_name);

struct manifest_annotation {
        const char *arch, *os, *os_version, *variant; /* NULL = as it is */
        char *const *os_features;
};
/* Say what platform a member of a list that is here is for. ERR_NOT_FOUND, ERR_INVALID (no such os/arch). */
MUST_USE err *manifest_list_annotate(struct engine *e, const char *name, const char *member,
                                     const struct manifest_annotation *a);

/* @list: of which the member @name is wanted; NULL: @name is a list that is here, or anything in a registry.
 * @ret: text as docker prints it; @verbose with digests and platforms. Owned. */
MUST_USE err *manifest_list_inspect(struct engine *e, const char *list, const char *name, bool verbose,
                                    const struct registry_options *o, char **ret);

/* Push list and members; those of other repositories are copied. @purge: forget the list then. */
MUST_USE err *manifest_list_push(struct engine *e, const char *name, bool purge, const struct registry_options *o,
                                 const struct progress *progress, struct digest *ret);
/* Forget the list. ERR_NOT_FOUND "No such manifest: x". */
MUST_USE err *manifest_list_remove(struct engine *e, const char *name);
