/* bzip2.h - decompression of .bz2 by libbz2.so.1.0, loaded at first use. */
#pragma once

#include <stdbool.h>

#include "codec/stream.h"

/* Also in stream.h:
 * MUST_USE err *stream_open_unbzip2(struct stream *below, struct stream **ret);
 * Needs some 4 MB whatever the input says. */

/* Is the library there (loader.h)? */
bool bzip2_available(void);
