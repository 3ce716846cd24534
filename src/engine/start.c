/* start.c - see start.h. */
#include "engine/start.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/trace.h"
#include "engine/cleanup.h"
#include "engine/endpoints.h"
#include "engine/hostconfig.h"
#include "engine/links.h"
#include "engine/monitor_spawn.h"
#include "engine/netfiles.h"
#include "engine/seccomp_default.h"
#include "engine/specgen.h"
#include "engine/stop.h"
#include "monitor/conf.h"
#include "monitor/proto.h"
#include "store/snapshot.h"
#include "sys/ns.h"

/* Namespaces of other containers, found at every start because their processes change. */
struct joins {
        char *net, *ipc, *pid, *shm;
        char **donors; /* "pid start-time": the monitor sees that they are still the same when it has opened the paths
                        */
};

static void joins_done(struct joins *j)
{
        free(j->net);
        free(j->ipc);
        free(j->pid);
        free(j->shm);
        strv_free(j->donors);
}

static err *join_one(struct container *c, const char *mode, const char *what, const char *ns, char **ret,
                     struct joins *j)
{
        const char *ref = str_after(mode ? mode : "", "container:");
        _cleanup_container_ struct container *other = NULL;

        if (!ref)
                return NULL;
        TRY_WRAP(container_find(c->engine, ref, &other), "joining %s namespace of container", what);
        if (strcmp(other->id, c->id) == 0)
                return err_new(ERR_INVALID, "cannot join own %s namespace", what);
        if (!container_is_running(other))
                return err_new(ERR_CONFLICT, "cannot join %s namespace of a non running container: container %s is %s",
                               what, other->name, status_state_name(other->state));
        if (strcmp(ns, "ipc") == 0) {
                const char *ipc = json_get_str_or(container_host_config(other), "IpcMode", "");

                if (strcmp(ipc, "shareable") != 0 && strcmp(ipc, "host") != 0)
                        return err_new(ERR_CONFLICT,
                                       "failed to join IPC namespace: container %s: non-shareable IPC (hint: use "
                                       "IpcMode:shareable for the donor container)",
                                       other->id);
        }
        if (strcmp(ns, "pid") == 0)
                TRY(status_share(other->state_fd, STATUS_SHARED_PID));
        if (strcmp(ns, "net") == 0)
                TRY(status_share(other->state_fd, STATUS_SHARED_NET));
        *ret = str_format("/proc/%d/ns/%s", other->status.pid, ns);
        if (strcmp(ns, "ipc") == 0)
                j->shm = str_format("/proc/%d/root/dev/shm", other->status.pid);
        if (!*ret || (strcmp(ns, "ipc") == 0 && !j->shm))
                return err_nomem();
        return strv_push(&j->donors,
                         str_format("%d %llu", other->status.pid, (unsigned long long)other->status.pid_start));
}

/* Is it the namespace @ns that @other has for itself? */
static bool has_net(const struct container *other, const struct stat *ns)
{
        const char *mode = json_get_str_or(container_host_config(other), "NetworkMode", "");
        struct stat st;
        char path[40];

        if (!container_is_running(other) || other->state_fd < 0 || !endpoints_mode_is_own(mode))
                return false;
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)other->status.pid);
        return stat(path, &st) == 0 && st.st_dev == ns->st_dev && st.st_ino == ns->st_ino;
}

/* A namespace that is given by its path may be that of a container. Whether it can be joined the monitor finds out. */
static err *join_path(struct container *c, const char *path, struct joins *j)
{
        _cleanup_container_list_ struct container_list all = {0};
        _cleanup_close_ int ns = -1;
        struct stat st;

        j->net = str_dup(path);
        if (!j->net)
                return err_nomem();
        err_free(ns_open(path, CLONE_NEWNET, &ns)); /* while it is open its number is nobody else's */
        if (ns < 0 || fstat(ns, &st) < 0)
                return NULL;
        TRY(container_list(c->engine, &all));
        for (size_t i = 0; i < all.n; i++)
                if (has_net(all.items[i], &st)) {
                        err *e = status_share(all.items[i]->state_fd, STATUS_SHARED_NET);

                        return err_errno(e) == ENOENT ? err_free(e) : e; /* it has just ended */
                }
        return NULL;
}

static err *find_joins(struct container *c, struct joins *j)
{
        const json *host = container_host_config(c);
        const char *path = str_after(json_get_str_or(host, "NetworkMode", ""), "ns:");

        if (path)
                TRY(join_path(c, path, j));
        TRY(join_one(c, json_get_str(host, "NetworkMode"), "network", "net", &j->net, j));
        TRY(join_one(c, json_get_str(host, "PidMode"), "PID", "pid", &j->pid, j));
        TRY(join_one(c, json_get_str(host, "IpcMode"), "IPC", "ipc", &j->ipc, j));
        return NULL;
}

static err *write_spec(struct container *c, int state_fd, struct monitor_conf *conf, char *const *env)
{
        struct trace_span span = trace_begin(TRACE_SPEC_WRITE);
        _cleanup_free_ char *cgroup = container_cgroup(c), *text = NULL;
        _cleanup_(joins_done) struct joins joins = {0};
        _cleanup_json_ json *spec = NULL;
        _cleanup_close_ int filters = open(conf->seccomp_cache, O_PATH | O_DIRECTORY | O_CLOEXEC);
        char seccomp_name[SECCOMP_DEFAULT_NAME_MAX] = "";
        struct specgen_start start;
        int r;

        if (!cgroup)
                return err_nomem();
        TRY(find_joins(c, &joins));
        start = (struct specgen_start){
                .net_path = joins.net,
                .ipc_path = joins.ipc,
                .pid_path = joins.pid,
                .shm_source = joins.shm,
                .cgroup = cgroup,
                .env = env,
                .root_path = conf->lower ? conf->lower[0] : "/",
                .init_path = json_get_bool(container_host_config(c), "Init", false) ? c->engine->init : NULL,
                .seccomp_fd = filters,
                .seccomp_name = seccomp_name,
        };
        TRY(specgen(c->record, &start, &spec));
        conf->donors = TAKE_PTR(joins.donors);
        conf->seccomp_name = str_dup(seccomp_name);
        if (!conf->seccomp_name)
                return err_nomem();
        TRY(json_print(spec, JSON_COMPACT, &text));
        r = file_replace(state_fd, "config.json", text, strlen(text), 0600, FILE_VOLATILE);
        if (r < 0)
                return err_sys(r, "writing config.json of container %s", c->id);
        trace_end(&span, 0, "config.json");
        return NULL;
}

static err *conf_snapshot(struct container *c, struct monitor_conf *conf)
{
        const json *host = container_host_config(c);
        const char *rootfs = json_get_str(host, "Rootfs");
        struct snapshot snap = {0};

        if (rootfs) {
                conf->rootfs_driver = str_dup("dir");
                return strv_add(&conf->lower, rootfs);
        }
        TRY(snapshot_get(c->engine->store, c->id, json_get_str_or(c->record, "Image", ""), &snap));
        conf->rootfs_limited = json_len(json_get(host, "StorageOpt")) > 0;
        conf->rootfs_driver = str_dup(snap.driver);
        conf->lower = TAKE_PTR(snap.lower);
        conf->upper = TAKE_PTR(snap.upper);
        conf->work = TAKE_PTR(snap.work);
        snapshot_done(&snap);
        return conf->rootfs_driver ? NULL : err_nomem();
}

static err *write_conf(struct container *c, int state_fd, struct monitor_conf *conf)
{
        const json *config = container_config(c), *host = container_host_config(c);
        const json *policy = json_get(host, "RestartPolicy");
        const char *log = json_get_str_or(c->record, "LogPath", "");
        _cleanup_strv_ char **env = NULL;
        int number = 15;

        conf->version = STATUS_VERSION;
        conf->id = str_dup(c->id);
        conf->name = str_dup(c->name);
        conf->bundle = str_format("%s/containers/%s", c->engine->state, c->id);
        conf->log_path = str_dup(log);
        TRY(hostconfig_log_limits(host, &conf->log_max_size, &conf->log_max_files));
        conf->tty = json_get_bool(config, "Tty", false);
        conf->open_stdin = json_get_bool(config, "OpenStdin", false);
        conf->stdin_once = json_get_bool(config, "StdinOnce", false);
        TRY(json_get_strv(config, "Env", &env));
        conf->term_added = conf->tty && !strv_env(env, "TERM");
        conf->user = str_dup(json_get_str_or(config, "User", ""));
        TRY(json_get_strv(host, "GroupAdd", &conf->groups));
        TRY(json_get_strv(host, "Dns", &conf->dns));
        conf->rootfs_volatile = container_auto_remove(c);
        /* Not rootfs_readonly: mount points may have to be made first; the runtime protects the root at the end. */
        conf->restart_policy = str_dup(json_get_str_or(policy, "Name", "no"));
        conf->restart_max = (unsigned)json_get_int(policy, "MaximumRetryCount", 0);
        if (json_get_str(config, "StopSignal"))
                (void)parse_signal(json_get_str(config, "StopSignal"), &number);
        conf->stop_signal = number;
        conf->auto_remove = container_auto_remove(c);
        conf->hod = str_dup(c->engine->self);
        conf->root_dir = str_dup(c->engine->root);
        conf->state_dir = str_dup(c->engine->state);
        if (!conf->id || !conf->name || !conf->bundle || !conf->restart_policy || !conf->hod || !conf->root_dir ||
            !conf->state_dir)
                return err_nomem();
        return monitor_conf_write(state_fd, conf);
}

/* Everything on disk that the monitor needs. */
static err *prepare(struct container *c, int state_fd)
{
        _cleanup_(monitor_conf_done) struct monitor_conf conf = {0};
        _cleanup_close_ int rw = openat(c->engine->rw_fd, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        _cleanup_strv_ char **env = NULL, **hosts = NULL;
        _cleanup_json_ json *networks = NULL;
        struct netfiles files = {.record = c->record};

        if (rw < 0)
                return err_sys(errno, "opening the directory of container %s", c->id);
        TRY(conf_snapshot(c, &conf));
        conf.seccomp_cache = str_format("%s/seccomp", c->engine->state);
        if (!conf.seccomp_cache)
                return err_nomem();
        TRY(links_of(c, &env, &hosts));
        files.links = hosts;
        TRY(write_spec(c, state_fd, &conf, env));
        TRY(endpoints_attach(c, state_fd, &conf));
        TRY(endpoints_read(c, &networks));
        files.networks = json_get(networks, "Networks");
        TRY(netfiles_write(rw, &files));
        log_error_free(LOG_LEVEL_WARN, links_tell(c, files.networks)); /* no reason not to start */
        return write_conf(c, state_fd, &conf);
}

static err *ask_start(int fd, const struct start_options *o)
{
        struct proto_start start = {
                .flags = o->stay ? PROTO_START_CLEANUP : 0,
                .rows = o->rows,
                .cols = o->cols,
        };
        struct proto_attach attach = {.streams = o->streams, .rows = o->rows, .cols = o->cols};

        /* Attached before it starts, so that not one byte of output is missed. */
        if (o->streams)
                TRY(proto_send(fd, PROTO_ATTACH, &attach, sizeof(attach), NULL, 0));
        TRY(proto_send(fd, PROTO_START, &start, sizeof(start), &trace_fd, trace_fd >= 0));
        return proto_wait_started(fd, NULL, NULL);
}

#define OLD_MONITOR_MS 15000

/* End the last run of @c. *@lock is released: its directory is gone. The old monitor may still have the cgroup and the
 * root file system to take down, and its cleanup waits for our lock, so wait for it only then. @monitor: a connection
 * that keeps it from starting that cleanup, or -1. */
static err *end_last_run(struct container *c, bool keep, int *lock, int monitor)
{
        _cleanup_close_ int old = c->state_fd >= 0 ? status_open_lock(c->state_fd) : -1;

        TRY(keep ? cleanup_keep(c) : cleanup_locked(c));
        *lock = file_close(*lock);
        if (monitor >= 0)
                cleanup_tell(monitor);
        if (!status_wait_ended(old, OLD_MONITOR_MS))
                return err_new(ERR_BUSY, "the last monitor of container %s does not end", c->id);
        return NULL;
}

/* Lock the container and read it as it is now: others may have changed or removed it while we waited. */
static err *lock_fresh(struct container *c, bool fresh, int *ret_lock)
{
        _cleanup_close_ int lock = -1;
        err *e;

        TRY(container_lock(c, true, &lock));
        e = fresh ? container_refresh(c) : container_reload(c);
        if (err_code(e) == ERR_NOT_FOUND)
                (void)file_remove_tree(c->engine->containers_fd, c->id); /* which this lock has just made */
        TRY(e);
        *ret_lock = TAKE_FD(lock);
        return NULL;
}

static bool has_ended_run(const struct container *c)
{
        return c->dirty || (c->has_status && c->state == STATUS_EXITED);
}

/* Lock the container once nothing of its last run is left. Whoever held the lock before may have started and ended it
 * again, and its old monitor, which waits for the lock to clean up, must not meet a new one: so nothing that was read
 * before the lock counts. */
static err *lock_stopped(struct container *c, bool fresh, int *ret_lock)
{
        for (int tries = 0; tries < 100; tries++) {
                _cleanup_close_ int lock = -1;

                TRY(lock_fresh(c, fresh, &lock));
                if (container_is_alive(c))
                        return err_new(ERR_NOT_MODIFIED, "container %s is running already", c->id);
                if (!has_ended_run(c)) {
                        if (c->has_status) /* its monitor died while it made the container */
                                cleanup_cgroup(c);
                        *ret_lock = TAKE_FD(lock);
                        return NULL;
                }
                TRY(end_last_run(c, false, &lock, -1));
        }
        return err_new(ERR_BUSY, "container %s is started by others over and over", c->id);
}

err *start_container(struct container *c, const struct start_options *o, int *ret_fd)
{
        _cleanup_close_ int lock = -1, fd = -1;
        pid_t monitor = 0;
        err *e;

        TRY(lock_stopped(c, o->fresh, &lock));
        if (c->durable && !o->fresh)
                TRY(cleanup_mark_started(c));
        e = prepare(c, lock);
        if (!e)
                e = monitor_spawn(c->engine, c->id, lock, &fd, &monitor);
        if (!e)
                e = ask_start(fd, o);
        if (err_code(e) == ERR_TIMEOUT && monitor > 0)
                (void)kill(monitor, SIGKILL); /* our child: or it would go on some day, and nobody knows of that run */
        if (e) {
                cleanup_start_failed(c, e);
                return e;
        }
        if (ret_fd)
                *ret_fd = o->streams || o->stay ? TAKE_FD(fd) : -1;
        return NULL;
}

err *start_restart(struct container *c, int signal, int timeout_s)
{
        _cleanup_close_ int lock = -1, monitor = -1;
        struct start_options o = {0};
        err *e;

        TRY(lock_fresh(c, false, &lock));
        if (container_is_alive(c)) {
                TRY(stop_end(c, signal, timeout_s, &monitor));
                TRY(container_refresh(c));
        }
        if (has_ended_run(c))
                TRY(end_last_run(c, true, &lock, monitor));
        lock = file_close(lock);
        monitor = file_close(monitor);
        e = start_container(c, &o, NULL);
        /* Somebody else was faster: it has been restarted. */
        return err_code(e) == ERR_NOT_MODIFIED ? err_free(e) : e;
}
