/* Unit tests of base/parse. Error texts were compared with docker's command line. */
#include <string.h>

#include "check.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/parse.h"

static void parse_int_takes_decimal_numbers_only(void **state)
{
        static const char *const bad[] = {"",    "-",   "+1",    " 1",  "1 ",  "1\n", "0x10",
                                          "010", "-01", "1_000", "1.0", "--1", "x",   "1x"};
        int64_t n = 7;

        (void)state;
        check_ok(parse_int("0", 0, 10, &n));
        assert_int_equal(n, 0);
        check_ok(parse_int("-9223372036854775808", INT64_MIN, INT64_MAX, &n));
        assert_true(n == INT64_MIN);
        check_ok(parse_int("9223372036854775807", INT64_MIN, INT64_MAX, &n));
        assert_true(n == INT64_MAX);
        n = 7;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                check_code(parse_int(bad[i], INT64_MIN, INT64_MAX, &n), ERR_INVALID);
        assert_int_equal(n, 7);
        check_err(parse_int("x", 0, 10, &n), "strconv.ParseInt: parsing \"x\": invalid syntax");
        check_err(parse_int("11", 0, 10, &n), "strconv.ParseInt: parsing \"11\": value out of range");
        check_err(parse_int("99999999999999999999", INT64_MIN, INT64_MAX, &n),
                  "strconv.ParseInt: parsing \"99999999999999999999\": value out of range");
        check_code(parse_int("-9223372036854775809", INT64_MIN, INT64_MAX, &n), ERR_INVALID);
}

static void parse_uint_has_no_sign(void **state)
{
        uint64_t n;

        (void)state;
        check_ok(parse_uint("18446744073709551615", 0, UINT64_MAX, &n));
        assert_true(n == UINT64_MAX);
        check_err(parse_uint("18446744073709551616", 0, UINT64_MAX, &n),
                  "strconv.ParseUint: parsing \"18446744073709551616\": value out of range");
        check_err(parse_uint("-1", 0, 5, &n), "strconv.ParseUint: parsing \"-1\": invalid syntax");
}

static void parse_error_quotes_what_could_drive_a_terminal(void **state)
{
        int64_t n;

        (void)state;
        check_err(parse_int("\x1b[2J\n\xff\"\\é", 0, 1, &n),
                  "strconv.ParseInt: parsing \"\\x1b[2J\\n\\xff\\\"\\\\é\": invalid syntax");
        check_err(parse_int("\xe2\x80\xae", 0, 1, &n), "strconv.ParseInt: parsing \"\\u202e\": invalid syntax");
}

static void parse_mode_is_octal(void **state)
{
        unsigned mode;

        (void)state;
        check_ok(parse_mode("0755", &mode));
        assert_int_equal(mode, 0755);
        check_ok(parse_mode("1777", &mode));
        assert_int_equal(mode, 01777);
        check_err(parse_mode("999", &mode), "strconv.ParseUint: parsing \"999\": invalid syntax");
        check_code(parse_mode("10000", &mode), ERR_INVALID);
        check_code(parse_mode("", &mode), ERR_INVALID);
}

static void parse_bool_takes_gos_words(void **state)
{
        static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
        static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
        bool b;

        (void)state;
        for (size_t i = 0; i < 6; i++) {
                check_ok(parse_bool(yes[i], &b));
                assert_true(b);
                check_ok(parse_bool(no[i], &b));
                assert_false(b);
        }
        check_err(parse_bool("maybe", &b), "strconv.ParseBool: parsing \"maybe\": invalid syntax");
        check_code(parse_bool("", &b), ERR_INVALID);
        check_code(parse_bool("tRUE", &b), ERR_INVALID);
}

static void parse_size_takes_dockers_units(void **state)
{
        static const struct {
                const char *text;
                int64_t bytes;
        } good[] = {
                {"0", 0},
                {"100", 100},
                {"100b", 100},
                {"1k", 1024},
                {"1K", 1024},
                {"1kb", 1024},
                {"1KiB", 1024},
                {"16m", 16 << 20},
                {"1.5g", 3LL << 29},
                {"64KB", 65536},
                {"1t", 1LL << 40},
                {"1p", 1LL << 50},
                {".5k", 512},
                {"5.k", 5120},
                {"10 MB", 10 << 20},
                {"1.1g", 1181116006},
                {"0.1b", 0},
                {"016m", 16 << 20},
                {"9223372036854775807", INT64_MAX},
                {"8191.99999999p", 9223372036843516808LL},
        };
        int64_t n = 7;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                check_ok(parse_size(good[i].text, &n));
                if (n != good[i].bytes)
                        fail_msg("%s: %lld", good[i].text, (long long)n);
        }
}

static void parse_size_refuses_in_dockers_words(void **state)
{
        int64_t n = 7;

        (void)state;
        check_err(parse_size("x", &n), "invalid size: 'x'");
        check_err(parse_size("", &n), "invalid size: ''");
        check_err(parse_size("-1", &n), "invalid size: '-1'");
        check_err(parse_size("5zz", &n), "invalid suffix: 'zz'");
        check_err(parse_size("5kx", &n), "invalid suffix: 'kx'");
        check_err(parse_size("5kibb", &n), "invalid suffix: 'kibb'");
        check_err(parse_size("1.2.3m", &n), "strconv.ParseFloat: parsing \"1.2.3\": invalid syntax");
        check_code(parse_size("99999999999999g", &n), ERR_INVALID);
        check_code(parse_size("9223372036854775808", &n), ERR_INVALID);
        check_code(parse_size("8192p", &n), ERR_INVALID);
        check_code(parse_size("99999999999999999999999999999999", &n), ERR_INVALID);
        check_code(parse_size("+1m", &n), ERR_INVALID);
        check_code(parse_size(" 1m", &n), ERR_INVALID);
        check_code(parse_size("1m ", &n), ERR_INVALID);
        check_code(parse_size("-", &n), ERR_INVALID);
        check_code(parse_size("- ", &n), ERR_INVALID);
        check_code(parse_size(".", &n), ERR_INVALID);
        assert_int_equal(n, 7);
}

static void parse_size_unlimited_takes_minus_one(void **state)
{
        int64_t n;

        (void)state;
        check_ok(parse_size_unlimited("-1", &n));
        assert_int_equal(n, -1);
        check_err(parse_size_unlimited("-2", &n), "invalid size: '-2'");
}

static void parse_duration_is_gos(void **state)
{
        static const struct {
                const char *text;
                int64_t ns;
        } good[] = {
                {"0", 0},
                {"10s", 10000000000},
                {"1m30s", 90000000000},
                {"1.5h", 5400000000000},
                {"100ms", 100000000},
                {"-3us", -3000},
                {"1\302\265s", 1000},
                {"1h1m1s1ms", 3661001000000},
                {".5s", 500000000},
                {"1.s", 1000000000},
                {"0s", 0},
                {"1ns", 1},
                {"9223372036854775807ns", INT64_MAX},
                {"-9223372036854775808ns", INT64_MIN},
        };
        int64_t n;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                check_ok(parse_duration(good[i].text, &n));
                if (n != good[i].ns)
                        fail_msg("%s: %lld", good[i].text, (long long)n);
        }
        check_err(parse_duration("x", &n), "time: invalid duration \"x\"");
        check_err(parse_duration("", &n), "time: invalid duration \"\"");
        check_err(parse_duration("10", &n), "time: missing unit in duration \"10\"");
        check_err(parse_duration("10q", &n), "time: unknown unit \"q\" in duration \"10q\"");
        check_err(parse_duration("10ms5", &n), "time: missing unit in duration \"10ms5\"");
        check_code(parse_duration(".s", &n), ERR_INVALID);
        check_code(parse_duration("1.2.3s", &n), ERR_INVALID);
        check_code(parse_duration("-", &n), ERR_INVALID);
        check_code(parse_duration("9999999999h", &n), ERR_INVALID);
        check_code(parse_duration("9223372036854775808ns", &n), ERR_INVALID);
}

static void parse_cpus_is_exact(void **state)
{
        int64_t n;

        (void)state;
        check_ok(parse_cpus("1.5", &n));
        assert_int_equal(n, 1500000000);
        check_ok(parse_cpus(".1", &n));
        assert_int_equal(n, 100000000);
        check_ok(parse_cpus("0.000000001", &n));
        assert_int_equal(n, 1);
        check_ok(parse_cpus("1/2", &n));
        assert_int_equal(n, 500000000);
        check_ok(parse_cpus("-1", &n));
        assert_int_equal(n, -1000000000);
        check_ok(parse_cpus("1.50000000000000000000000", &n));
        assert_int_equal(n, 1500000000);
        check_err(parse_cpus("x", &n), "failed to parse x as a rational number");
        check_err(parse_cpus("", &n), "failed to parse  as a rational number");
        check_err(parse_cpus("1.0000000001", &n), "value is too precise");
        check_err(parse_cpus("1/3", &n), "value is too precise");
        check_code(parse_cpus("1/0", &n), ERR_INVALID);
        check_code(parse_cpus("99999999999999999999", &n), ERR_INVALID);
}

static void parse_size_format_has_three_digits(void **state)
{
        static const struct {
                uint64_t n;
                const char *text;
        } cases[] = {
                {0, "0B"},           {999, "999B"},          {1000, "1kB"},
                {2063920, "2.06MB"}, {762000, "762kB"},      {73900000, "73.9MB"},
                {999999, "1MB"},     {UINT64_MAX, "18.4EB"}, {999500, "1MB"},
        };
        char buf[32];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                parse_size_format(cases[i].n, buf, sizeof(buf));
                assert_string_equal(buf, cases[i].text);
        }
        parse_size_format_digits(2063920, 4, buf, sizeof(buf));
        assert_string_equal(buf, "2.064MB");
        parse_size_format_binary(25276971417, buf, sizeof(buf));
        assert_string_equal(buf, "23.54GiB");
}

static void parse_cpuset_reads_numbers_and_ranges(void **state)
{
        (void)state;
        assert_true(parse_cpuset_valid("0-3,5"));
        assert_true(parse_cpuset_valid(""));
        assert_true(parse_cpuset_valid("3,2,1,03,1-2"));
        assert_true(parse_cpuset_valid("8191"));
        assert_false(parse_cpuset_valid("8192"));
        assert_false(parse_cpuset_valid("99999999999999999999"));
        assert_false(parse_cpuset_valid("x"));
        assert_false(parse_cpuset_valid("1-"));
        assert_false(parse_cpuset_valid("-1"));
        assert_false(parse_cpuset_valid("1,"));
        assert_false(parse_cpuset_valid(",1"));
        assert_false(parse_cpuset_valid("3-1"));
        assert_false(parse_cpuset_valid("1 ,2"));
        assert_true(parse_cpuset_subset("0,2", "0-3"));
        assert_true(parse_cpuset_subset("", "0-3"));
        assert_false(parse_cpuset_subset("7", "0-1"));
}

static void parse_signal_knows_names_and_numbers(void **state)
{
        static const struct {
                const char *text;
                int number;
        } good[] = {
                {"TERM", SIGTERM}, {"SIGTERM", SIGTERM}, {"sigterm", SIGTERM}, {"15", 15},         {"9", 9},
                {"KILL", SIGKILL}, {"RTMIN", 34},        {"RTMIN+3", 37},      {"SIGRTMAX-1", 63}, {"RTMAX", 64},
                {"64", 64},        {"POLL", SIGIO},      {"SYS", SIGSYS},      {"STKFLT", 16},
        };
        static const char *const bad[] = {
                "",         "0",       "65",      "BOGUS", "SIG",    "-1",      "SIGSIGTERM",
                "RTMIN+31", "RTMIN-1", "RTMAX+1", "TERM ", "RTMIN+", "RTMIN+x", "VERYLONGSIGNALNAMEINDEED"};
        int n = 7;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_int_equal(parse_signal(good[i].text, &n), 0);
                assert_int_equal(n, good[i].number);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (parse_signal(bad[i], &n) != -EINVAL)
                        fail_msg("%s", bad[i]);
        for (int i = 1; i <= 64; i++) { /* names are read back */
                if (i > 31 && i < 34)
                        continue;
                assert_int_equal(parse_signal(parse_signal_name(i), &n), 0);
                assert_int_equal(n, i);
        }
}

static void parse_ulimit_is_dockers(void **state)
{
        struct parse_ulimit u;

        (void)state;
        check_ok(parse_ulimit("nofile=100:200", &u));
        assert_string_equal(u.name, "nofile");
        assert_int_equal(u.resource, RLIMIT_NOFILE);
        assert_int_equal(u.soft, 100);
        assert_int_equal(u.hard, 200);
        check_ok(parse_ulimit("core=-1", &u));
        assert_int_equal(u.hard, -1);
        check_err(parse_ulimit("x=1", &u), "invalid ulimit type: x");
        check_err(parse_ulimit("nofile", &u), "invalid ulimit argument: nofile");
        check_err(parse_ulimit("nofile=5:2", &u), "ulimit soft limit must be less than or equal to hard limit: 5 > 2");
        check_err(parse_ulimit("nofile=-1:5", &u),
                  "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: 5");
        check_err(parse_ulimit("nofile=1:2:3", &u),
                  "too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`");
        check_err(parse_ulimit("nofile=", &u), "strconv.ParseInt: parsing \"\": invalid syntax");
        check_err(parse_ulimit("=1", &u), "invalid ulimit type: ");
        assert_int_equal(parse_rlimit("RLIMIT_NOFILE"), RLIMIT_NOFILE);
        assert_int_equal(parse_rlimit("bogus"), -1);
}

static void check_device(const char *text, const char *host, const char *container, const char *access)
{
        struct parse_device d;

        check_ok(parse_device(text, &d));
        assert_string_equal(d.host, host);
        assert_string_equal(d.container, container);
        assert_string_equal(d.access, access);
        parse_device_done(&d);
}

static void parse_device_has_three_parts(void **state)
{
        struct parse_device d;

        (void)state;
        check_device("/dev/a", "/dev/a", "/dev/a", "rwm");
        check_device("/dev/a:/dev/b", "/dev/a", "/dev/b", "rwm");
        check_device("/dev/a:r", "/dev/a", "/dev/a", "r");
        check_device("/dev/a:/dev/b:rw", "/dev/a", "/dev/b", "rw");
        check_err(parse_device("/dev/null:/dev/x:q", &d), "bad mode specified: q");
        check_err(parse_device("/dev/null:/dev/x:rr", &d), "bad mode specified: rr");
        check_err(parse_device("a:b:c:d", &d), "invalid device specification: a:b:c:d");
        check_err(parse_device("", &d), "invalid device specification: ");
        check_err(parse_device("/dev/a:rel", &d), "rel is not an absolute path");
}

static void parse_throttle_has_path_and_rate(void **state)
{
        struct parse_throttle t;

        (void)state;
        check_ok(parse_throttle("/dev/sda:1mb", true, &t));
        assert_string_equal(t.path, "/dev/sda");
        assert_int_equal(t.rate, 1 << 20);
        parse_throttle_done(&t);
        check_ok(parse_throttle("/dev/sda:100", false, &t));
        assert_int_equal(t.rate, 100);
        parse_throttle_done(&t);
        check_err(parse_throttle("bad", true, &t), "bad format: bad");
        check_err(parse_throttle("x:1", true, &t), "bad format for device path: x:1");
        check_err(parse_throttle("/dev/x:zz", true, &t), "invalid rate for device: /dev/x:zz. The correct format is "
                                                         "<device-path>:<number>[<unit>]. Number must be a "
                                                         "positive integer. Unit is optional and can be kb, mb, or gb");
        check_err(parse_throttle("/dev/x:1k", false, &t),
                  "invalid rate for device: /dev/x:1k. The correct format is <device-path>:<number>. Number must be a "
                  "positive integer");
        check_err(parse_weight_device("/dev/x:5", &t), "invalid weight for device: /dev/x:5");
}

static void check_port(const char *text, const char *ip, unsigned h1, unsigned h2, unsigned c1, unsigned c2,
                       const char *proto)
{
        struct parse_port p;

        check_ok(parse_port(text, &p));
        assert_string_equal(p.ip, ip);
        assert_int_equal(p.host_first, h1);
        assert_int_equal(p.host_last, h2);
        assert_int_equal(p.first, c1);
        assert_int_equal(p.last, c2);
        assert_string_equal(p.proto, proto);
        parse_port_done(&p);
}

static void parse_port_reads_every_form(void **state)
{
        (void)state;
        check_port("80", "", 0, 0, 80, 80, "tcp");
        check_port("8081:80/TCP", "", 8081, 8081, 80, 80, "tcp");
        check_port("8082-8084:80", "", 8082, 8084, 80, 80, "tcp");
        check_port("1-3:4-6/udp", "", 1, 3, 4, 6, "udp");
        check_port("127.0.0.1::80", "127.0.0.1", 0, 0, 80, 80, "tcp");
        check_port("127.0.0.1:8085:80", "127.0.0.1", 8085, 8085, 80, 80, "tcp");
        check_port("[::1]:8080:80", "::1", 8080, 8080, 80, 80, "tcp");
        check_port("[::1]::80/sctp", "::1", 0, 0, 80, 80, "sctp");
        check_port(":80", "", 0, 0, 80, 80, "tcp");
        check_port("80/", "", 0, 0, 80, 80, "tcp");
        check_port("target=80,published=8080,protocol=udp,mode=host", "", 8080, 8080, 80, 80, "udp");
        check_port("published=127.0.0.1:81,target=80", "127.0.0.1", 81, 81, 80, 80, "tcp");
        check_port("target=80", "", 0, 0, 80, 80, "tcp");
}

static void parse_port_refuses_in_dockers_words(void **state)
{
        struct parse_port p;

        (void)state;
        check_err(parse_port("65536", &p), "Invalid containerPort: 65536");
        check_err(parse_port("70000:80", &p), "Invalid hostPort: 70000");
        check_err(parse_port("x", &p), "Invalid containerPort: x");
        check_err(parse_port("80:x", &p), "Invalid containerPort: x");
        check_err(parse_port("80/foo", &p), "Invalid proto: foo");
        check_err(parse_port("1-3:1-2", &p), "Invalid ranges specified for container and host Ports: 1-2 and 1-3");
        check_err(parse_port("3-1:3-1", &p), "Invalid containerPort: 3-1");
        check_err(parse_port("8080:80:90", &p), "Invalid ip address: 8080");
        check_err(parse_port("::1:80:80", &p), "Invalid ip address ::1: address ::1:: too many colons in address");
        check_err(parse_port("localhost:80:80", &p),
                  "Invalid ip address: localhost (nor has the host a network device of that name)");
        check_err(parse_port("0", &p), "Invalid containerPort: 0 (ports begin with 1)");
        check_err(parse_port("80:0-1", &p), "Invalid containerPort: 0-1 (ports begin with 1)");
        check_err(parse_port("0-5:80", &p), "Invalid hostPort: 0-5 (ports begin with 1)");
        check_err(parse_port("published=80", &p), "No port specified: 80:/tcp<empty>");
        check_err(parse_port("target=80,80", &p), "invalid publish opts format (should be name=value but got '80')");
        check_err(parse_port("target=80,=80", &p), "invalid publish opts format (should be name=value but got '=80')");
        check_err(parse_port("target=80,x=80", &p), "invalid publish opts: unknown field 'x' (target, published, "
                                                    "protocol and mode=host are known)");
        check_err(parse_port("target=80,mode=ingress", &p),
                  "invalid publish opts: mode=ingress needs a swarm (mode=host does not)");
        check_err(parse_port("target=80=9", &p), "invalid publish opts: target=80=9");
        check_err(parse_port("-1:80", &p), "Invalid hostPort: -1");
        check_err(parse_port("", &p), "No port specified: <empty>");
        check_err(parse_port("/tcp", &p), "No port specified: /tcp<empty>");
        check_code(parse_port("[::1:1:2", &p), ERR_INVALID);
        check_err(parse_expose("70000", &p), "invalid range format for --expose: 70000, error: strconv.ParseUint: "
                                             "parsing \"70000\": value out of range");
        check_err(parse_expose("x", &p),
                  "invalid range format for --expose: x, error: strconv.ParseUint: parsing \"x\": invalid syntax");
        check_err(parse_expose("1:2", &p), "invalid port format for --expose: 1:2");
        check_err(parse_expose("0-1", &p), "invalid range format for --expose: 0-1, error: ports begin with 1");
        check_ok(parse_expose("80-82/udp", &p));
        assert_int_equal(p.last, 82);
        parse_port_done(&p);
}

static void parse_user_tells_names_from_numbers(void **state)
{
        struct parse_user u;

        (void)state;
        check_ok(parse_user("daemon", &u));
        assert_string_equal(u.user, "daemon");
        assert_int_equal(u.uid, -1);
        assert_null(u.group);
        parse_user_done(&u);
        check_ok(parse_user("1000:audio", &u));
        assert_int_equal(u.uid, 1000);
        assert_string_equal(u.group, "audio");
        assert_int_equal(u.gid, -1);
        parse_user_done(&u);
        check_err(parse_user("-1", &u), "uids and gids must be in range 0-2147483647");
        check_code(parse_user("2147483648", &u), ERR_INVALID);
        check_code(parse_user("0:99999999999999999999", &u), ERR_INVALID);
}

static void parse_link_gives_name_and_alias(void **state)
{
        static const char *const bad[] = {"a:b:c", ":b", "a:", "a:b c", "a:b,c", "a:b\nc"};
        _cleanup_free_ char *name = NULL, *alias = NULL, *n = NULL, *a = NULL, *shown = NULL, *of = NULL;

        (void)state;
        check_ok(parse_link("db:alias", &name, &alias));
        assert_string_equal(name, "db");
        assert_string_equal(alias, "alias");
        check_ok(parse_link("db", &n, &a));
        assert_string_equal(n, "db");
        assert_string_equal(a, "db");
        check_ok(parse_link("/db:/web/alias", &of, &shown));
        assert_string_equal(of, "db");
        assert_string_equal(shown, "alias");
        check_err(parse_link("", &name, &alias), "empty string specified for links");
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                err *e = parse_link(bad[i], &name, &alias);

                assert_int_equal(err_code(e), ERR_INVALID);
                err_free(e);
        }
}

static void parse_add_host_gives_dockers_form(void **state)
{
        char *text;

        (void)state;
        check_ok(parse_add_host("a.b:1.2.3.4", &text));
        assert_string_equal(text, "a.b:1.2.3.4");
        free(text);
        check_ok(parse_add_host("v6=[::1]", &text));
        assert_string_equal(text, "v6:::1");
        free(text);
        check_ok(parse_add_host("gw:host-gateway", &text));
        free(text);
        check_err(parse_add_host("bad", &text), "bad format for add-host: \"bad\"");
        check_err(parse_add_host("a:bad", &text), "invalid IP address in add-host: \"bad\"");
        check_err(parse_add_host("a=b=c", &text), "invalid IP address in add-host: \"b=c\"");
        check_err(parse_add_host(":1.1.1.1", &text), "bad format for add-host: \":1.1.1.1\"");
}

static void parse_mac_normalises(void **state)
{
        char mac[18];

        (void)state;
        check_ok(parse_mac("02-42-AC-11-00-02", mac));
        assert_string_equal(mac, "02:42:ac:11:00:02");
        check_err(parse_mac("bogus", mac), "bogus is not a valid mac address");
        check_code(parse_mac("02:42:ac:11:00:02:", mac), ERR_INVALID);
        check_code(parse_mac("02:42:ac:11:00", mac), ERR_INVALID);
        check_err(parse_mac("33:33:00:00:00:01", mac),
                  "33:33:00:00:00:01 is not a valid mac address: it is that of a group (multicast)");
        check_err(parse_mac("FF:FF:FF:FF:FF:FF", mac),
                  "FF:FF:FF:FF:FF:FF is not a valid mac address: it is that of a group (multicast)");
        check_err(parse_mac("00:00:00:00:00:00", mac), "00:00:00:00:00:00 is not a valid mac address: it is nobody's");
}

static void parse_restart_is_dockers(void **state)
{
        struct parse_restart r;

        (void)state;
        check_ok(parse_restart("on-failure:3", &r));
        assert_string_equal(r.name, "on-failure");
        assert_int_equal(r.count, 3);
        parse_restart_done(&r);
        check_err(parse_restart("on-failure:x", &r),
                  "invalid restart policy format: maximum retry count must be an integer");
        check_err(parse_restart("on-failure:-1", &r), "invalid restart policy: maximum retry count cannot be negative");
        check_err(parse_restart("always:3", &r),
                  "invalid restart policy: maximum retry count can only be used with 'on-failure'");
        check_err(parse_restart(":3", &r), "invalid restart policy format: no policy provided before colon");
        check_err(parse_restart("bogus", &r),
                  "invalid restart policy: unknown policy 'bogus'; use one of 'no', 'always', "
                  "'on-failure', or 'unless-stopped'");
}

static void parse_csv_quotes_as_go_does(void **state)
{
        char **f;

        (void)state;
        check_ok(parse_csv("a,\"b,\"\"c\",", &f));
        assert_int_equal(strv_len(f), 3);
        assert_string_equal(f[1], "b,\"c");
        assert_string_equal(f[2], "");
        strv_free(f);
        check_ok(parse_csv("\"a\nb\",c\n", &f));
        assert_string_equal(f[0], "a\nb");
        strv_free(f);
        check_err(parse_csv("", &f), "EOF");
        check_err(parse_csv("\n", &f), "EOF");
        check_err(parse_csv("type=bind,src=\"a\"b,dst=/x", &f),
                  "parse error on line 1, column 15: bare \" in non-quoted-field");
        check_err(parse_csv("\"type=bind,src=a", &f),
                  "parse error on line 1, column 17: extraneous or missing \" in quoted-field");
        check_err(parse_csv("\"type=bind\"x,src=a", &f),
                  "parse error on line 1, column 11: extraneous or missing \" in quoted-field");
        check_code(parse_csv("a\nb", &f), ERR_INVALID);
}

static void parse_mount_reads_every_key(void **state)
{
        struct parse_mount m;

        (void)state;
        check_ok(parse_mount("TYPE=BIND,src=/a b,Dst=/x,ro,bind-propagation=RSHARED,bind-recursive=disabled", &m));
        assert_string_equal(m.type, "bind");
        assert_string_equal(m.source, "/a b");
        assert_string_equal(m.target, "/x");
        assert_true(m.read_only && m.non_recursive);
        assert_string_equal(m.propagation, "rshared");
        assert_int_equal(m.tmpfs_mode, -1);
        parse_mount_done(&m);
        check_ok(parse_mount(
                "dst=/v,source=vol,volume-nocopy,volume-label=a=b,\"volume-opt=o=x,y\",volume-driver=local", &m));
        assert_string_equal(m.type, "volume");
        assert_true(m.no_copy);
        assert_string_equal(m.labels[0], "a=b");
        assert_string_equal(m.driver_opts[0], "o=x,y");
        parse_mount_done(&m);
        check_ok(parse_mount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=0700", &m));
        assert_int_equal(m.tmpfs_size, 1 << 20);
        assert_int_equal(m.tmpfs_mode, 0700);
        parse_mount_done(&m);
        check_ok(parse_mount("type=bind,src=./x,dst=/x", &m));
        assert_int_equal(m.source[0], '/');
        parse_mount_done(&m);
}

static void parse_mount_refuses_in_dockers_words(void **state)
{
        static const struct {
                const char *text, *want;
        } bad[] = {
                {"type=bind", "target is required"},
                {"type=bind,src=/tmp", "target is required"},
                {"src=/tmp,bogus=1", "unexpected key 'bogus' in 'bogus=1'"},
                {"type=volume,src=v,dst=/x,bind-propagation=shared",
                 "cannot mix 'bind-*' options with mount type 'volume'"},
                {"type=tmpfs,dst=/x,tmpfs-size=x", "invalid value for tmpfs-size: x"},
                {"type=tmpfs,dst=/x,tmpfs-mode=999", "invalid value for tmpfs-mode: 999"},
                {"type=bind,src=/tmp,dst=/x,readonly=maybe", "invalid value for readonly: maybe"},
                {"", "EOF"},
                {"type", "invalid field 'type' must be a key=value pair"},
                {"type=,dst=/a", "type is required"},
                {"dst=/a,image-subpath=x", "cannot mix 'image-*' options with mount type 'volume'"},
                {"dst=/a,bind-foo=x", "unexpected key 'bind-foo' in 'bind-foo=x'"},
                {"dst=/a,=b", "unexpected key '' in '=b'"},
                {"type=bind,src=/a,dst=/b,bind-recursive=x",
                 "invalid value for bind-recursive: x (must be \"enabled\", \"disabled\", \"writable\", or "
                 "\"readonly\")"},
                {"type=bind,src=/a,dst=/b,bind-recursive=writable",
                 "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction"},
                {"type=bind,src=/a,dst=/b,bind-recursive=readonly,ro",
                 "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in "
                 "conjunction"},
        };
        struct parse_mount m;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                check_err(parse_mount(bad[i].text, &m), bad[i].want);
}

static void parse_volume_is_dockers(void **state)
{
        struct parse_volume v;

        (void)state;
        check_ok(parse_volume("/a:/b:ro,rshared,Z", &v));
        assert_true(v.is_bind && v.read_only);
        assert_string_equal(v.propagation, "rshared");
        assert_int_equal(v.relabel, 'Z');
        parse_volume_done(&v);
        check_ok(parse_volume("named1:/x:nocopy", &v));
        assert_false(v.is_bind);
        assert_true(v.no_copy);
        parse_volume_done(&v);
        check_ok(parse_volume("/anon", &v));
        assert_null(v.source);
        parse_volume_done(&v);
        check_err(parse_volume("", &v), "invalid empty volume spec");
        check_err(parse_volume("/x:", &v), "invalid spec: /x:: empty section between colons");
        check_err(parse_volume("/a:/b:/c:/d", &v), "invalid spec: /a:/b:/c:/d: too many colons");
        check_err(parse_volume("/a:/b:zz", &v), "invalid mode: zz");
        check_err(parse_volume("/a:/b:ro,rw", &v), "invalid mode: ro,rw");
        check_err(parse_volume("/x:rel", &v), "invalid volume specification: '/x:rel': invalid mount config for type "
                                              "\"bind\": invalid mount path: 'rel' mount path must be absolute");
        check_err(parse_volume("/a:/", &v),
                  "invalid volume specification: '/a:/': invalid mount config for type \"bind\": "
                  "invalid specification: destination can't be '/'");
}

static void parse_env_file_keeps_values_verbatim(void **state)
{
        char **list;

        (void)state;
        check_ok(parse_env_file("f", "\xef\xbb\xbf# c\nX=1\n\nY\r\n  Z= sp \n\t#x\nQ=\"a=b\"", &list));
        assert_int_equal(strv_len(list), 4);
        assert_string_equal(list[0], "X=1");
        assert_string_equal(list[1], "Y");
        assert_string_equal(list[2], "Z= sp ");
        assert_string_equal(list[3], "Q=\"a=b\"");
        strv_free(list);
        check_ok(parse_env_file("f", "", &list));
        assert_non_null(list);
        strv_free(list);
        check_err(parse_env_file("envb", "A B=c\n", &list),
                  "invalid env file (envb): variable 'A B' contains whitespaces");
        check_err(parse_env_file("f", "a\n=x\n", &list), "invalid env file (f): no variable name on line '=x'");
        check_err(parse_env_file("f", "a\na\xff=x\n", &list), "invalid env file (f): invalid utf8 bytes at line 2");
}

static void parse_env_takes_the_callers_value(void **state)
{
        char *environment[] = {(char[]){"HOSTVAR=from=host"}, NULL}, **list = NULL;

        (void)state;
        check_ok(parse_env("A=1", environment, &list));
        check_ok(parse_env("HOSTVAR", environment, &list));
        check_ok(parse_env("UNSET", environment, &list));
        check_ok(parse_env("B=", environment, &list));
        check_ok(parse_env("A=2", environment, &list));
        assert_int_equal(strv_len(list), 3);
        assert_string_equal(list[0], "A=2");
        assert_string_equal(list[1], "HOSTVAR=from=host");
        assert_string_equal(list[2], "B=");
        strv_free(list);
        list = NULL;
        check_err(parse_env("=x", environment, &list), "invalid environment variable: =x");
        check_err(parse_env("", environment, &list), "invalid environment variable: ");
}

static void parse_checks_refuse_in_dockers_words(void **state)
{
        (void)state;
        check_err(parse_check_label("=x"), "invalid label '=x': empty name");
        check_ok(parse_check_label("a"));
        check_ok(parse_check_sysctl("net.ipv4.ip_forward=1"));
        check_ok(parse_check_sysctl("kernel.shmmax=1"));
        check_err(parse_check_sysctl("kernel.foo=1"), "sysctl 'kernel.foo=1' is not allowed");
        check_err(parse_check_sysctl("kernel.shmmaxx=1"), "sysctl 'kernel.shmmaxx=1' is not allowed");
        check_err(parse_check_sysctl("net.x"), "sysctl 'net.x' is not allowed");
        check_err(parse_check_ip("bogus"), "IP address is not correctly formatted: bogus");
        check_ok(parse_check_ip("::1"));
        check_ok(parse_check_dns_search("."));
        check_ok(parse_check_dns_search("ex-1.org."));
        check_err(parse_check_dns_search(".."), ".. is not a valid domain");
        check_err(parse_check_dns_search("1.2"), "1.2 is not a valid domain");
        check_err(parse_check_dns_search("a-"), "a- is not a valid domain");
        check_err(parse_check_filter("bad"), "bad format of filter (expected name=value)");
        check_err(parse_check_attach("foo"), "valid streams are STDIN, STDOUT and STDERR");
        check_ok(parse_check_attach("stdout"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(parse_int_takes_decimal_numbers_only),
                cmocka_unit_test(parse_uint_has_no_sign),
                cmocka_unit_test(parse_error_quotes_what_could_drive_a_terminal),
                cmocka_unit_test(parse_mode_is_octal),
                cmocka_unit_test(parse_bool_takes_gos_words),
                cmocka_unit_test(parse_size_takes_dockers_units),
                cmocka_unit_test(parse_size_refuses_in_dockers_words),
                cmocka_unit_test(parse_size_unlimited_takes_minus_one),
                cmocka_unit_test(parse_duration_is_gos),
                cmocka_unit_test(parse_cpus_is_exact),
                cmocka_unit_test(parse_size_format_has_three_digits),
                cmocka_unit_test(parse_cpuset_reads_numbers_and_ranges),
                cmocka_unit_test(parse_signal_knows_names_and_numbers),
                cmocka_unit_test(parse_ulimit_is_dockers),
                cmocka_unit_test(parse_device_has_three_parts),
                cmocka_unit_test(parse_throttle_has_path_and_rate),
                cmocka_unit_test(parse_port_reads_every_form),
                cmocka_unit_test(parse_port_refuses_in_dockers_words),
                cmocka_unit_test(parse_user_tells_names_from_numbers),
                cmocka_unit_test(parse_link_gives_name_and_alias),
                cmocka_unit_test(parse_add_host_gives_dockers_form),
                cmocka_unit_test(parse_mac_normalises),
                cmocka_unit_test(parse_restart_is_dockers),
                cmocka_unit_test(parse_csv_quotes_as_go_does),
                cmocka_unit_test(parse_mount_reads_every_key),
                cmocka_unit_test(parse_mount_refuses_in_dockers_words),
                cmocka_unit_test(parse_volume_is_dockers),
                cmocka_unit_test(parse_env_file_keeps_values_verbatim),
                cmocka_unit_test(parse_env_takes_the_callers_value),
                cmocka_unit_test(parse_checks_refuse_in_dockers_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
