/* tree_copy.c - copying a tree, and measuring one; see tree.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/inodes.h"
#include "store/tree.h"

#define CHUNK (1 << 20)

struct copy {
        int to;
        unsigned flags;
        struct inodes seen;
        char dir[4096]; /* path of the directory that dir_fd is */
        int dir_fd;     /* -1: none */
};

static void copy_done(struct copy *c)
{
        (void)file_close(c->dir_fd);
        inodes_done(&c->seen);
}

/* Directory of the copy that holds @path. Borrowed. */
static err *target_dir(struct copy *c, const char *path, int *ret)
{
        const char *slash = strrchr(path, '/');
        size_t n = slash ? (size_t)(slash - path) : 0;
        int fd;

        if (!n) {
                *ret = c->to;
                return NULL;
        }
        if (c->dir_fd < 0 || strncmp(c->dir, path, n) != 0 || c->dir[n]) {
                c->dir_fd = file_close(c->dir_fd);
                memcpy(c->dir, path, n);
                c->dir[n] = '\0';
                fd = file_open_beneath(c->to, c->dir, O_RDONLY | O_DIRECTORY, 0);
                if (fd < 0)
                        return err_sys(fd, "opening the copy of /%s", c->dir);
                c->dir_fd = fd;
        }
        *ret = c->dir_fd;
        return NULL;
}

err *tree_xattrs_copy(int from, int to)
{
        struct tree_xattrs x = {0};
        err *e = tree_xattrs_read(from, &x);
        char target[64];

        (void)snprintf(target, sizeof(target), "/proc/self/fd/%d", to);
        for (size_t i = 0; !e && i < x.n; i++)
                if (setxattr(target, x.items[i].name, x.items[i].value, x.items[i].size, 0) < 0 && errno != ENOTSUP &&
                    errno != EPERM)
                        e = err_sys(errno, "setting the extended attribute %s", x.items[i].name);
        tree_xattrs_done(&x);
        return e;
}

static bool equal(const struct tree_xattrs *x, const struct tree_xattrs *y)
{
        if (x->n != y->n)
                return false;
        for (size_t i = 0; i < x->n; i++)
                if (strcmp(x->items[i].name, y->items[i].name) != 0 || x->items[i].size != y->items[i].size ||
                    (x->items[i].size && memcmp(x->items[i].value, y->items[i].value, x->items[i].size) != 0))
                        return false;
        return true;
}

err *tree_xattrs_same(int a, const char *a_name, int b, const char *b_name, bool *ret)
{
        _cleanup_close_ int one = openat(a, a_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int two = openat(b, b_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct tree_xattrs x = {0}, y = {0};
        err *e;

        if (one < 0 || two < 0)
                return err_sys(errno, "opening %s", a_name);
        e = tree_xattrs_read(one, &x);
        if (!e)
                e = tree_xattrs_read(two, &y);
        *ret = !e && equal(&x, &y);
        tree_xattrs_done(&x);
        tree_xattrs_done(&y);
        return e;
}

/* Owner, mode, xattrs, times of @from to the thing @name in @dir; "" is the directory @dir itself. */
static err *copy_metadata(int from, const struct stat *st, int dir, const char *name)
{
        const struct timespec ts[2] = {st->st_atim, st->st_mtim};
        _cleanup_close_ int fd = openat(dir, *name ? name : ".", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        char link[64];

        if (fd < 0)
                return err_sys(errno, "opening the copy");
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (fchownat(fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) < 0)
                return err_sys(errno, "setting the owner");
        if (!S_ISLNK(st->st_mode) && chmod(link, st->st_mode & 07777) < 0)
                return err_sys(errno, "setting the mode");
        TRY(tree_xattrs_copy(from, fd));
        if (utimensat(dir, *name ? name : ".", ts, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(errno, "setting the times");
        return NULL;
}

static err *copy_range(int from, int to, off_t start, off_t end)
{
        bool plain = false;

        while (start < end) {
                off_t in = start, out = start;
                ssize_t n = -1;

                if (!plain)
                        n = copy_file_range(from, &in, to, &out, (size_t)(end - start), 0);
                if (n < 0 && (plain || errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
                        plain = true;
                        in = start;
                        if (lseek(to, start, SEEK_SET) < 0)
                                return err_sys(errno, "copying");
                        n = sendfile(to, from, &in, end - start > CHUNK ? CHUNK : (size_t)(end - start));
                }
                if (n < 0)
                        return err_sys(errno, "copying");
                if (n == 0) /* it became shorter */
                        return NULL;
                start += n;
        }
        return NULL;
}

/* Only the stretches with data are copied; holes stay holes. */
static err *copy_content(int from, int to, off_t size)
{
        off_t at = 0;

        if (ioctl(to, FICLONE, from) == 0)
                return NULL;
        while (at < size) {
                off_t data = lseek(from, at, SEEK_DATA), hole;

                if (data < 0 && errno == ENXIO)
                        break;
                if (data < 0)
                        data = at;
                hole = lseek(from, data, SEEK_HOLE);
                if (hole < 0 || hole > size)
                        hole = size;
                TRY(copy_range(from, to, data, hole));
                at = hole;
        }
        return ftruncate(to, size) < 0 ? err_sys(errno, "setting the length") : NULL;
}

static err *copy_file(struct copy *c, const struct tree_entry *e, int dir)
{
        _cleanup_close_ int from =
                openat(e->dir_fd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        _cleanup_close_ int to = -1;
        struct stat st;

        if (from < 0)
                return errno == ENOENT || errno == ELOOP ? NULL : err_sys(errno, "opening /%s", e->path);
        if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
                return err_new(ERR_BUSY, "/%s was replaced while it was being copied", e->path);
        to = openat(dir, e->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (to < 0)
                return err_sys(errno, "making the copy of /%s", e->path);
        TRY_WRAP(copy_content(from, to, st.st_size), "copying /%s", e->path);
        return copy_metadata(from, &st, dir, e->name);
}

static err *make_other(const struct tree_entry *e, int dir)
{
        char target[4096];
        ssize_t n;

        if (!S_ISLNK(e->st.st_mode))
                return mknodat(dir, e->name, (e->st.st_mode & S_IFMT) | 0600, e->st.st_rdev) < 0
                               ? err_sys(errno, "making the copy of /%s", e->path)
                               : NULL;
        n = readlinkat(e->dir_fd, e->name, target, sizeof(target) - 1);
        if (n < 0)
                return err_sys(errno, "reading the link /%s", e->path);
        target[n] = '\0';
        return symlinkat(target, dir, e->name) < 0 ? err_sys(errno, "making the copy of /%s", e->path) : NULL;
}

/* Another name of something copied before? */
static err *try_link(struct copy *c, const struct tree_entry *e, int dir, bool *ret_done)
{
        const char *first = NULL;

        *ret_done = false;
        if (S_ISDIR(e->st.st_mode) || e->st.st_nlink < 2)
                return NULL;
        TRY(inodes_seen(&c->seen, &e->st, e->path, &first));
        *ret_done = first && linkat(c->to, first, dir, e->name, 0) == 0;
        return NULL;
}

static bool is_whiteout(const struct stat *st)
{
        return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static bool is_opaque(const struct tree_entry *e)
{
        _cleanup_close_ int fd = openat(e->dir_fd, e->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        char link[64], value[2];

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        return fd >= 0 && getxattr(link, "trusted.overlay.opaque", value, sizeof(value)) == 1 && *value == 'y';
}

/* Make room for @e in the copy. A directory that is to be one stays. *@ret_skip: nothing more to do. */
static err *clear_way(struct copy *c, const struct tree_entry *e, int dir, bool *ret_skip)
{
        bool whiteout = (c->flags & TREE_COPY_WHITEOUTS) && is_whiteout(&e->st);
        struct stat old;
        int r;

        *ret_skip = whiteout;
        if (fstatat(dir, e->name, &old, AT_SYMLINK_NOFOLLOW) < 0)
                return NULL;
        if (S_ISDIR(old.st_mode) && S_ISDIR(e->st.st_mode) && !((c->flags & TREE_COPY_WHITEOUTS) && is_opaque(e)))
                return NULL;
        /* Paths below it are stale now. */
        c->dir[0] = c->dir_fd == dir ? c->dir[0] : '\0';
        r = file_remove_tree(dir, e->name);
        return r < 0 ? err_sys(r, "replacing /%s", e->path) : NULL;
}

static err *copy_visit(const struct tree_entry *e, void *arg)
{
        struct copy *c = arg;
        bool done = false;
        int dir;

        TRY(target_dir(c, e->path, &dir));
        if (c->flags)
                TRY(clear_way(c, e, dir, &done));
        if (!done)
                TRY(try_link(c, e, dir, &done));
        if (done || S_ISSOCK(e->st.st_mode))
                return NULL;
        if (S_ISREG(e->st.st_mode))
                return copy_file(c, e, dir);
        if (S_ISDIR(e->st.st_mode)) {
                if (mkdirat(dir, e->name, 0700) < 0 && errno != EEXIST)
                        return err_sys(errno, "making the copy of /%s", e->path);
                if (e->mount_point && fchmodat(dir, e->name, e->st.st_mode & 07777, 0) < 0)
                        return err_sys(errno, "setting the mode of /%s", e->path);
                return NULL; /* metadata when it is left: writing into it changes its times */
        }
        TRY(make_other(e, dir));
        {
                _cleanup_close_ int from = openat(e->dir_fd, e->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

                if (from < 0)
                        return err_sys(errno, "opening /%s", e->path);
                TRY_WRAP(copy_metadata(from, &e->st, dir, e->name), "copying /%s", e->path);
        }
        return NULL;
}

static err *copy_leave(const struct tree_entry *e, void *arg)
{
        struct copy *c = arg;
        const char *slash = strrchr(e->path, '/'), *name = slash ? slash + 1 : e->path;
        int dir;

        TRY(target_dir(c, e->path, &dir));
        TRY_WRAP(copy_metadata(e->dir_fd, &e->st, dir, name), "copying /%s", e->path);
        return NULL;
}

err *tree_copy(int from, int to, unsigned flags)
{
        _cleanup_(copy_done) struct copy c = {.to = to, .flags = flags, .dir_fd = -1};
        const struct tree_walk w = {.visit = copy_visit, .leave = copy_leave, .arg = &c};

        return tree_walk(from, &w);
}

struct usage {
        uint64_t bytes;
        struct inodes seen;
};

static err *usage_visit(const struct tree_entry *e, void *arg)
{
        struct usage *u = arg;
        const char *first = NULL;

        if (!S_ISREG(e->st.st_mode))
                return NULL;
        if (e->st.st_nlink > 1)
                TRY(inodes_seen(&u->seen, &e->st, "", &first));
        if (!first)
                u->bytes += (uint64_t)e->st.st_size;
        return NULL;
}

err *tree_usage(int top_fd, uint64_t *ret)
{
        struct usage u = {0};
        const struct tree_walk w = {.visit = usage_visit, .arg = &u};
        err *e = tree_walk(top_fd, &w);

        inodes_done(&u.seen);
        if (!e)
                *ret = u.bytes;
        return e;
}
