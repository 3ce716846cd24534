/* pty.c - see pty.h. */
#include "sys/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "base/file.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

int pty_set_size(int fd, unsigned height, unsigned width)
{
        struct winsize size = {.ws_row = (unsigned short)height, .ws_col = (unsigned short)width};

        return ioctl(fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int pty_open(int pts_fd, unsigned height, unsigned width, int *ret_master, int *ret_slave, unsigned *ret_number)
{
        _cleanup_close_ int master = -1, slave = -1;
        unsigned number = 0;
        struct statfs fs;
        struct stat st;
        int unlock = 0, r;

        master = file_openat2(pts_fd, "ptmx", O_RDWR | O_NOCTTY, 0,
                              RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        if (master < 0)
                return master;
        if (fstat(master, &st) < 0 || fstatfs(master, &fs) < 0)
                return -errno;
        if (fs.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
                return -ENOTTY;
        if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
                return -errno;
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (slave < 0)
                return -errno;
        if (height || width) {
                r = pty_set_size(slave, height, width);
                if (r < 0)
                        return r;
        }
        *ret_master = TAKE_FD(master);
        *ret_slave = TAKE_FD(slave);
        *ret_number = number;
        return 0;
}

int pty_keep_newlines(int fd)
{
        struct termios t;

        if (ioctl(fd, TCGETS, &t) < 0)
                return -errno;
        t.c_oflag &= ~(tcflag_t)ONLCR;
        return ioctl(fd, TCSETS, &t) < 0 ? -errno : 0;
}

int pty_control(int slave)
{
        return ioctl(slave, TIOCSCTTY, 0) < 0 ? -errno : 0;
}
