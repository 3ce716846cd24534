/* test-platform.c - see src/oci/platform.h. */
#include "check.h"

#include <stdio.h>

#include "base/str.h"
#include "oci/image.h"
#include "oci/platform.h"

static struct platform parse(const char *text)
{
        struct platform p;

        check_ok(platform_parse(text, &p));
        return p;
}

static void check_text(const char *text, const char *want)
{
        struct platform p = parse(text);
        char buf[PLATFORM_TEXT];

        assert_string_equal(platform_text(&p, buf), want);
}

static void platform_parse_normalises(void **state)
{
        (void)state;
        check_text("linux/amd64", "linux/amd64");
        check_text("linux/x86_64", "linux/amd64");
        check_text("x86_64", "linux/amd64");
        check_text("LINUX/AMD64", "linux/amd64");
        check_text("linux/aarch64", "linux/arm64");
        check_text("linux/arm64/v8", "linux/arm64");
        check_text("linux/arm64/8", "linux/arm64");
        check_text("arm", "linux/arm/v7");
        check_text("linux/arm/6", "linux/arm/v6");
        check_text("armhf", "linux/arm/v7");
        check_text("armel", "linux/arm/v6");
        check_text("linux/amd64/v1", "linux/amd64");
        check_text("windows/amd64", "windows/amd64");
}

static void platform_parse_defaults_to_this_machine(void **state)
{
        struct platform none = parse(NULL), linux_alone = parse("linux");

        (void)state;
        assert_string_equal(none.os, "linux");
        assert_string_equal(none.arch, oci_image_machine(NULL));
        assert_memory_equal(&none, &linux_alone, sizeof(none));
}

static void platform_parse_refuses(void **state)
{
        struct platform p;

        (void)state;
        check_code(platform_parse("a/b/c/d", &p), ERR_INVALID);
        check_code(platform_parse("linux//", &p), ERR_INVALID);
        check_code(platform_parse("linux/a b", &p), ERR_INVALID);
        check_code(platform_parse("toaster", &p), ERR_INVALID);
}

static int rank(const char *want, const char *have)
{
        struct platform w = parse(want), h = parse(have);

        return platform_rank(&w, &h);
}

static void platform_rank_orders(void **state)
{
        (void)state;
        assert_int_equal(rank("linux/amd64", "linux/amd64"), 0);
        assert_true(rank("linux/amd64", "linux/386") > 0);
        assert_int_equal(rank("linux/386", "linux/amd64"), -1);
        assert_int_equal(rank("linux/amd64", "linux/amd64/v2"), -1);
        assert_true(rank("linux/amd64/v3", "linux/amd64/v2") < rank("linux/amd64/v3", "linux/amd64"));
        assert_true(rank("linux/arm/v7", "linux/arm/v6") > 0);
        assert_int_equal(rank("linux/arm/v6", "linux/arm/v7"), -1);
        assert_true(rank("linux/arm64", "linux/arm/v7") > 0);
        assert_int_equal(rank("linux/arm64", "linux/arm64"), 0);
        assert_int_equal(rank("linux/amd64", "windows/amd64"), -1);
        assert_int_equal(rank("linux/s390x", "linux/ppc64le"), -1);
}

static void choose(const char *text, const char *platform, const char *want)
{
        struct platform p = parse(platform);
        _cleanup_json_ json *index = NULL;
        json *d;

        check_ok(json_parse(text, strlen(text), &index));
        d = platform_choose(index, &p);
        assert_true(str_eq(json_get_str(d, "digest"), want));
}

static void platform_choose_takes_the_best(void **state)
{
        static const char text[] =
                "{\"manifests\":["
                "{\"digest\":\"386\",\"platform\":{\"os\":\"linux\",\"architecture\":\"386\"}},"
                "{\"digest\":\"v5\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v5\"}},"
                "{\"digest\":\"amd64\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
                "{\"digest\":\"again\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
                "{\"digest\":\"v6\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"}},"
                "{\"digest\":\"att\",\"platform\":{\"os\":\"linux\",\"architecture\":\"riscv64\"},"
                "\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}},"
                "{\"digest\":\"plain\"}]}";

        (void)state;
        choose(text, "linux/amd64", "amd64");
        choose(text, "linux/386", "386");
        choose(text, "linux/arm/v7", "v6");
        choose(text, "linux/arm64", "v6");
        choose(text, "linux/riscv64", NULL);
        choose(text, "linux/s390x", NULL);
        choose("{\"manifests\":[{\"digest\":\"only\"}]}", "linux/s390x", "only");
        choose("{\"manifests\":[]}", "linux/s390x", NULL);
        choose("{\"manifests\":7}", "linux/s390x", NULL);
        choose("{\"manifests\":[7,null,{\"digest\":\"1\",\"platform\":\"x\"}]}", "linux/s390x", NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(platform_parse_normalises),
                cmocka_unit_test(platform_parse_defaults_to_this_machine),
                cmocka_unit_test(platform_parse_refuses),
                cmocka_unit_test(platform_rank_orders),
                cmocka_unit_test(platform_choose_takes_the_best),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
