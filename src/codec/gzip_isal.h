/* gzip_isal.h - ISA-L, loaded at first use; shared by gunzip.c and gzip.c only. */
#pragma once

#include <isa-l/igzip_lib.h>

struct isal {
        void (*inflate_init)(struct inflate_state *state);
        void (*inflate_reset)(struct inflate_state *state);
        int (*inflate)(struct inflate_state *state);
        void (*deflate_init)(struct isal_zstream *stream);
        int (*deflate)(struct isal_zstream *stream);
};

/* NULL when it is not installed or switched off. */
const struct isal *gzip_isal(void);
