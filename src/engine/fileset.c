/* fileset.c - see fileset.h. */
#include "engine/fileset.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "codec/tar.h"

#define ENTRIES_MAX 100000u
#define NAMES_MAX (16u << 20)
#define SPOOL_MAX ((uint64_t)64 << 30) /* what a pipe or a compressed archive may become */

struct entry {
        char *name, *link; /* @link: a symlink to that member */
        bool directory;
        uint64_t offset, size;
};

struct fileset {
        int dirfd;             /* or */
        int fd;                /* the archive */
        struct entry *entries; /* sorted by name */
        size_t n;
        err *odd; /* the first entry that must not be there */
};

void fileset_free(struct fileset *f)
{
        if (!f)
                return;
        for (size_t i = 0; i < f->n; i++) {
                free(f->entries[i].name);
                free(f->entries[i].link);
        }
        free(f->entries);
        err_free(f->odd);
        (void)file_close(f->dirfd);
        (void)file_close(f->fd);
        free(f);
}

static struct fileset *fileset_new(void)
{
        struct fileset *f = MEM_NEW0(struct fileset, 1);

        if (f)
                f->dirfd = f->fd = -1;
        return f;
}

err *fileset_open_dir(int dirfd, struct fileset **ret)
{
        struct fileset *f = fileset_new();

        if (!f)
                return err_nomem();
        f->dirfd = dirfd;
        *ret = f;
        return NULL;
}

/* ---- a piece of a file as a stream ---- */

struct piece {
        struct stream stream;
        struct fileset_file file;
        size_t step; /* at most so much a read; 0 = as asked */
};

static err *piece_read(struct stream *stream, void *data, size_t size, size_t *ret)
{
        struct piece *p = (struct piece *)stream;
        ssize_t n;

        if (p->step && size > p->step)
                size = p->step;
        if (size > p->file.size)
                size = (size_t)p->file.size;
        do
                n = size ? pread(p->file.fd, data, size, (off_t)p->file.offset) : 0;
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return err_sys(errno, "reading");
        if (n == 0 && size)
                return err_new(ERR_CORRUPT, "the file became shorter while it was read");
        p->file.offset += (uint64_t)n;
        p->file.size -= (uint64_t)n;
        *ret = (size_t)n;
        return NULL;
}

static void piece_free(struct stream *stream)
{
        fileset_file_done(&((struct piece *)stream)->file);
        free(stream);
}

void fileset_file_done(struct fileset_file *file)
{
        if (file->owned)
                (void)file_close(file->fd);
        file->owned = false;
}

static err *piece_open(struct fileset_file *file, uint64_t at, size_t step, struct stream **ret)
{
        struct piece *p = MEM_NEW0(struct piece, 1);

        if (!p)
                return err_nomem();
        p->stream = (struct stream){piece_read, piece_free};
        p->file = *file;
        p->step = step;
        if (at > file->size)
                at = file->size;
        p->file.offset += at;
        p->file.size -= at;
        file->owned = false;
        *ret = &p->stream;
        return NULL;
}

err *fileset_stream(struct fileset_file *file, uint64_t at, struct stream **ret)
{
        return piece_open(file, at, 0, ret);
}

/* ---- the list of an archive's members ---- */

/* "./a/b" is "a/b"; anything else that is not plain is refused. */
static err *member_name(const char *name, char **ret)
{
        const char *plain = name;
        _cleanup_free_ char *clean = NULL;

        while (str_starts(plain, "./"))
                plain += 2;
        if (strcmp(plain, ".") == 0 || !*plain)
                plain = "";
        TRY(path_clean(plain, &clean));
        if (strcmp(clean + 1, plain) != 0)
                return err_new(ERR_UNSAFE_PATH, "the archive holds a file with the odd name '%.200s'", name);
        *ret = str_dup(plain);
        return *ret ? NULL : err_nomem();
}

/* Docker's old archives have layers that are links to another image's. */
static err *member_link(const char *name, const char *target, char **ret)
{
        const char *slash = strrchr(name, '/');
        _cleanup_free_ char *joined = NULL, *clean = NULL;

        if (!str_ends(name, "/layer.tar") || *target == '/')
                return err_new(ERR_UNSAFE_PATH, "the archive holds a symbolic link, '%.200s'", name);
        joined = str_format("/%.*s/%s", (int)(slash - name), name, target);
        if (!joined)
                return err_nomem();
        TRY(path_clean(joined, &clean));
        *ret = str_dup(clean + 1);
        return *ret ? NULL : err_nomem();
}

static err *make_entry(struct entry *e, const struct tar_entry *t)
{
        if (t->sparse)
                return err_new(ERR_UNSUPPORTED, "the archive holds a sparse file, '%.200s'", t->name);
        if (t->type != TAR_FILE && t->type != TAR_DIR && t->type != TAR_SYMLINK)
                return err_new(ERR_UNSAFE_PATH, "the archive holds something that is no file, '%.200s'", t->name);
        TRY(member_name(t->name, &e->name));
        return t->type == TAR_SYMLINK ? member_link(e->name, t->linkname, &e->link) : NULL;
}

static err *add_entry(struct fileset *f, const struct tar_entry *t, uint64_t offset)
{
        struct entry *e;
        err *odd;

        if (f->n >= ENTRIES_MAX)
                return err_new(ERR_LIMIT, "the archive holds more than %u files", ENTRIES_MAX);
        if (mem_grow(&f->entries, f->n, sizeof(*f->entries)) < 0)
                return err_nomem();
        e = &f->entries[f->n];
        *e = (struct entry){.directory = t->type == TAR_DIR, .offset = offset, .size = t->size};
        odd = make_entry(e, t);
        if (!odd) {
                f->n++;
                return NULL;
        }
        free(e->name);
        if (err_code(odd) == ERR_NOMEM || f->odd)
                err_free(odd);
        else
                f->odd = odd;
        return f->odd ? NULL : err_nomem();
}

err *fileset_check(struct fileset *f)
{
        return TAKE_PTR(f->odd);
}

/* The entry at @at of an archive that ends at @end: a reader of its own, so that no data needs to be read. */
static err *scan_entry(struct fileset *f, uint64_t at, uint64_t end, uint64_t *ret_next, size_t *names)
{
        struct fileset_file rest = {.fd = f->fd, .offset = at, .size = end - at};
        _cleanup_(stream_freep) struct stream *stream = NULL;
        _cleanup_(tar_reader_freep) struct tar_reader *reader = NULL;
        const struct tar_entry *t;
        uint64_t data;

        *ret_next = 0;
        TRY(piece_open(&rest, 0, 4096, &stream));
        TRY(tar_reader_new(stream, NULL, &reader));
        TRY(tar_next(reader, &t));
        if (!t)
                return NULL;
        data = at + tar_reader_offset(reader);
        if (t->size > end - data)
                return err_new(ERR_CORRUPT, "the archive is truncated: '%.200s' ends behind its end", t->name);
        *names += strlen(t->name) + strlen(t->linkname);
        if (*names > NAMES_MAX)
                return err_new(ERR_LIMIT, "the names in the archive have more than %u bytes", NAMES_MAX);
        *ret_next = data + (t->size + 511) / 512 * 512;
        return add_entry(f, t, data);
}

static int by_name(const void *a, const void *b)
{
        const struct entry *x = a, *y = b;

        return strcmp(x->name, y->name);
}

static const struct entry *find(const struct fileset *f, const char *name)
{
        const struct entry key = {.name = (char *)name};

        return f->n ? bsearch(&key, f->entries, f->n, sizeof(key), by_name) : NULL;
}

/* Readers disagree about which of two counts. */
static err *check_unique(const struct fileset *f)
{
        for (size_t i = 1; i < f->n; i++) {
                const struct entry *a = &f->entries[i - 1], *b = &f->entries[i];

                if (strcmp(a->name, b->name) == 0 && !(a->directory && b->directory))
                        return err_new(ERR_CORRUPT, "the archive holds two files '%.200s'", a->name);
        }
        return NULL;
}

static err *scan(struct fileset *f, uint64_t at, uint64_t end)
{
        size_t names = 0;

        while (at < end) {
                uint64_t next;

                TRY(scan_entry(f, at, end, &next, &names));
                if (!next)
                        break;
                at = next;
        }
        if (at >= end) /* no end marker */
                return err_new(ERR_CORRUPT, f->n ? "the archive is truncated" : "unexpected EOF");
        qsort(f->entries, f->n, sizeof(*f->entries), by_name);
        return check_unique(f);
}

/* ---- where the archive is ---- */

/* Takes @from over. */
static err *spool(struct fileset *f, struct stream **from, int dirfd, uint64_t *ret_size)
{
        _cleanup_(stream_freep) struct stream *limited = NULL;
        _cleanup_(sink_freep) struct sink *sink = NULL;

        f->fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (f->fd < 0)
                return err_sys(errno, "making a file for the archive");
        TRY(stream_open_limit(*from, SPOOL_MAX, "the archive", &limited));
        *from = NULL;
        TRY(sink_open_fd(f->fd, &sink));
        return stream_copy(limited, sink, ret_size);
}

/* Positions are kept by ourselves: the file's own may be shared with other programs. */
static err *open_seekable(struct fileset *f, int fd, uint64_t start, uint64_t end, int spool_dirfd)
{
        struct fileset_file whole = {.fd = fd, .offset = start, .size = end - start};
        _cleanup_(stream_freep) struct stream *raw = NULL, *plain = NULL;
        enum stream_format format;
        uint64_t size;

        TRY(piece_open(&whole, 0, 0, &raw));
        TRY(stream_open_auto(raw, &format, &plain));
        raw = NULL;
        if (format == STREAM_PLAIN) {
                f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                return f->fd < 0 ? err_sys(errno, "keeping the archive open") : scan(f, start, end);
        }
        TRY_WRAP(spool(f, &plain, spool_dirfd, &size), "decompressing the archive");
        return scan(f, 0, size);
}

static err *open_pipe(struct fileset *f, int fd, int spool_dirfd)
{
        _cleanup_(stream_freep) struct stream *raw = NULL, *plain = NULL;
        uint64_t size;

        TRY(stream_open_fd(fd, &raw));
        TRY(stream_open_auto(raw, NULL, &plain));
        raw = NULL;
        TRY_WRAP(spool(f, &plain, spool_dirfd, &size), "receiving the archive");
        return scan(f, 0, size);
}

err *fileset_open_archive(int fd, int spool_dirfd, struct fileset **ret)
{
        _cleanup_(fileset_freep) struct fileset *f = fileset_new();
        struct stat st;
        off_t at;

        if (!f)
                return err_nomem();
        if (fstat(fd, &st) < 0)
                return err_sys(errno, "looking at the archive");
        at = S_ISREG(st.st_mode) ? lseek(fd, 0, SEEK_CUR) : -1;
        if (at >= 0 && at <= st.st_size)
                TRY(open_seekable(f, fd, (uint64_t)at, (uint64_t)st.st_size, spool_dirfd));
        else
                TRY(open_pipe(f, fd, spool_dirfd));
        *ret = TAKE_PTR(f);
        return NULL;
}

/* ---- one file ---- */

bool fileset_has(const struct fileset *f, const char *name)
{
        struct stat st;

        if (f->dirfd < 0)
                return find(f, name) != NULL;
        return fstatat(f->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static err *open_member(const struct fileset *f, const char *name, struct fileset_file *ret)
{
        const struct entry *e = find(f, name);

        if (e && e->link)
                e = find(f, e->link);
        if (!e)
                return err_new(ERR_NOT_FOUND, "there is no '%.200s'", name);
        if (e->directory || e->link)
                return err_new(ERR_UNSAFE_PATH, "'%.200s' is no file", name);
        *ret = (struct fileset_file){.fd = f->fd, .offset = e->offset, .size = e->size};
        return NULL;
}

err *fileset_open(const struct fileset *f, const char *name, struct fileset_file *ret)
{
        struct stat st;
        int fd;

        if (f->dirfd < 0)
                return open_member(f, name, ret);
        fd = file_open_beneath(f->dirfd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        if (fd == -ENOENT || fd == -ENOTDIR)
                return err_new(ERR_NOT_FOUND, "there is no '%.200s'", name);
        if (fd == -ELOOP || fd == -EXDEV)
                return err_new(ERR_UNSAFE_PATH, "'%.200s' is, or lies behind, a symbolic link", name);
        if (fd < 0)
                return err_sys(fd, "opening %.200s", name);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
                (void)file_close(fd);
                return err_new(ERR_UNSAFE_PATH, "'%.200s' is no file", name);
        }
        *ret = (struct fileset_file){.fd = fd, .size = (uint64_t)st.st_size, .owned = true};
        return NULL;
}

err *fileset_read(const struct fileset *f, const char *name, size_t max, char **ret, size_t *ret_size)
{
        _cleanup_file_ struct fileset_file file = {.fd = -1};
        _cleanup_(stream_freep) struct stream *stream = NULL;
        _cleanup_free_ char *text = NULL;
        size_t n;

        TRY(fileset_open(f, name, &file));
        if (file.size > max)
                return err_new(ERR_LIMIT, "%.200s has %llu bytes, more than the %zu that are read", name,
                               (unsigned long long)file.size, max);
        text = malloc((size_t)file.size + 1);
        if (!text)
                return err_nomem();
        n = (size_t)file.size;
        TRY(fileset_stream(&file, 0, &stream));
        TRY_WRAP(stream_read_full(stream, text, n, ret_size), "%.200s", name);
        text[*ret_size] = '\0';
        *ret = TAKE_PTR(text);
        return NULL;
}
