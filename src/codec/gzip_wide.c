/* gzip_wide.c - see gzip.h: deflating on several processors.
 *
 * What is written goes into pieces of a fixed size, which are deflated independently of each other, each with the end
 * of the one before as its dictionary and with a flush to a whole byte behind it: put together they are one stream (RFC
 * 1951), and the same one whoever made which piece. Pieces stand in a ring; helpers take the oldest that is full, and
 * so does the writer when it has no room or wants the end: without any helper it does everything. Only the writer
 * touches what is below. */
#include "codec/gzip.h"
#include "codec/gzip_isal.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"

#define PIECE ((size_t)256 << 10)
#define DICTIONARY ((size_t)32 << 10)
#define PACKED (2 * PIECE) /* deflate never needs as much */
#define HELPERS_MAX 3

enum piece_state { PIECE_EMPTY, PIECE_FULL, PIECE_TAKEN, PIECE_DONE };

struct piece {
        enum piece_state state; /* under the lock */
        size_t dictionary, size, packed;
        uint32_t crc;
        bool failed;
        unsigned char in[DICTIONARY + PIECE]; /* the dictionary ends where the data begin */
        unsigned char out[PACKED];
};

/* One for each who deflates. */
struct packer {
        struct wide *wide;
        pthread_t thread;
        struct isal_zstream *stream; /* ISA-L's, or NULL and ... */
        void *level_buf;
        z_stream z;
        bool has_z;
};

struct wide {
        struct sink sink; /* first */
        struct sink *below;
        const struct isal *isal; /* NULL: zlib */
        int level;
        uint32_t crc;
        uint64_t size;
        struct piece *pieces;
        size_t n_pieces;
        uint64_t head, tail; /* the piece that is being filled, the oldest one; they never wrap */
        size_t n_helpers;
        struct packer packers[1 + HELPERS_MAX]; /* the writer's, the helpers' */
        pthread_mutex_t lock;
        pthread_cond_t more, done;
        bool last, begun;
};

/* ---- one piece ---- */

static bool pack_isal(struct packer *p, struct piece *from)
{
        const struct isal *isal = p->wide->isal;
        struct isal_zstream *s = p->stream;

        gzip_isal_begin(isal, s, p->wide->level, p->level_buf);
        s->gzip_flag = IGZIP_DEFLATE;
        s->flush = SYNC_FLUSH;
        if (from->dictionary &&
            isal->deflate_set_dict(s, from->in + DICTIONARY - from->dictionary, (uint32_t)from->dictionary) != COMP_OK)
                return false;
        s->next_in = from->in + DICTIONARY;
        s->avail_in = (uint32_t)from->size;
        s->next_out = from->out;
        s->avail_out = PACKED;
        if (isal->deflate(s) != COMP_OK || s->avail_in || !s->avail_out || s->internal_state.state != ZSTATE_NEW_HDR)
                return false;
        from->packed = PACKED - s->avail_out;
        return true;
}

static bool pack_zlib(struct packer *p, struct piece *from)
{
        z_stream *z = &p->z;

        if (deflateReset(z) != Z_OK ||
            (from->dictionary &&
             deflateSetDictionary(z, from->in + DICTIONARY - from->dictionary, (uInt)from->dictionary) != Z_OK))
                return false;
        z->next_in = from->in + DICTIONARY;
        z->avail_in = (uInt)from->size;
        z->next_out = from->out;
        z->avail_out = PACKED;
        if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_in || !z->avail_out)
                return false;
        from->packed = PACKED - z->avail_out;
        return true;
}

/* Pack the oldest piece that nobody has taken. The lock is held, and released meanwhile; false: there is none. */
static bool pack_next(struct packer *p)
{
        struct wide *w = p->wide;

        for (uint64_t n = w->tail; n < w->head; n++) {
                struct piece *piece = &w->pieces[n % w->n_pieces];

                if (piece->state != PIECE_FULL)
                        continue;
                piece->state = PIECE_TAKEN;
                (void)pthread_mutex_unlock(&w->lock);
                piece->crc = (uint32_t)crc32(0, piece->in + DICTIONARY, (uInt)piece->size);
                piece->failed = !(w->isal ? pack_isal(p, piece) : pack_zlib(p, piece));
                (void)pthread_mutex_lock(&w->lock);
                piece->state = PIECE_DONE;
                (void)pthread_cond_signal(&w->done);
                return true;
        }
        return false;
}

static void *help(void *arg)
{
        struct packer *p = arg;
        struct wide *w = p->wide;

        (void)pthread_mutex_lock(&w->lock);
        while (!w->last)
                if (!pack_next(p))
                        (void)pthread_cond_wait(&w->more, &w->lock);
        (void)pthread_mutex_unlock(&w->lock);
        return NULL;
}

/* ---- the writer ---- */

static err *begin(struct wide *w)
{
        static const unsigned char header[10] = {0x1f, 0x8b, Z_DEFLATED, [9] = 255}; /* no name, no time, no system */

        if (w->begun)
                return NULL;
        w->begun = true;
        return sink_write(w->below, header, sizeof(header));
}

/* The oldest piece goes on; until it is ready we pack, too. */
static err *pass_on(struct wide *w)
{
        struct piece *p = &w->pieces[w->tail % w->n_pieces];

        TRY(begin(w));
        (void)pthread_mutex_lock(&w->lock);
        while (p->state != PIECE_DONE)
                if (!pack_next(&w->packers[0]))
                        (void)pthread_cond_wait(&w->done, &w->lock);
        w->tail++;
        p->state = PIECE_EMPTY;
        (void)pthread_mutex_unlock(&w->lock);
        if (p->failed)
                return err_new(ERR_INTERNAL, "%s failed to compress", w->isal ? "ISA-L" : "zlib");
        w->crc = (uint32_t)crc32_combine(w->crc, p->crc, (z_off_t)p->size);
        w->size += p->size;
        return sink_write(w->below, p->out, p->packed);
}

/* The piece that is being filled is to be packed. */
static void hand_over(struct wide *w)
{
        (void)pthread_mutex_lock(&w->lock);
        w->pieces[w->head % w->n_pieces].state = PIECE_FULL;
        w->head++;
        (void)pthread_cond_signal(&w->more);
        (void)pthread_mutex_unlock(&w->lock);
}

/* Begin a new piece, with the end of @p, the last one, as dictionary. */
static err *next_piece(struct wide *w, const struct piece *p)
{
        struct piece *next;

        if (w->head - w->tail == w->n_pieces)
                TRY(pass_on(w));
        next = &w->pieces[w->head % w->n_pieces];
        next->size = 0;
        next->dictionary = DICTIONARY;
        memcpy(next->in, p->in + PIECE, DICTIONARY);
        return NULL;
}

static err *wide_write(struct sink *sink, const void *data, size_t size)
{
        struct wide *w = (struct wide *)sink;
        const unsigned char *from = data;

        while (size) {
                struct piece *p = &w->pieces[w->head % w->n_pieces];
                size_t n = size < PIECE - p->size ? size : PIECE - p->size;

                memcpy(p->in + DICTIONARY + p->size, from, n);
                p->size += n;
                from += n;
                size -= n;
                if (p->size == PIECE) {
                        hand_over(w);
                        TRY(next_piece(w, p));
                }
        }
        return NULL;
}

static err *wide_finish(struct sink *sink)
{
        struct wide *w = (struct wide *)sink;
        unsigned char end[10] = {3, 0}; /* an empty last block */

        if (w->pieces[w->head % w->n_pieces].size)
                hand_over(w);
        TRY(begin(w));
        while (w->tail < w->head)
                TRY(pass_on(w));
        for (int i = 0; i < 4; i++) {
                end[2 + i] = (unsigned char)(w->crc >> (8 * i));
                end[6 + i] = (unsigned char)(w->size >> (8 * i));
        }
        TRY(sink_write(w->below, end, sizeof(end)));
        return sink_finish(w->below);
}

static void packer_done(struct packer *p)
{
        if (p->has_z)
                (void)deflateEnd(&p->z);
        free(p->stream);
        free(p->level_buf);
}

static err *packer_init(struct packer *p, struct wide *w)
{
        p->wide = w;
        if (w->isal)
                return gzip_isal_new(w->level, &p->stream, &p->level_buf);
        p->has_z = deflateInit2(&p->z, gzip_zlib_level(w->level), Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK;
        return p->has_z ? NULL : err_nomem();
}

static void wide_free(struct sink *sink)
{
        struct wide *w = (struct wide *)sink;

        (void)pthread_mutex_lock(&w->lock);
        w->last = true;
        (void)pthread_cond_broadcast(&w->more);
        (void)pthread_mutex_unlock(&w->lock);
        for (size_t i = 1; i <= w->n_helpers; i++)
                (void)pthread_join(w->packers[i].thread, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(w->packers); i++)
                packer_done(&w->packers[i]);
        (void)pthread_cond_destroy(&w->more);
        (void)pthread_cond_destroy(&w->done);
        (void)pthread_mutex_destroy(&w->lock);
        free(w->pieces);
        sink_free(w->below);
        free(w);
}

/* As many as can be had: with fewer it only takes longer. */
static void start_helpers(struct wide *w, size_t wanted)
{
        sigset_t all, old;

        (void)sigfillset(&all); /* signals are the program's */
        (void)pthread_sigmask(SIG_SETMASK, &all, &old);
        while (w->n_helpers < wanted) {
                struct packer *p = &w->packers[w->n_helpers + 1];
                err *e = packer_init(p, w);

                if (e || pthread_create(&p->thread, NULL, help, p) != 0) {
                        err_free(e);
                        break;
                }
                w->n_helpers++;
        }
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static size_t other_processors(void)
{
        cpu_set_t set;

        return sched_getaffinity(0, sizeof(set), &set) < 0 ? HELPERS_MAX : (size_t)CPU_COUNT(&set) - 1;
}

err *sink_open_gzip_wide(struct sink *below, int level, int helpers, struct sink **ret)
{
        size_t wanted = helpers < 0 ? other_processors() : (size_t)helpers;
        struct wide *w;
        err *e;

        TRY(gzip_check_level(level));
        w = MEM_NEW0(struct wide, 1);
        if (!w)
                return err_nomem();
        if (wanted > HELPERS_MAX)
                wanted = HELPERS_MAX;
        w->sink = (struct sink){wide_write, wide_finish, wide_free};
        w->level = level;
        w->isal = gzip_isal_for(level);
        w->n_pieces = wanted + 2;
        w->pieces = MEM_NEW0(struct piece, w->n_pieces);
        (void)pthread_mutex_init(&w->lock, NULL);
        (void)pthread_cond_init(&w->more, NULL);
        (void)pthread_cond_init(&w->done, NULL);
        e = w->pieces ? packer_init(&w->packers[0], w) : err_nomem();
        if (e) {
                wide_free(&w->sink); /* what is below is not ours yet */
                return e;
        }
        start_helpers(w, wanted);
        w->below = below;
        *ret = &w->sink;
        return NULL;
}
