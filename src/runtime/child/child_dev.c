/* child_dev.c - /dev: nodes, links, the terminal. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "runtime/child/child.h"
#include "sys/device.h"
#include "sys/pty.h"

/* Bind a device of the host, because a user namespace may not make one. */
static int bind_device(struct child *c, const struct plan_device *d)
{
        _cleanup_close_ int target = -1;
        bool made;

        target = child_path_mount_point(c->root, d->path, false, 0, &made);
        return target < 0 ? target : mountfd_attach(d->tree_fd, target);
}

static int make_device(struct child *c, const struct plan_device *d)
{
        _cleanup_close_ int dir = -1;
        const char *name;

        if (d->tree_fd >= 0 || d->bind)
                return bind_device(c, d);
        if (d->name)
                return device_make(c->dev, d->name, d->mode, d->major, d->minor, d->uid, d->gid);
        dir = child_path_parent(c->root, d->path, &name);
        return dir < 0 ? dir : device_make(dir, name, d->mode, d->major, d->minor, d->uid, d->gid);
}

static int make_link(struct child *c, const char *name, const char *target, bool replace)
{
        if (symlinkat(target, c->dev, name) == 0)
                return 0;
        if (errno != EEXIST || !replace)
                return errno == EEXIST ? 0 : -errno;
        if (unlinkat(c->dev, name, 0) < 0 || symlinkat(target, c->dev, name) < 0)
                return -errno;
        return 0;
}

/* /dev is the file system that we have mounted there (child_mount.c), else a directory of the root file system: never
 * what an image's symlink or a bind mount makes of it, which might be the host's (CVE-2026-41579). */
static int open_dev(struct child *c)
{
        if (c->dev >= 0)
                return 0;
        c->dev = child_path_open(c->root, "/dev", O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        if (c->dev == -ENOENT)
                c->dev = child_path_mkdir_p(c->root, "/dev", 0755);
        return c->dev < 0 ? child_fail(c, PLAN_STEP_DEVICE, c->dev, "/dev") : 0;
}

int child_devices(struct child *c)
{
        struct trace_span span = trace_begin(TRACE_CHILD_DEV);
        const struct plan *p = c->p;
        int r;

        if (open_dev(c) < 0)
                return -1;
        for (size_t i = 0; i < p->n_devices; i++) {
                r = make_device(c, &p->devices[i]);
                if (r < 0)
                        return child_fail(c, PLAN_STEP_DEVICE, r, p->devices[i].path);
        }
        for (size_t i = 0; i < device_n_links; i++) {
                r = make_link(c, device_links[i].name, device_links[i].target, false);
                if (r < 0)
                        return child_fail(c, PLAN_STEP_DEVICE, r, device_links[i].name);
        }
        r = make_link(c, "ptmx", "pts/ptmx", true);
        if (r < 0)
                return child_fail(c, PLAN_STEP_DEVICE, r, "ptmx");
        trace_end(&span, 0, NULL);
        return 0;
}

/* The directory of terminals: a devpts, and the root of it. */
static int open_pts(int root)
{
        _cleanup_close_ int fd = child_path_open(root, "/dev/pts", O_PATH | O_DIRECTORY, 0);
        struct statfs fs;

        if (fd < 0)
                return fd;
        if (fstatfs(fd, &fs) < 0)
                return -errno;
        return fs.f_type == DEVPTS_SUPER_MAGIC ? TAKE_FD(fd) : -ENOTTY;
}

static int open_terminal(struct child *c, int root, int *ret_pts, unsigned *ret_number)
{
        const struct plan_process *process = &c->p->process;
        _cleanup_close_ int pts = open_pts(root);
        int r;

        if (pts < 0)
                return child_fail(c, PLAN_STEP_CONSOLE, pts, "/dev/pts");
        r = pty_open(pts, process->height, process->width, &c->master, &c->slave, ret_number);
        if (r == 0 && process->relayed)
                r = pty_keep_newlines(c->slave);
        if (r < 0)
                return child_fail(c, PLAN_STEP_CONSOLE, r, "/dev/ptmx");
        if (child_send(c, PLAN_REPORT_TERMINAL, c->master) < 0)
                return -1;
        c->master = file_close(c->master);
        if (ret_pts)
                *ret_pts = TAKE_FD(pts);
        return 0;
}

int child_terminal_open(struct child *c, int root)
{
        unsigned number;

        return open_terminal(c, root, NULL, &number);
}

/* The node of the terminal, found by number in the same devpts and compared with what we hold (CVE-2025-52565). */
static int clone_slave(struct child *c, int pts, unsigned number)
{
        _cleanup_close_ int node = -1;
        struct stat held, found;
        CHILD_TEXT(name, 24);

        child_text_number(&name, (long)number);
        node = file_openat2(pts, name.buf, O_PATH | O_NOFOLLOW, 0,
                            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        if (node < 0)
                return node;
        if (fstat(node, &found) < 0 || fstat(c->slave, &held) < 0)
                return -errno;
        if (found.st_rdev != held.st_rdev || found.st_ino != held.st_ino || found.st_dev != held.st_dev)
                return -ESTALE;
        return mountfd_clone(node, "", 0);
}

int child_console(struct child *c)
{
        struct trace_span span = trace_begin(TRACE_CHILD_CONSOLE);
        _cleanup_close_ int pts = -1, tree = -1, target = -1;
        unsigned number;
        bool made;
        int r;

        if (open_terminal(c, c->root, &pts, &number) < 0)
                return -1;
        if (c->p->setup_dev) {
                tree = clone_slave(c, pts, number);
                if (tree < 0)
                        return child_fail(c, PLAN_STEP_CONSOLE, tree, "cloning the terminal's node");
                target = child_path_mount_point(c->dev, "console", false, RESOLVE_NO_SYMLINKS, &made);
                if (target < 0)
                        return child_fail(c, PLAN_STEP_CONSOLE, target, "/dev/console");
                r = mountfd_attach(tree, target);
                if (r < 0)
                        return child_fail(c, PLAN_STEP_CONSOLE, r, "mounting /dev/console");
        }
        trace_end(&span, 0, NULL);
        return 0;
}
