/* partial.c - see partial.h. */
#include "store/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/digest.h"
#include "oci/image.h"
#include "store/tree.h"
#include "store/txn.h"

#define DIR_NAME "partial"
#define PATH_SIZE (sizeof(DIR_NAME) + SHA256_HEX + 1)

static err *partial_path(const char *digest, char path[PATH_SIZE])
{
        if (!oci_image_digest_valid(digest))
                return err_new(ERR_CORRUPT, "'%s' is not a digest", digest ? digest : "");
        (void)snprintf(path, PATH_SIZE, DIR_NAME "/%s", digest + sizeof(DIGEST_PREFIX) - 1);
        return NULL;
}

static int open_partial(struct store *s, const char *path)
{
        int fd = file_open_beneath(s->root_fd, path, O_RDWR | O_CREAT, 0600);

        if (fd == -ENOENT && (mkdirat(s->root_fd, DIR_NAME, 0700) == 0 || errno == EEXIST))
                fd = file_open_beneath(s->root_fd, path, O_RDWR | O_CREAT, 0600);
        return fd;
}

/* Is @fd still what has the name? Between opening and locking it may have been published or removed. */
static bool is_current(struct store *s, const char *path, int fd)
{
        struct stat a, b;

        return fstat(fd, &a) == 0 && fstatat(s->root_fd, path, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino &&
               a.st_dev == b.st_dev;
}

err *partial_try(struct store *s, const char *digest, int *ret_fd)
{
        char path[PATH_SIZE];

        TRY(partial_path(digest, path));
        for (;;) {
                _cleanup_close_ int fd = open_partial(s, path);

                if (fd < 0)
                        return err_sys(fd, "opening %s/%s", s->root, path);
                if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                        if (errno != EWOULDBLOCK)
                                return err_sys(errno, "locking %s/%s", s->root, path);
                        *ret_fd = -1;
                        return NULL;
                }
                if (is_current(s, path, fd)) {
                        *ret_fd = TAKE_FD(fd);
                        return NULL;
                }
        }
}

err *partial_publish(struct store *s, const char *digest)
{
        char path[PATH_SIZE], to[DIGEST_TEXT + 16];

        TRY(partial_path(digest, path));
        (void)snprintf(to, sizeof(to), "blobs/sha256/%s", digest + sizeof(DIGEST_PREFIX) - 1);
        if (renameat2(s->root_fd, path, s->root_fd, to, RENAME_NOREPLACE) == 0)
                return NULL;
        if (errno != EEXIST)
                return err_sys(errno, "publishing %s/%s", s->root, to);
        partial_drop(s, digest);
        return NULL;
}

void partial_drop(struct store *s, const char *digest)
{
        char path[PATH_SIZE];
        err *e = partial_path(digest, path);

        if (!e && unlinkat(s->root_fd, path, 0) < 0 && errno != ENOENT)
                log_debug("removing %s/%s: %s", s->root, path, strerror(errno));
        err_free(e);
}

static err *collect(int dir, const char *name, int64_t age_s, uint64_t *ret_bytes)
{
        _cleanup_close_ int fd = file_open_beneath(dir, name, O_RDONLY | O_NONBLOCK, 0);
        struct stat st, there;
        struct timespec now;

        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 ||
            fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != there.st_ino)
                return NULL; /* gone, or in use */
        (void)clock_gettime(CLOCK_REALTIME, &now);
        /* One from the future is old, too: the clock was wrong once. */
        if (id_valid(name) && age_s > 0 && st.st_mtim.tv_sec > now.tv_sec - age_s && st.st_mtim.tv_sec <= now.tv_sec)
                return NULL;
        if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
                return err_sys(errno, "removing " DIR_NAME "/%s", name);
        if (ret_bytes)
                *ret_bytes += (uint64_t)st.st_blocks * 512;
        return NULL;
}

err *partial_gc(struct store *s, int64_t age_s, uint64_t *ret_bytes)
{
        _cleanup_close_ int dir = file_open_beneath(s->root_fd, DIR_NAME, O_RDONLY | O_DIRECTORY, 0);
        _cleanup_strv_ char **names = NULL;

        if (dir == -ENOENT)
                return NULL;
        if (dir < 0)
                return err_sys(dir, "opening %s/" DIR_NAME, s->root);
        TRY(tree_names(dir, &names));
        for (char **n = names; *n; n++)
                TRY(collect(dir, *n, age_s, ret_bytes));
        return NULL;
}
