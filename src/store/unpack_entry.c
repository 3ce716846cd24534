/* unpack_entry.c - one entry of an archive becomes one file, by descriptor.
 *
 * The process is already shut in; nevertheless every name is resolved with openat2(RESOLVE_IN_ROOT), final components
 * are never followed, and metadata is set on the descriptor or on the name just created. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/tree.h"
#include "store/unpack_private.h"

#define WHITEOUT ".wh."
#define WHITEOUT_META ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

err *unpack_list_flush(struct unpack_list *l)
{
        int r = file_write_all(l->fd, l->buffer, l->used);

        l->used = 0;
        return r < 0 ? err_sys(r, "writing a list") : NULL;
}

err *unpack_list_add(struct unpack_list *l, const void *data, size_t size)
{
        int r;

        if (l->used + size > sizeof(l->buffer))
                TRY(unpack_list_flush(l));
        if (size > sizeof(l->buffer)) {
                r = file_write_all(l->fd, data, size);
                return r < 0 ? err_sys(r, "writing a list") : NULL;
        }
        if (size)
                memcpy(l->buffer + l->used, data, size);
        l->used += size;
        return NULL;
}

static err *add_mark(struct unpacker *u, const char *path, const char *name, const void *value, size_t size)
{
        struct unpack_mark m = {(uint32_t)strlen(path) + 1, (uint32_t)strlen(name) + 1, (uint32_t)size};

        TRY(unpack_list_add(&u->marks, &m, sizeof(m)));
        TRY(unpack_list_add(&u->marks, path, m.path_size));
        TRY(unpack_list_add(&u->marks, name, m.name_size));
        return unpack_list_add(&u->marks, value, size);
}

static err *add_opaque(struct unpacker *u, const char *path)
{
        return add_mark(u, path, "trusted.overlay.opaque", "y", 1);
}

err *unpack_clean_name(const char *name, char out[UNPACK_PATH_MAX])
{
        const char *p = name;
        size_t n = 0;

        while (*p) {
                size_t part = strcspn(p, "/");

                if (part == 2 && p[0] == '.' && p[1] == '.') {
                        if (!n && *name != '/')
                                return err_new(ERR_UNSAFE_PATH, "%s: leaves the root of the archive", name);
                        while (n && out[n - 1] != '/')
                                n--;
                        if (n)
                                n--;
                } else if (part && !(part == 1 && *p == '.')) {
                        if (n + part + 2 > UNPACK_PATH_MAX)
                                return err_new(ERR_LIMIT, "a name of more than %d bytes", UNPACK_PATH_MAX - 1);
                        if (n)
                                out[n++] = '/';
                        memcpy(out + n, p, part);
                        n += part;
                }
                p += part;
                p += *p == '/';
        }
        out[n] = '\0';
        return NULL;
}

/* Cut a clean path: @dir gets what is before the last slash. Returns the last component. */
static const char *split(char path[UNPACK_PATH_MAX], char dir[UNPACK_PATH_MAX])
{
        char *slash = strrchr(path, '/');
        size_t n = slash ? (size_t)(slash - path) : 0;

        memcpy(dir, path, n);
        dir[n] = '\0';
        return slash ? slash + 1 : path;
}

static bool is_whiteout(const struct stat *st)
{
        return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* The files of a directory that is to go no longer count. */
static err *forget_tree(struct unpacker *u, int parent, const char *base)
{
        _cleanup_close_ int fd = file_open_beneath(parent, base, O_RDONLY | O_DIRECTORY, 0);
        uint64_t bytes = 0;

        if (fd < 0)
                return err_sys(fd, "replacing %s", base);
        TRY(tree_usage(fd, &bytes));
        u->result.bytes -= bytes < u->result.bytes ? bytes : u->result.bytes;
        return NULL;
}

/* Something has the name already: the later entry wins. *@ret_whiteout: it was a whiteout. */
static err *clear_way(struct unpacker *u, int parent, const char *base, bool *ret_whiteout)
{
        struct stat st;
        int r = 0;

        if (fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(errno, "replacing %s", base);
        *ret_whiteout = is_whiteout(&st);
        u->result.replaced = true;
        if (S_ISREG(st.st_mode) && st.st_nlink == 1)
                u->result.bytes -= (uint64_t)st.st_size;
        if (S_ISDIR(st.st_mode)) {
                TRY(forget_tree(u, parent, base));
                r = file_remove_tree(parent, base);
        } else if (unlinkat(parent, base, 0) < 0) {
                r = -errno;
        }
        if (r < 0)
                return err_sys(r, "replacing %s", base);
        /* Paths that went through it may mean something else now; the caller's descriptor is still good. */
        if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode))
                unpack_place_moved(u);
        return NULL;
}

/* Attributes whose failure means nothing: the file system or the kernel does not have them. */
static err *xattr_result(const struct tar_xattr *x, int errnum)
{
        if (errnum == 0 || errnum == ENOTSUP || errnum == EPERM)
                return NULL;
        return err_sys(errnum, "setting the extended attribute %s", x->name);
}

enum xattr_way { XATTR_SET, XATTR_MARK, XATTR_IGNORE };

static err *classify_xattr(const struct tar_xattr *x, enum xattr_way *ret)
{
        *ret = XATTR_SET;
        if (str_starts(x->name, "trusted.overlay.") || str_starts(x->name, "user.overlay."))
                return err_new(ERR_UNSAFE_PATH,
                               "the extended attribute %s is overlayfs' own and cannot come from an archive", x->name);
        if (str_starts(x->name, "trusted."))
                *ret = XATTR_MARK;
        else if (str_starts(x->name, "security.") && strcmp(x->name, "security.capability") != 0)
                *ret = XATTR_IGNORE; /* labels of the machine that made the archive */
        return NULL;
}

/* @fd: the file or directory; -1: set on the name @base in @parent without following it. */
static err *set_xattrs(struct unpacker *u, const struct tar_entry *entry, int fd, int parent, const char *base,
                       const char *path)
{
        for (size_t i = 0; i < entry->n_xattrs; i++) {
                const struct tar_xattr *x = &entry->xattrs[i];
                enum xattr_way way;
                int r = 0;

                TRY(classify_xattr(x, &way));
                if (way == XATTR_MARK)
                        TRY(add_mark(u, path, x->name, x->value, x->size));
                if (way != XATTR_SET)
                        continue;
                u->default_acl |= strcmp(x->name, UNPACK_DEFAULT_ACL) == 0;
                if (fd >= 0)
                        r = fsetxattr(fd, x->name, x->value, x->size, 0);
                else if (fchdir(parent) < 0 || lsetxattr(base, x->name, x->value, x->size, 0) < 0)
                        r = -1;
                TRY(xattr_result(x, r < 0 ? errno : 0));
        }
        return NULL;
}

/* Take away the ACLs that the directory has given it: it gets its own. @fd and others as for set_xattrs(). */
static err *drop_inherited(const struct unpacker *u, int fd, int parent, const char *base)
{
        static const char *const names[] = {"system.posix_acl_access", UNPACK_DEFAULT_ACL};

        for (size_t i = 0; u->default_acl && i < ARRAY_SIZE(names); i++) {
                int r = fd >= 0 ? fremovexattr(fd, names[i]) : fchdir(parent);

                if (r == 0 && fd < 0)
                        r = lremovexattr(base, names[i]);
                if (r < 0 && errno != ENODATA && errno != ENOTSUP)
                        return err_sys(errno, "removing the inherited attribute %s", names[i]);
        }
        return NULL;
}

static void entry_times(const struct tar_entry *entry, struct timespec ts[2])
{
        ts[0] = ts[1] = (struct timespec){.tv_sec = entry->mtime, .tv_nsec = entry->mtime_ns};
}

static err *write_content(struct unpacker *u, struct tar_reader *tar, const struct tar_entry *entry, int fd,
                          const char *path)
{
        bool leave_out = skeleton_wants(entry);
        uint64_t end = 0;

        if (u->skeleton && leave_out)
                TRY(skeleton_content(u->skeleton, path, entry->size));
        for (;;) {
                const void *data;
                uint64_t offset;
                size_t size;

                TRY(tar_read_data(tar, &data, &size, &offset));
                if (!size)
                        break;
                if (u->skeleton && !leave_out)
                        TRY(skeleton_raw(u->skeleton, data, size));
                for (size_t done = 0; done < size;) {
                        ssize_t n = pwrite(fd, (const char *)data + done, size - done, (off_t)(offset + done));

                        if (n < 0 && errno == EINTR)
                                continue;
                        if (n <= 0)
                                return err_sys(n < 0 ? errno : EIO, "writing");
                        done += (size_t)n;
                }
                end = offset + size;
        }
        if (end < entry->size && ftruncate(fd, (off_t)entry->size) < 0)
                return err_sys(errno, "setting the length to %llu", (unsigned long long)entry->size);
        u->result.bytes += entry->size;
        return NULL;
}

static err *make_file(struct unpacker *u, struct tar_reader *tar, const struct tar_entry *entry, int parent,
                      const char *base, const char *path)
{
        _cleanup_close_ int fd = -1;
        bool whiteout, plain = !u->default_acl && !(entry->mode & ~0777u);
        struct timespec ts[2];

        while ((fd = openat(parent, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                            plain ? entry->mode : 0600)) < 0) {
                if (errno != EEXIST)
                        return err_sys(errno, "creating it");
                TRY(clear_way(u, parent, base, &whiteout));
        }
        TRY(write_content(u, tar, entry, fd, path));
        if (!unpack_place_is_root(u, entry) && fchown(fd, entry->uid, entry->gid) < 0)
                return err_sys(errno, "setting its owner to %u:%u", entry->uid, entry->gid);
        TRY(drop_inherited(u, fd, -1, NULL));
        if (!plain && fchmod(fd, entry->mode) < 0)
                return err_sys(errno, "setting its mode");
        TRY(set_xattrs(u, entry, fd, -1, NULL, path));
        entry_times(entry, ts);
        if (futimens(fd, ts) < 0)
                return err_sys(errno, "setting its times");
        return NULL;
}

/* Owner, mode (not of symlinks) and attributes of the name @base, which exists and is not a regular file. */
static err *set_metadata(struct unpacker *u, const struct tar_entry *entry, int parent, const char *base,
                         const char *path)
{
        if (fchownat(parent, base, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(errno, "setting its owner to %u:%u", entry->uid, entry->gid);
        TRY(drop_inherited(u, -1, parent, base));
        if (entry->type != TAR_SYMLINK && fchmodat(parent, base, entry->mode, 0) < 0)
                return err_sys(errno, "setting its mode");
        return set_xattrs(u, entry, -1, parent, base, path);
}

static err *add_time(struct unpacker *u, const struct tar_entry *entry, const char *path)
{
        struct unpack_time t = {entry->mtime, entry->mtime_ns, (uint32_t)strlen(path) + 1};

        TRY(unpack_list_add(&u->times, &t, sizeof(t)));
        return unpack_list_add(&u->times, path, t.path_size);
}

static err *make_dir(struct unpacker *u, const struct tar_entry *entry, int parent, const char *base, const char *path)
{
        bool whiteout = false, plain = !u->default_acl && !entry->n_xattrs && !(entry->mode & ~0777u), there = false;
        struct stat st;

        while (mkdirat(parent, base, plain ? entry->mode : 0700) < 0) {
                if (errno != EEXIST)
                        return err_sys(errno, "creating it");
                plain = false;
                there = fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
                if (there)
                        break;
                TRY(clear_way(u, parent, base, &whiteout));
        }
        /* Removed and made again in one layer: what lower layers have there stays hidden. */
        if (whiteout)
                TRY(add_opaque(u, path));
        plain = plain && unpack_place_is_root(u, entry);
        if (!plain)
                TRY(set_metadata(u, entry, parent, base, path));
        if (there) {
                u->times_left = true;  /* it may have got its earlier time already */
                unpack_place_moved(u); /* it may be open, by another name, and has a new mode */
        } else {
                unpack_place_made(u, base, entry, plain);
        }
        return add_time(u, entry, path);
}

static err *make_symlink(struct unpacker *u, const struct tar_entry *entry, int parent, const char *base,
                         const char *path)
{
        struct timespec ts[2];
        bool whiteout;

        if (!*entry->linkname)
                return err_new(ERR_CORRUPT, "a symbolic link to nothing");
        while (symlinkat(entry->linkname, parent, base) < 0) {
                if (errno != EEXIST)
                        return err_sys(errno, "creating the symbolic link");
                TRY(clear_way(u, parent, base, &whiteout));
        }
        if (!unpack_place_is_root(u, entry) || entry->n_xattrs || u->default_acl)
                TRY(set_metadata(u, entry, parent, base, path));
        entry_times(entry, ts);
        if (utimensat(parent, base, ts, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(errno, "setting its times");
        return NULL;
}

static err *make_node(struct unpacker *u, const struct tar_entry *entry, int parent, const char *base, const char *path)
{
        mode_t type = entry->type == TAR_CHAR ? S_IFCHR : entry->type == TAR_BLOCK ? S_IFBLK : S_IFIFO;
        dev_t dev = entry->type == TAR_FIFO ? 0 : makedev(entry->dev_major, entry->dev_minor);
        struct timespec ts[2];
        bool whiteout;

        while (mknodat(parent, base, type | 0600, dev) < 0) {
                if (errno != EEXIST)
                        return err_sys(errno, "creating the node");
                TRY(clear_way(u, parent, base, &whiteout));
        }
        TRY(set_metadata(u, entry, parent, base, path));
        entry_times(entry, ts);
        if (utimensat(parent, base, ts, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(errno, "setting its times");
        return NULL;
}

/* A second name for something earlier in the archive; the target's final component is not followed. */
static err *make_hardlink(struct unpacker *u, const struct tar_entry *entry, int parent, const char *base,
                          const char *path)
{
        _cleanup_close_ int opened = -1;
        char target[UNPACK_PATH_MAX], dir[UNPACK_PATH_MAX];
        const char *target_base;
        struct stat st;
        bool whiteout;
        int from = u->root;

        TRY(unpack_clean_name(entry->linkname, target));
        if (!*target || strcmp(target, path) == 0)
                return err_new(ERR_CORRUPT, "a hard link to %s", *target ? "itself" : "the root");
        target_base = split(target, dir);
        if (*dir) {
                from = opened = file_open_in(u->root, dir, O_PATH | O_DIRECTORY, 0);
                if (from < 0)
                        return err_new(ERR_CORRUPT, "a hard link to %s, which is not in the archive", entry->linkname);
        }
        if (fstatat(from, target_base, &st, AT_SYMLINK_NOFOLLOW) < 0 || is_whiteout(&st))
                return err_new(ERR_CORRUPT, "a hard link to %s, which is not in the archive", entry->linkname);
        if (S_ISDIR(st.st_mode))
                return err_new(ERR_CORRUPT, "a hard link to %s, which is a directory", entry->linkname);
        while (linkat(from, target_base, parent, base, 0) < 0) {
                struct stat old;

                if (errno != EEXIST)
                        return err_sys(errno, "making a hard link to %s", entry->linkname);
                if (fstatat(parent, base, &old, AT_SYMLINK_NOFOLLOW) == 0 && old.st_ino == st.st_ino &&
                    old.st_dev == st.st_dev)
                        return NULL; /* the same link twice */
                TRY(clear_way(u, parent, base, &whiteout));
        }
        return NULL;
}

/* ".wh.x" hides x of the layers below. Something of this layer with that name is not affected, but a directory then
 * shows nothing from below. */
static err *make_whiteout(struct unpacker *u, int parent, const char *base, const char *dir)
{
        const char *hidden = base + sizeof(WHITEOUT) - 1;
        char path[UNPACK_PATH_MAX + 2];
        struct stat st;

        if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
                return err_new(ERR_UNSAFE_PATH, "a whiteout of nothing");
        if (mknodat(parent, hidden, S_IFCHR, makedev(0, 0)) == 0)
                return NULL;
        if (errno != EEXIST)
                return err_sys(errno, "making a whiteout");
        if (fstatat(parent, hidden, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
                return NULL;
        (void)snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", hidden);
        return add_opaque(u, path);
}

/* The entry for the root directory itself. */
static err *set_root(struct unpacker *u, const struct tar_entry *entry)
{
        if (entry->type != TAR_DIR)
                return err_new(ERR_UNSAFE_PATH, "%s: the root can only be a directory", entry->name);
        if (fchown(u->root, entry->uid, entry->gid) < 0 || fchmod(u->root, entry->mode) < 0)
                return err_sys(errno, "setting owner and mode of the root");
        TRY(set_xattrs(u, entry, u->root, -1, NULL, ""));
        unpack_place_moved(u); /* it may be open, by another name */
        u->result.root = true;
        return add_time(u, entry, "");
}

static err *make(struct unpacker *u, struct tar_reader *tar, const struct tar_entry *entry, int parent,
                 const char *base, const char *path)
{
        switch (entry->type) {
        case TAR_FILE:
                return make_file(u, tar, entry, parent, base, path);
        case TAR_DIR:
                return make_dir(u, entry, parent, base, path);
        case TAR_SYMLINK:
                return make_symlink(u, entry, parent, base, path);
        case TAR_HARDLINK:
                return make_hardlink(u, entry, parent, base, path);
        case TAR_CHAR:
        case TAR_BLOCK:
        case TAR_FIFO:
                return make_node(u, entry, parent, base, path);
        }
        return err_new(ERR_INTERNAL, "unknown type of entry");
}

/* A directory on the way whose name is a whiteout's: no sane archive has one, and commit could not write it back. */
static bool has_reserved_dir(const char *dir)
{
        return str_starts(dir, WHITEOUT) || strstr(dir, "/" WHITEOUT);
}

static err *place(struct unpacker *u, struct tar_reader *tar, const struct tar_entry *entry)
{
        char path[UNPACK_PATH_MAX] _uninitialized_, dir[UNPACK_PATH_MAX] _uninitialized_;
        const char *base;
        int parent = -1;

        TRY(unpack_clean_name(entry->name, path));
        if (!*path)
                return set_root(u, entry);
        base = split(path, dir);
        if (str_starts(base, WHITEOUT_META) && strcmp(base, WHITEOUT_OPAQUE) != 0)
                return NULL; /* bookkeeping of AUFS */
        if (str_starts(dir, WHITEOUT_META) || strstr(dir, "/" WHITEOUT_META))
                return NULL;
        if (has_reserved_dir(dir))
                return err_new(ERR_UNSAFE_PATH, "a name below a whiteout");
        TRY(unpack_place_open(u, dir, &parent));
        if (strcmp(base, WHITEOUT_OPAQUE) == 0)
                return add_opaque(u, dir);
        if (str_starts(base, WHITEOUT))
                return make_whiteout(u, parent, base, dir);
        return make(u, tar, entry, parent, base, path);
}

err *unpack_entry(struct unpacker *u, struct tar_reader *tar, const struct tar_entry *entry)
{
        /* entry->name is gone after the data has been read, hence the copy for the message. */
        char name[256];
        size_t n = strnlen(entry->name, sizeof(name) - 1);
        err *e;

        memcpy(name, entry->name, n);
        name[n] = '\0';
        e = place(u, tar, entry);
        if (e && err_code(e) != ERR_UNSAFE_PATH)
                return err_wrap(e, "unpacking %s", name);
        return e ? err_wrap(e, "unsafe archive: %s", name) : NULL;
}
