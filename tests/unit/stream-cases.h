/* stream-cases.h - what the tests of the compressors share. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "codec/stream.h"

struct memory_sink {
        struct sink sink;
        struct str *out;
};

static err *memory_write(struct sink *s, const void *data, size_t size)
{
        str_add_n(((struct memory_sink *)s)->out, data, size);
        return NULL;
}

static err *memory_finish(struct sink *s)
{
        return NULL;
}

/* The test owns it on its stack. */
static void memory_free(struct sink *s)
{
}

/* A stream that gives at most @step bytes at a time. */
struct drip {
        struct stream stream;
        const char *data;
        size_t left, step;
};

static err *drip_read(struct stream *s, void *data, size_t size, size_t *ret)
{
        struct drip *d = (struct drip *)s;
        size_t n = d->left < d->step ? d->left : d->step;

        if (n > size)
                n = size;
        memcpy(data, d->data, n);
        d->data += n;
        d->left -= n;
        *ret = n;
        return NULL;
}

static void drip_free(struct stream *s)
{
}

/* Half random, half repetitive. */
static inline void make_data(struct str *out, size_t size)
{
        uint32_t x = 12345;

        while (out->len < size) {
                x = x * 1664525 + 1013904223;
                if (x >> 31)
                        str_add(out, "the same words again and again ");
                else
                        str_add_n(out, (const char *)&x, 4);
        }
        out->len = size;
}

typedef err *sink_opener(struct sink *below, int level, struct sink **ret);
typedef err *stream_opener(struct stream *below, struct stream **ret);

static inline void compress_all(sink_opener *open, int level, const struct str *data, size_t step, struct str *out)
{
        struct memory_sink m = {{memory_write, memory_finish, memory_free}, out};
        _cleanup_(sink_freep) struct sink *s = NULL;

        assert_null(open(&m.sink, level, &s));
        for (size_t at = 0; at < data->len; at += step)
                assert_null(sink_write(s, data->data + at, data->len - at < step ? data->len - at : step));
        assert_null(sink_finish(s));
}

/* A sink for a compressor that wants everything at once: @pack(level, data, out) when it is finished. */
struct whole_sink {
        struct sink sink;
        struct sink *below;
        void (*pack)(int level, const struct str *data, struct str *out);
        int level;
        struct str data;
};

static inline err *whole_write(struct sink *s, const void *data, size_t size)
{
        str_add_n(&((struct whole_sink *)s)->data, data, size);
        return NULL;
}

static inline err *whole_finish(struct sink *s)
{
        struct whole_sink *w = (struct whole_sink *)s;
        _cleanup_str_ struct str out = {0};

        str_add(&w->data, "");
        w->pack(w->level, &w->data, &out);
        TRY(sink_write(w->below, out.data, out.len));
        return sink_finish(w->below);
}

static inline void whole_free(struct sink *s)
{
        str_free(&((struct whole_sink *)s)->data);
        free(s);
}

static inline struct sink *whole_sink_new(struct sink *below, int level,
                                          void (*pack)(int level, const struct str *data, struct str *out))
{
        struct whole_sink *w = MEM_NEW0(struct whole_sink, 1);

        assert_non_null(w);
        *w = (struct whole_sink){{whole_write, whole_finish, whole_free}, below, pack, level, {0}};
        return &w->sink;
}

static inline err *expand_all(stream_opener *open, const char *data, size_t size, size_t in_step, size_t out_step,
                              struct str *out)
{
        struct drip d = {{drip_read, drip_free}, data, size, in_step};
        _cleanup_(stream_freep) struct stream *s = NULL;
        _cleanup_free_ char *buf = malloc(out_step);
        size_t n;

        assert_non_null(buf);
        assert_null(open(&d.stream, &s));
        for (;;) {
                TRY(stream_read(s, buf, out_step, &n));
                if (!n)
                        break;
                str_add_n(out, buf, n);
        }
        TRY(stream_read(s, buf, out_step, &n)); /* the end stays the end */
        assert_int_equal(n, 0);
        return NULL;
}

static inline void expect_expanded(stream_opener *open, const struct str *packed, const struct str *want)
{
        static const size_t steps[][2] = {
                {1u << 30, 1 << 20}, {1000, 777}, {1 << 17, 1 << 17}, {13, 1 << 16}, {1u << 30, 1 << 10}};

        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                _cleanup_str_ struct str got = {0};
                char buf[256];
                err *e = expand_all(open, packed->data, packed->len, steps[i][0], steps[i][1], &got);

                if (e)
                        fail_msg("%s", err_text(e, buf, sizeof(buf)));
                assert_int_equal(got.len, want->len);
                if (want->len)
                        assert_memory_equal(got.data, want->data, want->len);
        }
}

static inline void expect_bad(stream_opener *open, const char *data, size_t size, const char *want)
{
        _cleanup_str_ struct str got = {0};
        char buf[256];
        err *e = expand_all(open, data, size, 1 << 20, 1 << 16, &got);

        if (!e)
                fail_msg("accepted, wanted: %s", want);
        err_text(e, buf, sizeof(buf));
        if (err_code(e) != ERR_CORRUPT || !strstr(buf, want))
                fail_msg("got \"%s\", wanted \"%s\"", buf, want);
        err_free(e);
}

/* Round trips, several members in a row, every truncation of a small text, damage, garbage behind it. */
static inline void check_codec(sink_opener *compress, stream_opener *expand)
{
        static const size_t sizes[] = {0, 1, 1000, 131072, 131073, 3000000};
        _cleanup_str_ struct str two = {0}, twice = {0};

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                _cleanup_str_ struct str data = {0}, packed = {0};

                str_add(&data, "");
                make_data(&data, sizes[i]);
                compress_all(compress, 0, &data, i % 2 ? 1 << 20 : 999, &packed);
                expect_expanded(expand, &packed, &data);
                if (sizes[i] == 1000)
                        for (size_t n = 0; n < packed.len; n++)
                                expect_bad(expand, packed.data, n, "");
                if (sizes[i] == 131073)
                        expect_bad(expand, packed.data, packed.len - 1, "truncated");
        }
        for (int i = 0; i < 2; i++) {
                _cleanup_str_ struct str data = {0};

                str_add(&data, "");
                make_data(&data, 5000);
                str_add_n(&twice, data.data, data.len);
                compress_all(compress, i + 1, &data, 5000, &two);
        }
        expect_expanded(expand, &two, &twice);
        str_add_n(&two, "\0\0\0\0", 4);
        expect_expanded(expand, &two, &twice); /* padding */
        str_add(&two, "x");
        expect_bad(expand, two.data, two.len, "garbage");
        two.len -= 5;
        str_add(&two, "garbage");
        expect_bad(expand, two.data, two.len, "garbage");
        two.len -= 7;
        two.data[two.len / 4] ^= 0x10;
        expect_bad(expand, two.data, two.len, "damaged");
}

/* Random damage: never a crash, and never silently different data. */
static inline void check_damage(sink_opener *compress, stream_opener *expand)
{
        _cleanup_str_ struct str data = {0}, packed = {0};
        uint32_t x = 99;

        str_add(&data, "");
        make_data(&data, 20000);
        compress_all(compress, 0, &data, 20000, &packed);
        for (int i = 0; i < 2000; i++) {
                _cleanup_str_ struct str got = {0};
                size_t at;
                char old;
                err *e;

                x = x * 1664525 + 1013904223;
                at = (x >> 8) % packed.len;
                old = packed.data[at];
                packed.data[at] ^= (char)(1 << (x & 7));
                e = expand_all(expand, packed.data, packed.len, 4096, 65536, &got);
                /* some header bits mean nothing */
                if (!e && (got.len != data.len || memcmp(got.data, data.data, data.len) != 0))
                        fail_msg("damage at %zu went unnoticed", at);
                err_free(e);
                packed.data[at] = old;
        }
}
