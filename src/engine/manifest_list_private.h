/* manifest_list_private.h - between the files of manifest_list. */
#pragma once

#include "engine/manifest_list.h"
#include "engine/source.h"

/* What is kept of an image. ERR_INVALID: it is a list. */
MUST_USE err *manifest_list_member(struct source *s, const char *full, json **ret);
/* ERR_NOT_FOUND "no such manifest: x". */
MUST_USE err *manifest_list_fetch(const char *name, const struct registry_options *o, struct source **ret,
                                  char **ret_full);
/* A list that is here. ERR_NOT_FOUND. */
MUST_USE err *manifest_list_load(struct engine *e, const char *name, json **ret, char **ret_full);
/* Its member by a person's name for it; NULL; borrowed. */
json *manifest_list_find(const json *list, const char *name);
/* The manifest list, or index, that is pushed. */
MUST_USE err *manifest_list_document(const json *list, struct document *ret);
