/* diff.c - what a container changed, see diff.h. */
#include "store/diff.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/inodes.h"
#include "store/lowers.h"
#include "store/tree.h"

/* A directory on the way. */
struct level {
        struct lowers_view view;
        size_t path_len;
        bool listed; /* is in the result already */
};

struct differ {
        struct lowers lowers;
        bool compare;         /* the tree is a full copy: what equals the image is no change */
        bool wh_names;        /* .wh. files in the tree are deletions */
        struct inodes linked; /* compare: what is changed and has more names */
        struct level *levels;
        size_t n;
        struct diff_list result;
        err *(*each)(void *arg, const struct diff_entry *e, const struct tree_entry *at); /* told instead of listed */
        void *arg;
};

void diff_list_done(struct diff_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i].path);
        free(l->items);
        *l = (struct diff_list){0};
}

static void differ_done(struct differ *d)
{
        while (d->n)
                lowers_view_done(&d->levels[--d->n].view);
        free(d->levels);
        lowers_done(&d->lowers);
        inodes_done(&d->linked);
        diff_list_done(&d->result);
}

/* @at: where the walk has met it, or NULL. */
static err *append(struct differ *d, const struct diff_entry *entry, const char *path, size_t len,
                   const struct tree_entry *at)
{
        struct diff_entry *e;

        if (d->each) {
                struct diff_entry told = *entry;
                char full[PATH_MAX + 2] _uninitialized_;

                *full = '/';
                memcpy(full + 1, path, len);
                full[len + 1] = '\0';
                told.path = full;
                return d->each(d->arg, &told, at); // cppcheck-suppress returnDanglingLifetime
        }
        if (mem_grow(&d->result.items, d->result.n, sizeof(*d->result.items)) < 0)
                return err_nomem();
        e = &d->result.items[d->result.n];
        *e = *entry;
        e->path = str_format("/%.*s", (int)len, path);
        if (!e->path)
                return err_nomem();
        d->result.n++;
        return NULL;
}

/* Directories on the way to a change are changed. */
static err *list_parents(struct differ *d, const char *path)
{
        for (size_t i = 1; i < d->n; i++) {
                struct level *l = &d->levels[i];

                if (l->listed)
                        continue;
                l->listed = true;
                TRY(append(d, &(struct diff_entry){.kind = DIFF_CHANGED}, path, l->path_len, NULL));
        }
        return NULL;
}

static err *add(struct differ *d, struct diff_entry entry, const char *path, const struct tree_entry *at)
{
        TRY(list_parents(d, path));
        return append(d, &entry, path, strlen(path), at);
}

static bool same_meta(const struct stat *a, const struct stat *b)
{
        return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
               a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
        return same_meta(a, b) && a->st_size == b->st_size && a->st_rdev == b->st_rdev;
}

/* Extended attributes change no time that a layer keeps. What vanishes meanwhile is a change. */
static err *same_xattrs(const struct differ *d, const struct tree_entry *e, int layer, bool *ret)
{
        err *error = tree_xattrs_same(e->dir_fd, e->name, d->lowers.fds[layer], e->path, ret);

        if (err_errno(error) != ENOENT)
                return error;
        *ret = false;
        return err_free(error);
}

/* What the image has in the directory and the container's tree has not. */
static err *list_missing(struct differ *d, int dir_fd, const char *path, const struct lowers_view *view,
                         bool under_opaque)
{
        _cleanup_strv_ char **names = NULL;

        if (!view->n)
                return NULL;
        TRY(lowers_names(&d->lowers, view, path, &names));
        for (char **n = names; *n; n++) {
                _cleanup_free_ char *full = NULL;

                if (file_exists(dir_fd, *n))
                        continue;
                full = str_format("%s%s%s", path, *path ? "/" : "", *n);
                if (!full)
                        return err_nomem();
                TRY(add(d, (struct diff_entry){.kind = DIFF_DELETED, .under_opaque = under_opaque}, full, NULL));
        }
        return NULL;
}

static err *enter(struct differ *d, const struct tree_entry *e, bool listed, bool opaque)
{
        struct lowers_view view;
        _cleanup_close_ int fd = -1;

        if (mem_grow(&d->levels, d->n, sizeof(*d->levels)) < 0)
                return err_nomem();
        TRY(lowers_enter(&d->lowers, &d->levels[d->n - 1].view, e->path, &view));
        d->levels[d->n++] = (struct level){.view = view, .path_len = strlen(e->path), .listed = listed};
        if (!opaque && !d->compare)
                return NULL;
        fd = openat(e->dir_fd, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? NULL : err_sys(errno, "opening /%s", e->path);
        return list_missing(d, fd, e->path, &view, !d->compare);
}

static bool is_opaque(const struct differ *d, const struct tree_entry *e)
{
        _cleanup_free_ char *mark = NULL;

        if (lowers_is_opaque(e->dir_fd, e->name))
                return true;
        mark = d->wh_names ? str_format("%s/.wh..wh..opq", e->name) : NULL;
        return mark && file_exists(e->dir_fd, mark);
}

/* ".wh.name": a deletion, unless it is a mark of its directory. */
static err *visit_wh(struct differ *d, const struct tree_entry *e)
{
        _cleanup_free_ char *victim = NULL;
        struct stat lower;
        int layer;

        if (str_starts(e->name, ".wh..wh."))
                return NULL;
        victim = str_format("%.*s%s", (int)(e->name - e->path), e->path, e->name + strlen(".wh."));
        if (!victim)
                return err_nomem();
        TRY(lowers_stat(&d->lowers, &d->levels[d->n - 1].view, victim, &lower, &layer));
        return layer >= 0 ? add(d, (struct diff_entry){.kind = DIFF_DELETED}, victim, NULL) : NULL;
}

static err *visit_dir(struct differ *d, const struct tree_entry *e, const struct stat *lower, int layer)
{
        bool exists = layer >= 0, merged = exists && S_ISDIR(lower->st_mode);
        bool opaque = merged && !d->compare && is_opaque(d, e);
        bool listed = !merged || opaque || !same_meta(&e->st, lower), same = true;

        if (!listed && !e->mount_point)
                TRY(same_xattrs(d, e, layer, &same));
        listed |= !same;
        if (listed)
                TRY(add(d, (struct diff_entry){.kind = exists ? DIFF_CHANGED : DIFF_ADDED, .opaque = opaque}, e->path,
                        e));
        return e->mount_point ? NULL : enter(d, e, listed, opaque);
}

static err *visit(const struct tree_entry *e, void *arg)
{
        struct differ *d = arg;
        struct stat lower;
        bool exists, same = false;
        const char *first;
        int layer;

        if (d->wh_names && str_starts(e->name, ".wh."))
                return visit_wh(d, e);
        TRY(lowers_stat(&d->lowers, &d->levels[d->n - 1].view, e->path, &lower, &layer));
        exists = layer >= 0;
        if (S_ISDIR(e->st.st_mode))
                return visit_dir(d, e, &lower, layer);
        if (!d->compare && lowers_is_whiteout(&e->st))
                return exists ? add(d, (struct diff_entry){.kind = DIFF_DELETED}, e->path, NULL) : NULL;
        if (exists && d->compare && same_file(&e->st, &lower))
                TRY(same_xattrs(d, e, layer, &same));
        if (same)
                return NULL;
        if (d->compare && e->st.st_nlink > 1)
                TRY(inodes_seen(&d->linked, &e->st, "", &first));
        return add(d, (struct diff_entry){.kind = exists ? DIFF_CHANGED : DIFF_ADDED}, e->path, e);
}

static err *leave(const struct tree_entry *e, void *arg)
{
        struct differ *d = arg;

        (void)e;
        lowers_view_done(&d->levels[--d->n].view);
        return NULL;
}

/* '/' sorts before everything, so that a directory's content follows it directly. */
static int compare_entries(const void *a, const void *b)
{
        const unsigned char *p = (const unsigned char *)((const struct diff_entry *)a)->path;
        const unsigned char *q = (const unsigned char *)((const struct diff_entry *)b)->path;

        while (*p && *p == *q) {
                p++;
                q++;
        }
        if (*p == *q)
                return 0;
        if (!*p || !*q)
                return *p ? 1 : -1;
        if (*p == '/' || *q == '/')
                return *p == '/' ? -1 : 1;
        return *p < *q ? -1 : 1;
}

void diff_list_sort(struct diff_list *l)
{
        if (l->n)
                qsort(l->items, l->n, sizeof(*l->items), compare_entries);
}

struct names {
        struct differ *d;
        size_t n; /* of d->result that are sorted */
};

static err *visit_name(const struct tree_entry *e, void *arg)
{
        const struct names *names = arg;
        struct differ *d = names->d;
        struct diff_entry key = {0};
        _cleanup_free_ char *path = NULL;

        if (S_ISDIR(e->st.st_mode) || e->st.st_nlink < 2 || !inodes_has(&d->linked, &e->st))
                return NULL;
        key.path = path = str_format("/%s", e->path);
        if (!path)
                return err_nomem();
        if (bsearch(&key, d->result.items, names->n, sizeof(key), compare_entries))
                return NULL;
        return append(d, &(struct diff_entry){.kind = DIFF_CHANGED, .name_only = true}, e->path, strlen(e->path), NULL);
}

/* A full copy shares inodes with nothing: a new name for an old file is one change, and its other names look as before.
 * In a layer they must all be there, or the new name would be a file of its own. */
static err *add_names(struct differ *d, int fd)
{
        struct names names = {.d = d, .n = d->result.n};
        const struct tree_walk w = {.visit = visit_name, .arg = &names};

        if (!d->linked.n)
                return NULL;
        TRY(tree_walk(fd, &w));
        diff_list_sort(&d->result);
        return NULL;
}

static err *find_changes(struct differ *d, const struct snapshot *snap)
{
        const struct tree_walk w = {.visit = visit, .leave = leave, .arg = d, .open_files = d->each};
        const char *top = snap->upper ? snap->upper : snap->lower[0];
        _cleanup_close_ int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0)
                return err_sys(errno, "opening %s", top);
        TRY(lowers_open(snap->upper ? snap->lower : snap->image, &d->lowers));
        if (mem_grow(&d->levels, 0, sizeof(*d->levels)) < 0)
                return err_nomem();
        d->levels[0] = (struct level){.listed = true};
        d->n = 1;
        TRY(lowers_root(&d->lowers, &d->levels[0].view));
        if (d->compare)
                TRY(list_missing(d, fd, "", &d->levels[0].view, false));
        TRY(tree_walk(fd, &w));
        diff_list_sort(&d->result);
        return add_names(d, fd);
}

err *diff_changes(const struct snapshot *snap, struct diff_list *ret)
{
        _cleanup_(differ_done) struct differ d = {.compare = snap->upper == NULL, .wh_names = snap->wh_names};

        TRY(find_changes(&d, snap));
        *ret = d.result;
        d.result = (struct diff_list){0};
        return NULL;
}

err *diff_each(const struct snapshot *snap,
               err *(*each)(void *arg, const struct diff_entry *e, const struct tree_entry *at), void *arg)
{
        _cleanup_(differ_done) struct differ d = {.compare = snap->upper == NULL, .wh_names = snap->wh_names};
        /* The walk meets the changes in their order, unless deletions stand under other names, or nowhere. (What an
         * opaque directory hides comes early, too, but is in no archive.) */
        bool ordered = !d.compare && !d.wh_names;

        if (ordered) {
                d.each = each;
                d.arg = arg;
        }
        TRY(find_changes(&d, snap));
        for (size_t i = 0; i < d.result.n; i++)
                TRY(each(arg, &d.result.items[i], NULL));
        return NULL;
}
