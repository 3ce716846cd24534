/* Unit tests of oci/reference: names of images, as docker reads and writes them. */
#include "check.h"

#include "base/mem.h"
#include "oci/reference.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void same(const char *text, const char *full, const char *familiar)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *a = NULL, *b = NULL;

        check_ok(reference_parse(text, true, &r));
        check_ok(reference_full(&r, &a));
        check_ok(reference_familiar(&r, &b));
        assert_string_equal(a, full);
        assert_string_equal(b, familiar);
}

static void reference_parse_fills_in_what_is_left_out(void **state)
{
        (void)state;
        same("busybox", "docker.io/library/busybox:latest", "busybox:latest");
        same("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36");
        same("user/app", "docker.io/user/app:latest", "user/app:latest");
        same("docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest");
        same("index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest");
        same("docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest");
}

static void reference_parse_tells_a_domain_from_a_path(void **state)
{
        (void)state;
        same("reg.example/app", "reg.example/app:latest", "reg.example/app:latest");
        same("reg:5000/a/b:t", "reg:5000/a/b:t", "reg:5000/a/b:t");
        same("localhost/x", "localhost/x:latest", "localhost/x:latest");
        same("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest");
        same("a/b/c", "docker.io/a/b/c:latest", "a/b/c:latest");
        same("docker.io/reg.example/x", "docker.io/reg.example/x:latest", "docker.io/reg.example/x:latest");
        same("library/library/x", "docker.io/library/library/x:latest", "library/library/x:latest");
        same("REG/x", "REG/x:latest", "REG/x:latest");
}

static void reference_parse_takes_digests(void **state)
{
        (void)state;
        same("busybox@" DIGEST, "docker.io/library/busybox@" DIGEST, "busybox@" DIGEST);
        same("busybox:1@" DIGEST, "docker.io/library/busybox:1@" DIGEST, "busybox:1@" DIGEST);
}

static void reference_parse_takes_every_separator_in_its_place(void **state)
{
        (void)state;
        same("a__b", "docker.io/library/a__b:latest", "a__b:latest");
        same("a---b.c_d", "docker.io/library/a---b.c_d:latest", "a---b.c_d:latest");
        same("x:_a.B-c", "docker.io/library/x:_a.B-c", "x:_a.B-c");
}

static void reference_parse_refuses_what_is_no_name(void **state)
{
        static const char *const bad[] = {
                "",         ":tag",       ("@" DIGEST),  "a:",           "a//b",   "/a",       "a/",
                "a..b",     "a___b",      "-a",          "a-",           "_a",     "a b",      "a\n",
                "a:b:c",    "a:-t",       "a@b",         "reg.example/", "a@@b",   "\xc3\xa4", "a/../b",
                "reg..x/a", "reg:port/a", "a@sha256:12", "[::1/x",       "-r.x/a", "a:\xff",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                struct reference r;
                err *e = reference_parse(bad[i], true, &r);

                if (!e)
                        fail_msg("'%s' was taken", bad[i]);
                assert_int_equal(err_code(e), ERR_INVALID);
                err_free(e);
        }
}

static void reference_parse_names_the_mistake_of_capitals(void **state)
{
        struct reference r;

        (void)state;
        check_err(reference_parse("Busybox", true, &r),
                  "invalid reference format: repository name (library/Busybox) must be lowercase");
}

static void reference_parse_bounds_lengths(void **state)
{
        char name[400], tag[200];
        struct reference r;

        (void)state;
        memset(name, 'a', sizeof(name));
        name[300] = '\0';
        check_code(reference_parse(name, true, &r), ERR_INVALID);
        name[200] = '\0';
        check_ok(reference_parse(name, true, &r));
        reference_done(&r);
        memset(tag, 'a', sizeof(tag));
        tag[1] = ':';
        tag[2 + 128] = '\0';
        check_ok(reference_parse(tag, true, &r));
        reference_done(&r);
        tag[2 + 128] = 'a';
        tag[2 + 129] = '\0';
        check_code(reference_parse(tag, true, &r), ERR_INVALID);
}

static void reference_parse_adds_no_tag_when_told(void **state)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *repository = NULL;

        (void)state;
        check_ok(reference_parse("reg.example:5000/a/b", false, &r));
        assert_null(r.tag);
        check_ok(reference_repository(&r, &repository));
        assert_string_equal(repository, "reg.example:5000/a/b");
}

static bool matches(const char *pattern, const char *name)
{
        _cleanup_reference_ struct reference r = {0};
        bool yes = false;

        check_ok(reference_parse(name, true, &r));
        check_ok(reference_matches(&r, pattern, &yes));
        return yes;
}

static void reference_matches_as_docker_does(void **state)
{
        (void)state;
        assert_true(matches("busybox", "busybox:1"));
        assert_true(matches("busybox:1", "busybox:1"));
        assert_false(matches("busybox:2", "busybox:1"));
        assert_false(matches("busy", "busybox:1"));
        assert_true(matches("*:latest", "busybox"));
        assert_false(matches("*:latest", "user/busybox"));
        assert_true(matches("*/*:latest", "user/busybox"));
        assert_true(matches("b*y*x", "busybox"));
        assert_true(matches("b?sybox:[0-9].*", "busybox:1.35"));
        assert_false(matches("busybox:[^0-9]*", "busybox:1.35"));
        assert_true(matches("busybox:[\\]1]", "busybox:1"));
        assert_true(matches("busybox:\\1", "busybox:1"));
        assert_true(matches("user/?usybox", "user/busybox"));
        assert_false(matches("user?busybox", "user/busybox"));
        assert_true(matches("reg.example:5000/*", "reg.example:5000/x:2"));
        assert_true(matches("*a*b*c", "xaxxbxxbc"));
        assert_true(matches("busybox@" DIGEST, "busybox@" DIGEST));
}

static void reference_matches_refuses_what_is_no_pattern(void **state)
{
        static const char *const bad[] = {"[", "[]", "[a", "x[^]", "[a-]", "[-a]", "a\\", "*[", "[\\", "[a-\\"};
        _cleanup_reference_ struct reference r = {0};
        bool yes;

        (void)state;
        check_ok(reference_parse("zzz", true, &r));
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                check_err(reference_matches(&r, bad[i], &yes), "syntax error in pattern");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reference_parse_fills_in_what_is_left_out),
                cmocka_unit_test(reference_parse_tells_a_domain_from_a_path),
                cmocka_unit_test(reference_parse_takes_digests),
                cmocka_unit_test(reference_parse_takes_every_separator_in_its_place),
                cmocka_unit_test(reference_parse_refuses_what_is_no_name),
                cmocka_unit_test(reference_parse_names_the_mistake_of_capitals),
                cmocka_unit_test(reference_parse_bounds_lengths),
                cmocka_unit_test(reference_parse_adds_no_tag_when_told),
                cmocka_unit_test(reference_matches_as_docker_does),
                cmocka_unit_test(reference_matches_refuses_what_is_no_pattern),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
