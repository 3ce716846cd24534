/* plan.c - see plan.h: compiling a specification into a plan. */
#include "runtime/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/trace.h"
#include "runtime/hooks.h"
#include "runtime/seccomp_ops.h"
#include "runtime/userns.h"
#include "sys/device.h"
#include "sys/lsm.h"
#include "sys/ns.h"
#include "sys/process.h"

#define KEEP_GROUPS "run.oci.keep_original_groups" /* crun's annotation */
#define PROC_ROOT_INODE 1                          /* PROC_ROOT_INO of the kernel */

const char *plan_step_text(unsigned step)
{
        static const char *const text[] = {
#define STEP(id, words) [PLAN_STEP_##id] = words,
                PLAN_STEPS(STEP)
#undef STEP
        };

        return step < PLAN_STEP_MAX_ ? text[step] : text[PLAN_STEP_NONE];
}

int plan_own_fd(struct plan *p, int fd)
{
        int *more;

        if (fd < 0)
                return fd;
        if ((p->n_fds & 31) == 0) {
                more = realloc(p->fds, (p->n_fds + 32) * sizeof(*more));
                if (!more) {
                        p->arena.failed = true;
                        return file_close(fd);
                }
                p->fds = more;
        }
        return p->fds[p->n_fds++] = fd;
}

void plan_done(struct plan *p)
{
        for (size_t i = 0; i < p->n_fds; i++)
                (void)file_close(p->fds[i]);
        free(p->fds);
        for (size_t i = 0; i < p->n_cgroup_fds; i++)
                (void)file_close(p->cgroup_fds[i]);
        seccomp_filter_done(&p->seccomp);
        arena_done(&p->arena);
        *p = (struct plan){0};
}

void plan_clear(struct plan *p)
{
        *p = (struct plan){
                .rootfs_fd = -1, .join_all_pidfd = -1, .pid_ns_fd = -1, .proc_fd = -1, .start_fd = -1, .socket = -1};
        p->root_place = p->user_fd = p->delegate_fd = p->hook_out[0] = p->hook_out[1] = -1;
        for (int i = 0; i < 3; i++)
                p->process.stdio[i] = -1;
}

/* A procfs that nobody can have mounted anything over: a detached clone, without what is mounted below, of the host's.
 * Through it the child reaches its own files (self/...) and the parameters of its own namespaces (sys/...): both depend
 * on who asks, not on where it is mounted. The container's own procfs is never written to by us. */
/* @whole: without what may be mounted on files of /proc (sysctls need that; /proc/self nobody mounts on, and the child
 * refuses to cross a mount). A clone costs 0.2 ms in the end: the kernel waits for an RCU grace period when it goes. */
err *plan_open_proc(struct plan *p, bool whole)
{
        struct statfs fs;
        struct stat st;
        int fd = whole ? mountfd_clone(AT_FDCWD, "/proc", AT_SYMLINK_NOFOLLOW)
                       : open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd == -EPERM && p->rootless)
                fd = file_openat2(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, 0);
        /* EINVAL: our root is no mount of our namespace (chroot into a detached mount): make a new procfs. */
        if (fd < 0)
                fd = mountfd_new(&(struct mount_fs){.type = "proc", .source = "proc"}, -1, NULL, 0);
        if (fd < 0)
                return err_sys(-fd, "opening /proc");
        p->proc_fd = plan_own_fd(p, fd);
        TRY(arena_check(&p->arena));
        if (fstatfs(p->proc_fd, &fs) < 0 || fstat(p->proc_fd, &st) < 0)
                return err_sys(errno, "examining /proc");
        if (fs.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INODE)
                return err_new(ERR_UNSAFE_PATH, "/proc is not the root of a proc file system");
        return NULL;
}

/* Which file are we? The container must not execute it, see child_start.c. */
static void know_self(struct plan *p)
{
        struct stat st;

        if (stat("/proc/self/exe", &st) == 0) {
                p->self_dev = st.st_dev;
                p->self_ino = st.st_ino;
        }
}

static err *set_time_offsets(struct plan *p, const struct oci_linux *l)
{
        const struct {
                const char *name;
                bool set;
                long long secs;
                unsigned nanosecs;
        } clocks[] = {
                {"monotonic", l->monotonic.set, l->monotonic.secs, l->monotonic.nanosecs},
                {"boottime", l->boottime.set, l->boottime.secs, l->boottime.nanosecs},
        };

        for (size_t i = 0; i < ARRAY_SIZE(clocks); i++)
                if (clocks[i].set)
                        p->time_offsets =
                                arena_printf(&p->arena, "%s%s %lld %u\n", p->time_offsets ? p->time_offsets : "",
                                             clocks[i].name, clocks[i].secs, clocks[i].nanosecs);
        return arena_check(&p->arena);
}

static err *set_namespaces(struct plan *p, const struct oci_spec *s)
{
        for (unsigned i = 0; i < OCI_NS_MAX_; i++) {
                const struct oci_namespace *ns = &s->linux_.ns[i];
                int flag = oci_ns_clone_flag((enum oci_ns)i), fd;

                if (!ns->present)
                        continue;
                p->has_mount |= i == OCI_NS_MOUNT;
                if (!ns->path) {
                        p->new_net |= i == OCI_NS_NETWORK;
                        p->new_user |= i == OCI_NS_USER;
                        p->new_mount |= i == OCI_NS_MOUNT;
                        /* The cgroup namespace is made by the child when it is in its cgroup; a time namespace takes
                         * its offsets before anybody is in it: both not by clone. */
                        p->new_cgroup |= i == OCI_NS_CGROUP;
                        p->new_time |= i == OCI_NS_TIME;
                        if (i != OCI_NS_CGROUP && i != OCI_NS_TIME)
                                p->clone_flags |= (uint64_t)(unsigned)flag;
                        continue;
                }
                TRY(ns_open(ns->path, flag, &fd));
                if (i == OCI_NS_PID || i == OCI_NS_USER) {
                        *(i == OCI_NS_PID ? &p->pid_ns_fd : &p->user_fd) = plan_own_fd(p, fd);
                        TRY(arena_check(&p->arena));
                        continue;
                }
                p->join[p->n_join].fd = plan_own_fd(p, fd);
                p->join[p->n_join].flag = flag;
                p->join[p->n_join++].name = oci_ns_name((enum oci_ns)i);
                TRY(arena_check(&p->arena));
        }
        /* To join other namespaces takes privilege that is lost in the user namespace, and to make new ones inside of
         * it one has to be there first. */
        p->split = p->user_fd >= 0 || (p->new_user && (p->n_join || p->pid_ns_fd >= 0));
        p->lower_mount = p->new_mount && (p->new_user || p->user_fd >= 0 || p->rootless);
        if (p->user_fd >= 0 && (s->linux_.uid_map.n || s->linux_.gid_map.n))
                return userns_check(p->user_fd, &s->linux_.uid_map, &s->linux_.gid_map);
        return NULL;
}

static err *add_device(struct plan *p, const struct plan_device *d)
{
        struct plan_device *to = &p->devices[p->n_devices++];
        const char *name = str_after(d->path, "/dev/");
        int fd;

        *to = *d;
        to->tree_fd = -1;
        if (name && *name && !strchr(name, '/') && !str_eq(name, "..") && !str_eq(name, "."))
                to->name = name;
        if ((!p->new_user && p->user_fd < 0 && !p->rootless) || S_ISFIFO(d->mode))
                return NULL;
        /* A user namespace may not make devices: bind the host's of the same name. */
        fd = mountfd_clone(AT_FDCWD, d->path, 0);
        to->bind = fd == -EPERM && p->lower_mount;
        if (to->bind)
                return NULL;
        if (fd < 0)
                return err_sys(-fd, "opening device %s of the host", d->path);
        to->tree_fd = plan_own_fd(p, fd);
        return arena_check(&p->arena);
}

/* The devices of the specification, then the default ones that it does not describe itself. */
static err *set_devices(struct plan *p, const struct oci_linux *l)
{
        p->devices = ARENA_NEW(&p->arena, struct plan_device, l->n_devices + device_n_defaults);
        TRY(arena_check(&p->arena));
        for (size_t i = 0; i < l->n_devices; i++) {
                const struct oci_device *d = &l->devices[i];
                mode_t type = d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;

                TRY(add_device(p, &(struct plan_device){.path = d->path,
                                                        .mode = type | (d->mode & 07777),
                                                        .major = d->major,
                                                        .minor = d->minor,
                                                        .uid = d->uid,
                                                        .gid = d->gid}));
        }
        for (size_t i = 0; i < device_n_defaults; i++) {
                const struct device *d = &device_defaults[i];
                bool given = false;

                for (size_t k = 0; k < l->n_devices; k++)
                        given |= str_eq(l->devices[k].path, d->path);
                if (!given)
                        TRY(add_device(
                                p, &(struct plan_device){
                                           .path = d->path, .mode = d->mode, .major = d->major, .minor = d->minor}));
        }
        return arena_check(&p->arena);
}

/* "net.ipv4.ip_forward" and "net/ipv4/conf/eth0.1/forwarding": the first separator decides which one it is (sysctl(8)).
 */
static err *set_sysctls(struct plan *p, const struct oci_linux *l)
{
        p->sysctls = ARENA_NEW(&p->arena, struct plan_sysctl, l->n_sysctl);
        TRY(arena_check(&p->arena));
        for (size_t i = 0; i < l->n_sysctl; i++) {
                const char *key = l->sysctl[i].key;
                char *path = arena_printf(&p->arena, "sys/%s", key);
                bool dots;

                TRY(arena_check(&p->arena));
                dots = key[strcspn(key, "./")] == '.';
                for (char *c = path; dots && *c; c++) {
                        if (c < path + 4)
                                continue;
                        *c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
                }
                if (strstr(path, "/../") || strstr(path, "//") || str_ends(path, "/.."))
                        return err_new(ERR_INVALID, "sysctl \"%s\" is not a name", key);
                p->sysctls[p->n_sysctls++] = (struct plan_sysctl){path, l->sysctl[i].value};
        }
        return NULL;
}

/* @env: of those that have none of their own; NULL = empty. */
static err *set_hooks(struct plan *p, const struct oci_hooks *from, char *const *env, struct plan_hook **ret,
                      size_t *ret_n)
{
        struct plan_hook *hooks = ARENA_NEW(&p->arena, struct plan_hook, from->n);

        TRY(arena_check(&p->arena));
        for (size_t i = 0; i < from->n; i++) {
                const struct oci_hook *h = &from->hook[i];
                char **argv = h->args;
                char *const *envp = h->env ? h->env : env;

                if (!argv) {
                        argv = ARENA_NEW(&p->arena, char *, 2);
                        TRY(arena_check(&p->arena));
                        argv[0] = (char *)(uintptr_t)h->path;
                }
                if (!envp)
                        envp = ARENA_NEW(&p->arena, char *, 1);
                TRY(arena_check(&p->arena));
                hooks[i] = (struct plan_hook){h->path, argv, envp, -1, (unsigned)i};
                if (h->timeout.set)
                        hooks[i].timeout_ms = h->timeout.n > 2000000 ? 2000000000 : (int)(h->timeout.n * 1000);
        }
        *ret = hooks;
        *ret_n = from->n;
        return NULL;
}

static void warn_personality(char *const *flags)
{
        _cleanup_free_ char *list = flags ? strv_join(flags, " ") : NULL;

        if (list)
                log_warn("ignoring unsupported personality flags: [%s] because personality flag has not supported at "
                         "this time",
                         list);
}

static err *check_annotations(const struct oci_spec *s)
{
        for (size_t i = 0; i < s->n_annotations; i++)
                TRY(oci_spec_annotation_check(s->annotations[i].key, s->annotations[i].value));
        return NULL;
}

static err *open_hook_output(struct plan *p, const struct oci_spec *s)
{
        int fds[2];

        if (!s->hooks[OCI_HOOK_CREATE_CONTAINER].n && !s->hooks[OCI_HOOK_START_CONTAINER].n)
                return NULL;
        TRY(hooks_open_output(s, fds));
        for (int i = 0; i < 2; i++)
                p->hook_out[i] = plan_own_fd(p, fds[i]);
        return arena_check(&p->arena);
}

static err *set_container(struct plan *p, const struct runtime_request *r)
{
        const struct oci_spec *s = r->spec;

        p->hostname = s->hostname;
        p->domainname = s->domainname;
        p->masked = s->linux_.masked_paths;
        p->readonly = s->linux_.readonly_paths;
        p->personality_set = s->linux_.personality_set;
        p->personality = s->linux_.personality;
        p->memory_policy = s->linux_.memory_policy;
        p->has_cpus = s->linux_.resources.cpu.cpus;
        if (!str_empty(s->linux_.mount_label) && !lsm_selinux_enabled())
                return err_new(ERR_UNSUPPORTED,
                               "mountLabel is specified in config, but selinux is disabled or not supported");
        warn_personality(s->linux_.personality_flags);
        if (s->linux_.resources.memory.kernel.set || s->linux_.resources.memory.kernel_tcp.set)
                log_warn("Kernel memory settings are ignored and will be removed");
        TRY(check_annotations(s));
        TRY(open_hook_output(p, s));
        p->process.keep_groups = oci_spec_annotation(s, KEEP_GROUPS);
        if (!r->no_new_keyring)
                p->keyring = arena_printf(&p->arena, "_ses.%s", r->id);
        TRY(set_sysctls(p, &s->linux_));
        TRY(set_devices(p, &s->linux_));
        TRY(set_hooks(p, &s->hooks[OCI_HOOK_CREATE_CONTAINER], NULL, &p->hooks_container, &p->n_hooks_container));
        /* Nobody says so, but runc's hooks have always found the container's environment there. */
        TRY(set_hooks(p, &s->hooks[OCI_HOOK_START_CONTAINER], p->process.envp, &p->hooks_start, &p->n_hooks_start));
        p->hooks_runtime = s->hooks[OCI_HOOK_PRESTART].n || s->hooks[OCI_HOOK_CREATE_RUNTIME].n ||
                           s->linux_.n_net_devices || r->network;
        return arena_check(&p->arena);
}

/* Where a filter may be, in order: known already; under the name of the caller's, instead of a profile or for it. */
struct filter_source {
        struct seccomp_known *known;
        const char *cache, *name;
};

static err *find_filter(struct plan *p, const struct oci_spec *spec, const struct filter_source *from)
{
        const struct oci_seccomp *s = spec->linux_.seccomp;

        if (from->known && from->known->found) {
                p->seccomp = from->known->filter;
                from->known->filter = (struct seccomp_filter){.insns = NULL};
                return NULL;
        }
        if (!s)
                return seccomp_filter_load_as(NULL, from->cache, from->name, &p->seccomp);
        TRY(seccomp_ops_load(s, from->cache, from->name, &p->seccomp));
        if (from->known && from->cache)
                seccomp_ops_keep(spec, from->known, from->cache, &p->seccomp);
        return NULL;
}

static err *load_seccomp(struct plan *p, const struct oci_spec *spec, const struct filter_source *from)
{
        struct trace_span span = trace_begin(TRACE_SECCOMP_LOAD);
        err *e;

        if (!spec->linux_.seccomp && !from->name && !(from->known && from->known->found))
                return NULL;
        e = find_filter(p, spec, from);
        p->seccomp_set = !e;
        if (!e)
                log_debug("seccomp filter flags: %u", seccomp_install_flags(&p->seccomp));
        trace_end(&span, e ? EINVAL : 0, p->seccomp.from_cache ? "from the cache" : "compiled");
        return err_wrap(e, "preparing the system call filter");
}

/* What only a user namespace makes possible for who is not root; in runc's words. */
static err *check_rootless(const struct oci_spec *s)
{
        const struct oci_namespace *user = &s->linux_.ns[OCI_NS_USER];

        if (geteuid() == 0)
                return NULL;
        if (!user->present)
                return err_new(ERR_INVALID, "rootless container requires user namespaces");
        if (!user->path && !s->linux_.uid_map.n)
                return err_new(ERR_INVALID, "rootless containers requires at least one UID mapping");
        if (!user->path && !s->linux_.gid_map.n)
                return err_new(ERR_INVALID, "rootless containers requires at least one GID mapping");
        return NULL;
}

err *plan_for_create(struct plan *p, const struct runtime_request *r)
{
        const struct oci_spec *s = r->spec;

        plan_clear(p);
        if (!s->process)
                return err_new(ERR_INVALID, "process property must not be empty");
        p->id = r->id;
        p->preserve_fds = r->preserve_fds;
        p->no_pivot = r->no_pivot;
        p->start_fd = r->start_fd;
        p->rootless = ns_is_rootless();
        TRY(check_rootless(s));
        TRY(set_namespaces(p, s));
        TRY(set_time_offsets(p, &s->linux_));
        /* Whoever is in there might trace us (reference/security.md 4.3, step 10). With a FIFO to wait in, the host's
         * /proc has to stay open, and a kernel before 6.17 mounts a procfs of another namespace than ours for nobody:
         * no stages are possible then. */
        p->stages = p->pid_ns_fd >= 0 && !p->new_user && !p->split && p->start_fd < 0 &&
                    mountfd_proc_takes_pidns(p->pid_ns_fd);
        if (!p->has_mount && (s->linux_.masked_paths || s->linux_.readonly_paths))
                return err_new(ERR_INVALID, "unable to restrict sys entries without a private MNT namespace");
        TRY(plan_set_process(p, s->process, r->stdio, r->fix_stdio_owner));
        p->process.relayed = r->relayed;
        TRY(plan_open_proc(p, s->linux_.n_sysctl > 0));
        know_self(p);
        TRY(set_container(p, r));
        TRY(seccomp_ops_check_names(s));
        TRY(load_seccomp(p, s, &(struct filter_source){r->seccomp_known, r->seccomp_cache, r->seccomp_name}));
        p->open_to_parent = p->seccomp.notify && geteuid() != 0 && (p->stages || p->clone_flags & CLONE_NEWPID);
        return NULL;
}

/* May processes of the container look into ours? Capabilities of a user namespace of its own do not reach us. */
static bool may_trace(const struct runtime_exec *x)
{
        const struct oci_process *init = x->spec->process;
        uint64_t traces = (uint64_t)1 << CAP_SYS_PTRACE | (uint64_t)1 << CAP_SYS_ADMIN;

        if (x->spec->linux_.ns[OCI_NS_USER].present || !x->spec->linux_.ns[OCI_NS_PID].present)
                return false;
        return x->shared_pid || x->spec->linux_.ns[OCI_NS_PID].path || !init || init->caps.bounding & traces ||
               x->process->caps.bounding & traces;
}

/* A container without a mount namespace is only chrooted: its root is found through its init. */
static err *open_root_of(struct plan *p, const struct runtime_exec *x)
{
        char path[32];
        int fd;

        (void)snprintf(path, sizeof(path), "%d/root", (int)x->pid);
        fd = openat(p->proc_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(errno, "opening the root of process %d", (int)x->pid);
        p->rootfs_fd = plan_own_fd(p, fd);
        /* Still the same process: then it was its root. */
        if (process_signal(x->pidfd, 0) < 0)
                return err_new(ERR_NOT_RUNNING, "the container is not running");
        return arena_check(&p->arena);
}

err *plan_for_exec(struct plan *p, const struct runtime_exec *x)
{
        plan_clear(p);
        p->exec = true;
        p->preserve_fds = x->preserve_fds;
        p->join_all_pidfd = x->pidfd;
        for (unsigned i = 0; i < OCI_NS_MAX_; i++) {
                int flag = oci_ns_clone_flag((enum oci_ns)i);

                if (x->spec->linux_.ns[i].present && i != OCI_NS_PID)
                        p->join_all_flags |= flag;
        }
        p->has_mount = x->spec->linux_.ns[OCI_NS_MOUNT].present;
        p->new_user = x->spec->linux_.ns[OCI_NS_USER].present;
        p->rootless = ns_is_rootless();
        /* Who is not root may enter the PID namespace from inside the user namespace only. */
        p->stages = may_trace(x) || (p->rootless && x->spec->linux_.ns[OCI_NS_PID].present);
        p->keyring = x->keyring;
        TRY(plan_set_process(p, x->process, x->stdio, x->fix_stdio_owner));
        p->process.relayed = x->relayed;
        TRY(plan_open_proc(p, false));
        if (!p->has_mount)
                TRY(open_root_of(p, x));
        know_self(p);
        p->personality_set = x->spec->linux_.personality_set;
        p->personality = x->spec->linux_.personality;
        p->memory_policy = x->spec->linux_.memory_policy;
        p->has_cpus = x->spec->linux_.resources.cpu.cpus;
        p->process.keep_groups = oci_spec_annotation(x->spec, KEEP_GROUPS);
        TRY(load_seccomp(p, x->spec, &(struct filter_source){x->seccomp_known, x->seccomp_cache, x->seccomp_name}));
        p->open_to_parent = p->seccomp.notify && geteuid() != 0;
        p->stages |= p->open_to_parent;
        return NULL;
}
