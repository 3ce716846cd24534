/* child_copy.c - tmpcopyup: a new tmpfs begins with what the image has at its place. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "runtime/child/child.h"

#define DEPTH_MAX 64

struct entry { /* linux_dirent64 */
        uint64_t ino;
        int64_t off;
        unsigned short size;
        unsigned char type;
        char name[];
};

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
        _cleanup_close_ int in = file_open_beneath(from, name, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0), out = -1;
        char buf[4096];
        ssize_t n;

        if (in < 0)
                return in;
        out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (out < 0)
                return -errno;
        while ((n = read(in, buf, sizeof(buf))) > 0) {
                int r = file_write_all(out, buf, (size_t)n);

                if (r < 0)
                        return r;
        }
        if (n < 0 || fchown(out, st->st_uid, st->st_gid) < 0 || fchmod(out, st->st_mode & 07777) < 0)
                return -errno;
        return 0;
}

static int copy_link(int from, int to, const char *name, const struct stat *st)
{
        char target[PATH_MAX];
        ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

        if (n < 0)
                return -errno;
        target[n] = '\0';
        if (symlinkat(target, to, name) < 0 || fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        return 0;
}

static int copy_dir(int from, int to, int depth);

static int copy_entry(int from, int to, const char *name, int depth)
{
        _cleanup_close_ int below = -1, made = -1;
        struct stat st;

        if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        if (S_ISREG(st.st_mode))
                return copy_file(from, to, name, &st);
        if (S_ISLNK(st.st_mode))
                return copy_link(from, to, name, &st);
        if (!S_ISDIR(st.st_mode))
                return mknodat(to, name, st.st_mode, st.st_rdev) < 0 && errno != EPERM ? -errno : 0;
        below = file_open_beneath(from, name, O_RDONLY | O_DIRECTORY, 0);
        if (below < 0)
                return below;
        if (mkdirat(to, name, 0700) < 0)
                return -errno;
        made = file_open_beneath(to, name, O_RDONLY | O_DIRECTORY, 0);
        if (made < 0)
                return made;
        if (fchown(made, st.st_uid, st.st_gid) < 0 || fchmod(made, st.st_mode & 07777) < 0)
                return -errno;
        return copy_dir(below, made, depth + 1);
}

static int copy_dir(int from, int to, int depth)
{
        _Alignas(struct entry) char buf[2048];
        long n;

        if (depth > DEPTH_MAX)
                return -ELOOP;
        while ((n = syscall(SYS_getdents64, from, buf, sizeof(buf))) > 0)
                for (long at = 0; at < n;) {
                        const struct entry *e = (const struct entry *)(const void *)(buf + at);
                        int r;

                        at += e->size;
                        if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
                                continue;
                        r = copy_entry(from, to, e->name, depth);
                        if (r < 0)
                                return r;
                }
        return n < 0 ? -errno : 0;
}

int child_copy_up(int from, int to)
{
        _cleanup_close_ int in = file_openat2(from, ".", O_RDONLY | O_DIRECTORY, 0, RESOLVE_BENEATH);
        struct stat st;

        if (in < 0)
                return in;
        /* @to is an O_PATH descriptor; its mode has come with the mount option. */
        if (fstat(in, &st) < 0 || fchownat(to, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0)
                return -errno;
        return copy_dir(in, to, 0);
}
