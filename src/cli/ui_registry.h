/* ui_registry.h - how registries are reached, from the environment and the global flags. */
#pragma once

#include "base/opt.h"
#include "registry/client.h"

/* What the command's own flags say (push, creds, auth_file, cert_dir) is the caller's to add; tls_verify is -1. */
void ui_registry(const struct invocation *inv, struct registry_options *ret);
