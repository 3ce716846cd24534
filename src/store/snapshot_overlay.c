/* snapshot_overlay.c - the overlay driver: an empty directory above the image, nothing is copied. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/layer.h"
#include "store/snapshot_private.h"
#include "store/tree.h"
#include "store/txn.h"

err *snapshot_make_upper(int fd, const char *upper, const char *work, char *const *lower)
{
        _cleanup_close_ int image = open(lower[0], O_PATH | O_DIRECTORY | O_CLOEXEC), made = -1;
        struct stat root;

        if (image < 0 || fstat(image, &root) < 0)
                return err_sys(errno, "looking at %s", lower[0]);
        if (mkdirat(fd, upper, 0755) < 0 || mkdirat(fd, work, 0700) < 0)
                return err_sys(errno, "making the writable layer");
        /* The upper directory's mode and owner are those of the container's "/". The umask may have taken bits. */
        if (fchmodat(fd, upper, root.st_mode & 07777, 0) < 0)
                return err_sys(errno, "setting the mode of the writable layer");
        if ((root.st_uid || root.st_gid) && fchownat(fd, upper, root.st_uid, root.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(errno, "setting the owner of the writable layer");
        made = openat(fd, upper, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (made < 0)
                return err_sys(errno, "opening the writable layer");
        return tree_xattrs_copy(image, made);
}

err *snapshot_stacked(const char *driver, const char *path, const char *upper, const char *work, char **lower,
                      struct snapshot *ret)
{
        _cleanup_snapshot_ struct snapshot snap = {.lower = lower, .driver = str_dup(driver)};

        if (path) {
                snap.upper = str_format("%s/%s", path, upper);
                snap.work = str_format("%s/%s", path, work);
        }
        if (!snap.driver || (path && (!snap.upper || !snap.work)))
                return err_nomem();
        *ret = snap;
        snap = (struct snapshot){0};
        return NULL;
}

static err *limit(const struct snapshot_plan *p)
{
        _cleanup_close_ int upper = openat(p->fd, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int work = openat(p->fd, "work", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (upper < 0 || work < 0)
                return err_sys(errno, "opening the writable layer");
        return quota_limit((const int[2]){upper, work}, 2, p->id, p->size);
}

static err *overlay_prepare(const struct snapshot_plan *p)
{
        TRY(snapshot_make_upper(p->fd, "upper", "work", p->lower));
        return p->size ? limit(p) : NULL;
}

static void overlay_forget(int fd)
{
        _cleanup_close_ int upper = openat(fd, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (upper >= 0)
                quota_forget(upper);
}

static err *overlay_get(const char *path, char **lower, struct snapshot *ret)
{
        return snapshot_stacked("overlay", path, "upper", "work", lower, ret);
}

static err *overlay_image(struct store *s, const struct image *image, char **layers, struct snapshot *ret)
{
        (void)s;
        (void)image;
        return snapshot_stacked("overlay", NULL, NULL, NULL, layers, ret);
}

/* In a mount namespace of its own: mount one, make and remove a file in it (which needs whiteouts). Exits with errno,
 * or 1 for whiteouts. */
_noreturn_ static void try_mount(const char *dir)
{
        char options[4400], path[4200];
        struct stat st;

        if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                _exit(errno);
        (void)snprintf(options, sizeof(options),
                       "lowerdir=lower,upperdir=upper,workdir=work,redirect_dir=off,metacopy=off");
        if (chdir(dir) < 0 || mount("overlay", "merged", "overlay", 0, options) < 0)
                _exit(errno);
        (void)snprintf(path, sizeof(path), "%s/upper/file", dir);
        if (unlink("merged/file") < 0 || lstat(path, &st) < 0 || !S_ISCHR(st.st_mode))
                _exit(1);
        _exit(0);
}

static err *try_overlay(const struct store *s, const struct staging *st)
{
        static const char *const names[] = {"lower", "upper", "work", "merged"};
        _cleanup_free_ char *dir = str_format("%s/tmp/%s", s->root, st->name);
        int status = 1;
        pid_t pid;

        if (!dir)
                return err_nomem();
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (mkdirat(st->fd, names[i], 0700) < 0)
                        return err_sys(errno, "making a directory in %s/tmp", s->root);
        if (mknodat(st->fd, "lower/file", S_IFREG | 0600, 0) < 0)
                return err_sys(errno, "making a file in %s/tmp", s->root);
        pid = (pid_t)syscall(SYS_clone, (unsigned long)(SIGCHLD | CLONE_NEWNS), NULL, NULL, NULL, NULL);
        if (pid < 0)
                return err_sys(errno, "starting a process with a mount namespace");
        if (pid == 0)
                try_mount(dir);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return NULL;
        return err_new(ERR_UNSUPPORTED, "overlay: %s",
                       WIFEXITED(status) && WEXITSTATUS(status) > 1 ? strerror(WEXITSTATUS(status))
                                                                    : "whiteouts do not work");
}

static err *overlay_check(struct store *s)
{
        _cleanup_staging_ struct staging st = {0};

        TRY(staging_begin(s, &st));
        return try_overlay(s, &st);
}

const struct snapshot_driver snapshot_overlay = {
        .name = "overlay",
        .shown = "overlay2",
        .mark = "upper",
        .prepare = overlay_prepare,
        .get = overlay_get,
        .image = overlay_image,
        .forget = overlay_forget,
        .check = overlay_check,
};
