/* gzip.c - the deflating stage, and the loader of ISA-L. See stream.h and gzip.h. */
#include "codec/gzip.h"
#include "codec/gzip_isal.h"
#include "codec/loader.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <zlib.h>

#define ISAL_LEVELS 3 /* of those that gzip has, too */

static struct isal isal;
static bool isal_loaded, zlib_only;

static void isal_load(void)
{
        void *lib = loader_open("libisal.so.2");

        if (!lib)
                return;
        *(void **)&isal.inflate_init = loader_symbol(lib, "isal_inflate_init");
        *(void **)&isal.inflate_reset = loader_symbol(lib, "isal_inflate_reset");
        *(void **)&isal.inflate = loader_symbol(lib, "isal_inflate");
        *(void **)&isal.deflate_init = loader_symbol(lib, "isal_deflate_init");
        *(void **)&isal.deflate = loader_symbol(lib, "isal_deflate");
        *(void **)&isal.deflate_set_dict = loader_symbol(lib, "isal_deflate_set_dict");
        isal_loaded = isal.inflate_init && isal.inflate_reset && isal.inflate && isal.deflate_init && isal.deflate &&
                      isal.deflate_set_dict;
}

const struct isal *gzip_isal(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        if (zlib_only)
                return NULL;
        (void)pthread_once(&once, isal_load);
        return isal_loaded ? &isal : NULL;
}

void gzip_use_zlib(bool on)
{
        zlib_only = on;
}

const char *gzip_library(void)
{
        return gzip_isal() ? "isa-l" : "zlib";
}

struct gzip {
        struct sink sink;
        struct sink *below;
        const struct isal *isal; /* NULL: zlib */
        struct isal_zstream *stream;
        void *level_buf;
        z_stream z;
        unsigned char out[STREAM_CHUNK];
};

/* Compress @size bytes, or with @end what is left; pass on whatever comes out. */
static err *run_isal(struct gzip *g, const void *data, size_t size, bool end)
{
        struct isal_zstream *s = g->stream;

        s->next_in = (uint8_t *)data; /* only read */
        s->avail_in = (uint32_t)size;
        s->end_of_stream = end;
        do {
                int r;

                s->next_out = g->out;
                s->avail_out = sizeof(g->out);
                r = g->isal->deflate(s);
                if (r != COMP_OK)
                        return err_new(ERR_INTERNAL, "ISA-L failed to compress (%d)", r);
                if (s->avail_out < sizeof(g->out))
                        TRY(sink_write(g->below, g->out, sizeof(g->out) - s->avail_out));
        } while (s->avail_in || s->avail_out == 0 || (end && s->internal_state.state != ZSTATE_END));
        return NULL;
}

static err *run_zlib(struct gzip *g, const void *data, size_t size, bool end)
{
        int r;

        g->z.next_in = (unsigned char *)data;
        g->z.avail_in = (uInt)size;
        do {
                g->z.next_out = g->out;
                g->z.avail_out = sizeof(g->out);
                r = deflate(&g->z, end ? Z_FINISH : Z_NO_FLUSH);
                if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
                        return err_new(ERR_INTERNAL, "zlib failed to compress (%d)", r);
                if (g->z.avail_out < sizeof(g->out))
                        TRY(sink_write(g->below, g->out, sizeof(g->out) - g->z.avail_out));
        } while (g->z.avail_in || g->z.avail_out == 0 || (end && r != Z_STREAM_END));
        return NULL;
}

static err *gzip_write(struct sink *sink, const void *data, size_t size)
{
        struct gzip *g = (struct gzip *)sink;
        const unsigned char *p = data;

        while (size) {
                size_t n = size < INT_MAX ? size : INT_MAX;

                TRY(g->isal ? run_isal(g, p, n, false) : run_zlib(g, p, n, false));
                p += n;
                size -= n;
        }
        return NULL;
}

static err *gzip_finish(struct sink *sink)
{
        struct gzip *g = (struct gzip *)sink;

        TRY(g->isal ? run_isal(g, "", 0, true) : run_zlib(g, "", 0, true));
        return sink_finish(g->below);
}

static void gzip_free(struct sink *sink)
{
        struct gzip *g = (struct gzip *)sink;

        if (!g->isal)
                (void)deflateEnd(&g->z);
        free(g->stream);
        free(g->level_buf);
        sink_free(g->below);
        free(g);
}

/* ---- what gzip_wide.c needs, too ---- */

err *gzip_check_level(int level)
{
        return level < 0 || level > 9 ? err_new(ERR_INVALID, "gzip level %d is not in 1..9", level) : NULL;
}

const struct isal *gzip_isal_for(int level)
{
        /* Who asks for more than ISA-L's levels wants it smaller than that can make it, and waits for it. */
        return level <= ISAL_LEVELS ? gzip_isal() : NULL;
}

int gzip_zlib_level(int level)
{
        return level ? level : 4;
}

static const uint32_t isal_sizes[] = {ISAL_DEF_LVL0_DEFAULT, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
                                      ISAL_DEF_LVL3_DEFAULT};

err *gzip_isal_new(int level, struct isal_zstream **ret, void **ret_buf)
{
        struct isal_zstream *s = malloc(sizeof(*s));
        void *buf = malloc(isal_sizes[level ? level : ISAL_LEVELS]);

        if (!s || !buf) {
                free(s);
                free(buf);
                return err_nomem();
        }
        *ret = s;
        *ret_buf = buf;
        return NULL;
}

void gzip_isal_begin(const struct isal *library, struct isal_zstream *s, int level, void *buf)
{
        unsigned l = level ? (unsigned)level : ISAL_LEVELS;

        library->deflate_init(s);
        s->level = l;
        s->level_buf = buf;
        s->level_buf_size = isal_sizes[l];
}

/* ---- */

static err *start_isal(struct gzip *g, int level)
{
        TRY(gzip_isal_new(level, &g->stream, &g->level_buf));
        gzip_isal_begin(g->isal, g->stream, level, g->level_buf);
        g->stream->gzip_flag = IGZIP_GZIP;
        g->stream->flush = NO_FLUSH;
        return NULL;
}

err *sink_open_gzip(struct sink *below, int level, struct sink **ret)
{
        struct gzip *g;
        err *e = NULL;

        TRY(gzip_check_level(level));
        g = malloc(sizeof(*g));
        if (!g)
                return err_nomem();
        memset(g, 0, offsetof(struct gzip, out));
        g->sink = (struct sink){gzip_write, gzip_finish, gzip_free};
        g->isal = gzip_isal_for(level);
        if (g->isal)
                e = start_isal(g, level);
        else if (deflateInit2(&g->z, gzip_zlib_level(level), Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
                e = err_nomem();
        if (e) {
                free(g);
                return e;
        }
        g->below = below;
        *ret = &g->sink;
        return NULL;
}
