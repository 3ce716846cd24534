/* child_mask.c - what of /proc and /sys is hidden or write-protected. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "runtime/child/child.h"
#include "sys/device.h"

static bool missing(int r)
{
        return r == -ENOENT || r == -ENOTDIR;
}

/* The mask of files: a null device by descriptor, verified to be one, so that what an image or a volume has put at
 * /dev/null can never be bound over a secret (CVE-2025-31133). */
static int open_null(struct child *c)
{
        int fd;

        if (c->dev >= 0) {
                fd = file_openat2(c->dev, "null", O_PATH | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
                if (fd >= 0 && device_is_null(fd)) {
                        c->null = fd;
                        return 0;
                }
                (void)file_close(fd);
        }
        /* No /dev of ours: the host's, which is still there, since nothing has been pivoted yet. */
        fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (!device_is_null(fd)) {
                (void)file_close(fd);
                return -ENODEV;
        }
        c->null = fd;
        return 0;
}

static int mask_file(struct child *c, int target)
{
        _cleanup_close_ int tree = -1;

        if (c->null < 0) {
                int r = open_null(c);

                if (r < 0)
                        return r;
        }
        tree = mountfd_clone(c->null, "", 0);
        return tree < 0 ? tree : mountfd_attach(tree, target);
}

/* All directories share one empty file system: the first use makes it, the others clone it. */
static int mask_dir(int target, int *empty)
{
        static const struct mount_param params[] = {{"nr_inodes", "1"}, {"size", "4k"}};
        static const struct mount_fs fs = {
                .type = "tmpfs",
                .source = "tmpfs",
                .params = params,
                .n_params = 2,
                .sb_flags = MS_RDONLY,
                .attrs = MOUNT_ATTR_RDONLY,
        };
        _cleanup_close_ int tree = -1;

        if (*empty < 0) {
                *empty = mountfd_new(&fs, -1, NULL, 0);
                return *empty < 0 ? *empty : mountfd_attach(*empty, target);
        }
        tree = mountfd_clone(*empty, "", 0);
        return tree < 0 ? tree : mountfd_attach(tree, target);
}

static bool is_repeated(char *const *list, size_t i)
{
        for (size_t k = 0; k < i; k++)
                if (strcmp(list[k], list[i]) == 0)
                        return true;
        return false;
}

static int mask(struct child *c, const char *path, int *empty)
{
        _cleanup_close_ int target = child_path_open(c->root, path, O_PATH, 0);
        struct stat st;

        if (target < 0)
                return missing(target) ? 0 : target;
        if (fstat(target, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) ? mask_dir(target, empty) : mask_file(c, target);
}

static int write_protect(struct child *c, const char *path)
{
        _cleanup_close_ int target = child_path_open(c->root, path, O_PATH, 0), tree = -1;
        int r;

        if (target < 0)
                return missing(target) ? 0 : target;
        tree = mountfd_clone(target, "", AT_RECURSIVE);
        if (tree < 0)
                return tree;
        r = mountfd_set(tree, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0);
        return r < 0 ? r : mountfd_attach(tree, target);
}

int child_masks(struct child *c)
{
        struct trace_span span = trace_begin(TRACE_CHILD_MASK);
        _cleanup_close_ int empty = -1;
        int r;

        for (size_t i = 0; c->p->readonly && c->p->readonly[i]; i++) {
                r = is_repeated(c->p->readonly, i) ? 0 : write_protect(c, c->p->readonly[i]);
                if (r < 0)
                        return child_fail(c, PLAN_STEP_READONLY, r, c->p->readonly[i]);
        }
        for (size_t i = 0; c->p->masked && c->p->masked[i]; i++) {
                r = is_repeated(c->p->masked, i) ? 0 : mask(c, c->p->masked[i], &empty);
                if (r < 0)
                        return child_fail(c, PLAN_STEP_MASK, r, c->p->masked[i]);
        }
        trace_end(&span, 0, NULL);
        return 0;
}
