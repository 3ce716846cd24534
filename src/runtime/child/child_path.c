/* child_path.c - names inside the container's root, see child.h.
 *
 * The kernel resolves every name as if the root were "/" (RESOLVE_IN_ROOT) and refuses magic links: symlinks and ".."
 * of the image stay inside, whatever happens to them meanwhile. What is missing is made component by component, each in
 * a directory held by descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "runtime/child/child.h"

#define LINKS_MAX 40

int child_path_open(int root, const char *path, int flags, uint64_t more_resolve)
{
        return file_openat2(root, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | more_resolve);
}

static bool is_dotdot(const char *name, size_t n)
{
        return n == 2 && name[0] == '.' && name[1] == '.';
}

/* A dangling symlink is in the way at @path (the first @at bytes name it): replace it by its target, so that the target
 * is made inside the root. @buf holds the whole path. */
static int splice_link(int root, char buf[PATH_MAX], size_t at)
{
        _cleanup_close_ int fd = -1;
        char target[PATH_MAX], saved = buf[at];
        size_t rest = strlen(buf + at), dir = at;
        ssize_t n;

        buf[at] = '\0';
        fd = child_path_open(root, buf, O_PATH | O_NOFOLLOW, 0);
        buf[at] = saved;
        if (fd < 0)
                return fd;
        n = readlinkat(fd, "", target, sizeof(target));
        if (n < 0)
                return errno == EINVAL || errno == ENOENT ? -ENOTDIR : -errno; /* no link: a file is in the way */
        while (dir > 0 && buf[dir - 1] != '/')
                dir--;
        if (n > 0 && target[0] == '/')
                dir = 0;
        if (dir + (size_t)n + rest + 1 > PATH_MAX)
                return -ENAMETOOLONG;
        memmove(buf + dir + n, buf + at, rest + 1);
        memcpy(buf + dir, target, (size_t)n);
        return 0;
}

/* Open the deepest directory of @path that exists; @ret_rest is how many bytes of the path that is. */
static int open_existing(int root, char *path, size_t *ret_rest)
{
        size_t end = strlen(path);

        for (;;) {
                char saved;
                int fd;

                while (end > 0 && path[end - 1] == '/')
                        end--;
                saved = path[end];
                path[end] = '\0';
                fd = child_path_open(root, end ? path : ".", O_PATH | O_DIRECTORY, 0);
                path[end] = saved;
                if (fd != -ENOENT) {
                        *ret_rest = end;
                        return fd;
                }
                if (end == 0)
                        return fd;
                while (end > 0 && path[end - 1] != '/')
                        end--;
        }
}

/* Make the components of @path after the first @done bytes below @at (consumed). 1: a link is in the way, *done says
 * where it ends. */
static int make_rest(int at, const char *path, mode_t mode, size_t *done)
{
        const char *p = path + *done;
        char name[NAME_MAX + 1];

        for (;;) {
                size_t n;
                int next;

                p += strspn(p, "/");
                n = strcspn(p, "/");
                if (n == 0)
                        return at;
                if (n > NAME_MAX || is_dotdot(p, n)) {
                        (void)file_close(at);
                        return n > NAME_MAX ? -ENAMETOOLONG : -ENOENT; /* what ".." leaves does not exist */
                }
                memcpy(name, p, n);
                name[n] = '\0';
                p += n;
                if (n == 1 && name[0] == '.')
                        continue;
                if (mkdirat(at, name, mode) < 0 && errno != EEXIST) {
                        next = -errno;
                } else {
                        next = file_openat2(at, name, O_PATH | O_DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
                        if (next == -ELOOP || next == -ENOTDIR) {
                                *done = (size_t)(p - path);
                                next = -ELOOP;
                        }
                }
                (void)file_close(at);
                if (next < 0)
                        return next;
                at = next;
        }
}

int child_path_mkdir_p(int root, const char *path, mode_t mode)
{
        char buf[PATH_MAX];
        size_t n = strlen(path);

        if (n >= sizeof(buf))
                return -ENAMETOOLONG;
        memcpy(buf, path, n + 1);
        for (int links = 0; links < LINKS_MAX; links++) {
                size_t done = 0;
                int fd = open_existing(root, buf, &done);

                if (fd < 0)
                        return fd;
                fd = make_rest(fd, buf, mode, &done);
                if (fd != -ELOOP)
                        return fd;
                fd = splice_link(root, buf, done);
                if (fd < 0)
                        return fd;
        }
        return -ELOOP;
}

int child_path_parent(int root, const char *path, const char **ret_name)
{
        char dir[PATH_MAX];
        size_t n = strlen(path), at;

        if (n >= sizeof(dir))
                return -ENAMETOOLONG;
        at = n;
        while (at > 0 && path[at - 1] != '/')
                at--;
        if (at == n || is_dotdot(path + at, n - at) || (n - at == 1 && path[at] == '.') || n - at > NAME_MAX)
                return -EINVAL;
        memcpy(dir, path, at);
        dir[at] = '\0';
        *ret_name = path + at;
        return child_path_mkdir_p(root, at ? dir : ".", 0755);
}

/* Make an empty file where @path says, following dangling links inside the root. */
static int make_file(int root, const char *path)
{
        char buf[PATH_MAX];
        size_t n = strlen(path);

        while (n > 0 && path[n - 1] == '/')
                n--;
        if (n >= sizeof(buf))
                return -ENAMETOOLONG;
        memcpy(buf, path, n);
        buf[n] = '\0';
        for (int links = 0; links < LINKS_MAX; links++) {
                _cleanup_close_ int dir = -1, made = -1;
                const char *name;
                int r;

                dir = child_path_parent(root, buf, &name);
                if (dir < 0)
                        return dir;
                made = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0755);
                if (made >= 0)
                        return file_openat2(dir, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
                if (errno != EEXIST)
                        return -errno;
                r = splice_link(root, buf, strlen(buf));
                if (r < 0)
                        return r;
        }
        return -ELOOP;
}

int child_path_would_be(int root, const char *path)
{
        char buf[PATH_MAX];
        size_t n = strlen(path), done;

        if (n >= sizeof(buf))
                return -ENAMETOOLONG;
        memcpy(buf, path, n + 1);
        for (int links = 0; links < LINKS_MAX; links++) {
                int fd = child_path_open(root, buf, O_PATH | O_NOFOLLOW, 0), r;

                if (fd == -ENOENT)
                        return open_existing(root, buf, &done);
                if (fd < 0)
                        return fd;
                (void)file_close(fd);
                r = splice_link(root, buf, strlen(buf));
                if (r < 0)
                        return r == -ENOTDIR ? -EEXIST : r;
        }
        return -ELOOP;
}

int child_path_mount_point(int root, const char *path, bool is_dir, uint64_t more_resolve, bool *ret_made)
{
        int flags = O_PATH | (is_dir ? O_DIRECTORY : 0);
        int fd = child_path_open(root, path, flags, more_resolve);

        *ret_made = false;
        if (fd != -ENOENT)
                return fd;
        *ret_made = true;
        return is_dir ? child_path_mkdir_p(root, path, 0755) : make_file(root, path);
}
