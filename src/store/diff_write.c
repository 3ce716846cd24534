/* diff_write.c - changes as a layer tar, and whole trees as a tar; see diff.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "codec/tar.h"
#include "store/archive.h"
#include "store/diff.h"
#include "store/lowers.h"
#include "store/tree.h"

/* "a/b/.wh.name" for "/a/b/name". */
static err *whiteout_path(const char *path, char **ret)
{
        const char *slash = strrchr(path, '/');

        *ret = str_format("%.*s.wh.%s", (int)(slash + 1 - path - 1), path + 1, slash + 1);
        return *ret ? NULL : err_nomem();
}

/* The directory that the last entry was in. */
struct place {
        int top_fd; /* of the tree */
        int fd;     /* -1: none */
        char *path; /* without the first slash */
};

static void place_done(struct place *p)
{
        p->fd = file_close(p->fd);
        free(TAKE_PTR(p->path));
}

static err *enter(struct place *p, const char *path, size_t size)
{
        if (p->fd >= 0 && strlen(p->path) == size && memcmp(p->path, path, size) == 0)
                return NULL;
        place_done(p);
        p->path = strndup(path, size);
        if (!p->path)
                return err_nomem();
        p->fd = file_open_beneath(p->top_fd, *p->path ? p->path : ".", O_RDONLY | O_DIRECTORY, 0);
        if (p->fd < 0 && p->fd != -ENOENT && p->fd != -ENOTDIR && p->fd != -ELOOP)
                return err_sys(p->fd, "opening /%s", p->path);
        return NULL;
}

/* Add what is at @path ("/a/b") of the tree, with its directory opened by descriptor. */
static err *add_path(struct archive *a, struct place *p, const char *path)
{
        const char *slash = strrchr(path, '/');

        TRY(enter(p, path + 1, slash == path ? 0 : (size_t)(slash - path - 1)));
        if (p->fd < 0)
                return NULL; /* a running container has changed it meanwhile */
        return archive_add(a, p->fd, slash + 1, path + 1);
}

static bool has_reserved_name(const char *path)
{
        return strncmp(strrchr(path, '/') + 1, ".wh.", 4) == 0;
}

struct writing {
        struct archive archive;
        struct place place;
        bool any;
};

static void writing_done(struct writing *w)
{
        archive_done(&w->archive);
        place_done(&w->place);
}

static err *write_change(void *arg, const struct diff_entry *e, const struct tree_entry *at)
{
        _cleanup_free_ char *path = NULL;
        struct writing *w = arg;

        w->any = true;
        if (e->kind == DIFF_DELETED) {
                if (e->under_opaque)
                        return NULL;
                TRY(whiteout_path(e->path, &path));
                return archive_add_empty(&w->archive, path);
        }
        if (has_reserved_name(e->path))
                return err_new(ERR_INVALID, "%s cannot be in an image: names with .wh. mean deleted files there",
                               e->path);
        TRY(at ? archive_add_seen(&w->archive, at) : add_path(&w->archive, &w->place, e->path));
        if (!e->opaque)
                return NULL;
        path = str_format("%s/.wh..wh..opq", e->path + 1);
        return path ? archive_add_empty(&w->archive, path) : err_nomem();
}

/* The root directory is an entry of its own only if its owner, mode or attributes changed. */
static err *write_root(struct archive *a, int top_fd, const char *lower, bool *ret_written)
{
        struct stat now, before;
        bool same;

        *ret_written = false;
        if (fstat(top_fd, &now) < 0 || stat(lower, &before) < 0)
                return err_sys(errno, "looking at the root");
        TRY(tree_xattrs_same(top_fd, ".", AT_FDCWD, lower, &same));
        if (same && now.st_mode == before.st_mode && now.st_uid == before.st_uid && now.st_gid == before.st_gid)
                return NULL;
        *ret_written = true;
        return archive_add(a, top_fd, ".", ".");
}

err *diff_write_layer(const struct snapshot *snap, struct sink *sink, const struct tar_watch *watch, bool *ret_empty)
{
        const char *top = snap->upper ? snap->upper : snap->lower[0];
        const char *lower = snap->upper ? snap->lower[0] : snap->image[0];
        _cleanup_(tar_writer_freep) struct tar_writer *writer = NULL;
        _cleanup_close_ int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        _cleanup_(writing_done) struct writing w = {.place = {.top_fd = fd, .fd = -1}};

        if (fd < 0)
                return err_sys(errno, "opening %s", top);
        TRY(tar_writer_new(sink, &writer));
        if (watch)
                tar_writer_watch(writer, watch);
        w.archive.writer = writer;
        TRY(write_root(&w.archive, fd, lower, &w.any));
        TRY(diff_each(snap, write_change, &w));
        TRY(tar_write_end(writer));
        if (ret_empty)
                *ret_empty = !w.any;
        return NULL;
}

static err *add_entry(const struct tree_entry *e, void *arg)
{
        return archive_add_seen(arg, e);
}

err *diff_write_tree(int root_fd, int fd, const struct watch *watch)
{
        _cleanup_(tar_writer_freep) struct tar_writer *writer = NULL;
        _cleanup_(sink_freep) struct sink *sink = NULL;
        _cleanup_archive_ struct archive a = {0};
        const struct tree_walk w = {.visit = add_entry, .arg = &a, .open_files = true};
        struct watch_sink watched;

        TRY(sink_open_fd(fd, &sink));
        TRY(tar_writer_new(watch_sink(&watched, sink, watch), &writer));
        a.writer = writer;
        TRY(tree_walk(root_fd, &w));
        TRY(tar_write_end(writer));
        return sink_finish(sink);
}
