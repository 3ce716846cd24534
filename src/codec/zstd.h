/* zstd.h - Zstandard (RFC 8878) stages for stream.h, by libzstd.so.1 loaded at first use. */
#pragma once

#include "codec/stream.h"

/* Also in stream.h:
 * MUST_USE err *stream_open_unzstd(struct stream *below, struct stream **ret);
 * MUST_USE err *sink_open_zstd(struct sink *below, int level, struct sink **ret);  level 1..19, 0 = default
 * Skippable frames (zstd:chunked, pzstd) are skipped; a window above 128 MB is ERR_LIMIT. */

/* Is the library there (loader.h)? */
bool zstd_available(void);
