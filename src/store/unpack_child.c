/* unpack_child.c - the unpacking process: shuts itself in, then reads the archive.
 *
 * It is a fork of a program with one thread, so memory and `err` work as usual. It never returns to the program. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "store/unpack_private.h"
#include "sys/caps.h"
#include "sys/mountfd.h"

enum { FD_RING = 3, FD_REPORT = FD_RING + RING_FDS, FD_MARKS, FD_TIMES, FD_ROOT, FD_SKELETON, FD_END };
_Static_assert((int)FD_SKELETON == UNPACK_SKELETON_FD, "what unpack.c believes");

#define BIT(n) (1ull << (n))
#define CAPS                                                                                                           \
        (BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_MKNOD) | BIT(CAP_SETFCAP))

#define DEFAULT_ENTRIES 4000000u
#define DEFAULT_BYTES (1ull << 40)

/* Keep these descriptors, at known numbers; 0, 1 and 2 become the first one too: nothing of the caller's is left. */
static int keep_only(const int *fds, int n)
{
        int high[FD_END - FD_RING];

        for (int i = 0; i < n; i++) {
                high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
                if (high[i] < 0)
                        return -errno;
        }
        for (int i = 0; i < n; i++)
                if (dup3(high[i], FD_RING + i, O_CLOEXEC) < 0)
                        return -errno;
        for (int i = 0; i < 3; i++)
                if (dup2(FD_RING, i) < 0)
                        return -errno;
        if (syscall(SYS_close_range, FD_RING + n, ~0u, 0) < 0)
                for (int fd = FD_RING + n; fd < 65536; fd++)
                        (void)close(fd);
        return 0;
}

/* The layer's directory through a private mount on which devices, setuid and programs mean nothing, as the root. */
static err *root_in_layer(void)
{
        int clone = mountfd_clone(FD_ROOT, "", AT_EMPTY_PATH), r;

        if (clone >= 0) {
                r = mountfd_set(clone, 0, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, 0);
                if (r < 0 && r != -ENOSYS)
                        return err_sys(r, "making the layer's mount nodev");
                if (dup3(clone, FD_ROOT, O_CLOEXEC) < 0)
                        return err_sys(errno, "duplicating a descriptor");
                (void)close(clone);
        } else if (clone != -ENOSYS) {
                return err_sys(clone, "cloning the layer's mount");
        }
        if (fchdir(FD_ROOT) < 0 || chroot(".") < 0)
                return err_sys(errno, "changing the root to the layer");
        r = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (r < 0 || dup3(r, FD_ROOT, O_CLOEXEC) < 0)
                return err_sys(errno, "opening the layer");
        (void)close(r);
        return NULL;
}

static err *drop_privileges(void)
{
        struct rlimit no_core = {0, 0};
        int r;

        (void)setrlimit(RLIMIT_CORE, &no_core);
        if (setgroups(0, NULL) < 0)
                return err_sys(errno, "dropping groups");
        r = caps_set_bounding(0);
        if (r == 0)
                r = caps_set_ambient(0);
        if (r == 0)
                r = caps_set(CAPS, CAPS, 0);
        if (r < 0)
                return err_sys(r, "dropping capabilities");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return err_sys(errno, "setting no_new_privs");
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        return NULL;
}

static err *unpack_all(struct unpacker *u, struct tar_reader *tar)
{
        for (;;) {
                const struct tar_entry *entry = NULL;

                TRY(tar_next(tar, &entry));
                if (!entry)
                        return NULL;
                TRY(unpack_entry(u, tar, entry));
                u->result.entries++;
        }
}

static err *begin(const struct unpack_work *w, struct unpacker *u)
{
        TRY(root_in_layer());
        TRY(drop_privileges());
        u->root = FD_ROOT;
        u->default_acl = fgetxattr(FD_ROOT, UNPACK_DEFAULT_ACL, NULL, 0) > 0;
        u->flags = w->flags;
        u->marks.fd = FD_MARKS;
        u->times.fd = FD_TIMES;
        return w->skeleton ? skeleton_new(w->skeleton, &u->skeleton) : NULL;
}

static err *end(const struct unpack_work *w, struct unpacker *u)
{
        TRY(unpack_list_flush(&u->marks));
        TRY(unpack_list_flush(&u->times));
        TRY(unpack_directory_times(u));
        if (!u->skeleton)
                return NULL;
        TRY(skeleton_end(u->skeleton));
        return sink_finish(w->skeleton);
}

static err *run(const struct unpack_work *w, struct unpack_result *ret)
{
        struct unpacker *u = MEM_NEW0(struct unpacker, 1);
        struct tar_limits limits = tar_limits_default;
        _cleanup_(tar_reader_freep) struct tar_reader *tar = NULL;

        if (!u)
                return err_nomem();
        TRY(begin(w, u));
        limits.max_entries = w->limits->max_entries ? w->limits->max_entries : DEFAULT_ENTRIES;
        limits.max_bytes = w->limits->max_bytes ? w->limits->max_bytes : DEFAULT_BYTES;
        limits.missing_end_ok = w->flags & UNPACK_END_OPTIONAL;
        limits.max_name = UNPACK_PATH_MAX - 1;
        TRY(tar_reader_new(ring_stream(w->ring), &limits, &tar));
        if (u->skeleton)
                tar_reader_watch(tar, skeleton_raw, u->skeleton);
        TRY(unpack_all(u, tar));
        /* The parent's writes of what follows the end marker must not fail. */
        TRY(tar_drain(tar));
        TRY(end(w, u));
        *ret = u->result;
        skeleton_free(u->skeleton);
        free(u);
        return NULL;
}

/* Without a skeleton its number stays free. */
static err *prepare(const struct unpack_work *w)
{
        int fds[FD_END - FD_RING] = {
                [FD_REPORT - FD_RING] = w->report_fd,     [FD_MARKS - FD_RING] = w->marks_fd,
                [FD_TIMES - FD_RING] = w->times_fd,       [FD_ROOT - FD_RING] = w->dir_fd,
                [FD_SKELETON - FD_RING] = w->skeleton_fd,
        };
        int r;

        TRY(ring_read_here(w->ring));
        ring_fds(w->ring, fds);
        r = keep_only(fds, (int)ARRAY_SIZE(fds) - (w->skeleton_fd < 0));
        if (r < 0)
                return err_sys(r, "preparing the unpacker's descriptors");
        ring_moved(w->ring, FD_RING);
        return NULL;
}

void unpack_child(const struct unpack_work *w)
{
        struct unpack_report report = {0};
        bool prepared;
        err *e;

        trace_fd = -1;
        /* What we make is being removed when the parent has died. (If it has by now: the ring ends at once.) */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGINT, SIG_DFL);
        (void)signal(SIGTERM, SIG_DFL);
        (void)umask(0);
        e = prepare(w);
        prepared = !e;
        if (prepared)
                e = run(w, &report.result);
        if (e) {
                report.code = (int)err_code(e);
                report.errnum = err_errno(e);
                (void)err_text(e, report.text, sizeof(report.text));
        }
        (void)file_write_all(prepared ? FD_REPORT : w->report_fd, &report, sizeof(report));
        _exit(e ? 1 : 0);
}
