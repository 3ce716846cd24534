/* unpack.c - the parent's side, see unpack.h. */
#include "store/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <sched.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/unpack_private.h"

struct unpack {
        struct sink sink; /* first: a sink is an unpack */
        struct ring *ring;
        int dir_fd, report_fd, marks_fd;
        pid_t pid;
        bool broken;
};

static err *noted(struct unpack *u, err *e)
{
        u->broken |= e != NULL;
        return e;
}

static err *sink_write_ring(struct sink *s, const void *data, size_t size)
{
        struct unpack *u = (struct unpack *)s;

        return noted(u, ring_write(u->ring, data, size));
}

static err *sink_lend_ring(struct sink *s, void **ret, size_t *ret_size)
{
        struct unpack *u = (struct unpack *)s;

        return noted(u, ring_reserve(u->ring, ret, ret_size));
}

static err *sink_filled_ring(struct sink *s, size_t size)
{
        ring_commit(((struct unpack *)s)->ring, size);
        return NULL;
}

static err *sink_finish_ring(struct sink *s)
{
        ring_end(((struct unpack *)s)->ring);
        return NULL;
}

static void sink_free_nothing(struct sink *s)
{
        (void)s;
}

/* A file without a name in the directory; memory where the file system cannot. */
static int nameless(int dir_fd)
{
        int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        return fd >= 0 ? fd : memfd_create("hod-unpack", MFD_CLOEXEC);
}

/* fork(2) into a PID, network and IPC namespace of its own. The process has one thread, so this is safe. */
static pid_t fork_apart(void)
{
        return (pid_t)syscall(SYS_clone, (unsigned long)(SIGCHLD | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC), NULL,
                              NULL, NULL, NULL);
}

/* The compressor is made here: where the child is it could load no library. */
static err *open_skeleton(int fd, struct sink **ret)
{
        _cleanup_(sink_freep) struct sink *file = NULL;

        if (fd < 0)
                return NULL;
        TRY(sink_open_fd(UNPACK_SKELETON_FD, &file));
        TRY(sink_open_gzip(file, 1, ret));
        file = NULL;
        return NULL;
}

err *unpack_start(int dir_fd, unsigned flags, const struct unpack_limits *limits, int skeleton_fd, struct unpack **ret)
{
        static const struct unpack_limits defaults = {0};
        _cleanup_(unpack_abortp) struct unpack *u = MEM_NEW0(struct unpack, 1);
        _cleanup_(sink_freep) struct sink *skeleton = NULL;
        _cleanup_close_ int report = -1, times = -1;
        int pair[2], r;

        if (!u)
                return err_nomem();
        u->sink = (struct sink){.write = sink_write_ring,
                                .finish = sink_finish_ring,
                                .free = sink_free_nothing,
                                .lend = sink_lend_ring,
                                .filled = sink_filled_ring};
        u->dir_fd = u->report_fd = u->marks_fd = -1;
        TRY(open_skeleton(skeleton_fd, &skeleton));
        TRY(ring_new(&u->ring));
        r = file_pipe(pair);
        if (r < 0)
                return err_sys(r, "making a pipe");
        u->report_fd = pair[0];
        report = pair[1];
        u->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        u->marks_fd = nameless(dir_fd);
        times = nameless(dir_fd);
        if (u->dir_fd < 0 || u->marks_fd < 0 || times < 0)
                return err_sys(errno, "preparing the unpacker");
        u->pid = fork_apart();
        if (u->pid < 0)
                return err_sys(errno, "starting the unpacker");
        if (u->pid == 0) {
                const struct unpack_work work = {.dir_fd = dir_fd,
                                                 .report_fd = report,
                                                 .marks_fd = u->marks_fd,
                                                 .times_fd = times,
                                                 .skeleton_fd = skeleton_fd,
                                                 .ring = u->ring,
                                                 .skeleton = skeleton,
                                                 .flags = flags,
                                                 .limits = limits ? limits : &defaults};

                unpack_child(&work);
        }
        ring_write_here(u->ring);
        *ret = TAKE_PTR(u);
        return NULL;
}

struct sink *unpack_sink(struct unpack *u)
{
        return &u->sink;
}

bool unpack_broken(const struct unpack *u)
{
        return u->broken;
}

static void reap(struct unpack *u)
{
        if (u->pid <= 0)
                return;
        while (waitpid(u->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        u->pid = 0;
}

void unpack_abort(struct unpack *u)
{
        if (!u)
                return;
        if (u->pid > 0)
                (void)kill(u->pid, SIGKILL);
        reap(u);
        ring_free(u->ring);
        (void)file_close(u->report_fd);
        (void)file_close(u->marks_fd);
        (void)file_close(u->dir_fd);
        free(u);
}

/* The child's own words end with the system's: those come with the number again. */
static err *system_error(struct unpack_report *report)
{
        const char *why = strerror(report->errnum);
        size_t n = strlen(report->text), m = strlen(why);

        if (n > m + 2 && strcmp(report->text + n - m, why) == 0)
                report->text[n - m - 2] = '\0';
        return err_sys(report->errnum, "%s", report->text);
}

static err *read_report(struct unpack *u, struct unpack_report *report)
{
        ssize_t n;

        do
                n = read(u->report_fd, report, sizeof(*report));
        while (n < 0 && errno == EINTR);
        if (n != (ssize_t)sizeof(*report))
                return err_new(ERR_INTERNAL, "the unpacker died without a word");
        report->text[UNPACK_TEXT - 1] = '\0';
        if (report->code == ERR_NOMEM)
                return err_nomem();
        if (report->code == ERR_SYS && report->errnum > 0)
                return system_error(report);
        if (report->code)
                return err_new(report->code > 0 && report->code < ERR_CODE_MAX_ ? (enum err_code)report->code
                                                                                : ERR_INTERNAL,
                               "%s", report->text);
        return NULL;
}

/* An extended attribute that needs CAP_SYS_ADMIN. The path is resolved inside the layer, by descriptor. */
static err *set_mark(int dir_fd, const char *path, const char *name, const void *value, size_t size)
{
        _cleanup_close_ int fd = file_open_in(dir_fd, *path ? path : ".", O_PATH | O_NOFOLLOW, 0);
        char link[64];

        if (fd == -ENOENT || fd == -ENOTDIR)
                return NULL; /* a later entry replaced it */
        if (fd < 0)
                return err_sys(fd, "opening %s", path);
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (setxattr(link, name, value, size, 0) < 0 && errno != EPERM)
                return err_sys(errno, "setting %s on %s", name, path);
        return NULL;
}

static bool mark_sane(const struct unpack_mark *m, const char *data, size_t left)
{
        return m->path_size > 0 && m->path_size <= UNPACK_PATH_MAX && m->name_size > 0 && m->name_size <= 256 &&
               m->value_size <= 65536 && (size_t)m->path_size + m->name_size + m->value_size <= left &&
               !data[m->path_size - 1] && !data[m->path_size + m->name_size - 1];
}

/* The list was written by the child: distrust it. */
static err *set_marks(struct unpack *u)
{
        struct stat st;
        const char *data, *p, *end;
        err *e = NULL;

        if (fstat(u->marks_fd, &st) < 0)
                return err_sys(errno, "reading the unpacker's list");
        if (!st.st_size)
                return NULL;
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, u->marks_fd, 0);
        if (data == MAP_FAILED)
                return err_sys(errno, "reading the unpacker's list");
        end = data + st.st_size;
        for (p = data; !e && p < end;) {
                struct unpack_mark m;
                const char *path;

                if ((size_t)(end - p) < sizeof(m)) {
                        e = err_new(ERR_INTERNAL, "the unpacker's list is damaged");
                        break;
                }
                memcpy(&m, p, sizeof(m));
                path = p + sizeof(m);
                if (!mark_sane(&m, path, (size_t)(end - path))) {
                        e = err_new(ERR_INTERNAL, "the unpacker's list is damaged");
                        break;
                }
                e = set_mark(u->dir_fd, path, path + m.path_size, path + m.path_size + m.name_size, m.value_size);
                p = path + m.path_size + m.name_size + m.value_size;
        }
        (void)munmap((void *)data, (size_t)st.st_size);
        return e;
}

err *unpack_finish(struct unpack *u, struct unpack_result *ret)
{
        struct unpack_report report = {0};
        err *e;

        ring_end(u->ring);
        e = read_report(u, &report);
        reap(u);
        if (!e && u->broken) /* who succeeds has read to the end */
                e = err_new(ERR_INTERNAL, "the unpacker has not read all of the archive");
        if (!e)
                e = set_marks(u);
        if (!e && ret)
                *ret = report.result;
        unpack_abort(u);
        return e;
}

err *unpack_hash(struct unpack *u, struct digest_hasher *h)
{
        return ring_hash(u->ring, h);
}

err *unpack_hashed(int dir_fd, unsigned flags, int skeleton_fd, struct digest_hasher *h, struct stream *tar,
                   struct unpack_result *ret)
{
        _cleanup_(unpack_abortp) struct unpack *u = NULL;
        err *e;

        TRY(unpack_start(dir_fd, flags, NULL, skeleton_fd, &u));
        if (h)
                TRY(unpack_hash(u, h));
        e = stream_copy(tar, unpack_sink(u), NULL);
        if (e && !unpack_broken(u))
                return e;
        err_free(e);
        return unpack_finish(TAKE_PTR(u), ret);
}

err *unpack_stream(int dir_fd, unsigned flags, struct stream *tar, struct unpack_result *ret)
{
        return unpack_hashed(dir_fd, flags, -1, NULL, tar, ret);
}
