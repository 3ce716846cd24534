/* gzip_isal.h - ISA-L, loaded at first use, and what gunzip.c, gzip.c and gzip_wide.c share; only for these. */
#pragma once

#include <isa-l/igzip_lib.h>

#include "base/err.h"

struct isal {
        void (*inflate_init)(struct inflate_state *state);
        void (*inflate_reset)(struct inflate_state *state);
        int (*inflate)(struct inflate_state *state);
        void (*deflate_init)(struct isal_zstream *stream);
        int (*deflate)(struct isal_zstream *stream);
        int (*deflate_set_dict)(struct isal_zstream *stream, uint8_t *dict, uint32_t size);
};

/* NULL when it is not installed or switched off. */
const struct isal *gzip_isal(void);
/* The same, and NULL also where zlib makes it smaller: @level as for sink_open_gzip(). */
const struct isal *gzip_isal_for(int level);
/* What zlib calls that level. */
int gzip_zlib_level(int level);
MUST_USE err *gzip_check_level(int level);
/* Memory for deflating: both are the caller's. */
MUST_USE err *gzip_isal_new(int level, struct isal_zstream **ret, void **ret_buf);
/* Begin a new stream with it: raw, gzip and flush are the caller's to set. */
void gzip_isal_begin(const struct isal *library, struct isal_zstream *s, int level, void *buf);
