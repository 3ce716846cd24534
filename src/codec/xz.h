/* xz.h - decompression of .xz by liblzma.so.5, loaded at first use. */
#pragma once

#include <stdbool.h>

#include "codec/stream.h"

/* Also in stream.h:
 * MUST_USE err *stream_open_unxz(struct stream *below, struct stream **ret);
 * A dictionary above 128 MB (xz -9 makes 64 MB) is ERR_LIMIT: the memory is used before a byte comes out. */

/* Is the library there (loader.h)? */
bool xz_available(void);
