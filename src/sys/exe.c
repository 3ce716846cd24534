/* exe.c - see exe.h. */
#include "sys/exe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "sys/mountfd.h"

#ifndef ST_RDONLY
#define ST_RDONLY 1
#endif

int exe_open_protected(const char *path)
{
        _cleanup_close_ int fd = mountfd_clone(AT_FDCWD, path, 0);
        int r;

        if (fd < 0)
                return fd;
        r = mountfd_set(fd, 0, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE);
        return r < 0 ? r : TAKE_FD(fd);
}

bool exe_is_protected(void)
{
        struct statfs fs;

        /* The flags are those of the mount, not of the file system alone. */
        return statfs("/proc/self/exe", &fs) == 0 && fs.f_flags & ST_RDONLY;
}

int exe_protect_self(char *const argv[], char *const envp[])
{
        _cleanup_close_ int fd = -1;

        if (exe_is_protected())
                return 0;
        fd = exe_open_protected("/proc/self/exe");
        if (fd < 0)
                return fd;
        (void)syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
        return -errno;
}
