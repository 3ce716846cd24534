/* Unit tests of codec/bzip2; libbz2 itself makes the inputs. */
#include "stream-cases.h"

#include <bzlib.h>

#include "codec/bzip2.h"

static void pack(int level, const struct str *data, struct str *out)
{
        unsigned size = (unsigned)(data->len + data->len / 50 + 600);
        _cleanup_free_ char *buf = malloc(size);

        assert_non_null(buf);
        assert_int_equal(BZ2_bzBuffToBuffCompress(buf, &size, data->data, (unsigned)data->len, level ? level : 1, 0, 0),
                         BZ_OK);
        str_add_n(out, buf, size);
}

static err *sink_open_bzip2(struct sink *below, int level, struct sink **ret)
{
        *ret = whole_sink_new(below, level, pack);
        return NULL;
}

static void unbzip2_expands_and_refuses_damage(void **state)
{
        if (!bzip2_available())
                skip();
        check_codec(sink_open_bzip2, stream_open_unbzip2);
        check_damage(sink_open_bzip2, stream_open_unbzip2);
}

static void stream_open_auto_detects_bzip2(void **state)
{
        _cleanup_(stream_freep) struct stream *below = NULL, *s = NULL;
        _cleanup_str_ struct str data = {0}, packed = {0};
        enum stream_format format;

        if (!bzip2_available())
                skip();
        make_data(&data, 100000);
        pack(9, &data, &packed);
        assert_null(stream_open_memory(packed.data, packed.len, &below));
        assert_null(stream_open_auto(below, &format, &s));
        below = NULL;
        assert_int_equal(format, STREAM_BZIP2);
        assert_string_equal(stream_format_name(format), "bzip2");
        assert_null(stream_drain(s));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(unbzip2_expands_and_refuses_damage),
                cmocka_unit_test(stream_open_auto_detects_bzip2),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
