/* exe.c - see exe.h. */
#include "sys/exe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "sys/mountfd.h"

#ifndef ST_RDONLY
#define ST_RDONLY 1
#endif
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int clone_readonly(const char *path)
{
        _cleanup_close_ int fd = mountfd_clone(AT_FDCWD, path, 0);
        int r = fd < 0 ? fd : mountfd_set(fd, 0, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE);

        return r < 0 ? r : TAKE_FD(fd);
}

/* A copy in memory that can never be written to. */
static int copy_sealed(const char *path)
{
        _cleanup_close_ int from = open(path, O_RDONLY | O_CLOEXEC), to = -1;
        ssize_t n;

        if (from < 0)
                return -errno;
        to = memfd_create("hod", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (to < 0)
                return -errno;
        do
                n = sendfile(to, from, NULL, 1 << 30);
        while (n > 0);
        if (n < 0 || fcntl(to, F_ADD_SEALS, SEALS) < 0)
                return -errno;
        return TAKE_FD(to);
}

int exe_open_protected(const char *path)
{
        int fd = clone_readonly(path);

        return fd < 0 ? copy_sealed(path) : fd;
}

bool exe_is_protected(void)
{
        _cleanup_close_ int fd = -1;
        struct statfs fs;

        /* The flags are those of the mount, not of the file system alone. */
        if (statfs("/proc/self/exe", &fs) < 0)
                return false;
        if (fs.f_flags & ST_RDONLY)
                return true;
        if (fs.f_type != TMPFS_MAGIC)
                return false;
        fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        return fd >= 0 && fcntl(fd, F_GET_SEALS) == SEALS;
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
