/* Unit tests of base/hash (FIPS 180-4 examples) and base/id. */
#include "check.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/id.h"
#include "base/mem.h"

static void sha256_hex_of_the_standards_examples(void **state)
{
        static const struct {
                const char *text, *hex;
        } cases[] = {
                {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
                {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopq"
                 "rstn"
                 "opqrstu",
                 "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
        };
        char hex[SHA256_HEX + 1];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                sha256_hex(cases[i].text, strlen(cases[i].text), hex);
                assert_string_equal(hex, cases[i].hex);
        }
}

static void sha256_of_a_million_in_pieces(void **state)
{
        _cleanup_free_ char *data = malloc(1000000);
        unsigned char raw[SHA256_SIZE];
        char hex[SHA256_HEX + 1];

        (void)state;
        assert_non_null(data);
        memset(data, 'a', 1000000);
        for (size_t piece = 1; piece < 200000; piece = piece * 3 + 1) {
                struct sha256 s;

                sha256_init(&s);
                for (size_t at = 0; at < 1000000; at += piece)
                        sha256_update(&s, data + at, at + piece > 1000000 ? 1000000 - at : piece);
                sha256_final(&s, raw);
                hash_to_hex(raw, sizeof(raw), hex);
                assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        }
}

/* Every length around the block size: the padding's corner cases, against hashing in one go and byte by byte. */
static void sha256_padding_at_every_length(void **state)
{
        unsigned char a[SHA256_SIZE], b[SHA256_SIZE], data[200];
        struct sha256 s;

        (void)state;
        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (unsigned char)(i * 7);
        for (size_t n = 0; n <= sizeof(data); n++) {
                sha256_init(&s);
                sha256_update(&s, data, n);
                sha256_final(&s, a);
                sha256_init(&s);
                for (size_t i = 0; i < n; i++)
                        sha256_update(&s, data + i, 1);
                sha256_final(&s, b);
                assert_memory_equal(a, b, sizeof(a));
        }
}

/* From the reference implementation's vectors. */
static void hash_fnv_of_known_texts(void **state)
{
        (void)state;
        assert_int_equal(hash_fnv32("", 0), 0x811c9dc5);
        assert_int_equal(hash_fnv32("a", 1), 0xe40c292c);
        assert_int_equal(hash_fnv32("foobar", 6), 0xbf9cf968);
        assert_true(hash_fnv64(HASH_FNV64, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
        assert_true(hash_fnv64(HASH_FNV64, "foobar", 6) == UINT64_C(0x85944171f73967e8));
        assert_true(hash_fnv64(hash_fnv64(HASH_FNV64, "foo", 3), "bar", 3) == UINT64_C(0x85944171f73967e8));
}

static void id_new_is_fresh_and_valid(void **state)
{
        char a[ID_LEN + 1], b[ID_LEN + 1];

        (void)state;
        for (int i = 0; i < 1000; i++) {
                assert_int_equal(id_new(a), 0);
                assert_true(id_valid(a));
                assert_true(strspn(a, "0123456789") < ID_SHORT);
        }
        assert_int_equal(id_new(b), 0);
        assert_string_not_equal(a, b);
}

static void id_names_are_dockers(void **state)
{
        char longest[300];

        (void)state;
        assert_true(id_name_valid("ab"));
        assert_true(id_name_valid("0_.-"));
        assert_true(id_name_valid("a")); /* docker wants two; the founding documents call a container `d` */
        assert_false(id_name_valid(""));
        assert_false(id_name_valid("-bad"));
        assert_false(id_name_valid("a b"));
        assert_false(id_name_valid("a/b"));
        assert_false(id_name_valid("..x"));
        assert_false(id_name_valid("a\n"));
        memset(longest, 'a', sizeof(longest));
        longest[255] = '\0';
        assert_true(id_name_valid(longest));
        longest[255] = 'a';
        longest[256] = '\0';
        assert_false(id_name_valid(longest));
        assert_true(id_prefix_valid("0af"));
        assert_false(id_prefix_valid(""));
        assert_false(id_prefix_valid("0AF"));
        assert_false(id_valid("0af"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sha256_hex_of_the_standards_examples),
                cmocka_unit_test(sha256_of_a_million_in_pieces),
                cmocka_unit_test(sha256_padding_at_every_length),
                cmocka_unit_test(hash_fnv_of_known_texts),
                cmocka_unit_test(id_new_is_fresh_and_valid),
                cmocka_unit_test(id_names_are_dockers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
