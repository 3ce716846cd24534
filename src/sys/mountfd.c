/* mountfd.c - see mountfd.h. */
#include "sys/mountfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"

#ifndef ST_NOSYMFOLLOW
#define ST_NOSYMFOLLOW 0x2000
#endif
#define LOCKABLE (uint64_t)(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

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

        for (size_t i = 0; flags && i < sizeof(keys) / sizeof(keys[0]); i++) {
                if (!(flags & keys[i].flag) || fsconfig(fsfd, FSCONFIG_SET_FLAG, keys[i].key, NULL, 0) == 0)
                        continue;
                /* A file system without change counters does not know the word, and mount(2) ignores its flag. */
                if (errno != EINVAL || keys[i].flag != MS_I_VERSION)
                        return -errno;
        }
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

static uint64_t atime_mode(unsigned long source)
{
        return source & ST_NOATIME    ? MOUNT_ATTR_NOATIME
               : source & ST_RELATIME ? MOUNT_ATTR_RELATIME
                                      : MOUNT_ATTR_STRICTATIME;
}

int mountfd_attrs(int fd, uint64_t *ret)
{
        struct statfs fs;
        unsigned long have;

        if (fstatfs(fd, &fs) < 0)
                return -errno;
        have = (unsigned long)fs.f_flags;
        *ret = (have & ST_RDONLY ? MOUNT_ATTR_RDONLY : 0) | (have & ST_NOSUID ? MOUNT_ATTR_NOSUID : 0) |
               (have & ST_NODEV ? MOUNT_ATTR_NODEV : 0) | (have & ST_NOEXEC ? MOUNT_ATTR_NOEXEC : 0) |
               (have & ST_NOSYMFOLLOW ? MOUNT_ATTR_NOSYMFOLLOW : 0) |
               (have & ST_NODIRATIME ? MOUNT_ATTR_NODIRATIME : 0) | atime_mode(have);
        return 0;
}

int mountfd_wish(const struct mount_wish *wish, unsigned long source, bool locked, uint64_t *ret_set,
                 uint64_t *ret_clear)
{
        uint64_t have = (source & ST_RDONLY ? MOUNT_ATTR_RDONLY : 0) | (source & ST_NOSUID ? MOUNT_ATTR_NOSUID : 0) |
                        (source & ST_NODEV ? MOUNT_ATTR_NODEV : 0) | (source & ST_NOEXEC ? MOUNT_ATTR_NOEXEC : 0);
        uint64_t nodiratime = source & ST_NODIRATIME ? MOUNT_ATTR_NODIRATIME : 0;
        uint64_t mode = wish->set & (MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME);

        *ret_set = *ret_clear = 0;
        if (!wish->given)
                return 0;
        if (locked && have & wish->clear)
                return -EPERM;
        *ret_set = wish->set & ~(uint64_t)(MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME);
        *ret_clear = (locked ? 0 : LOCKABLE) | MOUNT_ATTR_NOSYMFOLLOW;
        *ret_clear &= ~*ret_set;
        if (!(wish->clear & MOUNT_ATTR__ATIME) && !(wish->set & MOUNT_ATTR_NODIRATIME))
                return 0;
        if (locked && mode != (atime_mode(source) | nodiratime))
                return -EPERM;
        *ret_set |= mode;
        *ret_clear |= MOUNT_ATTR__ATIME | (MOUNT_ATTR_NODIRATIME & ~mode);
        return 0;
}

int mountfd_bind(int fd, const struct mount_wish *wish)
{
        uint64_t set, clear;
        struct statfs source;
        int r;

        if (!wish->given)
                return 0;
        if (fstatfs(fd, &source) < 0)
                return -errno;
        (void)mountfd_wish(wish, (unsigned long)source.f_flags, false, &set, &clear);
        r = mountfd_set(fd, 0, set, clear, 0);
        if (r != -EPERM)
                return r;
        r = mountfd_wish(wish, (unsigned long)source.f_flags, true, &set, &clear);
        return r < 0 ? r : mountfd_set(fd, 0, set, clear, 0);
}

int mountfd_reconfigure(int fd, const struct mount_fs *fs, char *log, size_t log_size)
{
        _cleanup_close_ int fsfd = (int)syscall(SYS_fspick, fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
        int r;

        if (log && log_size)
                log[0] = '\0';
        if (fsfd < 0)
                return -errno;
        r = set_params(fsfd, fs, -1);
        if (r == 0)
                r = set_flags(fsfd, fs->sb_flags);
        if (r == 0)
                r = result(fsconfig(fsfd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
        if (r < 0)
                mountfd_read_log(fsfd, log, log_size);
        return r;
}

int mountfd_attach(int from, int to)
{
        return result(move_mount(from, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

int mountfd_pivot_root(const char *new_root, const char *put_old)
{
        return result(syscall(SYS_pivot_root, new_root, put_old));
}
