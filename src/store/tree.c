/* tree.c - see tree.h. */
#include "store/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

#define XATTR_LIST_LIMIT 65536

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

err *tree_names(int dir_fd, char ***ret)
{
        _cleanup_strv_ char **names = NULL;
        int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        size_t n = 0, room = 0;
        struct dirent *d;
        int r;

        if (!dir) {
                r = errno;
                (void)file_close(copy);
                return err_sys(r, "reading a directory");
        }
        while ((errno = 0, d = readdir(dir))) {
                if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                        continue;
                if (n + 1 >= room) {
                        char **bigger = reallocarray(names, room ? room * 2 : 32, sizeof(*names));

                        if (!bigger)
                                break;
                        names = bigger;
                        room = room ? room * 2 : 32;
                }
                names[n] = str_dup(d->d_name);
                if (!names[n])
                        break;
                names[++n] = NULL;
        }
        r = errno;
        (void)closedir(dir);
        if (d)
                return err_nomem();
        if (r)
                return err_sys(r, "reading a directory");
        if (!names)
                names = MEM_NEW0(char *, 1);
        if (!names)
                return err_nomem();
        qsort(names, n, sizeof(*names), compare_names);
        *ret = TAKE_PTR(names);
        return NULL;
}

/* Names in a directory, in one piece of memory, each behind its DT_ type; the list is sorted and ends with NULL. */
struct listing {
        char *text;
        size_t used, room;
        char **names;
};

static void listing_done(struct listing *l)
{
        free(l->text);
        free(l->names);
        *l = (struct listing){0};
}

static err *add_name(struct listing *l, unsigned char type, const char *name)
{
        size_t n = strlen(name) + 2;

        if (l->used + n > l->room) {
                size_t room = (l->room + n) * 2;
                char *text = realloc(l->text, room);

                if (!text)
                        return err_nomem();
                l->text = text;
                l->room = room;
        }
        l->text[l->used] = (char)type;
        memcpy(l->text + l->used + 1, name, n - 1);
        l->used += n;
        return NULL;
}

/* @fd has just been opened, and is read by nobody else. */
static err *list_directory(int fd, struct listing *l)
{
        _Alignas(struct dirent64) char buffer[32768] _uninitialized_;
        size_t n = 0, i = 0;
        ssize_t got;

        while ((got = getdents64(fd, buffer, sizeof(buffer))) > 0)
                for (ssize_t at = 0; at < got;) {
                        const struct dirent64 *d = (const struct dirent64 *)(buffer + at);

                        at += d->d_reclen;
                        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                                continue;
                        TRY(add_name(l, d->d_type, d->d_name));
                        n++;
                }
        if (got < 0 && errno != ENOENT) /* removed: empty */
                return err_sys(errno, "reading a directory");
        l->names = MEM_NEW0(char *, n + 1);
        if (!l->names)
                return err_nomem();
        for (char *name = l->text + 1; i < n; name += strlen(name) + 2)
                l->names[i++] = name;
        if (n)
                qsort(l->names, n, sizeof(*l->names), compare_names);
        return NULL;
}

/* A directory that is being walked. */
struct level {
        struct listing list;
        size_t next;
        size_t path_len; /* of the path of the directory itself */
        int fd;          /* -1: too deep to keep one; it is found again from below */
        struct stat st;
};
#define OPEN_LEVELS 32

struct walker {
        const struct tree_walk *walk;
        struct level *levels;
        size_t n;
        int fd; /* the directory of the last level, borrowed from there */
        char path[PATH_MAX];
};

static void level_done(struct level *l)
{
        listing_done(&l->list);
        l->fd = file_close(l->fd);
}

static void walker_done(struct walker *w)
{
        while (w->n)
                level_done(&w->levels[--w->n]);
        free(w->levels);
}

static err *push(struct walker *w, int fd, const struct stat *st)
{
        struct level *l;

        if (mem_grow(&w->levels, w->n, sizeof(*w->levels)) < 0) {
                (void)file_close(fd);
                return err_nomem();
        }
        if (w->n > OPEN_LEVELS)
                w->levels[w->n - 1].fd = file_close(w->levels[w->n - 1].fd);
        l = &w->levels[w->n++];
        *l = (struct level){.path_len = strlen(w->path), .st = *st, .fd = fd};
        w->fd = fd;
        return list_directory(fd, &l->list);
}

/* Back to the parent. If it was closed: it must be the directory we came from; somebody may have moved ours. */
static err *pop(struct walker *w)
{
        struct level *left = &w->levels[w->n - 1], *l = left - 1;
        struct stat st;

        if (w->n > 1 && l->fd < 0) {
                l->fd = openat(w->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (l->fd < 0)
                        return err_sys(errno, "going up from /%s", w->path);
                if (fstat(l->fd, &st) < 0 || st.st_ino != l->st.st_ino || st.st_dev != l->st.st_dev)
                        return err_new(ERR_BUSY, "/%s was moved while it was being read", w->path);
        }
        level_done(left);
        w->n--;
        if (!w->n)
                return NULL;
        w->fd = l->fd;
        w->path[l->path_len] = '\0';
        return NULL;
}

static err *leave(struct walker *w)
{
        struct tree_entry e = {.path = w->path, .name = "", .dir_fd = w->fd, .fd = w->fd, .st = w->levels[w->n - 1].st};

        if (w->walk->leave)
                TRY(w->walk->leave(&e, w->walk->arg));
        return pop(w);
}

/* A file that is wanted open. -ENOTSUP: look at it as at everything else. */
static int open_file(const struct walker *w, const char *name, struct stat *st)
{
        _cleanup_close_ int fd = -1;

        if (!w->walk->open_files || name[-1] != DT_REG)
                return -ENOTSUP;
        fd = file_openat2(w->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0,
                          RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        if (fd < 0 || fstat(fd, st) < 0 || !S_ISREG(st->st_mode))
                return -ENOTSUP;
        return TAKE_FD(fd);
}

/* @st: what is opened, looked at; may be NULL. */
static int open_directory(const struct walker *w, const char *name, struct stat *st)
{
        _cleanup_close_ int fd = file_openat2(w->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
                                              RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        int r = fd;

        if (fd >= 0 && st && fstat(fd, st) < 0)
                return -errno;
        return fd < 0 ? r : TAKE_FD(fd);
}

static err *visit_open(struct walker *w, struct tree_entry *e, int fd, size_t dir_len)
{
        _cleanup_close_ int owned = fd;

        e->fd = owned;
        TRY(w->walk->visit(e, w->walk->arg));
        w->path[dir_len] = '\0';
        return NULL;
}

static err *visit(struct walker *w, const char *name)
{
        size_t dir_len = w->levels[w->n - 1].path_len, n = strlen(name), len = dir_len + (dir_len ? 1 : 0) + n;
        struct tree_entry e = {.path = w->path, .dir_fd = w->fd, .fd = -1};
        int fd = -1;

        if (len >= sizeof(w->path))
                return err_new(ERR_LIMIT, "/%.100s...: a path of more than %d bytes", w->path, PATH_MAX - 1);
        if (dir_len)
                w->path[dir_len] = '/';
        memcpy(w->path + len - n, name, n + 1);
        e.name = w->path + len - n;
        fd = open_file(w, name, &e.st);
        if (fd >= 0)
                return visit_open(w, &e, fd, dir_len);
        fd = name[-1] == DT_DIR ? open_directory(w, name, &e.st) : -1;
        if (fd < 0 && fstatat(w->fd, name, &e.st, AT_SYMLINK_NOFOLLOW) < 0) {
                if (errno != ENOENT)
                        return err_sys(errno, "looking at /%s", w->path);
                w->path[dir_len] = '\0';
                return NULL;
        }
        if (S_ISDIR(e.st.st_mode)) {
                if (fd < 0)
                        fd = open_directory(w, name, NULL);
                e.mount_point = fd == -EXDEV;
                e.fd = fd < 0 ? -1 : fd;
                if (fd < 0 && !e.mount_point) {
                        w->path[dir_len] = '\0';
                        return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP
                                       ? NULL
                                       : err_sys(fd, "opening /%s/%s", w->path, name);
                }
        }
        {
                err *error = w->walk->visit(&e, w->walk->arg);

                if (error) {
                        (void)file_close(fd);
                        return error;
                }
        }
        if (fd >= 0)
                return push(w, fd, &e.st);
        w->path[dir_len] = '\0';
        return NULL;
}

err *tree_walk(int top_fd, const struct tree_walk *walk)
{
        _cleanup_(walker_done) struct walker w = {.walk = walk, .fd = -1};
        struct stat st;
        int fd = openat(top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || fstat(fd, &st) < 0) {
                err *e = err_sys(errno, "opening a directory");

                (void)file_close(fd);
                return e;
        }
        TRY(push(&w, fd, &st));
        while (w.n) {
                struct level *l = &w.levels[w.n - 1];
                const char *name = l->list.names[l->next];

                if (name) {
                        l->next++;
                        TRY(visit(&w, name));
                } else {
                        TRY(leave(&w));
                }
        }
        return NULL;
}

void tree_xattrs_done(struct tree_xattrs *x)
{
        for (size_t i = 0; i < x->n; i++) {
                free(x->items[i].name);
                free(x->items[i].value);
        }
        free(x->items);
        *x = (struct tree_xattrs){0};
}

static bool xattr_wanted(const char *name)
{
        if (str_starts(name, "trusted.overlay.") || str_starts(name, "user.overlay.") ||
            str_starts(name, "user.fuseoverlayfs."))
                return false;
        return !str_starts(name, "security.") || strcmp(name, "security.capability") == 0;
}

static int compare_xattrs(const void *a, const void *b)
{
        return strcmp(((const struct tree_xattr *)a)->name, ((const struct tree_xattr *)b)->name);
}

/* An open file, or by its link in /proc: that does for an O_PATH descriptor, also of a symlink, and nothing is followed
 * further. */
struct subject {
        int fd;
        char link[40]; /* "": by fd */
};

static ssize_t list_names(struct subject *s, char *list, size_t size)
{
        ssize_t n = *s->link ? -1 : flistxattr(s->fd, list, size);

        if (n >= 0 || (!*s->link && errno != EBADF))
                return n;
        (void)snprintf(s->link, sizeof(s->link), "/proc/self/fd/%d", s->fd);
        return listxattr(s->link, list, size);
}

static ssize_t get_value(const struct subject *s, const char *name, void *value, size_t size)
{
        return *s->link ? getxattr(s->link, name, value, size) : fgetxattr(s->fd, name, value, size);
}

static err *read_xattr(const struct subject *s, const char *name, struct tree_xattrs *x)
{
        _cleanup_free_ void *value = NULL;
        ssize_t n = get_value(s, name, NULL, 0);
        struct tree_xattr *item;

        if (n > 0) {
                value = malloc((size_t)n);
                if (!value)
                        return err_nomem();
                n = get_value(s, name, value, (size_t)n);
        }
        if (n < 0) /* gone, or changed this instant */
                return errno == ENODATA || errno == ERANGE || errno == ENOTSUP ? NULL
                                                                               : err_sys(errno, "reading %s", name);
        if (mem_grow(&x->items, x->n, sizeof(*x->items)) < 0)
                return err_nomem();
        item = &x->items[x->n];
        *item = (struct tree_xattr){.name = str_dup(name), .size = (size_t)n};
        if (!item->name)
                return err_nomem();
        item->value = TAKE_PTR(value);
        x->n++;
        return NULL;
}

err *tree_xattrs_read(int fd, struct tree_xattrs *ret)
{
        struct tree_xattrs x = {0};
        struct subject subject = {.fd = fd};
        _cleanup_free_ char *big = NULL;
        char list[256] _uninitialized_, *names = list; /* the kernel takes as much memory for it */
        ssize_t size = list_names(&subject, list, sizeof(list));
        err *e = NULL;

        if (size < 0 && errno == ERANGE) {
                names = big = malloc(XATTR_LIST_LIMIT);
                if (!big)
                        return err_nomem();
                size = list_names(&subject, big, XATTR_LIST_LIMIT);
        }
        if (size < 0)
                return errno == ENOTSUP || errno == ENOSYS ? NULL : err_sys(errno, "reading extended attributes");
        for (char *name = names; !e && name < names + size; name += strlen(name) + 1)
                if (xattr_wanted(name))
                        e = read_xattr(&subject, name, &x);
        if (e) {
                tree_xattrs_done(&x);
                return e;
        }
        if (x.n)
                qsort(x.items, x.n, sizeof(*x.items), compare_xattrs);
        *ret = x;
        return NULL;
}
