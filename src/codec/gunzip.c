/* gunzip.c - the inflating stage. See stream.h and gzip.h.
 *
 * BETWEEN members -> (1f 8b) -> INSIDE -> (trailer checked) -> BETWEEN; the input's end is good only BETWEEN and after
 * at least one member. After the first zero byte BETWEEN only more zeros may follow. */
#include "codec/gzip.h"
#include "codec/gzip_isal.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

enum step { STEP_OK, STEP_MEMBER_END, STEP_BAD };

struct gunzip {
        struct stream stream;
        struct stream *below;
        const struct isal *isal; /* NULL: zlib */
        struct inflate_state *state;
        z_stream z;
        const char *problem; /* of STEP_BAD */
        const unsigned char *at;
        size_t left; /* input at @at */
        uint64_t members;
        bool inside, padding, below_ended, ended;
        unsigned char in[STREAM_CHUNK];
};

static const char *isal_problem(int r)
{
        switch (r) {
        case ISAL_INVALID_BLOCK:
                return "invalid block";
        case ISAL_INVALID_SYMBOL:
                return "invalid symbol";
        case ISAL_INVALID_LOOKBACK:
                return "reference before the start";
        case ISAL_INVALID_WRAPPER:
                return "invalid header";
        case ISAL_UNSUPPORTED_METHOD:
                return "unknown method";
        case ISAL_INCORRECT_CHECKSUM:
                return "wrong checksum";
        default:
                return "invalid data";
        }
}

static enum step step_isal(struct gunzip *g, unsigned char *out, size_t size, size_t *ret)
{
        struct inflate_state *s = g->state;
        int r;

        s->next_in = (uint8_t *)g->at; /* only read; the type lacks the const */
        s->avail_in = (uint32_t)g->left;
        s->next_out = out;
        s->avail_out = (uint32_t)size;
        r = g->isal->inflate(s);
        g->at = s->next_in;
        g->left = s->avail_in;
        *ret = size - s->avail_out;
        if (r < 0 || r == ISAL_NEED_DICT) {
                g->problem = isal_problem(r);
                return STEP_BAD;
        }
        return s->block_state == ISAL_BLOCK_FINISH ? STEP_MEMBER_END : STEP_OK;
}

static enum step step_zlib(struct gunzip *g, unsigned char *out, size_t size, size_t *ret)
{
        int r;

        g->z.next_in = (unsigned char *)g->at;
        g->z.avail_in = (uInt)g->left;
        g->z.next_out = out;
        g->z.avail_out = (uInt)size;
        r = inflate(&g->z, Z_NO_FLUSH);
        g->at = g->z.next_in;
        g->left = g->z.avail_in;
        *ret = size - g->z.avail_out;
        if (r == Z_STREAM_END)
                return STEP_MEMBER_END;
        if (r == Z_OK || r == Z_BUF_ERROR)
                return STEP_OK;
        g->problem = g->z.msg ? g->z.msg : "invalid data";
        return STEP_BAD;
}

static err *fill(struct gunzip *g)
{
        size_t n;

        if (g->left || g->below_ended)
                return NULL;
        TRY(stream_read(g->below, g->in, sizeof(g->in), &n));
        g->at = g->in;
        g->left = n;
        g->below_ended = n == 0;
        return NULL;
}

/* Is the member's header (RFC 1952, 2.3) complete in @n bytes at @p? Damaged ones are: the library tells. */
static bool header_whole(const unsigned char *p, size_t n)
{
        enum { FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16 };
        const unsigned char *end = p + n;
        unsigned flags;

        if (n < 10)
                return false;
        flags = p[3];
        p += 10;
        if (flags & FEXTRA) {
                if (end - p < 2 || end - p < 2 + (p[0] | p[1] << 8))
                        return false;
                p += 2 + (p[0] | p[1] << 8);
        }
        for (unsigned text = FNAME; text <= FCOMMENT; text <<= 1) {
                if (!(flags & text))
                        continue;
                p = memchr(p, 0, (size_t)(end - p));
                if (!p)
                        return false;
                p++;
        }
        return !(flags & FHCRC) || end - p >= 2;
}

/* Have the whole header at g->at: ISA-L 2.30 forgets a header's flags between two calls, and takes the rest of such a
 * header for compressed data. */
static err *gather_header(struct gunzip *g)
{
        memmove(g->in, g->at, g->left);
        g->at = g->in;
        while (!g->below_ended && !header_whole(g->at, g->left)) {
                size_t n;

                if (g->left == sizeof(g->in))
                        return err_new(ERR_CORRUPT, "gzip: a header longer than %zu bytes", sizeof(g->in));
                TRY(stream_read(g->below, g->in + g->left, sizeof(g->in) - g->left, &n));
                g->left += n;
                g->below_ended = n == 0;
        }
        return NULL;
}

/* Look for another member; g->ended or g->inside is set, or neither when more input is needed. */
static err *next_member(struct gunzip *g)
{
        while (g->left && g->members && *g->at == 0) {
                g->padding = true;
                g->at++;
                g->left--;
        }
        if (!g->left) {
                if (g->below_ended && !g->members)
                        return err_new(ERR_CORRUPT, "gzip: the data is empty");
                g->ended = g->below_ended;
                return NULL;
        }
        if (g->padding || (g->members && *g->at != 0x1f))
                return err_new(ERR_CORRUPT, "gzip: garbage behind the compressed data");
        if (!header_whole(g->at, g->left))
                TRY(gather_header(g));
        if (g->isal) {
                g->isal->inflate_reset(g->state);
                g->state->crc_flag = ISAL_GZIP;
        } else {
                (void)inflateReset(&g->z);
        }
        g->inside = true;
        return NULL;
}

static err *gunzip_read(struct stream *stream, void *data, size_t size, size_t *ret)
{
        struct gunzip *g = (struct gunzip *)stream;

        if (size > INT_MAX)
                size = INT_MAX;
        for (;;) {
                size_t n = 0, before;
                enum step step;

                TRY(fill(g));
                if (!g->inside && !g->ended)
                        TRY(next_member(g));
                if (g->ended) {
                        *ret = 0;
                        return NULL;
                }
                if (!g->inside)
                        continue;
                before = g->left;
                step = g->isal ? step_isal(g, data, size, &n) : step_zlib(g, data, size, &n);
                if (step == STEP_BAD)
                        return err_new(ERR_CORRUPT, "gzip: damaged data: %s", g->problem);
                if (step == STEP_MEMBER_END) {
                        g->inside = false;
                        g->members++;
                } else if (!n && g->below_ended && g->left == before) {
                        return err_new(ERR_CORRUPT, "gzip: the data is truncated");
                }
                if (n) {
                        *ret = n;
                        return NULL;
                }
        }
}

static void gunzip_free(struct stream *stream)
{
        struct gunzip *g = (struct gunzip *)stream;

        if (!g->isal)
                (void)inflateEnd(&g->z);
        free(g->state);
        stream_free(g->below);
        free(g);
}

err *stream_open_gunzip(struct stream *below, struct stream **ret)
{
        struct gunzip *g = malloc(sizeof(*g));

        if (!g)
                return err_nomem();
        memset(g, 0, offsetof(struct gunzip, in));
        g->stream = (struct stream){gunzip_read, gunzip_free};
        g->isal = gzip_isal();
        if (g->isal) {
                g->state = malloc(sizeof(*g->state));
                if (!g->state) {
                        free(g);
                        return err_nomem();
                }
                g->isal->inflate_init(g->state);
        } else if (inflateInit2(&g->z, 15 + 16) != Z_OK) {
                free(g);
                return err_nomem();
        }
        g->below = below;
        *ret = &g->stream;
        return NULL;
}
