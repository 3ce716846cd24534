/* checkpoint_restore.c - bringing a container back, see checkpoint.h.
 *
 * criu is started as the container shall be: in its cgroup, with a session keyring of its own, in a mount namespace
 * where only the root file system was added. The container's init becomes our child (a sibling of criu). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "codec/json.h"
#include "runtime/cgroup_ops.h"
#include "runtime/checkpoint_check.h"
#include "runtime/checkpoint_enforce.h"
#include "runtime/checkpoint_log.h"
#include "runtime/checkpoint_prepare.h"
#include "runtime/checkpoint_request.h"
#include "runtime/hooks.h"
#include "runtime/systemd_ops.h"
#include "sys/mountfd.h"
#include "sys/ns.h"
#include "sys/process.h"

#define VERSION_MIN 31600 /* notifications, external namespaces, LSM profiles */
#define LOG "restore.log"
#define KILL_WAIT_MS 10000
#define EXTRA_FD 4 /* of criu, see checkpoint_criu.h */
#define INHERIT_MAX 5

struct session {
        const struct checkpoint_container *c;
        const struct checkpoint_options *o;
        const struct cgroup_layout *layout;
        bool cgroup_made, unit_made, done;
        int cgroup_fds[CGROUP_HIERARCHIES_MAX];
        size_t n_cgroup_fds;
        char *place, *keyring;
        char **places; /* of the spec's mounts */
        int tree;
        json *descriptors;
        struct checkpoint_inherit inherit[INHERIT_MAX];
        size_t n_inherit;
        const char *dirs[2]; /* images, logs */
        char *image_path, *work_path;
        struct checkpoint_criu_start start;
        struct checkpoint_criu criu;
        pid_t pid;
        int pidfd, terminal_fd;
};

static void close_cgroup_fds(struct session *s)
{
        for (size_t i = 0; i < s->n_cgroup_fds; i++)
                (void)file_close(s->cgroup_fds[i]);
        s->n_cgroup_fds = 0;
}

static void session_end(struct session *s)
{
        int status;

        /* criu must not let run what it has restored: everything in the cgroup ends before it hears that we hang up. */
        if (!s->done && s->pidfd >= 0)
                (void)process_signal(s->pidfd, SIGKILL);
        if (!s->done && s->cgroup_made)
                err_free(cgroup_kill(s->layout, s->c->cgroup, SIGKILL));
        checkpoint_criu_done(&s->criu);
        if (!s->done && s->pidfd >= 0 && process_wait(s->pidfd, KILL_WAIT_MS) == 0)
                (void)process_reap(s->pidfd, &status);
        if (!s->done && s->unit_made)
                err_free(runtime_unit_stop(s->c->unit));
        if (!s->done && s->cgroup_made)
                err_free(runtime_cgroup_remove(s->c->cgroup, KILL_WAIT_MS));
        if (!s->done) {
                (void)file_close(s->pidfd);
                (void)file_close(s->terminal_fd);
        }
        close_cgroup_fds(s);
        for (size_t i = 0; i < s->start.n_extra_fds; i++)
                (void)file_close(s->start.extra_fds[i]);
        (void)file_close(s->start.root_tree);
        (void)file_close(s->tree);
        free(s->place);
        free(s->image_path);
        free(s->work_path);
        free(s->keyring);
        strv_free(s->places);
        json_free(s->descriptors);
}

/* ---- root file system ---- */

static err *path_of(int fd, char **ret)
{
        char link[40], path[4096];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return err_sys(errno, "readlink %s", link);
        path[n] = '\0';
        *ret = str_dup(path);
        return *ret ? NULL : err_nomem();
}

static err *clone_root(const struct checkpoint_container *c, int *ret)
{
        int fd = mountfd_clone(AT_FDCWD, c->rootfs, AT_RECURSIVE), r;

        if (fd == -ENOENT)
                return err_new(ERR_NOT_FOUND, "invalid rootfs: stat %s: no such file or directory", c->rootfs);
        if (fd < 0)
                return err_sys(-fd, "opening the root file system %s", c->rootfs);
        *ret = fd;
        r = mountfd_set(fd, AT_RECURSIVE, 0, 0, c->spec->linux_.rootfs_propagation & MS_SLAVE ? MS_SLAVE : MS_PRIVATE);
        return r < 0 ? err_sys(-r, "making the root file system %s private", c->rootfs) : NULL;
}

static err *prepare_root(struct session *s)
{
        TRY(path_of(s->o->root_place, &s->place));
        TRY(clone_root(s->c, &s->tree));
        TRY(checkpoint_prepare(s->c, s->tree, s->place, &s->places));
        TRY(clone_root(s->c, &s->start.root_tree)); /* again: now with the mount points */
        s->start.root_place = s->place;
        return NULL;
}

static const char *resolve(void *data, struct arena *a, const char *destination, bool *ret_is_dir)
{
        const struct session *s = data;
        const struct oci_spec *spec = s->c->spec;

        *ret_is_dir = false;
        for (size_t i = 0; i < spec->n_mounts; i++) {
                size_t n = strlen(destination);
                const char *d = spec->mounts[i].destination;

                if (strncmp(d, destination, n) == 0 && d[n + strspn(d + n, "/")] == '\0' && *s->places[i])
                        return arena_printf(a, "%s", s->places[i]);
        }
        return NULL;
}

/* ---- descriptors that criu inherits ---- */

static void inherit(struct session *s, const char *key, int fd)
{
        if (s->n_inherit < INHERIT_MAX)
                s->inherit[s->n_inherit++] = (struct checkpoint_inherit){key, fd};
}

/* Pipes that the container had as 0, 1 and 2 become ours. */
static err *read_descriptors(struct session *s)
{
        _cleanup_free_ char *dir = NULL;
        err *e = json_read(s->o->image_fd, "descriptors.json", &s->descriptors);

        if (e) {
                TRY(path_of(s->o->image_fd, &dir));
                if (err_code(e) != ERR_NOT_FOUND)
                        return err_wrap(e, "reading %s", dir);
                err_free(e);
                return err_new(ERR_NOT_FOUND, "open %s/descriptors.json: no such file or directory", dir);
        }
        TRY(json_expect(s->descriptors, JSON_ARRAY, "descriptors.json"));
        for (size_t i = 0; i < json_len(s->descriptors) && i < 3; i++) {
                const char *text = json_str(json_at(s->descriptors, i));

                if (text && str_starts(text, "pipe:"))
                        inherit(s, text, (int)i);
        }
        return NULL;
}

static err *inherit_namespace(struct session *s, enum oci_ns kind, const char *key)
{
        const struct oci_namespace *ns = &s->c->spec->linux_.ns[kind];
        int fd;

        if (!ns->present || !ns->path)
                return NULL;
        TRY(ns_open(ns->path, oci_ns_clone_flag(kind), &fd));
        inherit(s, key, EXTRA_FD + (int)s->start.n_extra_fds);
        s->start.extra_fds[s->start.n_extra_fds++] = fd;
        return NULL;
}

/* ---- cgroup ---- */

/* Devices at once, the other limits when criu, which works in this cgroup, is nearly done: they are not meant for it.
 */
static err *make_cgroup(struct session *s)
{
        const struct oci_resources *all = &s->c->spec->linux_.resources;
        struct oci_resources devices = {.devices = all->devices, .n_devices = all->n_devices};

        TRY(cgroup_layout_get(&s->layout));
        TRY(cgroup_ops_create(s->layout, s->c->cgroup, &devices, &s->cgroup_made));
        return cgroup_join_open(s->layout, s->c->cgroup, true, s->cgroup_fds, &s->n_cgroup_fds);
}

static err *set_limits(struct session *s)
{
        struct oci_resources rest = s->c->spec->linux_.resources;

        if (s->c->unit)
                return systemd_ops_enter(s->c->unit, s->layout, s->c->cgroup, s->c->spec, s->pid, &s->unit_made);
        rest.devices = NULL;
        rest.n_devices = 0;
        return cgroup_ops_apply(s->layout, s->c->cgroup, &rest);
}

/* ---- notifications ---- */

/* criu makes an empty network namespace: "lo" is down in it. */
static err *raise_loopback(struct session *s, pid_t pid)
{
        const struct oci_namespace *ns = &s->c->spec->linux_.ns[OCI_NS_NETWORK];
        _cleanup_close_ int net = -1, helper = -1;
        char path[40];
        int status = 0, r;

        if (!ns->present || ns->path || !(s->o->empty_ns & CLONE_NEWNET) || pid <= 0)
                return NULL;
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
        net = open(path, O_RDONLY | O_CLOEXEC);
        if (net < 0)
                return err_sys(errno, "opening %s", path);
        r = process_clone(0, -1, &helper);
        if (r == 0) {
                if (setns(net, CLONE_NEWNET) < 0)
                        _exit(errno);
                _exit(-ns_loopback_up());
        }
        if (r < 0)
                return err_sys(-r, "creating a process");
        (void)process_wait(helper, -1);
        r = process_reap(helper, &status);
        if (r < 0 || status)
                return err_sys(r < 0 ? -r : status >> 8, "bringing up the loopback device");
        return NULL;
}

static err *on_namespaces(struct session *s, pid_t pid)
{
        TRY(raise_loopback(s, pid));
        TRY(hooks_run(s->c->spec, OCI_HOOK_PRESTART, s->c->id, s->c->bundle, "creating", pid));
        return hooks_run(s->c->spec, OCI_HOOK_CREATE_RUNTIME, s->c->id, s->c->bundle, "creating", pid);
}

static err *on_restored(struct session *s, pid_t pid)
{
        if (s->pidfd >= 0 || pid <= 0)
                return err_new(ERR_SYS, "criu failed: it restored no process");
        s->pidfd = process_of(pid);
        if (s->pidfd < 0)
                return err_sys(-s->pidfd, "opening process %d", (int)pid);
        s->pid = pid;
        TRY(set_limits(s));
        return s->o->restored ? s->o->restored(s->o->data, pid) : NULL;
}

static err *on_resume(struct session *s)
{
        TRY(checkpoint_check(s->c, s->pid, process_pid(s->criu.pidfd)));
        return checkpoint_enforce(s->c, s->pid);
}

static err *on_notify(struct session *s, struct checkpoint_criu_reply *r)
{
        if (str_eq(r->script, "setup-namespaces"))
                return on_namespaces(s, r->pid);
        if (str_eq(r->script, "post-restore"))
                return on_restored(s, r->pid);
        if (str_eq(r->script, "pre-resume"))
                return on_resume(s);
        if (str_eq(r->script, "orphan-pts-master") && r->fd >= 0) {
                (void)file_close(s->terminal_fd);
                s->terminal_fd = TAKE_FD(r->fd);
        }
        return NULL;
}

static err *converse(struct session *s)
{
        for (;;) {
                _cleanup_criu_reply_ struct checkpoint_criu_reply r = {.fd = -1};

                TRY(checkpoint_criu_receive(&s->criu, &r));
                if (!r.success)
                        return checkpoint_criu_error(&r);
                if (r.type == CRIU_RESTORE)
                        return s->pidfd >= 0 ? NULL : on_restored(s, r.pid);
                if (r.type != CRIU_NOTIFY)
                        return err_new(ERR_SYS, "unable to parse the response of criu (type %d)", (int)r.type);
                TRY(on_notify(s, &r));
                TRY(checkpoint_criu_answer(&s->criu, true));
        }
}

/* ---- all of it ---- */

/* criu's descriptors 4 and 5. */
static err *add_directories(struct session *s)
{
        int from[2] = {s->o->image_fd, s->o->work_fd >= 0 ? s->o->work_fd : s->o->image_fd};

        TRY(path_of(from[0], &s->image_path));
        TRY(path_of(from[1], &s->work_path));
        s->dirs[0] = s->image_path;
        s->dirs[1] = s->work_path;
        s->start.dirs = s->dirs;
        for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
                int fd = fcntl(from[i], F_DUPFD_CLOEXEC, 3);

                if (fd < 0)
                        return err_sys(errno, "opening %s", s->dirs[i]);
                s->start.extra_fds[s->start.n_extra_fds++] = fd;
                s->start.n_dirs++;
        }
        return NULL;
}

static err *start_criu(struct session *s)
{
        struct checkpoint_options theirs = *s->o; /* with descriptors as criu has them */
        _cleanup_checkpoint_mounts_ struct checkpoint_mounts mounts = {.mount = NULL};
        _cleanup_str_ struct str request = {0};

        TRY(checkpoint_mounts_find(s->c, resolve, s, &mounts));
        theirs.image_fd = EXTRA_FD;
        theirs.work_fd = EXTRA_FD + 1;
        TRY(checkpoint_request_restore(s->c, &theirs, &mounts, s->place, s->inherit, s->n_inherit, &request));
        s->keyring = str_format("_ses.%s", s->c->id);
        if (!s->keyring)
                return err_nomem();
        s->start.keyring = s->keyring;
        s->start.stdio = s->o->stdio_fds;
        s->start.for_restore = true;
        s->start.cgroup_fds = s->cgroup_fds;
        s->start.n_cgroup_fds = s->n_cgroup_fds;
        TRY(checkpoint_criu_start(&s->start, &s->criu));
        close_cgroup_fds(s);
        return checkpoint_criu_send(&s->criu, &request);
}

static err *restore(struct session *s)
{
        int status;
        err *e;

        TRY(prepare_root(s));
        TRY(make_cgroup(s));
        TRY(start_criu(s));
        e = converse(s);
        if (!e)
                e = checkpoint_criu_end(&s->criu, &status);
        if (!e && status != 0)
                e = err_new(ERR_SYS, "criu failed: wait status %d", status);
        if (e)
                checkpoint_log_quote(s->o, LOG);
        return e;
}

err *checkpoint_restore(const struct checkpoint_container *c, const struct checkpoint_options *o,
                        struct runtime_process *ret)
{
        _cleanup_(session_end) struct session s = {
                .c = c, .o = o, .tree = -1, .start.root_tree = -1, .criu = {-1, -1}, .pidfd = -1, .terminal_fd = -1};
        char *cgroup;

        TRY(read_descriptors(&s));
        TRY(add_directories(&s));
        TRY(inherit_namespace(&s, OCI_NS_NETWORK, CHECKPOINT_NET_KEY));
        TRY(inherit_namespace(&s, OCI_NS_PID, CHECKPOINT_PID_KEY));
        TRY(checkpoint_criu_check_version(VERSION_MIN));
        TRY(restore(&s));
        cgroup = str_dup(c->cgroup);
        if (!cgroup)
                return err_nomem();
        s.done = true;
        *ret = (struct runtime_process){s.pid, s.pidfd, s.terminal_fd, cgroup};
        return NULL;
}
