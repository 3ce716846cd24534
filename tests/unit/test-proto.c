/* Unit tests of monitor/proto: packets with descriptors, and refusing what is not one. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "monitor/proto.h"

struct pair {
        int a, b;
};

static struct pair pair_open(void)
{
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        return (struct pair){fds[0], fds[1]};
}

static void pair_close(struct pair *p)
{
        (void)file_close(p->a);
        (void)file_close(p->b);
}
#define _cleanup_pair_ __attribute__((cleanup(pair_close)))

static char buf[PROTO_MAX];

static struct proto_packet packet(void)
{
        return (struct proto_packet){.data = buf, .room = sizeof(buf)};
}

static int open_fds(void)
{
        int n = 0;

        for (int i = 0; i < 256; i++)
                n += fcntl(i, F_GETFD) >= 0;
        return n;
}

static void proto_send_carries_data_and_descriptors(void **state)
{
        _cleanup_pair_ struct pair s = pair_open();
        struct proto_start start = {.flags = PROTO_START_CLEANUP, .rows = 24, .cols = 80}, got;
        struct proto_packet p = packet();
        int fd = open("/dev/null", O_RDONLY);

        check_ok(proto_send(s.a, PROTO_START, &start, sizeof(start), &fd, 1));
        (void)file_close(fd);
        assert_int_equal(proto_try_receive(s.b, &p), 1);
        assert_int_equal(p.type, PROTO_START);
        assert_int_equal(p.size, sizeof(start));
        assert_int_equal(p.n_fds, 1);
        assert_int_equal(fcntl(p.fds[0], F_GETFD), FD_CLOEXEC);
        memcpy(&got, p.data, sizeof(got));
        assert_int_equal(got.cols, 80);
        proto_packet_close(&p);
        assert_int_equal(proto_try_receive(s.b, &p), -EAGAIN);
}

static void proto_send_takes_the_largest_packet_and_no_more(void **state)
{
        _cleanup_pair_ struct pair s = pair_open();
        _cleanup_free_ char *big = calloc(1, PROTO_MAX);
        struct proto_packet p = packet();

        check_ok(proto_send(s.a, PROTO_OUT, big, PROTO_MAX - sizeof(struct proto_header), NULL, 0));
        check_ok(proto_receive(s.b, &p));
        assert_int_equal(p.size, PROTO_MAX - sizeof(struct proto_header));
        check_code(proto_send(s.a, PROTO_OUT, big, PROTO_MAX, NULL, 0), ERR_SYS);
}

static void proto_try_receive_refuses_malformed_packets(void **state)
{
        static const struct {
                const char *what;
                struct proto_header h;
                size_t body, fds;
                int want;
        } cases[] = {
                {"size that lies", {PROTO_VERSION, PROTO_WAIT, 1}, 0, 0, -EBADMSG},
                {"size too small", {PROTO_VERSION, PROTO_STDIN, 1}, 2, 0, -EBADMSG},
                {"unknown type", {PROTO_VERSION, 99, 0}, 0, 0, -EBADMSG},
                {"type 0", {PROTO_VERSION, 0, 0}, 0, 0, -EBADMSG},
                {"an answer", {PROTO_VERSION, PROTO_OK, 0}, 0, 0, -EBADMSG},
                {"other version", {PROTO_VERSION + 1, PROTO_WAIT, 0}, 0, 0, -EPROTONOSUPPORT},
                {"body of START too short", {PROTO_VERSION, PROTO_START, 4}, 4, 0, -EBADMSG},
                {"body of WAIT", {PROTO_VERSION, PROTO_WAIT, 4}, 4, 0, -EBADMSG},
                {"descriptor with WAIT", {PROTO_VERSION, PROTO_WAIT, 0}, 0, 1, -EBADMSG},
                {"EXEC without descriptors", {PROTO_VERSION, PROTO_EXEC, 64}, 64, 0, -EBADMSG},
                {"EXEC with too many", {PROTO_VERSION, PROTO_EXEC, 64}, 64, 6, -EBADMSG},
                {"good EXEC", {PROTO_VERSION, PROTO_EXEC, 64}, 64, 3, 1},
                {"good WAIT", {PROTO_VERSION, PROTO_WAIT, 0}, 0, 0, 1},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct proto_header h = cases[i].h;
                int before, r;

                r = proto_check(&h, sizeof(h) + cases[i].body, cases[i].fds);
                if (r != (cases[i].want == 1 ? 0 : cases[i].want))
                        print_error("%s: %d\n", cases[i].what, r);
                assert_int_equal(r, cases[i].want == 1 ? 0 : cases[i].want);
                /* The same through a socket: nothing that came along stays open. */
                before = open_fds();
                if (cases[i].h.size == cases[i].body && cases[i].h.version == PROTO_VERSION) {
                        _cleanup_pair_ struct pair s = pair_open();
                        int fds[PROTO_FDS_MAX] = {0};
                        struct proto_packet p = packet();
                        char body[64] = {0};

                        assert_int_equal(proto_try_send(s.a, h.type, body, cases[i].body, fds, cases[i].fds), 0);
                        assert_int_equal(proto_try_receive(s.b, &p), cases[i].want);
                        proto_packet_close(&p);
                }
                assert_int_equal(open_fds(), before);
        }
        assert_int_equal(proto_check(&(struct proto_header){PROTO_VERSION, PROTO_WAIT, 0}, 4, 0), -EBADMSG);
}

static void proto_receive_tells_the_end(void **state)
{
        _cleanup_pair_ struct pair s = pair_open();
        struct proto_packet p = packet();

        s.a = file_close(s.a);
        check_code(proto_receive(s.b, &p), ERR_NOT_RUNNING);
        check_code(proto_send(s.b, PROTO_WAIT, NULL, 0, NULL, 0), ERR_NOT_RUNNING);
        assert_int_equal(proto_try_send(s.b, PROTO_OK, NULL, 0, NULL, 0), -EPIPE);
}

static void proto_connect_without_monitor_is_not_running(void **state)
{
        int dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;

        check_code(proto_connect(dir, &fd), ERR_NOT_RUNNING);
        assert_int_equal(fd, -1);
        (void)file_close(dir);
}

static void proto_wait_started_gives_errors_as_they_were(void **state)
{
        _cleanup_pair_ struct pair s = pair_open();
        struct {
                struct proto_error e;
                char text[32];
        } error = {.e = {.code = ERR_EXEC_NOT_FOUND}, .text = "exec: \"x\": not found"};
        struct proto_started started = {.pid = 7};
        pid_t pid = 0;
        int terminal = 0;

        assert_int_equal(proto_try_send(s.a, PROTO_ATTACHED, NULL, 0, NULL, 0), 0);
        assert_int_equal(proto_try_send(s.a, PROTO_ERROR, &error, sizeof(error.e) + strlen(error.text), NULL, 0), 0);
        check_err(proto_wait_started(s.b, &pid, &terminal), "exec: \"x\": not found");
        assert_int_equal(proto_try_send(s.a, PROTO_STARTED, &started, sizeof(started), NULL, 0), 0);
        check_ok(proto_wait_started(s.b, &pid, &terminal));
        assert_int_equal(pid, 7);
        assert_int_equal(terminal, -1);
}

static void proto_wait_started_asks_a_silent_monitor_and_goes_on_when_it_answers(void **state)
{
        _cleanup_pair_ struct pair s = pair_open();
        struct proto_started started = {.pid = 7};
        char body[64];
        struct proto_packet p = {.data = body, .room = sizeof(body)};
        pid_t child = fork(), pid = 0;

        if (child == 0) { /* it answers nothing but the question whether it is there, and then has started */
                struct pollfd one = {.fd = s.a, .events = POLLIN};

                if (poll(&one, 1, -1) != 1 || proto_try_receive(s.a, &p) != 1 || p.type != PROTO_STATUS ||
                    proto_try_send(s.a, PROTO_STATUS, "x", 1, NULL, 0) < 0 ||
                    proto_try_send(s.a, PROTO_STARTED, &started, sizeof(started), NULL, 0) < 0)
                        _exit(1);
                _exit(0);
        }
        check_ok(proto_wait_started(s.b, &pid, NULL));
        assert_int_equal(pid, 7);
        assert_int_equal(waitpid(child, NULL, 0), child);
}

static void proto_wait_descriptor_gives_errors_as_they_were(void **state)
{
        _cleanup_pair_ struct pair s = pair_open();
        struct {
                struct proto_error e;
                char text[32];
        } error = {.e = {.code = ERR_NOT_RUNNING}, .text = "container c is not running"};
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC), got = -1;

        assert_int_equal(proto_try_send(s.a, PROTO_ERROR, &error, sizeof(error.e) + strlen(error.text), NULL, 0), 0);
        check_err(proto_wait_descriptor(s.b, &got), "container c is not running");
        assert_int_equal(proto_try_send(s.a, PROTO_OK, NULL, 0, NULL, 0), 0);
        check_code(proto_wait_descriptor(s.b, &got), ERR_CORRUPT);
        assert_int_equal(proto_try_send(s.a, PROTO_OK, NULL, 0, &null, 1), 0);
        check_ok(proto_wait_descriptor(s.b, &got));
        assert_true(fcntl(got, F_GETFD) & FD_CLOEXEC);
}

static void proto_wait_exit_for_drops_what_comes_before_and_times_out(void **state)
{
        _cleanup_pair_ struct pair s = pair_open();
        struct proto_exit sent = {.code = 137, .flags = PROTO_EXIT_OOM}, got = {0};

        assert_int_equal(proto_try_send(s.a, PROTO_OK, NULL, 0, NULL, 0), 0);
        check_code(proto_wait_exit_for(s.b, 20, &got), ERR_TIMEOUT);
        assert_int_equal(proto_try_send(s.a, PROTO_OUT, "x", 1, NULL, 0), 0);
        assert_int_equal(proto_try_send(s.a, PROTO_EXIT, &sent, sizeof(sent), NULL, 0), 0);
        check_ok(proto_wait_exit_for(s.b, 0, &got));
        assert_int_equal(got.code, 137);
        assert_int_equal(got.flags, PROTO_EXIT_OOM);
}

static void proto_exec_split_finds_every_string(void **state)
{
        char text[] = "sh\0-c\0\0A=1\0/dir\0user";
        struct proto_exec x = {.argc = 3, .envc = 1};
        struct proto_exec_strings s;

        check_ok(proto_exec_split(&x, text, sizeof(text), &s));
        assert_string_equal(s.argv[0], "sh");
        assert_string_equal(s.argv[1], "-c");
        assert_string_equal(s.argv[2], "");
        assert_null(s.argv[3]);
        assert_string_equal(s.envp[0], "A=1");
        assert_null(s.envp[1]);
        assert_string_equal(s.cwd, "/dir");
        assert_string_equal(s.user, "user");
        free(s.argv);
}

static void proto_exec_split_refuses_counts_that_lie(void **state)
{
        static const struct proto_exec cases[] = {
                {.argc = 0, .envc = 1},        {.argc = 1, .envc = 0},
                {.argc = 3, .envc = 0},        {.argc = 0xffffffff, .envc = 1},
                {.argc = 1, .envc = 1u << 31}, {.argc = 0xffffffff, .envc = 0xffffffff},
        };
        char text[] = "a\0b\0c\0d"; /* two, cwd, user */
        struct proto_exec_strings s;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                check_code(proto_exec_split(&cases[i], text, sizeof(text), &s), ERR_CORRUPT);
        check_code(proto_exec_split(&(struct proto_exec){.argc = 1, .envc = 1}, text, sizeof(text) - 1, &s),
                   ERR_CORRUPT);
        check_ok(proto_exec_split(&(struct proto_exec){.argc = 1, .envc = 1}, text, sizeof(text), &s));
        free(s.argv);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(proto_send_carries_data_and_descriptors),
                cmocka_unit_test(proto_send_takes_the_largest_packet_and_no_more),
                cmocka_unit_test(proto_try_receive_refuses_malformed_packets),
                cmocka_unit_test(proto_receive_tells_the_end),
                cmocka_unit_test(proto_connect_without_monitor_is_not_running),
                cmocka_unit_test(proto_wait_started_gives_errors_as_they_were),
                cmocka_unit_test(proto_wait_started_asks_a_silent_monitor_and_goes_on_when_it_answers),
                cmocka_unit_test(proto_wait_descriptor_gives_errors_as_they_were),
                cmocka_unit_test(proto_wait_exit_for_drops_what_comes_before_and_times_out),
                cmocka_unit_test(proto_exec_split_finds_every_string),
                cmocka_unit_test(proto_exec_split_refuses_counts_that_lie),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
