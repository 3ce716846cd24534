/* names.h - names of containers, images and volumes for shell completion. */
#pragma once

#include "base/opt.h"

/* An opt_names_fn; @data is a struct invocation after config_load(). Without an engine nothing is offered. */
MUST_USE err *names_complete(void *data, enum opt_complete kind, char ***list);
