/* gzip.h - gzip (RFC 1952) stages for stream.h: ISA-L when libisal.so.2 can be loaded (2.4 times zlib's speed in, more
 * out), else zlib, which is linked statically. */
#pragma once

#include "codec/stream.h"

/* Also in stream.h:
 * MUST_USE err *stream_open_gunzip(struct stream *below, struct stream **ret);
 * MUST_USE err *sink_open_gzip(struct sink *below, int level, struct sink **ret);  level 1..9, 0 = default */

/* The same on several processors: @helpers threads (at most 3; -1: as many as there are other processors) while it
 * lives, which take work from the writer. It does without those that cannot be had, and gives the same bytes whoever
 * makes them, though not those of sink_open_gzip(). For large layers, where reading them is not what takes long: some
 * 1 MB of memory for each who works. */
MUST_USE err *sink_open_gzip_wide(struct sink *below, int level, int helpers, struct sink **ret);

/* Never load ISA-L: for tests and measurements. */
void gzip_use_zlib(bool on);
/* "isa-l" or "zlib": what the next stage will use. */
const char *gzip_library(void);
