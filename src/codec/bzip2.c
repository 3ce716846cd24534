/* bzip2.c - see bzip2.h. */
#include "codec/bzip2.h"

#include <bzlib.h>
#include <pthread.h>
#include <string.h>

#include "codec/loader.h"

static struct {
        int (*init)(bz_stream *s, int verbosity, int small);
        int (*decompress)(bz_stream *s);
        int (*end)(bz_stream *s);
        bool loaded;
} bz;

static void bzip2_load(void)
{
        void *lib = loader_open("libbz2.so.1.0");

        if (!lib)
                return;
        *(void **)&bz.init = loader_symbol(lib, "BZ2_bzDecompressInit");
        *(void **)&bz.decompress = loader_symbol(lib, "BZ2_bzDecompress");
        *(void **)&bz.end = loader_symbol(lib, "BZ2_bzDecompressEnd");
        bz.loaded = bz.init && bz.decompress && bz.end;
}

bool bzip2_available(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        (void)pthread_once(&once, bzip2_load);
        return bz.loaded;
}

struct unbzip2 {
        struct stream stream;
        struct stream *below;
        bz_stream bz;
        bool inside; /* a stream has begun and not ended */
        bool any;    /* one has ended */
        bool below_ended, padding;
        unsigned char buf[STREAM_CHUNK];
};

static err *unbzip2_fill(struct unbzip2 *b)
{
        size_t n;

        if (b->bz.avail_in || b->below_ended)
                return NULL;
        TRY(stream_read(b->below, b->buf, sizeof(b->buf), &n));
        b->bz.next_in = (char *)b->buf;
        b->bz.avail_in = (unsigned)n;
        b->below_ended = n == 0;
        return NULL;
}

/* Zeros behind the last stream are padding; ERR_CORRUPT when something follows them. */
static err *skip_padding(struct unbzip2 *b)
{
        while (b->any && b->bz.avail_in && *b->bz.next_in == '\0') {
                b->bz.next_in++;
                b->bz.avail_in--;
                b->padding = true;
        }
        return b->padding && b->bz.avail_in ? err_new(ERR_CORRUPT, "bzip2: garbage behind the compressed data") : NULL;
}

static void unbzip2_end(struct unbzip2 *b)
{
        if (b->inside)
                (void)bz.end(&b->bz);
        b->inside = false;
}

/* Keeps the input that is there. */
static err *unbzip2_begin(struct unbzip2 *b)
{
        bz_stream fresh = {.next_in = b->bz.next_in, .avail_in = b->bz.avail_in};

        fresh.next_out = b->bz.next_out;
        fresh.avail_out = b->bz.avail_out;
        b->bz = fresh;
        if (bz.init(&b->bz, 0, 0) != BZ_OK)
                return err_nomem();
        b->inside = true;
        return NULL;
}

static err *unbzip2_code(struct unbzip2 *b)
{
        unsigned in = b->bz.avail_in, out = b->bz.avail_out;
        int r = bz.decompress(&b->bz);

        if (r == BZ_STREAM_END) {
                unbzip2_end(b);
                b->any = true;
                return NULL;
        }
        if (r == BZ_MEM_ERROR)
                return err_nomem();
        if (r == BZ_DATA_ERROR_MAGIC && b->any)
                return err_new(ERR_CORRUPT, "bzip2: garbage behind the compressed data");
        if (r != BZ_OK)
                return err_new(ERR_CORRUPT, "bzip2: damaged data");
        if (b->below_ended && b->bz.avail_in == in && b->bz.avail_out == out)
                return err_new(ERR_CORRUPT, "bzip2: the data is truncated");
        return NULL;
}

static err *unbzip2_read(struct stream *stream, void *data, size_t size, size_t *ret)
{
        struct unbzip2 *b = (struct unbzip2 *)stream;
        unsigned want = size > 1u << 30 ? 1u << 30 : (unsigned)size;

        b->bz.next_out = data;
        b->bz.avail_out = want;
        while (b->bz.avail_out == want) {
                TRY(unbzip2_fill(b));
                if (!b->inside) {
                        TRY(skip_padding(b));
                        if (!b->bz.avail_in && b->any) {
                                if (b->below_ended)
                                        break;
                                continue;
                        }
                        TRY(unbzip2_begin(b));
                }
                TRY(unbzip2_code(b));
        }
        *ret = want - b->bz.avail_out;
        return NULL;
}

static void unbzip2_free(struct stream *stream)
{
        struct unbzip2 *b = (struct unbzip2 *)stream;

        unbzip2_end(b);
        stream_free(b->below);
        free(b);
}

err *stream_open_unbzip2(struct stream *below, struct stream **ret)
{
        struct unbzip2 *b;

        if (!bzip2_available())
                return err_new(ERR_UNSUPPORTED, "bzip2 needs libbz2.so.1.0 (Debian package libbz2-1.0)");
        b = malloc(sizeof(*b));
        if (!b)
                return err_nomem();
        memset(b, 0, offsetof(struct unbzip2, buf));
        b->stream = (struct stream){unbzip2_read, unbzip2_free};
        b->below = below;
        *ret = &b->stream;
        return NULL;
}
