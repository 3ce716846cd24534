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

static err *overlay_prepare(struct store *s, int fd, char *const *lower)
{
        _cleanup_close_ int image = open(lower[0], O_PATH | O_DIRECTORY | O_CLOEXEC), upper = -1;
        struct stat root;

        (void)s;
        if (image < 0 || fstat(image, &root) < 0)
                return err_sys(errno, "looking at %s", lower[0]);
        if (mkdirat(fd, "upper", 0755) < 0 || mkdirat(fd, "work", 0700) < 0)
                return err_sys(errno, "making the writable layer");
        /* The upper directory's mode and owner are those of the container's "/". The umask may have taken bits. */
        if (fchmodat(fd, "upper", root.st_mode & 07777, 0) < 0)
                return err_sys(errno, "setting the mode of the writable layer");
        if ((root.st_uid || root.st_gid) && fchownat(fd, "upper", root.st_uid, root.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(errno, "setting the owner of the writable layer");
        upper = openat(fd, "upper", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (upper < 0)
                return err_sys(errno, "opening the writable layer");
        return tree_xattrs_copy(image, upper);
}

static err *overlay_get(const char *path, char **lower, struct snapshot *ret)
{
        struct snapshot snap = {.lower = lower};

        snap.driver = str_dup("overlay");
        snap.upper = str_format("%s/upper", path);
        snap.work = str_format("%s/work", path);
        if (!snap.driver || !snap.upper || !snap.work) {
                snapshot_done(&snap);
                return err_nomem();
        }
        *ret = snap;
        return NULL;
}

/* In a mount namespace of its own: mount one, make and remove a file in it (which needs whiteouts). */
_noreturn_ static void try_mount(const char *dir)
{
        char options[4400], path[4200];
        struct stat st;

        if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                _exit(1);
        (void)snprintf(options, sizeof(options),
                       "lowerdir=lower,upperdir=upper,workdir=work,redirect_dir=off,metacopy=off");
        if (chdir(dir) < 0 || mount("overlay", "merged", "overlay", 0, options) < 0)
                _exit(1);
        (void)snprintf(path, sizeof(path), "%s/upper/file", dir);
        if (unlink("merged/file") < 0 || lstat(path, &st) < 0 || !S_ISCHR(st.st_mode))
                _exit(1);
        _exit(0);
}

static bool overlay_works(struct store *s)
{
        static const char *const names[] = {"lower", "upper", "work", "merged"};
        _cleanup_staging_ struct staging st = {0};
        _cleanup_free_ char *dir = NULL;
        err *e = staging_begin(s, &st);
        int status = 1;
        pid_t pid;

        if (e) {
                err_free(e);
                return false;
        }
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (mkdirat(st.fd, names[i], 0700) < 0)
                        return false;
        if (mknodat(st.fd, "lower/file", S_IFREG | 0600, 0) < 0)
                return false;
        dir = str_format("%s/tmp/%s", s->root, st.name);
        if (!dir)
                return false;
        pid = (pid_t)syscall(SYS_clone, (unsigned long)(SIGCHLD | CLONE_NEWNS), NULL, NULL, NULL, NULL);
        if (pid == 0)
                try_mount(dir);
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

const struct snapshot_driver snapshot_overlay = {
        .name = "overlay",
        .shown = "overlay2",
        .mark = "upper",
        .prepare = overlay_prepare,
        .get = overlay_get,
        .works = overlay_works,
};
