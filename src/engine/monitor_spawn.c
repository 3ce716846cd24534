/* monitor_spawn.c - see monitor_spawn.h. */
#include "engine/monitor_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/trace.h"
#include "monitor/proto.h"
#include "sys/exe.h"

#define FIRST_CLIENT_FD 3
#define START_LOCK_FD 4
#define FREE_FD 5

/* Give *@fd a number that the monitor's descriptors do not overwrite. */
static int out_of_the_way(int *fd)
{
        int copy = *fd;

        if (*fd < FREE_FD) {
                copy = fcntl(*fd, F_DUPFD_CLOEXEC, FREE_FD);
                if (copy < 0)
                        return -errno;
                (void)file_close(*fd);
        }
        *fd = copy;
        return 0;
}

/* posix_spawn with a clean slate: null stdio, @fds from descriptor 3 on (-1: none), all signals default, own session.
 * Only CLOEXEC descriptors exist in this program, so nothing else is inherited. */
static int spawn_clean(const char *program, char *const argv[], const int fds[2], pid_t *ret)
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
        for (int i = 0; i < 2 && !r; i++)
                if (fds[i] >= 0)
                        r = posix_spawn_file_actions_adddup2(&actions, fds[i], FIRST_CLIENT_FD + i);
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
static int spawn_monitor(const char *program, char *const argv[], int *client, int lock, pid_t *ret)
{
        _cleanup_close_ int exe = exe_open_protected(program), shared = -1;
        int r = exe < 0 ? exe : out_of_the_way(&exe);
        char path[32];

        if (r == 0)
                r = out_of_the_way(client);
        if (r < 0)
                return r;
        if (lock >= 0) {
                shared = fcntl(lock, F_DUPFD_CLOEXEC, FREE_FD);
                if (shared < 0)
                        return -errno;
        }
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", exe);
        return spawn_clean(path, argv, (int[]){*client, shared}, ret);
}

err *monitor_spawn(struct engine *e, const char *id, int lock, int *ret_fd, pid_t *ret_pid)
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
        r = spawn_monitor(e->monitor, argv, &theirs, lock, ret_pid);
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
        pid_t pid;
        char c;

        if (!dir)
                return err_nomem();
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_sys(errno, "making a socket pair for the monitor");
        ours = pair[0];
        theirs = pair[1];
        r = spawn_monitor(e->monitor, argv, &theirs, -1, &pid);
        if (r < 0)
                return err_sys(r, "starting %s --adopt", e->monitor);
        theirs = file_close(theirs);
        /* Ready, or ended (somebody else adopted it, or it is over): either way there is a packet or the end. */
        proto_be_patient(ours);
        if (recv(ours, &c, 1, 0) < 0 && errno == EAGAIN) /* not to be tried over and over */
                return err_new(ERR_TIMEOUT, "the new monitor of container %s (process %d) does not answer", id,
                               (int)pid);
        return NULL;
}
