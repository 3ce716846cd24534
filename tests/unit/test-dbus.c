/* Unit tests of sys/dbus_message: what is written can be read, and what is malformed is refused. */
#include "check.h"

#include "base/mem.h"
#include "sys/dbus_message.h"

/* A method call of every kind of field, as our own writer makes it. */
static void make_call(struct str *s, struct str *body)
{
        struct dbus_array a;

        dbus_write_string(body, "name");
        a = dbus_write_array(body, 8);
        dbus_write_align(body, 8);
        dbus_write_string(body, "Key");
        dbus_write_signature(body, "t");
        dbus_write_u64(body, 0x1122334455667788);
        dbus_write_array_end(body, a);
        dbus_write_u32(body, 7);
        check_ok(str_done(body));
        check_ok(dbus_call_write(&(struct dbus_call){.destination = "org.example",
                                                     .path = "/org/example",
                                                     .interface = "org.example.Thing",
                                                     .member = "Do",
                                                     .signature = "sa(sv)u",
                                                     .serial = 42,
                                                     .body = body},
                                 s));
}

static void dbus_message_parse_reads_what_dbus_call_write_wrote(void **state)
{
        _cleanup_str_ struct str s = {0}, body = {0};
        struct dbus_message m;
        struct dbus_reader r;

        make_call(&s, &body);
        assert_int_equal(dbus_message_size((const uint8_t *)s.data), s.len);
        assert_true(dbus_message_parse((const uint8_t *)s.data, s.len, &m));
        assert_int_equal(m.type, DBUS_CALL);
        assert_int_equal(m.serial, 42);
        assert_string_equal(m.path, "/org/example");
        assert_string_equal(m.interface, "org.example.Thing");
        assert_string_equal(m.member, "Do");
        assert_string_equal(m.signature, "sa(sv)u");
        assert_null(m.sender);
        r = m.body;
        assert_string_equal(dbus_read_string(&r), "name");
        (void)dbus_read_u32(&r); /* length of the array */
        r.at = (r.at + 7) & ~7ul;
        assert_string_equal(dbus_read_string(&r), "Key");
        assert_string_equal(dbus_read_signature(&r), "t");
        assert_true(dbus_read_u64(&r) == 0x1122334455667788);
        assert_int_equal(dbus_read_u32(&r), 7);
        assert_false(r.bad);
        assert_int_equal(r.at, r.size);
}

static void dbus_skip_passes_over_whole_values(void **state)
{
        _cleanup_str_ struct str s = {0}, body = {0};
        struct dbus_message m;
        const char *signature;

        make_call(&s, &body);
        assert_true(dbus_message_parse((const uint8_t *)s.data, s.len, &m));
        signature = m.signature;
        for (int i = 0; i < 3; i++)
                dbus_skip(&m.body, &signature);
        assert_string_equal(signature, "");
        assert_false(m.body.bad);
        assert_int_equal(m.body.at, m.body.size);
        dbus_skip(&m.body, &signature); /* nothing is no value */
        assert_true(m.body.bad);
}

static void dbus_skip_refuses_what_is_no_type_or_too_deep(void **state)
{
        static const uint8_t zeros[64];
        static const char *const bad[] = {"", "()", "(", "(s", "a", "a{", "z", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaay", ")"};

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                struct dbus_reader r = {.data = zeros, .size = sizeof(zeros)};
                const char *signature = bad[i];

                dbus_skip(&r, &signature);
                if (!r.bad)
                        fail_msg("\"%s\" is taken", bad[i]);
        }
}

static void dbus_message_parse_understands_the_other_byte_order(void **state)
{
        /* An answer to call 1 with the text ":1.0" in it, big endian. */
        static const uint8_t message[] = {
                'B', 2, 1, 1, 0, 0,   0, 9, 0,   0, 0, 3, 0, 0, 0, 15,  5,   1,   'u', 0, 0,
                0,   0, 1, 8, 1, 'g', 0, 1, 's', 0, 0, 0, 0, 0, 4, ':', '1', '.', '0', 0,
        };
        struct dbus_message m;

        assert_int_equal(dbus_message_size(message), sizeof(message));
        assert_true(dbus_message_parse(message, sizeof(message), &m));
        assert_int_equal(m.reply_serial, 1);
        assert_int_equal(m.serial, 3);
        assert_string_equal(dbus_read_string(&m.body), ":1.0");
}

/* Each byte of a good message changed in several ways: nothing is read outside (the sanitizers see that), and what
 * still counts as a message has terminated strings. */
static void dbus_message_parse_survives_every_changed_byte(void **state)
{
        _cleanup_str_ struct str s = {0}, body = {0};
        static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, 'a', '(', 'v'};
        size_t taken = 0, refused = 0;

        make_call(&s, &body);
        for (size_t i = 0; i < s.len; i++)
                for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
                        _cleanup_free_ uint8_t *copy = malloc(s.len);
                        struct dbus_message m;

                        assert_non_null(copy);
                        memcpy(copy, s.data, s.len);
                        copy[i] = values[k];
                        if (dbus_message_size(copy) != s.len || !dbus_message_parse(copy, s.len, &m)) {
                                refused++;
                                continue;
                        }
                        taken++;
                        for (const char *signature = m.signature; *signature && !m.body.bad;)
                                dbus_skip(&m.body, &signature);
                }
        assert_true(taken > 0);
        assert_true(refused > 0);
}

static void dbus_message_parse_refuses_malformed_messages(void **state)
{
        _cleanup_str_ struct str s = {0}, body = {0};
        static const struct {
                size_t at;
                uint8_t value;
                const char *what;
        } cases[] = {
                {0, 'x', "byte order"},
                {1, 0, "type 0"},
                {3, 2, "protocol version"},
                {8, 0, "serial 0"},
                {12, 1, "fields' length"},
                {15, 0x40, "enormous fields"},
                {7, 0x7f, "enormous body"},
                {18, 'u', "type of a path"},
                {20, 0xff, "length of a string"},
                {16, 0, "field 0"},
                {37, 1, "padding"},
        };
        struct dbus_message m;

        make_call(&s, &body);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ uint8_t *copy = malloc(s.len);

                assert_non_null(copy);
                memcpy(copy, s.data, s.len);
                if (copy[cases[i].at] == cases[i].value)
                        fail_msg("%s: nothing is changed", cases[i].what);
                copy[cases[i].at] = cases[i].value;
                if (dbus_message_size(copy) == s.len && dbus_message_parse(copy, s.len, &m))
                        fail_msg("%s: is taken", cases[i].what);
        }
        assert_false(dbus_message_parse((const uint8_t *)s.data, s.len - 1, &m));
        assert_false(dbus_message_parse((const uint8_t *)s.data, 15, &m));
}

static void dbus_read_string_refuses_a_nul_inside(void **state)
{
        static const uint8_t text[] = {3, 0, 0, 0, 'a', 0, 'b', 0};
        struct dbus_reader r = {.data = text, .size = sizeof(text)};

        assert_string_equal(dbus_read_string(&r), "");
        assert_true(r.bad);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(dbus_message_parse_reads_what_dbus_call_write_wrote),
                cmocka_unit_test(dbus_skip_passes_over_whole_values),
                cmocka_unit_test(dbus_skip_refuses_what_is_no_type_or_too_deep),
                cmocka_unit_test(dbus_message_parse_understands_the_other_byte_order),
                cmocka_unit_test(dbus_message_parse_survives_every_changed_byte),
                cmocka_unit_test(dbus_message_parse_refuses_malformed_messages),
                cmocka_unit_test(dbus_read_string_refuses_a_nul_inside),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
