/* Unit tests of codec/xz; liblzma itself makes the inputs. */
#include "stream-cases.h"

#include <lzma.h>

#include "codec/xz.h"

static void pack(int level, const struct str *data, struct str *out)
{
        size_t size = lzma_stream_buffer_bound(data->len), at = 0;
        _cleanup_free_ uint8_t *buf = malloc(size);

        assert_non_null(buf);
        assert_int_equal(lzma_easy_buffer_encode((uint32_t)level, LZMA_CHECK_CRC64, NULL, (const uint8_t *)data->data,
                                                 data->len, buf, &at, size),
                         LZMA_OK);
        str_add_n(out, (const char *)buf, at);
}

static err *sink_open_xz(struct sink *below, int level, struct sink **ret)
{
        *ret = whole_sink_new(below, level, pack);
        return NULL;
}

static void unxz_expands_and_refuses_damage(void **state)
{
        if (!xz_available())
                skip();
        check_codec(sink_open_xz, stream_open_unxz);
        check_damage(sink_open_xz, stream_open_unxz);
}

static void unxz_accepts_streams_behind_padding(void **state)
{
        _cleanup_str_ struct str data = {0}, packed = {0}, twice = {0};

        if (!xz_available())
                skip();
        make_data(&data, 3000);
        str_add_n(&twice, data.data, data.len);
        str_add_n(&twice, data.data, data.len);
        pack(0, &data, &packed);
        str_add_n(&packed, "\0\0\0\0\0\0\0\0", 8);
        pack(1, &data, &packed);
        expect_expanded(stream_open_unxz, &packed, &twice);
        str_add_n(&packed, "\0\0\0", 3);
        pack(1, &data, &packed);
        expect_bad(stream_open_unxz, packed.data, packed.len, "garbage");
}

/* A block header that asks for a dictionary of 256 MB. */
static void unxz_refuses_huge_dictionaries(void **state)
{
        _cleanup_str_ struct str data = {0}, got = {0};
        unsigned char head[12 + 12] = {[12] = 2, 0, 0x21, 1, 0x20};
        _cleanup_str_ struct str packed = {0};
        uint32_t crc = lzma_crc32(head + 12, 8, 0);
        err *e;

        if (!xz_available())
                skip();
        str_add(&data, "x");
        pack(0, &data, &packed);
        memcpy(head, packed.data, 12);
        memcpy(head + 20, &crc, 4);
        e = expand_all(stream_open_unxz, (const char *)head, sizeof(head), 100, 100, &got);
        assert_int_equal(err_code(e), ERR_LIMIT);
        err_free(e);
}

static void stream_open_auto_detects_xz(void **state)
{
        _cleanup_(stream_freep) struct stream *below = NULL, *s = NULL;
        _cleanup_str_ struct str data = {0}, packed = {0};
        enum stream_format format;

        if (!xz_available())
                skip();
        make_data(&data, 100000);
        pack(0, &data, &packed);
        assert_null(stream_open_memory(packed.data, packed.len, &below));
        assert_null(stream_open_auto(below, &format, &s));
        below = NULL;
        assert_int_equal(format, STREAM_XZ);
        assert_string_equal(stream_format_name(format), "xz");
        assert_null(stream_drain(s));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(unxz_expands_and_refuses_damage),
                cmocka_unit_test(unxz_accepts_streams_behind_padding),
                cmocka_unit_test(unxz_refuses_huge_dictionaries),
                cmocka_unit_test(stream_open_auto_detects_xz),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
