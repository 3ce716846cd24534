/* checkpoint.c - checkpoint, restore. */
#include "runtime/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/path.h"
#include "hodrun/bundle.h"
#include "hodrun/hodrun.h"
#include "hodrun/io.h"
#include "sys/ns.h"
#include "sys/process.h"

#define PLACE "criu-root"

struct criu_args {
        /* of both */
        const char *image_path, *work_path, *cgroups_mode, *network_lock;
        bool tcp_established, tcp_close, ext_unix_sk, shell_job, lazy_pages, file_locks, auto_dedup;
        char **empty_ns;
        /* checkpoint */
        const char *parent_path, *page_server;
        bool leave_running, tcp_skip_in_flight, link_remap, pre_dump;
        int64_t status_fd;
        /* restore */
        const char *bundle, *pid_file, *console_socket, *lsm_profile, *lsm_mount_context;
        bool detach, keep, no_subreaper, no_pivot;
};

#define CRIU_OPTS                                                                                                      \
        OPT_STR(0, "image-path", struct criu_args, image_path, "string",                                               \
                "path to the directory of criu's image files", .complete = OPT_COMPLETE_DIR),                          \
                OPT_STR(0, "work-path", struct criu_args, work_path, "string",                                         \
                        "path to the directory of work files and logs", .complete = OPT_COMPLETE_DIR),                 \
                OPT_FLAG(0, "tcp-established", struct criu_args, tcp_established, "allow open tcp connections"),       \
                OPT_FLAG(0, "ext-unix-sk", struct criu_args, ext_unix_sk, "allow external unix sockets"),              \
                OPT_FLAG(0, "shell-job", struct criu_args, shell_job, "allow shell jobs"),                             \
                OPT_FLAG(0, "lazy-pages", struct criu_args, lazy_pages,                                                \
                         "use userfaultfd to lazily restore memory pages"),                                            \
                OPT_FLAG(0, "file-locks", struct criu_args, file_locks, "handle file locks, for safety"),              \
                OPT_STR(0, "manage-cgroups-mode", struct criu_args, cgroups_mode, "string",                            \
                        "cgroups mode: soft|full|strict|ignore (default: soft)"),                                      \
                OPT_STR(0, "network-lock", struct criu_args, network_lock, "string",                                   \
                        "how to lock the network: iptables|nftables|skip (default: criu's)"),                          \
                OPT_LIST(0, "empty-ns", struct criu_args, empty_ns, "string",                                          \
                         "create a namespace, but don't restore its properties"),                                      \
                OPT_FLAG(0, "auto-dedup", struct criu_args, auto_dedup, "enable auto deduplication of memory images")

static const struct opt checkpoint_opts[] = {
        CRIU_OPTS,
        OPT_STR(0, "parent-path", struct criu_args, parent_path, "string",
                "path for previous criu image files in pre-dump, relative to the image path",
                .complete = OPT_COMPLETE_DIR),
        OPT_FLAG(0, "leave-running", struct criu_args, leave_running, "leave the process running after checkpointing"),
        OPT_FLAG(0, "tcp-skip-in-flight", struct criu_args, tcp_skip_in_flight, "skip in-flight tcp connections"),
        OPT_FLAG(0, "link-remap", struct criu_args, link_remap, "allow one to link unlinked files back when possible"),
        OPT_INT(0, "status-fd", struct criu_args, status_fd, "descriptor that gets a NUL byte once lazy-pages is ready",
                .def = "-1", .min = -1, .max = 1 << 20),
        OPT_STR(0, "page-server", struct criu_args, page_server, "string", "ADDRESS:PORT of the page server"),
        OPT_FLAG(0, "pre-dump", struct criu_args, pre_dump,
                 "dump container's memory information only, leave the container running after this"),
        OPT_END};

static const struct opt restore_opts[] = {
        CRIU_OPTS,
        OPT_FLAG(0, "tcp-close", struct criu_args, tcp_close, "restore tcp connections as closed ones"),
        OPT_STR('b', "bundle", struct criu_args, bundle, "string", "path to the root of the bundle directory",
                .complete = OPT_COMPLETE_DIR),
        OPT_FLAG('d', "detach", struct criu_args, detach, "detach from the container's process"),
        OPT_FLAG(0, "keep", struct criu_args, keep, "do not delete the container after it exits"),
        OPT_STR(0, "pid-file", struct criu_args, pid_file, "string", "specify the file to write the process id to",
                .complete = OPT_COMPLETE_FILE),
        OPT_STR(0, "console-socket", struct criu_args, console_socket, "string",
                "path to an AF_UNIX socket which will receive the master end of the console's pseudoterminal",
                .complete = OPT_COMPLETE_FILE),
        OPT_FLAG(0, "no-subreaper", struct criu_args, no_subreaper,
                 "disable the use of the subreaper used to reap reparented processes"),
        OPT_FLAG(0, "no-pivot", struct criu_args, no_pivot, "do not use pivot root to jail process inside rootfs"),
        OPT_STR(0, "lsm-profile", struct criu_args, lsm_profile, "string",
                "LSM profile to be used during restore in the form of TYPE:NAME"),
        OPT_STR(0, "lsm-mount-context", struct criu_args, lsm_mount_context, "string",
                "LSM mount context to be used during restore"),
        OPT_END};

/* ---- options ---- */

/* Descriptors that checkpoint_options only borrows. */
struct directories {
        int image, work;
        char *log_dir;
};

static void directories_done(struct directories *d)
{
        (void)file_close(d->image);
        (void)file_close(d->work);
        free(d->log_dir);
}

static err *open_dir(const char *path, bool make, int *ret)
{
        _cleanup_free_ char *cwd = *path == '/' ? str_dup("") : getcwd(NULL, 0);
        _cleanup_free_ char *full = cwd ? str_format("%s/%s", cwd, path) : NULL, *clean = NULL;
        int r = 0;

        if (!full)
                return err_sys(errno, "getcwd");
        TRY(path_clean(full, &clean));
        if (make) {
                _cleanup_close_ int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

                r = file_mkdir_p(top, clean, 0700, NULL);
        }
        if (r < 0)
                return err_sys(-r, "mkdir %s", clean);
        *ret = open(clean, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return *ret < 0 ? err_sys(errno, "open %s", clean) : NULL;
}

/* @make: also the one for images, which restore only reads. */
static err *open_directories(const struct criu_args *a, bool make, struct directories *d)
{
        const char *image = str_empty(a->image_path) ? "checkpoint" : a->image_path;
        err *e = open_dir(image, make, &d->image);

        if (e && !make && err_errno(e) == ENOENT) { /* runc's words */
                _cleanup_free_ char *cwd = *image == '/' ? NULL : getcwd(NULL, 0);

                err_free(e);
                return err_new(ERR_NOT_FOUND, "open %s%s%s/descriptors.json: no such file or directory", cwd ? cwd : "",
                               cwd ? "/" : "", image);
        }
        if (e)
                return e;
        if (!str_empty(a->work_path))
                TRY(open_dir(a->work_path, true, &d->work));
        d->log_dir = str_dup(d->work >= 0 ? a->work_path : image);
        return d->log_dir ? NULL : err_nomem();
}

/* ADDRESS:PORT, [ADDRESS]:PORT */
static err *parse_page_server(const char *text, char **ret_address, int *ret_port)
{
        const char *colon = strrchr(text, ':');
        size_t n = colon ? (size_t)(colon - text) : 0;
        int64_t port;

        if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
                text++;
                n -= 2;
        } else if (memchr(text, ':', n)) {
                n = 0;
        }
        if (!n || !colon[1])
                return err_new(ERR_INVALID, "Use --page-server ADDRESS:PORT to specify page server");
        if (!parse_i64(colon + 1, &port) || port < 1 || port > 65535)
                return err_new(ERR_INVALID, "Invalid port number");
        *ret_address = str_format("%.*s", (int)n, text);
        *ret_port = (int)port;
        return *ret_address ? NULL : err_nomem();
}

static err *check_status_fd(int fd)
{
        int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);

        if (flags < 0)
                return err_sys(errno, "invalid --status-fd argument %d", fd);
        if (fd >= 0 && (flags & O_ACCMODE) == O_RDONLY)
                return err_new(ERR_INVALID, "invalid --status-fd argument %d: not writable", fd);
        return NULL;
}

static err *check_parent(const char *parent, int image)
{
        struct stat st;

        if (str_empty(parent))
                return NULL;
        if (*parent == '/')
                return err_new(ERR_INVALID, "--parent-path must be relative");
        if (fstatat(image, parent, &st, 0) < 0)
                return err_sys(errno, "invalid --parent-path: stat %s", parent);
        return S_ISDIR(st.st_mode) ? NULL : err_sys(ENOTDIR, "invalid --parent-path: %s", parent);
}

static err *common_options(const struct criu_args *a, const struct directories *d, struct checkpoint_options *o)
{
        *o = (struct checkpoint_options){
                .image_fd = d->image,
                .work_fd = d->work,
                .log_dir = d->log_dir,
                .tcp_established = a->tcp_established,
                .tcp_close = a->tcp_close,
                .ext_unix_sk = a->ext_unix_sk,
                .shell_job = a->shell_job,
                .file_locks = a->file_locks,
                .auto_dedup = a->auto_dedup,
                .lazy_pages = a->lazy_pages,
                .empty_ns = CLONE_NEWNET, /* devices and addresses of a network namespace are not ours to restore */
                .warn = hodrun_warn,
                .status_fd = -1,
                .root_place = -1,
        };
        for (char **ns = a->empty_ns; ns && *ns; ns++)
                if (!str_eq(*ns, "network"))
                        return err_new(ERR_INVALID, "namespace \"%s\" is not supported", *ns);
        TRY(checkpoint_network_lock_parse(a->network_lock, &o->network_lock));
        return checkpoint_cgroups_parse(a->cgroups_mode, &o->cgroups);
}

static void warn_rootless(const char *command)
{
        if (geteuid() != 0)
                hodrun_warn("hodrun %s is untested with rootless containers", command);
}

/* ---- checkpoint ---- */

static err *dump(const struct criu_args *a, struct state *s, struct checkpoint_options *o)
{
        _cleanup_close_ int pidfd = state_pidfd(s);
        _cleanup_free_ char *address = NULL;
        struct checkpoint_container c = {.id = s->id,
                                         .spec = s->spec,
                                         .bundle = s->bundle,
                                         .rootfs = s->rootfs,
                                         .cgroup = s->cgroup,
                                         .pid = s->pid,
                                         .pidfd = pidfd};

        if (pidfd < 0)
                return err_new(ERR_NOT_RUNNING, "container not running");
        o->leave_running = a->leave_running;
        o->tcp_skip_in_flight = a->tcp_skip_in_flight;
        o->link_remap = a->link_remap;
        o->pre_dump = a->pre_dump;
        o->parent = str_empty(a->parent_path) ? NULL : a->parent_path;
        o->status_fd = a->lazy_pages ? (int)a->status_fd : -1;
        o->stdio = s->stdio;
        if (!str_empty(a->page_server))
                TRY(parse_page_server(a->page_server, &address, &o->page_server_port));
        o->page_server = address;
        if (a->lazy_pages)
                TRY(check_status_fd(o->status_fd));
        return checkpoint_dump(&c, o);
}

static err *checkpoint_run(struct invocation *inv)
{
        const struct criu_args *a = inv->args;
        _cleanup_(directories_done) struct directories d = {-1, -1, NULL};
        _cleanup_state_ struct state *s = NULL;
        struct checkpoint_options o;
        enum state_status status;
        err *e;

        warn_rootless("checkpoint");
        TRY(state_open(hodrun_root(inv), inv->operands[0], true, &s));
        status = state_status(s);
        if (status != STATE_RUNNING && status != STATE_PAUSED)
                return err_new(ERR_CONFLICT, "Container cannot be checkpointed in %s state", state_status_name(status));
        TRY(open_directories(a, true, &d));
        TRY(check_parent(a->parent_path, d.image));
        TRY(common_options(a, &d, &o));
        TRY(state_load_spec(s));
        TRY(dump(a, s, &o));
        if (a->leave_running || a->pre_dump)
                return NULL;
        e = state_destroy(s);
        if (e) {
                char text[1024];

                hodrun_warn("%s", err_text(e, text, sizeof(text)));
        }
        return err_free(e);
}

/* ---- restore ---- */

static err *on_restored(void *data, pid_t pid)
{
        return state_set_process(data, pid);
}

/* criu restores into a time namespace, so that clocks go on where they stopped: exec has to enter it, too. */
static err *remember_time_ns(struct state *s, pid_t pid)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_json_ json *j = NULL;
        struct stat ours, theirs;
        char path[40];
        json *ns;
        int r;

        (void)snprintf(path, sizeof(path), "/proc/%d/ns/time", (int)pid);
        if (stat("/proc/self/ns/time", &ours) < 0 || stat(path, &theirs) < 0 || ours.st_ino == theirs.st_ino)
                return NULL;
        TRY(json_read(s->dirfd, "config.json", &j));
        ns = json_sub_array(json_sub_object(j, "linux"), "namespaces");
        for (size_t i = 0; i < json_len(ns); i++)
                if (str_eq(json_get_str(json_at(ns, i), "type"), "time"))
                        return NULL;
        json *entry = json_new_object();
        json_set_str(entry, "type", "time");
        json_add(ns, entry);
        TRY(json_print(j, JSON_COMPACT, &text));
        r = file_replace(s->dirfd, "config.json", text, strlen(text), 0600, FILE_VOLATILE);
        return r < 0 ? err_sys(-r, "keeping config.json") : NULL;
}

static err *make_place(struct state *s, int *ret)
{
        if (mkdirat(s->dirfd, PLACE, 0700) < 0 && errno != EEXIST)
                return err_sys(errno, "making %s", PLACE);
        *ret = openat(s->dirfd, PLACE, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return *ret < 0 ? err_sys(errno, "opening %s", PLACE) : NULL;
}

static err *restore_process(const struct criu_args *a, struct state *s, const struct bundle *b,
                            struct checkpoint_options *o, struct runtime_process *ret)
{
        _cleanup_close_ int place = -1;
        struct checkpoint_container c = {.id = s->id,
                                         .spec = b->spec,
                                         .bundle = b->path,
                                         .rootfs = s->rootfs,
                                         .cgroup = s->cgroup,
                                         .unit = s->unit.name ? &s->unit : NULL,
                                         .pidfd = -1};

        TRY(make_place(s, &place));
        o->lsm_profile = a->lsm_profile;
        o->lsm_mount_context = a->lsm_mount_context;
        for (int i = 0; i < 3; i++)
                o->stdio_fds[i] = i;
        o->root_place = place;
        o->restored = on_restored;
        o->data = s;
        TRY(checkpoint_restore(&c, o, ret));
        (void)unlinkat(s->dirfd, PLACE, AT_REMOVEDIR);
        return NULL;
}

static err *announce(const struct criu_args *a, struct state *s, const struct runtime_process *p)
{
        TRY(remember_time_ns(s, p->pid));
        TRY(hodrun_pid_file(a->pid_file, p->pid));
        if (str_empty(a->console_socket))
                return NULL;
        if (p->terminal_fd < 0)
                return err_new(ERR_SYS, "the checkpoint has no terminal for the console socket");
        return io_send_fd(a->console_socket, "/dev/pts/ptmx", p->terminal_fd);
}

static err *bring_back(struct invocation *inv, struct checkpoint_options *o, struct state **ret_state,
                       struct runtime_process *ret)
{
        const struct criu_args *a = inv->args;
        _cleanup_(runtime_process_done) struct runtime_process p = {.pidfd = -1, .terminal_fd = -1};
        _cleanup_bundle_ struct bundle b = {.fd = -1};
        _cleanup_state_ struct state *s = NULL;
        err *e;

        TRY(bundle_open(a->bundle, NULL, NULL, &b));
        TRY(bundle_check_terminal(b.spec, a->console_socket, a->detach));
        TRY(state_create(hodrun_root(inv), inv->operands[0], &s));
        e = bundle_remember(&b, hodrun_systemd(inv), s);
        if (!e)
                e = restore_process(a, s, &b, o, &p);
        if (e) {
                err_free(state_remove(s)); /* the runtime has undone the rest */
                return e;
        }
        e = announce(a, s, &p);
        if (e) {
                (void)process_signal(p.pidfd, SIGKILL);
                err_free(state_destroy(s));
                return e;
        }
        *ret_state = TAKE_PTR(s);
        *ret = p;
        p = (struct runtime_process){.pidfd = -1, .terminal_fd = -1};
        return NULL;
}

static err *end_of_restore(struct state *s)
{
        err *e = state_lock(s);

        if (e && err_code(e) == ERR_NOT_FOUND)
                return err_free(e); /* `delete --force` was faster */
        return e ? e : state_destroy(s);
}

static err *restore_run(struct invocation *inv)
{
        const struct criu_args *a = inv->args;
        _cleanup_(directories_done) struct directories d = {-1, -1, NULL};
        _cleanup_(runtime_process_done) struct runtime_process p = {.pidfd = -1, .terminal_fd = -1};
        _cleanup_state_ struct state *s = NULL;
        struct checkpoint_options o;

        warn_rootless("restore");
        TRY(state_check_id(inv->operands[0]));
        if (a->no_pivot)
                hodrun_warn("--no-pivot has no effect: criu changes the root itself");
        TRY(open_directories(a, false, &d));
        TRY(common_options(a, &d, &o));
        if (!a->detach) {
                if (!a->no_subreaper)
                        (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
                TRY(io_block_signals());
        }
        TRY(bring_back(inv, &o, &s, &p));
        if (a->detach)
                return NULL;
        state_unlock(s);
        TRY(io_foreground(&p, &inv->status));
        return a->keep ? NULL : end_of_restore(s);
}

const struct command cmd_checkpoint = {
        .name = "checkpoint",
        .operands = "<container-id>",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Checkpoint a running container",
        .opts = checkpoint_opts,
        .args_size = sizeof(struct criu_args),
        .run = checkpoint_run,
};
const struct command cmd_restore = {
        .name = "restore",
        .operands = "<container-id>",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Restore a container from a previous checkpoint",
        .opts = restore_opts,
        .args_size = sizeof(struct criu_args),
        .run = restore_run,
};
