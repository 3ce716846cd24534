/* Unit tests of codec/digest. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "codec/digest.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void digest_parse_takes_sha256_only(void **state)
{
        static const struct {
                const char *text;
                enum err_code code;
        } cases[] = {
                {"sha256:" ABC, 0},
                {"", ERR_INVALID},
                {ABC, ERR_INVALID},
                {"sha256:", ERR_INVALID},
                {"sha256:" ABC "0", ERR_INVALID},
                {"SHA256:" ABC, ERR_INVALID},
                {"sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", ERR_INVALID},
                {"sha256:../../../../../../../../../../../../../../../../../../../etc/shad", ERR_INVALID},
                {"sha256:" ABC "\n", ERR_INVALID},
                {"sha512:00", ERR_UNSUPPORTED},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct digest d = {"untouched"};
                err *e = digest_parse(cases[i].text, &d);

                assert_int_equal(err_code(e), cases[i].code);
                assert_string_equal(d.text, e ? "untouched" : cases[i].text);
                err_free(e);
        }
}

static void digest_of_matches_fips_vectors(void **state)
{
        struct digest d, again;

        digest_of("", 0, &d);
        assert_string_equal(d.text, "sha256:" EMPTY);
        digest_of("abc", 3, &d);
        assert_string_equal(digest_hex(&d), ABC);
        assert_null(digest_from_hex(ABC, &again));
        assert_true(digest_equal(&d, &again));
        digest_of("abd", 3, &again);
        assert_false(digest_equal(&d, &again));
        assert_string_equal(digest_hex(&(struct digest){""}), "");
}

/* Both sides of the threshold, in pieces of all kinds of sizes, must agree with the portable code. */
static void digest_hasher_agrees_with_the_portable_code(void **state)
{
        static const size_t sizes[] = {0, 1, 63, 64, 65, 65535, 65536, 65537, 131072, 1000003};
        static const size_t steps[] = {1, 7, 512, 65536, 70000, 2000000};
        _cleanup_free_ unsigned char *data = malloc(1000003);

        assert_non_null(data);
        for (size_t i = 0; i < 1000003; i++)
                data[i] = (unsigned char)(i * 31 + i / 256);
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
                for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
                        _cleanup_(digest_hasher_freep) struct digest_hasher *h = NULL;
                        struct digest want, got;

                        if (sizes[i] > 200000 && steps[k] < 512)
                                continue;
                        assert_null(digest_hasher_new(&h));
                        for (size_t at = 0; at < sizes[i]; at += steps[k])
                                digest_hasher_update(h, data + at, sizes[i] - at < steps[k] ? sizes[i] - at : steps[k]);
                        assert_true(digest_hasher_size(h) == sizes[i]);
                        assert_null(digest_hasher_final(h, &got));
                        digest_of(data, sizes[i], &want);
                        assert_string_equal(got.text, want.text);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(digest_parse_takes_sha256_only),
                cmocka_unit_test(digest_of_matches_fips_vectors),
                cmocka_unit_test(digest_hasher_agrees_with_the_portable_code),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
