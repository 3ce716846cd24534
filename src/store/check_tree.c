/* check_tree.c - a layer's tree as it should be, and as it is. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/check_private.h"
#include "store/lowers.h"
#include "store/tree.h"

struct comparison {
        int have;
        char *difference;
};

static err *differs(struct comparison *c, const char *path, const char *what)
{
        c->difference = str_format("/%s: %s", path, what);
        return c->difference ? err_new(ERR_CONFLICT, "they differ") : err_nomem();
}

static bool same_meta(const struct stat *a, const struct stat *b)
{
        return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid;
}

static bool same_times(const struct stat *a, const struct stat *b)
{
        return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int read_at(int fd, char *buffer, size_t size, off_t at)
{
        size_t have = 0;

        while (have < size) {
                ssize_t n = pread(fd, buffer + have, size - have, at + (off_t)have);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                have += (size_t)n;
        }
        return (int)have;
}

static err *same_content(int a_dir, const char *a_name, int have, const char *path, bool *ret)
{
        static char a_data[65536], b_data[65536];
        _cleanup_close_ int a = file_open_beneath(a_dir, a_name, O_RDONLY | O_NONBLOCK, 0);
        _cleanup_close_ int b = file_open_beneath(have, path, O_RDONLY | O_NONBLOCK, 0);

        *ret = false;
        if (a < 0)
                return err_sys(a, "reading /%s", path);
        if (b < 0)
                return b == -EIO ? NULL : err_sys(b, "reading /%s", path);
        for (off_t at = 0;; at += (off_t)sizeof(a_data)) {
                int n = read_at(a, a_data, sizeof(a_data), at), m = read_at(b, b_data, sizeof(b_data), at);

                if (n < 0)
                        return err_sys(n, "reading /%s", path);
                if (n != m || memcmp(a_data, b_data, (size_t)n) != 0)
                        return NULL;
                if (n < (int)sizeof(a_data))
                        break;
        }
        *ret = true;
        return NULL;
}

static err *same_link(int a_dir, const char *a_name, int fd, bool *ret)
{
        char a[4096], b[4096];
        ssize_t n = readlinkat(a_dir, a_name, a, sizeof(a)), m = readlinkat(fd, "", b, sizeof(b));

        *ret = n >= 0 && n == m && memcmp(a, b, (size_t)n) == 0;
        return NULL;
}

/* Both have the same names? */
static err *same_names(struct comparison *c, int a, int b, const char *path)
{
        _cleanup_strv_ char **in_a = NULL, **in_b = NULL;
        char **p, **q;

        TRY(tree_names(a, &in_a));
        TRY(tree_names(b, &in_b));
        for (p = in_a, q = in_b; *p && *q && strcmp(*p, *q) == 0; p++, q++)
                ;
        if (!*p && !*q)
                return NULL;
        if (*p && (!*q || strcmp(*p, *q) < 0))
                return differs(c, path, "something is missing in it");
        return differs(c, path, "something is in it that should not be");
}

static err *compare_dir(struct comparison *c, const struct tree_entry *e)
{
        _cleanup_close_ int a = file_open_beneath(e->dir_fd, e->name, O_RDONLY | O_DIRECTORY, 0);
        _cleanup_close_ int b = file_open_beneath(c->have, e->path, O_RDONLY | O_DIRECTORY, 0);

        if (a < 0 || b < 0)
                return err_sys(a < 0 ? a : b, "opening /%s", e->path);
        if (lowers_is_opaque(a, "") != lowers_is_opaque(b, ""))
                return differs(c, e->path, "whether it hides what is below");
        return same_names(c, a, b, e->path);
}

static err *visit(const struct tree_entry *e, void *arg)
{
        struct comparison *c = arg;
        _cleanup_close_ int fd = file_open_beneath(c->have, e->path, O_PATH | O_NOFOLLOW, 0);
        bool same = true;
        struct stat st;

        if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
                return differs(c, e->path, "it is missing");
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_sys(fd < 0 ? fd : errno, "looking at /%s", e->path);
        if ((st.st_mode & S_IFMT) != (e->st.st_mode & S_IFMT))
                return differs(c, e->path, "it is something else");
        if (!same_meta(&e->st, &st))
                return differs(c, e->path, "its owner or mode");
        if (!S_ISDIR(st.st_mode) && (st.st_size != e->st.st_size || st.st_rdev != e->st.st_rdev))
                return differs(c, e->path, "its size");
        if (!S_ISDIR(st.st_mode) && !lowers_is_whiteout(&st) && !same_times(&e->st, &st))
                return differs(c, e->path, "its time");
        TRY(tree_xattrs_same(e->dir_fd, e->name, c->have, e->path, &same));
        if (!same)
                return differs(c, e->path, "its extended attributes");
        if (S_ISDIR(st.st_mode))
                return compare_dir(c, e);
        if (S_ISREG(st.st_mode))
                TRY(same_content(e->dir_fd, e->name, c->have, e->path, &same));
        else if (S_ISLNK(st.st_mode))
                TRY(same_link(e->dir_fd, e->name, fd, &same));
        return same ? NULL : differs(c, e->path, "its content");
}

static err *compare_root(struct comparison *c, int want)
{
        struct stat a, b;
        bool same;

        if (fstat(want, &a) < 0 || fstat(c->have, &b) < 0)
                return err_sys(errno, "looking at a layer");
        if (!same_meta(&a, &b))
                return differs(c, "", "its owner or mode");
        TRY(tree_xattrs_same(want, ".", c->have, ".", &same));
        if (!same)
                return differs(c, "", "its extended attributes");
        return same_names(c, want, c->have, "");
}

err *check_trees(int want, int have, char **ret)
{
        struct comparison c = {.have = have};
        const struct tree_walk w = {.visit = visit, .arg = &c};
        err *e = compare_root(&c, want);

        if (!e)
                e = tree_walk(want, &w);
        if (c.difference)
                e = err_free(e);
        if (e)
                return e;
        *ret = c.difference;
        return NULL;
}
