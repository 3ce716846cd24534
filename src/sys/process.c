/* process.c - see process.h. */
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

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

pid_t process_clone_filtered(unsigned flags, int *ret_pidfd)
{
        int pidfd = -1;
        long pid = process_clone(flags, -1, ret_pidfd);

        if (pid != -ENOSYS && pid != -EPERM)
                return (pid_t)pid;
        flags |= CLONE_PIDFD | SIGCHLD;
#ifdef __s390__
        pid = syscall(SYS_clone, NULL, flags, &pidfd, NULL, 0);
#else
        pid = syscall(SYS_clone, flags, NULL, &pidfd, NULL, 0);
#endif
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

pid_t process_pid(int pidfd)
{
        _cleanup_free_ char *text = NULL;
        char path[40];
        const char *p;
        pid_t pid = 0;
        int r;

        (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
        r = file_read(AT_FDCWD, path, 4096, &text, NULL);
        if (r < 0)
                return r;
        p = strstr(text, "\nPid:\t");
        if (!p)
                return -EINVAL;
        for (p += strlen("\nPid:\t"); *p >= '0' && *p <= '9' && pid < 100000000; p++)
                pid = pid * 10 + (*p - '0');
        return pid > 0 ? pid : -ESRCH;
}

int process_signal(int pidfd, int signal)
{
        return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int process_get_fd(int pidfd, int fd)
{
        long r = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

        return r < 0 ? -errno : (int)r;
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

void process_expect_children(void)
{
        struct sigaction normal = {.sa_handler = SIG_DFL};

        (void)sigaction(SIGCHLD, &normal, NULL);
}
