/* Unit tests of codec/protobuf: the wire format's own examples, its limits, and what a reader refuses. */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>

#include "codec/protobuf.h"

static struct protobuf reader(const void *data, size_t size)
{
        return (struct protobuf){data, size};
}
#define READER(...) reader((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void add_writes_the_bytes_of_the_formats_documentation(void **state)
{
        _cleanup_str_ struct str a = {0}, b = {0}, c = {0};

        (void)state;
        protobuf_add_uint(&a, 1, 150);
        assert_int_equal(a.len, 3);
        assert_memory_equal(a.data, "\x08\x96\x01", 3);
        protobuf_add_str(&b, 2, "testing");
        assert_int_equal(b.len, 9);
        assert_memory_equal(b.data, "\x12\x07testing", 9);
        protobuf_add_message(&c, 3, &a);
        assert_int_equal(c.len, 5);
        assert_memory_equal(c.data, "\x1a\x03\x08\x96\x01", 5);
}

static void add_int_writes_ten_bytes_for_a_negative_number(void **state)
{
        _cleanup_str_ struct str s = {0};

        (void)state;
        protobuf_add_int(&s, 1, -2);
        assert_int_equal(s.len, 11);
        assert_memory_equal(s.data, "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
}

static void next_reads_back_what_was_written(void **state)
{
        static const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, (uint64_t)1 << 63, UINT64_MAX};
        static const uint32_t fields[] = {1, 15, 16, 2047, 2048, PROTOBUF_FIELD_MAX};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                for (size_t k = 0; k < ARRAY_SIZE(fields); k++) {
                        _cleanup_str_ struct str s = {0};
                        struct protobuf_field f;
                        struct protobuf p;

                        protobuf_add_uint(&s, fields[k], numbers[i]);
                        protobuf_add_str(&s, fields[k], "");
                        check_ok(str_done(&s));
                        p = reader(s.data, s.len);
                        check_ok(protobuf_next(&p, &f));
                        assert_int_equal(f.number, fields[k]);
                        assert_int_equal(f.type, PROTOBUF_VARINT);
                        assert_true(f.n == numbers[i]);
                        check_ok(protobuf_next(&p, &f));
                        assert_int_equal(f.type, PROTOBUF_BYTES);
                        assert_int_equal(f.size, 0);
                        check_ok(protobuf_next(&p, &f));
                        assert_int_equal(f.number, 0);
                }
}

static void next_reads_fixed_numbers_and_nested_messages(void **state)
{
        struct protobuf p = READER(0x0d, 1, 2, 3, 4, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1a, 2, 0x08, 0x07), inner;
        struct protobuf_field f;

        (void)state;
        check_ok(protobuf_next(&p, &f));
        assert_int_equal(f.n, 0x04030201);
        check_ok(protobuf_next(&p, &f));
        assert_true(f.n == 0x0807060504030201ull);
        check_ok(protobuf_next(&p, &f));
        inner = protobuf_message(&f);
        check_ok(protobuf_next(&inner, &f));
        assert_int_equal(f.number, 1);
        assert_int_equal(f.n, 7);
        check_ok(protobuf_next(&inner, &f));
        assert_int_equal(f.number, 0);
}

static void next_refuses_damaged_messages(void **state)
{
        struct protobuf cut[] = {
                READER(0x08),
                READER(0x08, 0x80),
                READER(0x12, 3, 'a', 'b'),
                READER(0x0d, 1, 2, 3),
                READER(0x11, 1, 2, 3, 4, 5, 6, 7),
                READER(0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
        };
        struct protobuf wide = READER(0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02);
        struct protobuf endless = READER(0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00);
        struct protobuf zero = READER(0x00, 0x01), group = READER(0x0b),
                        large = READER(0x80, 0x80, 0x80, 0x80, 0x10, 0);
        struct protobuf_field f;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cut); i++)
                check_err(protobuf_next(&cut[i], &f), "protobuf: the message is cut off");
        check_err(protobuf_next(&wide, &f), "protobuf: a number has more than 64 bits");
        check_err(protobuf_next(&endless, &f), "protobuf: a number has more than 64 bits");
        check_err(protobuf_next(&zero, &f), "protobuf: a field has no valid number");
        check_err(protobuf_next(&large, &f), "protobuf: a field has no valid number");
        check_err(protobuf_next(&group, &f), "protobuf: field 1 is of the unknown type 3");
}

static void text_refuses_nul_bytes_and_numbers(void **state)
{
        struct protobuf p = READER(0x0a, 3, 'a', 0, 'b', 0x10, 1, 0x1a, 2, 'o', 'k');
        _cleanup_free_ char *text = NULL;
        struct protobuf_field f;

        (void)state;
        check_ok(protobuf_next(&p, &f));
        check_err(protobuf_text(&f, &text), "protobuf: field 1 has a NUL byte");
        check_ok(protobuf_next(&p, &f));
        check_err(protobuf_text(&f, &text), "protobuf: field 2 is not a string");
        assert_null(text);
        check_ok(protobuf_next(&p, &f));
        check_ok(protobuf_text(&f, &text));
        assert_string_equal(text, "ok");
}

static void int32_takes_the_low_half(void **state)
{
        struct protobuf p = READER(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x0a, 0);
        struct protobuf_field f;

        (void)state;
        check_ok(protobuf_next(&p, &f));
        assert_int_equal(protobuf_int32(&f), -1);
        check_ok(protobuf_next(&p, &f));
        assert_int_equal(protobuf_int32(&f), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(add_writes_the_bytes_of_the_formats_documentation),
                cmocka_unit_test(add_int_writes_ten_bytes_for_a_negative_number),
                cmocka_unit_test(next_reads_back_what_was_written),
                cmocka_unit_test(next_reads_fixed_numbers_and_nested_messages),
                cmocka_unit_test(next_refuses_damaged_messages),
                cmocka_unit_test(text_refuses_nul_bytes_and_numbers),
                cmocka_unit_test(int32_takes_the_low_half),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
