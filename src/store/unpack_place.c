/* unpack_place.c - the directories that an archive's entries are in.
 *
 * Entries mostly come directory by directory, the way a tree is walked. So the way to the last one stays open, and the
 * next one is looked for from there, by a single name that is not followed. What is not reached like that is resolved
 * from the root. A directory that is left gets its time then; when entries come in another order, all get it at the
 * end. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/unpack_private.h"

static bool is_same(const struct unpacker *u, size_t len, const char *dir)
{
        return strncmp(u->place, dir, len) == 0 && dir[len] == '\0';
}

static bool is_above(const struct unpacker *u, size_t len, const char *dir)
{
        return strncmp(u->place, dir, len) == 0 && dir[len] == '/';
}

/* Where the directory that is open last is in; its name there comes behind @ret_skip bytes of its path. */
static int above(const struct unpacker *u, size_t *ret_skip)
{
        const struct unpack_level *up = u->n_levels > 1 ? &u->levels[u->n_levels - 2] : NULL;

        *ret_skip = up ? up->len + 1 : 0;
        return up ? up->fd : u->root;
}

static err *set_time(int fd, const char *name, const struct timespec *mtime)
{
        const struct timespec ts[2] = {*mtime, *mtime};

        return utimensat(fd, name, ts, AT_SYMLINK_NOFOLLOW) < 0 ? err_sys(errno, "setting the times of %s", name)
                                                                : NULL;
}

/* Close the directory that is open last; nothing more is made in it. */
static err *pop(struct unpacker *u)
{
        struct unpack_level *l = &u->levels[u->n_levels - 1];
        err *e = NULL;

        if (l->timed) {
                size_t skip;
                int fd = above(u, &skip);

                u->place[l->len] = '\0';
                e = set_time(fd, u->place + skip, &l->mtime);
        }
        l->fd = file_close(l->fd);
        u->n_levels--;
        return e;
}

/* Close all: they may not be what their paths mean any more. Times are set at the end. */
static void drop_levels(struct unpacker *u)
{
        u->times_left |= u->made || u->n_levels;
        while (u->n_levels) {
                u->n_levels--;
                u->levels[u->n_levels].fd = file_close(u->levels[u->n_levels].fd);
        }
        u->made = u->moved = u->top.known = false;
}

/* The directory @dir, open as @fd, is the last one now. */
static struct unpack_level *push(struct unpacker *u, const char *dir, int fd)
{
        struct unpack_level *l;

        if (u->n_levels == ARRAY_SIZE(u->levels))
                drop_levels(u);
        l = &u->levels[u->n_levels++];
        *l = (struct unpack_level){.fd = fd, .len = strlen(dir)};
        memcpy(u->place, dir, l->len + 1);
        return l;
}

/* The directory that was made last is @dir; or nothing comes into it. */
static err *settle_made(struct unpacker *u, const char *dir, bool *ret_entered)
{
        struct unpack_level *top = u->n_levels ? &u->levels[u->n_levels - 1] : NULL;
        const char *name = u->made_name;
        size_t len = top ? top->len : 0;

        *ret_entered = false;
        if (!u->made)
                return NULL;
        u->made = false;
        if (top ? is_above(u, len, dir) && strcmp(dir + len + 1, name) == 0 : strcmp(dir, name) == 0) {
                *ret_entered = true;
                return NULL;
        }
        return set_time(top ? top->fd : u->root, name, &u->made_time);
}

void unpack_place_made(struct unpacker *u, const char *name, const struct tar_entry *entry, bool root)
{
        if (strlen(name) >= sizeof(u->made_name)) {
                u->times_left = true;
                return;
        }
        u->made = true;
        u->made_root = root;
        u->made_time = (struct timespec){.tv_sec = entry->mtime, .tv_nsec = entry->mtime_ns};
        memcpy(u->made_name, name, strlen(name) + 1);
}

void unpack_place_moved(struct unpacker *u)
{
        u->moved = true;
}

bool unpack_place_is_root(struct unpacker *u, const struct tar_entry *entry)
{
        struct unpack_level *l = u->n_levels ? &u->levels[u->n_levels - 1] : &u->top;
        struct stat st;

        if (entry->uid || entry->gid)
                return false;
        if (!l->known) {
                if (fstat(u->n_levels ? l->fd : u->root, &st) < 0)
                        return false;
                l->known = true;
                l->root = st.st_gid == 0 && !(st.st_mode & S_ISGID);
        }
        return l->root;
}

/* The directories of @dir that are missing. Links on the way count as in the finished tree: an absolute one begins at
 * its root. */
static int make_parents(const struct unpacker *u, const char *dir)
{
        char path[UNPACK_PATH_MAX];
        int r = 0;

        for (const char *end = dir; r == 0 && *end;) {
                _cleanup_close_ int above = -1, there = -1;
                const char *name = path;
                char *slash;

                end = strchrnul(end + (*end == '/'), '/');
                memcpy(path, dir, (size_t)(end - dir));
                path[end - dir] = '\0';
                there = file_open_in(u->root, path, O_PATH | O_DIRECTORY, 0);
                if (there != -ENOENT) {
                        r = there < 0 ? there : 0;
                        continue;
                }
                slash = strrchr(path, '/');
                if (slash) {
                        *slash = '\0';
                        name = slash + 1;
                        above = file_open_in(u->root, path, O_PATH | O_DIRECTORY, 0);
                        if (above < 0)
                                return above;
                }
                r = mkdirat(slash ? above : u->root, name, UNPACK_IMPLIED_MODE) < 0 ? -errno : 0;
        }
        return r;
}

/* @dir, from the root: it may lead through links, or be missing. */
static err *open_from_root(const struct unpacker *u, const char *dir, int *ret)
{
        int r = file_open_in(u->root, dir, O_PATH | O_DIRECTORY, 0);

        if (r == -ENOENT) {
                r = make_parents(u, dir);
                if (r == 0)
                        r = file_open_in(u->root, dir, O_PATH | O_DIRECTORY, 0);
        }
        if (r == -ENOTDIR || r == -EEXIST)
                return err_new(ERR_CORRUPT, "%s: is not a directory but has entries below it", dir);
        if (r == -ELOOP)
                return err_new(ERR_UNSAFE_PATH, "%s: too many symbolic links", dir);
        if (r < 0)
                return err_sys(r, "opening %s", dir);
        *ret = r;
        return NULL;
}

/* Go up to the deepest open directory that @dir is or is below of. */
static err *go_up(struct unpacker *u, const char *dir)
{
        while (u->n_levels) {
                size_t len = u->levels[u->n_levels - 1].len;

                if (is_same(u, len, dir) || is_above(u, len, dir))
                        break;
                TRY(pop(u));
        }
        return NULL;
}

/* @dir is below the one that is open last. */
static err *go_down(struct unpacker *u, const char *dir, bool entered)
{
        const struct unpack_level *top = u->n_levels ? &u->levels[u->n_levels - 1] : NULL;
        const char *name = dir + (top ? top->len + 1 : 0);
        struct unpack_level *l;
        int fd = -ELOOP;

        if (!strchr(name, '/'))
                fd = file_open_beneath(top ? top->fd : u->root, name, O_PATH | O_DIRECTORY, 0);
        if (fd < 0) {
                entered = false;
                TRY(open_from_root(u, dir, &fd));
        }
        l = push(u, dir, fd);
        if (!entered) {
                u->times_left = true;
                return NULL;
        }
        l->timed = u->n_levels > 1 || !top;
        l->mtime = u->made_time;
        l->known = l->root = u->made_root;
        return NULL;
}

err *unpack_place_open(struct unpacker *u, const char *dir, int *ret)
{
        bool entered;

        if (u->moved)
                drop_levels(u);
        TRY(settle_made(u, dir, &entered));
        TRY(go_up(u, dir));
        if (*dir && !(u->n_levels && u->levels[u->n_levels - 1].len == strlen(dir)))
                TRY(go_down(u, dir, entered));
        if (!*dir)
                u->top.known = false; /* others may be that one by another name */
        *ret = u->n_levels ? u->levels[u->n_levels - 1].fd : u->root;
        return NULL;
}

/* Nothing more comes. */
static err *leave_all(struct unpacker *u)
{
        bool entered;

        if (u->moved)
                drop_levels(u);
        TRY(settle_made(u, "", &entered));
        return go_up(u, "");
}

static err *set_directory_time(struct unpacker *u, const char *path, const struct timespec ts[2])
{
        _cleanup_close_ int opened = -1;

        if (*path && !u->times_left)
                return NULL;
        /* Nothing was replaced: what has the name is the directory. */
        if (!u->result.replaced && *path && utimensat(u->root, path, ts, AT_SYMLINK_NOFOLLOW) == 0)
                return NULL;
        opened = *path ? file_open_beneath(u->root, path, O_RDONLY | O_DIRECTORY, 0) : -1;
        if (*path && opened < 0) /* replaced by a later entry, or reached through a link: not worth more */
                return NULL;
        if (futimens(*path ? opened : u->root, ts) < 0)
                return err_sys(errno, "setting the times of %s", path);
        return NULL;
}

err *unpack_directory_times(struct unpacker *u)
{
        unsigned char buffer[65536];
        size_t have = 0, used = 0;
        ssize_t n;

        TRY(leave_all(u));
        if (lseek(u->times.fd, 0, SEEK_SET) < 0)
                return err_sys(errno, "reading a list");
        for (;;) {
                struct unpack_time t;
                struct timespec ts[2];
                const char *path;

                if (have - used < sizeof(t) + UNPACK_PATH_MAX) {
                        memmove(buffer, buffer + used, have - used);
                        have -= used;
                        used = 0;
                        n = read(u->times.fd, buffer + have, sizeof(buffer) - have);
                        if (n < 0)
                                return err_sys(errno, "reading a list");
                        have += (size_t)n;
                        if (!have)
                                return NULL;
                }
                memcpy(&t, buffer + used, sizeof(t));
                path = (const char *)buffer + used + sizeof(t);
                used += sizeof(t) + t.path_size;
                ts[0] = ts[1] = (struct timespec){.tv_sec = t.mtime, .tv_nsec = t.mtime_ns};
                TRY(set_directory_time(u, path, ts));
        }
}
