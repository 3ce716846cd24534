/* Unit tests of monitor/status: what is written is read back, what is damaged is refused. */
#include "check.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "monitor/conf.h"
#include "monitor/status.h"

static char base_path[] = "/tmp/hod-test-status-XXXXXX";
static int dirfd_ = -1;

static int setup(void **state)
{
        if (!mkdtemp(base_path))
                return -1;
        dirfd_ = open(base_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return dirfd_ < 0 ? -1 : 0;
}

static int teardown(void **state)
{
        dirfd_ = file_close(dirfd_);
        return file_remove_tree(AT_FDCWD, base_path);
}

static void put(const char *name, const char *text)
{
        assert_int_equal(file_replace(dirfd_, name, text, strlen(text), 0600, FILE_VOLATILE), 0);
}

static void status_survives_writing_and_reading(void **state)
{
        struct status s =
                              {
                                      .version = STATUS_VERSION,
                                      .state = STATUS_PAUSED,
                                      .boot_id = "33ee5296-1bbc-4b12-8100-4488897840c2",
                                      .monitor_pid = 10,
                                      .pid = 11,
                                      .pid_start = UINT64_MAX,
                                      .exit_code = -1,
                                      .exit_known = true,
                                      .restarts = 4000000000u,
                                      .started_ns = INT64_MAX,
                                      .finished_ns = -5,
                                      .error = "two\nlines \\ and = signs",
                                      .cgroup = "/hod/x",
                              },
                      got = {0};

        check_ok(status_write(dirfd_, &s));
        check_ok(status_read(dirfd_, &got));
        assert_memory_equal(&s, &got, sizeof(s));
}

static void status_of_zombie_says_how_it_ended(void **state)
{
        int status = -1;
        pid_t pid;
        uint64_t start;
        int go[2];

        assert_int_equal(pipe(go), 0);
        pid = fork();
        if (pid == 0) {
                char c;

                (void)close(go[1]);
                (void)!read(go[0], &c, 1);
                _exit(7);
        }
        start = status_pid_start(pid);
        assert_false(status_of_zombie(pid, start, &status));
        assert_int_equal(close(go[1]), 0);
        assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
        assert_false(status_of_zombie(pid, start + 1, &status));
        assert_true(status_of_zombie(pid, start, &status));
        assert_int_equal(status_exit_code(status), 7);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_false(status_of_zombie(pid, start, &status));
        (void)close(go[0]);
}

static void status_with_the_longest_texts_fits(void **state)
{
        struct status s = {.version = 1, .boot_id = "x"}, got;

        memset(s.error, '\n', sizeof(s.error) - 1);
        memset(s.cgroup, '\\', sizeof(s.cgroup) - 1);
        check_ok(status_write(dirfd_, &s));
        check_ok(status_read(dirfd_, &got));
        assert_string_equal(got.error, s.error);
        assert_string_equal(got.cgroup, s.cgroup);
}

static void status_read_ignores_keys_of_later_versions(void **state)
{
        struct status s;

        put("status", "version=9\nfuture=yes\nboot_id=b\nstate=running\n");
        check_ok(status_read(dirfd_, &s));
        assert_int_equal(s.state, STATUS_RUNNING);
        assert_int_equal(s.version, 9);
}

static void status_read_refuses_damage(void **state)
{
        static const char *const cases[] = {
                "",
                "version=1\n",
                "version=1\nboot_id=b\nstate=runn",
                "version=1\nboot_id=b\nstate=flying\n",
                "version=x\nboot_id=b\n",
                "version=-1\nboot_id=b\n",
                "version=99999999999\nboot_id=b\n",
                "version=1\nboot_id=0123456789012345678901234567890123456789\n",
                "version=1\nboot_id=b\noom_killed=2\n",
                "version=1\nboot_id=b\nerror=a\\x\n",
                "version=1\nboot_id=b\nerror=a\\\n",
                "version=1\nboot_id=b\nnonsense\n",
                "version=1\nboot_id=b\npid_start=18446744073709551616\n",
                "version=1\nboot_id=b\nexit_code=--1\n",
        };
        struct status s = {.version = 77};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                put("status", cases[i]);
                check_code(status_read(dirfd_, &s), ERR_CORRUPT);
        }
        assert_int_equal(file_replace(dirfd_, "status", "version=1\0\n", 11, 0600, FILE_VOLATILE), 0);
        check_code(status_read(dirfd_, &s), ERR_CORRUPT);
        assert_int_equal(unlinkat(dirfd_, "status", 0), 0);
        check_code(status_read(dirfd_, &s), ERR_NOT_FOUND);
        assert_int_equal(s.version, 77);
}

static void monitor_conf_survives_writing_and_reading(void **state)
{
        char *lower[] = {(char[]){"/a b"}, (char[]){"/line\nfeed"}, (char[]){"/c=d\\"}, NULL};
        char *groups[] = {(char[]){"audio"}, (char[]){""}, NULL};
        struct monitor_conf c =
                                    {
                                            .version = 1,
                                            .id = (char[]){"id"},
                                            .bundle = (char[]){"/b"},
                                            .rootfs_driver = (char[]){"overlay"},
                                            .lower = lower,
                                            .groups = groups,
                                            .user = (char[]){""},
                                            .log_max_size = UINT64_MAX,
                                            .tty = true,
                                            .stop_signal = 15,
                                    },
                            got = {0};

        check_ok(monitor_conf_write(dirfd_, &c));
        check_ok(monitor_conf_read(dirfd_, &got));
        assert_string_equal(got.lower[1], "/line\nfeed");
        assert_string_equal(got.lower[2], "/c=d\\");
        assert_null(got.lower[3]);
        assert_int_equal(strv_len(got.groups), 2);
        assert_string_equal(got.user, "");
        assert_null(got.upper);
        assert_true(got.tty);
        assert_int_equal(got.log_max_size, UINT64_MAX);
        monitor_conf_done(&got);
}

static void monitor_conf_read_refuses_what_cannot_be_started(void **state)
{
        struct monitor_conf c = {0};

        put("conf", "version=1\nid=x\n");
        check_code(monitor_conf_read(dirfd_, &c), ERR_CORRUPT);
        assert_int_equal(unlinkat(dirfd_, "conf", 0), 0);
        check_code(monitor_conf_read(dirfd_, &c), ERR_NOT_FOUND);
        assert_null(c.id);
}

static void status_monitor_alive_sees_the_lock(void **state)
{
        int lock;

        assert_false(status_monitor_alive(dirfd_));
        lock = file_lock(dirfd_, "lock", false);
        assert_true(lock >= 0);
        assert_true(status_monitor_alive(dirfd_));
        (void)file_close(lock);
        assert_false(status_monitor_alive(dirfd_));
}

static void status_pid_start_tells_processes_apart(void **state)
{
        uint64_t mine = status_pid_start(getpid());
        pid_t child;

        assert_true(mine > 0);
        assert_int_equal(status_pid_start(0), 0);
        child = fork();
        if (child == 0)
                _exit(0);
        (void)usleep(20000);
        /* A name with blanks and parentheses does not shift the fields; nor does being a zombie. */
        assert_true(status_pid_start(child) >= mine);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(status_pid_start(child), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(status_survives_writing_and_reading),
                cmocka_unit_test(status_of_zombie_says_how_it_ended),
                cmocka_unit_test(status_with_the_longest_texts_fits),
                cmocka_unit_test(status_read_ignores_keys_of_later_versions),
                cmocka_unit_test(status_read_refuses_damage),
                cmocka_unit_test(monitor_conf_survives_writing_and_reading),
                cmocka_unit_test(monitor_conf_read_refuses_what_cannot_be_started),
                cmocka_unit_test(status_monitor_alive_sees_the_lock),
                cmocka_unit_test(status_pid_start_tells_processes_apart),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
