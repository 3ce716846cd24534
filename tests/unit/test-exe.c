/* Tests of sys/exe: a program executed from a detached read-only clone cannot be written to (CVE-2019-5736). */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "sys/exe.h"

static char **arguments;

/* What an attacker who holds our /proc/PID/exe can try; run from the clone. */
static int attack(void)
{
        struct mount_attr rw = {.attr_clr = MOUNT_ATTR_RDONLY};
        int fd;

        if (!exe_is_protected())
                return 1;
        if (open("/proc/self/exe", O_RDWR) >= 0 || (errno != EROFS && errno != ETXTBSY))
                return 2;
        fd = open("/proc/self/exe", O_PATH);
        if (fd < 0)
                return 3;
        if (mount_setattr(fd, "", AT_EMPTY_PATH, &rw, sizeof(rw)) == 0)
                return 4;
        if (mount("none", "/proc/self/exe", NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
                return 5;
        fd = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
        if (fd >= 0 && mount_setattr(fd, "", AT_EMPTY_PATH, &rw, sizeof(rw)) == 0)
                return 6;
        return 0;
}

/* @fd is closed as soon as the program has it. */
static int run(const char *path, const char *how, int fd)
{
        char *argv[] = {arguments[0], (char *)(uintptr_t)how, NULL};
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                (void)execve(path, argv, environ);
                _exit(100);
        }
        (void)file_close(fd);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

static void exe_open_protected_gives_an_unwritable_program(void **state)
{
        char path[40];
        int fd;

        if (geteuid() != 0)
                skip();
        fd = exe_open_protected("/proc/self/exe");
        assert_true(fd >= 0);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        assert_int_equal(run(path, "attack", fd), 0);
}

static void exe_protect_self_executes_again(void **state)
{
        if (geteuid() != 0)
                skip();
        assert_int_equal(run("/proc/self/exe", "protect", -1), 0);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(exe_open_protected_gives_an_unwritable_program),
                cmocka_unit_test(exe_protect_self_executes_again),
        };

        arguments = argv;
        if (argc > 1 && strcmp(argv[1], "attack") == 0)
                return attack();
        if (argc > 1 && strcmp(argv[1], "protect") == 0)
                return exe_protect_self(argv, environ) == 0 ? attack() : 102;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
