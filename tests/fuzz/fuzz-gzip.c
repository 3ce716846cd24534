/* Decompression: both gzip libraries and zstd, by magic number. Where both gzip libraries accept, they agree. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "codec/gzip.h"

static err *expand(const uint8_t *data, size_t size, bool use_zlib, struct str *out)
{
        _cleanup_(stream_freep) struct stream *a = NULL, *b = NULL, *c = NULL;
        char buf[5000];
        size_t n;

        gzip_use_zlib(use_zlib);
        TRY(stream_open_memory(data, size, &a));
        TRY(stream_open_auto(a, NULL, &b));
        a = NULL;
        TRY(stream_open_limit(b, 4u << 20, "the data", &c));
        b = NULL;
        for (;;) {
                TRY(stream_read(c, buf, sizeof(buf), &n));
                if (!n)
                        return NULL;
                str_add_n(out, buf, n);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_str_ struct str isal = {0}, zlib = {0};
        err *e = expand(data, size, false, &isal), *f = expand(data, size, true, &zlib);

        if (!e && !f && (isal.len != zlib.len || (isal.len && memcmp(isal.data, zlib.data, isal.len) != 0)))
                abort();
        err_free(e);
        err_free(f);
        return 0;
}
