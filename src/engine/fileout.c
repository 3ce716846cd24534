/* fileout.c - see fileout.h. */
#include "engine/fileout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "codec/tar.h"
#include "engine/progress.h"

#define TEMPORARY ".hod-"
#define PIECE (16u << 20) /* copied without asking whether to go on */

/* A document of a directory, kept until the end. */
struct pending {
        char *name, *data;
        size_t size;
};

struct fileout {
        int dirfd;      /* of the directory, or of the one that the archive appears in */
        char *name;     /* of the archive in it */
        int fd;         /* the archive; -1: a directory */
        bool owned;     /* ... is ours */
        bool made;      /* the directory is */
        char *path;     /* of the directory */
        char **created; /* what to take back */
        struct sink *sink;
        struct tar_writer *tar;
        struct pending *pending;
        size_t n_pending;
        const struct progress *progress;
        char temporary[32]; /* name of what is not finished; process ids come again, and what a killed one left stays */
};

static void choose_temporary(struct fileout *o)
{
        uint64_t salt = 0;

        (void)!getrandom(&salt, sizeof(salt), 0);
        (void)snprintf(o->temporary, sizeof(o->temporary), TEMPORARY "%016llx", (unsigned long long)salt);
}

static struct fileout *fileout_new(void)
{
        struct fileout *o = MEM_NEW0(struct fileout, 1);

        if (!o)
                return NULL;
        choose_temporary(o);
        o->dirfd = o->fd = -1;
        return o;
}

static void take_back(struct fileout *o)
{
        size_t n = strv_len(o->created);

        while (n--)
                if (unlinkat(o->dirfd, o->created[n], 0) < 0 && errno == EISDIR)
                        (void)unlinkat(o->dirfd, o->created[n], AT_REMOVEDIR);
        if (o->made)
                (void)rmdir(o->path);
}

void fileout_free(struct fileout *o)
{
        if (!o)
                return;
        if (o->created || o->made)
                take_back(o);
        for (size_t i = 0; i < o->n_pending; i++) {
                free(o->pending[i].name);
                free(o->pending[i].data);
        }
        free(o->pending);
        strv_free(o->created);
        tar_writer_free(o->tar);
        sink_free(o->sink);
        if (o->owned)
                (void)file_close(o->fd);
        (void)file_close(o->dirfd);
        free(o->path);
        free(o->name);
        free(o);
}

static err *begin_tar(struct fileout *o)
{
        TRY(sink_open_fd(o->fd, &o->sink));
        return tar_writer_new(o->sink, &o->tar);
}

err *fileout_open_stream(int fd, struct fileout **ret)
{
        _cleanup_(fileout_freep) struct fileout *o = fileout_new();

        if (!o)
                return err_nomem();
        o->fd = fd;
        TRY(begin_tar(o));
        *ret = TAKE_PTR(o);
        return NULL;
}

/* The directory of @path and the name in it. */
static err *split(const char *path, char **ret_dir, char **ret_name)
{
        const char *slash = strrchr(path, '/');

        *ret_dir = slash ? str_format("%.*s", slash == path ? 1 : (int)(slash - path), path) : str_dup(".");
        *ret_name = str_dup(slash ? slash + 1 : path);
        return *ret_dir && *ret_name ? NULL : err_nomem();
}

/* What a killed one left: nobody has a lock on it. */
static err *remove_dead(const struct fileout *o)
{
        int copy = openat(o->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        struct dirent *d;

        if (!dir) {
                (void)file_close(copy);
                return err_sys(errno, "reading %s", o->path ? o->path : "the directory of the archive");
        }
        while ((d = readdir(dir))) {
                _cleanup_close_ int fd = -1;

                if (!str_starts(d->d_name, TEMPORARY) || strlen(d->d_name) != strlen(o->temporary))
                        continue;
                fd = openat(o->dirfd, d->d_name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
                if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
                        (void)unlinkat(o->dirfd, d->d_name, 0);
        }
        (void)closedir(dir);
        return NULL;
}

/* What gets its name when it is whole; remove_dead() leaves it alone as long as we live. A name of its own each time: a
 * remove_dead() that is slow removes the one that it has looked at. */
static err *open_temporary(struct fileout *o, mode_t mode, int *ret)
{
        for (;;) {
                _cleanup_close_ int fd = -1;
                struct stat st;
                bool taken;

                choose_temporary(o);
                fd = openat(o->dirfd, o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
                if (fd < 0)
                        return err_sys(errno, "making a file%s%s", o->path ? " in " : "", o->path ? o->path : "");
                taken = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
                if (!taken && (fstat(fd, &st) < 0 || st.st_nlink)) {
                        *ret = TAKE_FD(fd);
                        return NULL;
                }
                /* Somebody's remove_dead() was faster than our lock. */
                (void)unlinkat(o->dirfd, o->temporary, 0);
        }
}

/* Without a name where the file system can do that; else a temporary one. */
static err *open_new(struct fileout *o)
{
        o->fd = openat(o->dirfd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
        o->owned = o->fd >= 0;
        if (o->owned)
                return NULL;
        if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
                return err_sys(errno, "making a file");
        TRY(remove_dead(o));
        TRY(open_temporary(o, 0600, &o->fd));
        o->owned = true;
        return strv_add(&o->created, o->temporary);
}

err *fileout_open_bytes(const char *path, struct fileout **ret)
{
        _cleanup_(fileout_freep) struct fileout *o = fileout_new();
        _cleanup_free_ char *dir = NULL;
        struct stat st;

        if (!o)
                return err_nomem();
        TRY(split(path, &dir, &o->name));
        o->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (o->dirfd < 0)
                return err_sys(errno, "invalid output path: stat %s", dir);
        if (!*o->name || (fstatat(o->dirfd, o->name, &st, 0) == 0 && !S_ISREG(st.st_mode)))
                return err_new(ERR_INVALID, "invalid output path: \"%s\" must be a file", path);
        TRY_WRAP(open_new(o), "writing to %s", path);
        *ret = TAKE_PTR(o);
        return NULL;
}

int fileout_fd(const struct fileout *o)
{
        return o->fd;
}

err *fileout_open_file(const char *path, struct fileout **ret)
{
        _cleanup_(fileout_freep) struct fileout *o = NULL;

        TRY(fileout_open_bytes(path, &o));
        TRY(begin_tar(o));
        *ret = TAKE_PTR(o);
        return NULL;
}

err *fileout_open_dir(const char *path, struct fileout **ret)
{
        _cleanup_(fileout_freep) struct fileout *o = fileout_new();

        if (!o)
                return err_nomem();
        o->path = str_dup(path);
        if (!o->path)
                return err_nomem();
        if (mkdir(path, 0755) == 0)
                o->made = true;
        else if (errno != EEXIST)
                return err_sys(errno, "making %s", path);
        o->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (o->dirfd < 0)
                return err_sys(errno, "opening %s", path);
        TRY(remove_dead(o));
        *ret = TAKE_PTR(o);
        return NULL;
}

err *fileout_mark(struct fileout *o, const char *name, const char *data, size_t size)
{
        int r;

        if (o->tar || file_exists(o->dirfd, name))
                return NULL;
        r = file_create(o->dirfd, name, data, size, 0644);
        return r < 0 ? err_sys(r, "writing %s/%s", o->path, name) : strv_add(&o->created, name);
}

void fileout_watch(struct fileout *o, const struct progress *progress)
{
        o->progress = progress;
}

int fileout_dir(const struct fileout *o)
{
        return o->fd < 0 ? o->dirfd : -1;
}

err *fileout_mkdir(struct fileout *o, const char *name)
{
        const struct tar_entry t = {.name = name, .linkname = "", .type = TAR_DIR, .mode = 0755};

        if (o->tar)
                return tar_write_entry(o->tar, &t);
        if (mkdirat(o->dirfd, name, 0755) == 0)
                return strv_add(&o->created, name);
        return errno == EEXIST ? NULL : err_sys(errno, "making %s/%s", o->path, name);
}

static err *begin_file(struct fileout *o, const char *name, uint64_t size)
{
        const struct tar_entry t = {.name = name, .linkname = "", .type = TAR_FILE, .mode = 0644, .size = size};

        return tar_write_entry(o->tar, &t);
}

err *fileout_put(struct fileout *o, const char *name, const char *data, size_t size)
{
        struct pending *p;

        if (o->tar) {
                TRY(begin_file(o, name, size));
                return tar_write_data(o->tar, data, size);
        }
        if (mem_grow(&o->pending, o->n_pending, sizeof(*o->pending)) < 0)
                return err_nomem();
        p = &o->pending[o->n_pending];
        *p = (struct pending){str_dup(name), malloc(size + 1), size};
        o->n_pending++;
        if (!p->name || !p->data)
                return err_nomem();
        memcpy(p->data, data, size);
        return NULL;
}

enum way { COPY_RANGE, SENDFILE, BY_HAND };

static ssize_t copy_piece(enum way way, int from, off_t *at, int to, size_t size)
{
        char buf[65536];
        ssize_t n;
        int r;

        if (way == COPY_RANGE)
                return copy_file_range(from, at, to, NULL, size, 0);
        if (way == SENDFILE)
                return sendfile(to, from, at, size);
        n = pread(from, buf, size < sizeof(buf) ? size : sizeof(buf), *at);
        if (n <= 0)
                return n;
        r = file_write_all(to, buf, (size_t)n);
        if (r < 0) {
                errno = -r;
                return -1;
        }
        *at += n;
        return n;
}

static bool is_not_possible(int errnum)
{
        return errnum == EINVAL || errnum == EXDEV || errnum == EOPNOTSUPP || errnum == ENOSYS || errnum == EBADF;
}

/* How much of the blob @name, "blobs/sha256/<digits>" or the digits alone, is written. */
static err *tell(const struct fileout *o, const char *name, uint64_t current, uint64_t total)
{
        const char *slash = strrchr(name, '/');
        char id[13];

        (void)snprintf(id, sizeof(id), "%s", slash ? slash + 1 : name);
        return current < total ? progress_amount(o->progress, id, "Saving", current, total)
                               : progress_done(o->progress, id, "Saved");
}

/* Within the kernel if that is possible. */
static err *copy_bytes(const struct fileout *o, const char *name, const struct fileset_file *from, int to)
{
        off_t at = (off_t)from->offset;
        const off_t end = at + (off_t)from->size;
        enum way way = COPY_RANGE;

        while (at < end) {
                ssize_t n = copy_piece(way, from->fd, &at, to, end - at > PIECE ? PIECE : (size_t)(end - at));

                if (n == 0)
                        return err_new(ERR_CORRUPT, "a file became shorter while it was read");
                if (n < 0 && errno != EINTR && (way == BY_HAND || !is_not_possible(errno)))
                        return err_sys(errno, "writing");
                if (n < 0 && errno != EINTR)
                        way++;
                if (at < end)
                        TRY(tell(o, name, (uint64_t)at - from->offset, from->size));
        }
        return tell(o, name, from->size, from->size);
}

static err *close_blob(struct fileout *o, const char *name, err *e)
{
        bool there = file_exists(o->dirfd, name);

        if (!e && renameat(o->dirfd, o->temporary, o->dirfd, name) < 0)
                e = err_sys(errno, "naming %s/%s", o->path, name);
        if (e)
                (void)unlinkat(o->dirfd, o->temporary, 0);
        else if (!there)
                e = strv_add(&o->created, name);
        return err_wrap(e, "%s", name);
}

bool fileout_has(const struct fileout *o, const char *name, uint64_t size)
{
        struct stat st;

        return !o->tar && fstatat(o->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
               (uint64_t)st.st_size == size;
}

err *fileout_copy(struct fileout *o, const char *name, const struct fileset_file *from)
{
        _cleanup_close_ int fd = -1;

        if (o->tar) {
                TRY(begin_file(o, name, from->size));
                TRY(tar_write_flush(o->tar));
                TRY(copy_bytes(o, name, from, o->fd));
                return tar_write_copied(o->tar, from->size);
        }
        if (fileout_has(o, name, from->size))
                return NULL;
        TRY(open_temporary(o, 0644, &fd));
        return close_blob(o, name, copy_bytes(o, name, from, fd));
}

static err *pump(struct fileout *o, const char *name, int fd, uint64_t size, const struct digest *want,
                 struct stream *from)
{
        _cleanup_(digest_hasher_freep) struct digest_hasher *hasher = NULL;
        _cleanup_free_ unsigned char *buf = malloc(STREAM_CHUNK);
        struct digest got;
        uint64_t left = size;

        if (!buf)
                return err_nomem();
        TRY(digest_hasher_new(&hasher));
        for (;;) {
                size_t n;
                int r = 0;

                TRY(stream_read(from, buf, STREAM_CHUNK, &n));
                if (!n)
                        break;
                if (n > left)
                        return err_new(ERR_CORRUPT, "%s is longer than %llu bytes", want->text,
                                       (unsigned long long)size);
                digest_hasher_update(hasher, buf, n);
                if (o->tar)
                        TRY(tar_write_data(o->tar, buf, n));
                else
                        r = file_write_all(fd, buf, n);
                if (r < 0)
                        return err_sys(r, "writing");
                left -= n;
                if (left)
                        TRY(tell(o, name, size - left, size));
        }
        if (left)
                return err_new(ERR_CORRUPT, "%s is shorter than %llu bytes", want->text, (unsigned long long)size);
        TRY(digest_hasher_final(hasher, &got));
        if (!digest_equal(&got, want))
                return err_new(ERR_DIGEST, "%s is not what it should be: its digest is %s", want->text, got.text);
        return tell(o, name, size, size);
}

err *fileout_pump(struct fileout *o, const char *name, uint64_t size, const struct digest *digest, struct stream *from)
{
        _cleanup_close_ int fd = -1;

        if (o->tar) {
                TRY(begin_file(o, name, size));
                return pump(o, name, -1, size, digest, from);
        }
        TRY(open_temporary(o, 0644, &fd));
        return close_blob(o, name, pump(o, name, fd, size, digest, from));
}

/* Give the archive its name. One that has none yet gets it at once, or if there is a file of that name a temporary one
 * first: a link cannot replace a file. */
static err *name_archive(struct fileout *o)
{
        char self[64];

        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
        if (!o->created) {
                if (linkat(AT_FDCWD, self, o->dirfd, o->name, AT_SYMLINK_FOLLOW) == 0)
                        return NULL;
                if (errno != EEXIST || linkat(AT_FDCWD, self, o->dirfd, o->temporary, AT_SYMLINK_FOLLOW) < 0)
                        return err_sys(errno, "naming %s", o->name);
                TRY(strv_add(&o->created, o->temporary));
        }
        if (renameat(o->dirfd, o->temporary, o->dirfd, o->name) < 0)
                return err_sys(errno, "naming %s", o->name);
        return NULL;
}

err *fileout_finish(struct fileout *o)
{
        if (o->tar) {
                TRY(tar_write_end(o->tar));
                TRY(sink_finish(o->sink));
        }
        if (o->name)
                TRY(name_archive(o));
        for (size_t i = 0; i < o->n_pending; i++) {
                const struct pending *p = &o->pending[i];
                int r = file_replace(o->dirfd, p->name, p->data, p->size, 0644, FILE_VOLATILE);

                if (r < 0)
                        return err_sys(r, "writing %s/%s", o->path, p->name);
        }
        strv_free(TAKE_PTR(o->created));
        o->made = false;
        return NULL;
}
