/* file.c - see file.h. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"

int file_close(int fd)
{
        if (fd >= 0) {
                int saved = errno;

                (void)close(fd); /* never retried: on Linux the descriptor is gone even after EINTR */
                errno = saved;
        }
        return -1;
}

int file_openat2(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
        struct open_how how = {
                .flags = (uint64_t)(flags | O_CLOEXEC),
                .mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
                .resolve = resolve,
        };

        for (int tries = 0; tries < 128; tries++) {
                long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

                if (fd >= 0)
                        return (int)fd;
                /* EAGAIN: a rename raced with the resolution (openat2(2)). */
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
        }
        return -EAGAIN;
}

int file_open_in(int rootfd, const char *path, int flags, mode_t mode)
{
        return file_openat2(rootfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int file_open_beneath(int dirfd, const char *name, int flags, mode_t mode)
{
        return file_openat2(dirfd, name, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int file_mkdir_p(int dirfd, const char *path, mode_t mode, int *created)
{
        _cleanup_close_ int at = -1;
        char part[NAME_MAX + 1];

        at = file_open_in(dirfd, ".", O_PATH | O_DIRECTORY, 0);
        if (at < 0)
                return at;
        while (*path) {
                size_t n = strcspn(path, "/");
                const char *name = part;
                int next;

                if (n > NAME_MAX)
                        return -ENAMETOOLONG;
                memcpy(part, path, n);
                part[n] = '\0';
                path += n + (path[n] == '/');
                if (n == 0 || strcmp(name, ".") == 0)
                        continue;
                if (strcmp(name, "..") == 0)
                        return -EINVAL;
                if (mkdirat(at, name, mode) == 0) {
                        if (created)
                                (*created)++;
                } else if (errno != EEXIST) {
                        return -errno;
                }
                next = file_openat2(at, name, O_PATH | O_DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
                if (next < 0)
                        return next;
                (void)file_close(at);
                at = next;
        }
        return 0;
}

int file_read_fd(int fd, size_t max, char **ret, size_t *ret_size)
{
        _cleanup_free_ char *data = NULL;
        size_t used = 0, cap = 4096;
        struct stat st;

        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
                if ((uint64_t)st.st_size > max)
                        return -EFBIG;
                cap = (size_t)st.st_size + 2; /* one more, to see the end without growing */
        }
        data = malloc(cap);
        if (!data)
                return -ENOMEM;
        for (;;) {
                ssize_t n;

                if (cap - used < 2) {
                        char *bigger = realloc(data, cap * 2);

                        if (!bigger)
                                return -ENOMEM;
                        data = bigger;
                        cap *= 2;
                }
                n = read(fd, data + used, cap - used - 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t)n;
                if (used > max)
                        return -EFBIG;
        }
        data[used] = '\0';
        *ret = TAKE_PTR(data);
        if (ret_size)
                *ret_size = used;
        return 0;
}

int file_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size)
{
        _cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        if (fd < 0)
                return -errno;
        return file_read_fd(fd, max, ret, ret_size);
}

int file_write_all(int fd, const void *data, size_t size)
{
        const char *p = data;

        while (size) {
                ssize_t n = write(fd, p, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EIO;
                p += n;
                size -= (size_t)n;
        }
        return 0;
}

int file_put(int dirfd, const char *path, const char *text)
{
        _cleanup_close_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        size_t size = strlen(text);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = write(fd, text, size);
        if (n < 0)
                return -errno;
        return (size_t)n == size ? 0 : -EIO;
}

/* Give @temporary the name @name. What need not survive a crash of the machine changes places with the old file, which
 * goes then: at a rename over a file ext4 writes the new one's data to the disk at once, and whoever removes it soon
 * waits for that (half a millisecond; "auto_da_alloc"). */
static int take_name(int dirfd, const char *temporary, const char *name, enum file_durability how)
{
        if (how == FILE_VOLATILE && renameat2(dirfd, temporary, dirfd, name, RENAME_EXCHANGE) == 0) {
                if (unlinkat(dirfd, temporary, 0) == 0 || errno == ENOENT)
                        return 0;
                (void)renameat2(dirfd, temporary, dirfd, name, RENAME_EXCHANGE); /* a directory: nobody's to replace */
        }
        return renameat(dirfd, temporary, dirfd, name) < 0 ? -errno : 0;
}

/* By way of the new file @temporary. */
static int replace_by(int dirfd, const char *temporary, const char *name, const struct iovec *data, mode_t mode,
                      enum file_durability how)
{
        _cleanup_close_ int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        int r;

        if (fd < 0)
                return -errno;
        r = file_write_all(fd, data->iov_base, data->iov_len);
        if (r == 0 && how == FILE_DURABLE && fsync(fd) < 0)
                r = -errno;
        if (r == 0)
                r = take_name(dirfd, temporary, name, how);
        if (r < 0)
                (void)unlinkat(dirfd, temporary, 0);
        else if (how == FILE_DURABLE && fsync(dirfd) < 0)
                r = -errno;
        return r;
}

int file_replace(int dirfd, const char *name, const void *data, size_t size, mode_t mode, enum file_durability how)
{
        char temporary[NAME_MAX + 1];
        uint64_t salt;

        if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
                return -errno;
        if (snprintf(temporary, sizeof(temporary), ".%s.%016llx", name, (unsigned long long)salt) >=
            (int)sizeof(temporary))
                return -ENAMETOOLONG;
        return replace_by(dirfd, temporary, name, &(struct iovec){(void *)data, size}, mode, how);
}

int file_replace_locked(int dirfd, const char *name, const void *data, size_t size, mode_t mode,
                        enum file_durability how)
{
        const struct iovec all = {(void *)data, size};
        char temporary[NAME_MAX + 1];
        int r;

        if (snprintf(temporary, sizeof(temporary), FILE_NEW_FORMAT, name) >= (int)sizeof(temporary))
                return -ENAMETOOLONG;
        r = replace_by(dirfd, temporary, name, &all, mode, how);
        if (r != -EEXIST)
                return r;
        (void)unlinkat(dirfd, temporary, 0); /* a writer was killed */
        return replace_by(dirfd, temporary, name, &all, mode, how);
}

int file_create(int dirfd, const char *name, const void *data, size_t size, mode_t mode)
{
        _cleanup_close_ int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        int r = fd < 0 ? -errno : file_write_all(fd, data, size);

        if (r < 0 && fd >= 0)
                (void)unlinkat(dirfd, name, 0);
        return r;
}

/* The removal of one tree. Directories deeper than REMOVE_DEPTH are moved up into the top under a fresh name and
 * removed in another round, so that the depth of the tree costs neither descriptors nor stack. */
#define REMOVE_DEPTH 16u

struct removal {
        int top;
        dev_t dev; /* of the top */
        unsigned serial;
        bool lifted;
};

static int remove_children(struct removal *rm, int fd, unsigned depth);

/* Move the directory @name of @fd into the top. Somebody else may have removed it meanwhile. */
static int remove_lift(struct removal *rm, int fd, const char *name)
{
        char moved[48];
        int r;

        do {
                (void)snprintf(moved, sizeof(moved), ".hod-removing-%u", rm->serial++);
                r = renameat2(fd, name, rm->top, moved, RENAME_NOREPLACE) < 0 ? -errno : 0;
        } while (r == -EEXIST);
        rm->lifted = true;
        return r == -ENOENT ? 0 : r;
}

static int remove_directory(struct removal *rm, int fd, const char *name, unsigned depth)
{
        _cleanup_close_ int sub = -1;
        struct stat st;

        if (unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        if (errno != ENOTEMPTY && errno != EEXIST)
                return errno == EBUSY ? -EXDEV : -errno;
        if (depth == REMOVE_DEPTH)
                return remove_lift(rm, fd, name);
        sub = file_openat2(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_XDEV);
        if (sub < 0)
                return sub == -ENOENT ? 0 : sub;
        if (fstat(sub, &st) < 0)
                return -errno;
        /* No mount, and another device all the same: a subvolume of btrfs, out of which nothing can be renamed. */
        if (st.st_dev != rm->dev)
                return file_remove_tree(fd, name);
        for (unsigned tries = 0;; tries++) {
                int r = remove_children(rm, sub, depth + 1);

                if (r < 0)
                        return r;
                if (unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                        return 0;
                /* A listing may miss entries while others are removed. */
                if ((errno != ENOTEMPTY && errno != EEXIST) || tries == 8)
                        return -errno;
        }
}

static int remove_children(struct removal *rm, int fd, unsigned depth)
{
        _cleanup_close_ int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *d = NULL;
        int r = 0;
        DIR *dir;

        if (copy < 0)
                return -errno;
        dir = fdopendir(copy);
        if (!dir)
                return -errno;
        copy = -1;
        while (r == 0 && (errno = 0, d = readdir(dir))) {
                if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                        continue;
                if (d->d_type != DT_DIR) {
                        if (unlinkat(fd, d->d_name, 0) == 0 || errno == ENOENT)
                                continue;
                        if (errno != EISDIR) {
                                r = -errno;
                                break;
                        }
                }
                r = remove_directory(rm, fd, d->d_name, depth);
        }
        if (r == 0 && !d && errno) /* readdir failed */
                r = -errno;
        (void)closedir(dir);
        return r;
}

int file_remove_tree(int dirfd, const char *name)
{
        _cleanup_close_ int top = -1;
        struct removal rm = {0};
        struct stat st;

        if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        if (errno == ENOTDIR)
                return unlinkat(dirfd, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
        if (errno != ENOTEMPTY && errno != EEXIST)
                return -errno;
        top = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (top < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(top, &st) < 0)
                return -errno;
        rm.top = top;
        rm.dev = st.st_dev;
        for (unsigned tries = 0;; tries += !rm.lifted) {
                int r;

                rm.lifted = false;
                r = remove_children(&rm, top, 0);
                if (r < 0)
                        return r;
                if (rm.lifted)
                        continue;
                if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                        return 0;
                if ((errno != ENOTEMPTY && errno != EEXIST) || tries == 8)
                        return -errno;
        }
}

static int lock_open(int dirfd, const char *name, int op)
{
        _cleanup_close_ int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
                return -errno;
        while (flock(fd, op) < 0)
                if (errno != EINTR)
                        return -errno;
        return TAKE_FD(fd);
}

int file_lock(int dirfd, const char *name, bool shared)
{
        return lock_open(dirfd, name, shared ? LOCK_SH : LOCK_EX);
}

int file_try_lock(int dirfd, const char *name, bool shared)
{
        return lock_open(dirfd, name, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB);
}

int file_pipe(int ret[2])
{
        return pipe2(ret, O_CLOEXEC) < 0 ? -errno : 0;
}

int file_set_nonblock(int fd, bool on)
{
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
                return -errno;
        return 0;
}

bool file_exists(int dirfd, const char *name)
{
        struct stat st;

        return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}
