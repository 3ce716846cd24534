/* xz.c - see xz.h. */
#include "codec/xz.h"

#include <lzma.h>
#include <pthread.h>
#include <string.h>

#include "codec/loader.h"

/* The dictionary and what the decoder needs beside it. */
#define MEMORY_MAX ((128u << 20) + (1u << 20))

static struct {
        lzma_ret (*decoder)(lzma_stream *s, uint64_t memlimit, uint32_t flags);
        lzma_ret (*code)(lzma_stream *s, lzma_action action);
        void (*end)(lzma_stream *s);
        bool loaded;
} xz;

static void xz_load(void)
{
        void *lib = loader_open("liblzma.so.5");

        if (!lib)
                return;
        *(void **)&xz.decoder = loader_symbol(lib, "lzma_stream_decoder");
        *(void **)&xz.code = loader_symbol(lib, "lzma_code");
        *(void **)&xz.end = loader_symbol(lib, "lzma_end");
        xz.loaded = xz.decoder && xz.code && xz.end;
}

bool xz_available(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        (void)pthread_once(&once, xz_load);
        return xz.loaded;
}

struct unxz {
        struct stream stream;
        struct stream *below;
        lzma_stream lzma;
        bool inside; /* a stream has begun and not ended */
        bool any;    /* one has ended */
        bool below_ended;
        unsigned padding; /* zeros since then: a multiple of four before another stream */
        unsigned char buf[STREAM_CHUNK];
};

static err *unxz_fill(struct unxz *x)
{
        size_t n;

        if (x->lzma.avail_in || x->below_ended)
                return NULL;
        TRY(stream_read(x->below, x->buf, sizeof(x->buf), &n));
        x->lzma.next_in = x->buf;
        x->lzma.avail_in = n;
        x->below_ended = n == 0;
        return NULL;
}

static err *unxz_begin(struct unxz *x)
{
        if (x->padding % 4)
                return err_new(ERR_CORRUPT, "xz: garbage behind the compressed data");
        if (xz.decoder(&x->lzma, MEMORY_MAX, LZMA_TELL_UNSUPPORTED_CHECK) != LZMA_OK)
                return err_nomem();
        x->inside = true;
        x->padding = 0;
        return NULL;
}

static void skip_padding(struct unxz *x)
{
        while (x->any && x->lzma.avail_in && *x->lzma.next_in == 0) {
                x->lzma.next_in++;
                x->lzma.avail_in--;
                x->padding++;
        }
}

static err *unxz_error(const struct unxz *x, lzma_ret r)
{
        switch (r) {
        case LZMA_MEM_ERROR:
                return err_nomem();
        case LZMA_MEMLIMIT_ERROR:
                return err_new(ERR_LIMIT, "xz: the data needs a dictionary of more than 128 MB");
        case LZMA_FORMAT_ERROR:
                return err_new(ERR_CORRUPT, x->any ? "xz: garbage behind the compressed data"
                                                   : "xz: damaged data: not the beginning of an xz file");
        case LZMA_OPTIONS_ERROR:
        case LZMA_UNSUPPORTED_CHECK:
                return err_new(ERR_CORRUPT, "xz: damaged data: filters or checks that do not exist");
        default:
                return err_new(ERR_CORRUPT, "xz: damaged data");
        }
}

static err *unxz_code(struct unxz *x)
{
        size_t in = x->lzma.avail_in, out = x->lzma.avail_out;
        lzma_ret r = xz.code(&x->lzma, LZMA_RUN);

        if (r == LZMA_STREAM_END) {
                x->inside = false;
                x->any = true;
                return NULL;
        }
        if (r != LZMA_OK && r != LZMA_BUF_ERROR)
                return unxz_error(x, r);
        if (!x->below_ended || x->lzma.avail_in != in || x->lzma.avail_out != out)
                return NULL;
        /* Less than a header is not looked at. */
        if (x->any && x->lzma.total_in < LZMA_STREAM_HEADER_SIZE)
                return unxz_error(x, LZMA_FORMAT_ERROR);
        return err_new(ERR_CORRUPT, "xz: the data is truncated");
}

static err *unxz_read(struct stream *stream, void *data, size_t size, size_t *ret)
{
        struct unxz *x = (struct unxz *)stream;

        x->lzma.next_out = data;
        x->lzma.avail_out = size;
        while (x->lzma.avail_out == size) {
                TRY(unxz_fill(x));
                if (!x->inside) {
                        skip_padding(x);
                        if (!x->lzma.avail_in && x->any) {
                                if (x->below_ended)
                                        break;
                                continue;
                        }
                        TRY(unxz_begin(x));
                }
                TRY(unxz_code(x));
        }
        *ret = size - x->lzma.avail_out;
        return NULL;
}

static void unxz_free(struct stream *stream)
{
        struct unxz *x = (struct unxz *)stream;

        xz.end(&x->lzma);
        stream_free(x->below);
        free(x);
}

err *stream_open_unxz(struct stream *below, struct stream **ret)
{
        struct unxz *x;

        if (!xz_available())
                return err_new(ERR_UNSUPPORTED, "xz needs liblzma.so.5 (Debian package liblzma5)");
        x = malloc(sizeof(*x));
        if (!x)
                return err_nomem();
        memset(x, 0, offsetof(struct unxz, buf));
        x->stream = (struct stream){unxz_read, unxz_free};
        x->below = below;
        *ret = &x->stream;
        return NULL;
}
