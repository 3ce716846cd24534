/* blob.c - see blob.h. */
#include "store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "codec/digest.h"
#include "oci/image.h"
#include "store/tree.h"
#include "store/txn.h"

static bool blob_path(const char *digest, char path[DIGEST_TEXT + 16])
{
        if (!oci_image_digest_valid(digest))
                return false;
        (void)snprintf(path, DIGEST_TEXT + 16, "blobs/sha256/%s", digest + sizeof(DIGEST_PREFIX) - 1);
        return true;
}

err *blob_open(struct store *s, const char *digest, int *ret_fd, uint64_t *ret_size)
{
        _cleanup_close_ int fd = -1;
        char path[DIGEST_TEXT + 16];
        struct stat st;

        if (!blob_path(digest, path))
                return err_new(ERR_CORRUPT, "'%s' is not a digest", digest ? digest : "");
        fd = file_open_beneath(s->root_fd, path, O_RDONLY | O_NONBLOCK, 0);
        if (fd == -ENOENT)
                return err_new(ERR_NOT_FOUND, "blob %s is missing from %s", digest, s->root);
        if (fd < 0)
                return err_sys(fd, "opening %s/%s", s->root, path);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return err_new(ERR_CORRUPT, "%s/%s is not a file", s->root, path);
        *ret_fd = TAKE_FD(fd);
        if (ret_size)
                *ret_size = (uint64_t)st.st_size;
        return NULL;
}

bool blob_exists(struct store *s, const char *digest)
{
        char path[DIGEST_TEXT + 16];

        return blob_path(digest, path) && file_exists(s->root_fd, path);
}

err *blob_read(struct store *s, const char *digest, size_t max, char **ret, size_t *ret_size)
{
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;
        struct digest got;
        uint64_t size;
        size_t n;
        int r;

        TRY(blob_open(s, digest, &fd, &size));
        if (size > max)
                return err_new(ERR_LIMIT, "blob %s is larger than %zu bytes", digest, max);
        r = file_read_fd(fd, max, &text, &n);
        if (r < 0)
                return err_sys(r, "reading blob %s", digest);
        digest_of(text, n, &got);
        if (strcmp(got.text, digest) != 0)
                return err_new(ERR_CORRUPT, "blob %s is damaged: its content is %s", digest, got.text);
        *ret = TAKE_PTR(text);
        if (ret_size)
                *ret_size = n;
        return NULL;
}

static err *add_sizes(struct store *s, const char *dir, uint64_t *count, uint64_t *bytes)
{
        _cleanup_close_ int fd = file_open_beneath(s->root_fd, dir, O_RDONLY | O_DIRECTORY, 0);
        _cleanup_strv_ char **names = NULL;
        struct stat st;

        if (fd == -ENOENT)
                return NULL;
        if (fd < 0)
                return err_sys(fd, "opening %s/%s", s->root, dir);
        TRY(tree_names(fd, &names));
        for (char **n = names; *n; n++) {
                if (fstatat(fd, *n, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue; /* gone meanwhile */
                (*count)++;
                *bytes += (uint64_t)st.st_size;
        }
        return NULL;
}

err *blob_usage(struct store *s, struct blob_usage *ret)
{
        struct blob_usage u = {0};
        uint64_t partials = 0;

        TRY(add_sizes(s, "blobs/sha256", &u.count, &u.bytes));
        TRY(add_sizes(s, "partial", &partials, &u.partial));
        *ret = u;
        return NULL;
}
