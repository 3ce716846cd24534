/* mountfd.c - see mountfd.h. */
#include "sys/mountfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

static int result(long r)
{
        return r < 0 ? -errno : (int)r;
}

void mountfd_read_log(int fsfd, char *log, size_t log_size)
{
        int saved = errno;
        ssize_t n;

        if (!log || !log_size)
                return;
        n = read(fsfd, log, log_size - 1);
        if (n < 0)
                n = 0;
        /* "e tmpfs: ...": the first letter is the level (error, warning, info). */
        if (n > 2 && log[1] == ' ') {
                n -= 2;
                memmove(log, log + 2, (size_t)n);
        }
        while (n > 0 && (log[n - 1] == '\n' || log[n - 1] == ' '))
                n--;
        log[n] = '\0';
        errno = saved;
}

static int set_flags(int fsfd, unsigned long flags)
{
        static const struct {
                unsigned long flag;
                const char *key;
        } keys[] = {
                {MS_RDONLY, "ro"},         {MS_SYNCHRONOUS, "sync"},   {MS_DIRSYNC, "dirsync"},
                {MS_LAZYTIME, "lazytime"}, {MS_I_VERSION, "iversion"}, {MS_MANDLOCK, "mand"},
        };

        for (size_t i = 0; flags && i < sizeof(keys) / sizeof(keys[0]); i++)
                if (flags & keys[i].flag && fsconfig(fsfd, FSCONFIG_SET_FLAG, keys[i].key, NULL, 0) < 0)
                        return -errno;
        return 0;
}

static int set_params(int fsfd, const struct mount_fs *fs, int mode)
{
        if (fs->source && fsconfig(fsfd, FSCONFIG_SET_STRING, "source", fs->source, 0) < 0)
                return -errno;
        for (size_t i = 0; i < fs->n_params; i++) {
                const struct mount_param *p = &fs->params[i];

                if (fsconfig(fsfd, p->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, p->key, p->value, 0) < 0)
                        return -errno;
        }
        if (mode >= 0) {
                char octal[] = {'0',
                                (char)('0' + (mode >> 9 & 7)),
                                (char)('0' + (mode >> 6 & 7)),
                                (char)('0' + (mode >> 3 & 7)),
                                (char)('0' + (mode & 7)),
                                '\0'};

                if (fsconfig(fsfd, FSCONFIG_SET_STRING, "mode", octal, 0) < 0)
                        return -errno;
        }
        return 0;
}

static int set_pidns(int fsfd, int fd)
{
        return result(fsconfig(fsfd, FSCONFIG_SET_FD, "pidns", NULL, fd));
}

bool mountfd_proc_takes_pidns(int fd)
{
        _cleanup_close_ int fsfd = fsopen("proc", FSOPEN_CLOEXEC);

        return fsfd >= 0 && set_pidns(fsfd, fd) == 0;
}

int mountfd_new(const struct mount_fs *fs, int mode, char *log, size_t log_size)
{
        _cleanup_close_ int fsfd = -1;
        int r;

        if (log && log_size)
                log[0] = '\0';
        fsfd = fsopen(fs->type, FSOPEN_CLOEXEC);
        if (fsfd < 0)
                return -errno;
        r = set_params(fsfd, fs, mode);
        if (r == 0 && fs->pidns)
                r = set_pidns(fsfd, fs->pidns_fd);
        if (r == 0)
                r = set_flags(fsfd, fs->sb_flags);
        if (r == 0)
                r = result(fsconfig(fsfd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
        if (r == 0)
                r = result(fsmount(fsfd, FSMOUNT_CLOEXEC, fs->attrs));
        if (r < 0)
                mountfd_read_log(fsfd, log, log_size);
        return r;
}

int mountfd_clone(int dirfd, const char *path, unsigned flags)
{
        if (!*path)
                flags |= AT_EMPTY_PATH;
        return result(open_tree(dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT | flags));
}

int mountfd_set(int fd, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation)
{
        struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation};

        if (!set && !clear && !propagation)
                return 0;
        return result(mount_setattr(fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)));
}

int mountfd_idmap(int fd, unsigned flags, int userns_fd)
{
        struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};

        return result(mount_setattr(fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)));
}

int mountfd_attach(int from, int to)
{
        return result(move_mount(from, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

int mountfd_pivot_root(const char *new_root, const char *put_old)
{
        return result(syscall(SYS_pivot_root, new_root, put_old));
}
