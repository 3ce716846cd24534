/* json_node.h - what json.c, json_parse.c and json_print.c share; nobody else includes it. */
#pragma once

#include "codec/json.h"

#define json_bool json_c_bool /* json-c has a type of this name */
#include <json-c/json_object.h>
#include <json-c/linkhash.h>
#undef json_bool

/* An allocation failed while building (see "Building" in json.h). */
extern _Thread_local bool json_build_failed;

/* Length of the UTF-8 sequence at @s < @end (no overlong forms, surrogates or values above 10FFFF), 0 when invalid. */
size_t json_utf8_length(const char *s, const char *end);
