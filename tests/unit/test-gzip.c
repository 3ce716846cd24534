/* Unit tests of codec/gzip and codec/stream: both libraries, against each other. */
#include "stream-cases.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "codec/gzip.h"

static void gzip_round_trips_with_isal(void **state)
{
        if (strcmp(gzip_library(), "isa-l") != 0)
                skip();
        check_codec(sink_open_gzip, stream_open_gunzip);
        check_damage(sink_open_gzip, stream_open_gunzip);
}

static void gzip_round_trips_with_zlib(void **state)
{
        gzip_use_zlib(true);
        assert_string_equal(gzip_library(), "zlib");
        check_codec(sink_open_gzip, stream_open_gunzip);
        check_damage(sink_open_gzip, stream_open_gunzip);
        gzip_use_zlib(false);
}

static void gzip_libraries_read_each_other(void **state)
{
        _cleanup_str_ struct str data = {0};

        make_data(&data, 1000000);
        for (int level = 0; level <= 9; level++) {
                _cleanup_str_ struct str a = {0}, b = {0};

                compress_all(sink_open_gzip, level, &data, 65536, &a);
                gzip_use_zlib(true);
                compress_all(sink_open_gzip, level, &data, 65536, &b);
                expect_expanded(stream_open_gunzip, &a, &data);
                gzip_use_zlib(false);
                expect_expanded(stream_open_gunzip, &b, &data);
                if (level > 3) { /* ISA-L has none that makes it as small */
                        assert_int_equal(a.len, b.len);
                        assert_memory_equal(a.data, b.data, a.len);
                }
        }
}

/* ---- on several processors ---- */

static err *open_alone(struct sink *below, int level, struct sink **ret)
{
        return sink_open_gzip_wide(below, level, 0, ret);
}

static err *open_wide(struct sink *below, int level, struct sink **ret)
{
        return sink_open_gzip_wide(below, level, 3, ret);
}

static void gzip_wide_round_trips(void **state)
{
        for (int zlib = 0; zlib < 2; zlib++) {
                gzip_use_zlib(zlib);
                check_codec(open_wide, stream_open_gunzip);
                check_damage(open_wide, stream_open_gunzip);
                check_codec(open_alone, stream_open_gunzip);
        }
        gzip_use_zlib(false);
}

/* What cannot be made smaller, and what nearly vanishes; around the size of a piece, and far from it. */
static void gzip_wide_gives_the_same_bytes_whoever_makes_them(void **state)
{
        static const size_t sizes[] = {0, 1, 262143, 262144, 262145, 524288, 1400001};

        for (int kind = 0; kind < 3; kind++) {
                _cleanup_str_ struct str all = {0};
                uint32_t x = 7;

                str_add(&all, "");
                if (kind == 0)
                        make_data(&all, sizes[ARRAY_SIZE(sizes) - 1]);
                while (all.len < sizes[ARRAY_SIZE(sizes) - 1]) {
                        x = kind == 1 ? x * 1664525 + 1013904223 : 0;
                        str_add_n(&all, (char *)&x + 3, 1);
                }
                for (size_t i = 0; i < ARRAY_SIZE(sizes) * 2; i++) {
                        _cleanup_str_ struct str a = {0}, b = {0}, other = {0};
                        struct str data = {.data = all.data, .len = sizes[i / 2]};

                        gzip_use_zlib(i % 2);
                        compress_all(open_alone, 0, &data, 1 << 20, &a);
                        compress_all(open_wide, 0, &data, 9999, &b);
                        compress_all(sink_open_gzip, 0, &data, 1 << 20, &other);
                        gzip_use_zlib(!(i % 2));
                        assert_int_equal(a.len, b.len);
                        assert_memory_equal(a.data, b.data, a.len);
                        assert_in_range(a.len, 0, other.len + other.len / 8 + 64); /* little is lost by it */
                        expect_expanded(stream_open_gunzip, &a, &data);
                }
        }
        gzip_use_zlib(false);
}

static err *refuse(struct sink *s, const void *data, size_t size)
{
        return err_new(ERR_SYS, "no more");
}

static void gzip_wide_ends_when_nobody_takes_it(void **state)
{
        struct sink nobody = {refuse, memory_finish, memory_free};
        _cleanup_(sink_freep) struct sink *s = NULL;
        _cleanup_str_ struct str data = {0};
        err *e = NULL;

        make_data(&data, 1000000);
        assert_null(open_wide(&nobody, 0, &s));
        for (int i = 0; i < 20 && !e; i++)
                e = sink_write(s, data.data, data.len);
        assert_int_equal(err_code(e), ERR_SYS);
        err_free(e);
        s = (sink_free(s), NULL);
        assert_null(open_wide(&nobody, 0, &s)); /* and one that nobody finishes */
        assert_null(sink_write(s, data.data, 300000));
}

static void gzip_refuses_bad_levels(void **state)
{
        struct sink *s = NULL;
        err *e = sink_open_gzip(NULL, 10, &s);

        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
        e = sink_open_gzip_wide(NULL, 10, -1, &s);
        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
}

/* A header with a name, a comment, extra data and a header checksum (RFC 1952), the text "hi\n" stored. */
static void gunzip_reads_all_header_fields(void **state)
{
        static const unsigned char file[] = {0x1f, 0x8b, 8,   0x1c, 0,    0,    0,    0,    0,    3, 3, 0, 'a',
                                             'b',  'c',  'n', 'a',  'm',  'e',  0,    'c',  'o',  0, 1, 3, 0,
                                             0xfc, 0xff, 'h', 'i',  '\n', 0x7a, 0x7a, 0x6f, 0xed, 3, 0, 0, 0};
        struct str packed = {.data = (char *)(uintptr_t)file, .len = sizeof(file)},
                   want = {.data = (char *)(uintptr_t) "hi\n", .len = 3};

        expect_expanded(stream_open_gunzip, &packed, &want);
        gzip_use_zlib(true);
        expect_expanded(stream_open_gunzip, &packed, &want);
        gzip_use_zlib(false);
}

static void detects(const char *data, size_t size, enum stream_format want)
{
        _cleanup_(stream_freep) struct stream *below = NULL, *s = NULL;
        enum stream_format got;

        assert_null(stream_open_memory(data, size, &below));
        assert_null(stream_open_auto(below, &got, &s));
        below = NULL;
        assert_int_equal(got, want);
}

static void detects_refused(const char *data, size_t size, const char *name)
{
        _cleanup_(stream_freep) struct stream *below = NULL;
        struct stream *s = NULL;
        char buf[200];
        err *e;

        assert_null(stream_open_memory(data, size, &below));
        e = stream_open_auto(below, NULL, &s);
        assert_int_equal(err_code(e), ERR_UNSUPPORTED);
        assert_non_null(strstr(err_text(e, buf, sizeof(buf)), name));
        err_free(e);
        assert_null(s);
}

static void stream_open_auto_knows_formats(void **state)
{
        char tar[512] = "BZh91AY&SY";
        unsigned sum = 8 * ' ';

        detects("", 0, STREAM_PLAIN);
        detects("x", 1, STREAM_PLAIN);
        detects("plain text that is no archive", 29, STREAM_PLAIN);
        detects("\x1f\x8b\x08", 3, STREAM_GZIP);
        detects_refused("\x04\x22\x4d\x18", 4, "lz4");
        detects_refused("\x1f\x9d\x90", 3, "compress");
        detects_refused("PK\x03\x04", 4, "zip");
        detects_refused("LZIP\1", 5, "lzip");
        /* a tar whose first member has such a name */
        for (size_t i = 0; i < 148; i++)
                sum += (unsigned char)tar[i];
        (void)snprintf(tar + 148, 8, "%06o", sum);
        detects(tar, sizeof(tar), STREAM_PLAIN);
}

static void stream_open_auto_gives_all_bytes(void **state)
{
        _cleanup_str_ struct str data = {0}, packed = {0};
        const struct str *inputs[] = {&data, &packed};

        make_data(&data, 300000);
        compress_all(sink_open_gzip, 0, &data, 300000, &packed);
        for (int i = 0; i < 2; i++) {
                struct drip d = {{drip_read, drip_free}, inputs[i]->data, inputs[i]->len, 100};
                _cleanup_(digest_hasher_freep) struct digest_hasher *outer = NULL, *inner = NULL;
                _cleanup_(stream_freep) struct stream *a = NULL, *b = NULL, *c = NULL;
                struct digest got, want;

                assert_null(digest_hasher_new(&outer));
                assert_null(digest_hasher_new(&inner));
                assert_null(stream_open_hash(&d.stream, outer, &a));
                assert_null(stream_open_auto(a, NULL, &b));
                a = NULL;
                assert_null(stream_open_hash(b, inner, &c));
                b = NULL;
                assert_null(stream_drain(c));
                assert_null(digest_hasher_final(outer, &got));
                digest_of(inputs[i]->data, inputs[i]->len, &want);
                assert_string_equal(got.text, want.text);
                assert_null(digest_hasher_final(inner, &got));
                digest_of(data.data, data.len, &want);
                assert_string_equal(got.text, want.text);
        }
}

static void stream_open_limit_stops_bombs(void **state)
{
        for (int more = 0; more < 2; more++) {
                _cleanup_(stream_freep) struct stream *below = NULL, *s = NULL;
                char buf[100];
                err *e;

                assert_null(stream_open_memory("0123456789x", 10 + (size_t)more, &below));
                assert_null(stream_open_limit(below, 10, "the layer", &s));
                below = NULL;
                e = stream_drain(s);
                assert_int_equal(err_code(e), more ? ERR_LIMIT : 0);
                if (e)
                        assert_string_equal(err_text(e, buf, sizeof(buf)), "the layer is larger than 10 bytes");
                err_free(e);
        }
}

static void stream_copy_goes_through_files(void **state)
{
        _cleanup_str_ struct str data = {0};
        _cleanup_(stream_freep) struct stream *from = NULL, *file = NULL, *plain = NULL;
        _cleanup_(sink_freep) struct sink *to = NULL, *gz = NULL;
        _cleanup_free_ char *back = malloc(500001);
        char path[] = "/tmp/hod-test-stream-XXXXXX";
        _cleanup_close_ int fd = mkostemp(path, O_CLOEXEC);
        uint64_t size;
        size_t n;

        assert_true(fd >= 0);
        (void)unlink(path);
        make_data(&data, 500000);
        assert_null(stream_open_memory(data.data, data.len, &from));
        assert_null(sink_open_fd(fd, &to));
        assert_null(sink_open_gzip(to, 0, &gz));
        to = NULL;
        assert_null(stream_copy(from, gz, &size));
        assert_true(size == 500000);
        assert_null(sink_finish(gz));
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_null(stream_open_fd(fd, &file));
        assert_null(stream_open_auto(file, NULL, &plain));
        file = NULL;
        assert_null(stream_read_full(plain, back, 500001, &n));
        assert_int_equal(n, 500000);
        assert_memory_equal(back, data.data, n);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(gzip_round_trips_with_isal),
                cmocka_unit_test(gzip_round_trips_with_zlib),
                cmocka_unit_test(gzip_libraries_read_each_other),
                cmocka_unit_test(gzip_refuses_bad_levels),
                cmocka_unit_test(gunzip_reads_all_header_fields),
                cmocka_unit_test(stream_open_auto_knows_formats),
                cmocka_unit_test(stream_open_auto_gives_all_bytes),
                cmocka_unit_test(stream_open_limit_stops_bombs),
                cmocka_unit_test(stream_copy_goes_through_files),
                cmocka_unit_test(gzip_wide_round_trips),
                cmocka_unit_test(gzip_wide_gives_the_same_bytes_whoever_makes_them),
                cmocka_unit_test(gzip_wide_ends_when_nobody_takes_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
