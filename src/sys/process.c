/* process.c - see process.h. */
#include "sys/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

pid_t process_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd)
{
        int pidfd = -1;
        struct clone_args args = {
                .flags = flags | CLONE_PIDFD,
                .pidfd = (uint64_t)(uintptr_t)&pidfd,
                .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
        };
        long pid;

        if (cgroup_fd >= 0) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t)cgroup_fd;
        }
        pid = syscall(SYS_clone3, &args, sizeof(args));
        if (pid < 0)
                return -errno;
        if (pid > 0)
                *ret_pidfd = pidfd;
        return (pid_t)pid;
}

int process_of(pid_t pid)
{
        long fd = syscall(SYS_pidfd_open, pid, 0);

        return fd < 0 ? -errno : (int)fd;
}

int process_signal(int pidfd, int signal)
{
        return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int process_wait(int pidfd, int timeout_ms)
{
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        int r;

        do
                r = poll(&p, 1, timeout_ms);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        return r == 0 ? -ETIMEDOUT : 0;
}

int process_reap(int pidfd, int *ret_status)
{
        siginfo_t info = {0};
        int r;

        do
                r = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        if (info.si_code == CLD_EXITED)
                *ret_status = (info.si_status & 0xff) << 8;
        else
                *ret_status = (info.si_status & 0x7f) | (info.si_code == CLD_DUMPED ? 0x80 : 0);
        return 0;
}
