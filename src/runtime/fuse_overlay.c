/* fuse_overlay.c - see fuse_overlay.h. */
#include "runtime/fuse_overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/trace.h"
#include "sys/fuse.h"
#include "sys/mountfd.h"
#include "sys/process.h"

#define WORDS_MAX 400

/* Directories are named by descriptor: no name can be too long or hold a separator. The descriptors are for the program
 * alone, so this runs in its process. */
static int add_dir(struct str *s, const char *before, const char *path)
{
        int fd = open(path, O_PATH | O_DIRECTORY); /* NOLINT(android-cloexec-open): inherited on purpose */

        if (fd < 0)
                return -errno;
        str_printf(s, "%s/proc/self/fd/%d", before, fd);
        return 0;
}

static int describe(const struct runtime_overlay *o, struct str *s)
{
        int r = 0;

        /* Not write-back: what a container has written is in its layer when it ends, for commit and diff. */
        str_printf(s, "writeback=0%s", o->is_volatile && o->upper ? ",volatile" : "");
        for (size_t i = 0; r == 0 && o->lower[i]; i++)
                r = add_dir(s, i ? ":" : ",lowerdir=", o->lower[i]);
        if (r == 0 && o->upper)
                r = add_dir(s, ",upperdir=", o->upper);
        if (r == 0 && o->upper)
                r = add_dir(s, ",workdir=", o->work);
        return r == 0 && s->failed ? -ENOMEM : r;
}

static void reset_signals(void)
{
        sigset_t none;

        for (int i = 1; i < NSIG; i++)
                (void)signal(i, SIG_DFL);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _noreturn_ void become_program(const struct runtime_overlay *o, int dev, int words)
{
        char where[32], *env[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
        int null = open("/dev/null", O_RDWR | O_CLOEXEC), r;
        struct str options = {0};
        char *argv[] = {(char *)"fuse-overlayfs", (char *)"-f", (char *)"-o", NULL, where, NULL};

        reset_signals();
        if (setsid() < 0 || chdir("/") < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(words, 2) < 0)
                _exit(126);
        r = describe(o, &options);
        if (r < 0) {
                (void)dprintf(2, "opening the layers: %s\n", strerror(-r));
                _exit(126);
        }
        argv[3] = (char *)str_text(&options);
        (void)snprintf(where, sizeof(where), "/dev/fd/%d", dev);
        (void)fcntl(dev, F_SETFD, 0);
        (void)execve(FUSE_OVERLAY_PROGRAM, argv, env);
        (void)dprintf(2, "executing %s: %s\n", FUSE_OVERLAY_PROGRAM, strerror(errno));
        _exit(127);
}

/* Through a process in between, so that it is nobody's child: only the mount keeps it. */
static int start(const struct runtime_overlay *o, int dev, int words)
{
        int pidfd = -1, status = 0;
        pid_t pid = process_clone(0, -1, &pidfd);

        if (pid < 0)
                return pid;
        if (pid == 0) {
                int unused = -1;

                pid = process_clone(0, -1, &unused);
                if (pid == 0)
                        become_program(o, dev, words);
                _exit(pid < 0 ? -pid : 0);
        }
        pid = process_reap(pidfd, &status);
        (void)file_close(pidfd);
        if (pid < 0)
                return pid;
        return -(status >> 8);
}

/* What the program has said before it died. */
static void read_words(int fd, char text[WORDS_MAX])
{
        ssize_t n = read(fd, text, WORDS_MAX - 1);

        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        for (char *c = text; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                        *c = '?';
}

static err *open_fuse(const struct runtime_overlay *o, int *ret_fd)
{
        _cleanup_close_ int mount = -1, dev = -1, in = -1, out = -1;
        char log[WORDS_MAX] = "";
        int r, ends[2];
        struct stat st;

        mount = fuse_mount("fuse-overlayfs", o->readonly ? MOUNT_ATTR_RDONLY : 0, &dev, log, sizeof(log));
        if (mount == -ENOENT || mount == -ENODEV || mount == -ENXIO)
                return err_new(ERR_UNSUPPORTED, "fuse-overlayfs: this machine has no FUSE (%s)", strerror(-mount));
        if (mount < 0)
                return err_sys(mount, "fuse-overlayfs: mounting%s%s", *log ? ": " : "", log);
        r = file_pipe(ends);
        if (r < 0)
                return err_sys(r, "making a pipe");
        in = ends[0];
        out = ends[1];
        r = start(o, dev, out);
        dev = file_close(dev);
        out = file_close(out);
        if (r < 0)
                return err_sys(r, "fuse-overlayfs: starting %s", FUSE_OVERLAY_PROGRAM);
        /* The first access waits until the program answers; if it dies instead, the connection ends. */
        if (fstat(mount, &st) < 0) {
                r = errno;
                read_words(in, log);
                return err_sys(r, "fuse-overlayfs%s%s", *log ? ": " : "", log);
        }
        *ret_fd = TAKE_FD(mount);
        return NULL;
}

err *fuse_overlay_open(const struct runtime_overlay *o, int *ret_fd)
{
        struct trace_span span = trace_begin(TRACE_ROOTFS_OPEN);

        if (!o->lower || !o->lower[0] || (o->upper && !o->work))
                return err_new(ERR_INVALID, "fuse-overlayfs: no layers");
        if (access(FUSE_OVERLAY_PROGRAM, X_OK) < 0)
                return err_new(ERR_UNSUPPORTED, "fuse-overlayfs: %s: %s", FUSE_OVERLAY_PROGRAM, strerror(errno));
        TRY(open_fuse(o, ret_fd));
        trace_end(&span, 0, o->upper ? o->upper : o->lower[0]);
        return NULL;
}
