/* json_private.h - between json.c and json_print.c. */
#pragma once

#include <stdbool.h>

/* json-c has a type of the name that is a function of ours. */
#define json_bool json_c_bool
#include <json-c/json.h>
#undef json_bool

/* An allocation failed while a document was built: it must not be printed. */
extern bool json_building_failed;
