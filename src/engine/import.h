/* import.h - images from root file systems that lie elsewhere. Programs that can load libraries only (codec/loader.h).
 */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "store/image.h"

/* image_import() of what a GET of @url (http, https) gives; it is read as it comes. Proxies and certificates as for
 * registries, redirects never from https to http. Nothing of @i but .fd and .from is changed.
 * ERR_NETWORK, ERR_NOT_FOUND and its like by the server's status, and those of image_import(). */
MUST_USE err *import_url(struct engine *e, const char *url, const struct image_import *i, char **ret_id);
