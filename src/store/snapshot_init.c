/* snapshot_init.c - the small layer between image and container: mount points that the image lacks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/layer.h"
#include "store/lowers.h"
#include "store/snapshot_private.h"
#include "store/tree.h"
#include "store/txn.h"

/* docker's list; parents come first. */
static const struct place {
        const char *path;
        mode_t type;
        const char *target;
} places[] = {
        {".dockerenv", S_IFREG, NULL},      {"dev", S_IFDIR, NULL},       {"dev/console", S_IFREG, NULL},
        {"dev/pts", S_IFDIR, NULL},         {"dev/shm", S_IFDIR, NULL},   {"etc", S_IFDIR, NULL},
        {"etc/hostname", S_IFREG, NULL},    {"etc/hosts", S_IFREG, NULL}, {"etc/mtab", S_IFLNK, "/proc/mounts"},
        {"etc/resolv.conf", S_IFREG, NULL}, {"proc", S_IFDIR, NULL},      {"sys", S_IFDIR, NULL},
};

#define PLACE_MODE 0755

/* Owner, mode, attributes and times of the image's directory @path (layer number @layer) for ours. */
static err *mirror_dir(const struct lowers *l, int layer, const char *path, int to)
{
        _cleanup_close_ int from =
                openat(l->fds[layer], *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        _cleanup_close_ int fd = openat(to, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        struct tree_xattrs x = {0};
        struct stat st;
        err *e;

        if (from < 0 || fd < 0 || fstat(from, &st) < 0)
                return err_sys(errno, "opening /%s of the image", path);
        if (fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 07777) < 0)
                return err_sys(errno, "setting the mode of /%s", path);
        e = tree_xattrs_read(from, &x);
        for (size_t i = 0; !e && i < x.n; i++)
                if (fsetxattr(fd, x.items[i].name, x.items[i].value, x.items[i].size, 0) < 0 && errno != ENOTSUP)
                        e = err_sys(errno, "setting attributes of /%s", path);
        tree_xattrs_done(&x);
        if (!e && futimens(fd, (const struct timespec[2]){st.st_atim, st.st_mtim}) < 0)
                e = err_sys(errno, "setting the times of /%s", path);
        return e;
}

static err *make_place(const struct place *p, int to)
{
        int r = 0, fd;

        if (p->type == S_IFDIR) {
                r = mkdirat(to, p->path, PLACE_MODE);
        } else if (p->type == S_IFLNK) {
                return symlinkat(p->target, to, p->path) < 0 ? err_sys(errno, "making /%s", p->path) : NULL;
        } else {
                fd = openat(to, p->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, PLACE_MODE);
                r = fd < 0 ? -1 : 0;
                (void)file_close(fd);
        }
        if (r < 0 || fchmodat(to, p->path, PLACE_MODE, 0) < 0)
                return err_sys(errno, "making /%s", p->path);
        return NULL;
}

static const char *parent_of(const char *path, char buf[64])
{
        const char *slash = strrchr(path, '/');

        (void)snprintf(buf, 64, "%.*s", slash ? (int)(slash - path) : 0, path);
        return buf;
}

/* What the image has under the same name stays as it is; below something that is no directory there is no place. */
static err *fill(const struct lowers *l, int to)
{
        bool skip[ARRAY_SIZE(places)] = {false};
        int mirrored[ARRAY_SIZE(places)];

        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
                const struct place *p = &places[i];
                struct stat st;
                char parent[64];
                int layer;

                mirrored[i] = -1;
                (void)parent_of(p->path, parent);
                for (size_t k = 0; *parent && k < i; k++)
                        if (strcmp(places[k].path, parent) == 0)
                                skip[i] = skip[k];
                if (skip[i])
                        continue;
                TRY(lowers_find(l, p->path, &st, &layer));
                if (layer >= 0 && p->type == S_IFDIR && S_ISDIR(st.st_mode)) {
                        /* Only a place for what is below it; its own look is the image's. */
                        if (mkdirat(to, p->path, 0700) < 0)
                                return err_sys(errno, "making /%s", p->path);
                        mirrored[i] = layer;
                } else if (layer >= 0) {
                        skip[i] = true;
                } else {
                        TRY(make_place(p, to));
                }
        }
        for (size_t i = ARRAY_SIZE(places); i > 0; i--)
                if (mirrored[i - 1] >= 0)
                        TRY(mirror_dir(l, mirrored[i - 1], places[i - 1].path, to));
        return mirror_dir(l, 0, "", to);
}

static err *build(struct store *s, const char *path, char *const *lower)
{
        _cleanup_staging_ struct staging st = {0};
        _cleanup_lowers_ struct lowers l = {0};
        _cleanup_close_ int fd = -1;

        TRY(lowers_open(lower, &l));
        TRY(staging_begin(s, &st));
        if (mkdirat(st.fd, "init", 0755) < 0)
                return err_sys(errno, "making a directory");
        fd = file_open_beneath(st.fd, "init", O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0)
                return err_sys(fd, "opening a directory");
        TRY(fill(&l, fd));
        if (renameat2(st.fd, "init", AT_FDCWD, path, RENAME_NOREPLACE) < 0 && errno != EEXIST)
                return err_sys(errno, "making %s", path);
        return NULL;
}

err *snapshot_init_layer(struct store *s, const char *top_chain, char *const *lower, char **ret_path)
{
        _cleanup_free_ char *path = str_format("%s/layers/%s/init", s->root, top_chain + sizeof("sha256:") - 1);

        if (!path)
                return err_nomem();
        if (access(path, F_OK) < 0)
                TRY_WRAP(build(s, path, lower), "making the mount points of the image");
        *ret_path = TAKE_PTR(path);
        return NULL;
}
