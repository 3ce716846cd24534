/* lowers.c - see lowers.h. */
#include "store/lowers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/tree.h"

void lowers_done(struct lowers *l)
{
        for (size_t i = 0; i < l->n; i++)
                (void)file_close(l->fds[i]);
        free(l->fds);
        *l = (struct lowers){0};
}

err *lowers_open(char *const *paths, struct lowers *ret)
{
        _cleanup_lowers_ struct lowers l = {.fds = MEM_NEW0(int, strv_len(paths) + 1)};

        if (!l.fds)
                return err_nomem();
        for (char *const *p = paths; p && *p; p++) {
                l.fds[l.n] = open(*p, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (l.fds[l.n] < 0)
                        return err_sys(errno, "opening layer %s", *p);
                l.n++;
        }
        *ret = l;
        l = (struct lowers){0};
        return NULL;
}

bool lowers_is_whiteout(const struct stat *st)
{
        return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

bool lowers_is_opaque(int fd, const char *path)
{
        _cleanup_close_ int dir = openat(fd, *path ? path : ".", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        char link[64], value[2];

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
        return dir >= 0 && getxattr(link, "trusted.overlay.opaque", value, sizeof(value)) == 1 && *value == 'y';
}

void lowers_view_done(struct lowers_view *v)
{
        free(v->index);
        *v = (struct lowers_view){0};
}

static err *new_view(const struct lowers *l, struct lowers_view *ret)
{
        *ret = (struct lowers_view){.index = MEM_NEW0(unsigned short, l->n + 1)};
        return ret->index ? NULL : err_nomem();
}

err *lowers_root(const struct lowers *l, struct lowers_view *ret)
{
        TRY(new_view(l, ret));
        for (; ret->n < l->n; ret->n++)
                ret->index[ret->n] = (unsigned short)ret->n;
        return NULL;
}

/* 1 there, 0 not there, or -errno. */
static int look(int fd, const char *path, struct stat *st)
{
        if (fstatat(fd, path, st, AT_SYMLINK_NOFOLLOW) == 0)
                return 1;
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

err *lowers_enter(const struct lowers *l, const struct lowers_view *parent, const char *path, struct lowers_view *ret)
{
        struct lowers_view v;

        TRY(new_view(l, &v));
        for (size_t i = 0; i < parent->n; i++) {
                int fd = l->fds[parent->index[i]];
                struct stat st;
                int r = look(fd, path, &st);

                if (r < 0) {
                        lowers_view_done(&v);
                        return err_sys(r, "looking at %s in a layer", path);
                }
                if (r == 0)
                        continue;
                if (!S_ISDIR(st.st_mode))
                        break;
                v.index[v.n++] = parent->index[i];
                if (lowers_is_opaque(fd, path))
                        break;
        }
        *ret = v;
        return NULL;
}

err *lowers_stat(const struct lowers *l, const struct lowers_view *dir, const char *path, struct stat *ret,
                 int *ret_layer)
{
        *ret_layer = -1;
        for (size_t i = 0; i < dir->n; i++) {
                int r = look(l->fds[dir->index[i]], path, ret);

                if (r < 0)
                        return err_sys(r, "looking at %s in a layer", path);
                if (r == 0)
                        continue;
                if (!lowers_is_whiteout(ret))
                        *ret_layer = dir->index[i];
                return NULL;
        }
        return NULL;
}

err *lowers_find(const struct lowers *l, const char *path, struct stat *ret, int *ret_layer)
{
        _cleanup_(lowers_view_done) struct lowers_view view = {0};
        _cleanup_free_ char *part = str_dup(path);

        if (!part)
                return err_nomem();
        *ret_layer = -1;
        TRY(lowers_root(l, &view));
        for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
                struct lowers_view next;

                *slash = '\0';
                TRY(lowers_enter(l, &view, part, &next));
                lowers_view_done(&view);
                view = next;
                *slash = '/';
        }
        return lowers_stat(l, &view, path, ret, ret_layer);
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static err *add_names(const struct lowers *l, int fd, const char *path, char ***all)
{
        _cleanup_close_ int dir = openat(fd, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        _cleanup_strv_ char **names = NULL;

        (void)l;
        if (dir < 0)
                return err_sys(errno, "opening %s in a layer", path);
        TRY(tree_names(dir, &names));
        for (char **n = names; *n; n++)
                TRY(strv_add(all, *n));
        return NULL;
}

err *lowers_names(const struct lowers *l, const struct lowers_view *v, const char *path, char ***ret)
{
        _cleanup_strv_ char **all = MEM_NEW0(char *, 1);
        size_t n, kept = 0;

        if (!all)
                return err_nomem();
        for (size_t i = 0; i < v->n; i++)
                TRY(add_names(l, l->fds[v->index[i]], path, &all));
        n = strv_len(all);
        qsort(all, n, sizeof(*all), compare_names);
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *name = TAKE_PTR(all[i]), *full = NULL;
                struct stat st;
                int layer;

                if (kept && strcmp(all[kept - 1], name) == 0)
                        continue;
                full = str_format("%s%s%s", path, *path ? "/" : "", name);
                if (!full)
                        return err_nomem();
                TRY(lowers_stat(l, v, full, &st, &layer));
                if (layer >= 0)
                        all[kept++] = TAKE_PTR(name);
        }
        *ret = TAKE_PTR(all);
        return NULL;
}
