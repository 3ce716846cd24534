/* Unit tests of codec/zstd. */
#include "stream-cases.h"

#include "codec/zstd.h"

static void zstd_round_trips(void **state)
{
        if (!zstd_available())
                skip();
        check_codec(sink_open_zstd, stream_open_unzstd);
        check_damage(sink_open_zstd, stream_open_unzstd);
}

static void unzstd_skips_skippable_frames(void **state)
{
        _cleanup_str_ struct str data = {0}, packed = {0};

        if (!zstd_available())
                skip();
        make_data(&data, 10000);
        str_add_n(&packed, "\x50\x2a\x4d\x18\x03\0\0\0abc", 11);
        compress_all(sink_open_zstd, 3, &data, 10000, &packed);
        str_add_n(&packed, "\x5f\x2a\x4d\x18\0\0\0\0", 8);
        expect_expanded(stream_open_unzstd, &packed, &data);
        packed.len--;
        expect_bad(stream_open_unzstd, packed.data, packed.len, "truncated");
}

/* A frame header that asks for a window of 2 GiB. */
static void unzstd_refuses_huge_windows(void **state)
{
        static const char frame[] = "\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00";
        _cleanup_str_ struct str got = {0};
        err *e;

        if (!zstd_available())
                skip();
        e = expand_all(stream_open_unzstd, frame, sizeof(frame) - 1, 100, 100, &got);
        assert_int_equal(err_code(e), ERR_LIMIT);
        err_free(e);
}

static void stream_open_auto_detects_zstd(void **state)
{
        static const char frame[] = "\x28\xb5\x2f\xfd";
        _cleanup_(stream_freep) struct stream *below = NULL, *s = NULL;
        enum stream_format format;

        if (!zstd_available())
                skip();
        assert_null(stream_open_memory(frame, 4, &below));
        assert_null(stream_open_auto(below, &format, &s));
        below = NULL;
        assert_int_equal(format, STREAM_ZSTD);
        assert_string_equal(stream_format_name(format), "zstd");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(zstd_round_trips),
                cmocka_unit_test(unzstd_skips_skippable_frames),
                cmocka_unit_test(unzstd_refuses_huge_windows),
                cmocka_unit_test(stream_open_auto_detects_zstd),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
