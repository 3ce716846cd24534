/* checkpoint_log.h - what criu has written into its log about a failure. */
#pragma once

#include "runtime/checkpoint.h"

/* Quote the lines with "Error" and a few before each, as runc does, through @o->warn. */
void checkpoint_log_quote(const struct checkpoint_options *o, const char *name);
