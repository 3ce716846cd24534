/* checkpoint_enforce.c - see checkpoint_enforce.h.
 *
 * The plan of a create says what there should be: its bind mounts are opened and finished, though never attached. A
 * helper process enters the restored mount namespace and compares.
 *
 * It gets there by names, and the root file system is the container's: a directory that it has renamed, with a link in
 * its place, leads to another mount than create has made there. So flags are only ever added. */
#include "runtime/checkpoint_enforce.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "runtime/checkpoint_check.h"
#include "runtime/child/child.h"
#include "sys/device.h"
#include "sys/process.h"

#define ANSWER_MAX 8192

struct comparison {
        const struct checkpoint_container *c;
        struct plan plan;
        int root;     /* in the restored mount namespace */
        bool lenient; /* its processes may unmount by themselves */
};

static bool is_mount(int fd)
{
        struct statx sx = {0};

        return statx(fd, "", AT_EMPTY_PATH, 0, &sx) == 0 && sx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* ---- mounts ---- */

/* What @m gets at create, and whether that says how access times are kept. */
static int wanted(const struct plan_mount *m, uint64_t *set, uint64_t *atime)
{
        *atime = MOUNT_ATTR__ATIME;
        if (m->kind == PLAN_MOUNT_REMOUNT) {
                *set = m->set;
                *atime &= m->clear;
                return 0;
        }
        if (m->kind == PLAN_MOUNT_TREE && m->tree_fd >= 0)
                return mountfd_attrs(m->tree_fd, set);
        if (m->kind == PLAN_MOUNT_TREE) { /* of a source inside: as it is there, which came from the bundle, too */
                *set = m->wish.set;
                *atime &= m->wish.clear;
                return 0;
        }
        *set = m->fs.attrs | (m->make_readonly ? MOUNT_ATTR_RDONLY : 0);
        return 0;
}

/* What a remount of the same place, later in the list, takes away again. */
static uint64_t taken_back(const struct plan *p, const struct plan_mount *m)
{
        uint64_t gone = 0;

        for (size_t k = (size_t)(m - p->mounts) + 1; k < p->n_mounts; k++)
                if (p->mounts[k].kind == PLAN_MOUNT_REMOUNT && str_eq(p->mounts[k].destination, m->destination))
                        gone |= p->mounts[k].clear & ~(uint64_t)MOUNT_ATTR__ATIME;
        return gone;
}

static int add_flags(int fd, unsigned flags, uint64_t set, uint64_t atime)
{
        int r = mountfd_set(fd, flags, set, atime, 0);

        /* A user namespace's mounts keep access times as they did. */
        return r == -EPERM ? mountfd_set(fd, flags, set & ~(uint64_t)MOUNT_ATTR__ATIME, 0, 0) : r;
}

/* Something that is mounted later lies over it. */
static bool is_covered(const struct plan *p, size_t i)
{
        for (size_t k = i + 1; k < p->n_mounts; k++)
                if (p->mounts[k].kind != PLAN_MOUNT_REMOUNT && p->mounts[k].kind != PLAN_MOUNT_SYMLINK &&
                    plan_path_below(p->mounts[i].destination, p->mounts[k].destination))
                        return true;
        return false;
}

static err *enforce_mount(const struct comparison *x, const struct plan_mount *m)
{
        _cleanup_close_ int fd = child_path_open(x->root, m->destination, O_PATH | (m->nofollow ? O_NOFOLLOW : 0), 0);
        bool hierarchy = m->kind == PLAN_MOUNT_TREE && !m->bind; /* another machine may have others */
        uint64_t set, atime;
        int r;

        if (fd < 0 || !is_mount(fd)) {
                if (x->lenient || hierarchy || m->kind == PLAN_MOUNT_REMOUNT)
                        return NULL;
                return err_new(ERR_DENIED, "the checkpoint has nothing mounted at %s, where config.json mounts %s",
                               m->destination, m->shown);
        }
        r = wanted(m, &set, &atime);
        if (r == 0)
                r = add_flags(fd, 0, set & ~taken_back(&x->plan, m), atime);
        if (r == 0)
                r = add_flags(fd, AT_RECURSIVE, m->rec_set, m->rec_clear & MOUNT_ATTR__ATIME);
        return r < 0 ? err_sys(-r, "setting the options of mount %s", m->destination) : NULL;
}

/* ---- what is hidden or write-protected ---- */

static bool is_masked(int fd)
{
        struct statfs fs;
        struct stat st;

        if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
                return false;
        if (!S_ISDIR(st.st_mode))
                return device_is_null(fd);
        return is_mount(fd) && fs.f_type == TMPFS_MAGIC && fs.f_flags & ST_RDONLY;
}

static err *check_mask(const struct comparison *x, const char *path)
{
        _cleanup_close_ int fd = child_path_open(x->root, path, O_PATH, 0);

        if (fd == -ENOENT || fd == -ENOTDIR || (fd >= 0 && is_masked(fd)))
                return NULL;
        return err_new(ERR_DENIED, "the checkpoint does not mask %s, which config.json demands", path);
}

static err *write_protect(const struct comparison *x, const char *path)
{
        _cleanup_close_ int fd = child_path_open(x->root, path, O_PATH, 0);
        struct statfs fs;

        if (fd == -ENOENT || fd == -ENOTDIR)
                return NULL;
        if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_flags & ST_RDONLY)
                return NULL;
        if (fd >= 0 && is_mount(fd) && mountfd_set(fd, 0, MOUNT_ATTR_RDONLY, 0, 0) == 0)
                return NULL;
        return err_new(ERR_DENIED, "the checkpoint does not write-protect %s, which config.json demands", path);
}

static err *enforce_all(struct comparison *x)
{
        const struct oci_linux *l = &x->c->spec->linux_;
        int r;

        for (size_t i = 0; i < x->plan.n_mounts; i++)
                if (x->plan.mounts[i].kind != PLAN_MOUNT_SYMLINK && !is_covered(&x->plan, i))
                        TRY(enforce_mount(x, &x->plan.mounts[i]));
        for (size_t i = 0; l->masked_paths && l->masked_paths[i] && !x->lenient; i++)
                TRY(check_mask(x, l->masked_paths[i]));
        for (size_t i = 0; l->readonly_paths && l->readonly_paths[i] && !x->lenient; i++)
                TRY(write_protect(x, l->readonly_paths[i]));
        r = mountfd_set(x->root, 0, x->c->spec->root_readonly ? MOUNT_ATTR_RDONLY : 0, 0, 0);
        return r < 0 ? err_sys(-r, "write-protecting the root file system") : NULL;
}

/* ---- the helper ---- */

static err *enter(struct comparison *x, int ns)
{
        if (setns(ns, CLONE_NEWNS) < 0)
                return err_sys(errno, "entering the restored mount namespace");
        x->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC); /* the namespace's own, wherever a process' is */
        return x->root < 0 ? err_sys(errno, "opening the restored root file system") : enforce_all(x);
}

/* The code of the error, and its text. */
_noreturn_ static void help(struct comparison *x, int ns, int answer)
{
        char text[ANSWER_MAX] = {0};
        err *e = enter(x, ns);

        if (!e)
                _exit(0);
        text[0] = (char)err_code(e);
        (void)err_text(e, text + 1, sizeof(text) - 1);
        (void)file_write_all(answer, text, strlen(text + 1) + 1);
        _exit(1);
}

/* Ours would be changed for everybody. */
static err *refuse_own(int ns)
{
        struct stat own, theirs;

        if (stat("/proc/self/ns/mnt", &own) < 0 || fstat(ns, &theirs) < 0)
                return err_sys(errno, "examining the restored mount namespace");
        return own.st_ino == theirs.st_ino
                       ? err_new(ERR_DENIED, "the checkpoint restores a process into the mount namespace of the host")
                       : NULL;
}

static err *make_plan(struct comparison *x, int bundle)
{
        const struct checkpoint_container *c = x->c;
        struct runtime_request r = {.spec = c->spec, .bundle_fd = bundle, .rootfs_fd = -1};
        struct plan *p = &x->plan;

        plan_clear(p);
        p->has_mount = true;
        p->new_cgroup = c->spec->linux_.ns[OCI_NS_CGROUP].present;
        p->bundle_path = c->bundle;
        p->root_path = c->rootfs;
        return plan_add_mounts(p, &r, str_empty(c->cgroup) ? NULL : c->cgroup);
}

static err *run_helper(struct comparison *x, int ns)
{
        _cleanup_close_ int answer = memfd_create("answer", MFD_CLOEXEC), pidfd = -1;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int status = 0;
        pid_t pid;

        if (answer < 0)
                return err_sys(errno, "making a memory file");
        pid = process_clone(0, -1, &pidfd);
        if (pid < 0)
                return err_sys(-pid, "creating the process that compares mounts");
        if (pid == 0)
                help(x, ns, answer);
        (void)process_wait(pidfd, -1);
        if (process_reap(pidfd, &status) == 0 && status == 0)
                return NULL;
        if (lseek(answer, 0, SEEK_SET) < 0 || file_read_fd(answer, ANSWER_MAX, &text, &size) < 0 || size < 2)
                return err_new(ERR_SYS, "comparing mounts: the helper died");
        return err_new((enum err_code)text[0], "%s", text + 1);
}

err *checkpoint_enforce(const struct checkpoint_container *c, pid_t init)
{
        const struct oci_namespace *own = &c->spec->linux_.ns[OCI_NS_MOUNT];
        struct comparison x = {.c = c, .root = -1, .lenient = checkpoint_may_mount(c)};
        _cleanup_close_ int ns = -1, bundle = -1;
        char path[40];
        err *e;

        if (!own->present || own->path)
                return NULL; /* others' mounts */
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)init);
        ns = open(path, O_RDONLY | O_CLOEXEC);
        if (ns < 0)
                return err_sys(errno, "opening %s", path);
        TRY(refuse_own(ns));
        bundle = open(c->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (bundle < 0)
                return err_sys(errno, "opening %s", c->bundle);
        e = make_plan(&x, bundle);
        if (!e)
                e = run_helper(&x, ns);
        plan_done(&x.plan);
        return e;
}
