/* checkpoint_criu.c - see checkpoint_criu.h. */
#include "runtime/checkpoint_criu.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "codec/protobuf.h"
#include "sys/fdpass.h"
#include "sys/keyring.h"
#include "sys/mountfd.h"
#include "sys/process.h"

#define SOCKET_FD 3
#define EXTRA_FD 4
#define HIGH_FD 64 /* out of the way of those */
#define MESSAGE_MAX 65536
#define END_WAIT_MS 60000

static const char *const directories[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                          "/usr/bin",        "/sbin",          "/bin"};
static char env_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* ---- messages ---- */

/* Fields of criu_req, criu_resp and what is in them. */
enum { REQ_TYPE = 1, REQ_NOTIFY_SUCCESS = 3, REQ_FEATURES = 5, FEATURES_MEM_TRACK = 1, FEATURES_LAZY_PAGES = 2 };
enum {
        RESP_TYPE = 1,
        RESP_SUCCESS = 2,
        RESP_RESTORE = 4,
        RESP_NOTIFY = 5,
        RESP_ERRNO = 7,
        RESP_FEATURES = 8,
        RESP_ERRMSG = 9,
        RESP_VERSION = 10,
};
enum { RESTORE_PID = 1, NOTIFY_SCRIPT = 1, NOTIFY_PID = 2, VERSION_MAJOR = 1, VERSION_MINOR = 2, VERSION_SUBLEVEL = 4 };

static err *replace_text(const struct protobuf_field *f, char **text)
{
        char *fresh;

        TRY(protobuf_text(f, &fresh));
        free(*text);
        *text = fresh;
        return NULL;
}

static err *parse_restore(const struct protobuf_field *f, struct checkpoint_criu_reply *r)
{
        struct protobuf p = protobuf_message(f);
        struct protobuf_field g;

        do {
                TRY(protobuf_next(&p, &g));
                if (g.number == RESTORE_PID)
                        r->pid = protobuf_int32(&g);
        } while (g.number);
        return NULL;
}

static err *parse_notify(const struct protobuf_field *f, struct checkpoint_criu_reply *r)
{
        struct protobuf p = protobuf_message(f);
        struct protobuf_field g;

        do {
                TRY(protobuf_next(&p, &g));
                if (g.number == NOTIFY_SCRIPT)
                        TRY(replace_text(&g, &r->script));
                else if (g.number == NOTIFY_PID)
                        r->pid = protobuf_int32(&g);
        } while (g.number);
        return NULL;
}

static err *parse_features(const struct protobuf_field *f, struct checkpoint_criu_reply *r)
{
        struct protobuf p = protobuf_message(f);
        struct protobuf_field g;

        do {
                TRY(protobuf_next(&p, &g));
                if (g.number == FEATURES_MEM_TRACK)
                        r->mem_track = protobuf_int32(&g);
                else if (g.number == FEATURES_LAZY_PAGES)
                        r->lazy_pages = protobuf_int32(&g);
        } while (g.number);
        return NULL;
}

static int version_part(const struct protobuf_field *f)
{
        int32_t n = protobuf_int32(f);

        return n < 0 ? 0 : n > 99 ? 99 : n;
}

static err *parse_version(const struct protobuf_field *f, struct checkpoint_criu_reply *r)
{
        struct protobuf p = protobuf_message(f);
        struct protobuf_field g;
        int major = 0, minor = 0, sublevel = 0;

        do {
                TRY(protobuf_next(&p, &g));
                if (g.number == VERSION_MAJOR)
                        major = version_part(&g);
                else if (g.number == VERSION_MINOR)
                        minor = version_part(&g);
                else if (g.number == VERSION_SUBLEVEL)
                        sublevel = version_part(&g);
        } while (g.number);
        r->version = major * 10000 + minor * 100 + sublevel;
        return NULL;
}

static err *parse_field(const struct protobuf_field *f, struct checkpoint_criu_reply *r)
{
        switch (f->number) {
        case RESP_TYPE:
                r->type = (enum checkpoint_criu_type)protobuf_int32(f);
                return NULL;
        case RESP_SUCCESS:
                r->success = protobuf_int32(f);
                return NULL;
        case RESP_RESTORE:
                return parse_restore(f, r);
        case RESP_NOTIFY:
                return parse_notify(f, r);
        case RESP_ERRNO:
                r->errnum = protobuf_int32(f);
                return NULL;
        case RESP_FEATURES:
                return parse_features(f, r);
        case RESP_ERRMSG:
                return replace_text(f, &r->message);
        case RESP_VERSION:
                return parse_version(f, r);
        default:
                return NULL;
        }
}

err *checkpoint_criu_parse(const void *data, size_t size, struct checkpoint_criu_reply *ret)
{
        _cleanup_criu_reply_ struct checkpoint_criu_reply r = {.fd = -1};
        struct protobuf p = {data, size};
        struct protobuf_field f;

        do {
                TRY(protobuf_next(&p, &f));
                TRY(parse_field(&f, &r));
        } while (f.number);
        *ret = r;
        r = (struct checkpoint_criu_reply){.fd = -1};
        return NULL;
}

void checkpoint_criu_reply_done(struct checkpoint_criu_reply *r)
{
        free(r->message);
        free(r->script);
        (void)file_close(r->fd);
}

static const char *type_name(enum checkpoint_criu_type type)
{
        switch (type) {
        case CRIU_DUMP:
                return "DUMP";
        case CRIU_RESTORE:
                return "RESTORE";
        case CRIU_PRE_DUMP:
                return "PRE_DUMP";
        case CRIU_NOTIFY:
                return "NOTIFY";
        case CRIU_FEATURE_CHECK:
                return "FEATURE_CHECK";
        case CRIU_VERSION:
                return "VERSION";
        default:
                return "EMPTY";
        }
}

err *checkpoint_criu_error(const struct checkpoint_criu_reply *r)
{
        const char *message = r->message ? r->message : "";

        return err_new(ERR_SYS, "criu failed: type %s errno %d%s%.*s", type_name(r->type), r->errnum,
                       *message ? ": " : "", (int)strcspn(message, "\n"), message);
}

/* ---- the program ---- */

/* criu's path as root of this machine has installed it, in memory of its own. */
static err *find(char path[64])
{
        for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
                struct stat st;

                (void)snprintf(path, 64, "%s/criu", directories[i]);
                if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0111)
                        return NULL;
        }
        return err_new(ERR_UNSUPPORTED, "criu executable not found in %s: checkpoint and restore need CRIU",
                       env_path + strlen("PATH="));
}

/* ---- between clone and exec ---- */

/* The container's root file system where criu looks for it, and only criu. */
static int show_root(const struct checkpoint_criu_start *how)
{
        if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return -errno;
        return move_mount(how->root_tree, "", AT_FDCWD, how->root_place, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

/* The same directories in this mount namespace. */
static int reopen_dirs(struct checkpoint_criu_start *how)
{
        for (size_t i = 0; i < how->n_dirs; i++) {
                int fd = open(how->dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                struct stat before, now;

                if (fd < 0 || fstat(fd, &now) < 0 || fstat(how->extra_fds[i], &before) < 0)
                        return -errno;
                if (before.st_dev != now.st_dev || before.st_ino != now.st_ino)
                        return -ESTALE;
                how->extra_fds[i] = fd;
        }
        return 0;
}

/* criu takes the maker of its socket for the one whose descriptors a request names: that is us, soon criu. */
static int make_socket(int *control)
{
        int pair[2];
        ssize_t n;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        n = fdpass_send(*control, "", 1, pair[0]);
        (void)file_close(pair[0]);
        *control = pair[1];
        return n < 0 ? (int)n : 0;
}

static int place_fds(const struct checkpoint_criu_start *how, int socket)
{
        int fds[EXTRA_FD + CRIU_EXTRA_FDS_MAX], n = EXTRA_FD + (int)how->n_extra_fds;

        for (int i = 0; i < n; i++) {
                int from = i == SOCKET_FD  ? socket
                           : i >= EXTRA_FD ? how->extra_fds[i - EXTRA_FD]
                           : how->stdio    ? how->stdio[i]
                                           : open("/dev/null", O_RDWR | O_CLOEXEC);

                fds[i] = fcntl(from, F_DUPFD, HIGH_FD);
                if (fds[i] < 0)
                        return -errno;
        }
        for (int i = 0; i < n; i++)
                if (dup2(fds[i], i) < 0)
                        return -errno;
        return syscall(SYS_close_range, n, ~0u, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

static int become_container(struct checkpoint_criu_start *how, int *socket)
{
        int r = show_root(how);

        if (r == 0)
                r = reopen_dirs(how);
        if (r == 0)
                r = make_socket(socket);
        if (r == 0)
                r = cgroup_join_self(how->cgroup_fds, how->n_cgroup_fds);
        if (r == 0 && how->keyring)
                r = keyring_join_session(how->keyring);
        return r;
}

_noreturn_ static void become(struct checkpoint_criu_start how, const char *path, int socket)
{
        static char name[] = "criu", mode[] = "swrk", number[] = "3";
        char *const argv[] = {name, mode, number, NULL}, *const envp[] = {env_path, NULL};
        sigset_t none;

        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        if ((!how.for_restore || become_container(&how, &socket) == 0) && place_fds(&how, socket) == 0)
                (void)execve(path, argv, envp);
        _exit(126);
}

/* ---- the conversation ---- */

/* From the process that is about to become criu. */
static err *take_socket(struct checkpoint_criu *c)
{
        int fd = -1;
        char nothing;

        if (fdpass_receive(c->socket, &nothing, 1, &fd) != 1 || fd < 0)
                return err_new(ERR_SYS, "starting criu: the mount namespace could not be made");
        (void)file_close(c->socket);
        c->socket = fd;
        return NULL;
}

err *checkpoint_criu_start(const struct checkpoint_criu_start *how, struct checkpoint_criu *ret)
{
        _cleanup_close_ int ours = -1, theirs = -1;
        char path[64];
        int pair[2], pidfd = -1;
        pid_t pid;

        TRY(find(path));
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_sys(errno, "making a socket pair");
        ours = pair[0];
        theirs = pair[1];
        pid = process_clone(CLONE_CLEAR_SIGHAND | (how->for_restore ? (uint64_t)CLONE_NEWNS : 0), -1, &pidfd);
        if (pid < 0)
                return err_sys(-pid, "starting %s", path);
        if (pid == 0)
                become(*how, path, theirs);
        *ret = (struct checkpoint_criu){TAKE_FD(ours), pidfd};
        theirs = file_close(theirs);
        return how->for_restore ? take_socket(ret) : NULL;
}

err *checkpoint_criu_send(const struct checkpoint_criu *c, const struct str *request)
{
        ssize_t n;

        TRY(str_done(request));
        n = fdpass_send(c->socket, str_text(request), request->len, -1);
        /* Gone already: why, the next receive finds out. */
        return n < 0 && n != -EPIPE && n != -ECONNRESET ? err_sys((int)-n, "speaking with criu") : NULL;
}

static err *ended(const struct checkpoint_criu *c)
{
        siginfo_t info = {0};

        if (process_wait(c->pidfd, END_WAIT_MS) == 0 &&
            waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOWAIT) == 0 && info.si_code == CLD_EXITED)
                return err_new(ERR_SYS, "criu failed: it ended without an answer (exit status %d)", info.si_status);
        if (info.si_code)
                return err_new(ERR_SYS, "criu failed: it ended without an answer (signal %d)", info.si_status);
        return err_new(ERR_SYS, "criu failed: it hung up without an answer");
}

err *checkpoint_criu_receive(const struct checkpoint_criu *c, struct checkpoint_criu_reply *ret)
{
        _cleanup_free_ char *buf = malloc(MESSAGE_MAX);
        _cleanup_close_ int fd = -1;
        ssize_t n;

        if (!buf)
                return err_nomem();
        n = fdpass_receive(c->socket, buf, MESSAGE_MAX, &fd);
        if (n == 0 || n == -ECONNRESET)
                return ended(c);
        if (n < 0)
                return err_sys((int)-n, "listening to criu");
        TRY_WRAP(checkpoint_criu_parse(buf, (size_t)n, ret), "unable to parse the response of criu");
        ret->fd = TAKE_FD(fd);
        return NULL;
}

err *checkpoint_criu_answer(const struct checkpoint_criu *c, bool success)
{
        _cleanup_str_ struct str s = {0};

        protobuf_add_uint(&s, REQ_TYPE, CRIU_NOTIFY);
        protobuf_add_bool(&s, REQ_NOTIFY_SUCCESS, success);
        return checkpoint_criu_send(c, &s);
}

err *checkpoint_criu_end(struct checkpoint_criu *c, int *status)
{
        int ignored, r;

        c->socket = file_close(c->socket);
        if (process_wait(c->pidfd, END_WAIT_MS) < 0)
                (void)process_signal(c->pidfd, SIGKILL);
        r = process_reap(c->pidfd, status ? status : &ignored);
        c->pidfd = file_close(c->pidfd);
        return r < 0 ? err_sys(-r, "waiting for criu") : NULL;
}

void checkpoint_criu_done(struct checkpoint_criu *c)
{
        if (c->pidfd >= 0)
                err_free(checkpoint_criu_end(c, NULL));
        c->socket = file_close(c->socket);
}

/* ---- questions ---- */

static err *ask(const struct str *request, struct checkpoint_criu_reply *ret)
{
        _cleanup_criu_ struct checkpoint_criu c = {-1, -1};
        struct checkpoint_criu_start how = {0};

        TRY(checkpoint_criu_start(&how, &c));
        TRY(checkpoint_criu_send(&c, request));
        TRY(checkpoint_criu_receive(&c, ret));
        return ret->success ? NULL : checkpoint_criu_error(ret);
}

err *checkpoint_criu_check_version(int min)
{
        _cleanup_criu_reply_ struct checkpoint_criu_reply r = {.fd = -1};
        _cleanup_str_ struct str s = {0};

        protobuf_add_uint(&s, REQ_TYPE, CRIU_VERSION);
        TRY_WRAP(ask(&s, &r), "CRIU version check failed");
        if (r.version < min)
                return err_new(ERR_UNSUPPORTED, "CRIU version %d must be %d or higher", r.version, min);
        return NULL;
}

err *checkpoint_criu_check_features(bool mem_track, bool lazy_pages)
{
        _cleanup_criu_reply_ struct checkpoint_criu_reply r = {.fd = -1};
        _cleanup_str_ struct str s = {0}, features = {0};
        bool no_mem, no_lazy;

        if (mem_track)
                protobuf_add_bool(&features, FEATURES_MEM_TRACK, true);
        if (lazy_pages)
                protobuf_add_bool(&features, FEATURES_LAZY_PAGES, true);
        protobuf_add_uint(&s, REQ_TYPE, CRIU_FEATURE_CHECK);
        protobuf_add_message(&s, REQ_FEATURES, &features);
        TRY_WRAP(ask(&s, &r), "CRIU feature check failed");
        no_mem = mem_track && !r.mem_track;
        no_lazy = lazy_pages && !r.lazy_pages;
        if (no_mem || no_lazy)
                return err_new(ERR_UNSUPPORTED, "criu is missing features: [%s%s%s]", no_mem ? "MemTrack" : "",
                               no_mem && no_lazy ? " " : "", no_lazy ? "LazyPages" : "");
        return NULL;
}
