/* adopt.c - take over a running container whose monitor has died. Its processes belong to init or to another subreaper
 * now, so its end is seen on a pidfd, and its exit status is asked for instead of waited for. What it printed meanwhile
 * is in the FIFOs. A terminal died with its monitor (the container got SIGHUP); sessions of exec are on their own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "monitor/monitor.h"
#include "sys/process.h"

#ifndef PIDFD_INFO_EXIT
#define PIDFD_INFO_EXIT (1ull << 3)
#define PIDFD_GET_INFO _IOWR(0xff, 11, struct pidfd_info)
#endif
/* linux/pidfd.h of 6.15; Debian 12's headers know nothing of it. */
struct pidfd_info {
        uint64_t mask, cgroupid;
        uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
        int32_t exit_code;
};

/* The wait status of a process that has ended, from the kernel's memory of it (6.15), once it has been reaped. */
static bool status_of_pidfd(int pidfd, int *ret)
{
        struct pidfd_info info = {.mask = PIDFD_INFO_EXIT};

        if (ioctl(pidfd, PIDFD_GET_INFO, &info) < 0 || !(info.mask & PIDFD_INFO_EXIT))
                return false;
        *ret = info.exit_code;
        return true;
}

static void on_end(struct monitor *m, struct source *s, uint32_t events)
{
        int status = 0;
        bool known = status_of_pidfd(s->fd, &status) || status_of_zombie(m->status.pid, m->status.pid_start, &status) ||
                     status_of_pidfd(s->fd, &status); /* reaped between the two */

        exit_container(m, known ? status_exit_code(status) : 255, known);
}

/* The root of the process @pid, which @pidfd stands for; -1 if it has ended: the number may be somebody else's then. */
static int open_root(pid_t pid, int pidfd)
{
        _cleanup_close_ int fd = -1;
        char path[40];

        (void)snprintf(path, sizeof(path), "/proc/%d/root", pid);
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return process_signal(pidfd, 0) < 0 ? -1 : TAKE_FD(fd);
}

err *adopt(struct monitor *m)
{
        char boot[sizeof(m->status.boot_id)];
        int pidfd;

        memcpy(boot, m->status.boot_id, sizeof(boot)); /* set by main */
        TRY(status_read(m->dirfd, &m->status));
        if (strcmp(boot, m->status.boot_id) != 0)
                return err_new(ERR_NOT_RUNNING, "the machine has been started anew since");
        if (m->status.state != STATUS_RUNNING && m->status.state != STATUS_PAUSED)
                return err_new(ERR_NOT_RUNNING, "the container is %s", status_state_name(m->status.state));
        pidfd = process_of(m->status.pid);
        /* Opened first, compared then: it is the same process. */
        if (pidfd < 0 || status_pid_start(m->status.pid) != m->status.pid_start) {
                (void)file_close(pidfd);
                return err_new(ERR_NOT_RUNNING, "the container has ended, and nobody saw how");
        }
        m->init = (struct source){on_end, pidfd, 0};
        m->init_is_child = false;
        m->rootfs = open_root(m->status.pid, pidfd);
        m->started_mono_ns = loop_now_ns();
        m->phase = PHASE_RUNNING;
        err_free(ports_hold(m)); /* another program may have been faster */
        err_free(io_adopt(m));   /* without its output the container still has a supervisor */
        err_free(nameserver_refresh(m));
        loop_watch(m, &m->init, EPOLLIN);
        watch_start(m);
        exit_publish(m);
        return NULL;
}
