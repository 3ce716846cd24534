/* Decompression of xz and bzip2, each given every input. */
#include <stdlib.h>

#include "codec/stream.h"

static err *expand(const uint8_t *data, size_t size, err *(*open)(struct stream *, struct stream **))
{
        _cleanup_(stream_freep) struct stream *a = NULL, *b = NULL, *c = NULL;

        TRY(stream_open_memory(data, size, &a));
        TRY(open(a, &b));
        a = NULL;
        TRY(stream_open_limit(b, 4u << 20, "the data", &c));
        b = NULL;
        return stream_drain(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        err_free(expand(data, size, stream_open_unxz));
        err_free(expand(data, size, stream_open_unbzip2));
        return 0;
}
