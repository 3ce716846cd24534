/* lsm.c - see lsm.h. */
#include "sys/lsm.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/file.h"

#define LABEL_MAX 4096

bool lsm_apparmor_enabled(void)
{
        _cleanup_close_ int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
        char c;

        return fd >= 0 && read(fd, &c, 1) == 1 && c == 'Y';
}

bool lsm_selinux_enabled(void)
{
        struct statfs fs;

        return statfs("/sys/fs/selinux", &fs) == 0 && (unsigned long)fs.f_type == SELINUX_MAGIC;
}

/* The file must be procfs' own: nothing mounted on the way, no links. */
static int write_attr(int proc_fd, const char *path, const char *text, size_t size)
{
        _cleanup_close_ int fd =
                file_openat2(proc_fd, path, O_WRONLY, 0, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
        ssize_t n;

        if (fd < 0)
                return fd;
        n = write(fd, text, size);
        if (n < 0)
                return -errno;
        return (size_t)n == size ? 0 : -EIO;
}

int lsm_apparmor_onexec(int proc_fd, const char *profile)
{
        char text[LABEL_MAX] = "exec ";
        size_t n = strlen(profile);
        int r;

        if (n > sizeof(text) - 6)
                return -ENAMETOOLONG;
        memcpy(text + 5, profile, n);
        /* The directory of its own is needed where LSMs are stacked; it exists since 5.1. */
        r = write_attr(proc_fd, "thread-self/attr/apparmor/exec", text, n + 5);
        return r == -ENOENT ? write_attr(proc_fd, "thread-self/attr/exec", text, n + 5) : r;
}

int lsm_selinux_onexec(int proc_fd, const char *label)
{
        return write_attr(proc_fd, "thread-self/attr/exec", label, strlen(label));
}
