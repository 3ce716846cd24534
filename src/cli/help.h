/* help.h - help texts on a stream. */
#pragma once

#include <stdio.h>

#include "base/opt.h"

/* --help of what @inv chose, as wide as the terminal. */
MUST_USE err *help_print(const struct invocation *inv, FILE *to);
