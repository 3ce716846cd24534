/* Unit tests of base/clock. */
#include "check.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

#define S INT64_C(1000000000)

static void clock_format_drops_trailing_zeros(void **state)
{
        static const struct {
                int64_t ns;
                const char *text;
        } cases[] = {
                {0, "0001-01-01T00:00:00Z"},
                {1795420800 * S + 123456789, "2026-11-23T08:00:00.123456789Z"},
                {1795420800 * S + 120000000, "2026-11-23T08:00:00.12Z"},
                {1795420800 * S, "2026-11-23T08:00:00Z"},
                {951782400 * S, "2000-02-29T00:00:00Z"},
                {-1, "1969-12-31T23:59:59.999999999Z"},
                {-86400 * S, "1969-12-31T00:00:00Z"},
                {INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
                {INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
        };
        char buf[CLOCK_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                int64_t back = 1;

                clock_format(cases[i].ns, buf);
                assert_string_equal(buf, cases[i].text);
                check_ok(clock_parse(buf, &back));
                assert_true(back == cases[i].ns);
        }
}

static void clock_parse_reads_zones(void **state)
{
        int64_t ns;

        (void)state;
        check_ok(clock_parse("2026-11-23T09:00:00+01:00", &ns));
        assert_true(ns == 1795420800 * S);
        check_ok(clock_parse("2026-11-23T02:30:00.5-05:30", &ns));
        assert_true(ns == 1795420800 * S + S / 2);
        check_ok(clock_parse("2026-11-23t08:00:00.1234567891234z", &ns));
        assert_true(ns == 1795420800 * S + 123456789);
}

static void clock_parse_refuses(void **state)
{
        static const char *const bad[] = {"",
                                          "x",
                                          "2026-11-23",
                                          "2026-11-23T08:00:00",
                                          "2026-13-01T00:00:00Z",
                                          "2026-02-29T00:00:00Z",
                                          "2026-11-23T24:00:00Z",
                                          "2026-11-23T08:00:00.Z",
                                          "2026-11-23T08:00:00Zx",
                                          "2026-11-23T08:00Z",
                                          "2026-11-23 08:00:00Z",
                                          "9999-12-31T00:00:00Z"};
        int64_t ns = 7;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                check_code(clock_parse(bad[i], &ns), ERR_INVALID);
        assert_true(ns == 7);
}

static void clock_parse_point_reads_what_since_takes(void **state)
{
        int64_t ns, now = 1795420800 * S;

        (void)state;
        (void)setenv("TZ", "UTC-2", 1); /* POSIX: two hours east */
        tzset();
        check_ok(clock_parse_point("10m", now, &ns));
        assert_true(ns == now - 600 * S);
        check_ok(clock_parse_point("1795420800", now, &ns));
        assert_true(ns == now);
        check_ok(clock_parse_point("1795420800.5", now, &ns));
        assert_true(ns == now + S / 2);
        check_ok(clock_parse_point("2026-11-23T08:00:00Z", now, &ns));
        assert_true(ns == now);
        check_ok(clock_parse_point("2026-11-23T10:00:00", now, &ns));
        assert_true(ns == now);
        check_ok(clock_parse_point("2026-11-23 10:00", now, &ns));
        assert_true(ns == now);
        check_ok(clock_parse_point("2026-11-23", now, &ns));
        assert_true(ns == now - 10 * 3600 * S);
        check_err(clock_parse_point("bogus", now, &ns), "failed to parse value as time or duration: \"bogus\"");
        check_code(clock_parse_point("2026-11-23T", now, &ns), ERR_INVALID);
        check_code(clock_parse_point("99999999999999999999", now, &ns), ERR_INVALID);
        check_code(clock_parse_point("-", now, &ns), ERR_INVALID);
        check_code(clock_parse_point("", now, &ns), ERR_INVALID);
}

static void clock_human_speaks_as_docker(void **state)
{
        static const struct {
                int64_t seconds;
                const char *text;
        } cases[] = {
                {-5, "Less than a second"}, {0, "Less than a second"}, {1, "1 second"},
                {5, "5 seconds"},           {59, "59 seconds"},        {60, "About a minute"},
                {119, "About a minute"},    {120, "2 minutes"},        {3599, "59 minutes"},
                {3600, "About an hour"},    {5399, "About an hour"},   {5400, "2 hours"},
                {47 * 3600, "47 hours"},    {48 * 3600, "2 days"},     {13 * 86400, "13 days"},
                {14 * 86400, "2 weeks"},    {59 * 86400, "8 weeks"},   {60 * 86400, "2 months"},
                {729 * 86400, "24 months"}, {730 * 86400, "2 years"},
        };
        char buf[40];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                clock_human(cases[i].seconds * S, buf, sizeof(buf));
                assert_string_equal(buf, cases[i].text);
        }
        clock_human(S - 1, buf, sizeof(buf));
        assert_string_equal(buf, "Less than a second");
        clock_human(INT64_MAX, buf, sizeof(buf));
        clock_human(INT64_MIN, buf, sizeof(buf));
}

static void clock_now_goes_on(void **state)
{
        int64_t a = clock_monotonic_ns();

        (void)state;
        assert_true(clock_monotonic_ns() >= a);
        assert_true(clock_now_ns() > 1700000000 * S);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(clock_format_drops_trailing_zeros),
                cmocka_unit_test(clock_parse_reads_zones),
                cmocka_unit_test(clock_parse_refuses),
                cmocka_unit_test(clock_parse_point_reads_what_since_takes),
                cmocka_unit_test(clock_human_speaks_as_docker),
                cmocka_unit_test(clock_now_goes_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
