/* device.c - see device.h. */
#include "sys/device.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

const struct device device_defaults[] = {
        {"/dev/null", S_IFCHR | 0666, 1, 3},    {"/dev/zero", S_IFCHR | 0666, 1, 5},
        {"/dev/full", S_IFCHR | 0666, 1, 7},    {"/dev/random", S_IFCHR | 0666, 1, 8},
        {"/dev/urandom", S_IFCHR | 0666, 1, 9}, {"/dev/tty", S_IFCHR | 0666, 5, 0},
};
const size_t device_n_defaults = sizeof(device_defaults) / sizeof(device_defaults[0]);

const struct device_link device_links[] = {
        {"fd", "/proc/self/fd"},
        {"stdin", "/proc/self/fd/0"},
        {"stdout", "/proc/self/fd/1"},
        {"stderr", "/proc/self/fd/2"},
};
const size_t device_n_links = sizeof(device_links) / sizeof(device_links[0]);

int device_make(int dirfd, const char *name, mode_t mode, unsigned major, unsigned minor, uid_t uid, gid_t gid)
{
        dev_t dev = makedev(major, minor);
        struct stat st;

        /* The child's umask is 0, so that the mode needs no second call. */
        if (mknodat(dirfd, name, mode, dev) == 0) {
                if ((uid || gid) && fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
                        return -errno;
                return 0;
        }
        if (errno != EEXIST)
                return -errno;
        if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        return (st.st_mode & S_IFMT) == (mode & S_IFMT) && (S_ISFIFO(mode) || st.st_rdev == dev) ? 0 : -EEXIST;
}

bool device_is_null(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}
