/* Unit tests of monitor/logs: docker's json-file format, rotation, and a disk that is full. */
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "monitor/logs.h"

#define NOON INT64_C(1795435200000000000) /* 2026-11-23T12:00:00Z */

static char base_path[] = "/tmp/hod-test-logs-XXXXXX";
static char path[64];
static struct logs logs;

static int setup(void **state)
{
        if (!mkdtemp(base_path))
                return -1;
        (void)snprintf(path, sizeof(path), "%s/x.log", base_path);
        return 0;
}

static int teardown(void **state)
{
        return file_remove_tree(AT_FDCWD, base_path);
}

static void begin(uint64_t max_size, unsigned max_files)
{
        static const char *const names[] = {"", ".1", ".2", ".3"};

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_free_ char *name = str_format("%s%s", path, names[i]);

                (void)unlink(name);
        }
        logs = (struct logs){0};
        logs_init(&logs, path, NULL, max_size, max_files);
}

static char *content(const char *suffix)
{
        _cleanup_free_ char *name = str_format("%s%s", path, suffix);
        char *text = NULL;

        return file_read(AT_FDCWD, name, 1 << 26, &text, NULL) < 0 ? NULL : text;
}

static void write_text(enum logs_stream stream, const char *text, int64_t now)
{
        logs_write(&logs, stream, text, strlen(text), now);
}

static void logs_write_makes_dockers_lines(void **state)
{
        _cleanup_free_ char *text = NULL;
        struct stat st;

        begin(0, 1);
        assert_int_equal(access(path, F_OK), -1); /* lazily */
        write_text(LOGS_STDOUT, "hi\nyou\n", NOON);
        write_text(LOGS_STDERR, "err\n", NOON + 120000000);
        write_text(LOGS_STDOUT, "a", NOON + 1);
        write_text(LOGS_STDERR, "no", NOON + 1);
        write_text(LOGS_STDOUT, "b\n", NOON + 123456789);
        logs_end(&logs, LOGS_STDERR, NOON + 10);
        logs_end(&logs, LOGS_STDOUT, NOON + 10);
        logs_close(&logs);
        text = content("");
        assert_string_equal(text,
                            "{\"log\":\"hi\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T12:00:00Z\"}\n"
                            "{\"log\":\"you\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T12:00:00Z\"}\n"
                            "{\"log\":\"err\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-23T12:00:00.12Z\"}\n"
                            "{\"log\":\"ab\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T12:00:00.123456789Z\"}\n"
                            "{\"log\":\"no\",\"stream\":\"stderr\",\"time\":\"2026-11-23T12:00:00.00000001Z\"}\n");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0640);
}

static void logs_write_puts_attributes_before_the_time(void **state)
{
        _cleanup_free_ char *text = NULL;

        begin(0, 1);
        logs.attrs = "{\"a\":\"b\"}";
        write_text(LOGS_STDOUT, "x\n", NOON);
        logs_close(&logs);
        text = content("");
        assert_string_equal(text, "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"b\"},"
                                  "\"time\":\"2026-11-23T12:00:00Z\"}\n");
}

static void logs_escape_is_dockers(void **state)
{
        static const struct {
                const char *in, *out;
        } cases[] = {
                {"plain", "plain"},
                {"\"\\\n\r\t\x01\x7f", "\\\"\\\\\\n\\r\\u0009\\u0001\x7f"},
                {"<>&", "\\u003c\\u003e\\u0026"},
                {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
                {"\xff", "\\ufffd"},
                {"a\xc3", "a\\ufffd"},
                {"\xc0\x80", "\\ufffd\\ufffd"},            /* overlong */
                {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"}, /* surrogate */
                {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
                {"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"},
                {"\xe2\x80", "\\ufffd\\ufffd"},
        };
        char out[64];

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                size_t n = logs_escape(cases[i].in, strlen(cases[i].in), out);

                out[n] = '\0';
                assert_string_equal(out, cases[i].out);
                assert_int_equal(logs_escape(cases[i].in, strlen(cases[i].in), NULL), n);
        }
        assert_int_equal(logs_escape("\0", 1, out), 6);
        assert_memory_equal(out, "\\u0000", 6);
}

static size_t count_lines(const char *text)
{
        size_t n = 0;

        for (; text && (text = strchr(text, '\n')); text++)
                n++;
        return n;
}

static void logs_write_cuts_long_lines_at_16k(void **state)
{
        _cleanup_free_ char *line = malloc(40002), *text = NULL;
        char *p;

        begin(0, 1);
        memset(line, 'x', 40000);
        line[40000] = '\n';
        /* In odd portions: the cut depends on the line, not on how it came. */
        for (size_t i = 0; i < 40001; i += 777)
                logs_write(&logs, LOGS_STDOUT, line + i, i + 777 < 40001 ? 777 : 40001 - i, NOON);
        logs_close(&logs);
        text = content("");
        assert_int_equal(count_lines(text), 3);
        p = text + strlen("{\"log\":\"");
        assert_int_equal(strspn(p, "x"), 16384);
        assert_memory_equal(p + 16384, "\",\"stream\"", 10);
        p = strrchr(text, '{') + strlen("{\"log\":\"");
        assert_int_equal(strspn(p, "x"), 40000 - 2 * 16384);
        assert_memory_equal(p + 40000 - 2 * 16384, "\\n\"", 3);
}

static void logs_write_keeps_the_worst_line_whole(void **state)
{
        _cleanup_free_ char *line = malloc(16384), *text = NULL;

        begin(0, 1);
        memset(line, 1, 16384); /* six bytes each */
        logs_write(&logs, LOGS_STDOUT, line, 16384, NOON);
        logs_close(&logs);
        text = content("");
        assert_int_equal(strlen(text),
                         strlen("{\"log\":\"\",\"stream\":\"stdout\",\"time\":\"2026-11-23T12:00:00Z\"}\n") +
                                 6 * 16384);
        assert_int_equal(count_lines(text), 1);
}

static void logs_write_rotates_between_entries(void **state)
{
        static const char *const suffixes[] = {".2", ".1", ""};
        int want = -1, seen = 0;

        begin(1000, 3);
        for (int i = 0; i < 200; i++) {
                char line[16];

                (void)snprintf(line, sizeof(line), "%d\n", i);
                write_text(LOGS_STDOUT, line, NOON);
        }
        logs_close(&logs);
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                _cleanup_free_ char *text = content(suffixes[i]);
                char *p = text;

                assert_non_null(text);
                assert_true(strlen(text) <= 1000);
                for (; *p; p = strchr(p, '\n') + 1, seen++) {
                        int n;

                        assert_int_equal(sscanf(p, "{\"log\":\"%d\\n\"", &n), 1);
                        if (want >= 0)
                                assert_int_equal(n, want);
                        want = n + 1;
                }
        }
        assert_int_equal(want, 200);
        assert_true(seen > 30);
        assert_null(content(".3"));
}

static void logs_write_with_one_file_empties_it(void **state)
{
        _cleanup_free_ char *text = NULL;

        begin(500, 1);
        for (int i = 0; i < 50; i++)
                write_text(LOGS_STDOUT, "line\n", NOON);
        logs_close(&logs);
        text = content("");
        assert_true(strlen(text) <= 500);
        assert_null(content(".1"));
}

static void logs_write_goes_on_after_a_full_disk(void **state)
{
        struct rlimit before, limit = {.rlim_cur = 700, .rlim_max = RLIM_INFINITY};
        _cleanup_free_ char *text = NULL;

        begin(0, 1);
        (void)signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        limit.rlim_max = before.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        for (int i = 0; i < 100; i++)
                write_text(LOGS_STDOUT, "some output\n", NOON);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        write_text(LOGS_STDOUT, "again\n", NOON);
        logs_close(&logs);
        text = content("");
        /* Whole entries, one confession, and what came after. */
        assert_int_equal(text[strlen(text) - 1], '\n');
        for (char *p = text; *p; p = strchr(p, '\n') + 1)
                assert_memory_equal(p, "{\"log\":\"", 8);
        assert_non_null(strstr(text, "bytes of this log are lost: File too large\\n\",\"stream\":\"stderr\""));
        assert_null(strstr(strstr(text, "are lost") + 1, "are lost"));
        assert_non_null(strstr(text, "{\"log\":\"again\\n\""));
}

static void logs_write_without_a_directory_loses_quietly(void **state)
{
        logs = (struct logs){0};
        logs_init(&logs, "/tmp/hod-test-logs-nowhere/x.log", NULL, 0, 1);
        write_text(LOGS_STDOUT, "x\n", NOON);
        assert_int_equal(logs.lost_errnum, ENOENT);
        logs = (struct logs){0};
        logs_init(&logs, "", NULL, 0, 1);
        write_text(LOGS_STDOUT, "x\n", NOON);
        assert_int_equal(logs.lost, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(logs_write_makes_dockers_lines),
                cmocka_unit_test(logs_write_puts_attributes_before_the_time),
                cmocka_unit_test(logs_escape_is_dockers),
                cmocka_unit_test(logs_write_cuts_long_lines_at_16k),
                cmocka_unit_test(logs_write_keeps_the_worst_line_whole),
                cmocka_unit_test(logs_write_rotates_between_entries),
                cmocka_unit_test(logs_write_with_one_file_empties_it),
                cmocka_unit_test(logs_write_goes_on_after_a_full_disk),
                cmocka_unit_test(logs_write_without_a_directory_loses_quietly),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
