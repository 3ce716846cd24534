/* Tests of the supervisor as a program: the built hod-monitor runs busybox, and we are its client. Needs root and a
 * static /usr/bin/busybox; without them the test is skipped. */
#include "check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "monitor/conf.h"
#include "monitor/proto.h"
#include "monitor/status.h"

#define SKIPPED 77

static char base_path[] = "/tmp/hod-test-monitor-XXXXXX";
static char cgroup[48], monitor_cgroup[60]; /* with our pid: two runs at once must not meet */
static char *program;
static char buf[PROTO_MAX];

/* One container and its monitor. */
struct box {
        char *dir, *log;
        int dirfd, fd; /* fd: first client */
        pid_t monitor, init;
        struct str out, errors;
};

struct options {
        const char *script; /* for sh -c */
        const char *args;   /* instead: JSON */
        bool tty, stdin_, once;
        const char *user, *restart, *donor;
        unsigned restart_max, streams, flags;
};

static void write_config(const struct box *b, const struct options *o)
{
        _cleanup_str_ struct str s = {0};
        _cleanup_free_ char *args = o->args ? str_dup(o->args) : str_format("[\"/bin/sh\",\"-c\",\"%s\"]", o->script);

        str_printf(
                &s,
                "{\"ociVersion\":\"1.2.0\",\"process\":{\"terminal\":%s,\"user\":{\"uid\":0,\"gid\":0},\"args\":%s,"
                "\"env\":[\"PATH=/bin\"],\"cwd\":\"/\"},\"root\":{\"path\":\"rootfs\"},\"mounts\":["
                "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
                "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
                "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"newinstance\","
                "\"ptmxmode=0666\"]}],\"linux\":{\"cgroupsPath\":\"%s/%d\",\"namespaces\":[{\"type\":\"mount\"},"
                "{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"}]}}",
                o->tty ? "true" : "false", args, cgroup, getpid());
        check_ok(str_done(&s));
        assert_int_equal(file_replace(b->dirfd, "config.json", s.data, s.len, 0600, FILE_VOLATILE), 0);
}

static void write_conf(const struct box *b, const struct options *o)
{
        _cleanup_free_ char *rootfs = str_format("%s/rootfs", base_path);
        char *lower[] = {rootfs, NULL}, *donors[] = {(char *)(uintptr_t)o->donor, NULL};
        struct monitor_conf c = {
                .version = STATUS_VERSION,
                .id = (char[]){"0123456789ab"},
                .name = (char[]){"box"},
                .bundle = b->dir,
                .log_path = b->log,
                .rootfs_driver = (char[]){"dir"},
                .lower = lower,
                .tty = o->tty,
                .open_stdin = o->stdin_,
                .stdin_once = o->once,
                .user = (char *)(uintptr_t)o->user,
                .restart_policy = (char *)(uintptr_t)(o->restart ? o->restart : "no"),
                .restart_max = o->restart_max,
                .monitor_cgroup = monitor_cgroup,
                .donors = o->donor ? donors : NULL,
        };

        check_ok(monitor_conf_write(b->dirfd, &c));
}

static void spawn(struct box *b, const char *option)
{
        char *argv[] = {program, option ? (char *)(uintptr_t)option : b->dir, option ? b->dir : NULL, NULL};
        posix_spawn_file_actions_t actions;
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, pair[1], 3), 0);
        assert_int_equal(posix_spawn(&b->monitor, program, &actions, NULL, argv, NULL), 0);
        (void)posix_spawn_file_actions_destroy(&actions);
        (void)file_close(pair[1]);
        (void)file_close(b->fd);
        b->fd = pair[0];
}

/* Make the container and start it; the answer to START is returned. */
static err *box_start(struct box *b, const struct options *o)
{
        struct proto_start start = {.flags = PROTO_START_CLEANUP | o->flags, .rows = 24, .cols = 80};
        struct proto_attach attach = {.streams = o->streams};
        static unsigned serial;

        *b = (struct box){.fd = -1, .dirfd = -1};
        b->dir = str_format("%s/c%u", base_path, ++serial);
        b->log = str_format("%s/c%u.log", base_path, serial);
        assert_int_equal(mkdir(b->dir, 0700), 0);
        b->dirfd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        write_config(b, o);
        write_conf(b, o);
        spawn(b, NULL);
        if (o->streams)
                check_ok(proto_send(b->fd, PROTO_ATTACH, &attach, sizeof(attach), NULL, 0));
        check_ok(proto_send(b->fd, PROTO_START, &start, sizeof(start), NULL, 0));
        return proto_wait_started(b->fd, &b->init, NULL);
}

/* Read packets until @type; output is kept. False at the end of the connection or after a minute. */
static bool until(struct box *b, int fd, unsigned type, struct proto_packet *p)
{
        struct pollfd one = {.fd = fd, .events = POLLIN};

        while (poll(&one, 1, 60000) > 0) {
                err *e;

                *p = (struct proto_packet){.data = buf, .room = sizeof(buf)};
                e = proto_receive(fd, p);
                if (e) {
                        err_free(e);
                        return false;
                }
                if (p->type == PROTO_OUT)
                        str_add_n(&b->out, p->data, p->size);
                if (p->type == PROTO_ERR)
                        str_add_n(&b->errors, p->data, p->size);
                if (p->type == type)
                        return true;
        }
        return false;
}

static struct proto_exit box_exit(struct box *b)
{
        struct proto_exit x = {.code = -1};
        struct proto_packet p;

        if (until(b, b->fd, PROTO_EXIT, &p))
                memcpy(&x, p.data, sizeof(x));
        return x;
}

static int box_connect(const struct box *b)
{
        int fd = -1;

        check_ok(proto_connect(b->dirfd, &fd));
        return fd;
}

static struct status box_status(const struct box *b)
{
        struct status s;

        check_ok(status_read(b->dirfd, &s));
        return s;
}

/* Wait until the monitor has ended; false after twenty seconds. */
static bool monitor_ended(struct box *b)
{
        for (int i = 0; i < 4000; i++) {
                if (waitpid(b->monitor, NULL, WNOHANG) == b->monitor) {
                        b->monitor = 0;
                        return true;
                }
                (void)usleep(5000);
        }
        return false;
}

static void box_end(struct box *b)
{
        if (b->monitor) {
                (void)file_remove_tree(AT_FDCWD, b->dir);
                proto_cleaned(b->fd);
                assert_true(monitor_ended(b));
        }
        (void)file_close(b->fd);
        (void)file_close(b->dirfd);
        str_free(&b->out);
        str_free(&b->errors);
        free(b->dir);
        free(b->log);
}

static void send_signal(int fd, int signal, unsigned flags)
{
        struct proto_signal s = {.signal = signal, .flags = flags};

        check_ok(proto_send(fd, PROTO_SIGNAL, &s, sizeof(s), NULL, 0));
}

#define BOTH (PROTO_STREAM_OUT | PROTO_STREAM_ERR)

static void monitor_reports_output_and_exit(void **state)
{
        struct box b;
        _cleanup_free_ char *log = NULL;

        check_ok(box_start(
                &b, &(struct options){.script = "echo hi; echo err >&2; printf noeol; exit 3", .streams = BOTH}));
        assert_int_equal(box_exit(&b).code, 3);
        assert_string_equal(str_text(&b.out), "hi\nnoeol");
        assert_string_equal(str_text(&b.errors), "err\n");
        assert_int_equal(box_status(&b).state, STATUS_EXITED);
        assert_int_equal(box_status(&b).exit_code, 3);
        assert_int_equal(file_read(AT_FDCWD, b.log, 65536, &log, NULL), 0);
        assert_non_null(strstr(log, "{\"log\":\"hi\\n\",\"stream\":\"stdout\",\"time\":\"20"));
        assert_non_null(strstr(log, "{\"log\":\"noeol\",\"stream\":\"stdout\""));
        box_end(&b);
}

static void monitor_loses_no_output_to_a_slow_client(void **state)
{
        struct box b;
        size_t want = 0;

        for (int i = 1; i <= 100000; i++)
                want += (size_t)snprintf(buf, 16, "%d\n", i);
        check_ok(box_start(&b, &(struct options){.args = "[\"/bin/seq\",\"1\",\"100000\"]", .streams = BOTH}));
        (void)usleep(200000);
        assert_int_equal(box_exit(&b).code, 0);
        assert_int_equal(b.out.len, want);
        assert_memory_equal(b.out.data + want - 7, "100000\n", 7);
        box_end(&b);
}

static void monitor_reports_a_failed_start_and_ends(void **state)
{
        struct box b;

        check_code(box_start(&b, &(struct options){.args = "[\"/nosuch\"]"}), ERR_EXEC_NOT_FOUND);
        assert_int_equal(file_remove_tree(AT_FDCWD, b.dir), 0);
        b.fd = file_close(b.fd);
        assert_true(monitor_ended(&b));
        box_end(&b);
        check_err(box_start(&b, &(struct options){.script = "true", .user = "nobodyhere"}),
                  "unable to find user nobodyhere: no matching entries in passwd file");
        assert_int_equal(file_remove_tree(AT_FDCWD, b.dir), 0);
        b.fd = file_close(b.fd);
        assert_true(monitor_ended(&b));
        box_end(&b);
}

static void monitor_joins_nobody_who_has_the_number_of_a_donor(void **state)
{
        struct box b;
        char donor[64];

        (void)snprintf(donor, sizeof(donor), "%d %llu", getpid(), (unsigned long long)status_pid_start(getpid()) + 1);
        check_err(box_start(&b, &(struct options){.script = "true", .donor = donor}),
                  "cannot join namespace of a non running container");
        assert_int_equal(file_remove_tree(AT_FDCWD, b.dir), 0);
        b.fd = file_close(b.fd);
        assert_true(monitor_ended(&b));
        box_end(&b);
        (void)snprintf(donor, sizeof(donor), "%d %llu", getpid(), (unsigned long long)status_pid_start(getpid()));
        check_ok(box_start(&b, &(struct options){.script = "true", .donor = donor}));
        assert_int_equal(box_exit(&b).code, 0);
        box_end(&b);
}

static void monitor_ends_when_nobody_starts_anything(void **state)
{
        struct box b = {.fd = -1, .dir = str_format("%s/idle", base_path)};
        const struct options o = {.script = "true"};

        assert_int_equal(mkdir(b.dir, 0700), 0);
        b.dirfd = open(b.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        write_config(&b, &o);
        write_conf(&b, &o);
        spawn(&b, NULL);
        b.fd = file_close(b.fd);
        assert_true(monitor_ended(&b));
        box_end(&b);
}

static void monitor_passes_stdin_and_its_end(void **state)
{
        struct proto_packet p;
        struct box b;

        check_ok(box_start(&b, &(struct options){.args = "[\"/bin/cat\"]",
                                                 .stdin_ = true,
                                                 .once = true,
                                                 .streams = BOTH | PROTO_STREAM_IN}));
        check_ok(proto_send(b.fd, PROTO_STDIN, "in\n", 3, NULL, 0));
        assert_true(until(&b, b.fd, PROTO_STDIN_OK, &p));
        check_ok(proto_send(b.fd, PROTO_STDIN_EOF, NULL, 0, NULL, 0));
        assert_int_equal(box_exit(&b).code, 0);
        assert_string_equal(str_text(&b.out), "in\n");
        box_end(&b);
}

static void monitor_gives_a_terminal_its_size(void **state)
{
        struct proto_resize size = {30, 100};
        struct box b;

        check_ok(box_start(&b, &(struct options){.script = "stty size; read x; stty size; echo $x",
                                                 .tty = true,
                                                 .streams = BOTH | PROTO_STREAM_IN}));
        check_ok(proto_send(b.fd, PROTO_RESIZE, &size, sizeof(size), NULL, 0));
        (void)usleep(100000);
        check_ok(proto_send(b.fd, PROTO_STDIN, "y\r", 2, NULL, 0));
        assert_int_equal(box_exit(&b).code, 0);
        assert_non_null(strstr(str_text(&b.out), "30 100\r\ny\r\n"));
        box_end(&b);
}

static void monitor_kills_even_what_is_paused(void **state)
{
        struct box b;
        int fd;

        check_ok(box_start(&b, &(struct options){.args = "[\"/bin/sleep\",\"100\"]"}));
        fd = box_connect(&b);
        check_ok(proto_send(fd, PROTO_PAUSE, NULL, 0, NULL, 0));
        check_ok(proto_wait_ok(fd));
        assert_int_equal(box_status(&b).state, STATUS_PAUSED);
        check_ok(proto_send(fd, PROTO_PAUSE, NULL, 0, NULL, 0));
        check_code(proto_wait_ok(fd), ERR_CONFLICT);
        send_signal(fd, SIGKILL, PROTO_SIGNAL_STOPPING);
        check_ok(proto_wait_ok(fd));
        (void)file_close(fd);
        assert_int_equal(box_exit(&b).code, 137);
        box_end(&b);
}

static void monitor_runs_sessions(void **state)
{
        static const char strings[] = "/bin/sh\0-c\0echo $A; exit 5\0A=x y\0PATH=/bin\0/\0";
        char packet[sizeof(struct proto_exec) + sizeof(strings)] = {0};
        struct proto_exec x = {.argc = 3, .envc = 2};
        struct proto_exit exit;
        int fd, out[2], fds[3];
        struct box b;
        char text[32] = "";

        memcpy(packet, &x, sizeof(x));
        memcpy(packet + sizeof(x), strings, sizeof(strings));
        check_ok(box_start(&b, &(struct options){.args = "[\"/bin/sleep\",\"100\"]"}));
        fd = box_connect(&b);
        assert_int_equal(file_pipe(out), 0);
        fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        fds[1] = fds[2] = out[1];
        check_ok(proto_send(fd, PROTO_EXEC, packet, sizeof(packet), fds, 3));
        check_ok(proto_wait_started(fd, NULL, NULL));
        (void)file_close(out[1]);
        (void)file_close(fds[0]);
        check_ok(proto_wait_exit_for(fd, 60000, &exit));
        assert_int_equal(exit.code, 5);
        assert_int_equal(read(out[0], text, sizeof(text) - 1), 4);
        assert_string_equal(text, "x y\n");
        (void)file_close(out[0]);
        (void)file_close(fd);
        send_signal(b.fd, SIGKILL, PROTO_SIGNAL_STOPPING);
        assert_int_equal(box_exit(&b).code, 137);
        box_end(&b);
}

static void monitor_restarts_by_policy(void **state)
{
        struct box b;
        struct proto_exit x;
        int fd;

        check_ok(box_start(&b, &(struct options){.script = "exit 3", .restart = "on-failure", .restart_max = 2}));
        x = box_exit(&b);
        assert_int_equal(x.code, 3);
        assert_int_equal(x.flags, PROTO_EXIT_RESTARTING);
        for (int i = 0; i < 4000 && box_status(&b).state != STATUS_EXITED; i++)
                (void)usleep(5000);
        assert_int_equal(box_status(&b).state, STATUS_EXITED);
        assert_int_equal(box_status(&b).restarts, 2);
        box_end(&b);

        /* A person's stop ends it, also in the delay. */
        check_ok(box_start(&b, &(struct options){.script = "exit 0", .restart = "always"}));
        (void)box_exit(&b);
        fd = box_connect(&b);
        check_ok(proto_send(fd, PROTO_WAIT, NULL, 0, NULL, 0));
        for (int i = 0; i < 4000 && box_status(&b).state != STATUS_RESTARTING; i++)
                (void)usleep(1000);
        send_signal(fd, SIGTERM, PROTO_SIGNAL_STOPPING);
        check_ok(proto_wait_exit_for(fd, 60000, &x));
        if (x.flags & PROTO_EXIT_RESTARTING) { /* of a run that ended before the monitor heard it */
                check_ok(proto_send(fd, PROTO_WAIT, NULL, 0, NULL, 0));
                check_ok(proto_wait_exit_for(fd, 60000, &x));
        }
        assert_false(x.flags & PROTO_EXIT_RESTARTING);
        (void)file_close(fd);
        assert_int_equal(box_status(&b).state, STATUS_EXITED);
        box_end(&b);
}

static int log_lines(struct box *b)
{
        _cleanup_free_ char *log = NULL;
        int lines = 0;

        if (file_read(AT_FDCWD, b->log, 65536, &log, NULL) < 0)
                return 0;
        for (const char *p = log; (p = strchr(p, '\n')); p++)
                lines++;
        return lines;
}

static void monitor_is_replaced_when_killed(void **state)
{
        struct proto_exit x;
        struct box b;
        int lines, fd;

        check_ok(box_start(
                &b, &(struct options){.script = "i=0; while [ $i -lt 80 ]; do echo l; i=$((i+1)); sleep 0.05; done; "
                                                "exit 6"}));
        /* Just after it has written a line: what it has read and not written is lost with it. */
        lines = log_lines(&b);
        for (int i = 0; i < 100000 && log_lines(&b) < lines + 2; i++)
                (void)usleep(200);
        assert_int_equal(kill(b.monitor, SIGKILL), 0);
        assert_int_equal(waitpid(b.monitor, NULL, 0), b.monitor);
        assert_false(status_monitor_alive(b.dirfd));
        assert_int_equal(box_status(&b).state, STATUS_RUNNING);
        (void)usleep(100000);
        spawn(&b, "--adopt");
        check_ok(proto_wait_ok(b.fd));
        assert_true(status_monitor_alive(b.dirfd));
        fd = box_connect(&b);
        check_ok(proto_send(fd, PROTO_WAIT, NULL, 0, NULL, 0));
        check_ok(proto_wait_exit_for(fd, 60000, &x));
        (void)file_close(fd);
        /* 255 and "unknown" where the kernel does not tell (before 6.15, reaped by somebody else first). */
        assert_true(x.code == 6 || (x.code == 255 && x.flags & PROTO_EXIT_UNKNOWN));
        assert_int_equal(log_lines(&b), 80);
        box_end(&b);
}

static void monitor_refuses_nonsense_and_goes_on(void **state)
{
        static const char *const cases[] = {"x", "\1\0\143\0\0\0\0\0", "\11\0\5\0\0\0\0\0", "\1\0\6\0\3\0\0\0abc"};
        static const size_t sizes[] = {1, 8, 8, 11};
        struct proto_packet p;
        struct box b;
        int fd;

        check_ok(box_start(&b, &(struct options){.args = "[\"/bin/sleep\",\"100\"]"}));
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                fd = box_connect(&b);
                assert_int_equal(send(fd, cases[i], sizes[i], 0), sizes[i]);
                assert_true(until(&b, fd, PROTO_ERROR, &p));
                assert_false(until(&b, fd, PROTO_OK, &p)); /* closed */
                (void)file_close(fd);
        }
        send_signal(b.fd, SIGKILL, 0);
        assert_int_equal(box_exit(&b).code, 137);
        box_end(&b);
}

static void monitor_is_small(void **state)
{
        char name[64];
        _cleanup_free_ char *text = NULL;
        unsigned long kib = 0;
        struct box b;
        char *line;

        check_ok(box_start(&b, &(struct options){.args = "[\"/bin/sleep\",\"100\"]"}));
        (void)usleep(50000);
        (void)snprintf(name, sizeof(name), "/proc/%d/smaps_rollup", b.monitor);
        assert_int_equal(file_read(AT_FDCWD, name, 65536, &text, NULL), 0);
        line = strstr(text, "\nAnonymous:");
        assert_non_null(line);
        assert_int_equal(sscanf(line, " Anonymous: %lu", &kib), 1);
#if !defined(__SANITIZE_ADDRESS__)
        assert_true(kib <= 200);
#endif
        send_signal(b.fd, SIGKILL, 0);
        assert_int_equal(box_exit(&b).code, 137);
        box_end(&b);
}

/* ---- the world around ---- */

static int shell(const char *text)
{
        char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)(uintptr_t)text, NULL};
        int status = -1;
        pid_t pid;

        if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv,
                        (char *[]){(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, NULL}))
                return -1;
        return waitpid(pid, &status, 0) == pid ? status : -1;
}

static int setup(void **state)
{
        _cleanup_free_ char *text = NULL;

        if (!mkdtemp(base_path))
                return -1;
        text = str_format("set -e; cd %s; mkdir -p rootfs/bin rootfs/etc rootfs/proc rootfs/dev; "
                          "cp /usr/bin/busybox rootfs/bin/; for a in sh seq cat sleep stty; do ln -s busybox "
                          "rootfs/bin/$a; done; "
                          "echo root:x:0:0:root:/root:/bin/sh > rootfs/etc/passwd",
                          base_path);
        return text ? shell(text) : -1;
}

static int teardown(void **state)
{
        _cleanup_free_ char *text = str_format("for d in /sys/fs/cgroup%s /sys/fs/cgroup/*%s; do "
                                               "[ ! -d $d ] || { rmdir $d/monitor 2>/dev/null; rmdir $d; }; done",
                                               cgroup, cgroup);

        (void)(text ? shell(text) : -1);
        return file_remove_tree(AT_FDCWD, base_path);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(monitor_reports_output_and_exit),
                cmocka_unit_test(monitor_loses_no_output_to_a_slow_client),
                cmocka_unit_test(monitor_reports_a_failed_start_and_ends),
                cmocka_unit_test(monitor_joins_nobody_who_has_the_number_of_a_donor),
                cmocka_unit_test(monitor_ends_when_nobody_starts_anything),
                cmocka_unit_test(monitor_passes_stdin_and_its_end),
                cmocka_unit_test(monitor_gives_a_terminal_its_size),
                cmocka_unit_test(monitor_kills_even_what_is_paused),
                cmocka_unit_test(monitor_runs_sessions),
                cmocka_unit_test(monitor_restarts_by_policy),
                cmocka_unit_test(monitor_is_replaced_when_killed),
                cmocka_unit_test(monitor_refuses_nonsense_and_goes_on),
                cmocka_unit_test(monitor_is_small),
        };

        if (argc < 2 || geteuid() != 0 || access("/usr/bin/busybox", X_OK) < 0)
                return SKIPPED;
        program = argv[1];
        (void)snprintf(cgroup, sizeof(cgroup), "/hod-test-unit-monitor-%d", getpid());
        (void)snprintf(monitor_cgroup, sizeof(monitor_cgroup), "%s/monitor", cgroup);
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, setup, teardown);
}
