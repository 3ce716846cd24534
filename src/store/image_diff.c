/* image_diff.c - what is different between two images, found in their layers. Where both see a directory through the
 * same layers there is nothing to look for, so images with a common beginning are compared in the time that the rest
 * takes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/diff.h"
#include "store/image_private.h"
#include "store/lowers.h"
#include "store/tree.h"

#define BLOCK (128u << 10)

/* One of the two images. */
struct side {
        struct lowers lowers;
        size_t *number; /* of each layer, topmost first: equal chain ids have equal numbers on both sides */
};

struct image_differ {
        struct side new, old;
        struct diff_list result;
        char *blocks; /* two of them */
};

/* What is visible under one name, or nothing. */
struct sight {
        struct stat st;
        int layer; /* -1: nothing is */
};

static void differ_done(struct image_differ *d)
{
        lowers_done(&d->new.lowers);
        lowers_done(&d->old.lowers);
        free(d->new.number);
        free(d->old.number);
        free(d->blocks);
        diff_list_done(&d->result);
}

static err *open_side(const struct image *i, size_t n_layers, struct side *ret)
{
        _cleanup_strv_ char **paths = NULL;

        for (size_t n = n_layers; n > 0; n--) {
                char *path = NULL;

                TRY(layer_path(i->store, i->layers[n - 1].chain, &path));
                TRY(strv_push(&paths, path));
        }
        TRY(lowers_open(paths, &ret->lowers));
        ret->number = MEM_NEW0(size_t, n_layers + 1);
        return ret->number ? NULL : err_nomem();
}

/* Chain ids name everything below, too, so equal ones are at the same height. */
static void number_layers(struct image_differ *d, const struct image *new, const struct image *old)
{
        size_t n = d->new.lowers.n, m = d->old.lowers.n;

        for (size_t height = 0; height < n; height++)
                d->new.number[n - 1 - height] = height;
        for (size_t height = 0; height < m; height++) {
                bool same = height < n && strcmp(new->layers[height].chain, old->layers[height].chain) == 0;

                d->old.number[m - 1 - height] = same ? height : n + height;
        }
}

static bool same_views(const struct image_differ *d, const struct lowers_view *new, const struct lowers_view *old)
{
        if (new->n != old->n)
                return false;
        for (size_t i = 0; i < new->n; i++)
                if (d->new.number[new->index[i]] != d->old.number[old->index[i]])
                        return false;
        return true;
}

static err *add(struct image_differ *d, enum diff_kind kind, const char *path)
{
        if (mem_grow(&d->result.items, d->result.n, sizeof(*d->result.items)) < 0)
                return err_nomem();
        d->result.items[d->result.n] = (struct diff_entry){.kind = kind, .path = str_format("/%s", path)};
        return d->result.items[d->result.n].path ? (d->result.n++, NULL) : err_nomem();
}

static err *read_block(int fd, char *buf, size_t *ret)
{
        ssize_t n;

        *ret = 0;
        do {
                n = read(fd, buf + *ret, BLOCK - *ret);
                if (n < 0 && errno != EINTR)
                        return err_sys(errno, "reading a layer");
                *ret += n > 0 ? (size_t)n : 0;
        } while (n != 0 && *ret < BLOCK);
        return NULL;
}

static err *same_content(struct image_differ *d, int a, int b, bool *ret)
{
        size_t n = 0, m = 0;

        if (!d->blocks)
                d->blocks = MEM_NEW0(char, 2 * BLOCK);
        if (!d->blocks)
                return err_nomem();
        do {
                TRY(read_block(a, d->blocks, &n));
                TRY(read_block(b, d->blocks + BLOCK, &m));
                if (n != m || memcmp(d->blocks, d->blocks + BLOCK, n) != 0) {
                        *ret = false;
                        return NULL;
                }
        } while (n);
        *ret = true;
        return NULL;
}

static err *same_link(int a, int b, const char *path, bool *ret)
{
        char x[4096], y[4096];
        ssize_t n = readlinkat(a, path, x, sizeof(x)), m = readlinkat(b, path, y, sizeof(y));

        if (n < 0 || m < 0)
                return err_sys(errno, "reading the link /%s", path);
        *ret = n == m && memcmp(x, y, (size_t)n) == 0;
        return NULL;
}

/* Two files that look the same: times say little where images are built to be reproducible. */
static err *same_data(struct image_differ *d, const char *path, const struct sight *new, const struct sight *old,
                      bool *ret)
{
        int new_layer = d->new.lowers.fds[new->layer], old_layer = d->old.lowers.fds[old->layer];
        _cleanup_close_ int a = -1, b = -1;

        *ret = true;
        if (S_ISLNK(new->st.st_mode))
                return same_link(new_layer, old_layer, path, ret);
        if (!S_ISREG(new->st.st_mode))
                return NULL;
        a = file_openat2(new_layer, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
        b = file_openat2(old_layer, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
        if (a < 0 || b < 0)
                return err_sys(a < 0 ? a : b, "opening /%s of a layer", path);
        return same_content(d, a, b, ret);
}

/* Owner, mode, attributes; of what is no directory also size, time and content. */
static err *same(struct image_differ *d, const char *path, const struct sight *new, const struct sight *old, bool *ret)
{
        const struct stat *a = &new->st, *b = &old->st;
        bool directory = S_ISDIR(a->st_mode);

        *ret = d->new.number[new->layer] == d->old.number[old->layer];
        if (*ret)
                return NULL;
        if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid || a->st_rdev != b->st_rdev)
                return NULL;
        if (!directory && (a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
                           a->st_mtim.tv_nsec != b->st_mtim.tv_nsec))
                return NULL;
        TRY(tree_xattrs_same(d->new.lowers.fds[new->layer], path, d->old.lowers.fds[old->layer], path, ret));
        return *ret && !directory ? same_data(d, path, new, old, ret) : NULL;
}

static err *compare_directory(struct image_differ *d, const char *path, const struct lowers_view *new,
                              const struct lowers_view *old);

/* Everything below a directory; @old_directory: the other image has one there, too. */
static err *descend(struct image_differ *d, const char *path, const struct lowers_view *new_dir,
                    const struct lowers_view *old_dir, bool old_directory)
{
        struct lowers_view new = {0}, old = {0};
        err *e = lowers_enter(&d->new.lowers, new_dir, path, &new);

        if (!e && old_directory)
                e = lowers_enter(&d->old.lowers, old_dir, path, &old);
        if (!e)
                e = compare_directory(d, path, &new, &old);
        lowers_view_done(&new);
        lowers_view_done(&old);
        return e;
}

static err *compare_name(struct image_differ *d, const char *path, const struct lowers_view *new_dir,
                         const struct lowers_view *old_dir)
{
        struct sight new = {.layer = -1}, old = {.layer = -1};
        size_t before = d->result.n;
        bool equal = false;

        if (new_dir->n)
                TRY(lowers_stat(&d->new.lowers, new_dir, path, &new.st, &new.layer));
        if (old_dir->n)
                TRY(lowers_stat(&d->old.lowers, old_dir, path, &old.st, &old.layer));
        if (new.layer < 0)
                return old.layer < 0 ? NULL : add(d, DIFF_DELETED, path);
        if (old.layer >= 0)
                TRY(same(d, path, &new, &old, &equal));
        if (S_ISDIR(new.st.st_mode))
                TRY(descend(d, path, new_dir, old_dir, old.layer >= 0 && S_ISDIR(old.st.st_mode)));
        /* A directory on the way to a change is changed. */
        if (equal && d->result.n == before)
                return NULL;
        return add(d, old.layer < 0 ? DIFF_ADDED : DIFF_CHANGED, path);
}

/* The names of both, each once. */
static err *merge_names(char *const *a, char *const *b, char ***ret)
{
        _cleanup_strv_ char **list = NULL;

        while ((a && *a) || (b && *b)) {
                int order = !a || !*a ? 1 : !b || !*b ? -1 : strcmp(*a, *b);

                TRY(strv_add(&list, order <= 0 ? *a : *b));
                a += order <= 0;
                b += order >= 0;
        }
        *ret = TAKE_PTR(list);
        return NULL;
}

static err *compare_directory(struct image_differ *d, const char *path, const struct lowers_view *new,
                              const struct lowers_view *old)
{
        _cleanup_strv_ char **new_names = NULL, **old_names = NULL, **names = NULL;

        if (same_views(d, new, old))
                return NULL;
        if (new->n)
                TRY(lowers_names(&d->new.lowers, new, path, &new_names));
        if (old->n)
                TRY(lowers_names(&d->old.lowers, old, path, &old_names));
        TRY(merge_names(new_names, old_names, &names));
        for (char **n = names; n && *n; n++) {
                _cleanup_free_ char *full = str_format("%s%s%s", path, *path ? "/" : "", *n);

                if (!full)
                        return err_nomem();
                TRY(compare_name(d, full, new, old));
        }
        return NULL;
}

err *image_diff(const struct image *new, const struct image *old, struct diff_list *ret)
{
        _cleanup_(differ_done) struct image_differ d = {0};
        struct lowers_view new_root = {0}, old_root = {0};
        err *e;

        TRY(open_side(new, new->n_layers, &d.new));
        if (old)
                TRY(open_side(old, old->n_layers, &d.old));
        else
                TRY(open_side(new, new->n_layers ? new->n_layers - 1 : 0, &d.old));
        number_layers(&d, new, old ? old : new);
        e = lowers_root(&d.new.lowers, &new_root);
        if (!e)
                e = lowers_root(&d.old.lowers, &old_root);
        if (!e)
                e = compare_directory(&d, "", &new_root, &old_root);
        lowers_view_done(&new_root);
        lowers_view_done(&old_root);
        TRY(e);
        diff_list_sort(&d.result);
        *ret = d.result;
        d.result = (struct diff_list){0};
        return NULL;
}
