/* monitor_spawn.c - see monitor_spawn.h. */
#include "engine/monitor_spawn.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/trace.h"
#include "sys/exe.h"

#define FIRST_CLIENT_FD 3

/* posix_spawn with a clean slate: null stdio, @fd as descriptor 3 (or none if -1), all signals default, own session.
 * Only CLOEXEC descriptors exist in this program, so nothing else is inherited. */
static int spawn_clean(const char *program, char *const argv[], int fd, pid_t *ret)
{
        static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        char *const env[] = {path, NULL};
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;
        sigset_t none, all;
        int r;

        r = posix_spawn_file_actions_init(&actions);
        if (r)
                return -r;
        r = posix_spawnattr_init(&attr);
        if (r) {
                (void)posix_spawn_file_actions_destroy(&actions);
                return -r;
        }
        (void)sigemptyset(&none);
        (void)sigfillset(&all);
        for (int i = 0; i < 3 && !r; i++)
                r = posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
        /* dup2 onto itself clears CLOEXEC too (posix_spawn(3)). */
        if (!r && fd >= 0)
                r = posix_spawn_file_actions_adddup2(&actions, fd, FIRST_CLIENT_FD);
        if (!r)
                r = posix_spawnattr_setflags(&attr,
                                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
        if (!r)
                r = posix_spawnattr_setsigdefault(&attr, &all);
        if (!r)
                r = posix_spawnattr_setsigmask(&attr, &none);
        if (!r)
                r = posix_spawn(ret, program, &actions, &attr, argv, env);
        (void)posix_spawnattr_destroy(&attr);
        (void)posix_spawn_file_actions_destroy(&actions);
        return -r;
}

/* The monitor forks what enters the container: whoever gets hold of its program there must not be able to write to it
 * (sys/exe.h). The clone of its mount is open only until the program runs; closing it makes the kernel wait a moment,
 * while the monitor starts. */
static int spawn_monitor(const char *program, char *const argv[], int fd)
{
        _cleanup_close_ int exe = exe_open_protected(program);
        char path[32];
        pid_t pid;

        if (exe < 0)
                return exe;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", exe);
        return spawn_clean(path, argv, fd, &pid);
}

err *monitor_spawn(struct engine *e, const char *id, int *ret_fd)
{
        struct trace_span span = trace_begin(TRACE_MONITOR_START);
        _cleanup_free_ char *dir = str_format("%s/containers/%s", e->state, id);
        _cleanup_close_ int ours = -1, theirs = -1;
        char *argv[] = {(char[]){"hod-monitor"}, dir, NULL};
        int pair[2], r;

        if (!dir)
                return err_nomem();
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_sys(errno, "making a socket pair for the monitor");
        ours = pair[0];
        theirs = pair[1];
        r = spawn_monitor(e->monitor, argv, theirs);
        trace_end(&span, -r, e->monitor);
        if (r < 0)
                return err_sys(r, "starting %s", e->monitor);
        *ret_fd = TAKE_FD(ours);
        return NULL;
}

err *monitor_adopt(struct engine *e, const char *id)
{
        _cleanup_free_ char *dir = str_format("%s/containers/%s", e->state, id);
        char *argv[] = {(char[]){"hod-monitor"}, (char[]){"--adopt"}, dir, NULL};
        _cleanup_close_ int ours = -1, theirs = -1;
        int pair[2], r;
        char c;

        if (!dir)
                return err_nomem();
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_sys(errno, "making a socket pair for the monitor");
        ours = pair[0];
        theirs = pair[1];
        r = spawn_monitor(e->monitor, argv, theirs);
        if (r < 0)
                return err_sys(r, "starting %s --adopt", e->monitor);
        theirs = file_close(theirs);
        /* Ready, or ended (somebody else adopted it, or it is over): either way there is a packet or the end. */
        (void)recv(ours, &c, 1, 0);
        return NULL;
}
