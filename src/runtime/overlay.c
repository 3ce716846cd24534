/* overlay.c - root file systems as detached mounts: overlays and plain directories. Nothing appears in a mount table.
 */
#include <errno.h>
#include <linux/capability.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/trace.h"
#include "runtime/fuse_overlay.h"
#include "runtime/overlay.h"
#include "sys/caps.h"
#include "sys/fdpass.h"
#include "sys/mountfd.h"
#include "sys/process.h"

#define FSCONFIG_VALUE_MAX 255 /* strndup_user(..., 256) in the kernel, with the NUL */
#define LOG_MAX OVERLAY_LOG_MAX

static err *failed(int errnum, const char *what, const char *log)
{
        return *log ? err_sys(errnum, "overlay: %s (%s)", what, log) : err_sys(errnum, "overlay: %s", what);
}

static int set(int fsfd, const char *key, const char *value)
{
        if (value && strlen(value) > FSCONFIG_VALUE_MAX)
                return -ENAMETOOLONG;
        return fsconfig(fsfd, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) < 0 ? -errno : 0;
}

/* Lower layers one by one: Linux 6.8. A path of more than 255 bytes goes through a descriptor's name. */
static int set_lower_each(int fsfd, char *const *lower)
{
        for (size_t i = 0; lower[i]; i++) {
                int r;

                if (strlen(lower[i]) > FSCONFIG_VALUE_MAX) {
                        _cleanup_close_ int fd = open(lower[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
                        char name[32];

                        if (fd < 0)
                                return -errno;
                        (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
                        r = set(fsfd, "lowerdir+", name);
                } else {
                        r = set(fsfd, "lowerdir+", lower[i]);
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

/* lowerdir=a:b:c; a colon or backslash in a name is escaped. NULL when out of memory. */
static char *join_lower(char *const *lower)
{
        struct str s = {0};
        char *text = NULL;

        for (size_t i = 0; lower[i]; i++) {
                if (i)
                        str_add_char(&s, ':');
                for (const char *c = lower[i]; *c; c++) {
                        if (*c == ':' || *c == '\\')
                                str_add_char(&s, '\\');
                        str_add_char(&s, *c);
                }
        }
        err_free(str_take(&s, &text));
        return text;
}

static int set_rest(int fsfd, const struct runtime_overlay *o)
{
        static const char *const off[][2] = {{"redirect_dir", "off"}, {"metacopy", "off"}, {"index", "off"}};
        int r = set(fsfd, "source", "overlay");

        if (r == 0 && o->upper) {
                r = set(fsfd, "upperdir", o->upper);
                if (r == 0)
                        r = set(fsfd, "workdir", o->work);
        }
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(off); i++)
                r = set(fsfd, off[i][0], off[i][1]);
        if (r == 0 && o->is_volatile && o->upper)
                r = set(fsfd, "volatile", NULL);
        return r;
}

static int create(int fsfd, const struct runtime_overlay *o)
{
        int fd;

        if (fsconfig(fsfd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = fsmount(fsfd, FSMOUNT_CLOEXEC, o->readonly ? MOUNT_ATTR_RDONLY : 0);
        return fd < 0 ? -errno : fd;
}

/* @known: false when this kernel has no "lowerdir+". */
static int open_by_layers(const struct runtime_overlay *o, char *log, bool *known)
{
        _cleanup_close_ int fsfd = fsopen("overlay", FSOPEN_CLOEXEC);
        int r;

        if (fsfd < 0)
                return -errno;
        r = set_lower_each(fsfd, o->lower);
        *known = r != -EINVAL;
        if (r == 0)
                r = set_rest(fsfd, o);
        if (r == 0)
                r = create(fsfd, o);
        if (r < 0)
                mountfd_read_log(fsfd, log, LOG_MAX);
        /* Before 6.5 overlay collects everything in one string and looks at it only now; it has no words then. */
        if (r == -EINVAL && !*log)
                *known = false;
        return r;
}

/* Before 6.8, short lists: one parameter "lowerdir". */
static int open_by_list(const struct runtime_overlay *o, char *log)
{
        _cleanup_free_ char *lower = join_lower(o->lower);
        _cleanup_close_ int fsfd = -1;
        int r;

        if (!lower)
                return -ENOMEM;
        if (strlen(lower) > FSCONFIG_VALUE_MAX)
                return -ENAMETOOLONG;
        fsfd = fsopen("overlay", FSOPEN_CLOEXEC);
        if (fsfd < 0)
                return -errno;
        r = set(fsfd, "lowerdir", lower);
        if (r == 0)
                r = set_rest(fsfd, o);
        if (r == 0)
                r = create(fsfd, o);
        if (r < 0)
                mountfd_read_log(fsfd, log, LOG_MAX);
        return r;
}

/* One option whose value is a descriptor's name, relative to /proc/self/fd. The descriptor stays open: the process
 * ends. */
static int add_fd(struct str *s, const char *before, const char *path)
{
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        str_printf(s, "%s%d", before, fd);
        return 0;
}

static int describe(const struct runtime_overlay *o, struct str *s)
{
        int r = 0;

        for (size_t i = 0; r == 0 && o->lower[i]; i++)
                r = add_fd(s, i ? ":" : "lowerdir=", o->lower[i]);
        if (r == 0 && o->upper)
                r = add_fd(s, ",upperdir=", o->upper);
        if (r == 0 && o->upper)
                r = add_fd(s, ",workdir=", o->work);
        str_printf(s, ",redirect_dir=off,metacopy=off,index=off%s", o->is_volatile && o->upper ? ",volatile" : "");
        return r == 0 && s->failed ? -ENOMEM : r;
}

/* In a process with a private mount namespace: mount, clone the mount, send the clone. */
static int mount_elsewhere(const struct runtime_overlay *o, int socket)
{
        struct str options = {0};
        int fd, r = describe(o, &options);

        if (r < 0)
                return r;
        if (options.len >= 4096) /* mount(2) takes a page */
                return -E2BIG;
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || chdir("/proc/self/fd") < 0)
                return -errno;
        /* Over "/tmp", which exists everywhere; nobody else sees it. */
        if (mount("overlay", "/tmp", "overlay", o->readonly ? MS_RDONLY : 0, str_text(&options)) < 0)
                return -errno;
        fd = mountfd_clone(AT_FDCWD, "/tmp", 0);
        if (fd < 0)
                return fd;
        return fdpass_send(socket, "", 1, fd) == 1 ? 0 : -EPIPE;
}

/* Before 6.8, long lists: mount(2) in a helper's mount namespace. Its one page of options holds hundreds of layers,
 * because they are named by descriptor ("lowerdir=5:6:7" in /proc/self/fd); no name can be too long or hold a
 * separator. */
static int open_by_mount(const struct runtime_overlay *o)
{
        _cleanup_close_ int ours = -1, theirs = -1, pidfd = -1;
        int pair[2], status = 0, fd = -1;
        ssize_t n;
        pid_t pid;
        char c;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        theirs = pair[1];
        pid = process_clone(CLONE_NEWNS, -1, &pidfd);
        if (pid < 0)
                return pid;
        if (pid == 0)
                _exit(-mount_elsewhere(o, theirs));
        theirs = file_close(theirs);
        n = fdpass_receive(ours, &c, 1, &fd);
        if (process_reap(pidfd, &status) < 0)
                return -ECHILD;
        if (n == 1 && fd >= 0)
                return fd;
        return status >> 8 ? -(status >> 8) : -EIO;
}

int overlay_open_by(enum overlay_way way, const struct runtime_overlay *o, char log[LOG_MAX], bool *ret_known)
{
        *ret_known = true;
        log[0] = '\0';
        switch (way) {
        case OVERLAY_BY_LAYERS:
                return open_by_layers(o, log, ret_known);
        case OVERLAY_BY_LIST:
                return open_by_list(o, log);
        case OVERLAY_BY_MOUNT:
        default:
                return open_by_mount(o);
        }
}

/* A volatile mount leaves work/incompat/volatile behind, with which the kernel refuses the next mount (EINVAL): the
 * upper directory may be half written if the machine crashed. It did not: such containers do not outlive a boot. */
static bool forget_volatile(const struct runtime_overlay *o)
{
        _cleanup_close_ int work = o->work ? open(o->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;

        return work >= 0 && file_exists(work, "work/incompat/volatile") && file_remove_tree(work, "work/incompat") == 0;
}

static int open_any_way(const struct runtime_overlay *o, char log[LOG_MAX])
{
        bool known = true;
        int fd = overlay_open_by(OVERLAY_BY_LAYERS, o, log, &known);

        if (!known)
                fd = overlay_open_by(OVERLAY_BY_LIST, o, log, &known);
        if (fd == -ENAMETOOLONG)
                fd = overlay_open_by(OVERLAY_BY_MOUNT, o, log, &known);
        return fd;
}

#define CAP_BIT(cap) (1ull << (cap))

/* overlayfs writes as who made it, and CAP_SYS_RESOURCE may exceed the quotas of ext4. */
static int open_limited(const struct runtime_overlay *o, char log[LOG_MAX])
{
        uint64_t effective, permitted, inheritable;
        int r = caps_get(&effective, &permitted, &inheritable), fd;

        if (r == 0)
                r = caps_set(effective & ~CAP_BIT(CAP_SYS_RESOURCE), permitted, inheritable);
        if (r < 0)
                return r;
        fd = open_any_way(o, log);
        r = caps_set(effective, permitted, inheritable);
        if (r < 0 && fd >= 0) {
                (void)file_close(fd);
                return r;
        }
        return fd;
}

static int open_once(const struct runtime_overlay *o, char log[LOG_MAX])
{
        return o->limited ? open_limited(o, log) : open_any_way(o, log);
}

err *runtime_overlay_open(const struct runtime_overlay *o, int *ret_fd)
{
        struct trace_span span = trace_begin(TRACE_ROOTFS_OPEN);
        char log[LOG_MAX] = "";
        int fd;

        if (!o->lower || !o->lower[0] || (o->upper && !o->work))
                return err_new(ERR_INVALID, "overlay: no layers");
        fd = open_once(o, log);
        if (fd == -EINVAL && forget_volatile(o))
                fd = open_once(o, log);
        if (fd < 0)
                return failed(-fd, o->upper ? o->upper : o->lower[0], log);
        trace_end(&span, 0, o->upper ? o->upper : o->lower[0]);
        *ret_fd = fd;
        return NULL;
}

err *runtime_dir_open(const char *path, bool readonly, int *ret_fd)
{
        struct trace_span span = trace_begin(TRACE_ROOTFS_OPEN);
        _cleanup_close_ int fd = mountfd_clone(AT_FDCWD, path, AT_RECURSIVE);
        struct stat st;
        int r;

        if (fd < 0)
                return fd == -ENOENT
                               ? err_new(ERR_NOT_FOUND, "invalid rootfs: stat %s: no such file or directory", path)
                               : err_sys(-fd, "opening the root file system %s", path);
        if (fstat(fd, &st) < 0)
                return err_sys(errno, "examining %s", path);
        if (!S_ISDIR(st.st_mode))
                return err_new(ERR_INVALID, "root file system %s is not a directory", path);
        r = mountfd_set(fd, AT_RECURSIVE, 0, 0, MS_PRIVATE);
        if (r == 0 && readonly)
                r = mountfd_set(fd, 0, MOUNT_ATTR_RDONLY, 0, 0);
        if (r < 0)
                return err_sys(-r, "setting the attributes of %s", path);
        trace_end(&span, 0, path);
        *ret_fd = TAKE_FD(fd);
        return NULL;
}

err *runtime_rootfs_open(const char *driver, const struct runtime_overlay *o, int *ret_fd)
{
        if (str_eq(driver, "overlay"))
                return runtime_overlay_open(o, ret_fd);
        if (str_eq(driver, "fuse-overlayfs"))
                return fuse_overlay_open(o, ret_fd);
        if (str_eq(driver, "dir"))
                return runtime_dir_open(o->lower[0], o->readonly, ret_fd);
        return err_new(ERR_UNSUPPORTED, "unknown root file system driver \"%s\"", driver);
}
