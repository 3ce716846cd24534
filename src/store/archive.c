/* archive.c - see archive.h. */
#include "store/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/tree.h"

void archive_done(struct archive *a)
{
        inodes_done(&a->seen);
}

static err *fill_entry(struct tar_entry *t, const struct stat *st, const char *path)
{
        *t = (struct tar_entry){
                .name = path,
                .linkname = "",
                .mode = st->st_mode & 07777,
                .uid = st->st_uid,
                .gid = st->st_gid,
                .mtime = st->st_mtim.tv_sec,
                .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
        };
        switch (st->st_mode & S_IFMT) {
        case S_IFREG:
                t->type = TAR_FILE;
                t->size = (uint64_t)st->st_size;
                break;
        case S_IFDIR:
                t->type = TAR_DIR;
                break;
        case S_IFLNK:
                t->type = TAR_SYMLINK;
                break;
        case S_IFIFO:
                t->type = TAR_FIFO;
                break;
        case S_IFCHR:
        case S_IFBLK:
                t->type = S_ISCHR(st->st_mode) ? TAR_CHAR : TAR_BLOCK;
                t->dev_major = major(st->st_rdev);
                t->dev_minor = minor(st->st_rdev);
                break;
        default:
                return err_new(ERR_INTERNAL, "/%s: unknown type of file", path);
        }
        return NULL;
}

static err *write_data(struct archive *a, int fd, off_t start, off_t end)
{
        while (start < end) {
                size_t room;
                void *place;
                ssize_t n;

                TRY(tar_write_place(a->writer, &place, &room));
                if ((off_t)room > end - start)
                        room = (size_t)(end - start);
                do
                        n = pread(fd, place, room, start);
                while (n < 0 && errno == EINTR);
                if (n < 0)
                        return err_sys(errno, "reading");
                if (n == 0) /* it became shorter: the rest is zeros */
                        return tar_write_zeros(a->writer, (uint64_t)(end - start));
                TRY(tar_write_placed(a->writer, (size_t)n));
                start += n;
        }
        return NULL;
}

/* Holes are not read. */
static err *write_sparse(struct archive *a, int fd, off_t size)
{
        off_t at = 0;

        while (at < size) {
                off_t data = lseek(fd, at, SEEK_DATA), hole;

                if (data < 0 && errno == ENXIO)
                        data = size;
                else if (data < 0)
                        data = at; /* not supported: everything is data */
                if (data > size)
                        data = size;
                TRY(tar_write_zeros(a->writer, (uint64_t)(data - at)));
                hole = data < size ? lseek(fd, data, SEEK_HOLE) : size;
                if (hole < data || hole > size)
                        hole = size;
                TRY(write_data(a, fd, data, hole));
                at = hole;
        }
        return NULL;
}

/* @st: of @fd, but its size may have been changed. */
static err *write_content(struct archive *a, int fd, const struct stat *st)
{
        bool full = st->st_blocks >= (st->st_size + 511) / 512;

        return full ? write_data(a, fd, 0, st->st_size) : write_sparse(a, fd, st->st_size);
}

/* @fd: of the file, or an O_PATH descriptor. */
static err *write_entry(struct archive *a, struct tar_entry *t, int fd, const struct stat *st)
{
        struct tree_xattrs x = {0};
        struct tar_xattr *list = NULL;
        err *e = fd < 0 ? NULL : tree_xattrs_read(fd, &x);

        if (!e && x.n) {
                list = MEM_NEW0(struct tar_xattr, x.n);
                e = list ? NULL : err_nomem();
        }
        for (size_t i = 0; !e && i < x.n; i++)
                list[i] = (struct tar_xattr){x.items[i].name, x.items[i].value, x.items[i].size};
        t->xattrs = list;
        t->n_xattrs = list ? x.n : 0;
        if (!e)
                e = tar_write_entry(a->writer, t);
        if (!e && t->type == TAR_FILE)
                e = write_content(a, fd, st);
        free(list);
        tree_xattrs_done(&x);
        return e;
}

static err *add_link(struct archive *a, const struct stat *st, const char *path, bool *ret_done)
{
        const char *first = NULL;
        struct tar_entry t;

        *ret_done = false;
        if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
                return NULL;
        TRY(inodes_seen(&a->seen, st, path, &first));
        if (!first)
                return NULL;
        TRY(fill_entry(&t, st, path));
        t.type = TAR_HARDLINK;
        t.linkname = first;
        t.size = 0;
        *ret_done = true;
        return tar_write_entry(a->writer, &t);
}

/* Only its own file system. */
static int open_plain(int dir_fd, const char *name)
{
        return file_openat2(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0,
                            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

static err *read_link(int fd, const char *path, char target[4096])
{
        ssize_t n = readlinkat(fd, "", target, 4095);

        if (n < 0)
                return err_sys(errno, "reading the link /%s", path);
        target[n] = '\0';
        return NULL;
}

static err *add_open(struct archive *a, const char *path, int fd, const struct stat *st)
{
        struct tar_entry t;
        char target[4096] _uninitialized_;
        bool done;

        TRY(add_link(a, st, path, &done));
        if (done)
                return NULL;
        TRY(fill_entry(&t, st, path));
        if (t.type == TAR_SYMLINK) {
                TRY(read_link(fd, path, target));
                t.linkname = target;
        }
        TRY_WRAP(write_entry(a, &t, fd, st), "archiving /%s", path);
        return NULL;
}

/* @st: what it was a moment ago. A file that something is mounted on gives what is below as empty. */
static err *add_file(struct archive *a, int dir_fd, const char *name, const char *path, struct stat *st)
{
        _cleanup_close_ int fd = open_plain(dir_fd, name);

        if (fd == -ENOENT)
                return NULL;
        if (fd == -EXDEV) {
                _cleanup_close_ int mount = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

                st->st_size = 0;
                return add_open(a, path, mount, st);
        }
        if (fd < 0)
                return err_sys(fd, "opening /%s", path);
        if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))
                return err_new(ERR_BUSY, "/%s was replaced while it was being read", path);
        return add_open(a, path, fd, st);
}

err *archive_add(struct archive *a, int dir_fd, const char *name, const char *path)
{
        _cleanup_close_ int fd = -1;
        struct stat st;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? NULL : err_sys(errno, "looking at /%s", path);
        if (S_ISSOCK(st.st_mode))
                return NULL;
        if (S_ISREG(st.st_mode))
                return add_file(a, dir_fd, name, path, &st);
        fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? NULL : err_sys(errno, "opening /%s", path);
        if (fstat(fd, &st) < 0 || S_ISREG(st.st_mode))
                return err_new(ERR_BUSY, "/%s was replaced while it was being read", path);
        return S_ISSOCK(st.st_mode) ? NULL : add_open(a, path, fd, &st);
}

err *archive_add_seen(struct archive *a, const struct tree_entry *e)
{
        struct stat st = e->st;

        if (e->fd >= 0)
                return add_open(a, e->path, e->fd, &st);
        if (S_ISREG(st.st_mode))
                return add_file(a, e->dir_fd, e->name, e->path, &st);
        return archive_add(a, e->dir_fd, e->name, e->path);
}

err *archive_add_empty(struct archive *a, const char *path)
{
        const struct tar_entry t = {.name = path, .linkname = "", .type = TAR_FILE};

        return tar_write_entry(a->writer, &t);
}
