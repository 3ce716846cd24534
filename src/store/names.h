/* names.h - names for containers that were given none: an adjective and somebody worth reading about. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* "patient_hopper"; with @digits a number follows, for when names are running out. Owned by the caller. */
MUST_USE err *names_generate(bool digits, char **ret);
