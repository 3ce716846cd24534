/* stream.c - see stream.h: ends of pipelines, hashers, limits, and the detection of formats. */
#include "codec/stream.h"

#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct fd_stream {
        struct stream stream;
        int fd;
};

struct memory_stream {
        struct stream stream;
        const unsigned char *data;
        size_t left;
};

struct hash_stream {
        struct stream stream, *below;
        struct digest_hasher *hasher;
};

struct limit_stream {
        struct stream stream, *below;
        uint64_t left, max;
        const char *what;
};

#define PEEK 512

struct peek_stream {
        struct stream stream, *below;
        size_t at, size;
        unsigned char data[PEEK];
};

err *stream_read_full(struct stream *s, void *data, size_t size, size_t *ret)
{
        size_t have = 0, n;

        while (have < size) {
                TRY(stream_read(s, (unsigned char *)data + have, size - have, &n));
                if (!n)
                        break;
                have += n;
        }
        *ret = have;
        return NULL;
}

err *stream_drain(struct stream *s)
{
        _cleanup_free_ unsigned char *buf = malloc(STREAM_CHUNK);
        size_t n;

        if (!buf)
                return err_nomem();
        do
                TRY(stream_read(s, buf, STREAM_CHUNK, &n));
        while (n);
        return NULL;
}

/* Straight to where the sink wants it. */
static err *copy_in_place(struct stream *from, struct sink *to, uint64_t *ret_size)
{
        uint64_t total = 0;
        void *place;
        size_t n;

        for (;;) {
                TRY(to->lend(to, &place, &n));
                TRY(stream_read(from, place, n < STREAM_CHUNK ? n : STREAM_CHUNK, &n));
                if (!n)
                        break;
                TRY(to->filled(to, n));
                total += n;
        }
        if (ret_size)
                *ret_size = total;
        return NULL;
}

err *stream_copy(struct stream *from, struct sink *to, uint64_t *ret_size)
{
        _cleanup_free_ unsigned char *buf = NULL;
        uint64_t total = 0;
        size_t n;

        if (to->lend)
                return copy_in_place(from, to, ret_size);
        buf = malloc(STREAM_CHUNK);
        if (!buf)
                return err_nomem();
        for (;;) {
                TRY(stream_read(from, buf, STREAM_CHUNK, &n));
                if (!n)
                        break;
                TRY(sink_write(to, buf, n));
                total += n;
        }
        if (ret_size)
                *ret_size = total;
        return NULL;
}

static void plain_stream_free(struct stream *stream)
{
        free(stream);
}

static err *fd_read(struct stream *stream, void *data, size_t size, size_t *ret)
{
        struct fd_stream *f = (struct fd_stream *)stream;

        for (;;) {
                ssize_t n = read(f->fd, data, size);

                if (n >= 0) {
                        *ret = (size_t)n;
                        return NULL;
                }
                if (errno != EINTR)
                        return err_sys(errno, "reading");
        }
}

err *stream_open_fd(int fd, struct stream **ret)
{
        struct fd_stream *f = MEM_NEW0(struct fd_stream, 1);

        if (!f)
                return err_nomem();
        f->stream = (struct stream){fd_read, plain_stream_free};
        f->fd = fd;
        *ret = &f->stream;
        return NULL;
}

static err *memory_read(struct stream *stream, void *data, size_t size, size_t *ret)
{
        struct memory_stream *m = (struct memory_stream *)stream;
        size_t n = size < m->left ? size : m->left;

        if (n)
                memcpy(data, m->data, n);
        m->data += n;
        m->left -= n;
        *ret = n;
        return NULL;
}

err *stream_open_memory(const void *data, size_t size, struct stream **ret)
{
        struct memory_stream *m = MEM_NEW0(struct memory_stream, 1);

        if (!m)
                return err_nomem();
        m->stream = (struct stream){memory_read, plain_stream_free};
        m->data = data;
        m->left = size;
        *ret = &m->stream;
        return NULL;
}

static err *hash_read(struct stream *stream, void *data, size_t size, size_t *ret)
{
        struct hash_stream *h = (struct hash_stream *)stream;
        size_t n;

        TRY(stream_read(h->below, data, size, &n));
        digest_hasher_update(h->hasher, data, n);
        *ret = n;
        return NULL;
}

static void hash_stream_free(struct stream *stream)
{
        stream_free(((struct hash_stream *)stream)->below);
        free(stream);
}

err *stream_open_hash(struct stream *below, struct digest_hasher *hasher, struct stream **ret)
{
        struct hash_stream *h = MEM_NEW0(struct hash_stream, 1);

        if (!h)
                return err_nomem();
        h->stream = (struct stream){hash_read, hash_stream_free};
        h->below = below;
        h->hasher = hasher;
        *ret = &h->stream;
        return NULL;
}

static err *limit_read(struct stream *stream, void *data, size_t size, size_t *ret)
{
        struct limit_stream *l = (struct limit_stream *)stream;
        size_t n;

        /* One byte more than allowed is asked for, to tell "exactly the limit" from "more". */
        if (l->left < size)
                size = (size_t)l->left + 1;
        TRY(stream_read(l->below, data, size, &n));
        if (n > l->left)
                return err_new(ERR_LIMIT, "%s is larger than %llu bytes", l->what, (unsigned long long)l->max);
        l->left -= n;
        *ret = n;
        return NULL;
}

static void limit_stream_free(struct stream *stream)
{
        stream_free(((struct limit_stream *)stream)->below);
        free(stream);
}

err *stream_open_limit(struct stream *below, uint64_t max, const char *what, struct stream **ret)
{
        struct limit_stream *l = MEM_NEW0(struct limit_stream, 1);

        if (!l)
                return err_nomem();
        l->stream = (struct stream){limit_read, limit_stream_free};
        l->below = below;
        l->left = l->max = max;
        l->what = what;
        *ret = &l->stream;
        return NULL;
}

/* Bytes that were looked at, then the rest. */
static err *peek_read(struct stream *stream, void *data, size_t size, size_t *ret)
{
        struct peek_stream *p = (struct peek_stream *)stream;
        size_t n = p->size - p->at;

        if (!n)
                return stream_read(p->below, data, size, ret);
        if (n > size)
                n = size;
        memcpy(data, p->data + p->at, n);
        p->at += n;
        *ret = n;
        return NULL;
}

static void peek_stream_free(struct stream *stream)
{
        stream_free(((struct peek_stream *)stream)->below);
        free(stream);
}

const char *stream_format_name(enum stream_format format)
{
        static const char *const names[] = {
                [STREAM_PLAIN] = "none", [STREAM_GZIP] = "gzip",   [STREAM_ZSTD] = "zstd",
                [STREAM_XZ] = "xz",      [STREAM_BZIP2] = "bzip2",
        };

        return names[format];
}

/* A tar archive may begin with any file name, so a block that is a tar header is never taken for something else. */
static bool is_tar_header(const unsigned char *block, size_t size)
{
        unsigned want = 0, sum = 8 * ' ';
        size_t i = 148;

        if (size < PEEK)
                return false;
        for (size_t j = 0; j < PEEK; j++)
                if (j < 148 || j >= 156)
                        sum += block[j];
        while (i < 156 && block[i] == ' ')
                i++;
        for (; i < 156 && block[i] >= '0' && block[i] <= '7'; i++)
                want = want << 3 | (unsigned)(block[i] - '0');
        return want == sum;
}

static err *detect(const unsigned char *b, size_t size, enum stream_format *ret)
{
        static const struct {
                const char *name, *magic;
                unsigned char size;
        } refused[] = {
                {"lz4", "\x04\x22\x4d\x18", 4},  {"compress (.Z)", "\x1f\x9d", 2}, {"lzip", "LZIP", 4},
                {"7z", "7z\xbc\xaf\x27\x1c", 6}, {"zip", "PK\x03\x04", 4},
        };

        static const char xz_magic[6] = {'\xfd', '7', 'z', 'X', 'Z', '\0'};

        *ret = STREAM_PLAIN;
        if (is_tar_header(b, size))
                return NULL;
        if (size >= 2 && b[0] == 0x1f && b[1] == 0x8b)
                *ret = STREAM_GZIP;
        else if (size >= 4 && (memcmp(b, "\x28\xb5\x2f\xfd", 4) == 0 ||
                               ((b[0] & 0xf0) == 0x50 && memcmp(b + 1, "\x2a\x4d\x18", 3) == 0)))
                *ret = STREAM_ZSTD;
        else if (size >= 6 && memcmp(b, xz_magic, 6) == 0)
                *ret = STREAM_XZ;
        else if (size >= 3 && memcmp(b, "BZh", 3) == 0)
                *ret = STREAM_BZIP2;
        for (size_t i = 0; *ret == STREAM_PLAIN && i < ARRAY_SIZE(refused); i++)
                if (size >= refused[i].size && memcmp(b, refused[i].magic, refused[i].size) == 0)
                        return err_new(ERR_UNSUPPORTED,
                                       "%s compression is not supported: decompress it first, or use gzip or zstd",
                                       refused[i].name);
        return NULL;
}

static err *open_format(struct stream *below, enum stream_format format, struct stream **ret)
{
        switch (format) {
        case STREAM_GZIP:
                return stream_open_gunzip(below, ret);
        case STREAM_ZSTD:
                return stream_open_unzstd(below, ret);
        case STREAM_XZ:
                return stream_open_unxz(below, ret);
        case STREAM_BZIP2:
                return stream_open_unbzip2(below, ret);
        case STREAM_PLAIN:
                break;
        }
        *ret = below;
        return NULL;
}

err *stream_open_auto(struct stream *below, enum stream_format *ret_format, struct stream **ret)
{
        _cleanup_free_ struct peek_stream *p = malloc(sizeof(*p));
        struct stream *top = NULL;
        enum stream_format format;

        if (!p)
                return err_nomem();
        *p = (struct peek_stream){.stream = {peek_read, peek_stream_free}, .below = below};
        TRY(stream_read_full(below, p->data, sizeof(p->data), &p->size));
        TRY(detect(p->data, p->size, &format));
        TRY(open_format(&p->stream, format, &top));
        TAKE_PTR(p); /* owned by @top, or is it */
        if (ret_format)
                *ret_format = format;
        *ret = top;
        return NULL;
}
