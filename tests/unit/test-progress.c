/* test-progress.c - see src/cli/progress_private.h: what stands on a terminal. */
#include "check.h"

#include "base/str.h"
#include "cli/progress_private.h"

static void check_row(const struct progress_row *r, unsigned cols, const char *want)
{
        _cleanup_str_ struct str s = {0};

        progress_row_text(r, cols, &s);
        assert_string_equal(str_text(&s), want);
        assert_true(s.len < cols || cols < 2);
}

static const struct progress_row moving = {.id = (char *)"0123456789ab",
                                           .status = "Downloading",
                                           .amount = true,
                                           .current = 25000000,
                                           .total = 100000000,
                                           .rate = 5000000};

static void progress_row_text_fits_the_window(void **state)
{
        (void)state;
        check_row(&moving, 120,
                  "0123456789ab: Downloading [============>                                   ]     25MB/100MB  "
                  "5MB/s  15s");
        check_row(&moving, 80, "0123456789ab: Downloading     25MB/100MB  5MB/s  15s");
        check_row(&moving, 50, "0123456789ab: Downloading     25MB/100MB  5MB/s");
        check_row(&moving, 42, "0123456789ab: Downloading     25MB/100MB");
        check_row(&moving, 20, "0123456789ab: Downl");
        check_row(&moving, 2, "0");
        for (unsigned cols = 2; cols < 200; cols++) {
                _cleanup_str_ struct str s = {0};

                progress_row_text(&moving, cols, &s);
                assert_true(s.len < cols);
        }
}

static void progress_row_text_without_a_total(void **state)
{
        struct progress_row r = moving;

        (void)state;
        r.total = 0;
        check_row(&r, 120, "0123456789ab: Downloading     25MB  5MB/s");
        r.amount = false;
        check_row(&r, 120, "0123456789ab: Downloading");
}

static void progress_row_update_smooths_the_rate(void **state)
{
        struct progress_row r = {.id = (char *)"a"};
        struct progress_event e = {.id = "a", .status = "Downloading", .amount = true, .current = 1000, .total = 9000};

        (void)state;
        progress_row_update(&r, &e, 0); /* 1000 of an earlier pull: no rate */
        assert_true(r.rate < 1);
        e.current = 2000;
        progress_row_update(&r, &e, 1000000000);
        assert_true(r.rate > 999 && r.rate < 1001);
        e.current = 4000;
        progress_row_update(&r, &e, 2000000000);
        assert_true(r.rate > 1399 && r.rate < 1401);
        e.amount = false;
        e.status = "Pull complete";
        progress_row_update(&r, &e, 3000000000);
        assert_true(r.rate < 1);
}

static void fill(struct progress_region *g, size_t n, size_t done)
{
        for (size_t i = 0; i < n; i++) {
                struct progress_row *r;
                char id[16];

                (void)snprintf(id, sizeof(id), "layer%zu", i);
                check_ok(progress_region_row(g, id, &r));
                progress_row_update(r, &(struct progress_event){.id = id, .status = "Waiting", .done = i < done}, 0);
        }
}

static void progress_region_draw_goes_up_by_what_was_drawn(void **state)
{
        _cleanup_(progress_region_done) struct progress_region g = {0};
        _cleanup_str_ struct str s = {0}, again = {0}, narrow = {0};

        (void)state;
        fill(&g, 2, 0);
        check_ok(progress_region_draw(&g, 24, 80, &s));
        assert_string_equal(str_text(&s), "\033[Jlayer0: Waiting\nlayer1: Waiting\n");
        check_ok(progress_region_draw(&g, 24, 80, &again));
        assert_string_equal(str_text(&again), "\033[2A\r\033[Jlayer0: Waiting\nlayer1: Waiting\n");
        /* each of the old lines takes two in a window of ten columns */
        check_ok(progress_region_draw(&g, 24, 10, &narrow));
        assert_string_equal(str_text(&narrow), "\033[4A\r\033[Jlayer0: W\nlayer1: W\n");
}

static void progress_region_draw_stays_in_the_window(void **state)
{
        _cleanup_(progress_region_done) struct progress_region g = {0};
        _cleanup_str_ struct str s = {0};

        (void)state;
        fill(&g, 10, 6);
        check_ok(progress_region_draw(&g, 5, 80, &s));
        assert_string_equal(str_text(&s), "\033[Jlayer6: Waiting\nlayer7: Waiting\n(and 8 more)\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(progress_row_text_fits_the_window),
                cmocka_unit_test(progress_row_text_without_a_total),
                cmocka_unit_test(progress_row_update_smooths_the_rate),
                cmocka_unit_test(progress_region_draw_goes_up_by_what_was_drawn),
                cmocka_unit_test(progress_region_draw_stays_in_the_window),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
