/* zstd.c - see zstd.h. */
#include "codec/zstd.h"

#include <pthread.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "codec/loader.h"

/* What `zstd -d` and containerd accept without being asked: RFC 8878 recommends 8 MB, level 22 and --long use 128 MB.
 */
#define WINDOW_LOG_MAX 27

static struct {
        ZSTD_DCtx *(*dctx_new)(void);
        size_t (*dctx_free)(ZSTD_DCtx *ctx);
        size_t (*dctx_set)(ZSTD_DCtx *ctx, ZSTD_dParameter param, int value);
        size_t (*decompress)(ZSTD_DCtx *ctx, ZSTD_outBuffer *out, ZSTD_inBuffer *in);
        ZSTD_CCtx *(*cctx_new)(void);
        size_t (*cctx_free)(ZSTD_CCtx *ctx);
        size_t (*cctx_set)(ZSTD_CCtx *ctx, ZSTD_cParameter param, int value);
        size_t (*compress)(ZSTD_CCtx *ctx, ZSTD_outBuffer *out, ZSTD_inBuffer *in, ZSTD_EndDirective end);
        unsigned (*is_error)(size_t code);
        const char *(*error_name)(size_t code);
        ZSTD_ErrorCode (*error_code)(size_t code);
        bool loaded;
} zstd;

static void zstd_load(void)
{
        void *lib = loader_open("libzstd.so.1");

        if (!lib)
                return;
        *(void **)&zstd.dctx_new = loader_symbol(lib, "ZSTD_createDCtx");
        *(void **)&zstd.dctx_free = loader_symbol(lib, "ZSTD_freeDCtx");
        *(void **)&zstd.dctx_set = loader_symbol(lib, "ZSTD_DCtx_setParameter");
        *(void **)&zstd.decompress = loader_symbol(lib, "ZSTD_decompressStream");
        *(void **)&zstd.cctx_new = loader_symbol(lib, "ZSTD_createCCtx");
        *(void **)&zstd.cctx_free = loader_symbol(lib, "ZSTD_freeCCtx");
        *(void **)&zstd.cctx_set = loader_symbol(lib, "ZSTD_CCtx_setParameter");
        *(void **)&zstd.compress = loader_symbol(lib, "ZSTD_compressStream2");
        *(void **)&zstd.is_error = loader_symbol(lib, "ZSTD_isError");
        *(void **)&zstd.error_name = loader_symbol(lib, "ZSTD_getErrorName");
        *(void **)&zstd.error_code = loader_symbol(lib, "ZSTD_getErrorCode");
        zstd.loaded = zstd.dctx_new && zstd.dctx_free && zstd.dctx_set && zstd.decompress && zstd.cctx_new &&
                      zstd.cctx_free && zstd.cctx_set && zstd.compress && zstd.is_error && zstd.error_name &&
                      zstd.error_code;
}

bool zstd_available(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        (void)pthread_once(&once, zstd_load);
        return zstd.loaded;
}

static err *need_zstd(void)
{
        if (zstd_available())
                return NULL;
        return err_new(ERR_UNSUPPORTED, "zstd needs libzstd.so.1 (Debian package libzstd1)");
}

struct unzstd {
        struct stream stream;
        struct stream *below;
        ZSTD_DCtx *ctx;
        size_t want; /* 0: a frame has just ended */
        bool any, padding, below_ended;
        ZSTD_inBuffer in;
        unsigned char buf[STREAM_CHUNK];
};

static err *unzstd_fill(struct unzstd *z)
{
        size_t n;

        if (z->in.pos < z->in.size || z->below_ended)
                return NULL;
        TRY(stream_read(z->below, z->buf, sizeof(z->buf), &n));
        z->in = (ZSTD_inBuffer){z->buf, n, 0};
        z->below_ended = n == 0;
        return NULL;
}

/* Zeros behind the last frame are padding; returns ERR_CORRUPT when something follows them. */
static err *skip_padding(struct unzstd *z)
{
        if (z->want || !z->any)
                return NULL;
        while (z->in.pos < z->in.size && z->buf[z->in.pos] == 0) {
                z->in.pos++;
                z->padding = true;
        }
        if (z->padding && z->in.pos < z->in.size)
                return err_new(ERR_CORRUPT, "zstd: garbage behind the compressed data");
        return NULL;
}

static err *unzstd_read(struct stream *stream, void *data, size_t size, size_t *ret)
{
        struct unzstd *z = (struct unzstd *)stream;
        ZSTD_outBuffer out = {data, size, 0};

        while (out.pos == 0) {
                size_t before, r;

                TRY(unzstd_fill(z));
                TRY(skip_padding(z));
                if (z->in.pos == z->in.size && !z->want && z->any) {
                        if (z->below_ended)
                                break;
                        continue;
                }
                before = z->in.pos;
                r = zstd.decompress(z->ctx, &out, &z->in);
                if (zstd.is_error(r)) {
                        if (zstd.error_code(r) == ZSTD_error_frameParameter_windowTooLarge)
                                return err_new(ERR_LIMIT, "zstd: the data needs a window of more than 128 MB");
                        if (zstd.error_code(r) == ZSTD_error_prefix_unknown && z->any && !z->want)
                                return err_new(ERR_CORRUPT, "zstd: garbage behind the compressed data");
                        return err_new(ERR_CORRUPT, "zstd: damaged data: %s", zstd.error_name(r));
                }
                z->want = r;
                if (r == 0)
                        z->any = true;
                else if (out.pos == 0 && z->below_ended && z->in.pos == before)
                        return err_new(ERR_CORRUPT, "zstd: the data is truncated");
        }
        *ret = out.pos;
        return NULL;
}

static void unzstd_free(struct stream *stream)
{
        struct unzstd *z = (struct unzstd *)stream;

        (void)zstd.dctx_free(z->ctx);
        stream_free(z->below);
        free(z);
}

err *stream_open_unzstd(struct stream *below, struct stream **ret)
{
        struct unzstd *z;

        TRY(need_zstd());
        z = malloc(sizeof(*z));
        if (!z)
                return err_nomem();
        memset(z, 0, offsetof(struct unzstd, buf));
        z->stream = (struct stream){unzstd_read, unzstd_free};
        z->ctx = zstd.dctx_new();
        if (!z->ctx || zstd.is_error(zstd.dctx_set(z->ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
                (void)zstd.dctx_free(z->ctx);
                free(z);
                return err_nomem();
        }
        z->want = 1;
        z->below = below;
        *ret = &z->stream;
        return NULL;
}

struct zstd_sink {
        struct sink sink;
        struct sink *below;
        ZSTD_CCtx *ctx;
        unsigned char out[STREAM_CHUNK];
};

static err *zstd_run(struct zstd_sink *z, const void *data, size_t size, ZSTD_EndDirective end)
{
        ZSTD_inBuffer in = {data, size, 0};
        size_t r;

        do {
                ZSTD_outBuffer out = {z->out, sizeof(z->out), 0};

                r = zstd.compress(z->ctx, &out, &in, end);
                if (zstd.is_error(r))
                        return err_new(ERR_INTERNAL, "libzstd failed to compress: %s", zstd.error_name(r));
                if (out.pos)
                        TRY(sink_write(z->below, z->out, out.pos));
        } while (in.pos < in.size || (end == ZSTD_e_end && r));
        return NULL;
}

static err *zstd_write(struct sink *sink, const void *data, size_t size)
{
        return zstd_run((struct zstd_sink *)sink, data, size, ZSTD_e_continue);
}

static err *zstd_finish(struct sink *sink)
{
        struct zstd_sink *z = (struct zstd_sink *)sink;

        TRY(zstd_run(z, "", 0, ZSTD_e_end));
        return sink_finish(z->below);
}

static void zstd_free(struct sink *sink)
{
        struct zstd_sink *z = (struct zstd_sink *)sink;

        (void)zstd.cctx_free(z->ctx);
        sink_free(z->below);
        free(z);
}

err *sink_open_zstd(struct sink *below, int level, struct sink **ret)
{
        struct zstd_sink *z;

        if (level < 0 || level > 19)
                return err_new(ERR_INVALID, "zstd level %d is not in 1..19", level);
        TRY(need_zstd());
        z = malloc(sizeof(*z));
        if (!z)
                return err_nomem();
        z->sink = (struct sink){zstd_write, zstd_finish, zstd_free};
        z->ctx = zstd.cctx_new();
        if (!z->ctx || zstd.is_error(zstd.cctx_set(z->ctx, ZSTD_c_compressionLevel, level ? level : 3)) ||
            zstd.is_error(zstd.cctx_set(z->ctx, ZSTD_c_checksumFlag, 1))) {
                (void)zstd.cctx_free(z->ctx);
                free(z);
                return err_nomem();
        }
        z->below = below;
        *ret = &z->sink;
        return NULL;
}
