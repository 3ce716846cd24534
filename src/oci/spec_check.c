/* spec_check.c - what several fields together must fulfil; see oci_spec_check(). The words are runc's where it has any.
 */
#include <linux/mempolicy.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/str.h"
#include "oci/spec.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

#define BAD(...) return err_new(ERR_INVALID, __VA_ARGS__)

static bool has_ns(const struct oci_spec *s, enum oci_ns ns)
{
        return s->linux_.ns[ns].present;
}

/* ---- process ---- */

static err *check_rlimits(const struct oci_process *p)
{
        for (size_t i = 0; i < p->n_rlimits; i++) {
                const struct oci_rlimit *l = &p->rlimits[i];

                if (l->soft > l->hard)
                        BAD("process.rlimits[%zu]: soft limit is above the hard limit", i);
                for (size_t k = 0; k < i; k++)
                        if (p->rlimits[k].resource == l->resource)
                                BAD("process.rlimits[%zu]: duplicated rlimit", i);
        }
        return NULL;
}

static err *check_scheduler(const struct oci_scheduler *s)
{
        if (!s->set)
                return NULL;
        /* Other policies have no use for it; as runc, and the kernel, that is no error. */
        if ((s->policy == SCHED_OTHER || s->policy == SCHED_BATCH) && (s->nice < -20 || s->nice > 19))
                BAD("invalid scheduler.nice: %d when scheduler.policy is %s", s->nice,
                    s->policy == SCHED_OTHER ? "SCHED_OTHER" : "SCHED_BATCH");
        if (s->priority && s->policy != SCHED_FIFO && s->policy != SCHED_RR)
                BAD("scheduler.priority can only be specified for SchedFIFO or SchedRR policy");
        if ((s->runtime || s->deadline || s->period) && s->policy != SCHED_DEADLINE)
                BAD("scheduler runtime/deadline/period can only be specified for SchedDeadline policy");
        return NULL;
}

err *oci_process_check(const struct oci_process *p)
{
        if (!p->args)
                BAD("args must not be empty");
        if (!p->cwd)
                BAD("Cwd property must not be empty");
        if (*p->cwd != '/')
                BAD("Cwd must be an absolute path");
        if (p->user.uid == UINT32_MAX || p->user.gid == UINT32_MAX)
                BAD("process.user: id 4294967295 cannot be used");
        for (size_t i = 0; i < p->user.n_groups; i++)
                if (p->user.groups[i] == UINT32_MAX)
                        BAD("process.user.additionalGids: id 4294967295 cannot be used");
        for (size_t i = 0; p->env && p->env[i]; i++)
                if (*p->env[i] == '=' || !strchr(p->env[i], '='))
                        BAD("process.env[%zu]: must be NAME=VALUE", i);
        TRY(check_rlimits(p));
        return check_scheduler(&p->scheduler);
}

static unsigned count_bits(const struct oci_bitmap *b)
{
        unsigned n = 0;

        for (size_t i = 0; i < b->size / sizeof(*b->bits); i++)
                n += (unsigned)__builtin_popcountl(b->bits[i]);
        return n;
}

static err *check_memory_policy(const struct oci_memory_policy *m)
{
        unsigned n = count_bits(&m->nodes);

        switch (m->mode & ~(MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING)) {
        case MPOL_DEFAULT:
        case MPOL_LOCAL:
                if (n)
                        BAD("memory policy mode requires 0 nodes but got %u", n);
                return NULL;
        case MPOL_PREFERRED:
                return NULL;
        default:
                if (!n)
                        BAD("memory policy mode requires at least one node but got 0");
                return NULL;
        }
}

/* ---- ids ---- */

static err *check_idmap(const struct oci_idmaps *m, const char *what)
{
        if (m->n > 340)
                BAD("%s: more than 340 entries", what);
        for (size_t i = 0; i < m->n; i++) {
                const struct oci_idmap *a = &m->map[i];

                if (!a->size || (uint64_t)a->container + a->size > UINT32_MAX ||
                    (uint64_t)a->host + a->size > UINT32_MAX)
                        BAD("%s[%zu]: bad size", what, i);
                for (size_t k = 0; k < i; k++) {
                        const struct oci_idmap *b = &m->map[k];

                        if ((a->container < b->container + b->size && b->container < a->container + a->size) ||
                            (a->host < b->host + b->size && b->host < a->host + a->size))
                                BAD("%s[%zu]: overlaps another entry", what, i);
                }
        }
        return NULL;
}

static bool id_mapped(const struct oci_idmaps *m, uint32_t id)
{
        for (size_t i = 0; i < m->n; i++)
                if (id >= m->map[i].container && id - m->map[i].container < m->map[i].size)
                        return true;
        return false;
}

static err *check_user_namespace(const struct oci_spec *s)
{
        const struct oci_linux *l = &s->linux_;
        const struct oci_process *p = s->process;

        TRY(check_idmap(&l->uid_map, "linux.uidMappings"));
        TRY(check_idmap(&l->gid_map, "linux.gidMappings"));
        if (!has_ns(s, OCI_NS_USER)) {
                if (l->uid_map.n || l->gid_map.n)
                        BAD("user namespace mappings specified, but user namespace isn't enabled in the config");
                return NULL;
        }
        if (l->ns[OCI_NS_USER].path)
                return NULL; /* its maps decide */
        if (!l->uid_map.n || !l->gid_map.n)
                BAD("user namespaces enabled, but no %s mappings found", l->uid_map.n ? "gid" : "uid");
        if (!id_mapped(&l->uid_map, 0) || !id_mapped(&l->gid_map, 0))
                BAD("linux.uidMappings and gidMappings must map id 0 of the container");
        if (p && !id_mapped(&l->uid_map, p->user.uid))
                BAD("cannot setuid to unmapped uid %u in user namespace", p->user.uid);
        if (p && !id_mapped(&l->gid_map, p->user.gid))
                BAD("cannot setgid to unmapped gid %u in user namespace", p->user.gid);
        for (size_t i = 0; p && i < p->user.n_groups; i++)
                if (!id_mapped(&l->gid_map, p->user.groups[i]))
                        BAD("cannot set additional gid %u: unmapped in user namespace", p->user.groups[i]);
        return NULL;
}

/* ---- namespaces ---- */

/* As the kernel's dev_valid_name(). @pattern: also "eth%d", for which it finds a number. */
static bool net_device_name_valid(const char *name, bool pattern)
{
        const char *percent = strchr(name, '%');
        size_t n = strlen(name);

        if (n == 0 || n > 15 || str_eq(name, ".") || str_eq(name, "..") || strpbrk(name, "/: \t\n\v\f\r"))
                return false;
        return !percent || (pattern && percent[1] == 'd' && !strchr(percent + 1, '%'));
}

static err *check_net_devices(const struct oci_spec *s)
{
        const struct oci_linux *l = &s->linux_;

        if (l->n_net_devices && !has_ns(s, OCI_NS_NETWORK))
                BAD("unable to move network devices without a NET namespace");
        for (size_t i = 0; i < l->n_net_devices; i++) {
                const struct oci_net_device *d = &l->net_devices[i];

                if (!net_device_name_valid(d->host_name, false))
                        BAD("invalid network device name \"%.100s\"", d->host_name);
                if (d->name && !net_device_name_valid(d->name, true))
                        BAD("invalid network device name \"%.100s\"", d->name);
        }
        return NULL;
}

static err *check_namespaces(const struct oci_spec *s)
{
        const struct oci_linux *l = &s->linux_;

        for (int i = 0; i < OCI_NS_MAX_; i++)
                if (l->ns[i].path && *l->ns[i].path != '/')
                        BAD("linux.namespaces: path of the %s namespace must be absolute", oci_ns_name(i));
        if (s->hostname && !has_ns(s, OCI_NS_UTS))
                BAD("unable to set hostname without a private UTS namespace");
        if (s->domainname && !has_ns(s, OCI_NS_UTS))
                BAD("unable to set domainname without a private UTS namespace");
        if ((s->hostname && strlen(s->hostname) > 64) || (s->domainname && strlen(s->domainname) > 64))
                BAD("hostname and domainname may have at most 64 characters");
        if ((l->masked_paths || l->readonly_paths) && !has_ns(s, OCI_NS_MOUNT))
                BAD("unable to restrict sys entries without a private MNT namespace");
        if ((l->monotonic.set || l->boottime.set) && !has_ns(s, OCI_NS_TIME))
                BAD("time namespace offsets specified, but time namespace isn't enabled in the config");
        if ((l->monotonic.set || l->boottime.set) && l->ns[OCI_NS_TIME].path)
                BAD("time namespace enabled, but both namespace path and time offsets specified -- you may only "
                    "provide "
                    "one");
        return check_net_devices(s);
}

/* ---- sysctls ---- */

bool oci_sysctl_path(const char *key, char *ret, size_t size)
{
        size_t n = strlen(key), first = strcspn(key, "./"), component = 0;
        char separator = key[first];

        if (n == 0 || n >= size || n > 255)
                return false;
        for (size_t i = 0; i <= n; i++) {
                char c = key[i];

                if (c == separator || !c) {
                        const char *start = ret + i - component;

                        if (component == 0 || (component == 1 && *start == '.') ||
                            (component == 2 && start[0] == '.' && start[1] == '.'))
                                return false;
                        component = 0;
                        ret[i] = c ? '/' : '\0';
                        continue;
                }
                if (c == '/')
                        c = '.'; /* only after a dot as separator: part of a name such as eth0.1 */
                ret[i] = c;
                component++;
        }
        return true;
}

static bool is_host_netns(const char *path)
{
        struct stat a, b;

        return stat(path, &a) == 0 && stat("/proc/self/ns/net", &b) == 0 && a.st_dev == b.st_dev &&
               a.st_ino == b.st_ino;
}

/* Which namespace a sysctl belongs to; OCI_NS_MAX_ for the ones of the whole machine. */
static enum oci_ns sysctl_namespace(const char *path)
{
        static const char *const ipc[] = {"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
                                          "kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced"};

        for (size_t i = 0; i < ARRAY_SIZE(ipc); i++)
                if (str_eq(path, ipc[i]))
                        return OCI_NS_IPC;
        if (str_starts(path, "fs/mqueue/"))
                return OCI_NS_IPC;
        if (str_starts(path, "net/"))
                return OCI_NS_NETWORK;
        if (str_starts(path, "user/"))
                return OCI_NS_USER;
        if (str_eq(path, "kernel/domainname"))
                return OCI_NS_UTS;
        return OCI_NS_MAX_;
}

static err *check_sysctls(const struct oci_spec *s)
{
        for (size_t i = 0; i < s->linux_.n_sysctl; i++) {
                const char *key = s->linux_.sysctl[i].key;
                enum oci_ns ns;
                char path[256];

                if (!oci_sysctl_path(key, path, sizeof(path)))
                        BAD("sysctl \"%.100s\" is not a valid name", key);
                if (str_eq(path, "kernel/hostname"))
                        BAD("sysctl \"%s\" is not allowed as it conflicts with the OCI \"hostname\" field", key);
                ns = sysctl_namespace(path);
                if (ns == OCI_NS_IPC && !has_ns(s, ns))
                        BAD("sysctl \"%s\" is not allowed in the hosts ipc namespace", key);
                if (ns == OCI_NS_NETWORK && !has_ns(s, ns))
                        BAD("sysctl \"%s\" not allowed in host network namespace", key);
                if (ns == OCI_NS_USER && !has_ns(s, ns))
                        BAD("setting ucounts without a user namespace not allowed: %s", key);
                if (ns == OCI_NS_MAX_ || !has_ns(s, ns))
                        BAD("sysctl \"%s\" is not in a separate kernel namespace", key);
                if (ns == OCI_NS_UTS && s->domainname)
                        BAD("sysctl \"%s\" is not allowed as it conflicts with the OCI \"domainname\" field", key);
                if (ns == OCI_NS_NETWORK && s->linux_.ns[ns].path && is_host_netns(s->linux_.ns[ns].path))
                        BAD("sysctl \"%s\" not allowed in host network namespace", key);
        }
        return NULL;
}

/* ---- mounts, paths, devices, hooks ---- */

static err *check_mounts(const struct oci_spec *s)
{
        for (size_t i = 0; i < s->n_mounts; i++) {
                const struct oci_mount *m = &s->mounts[i];
                bool mapped = m->uid_map.n || m->gid_map.n;

                if (!m->destination)
                        BAD("mounts[%zu]: has no destination", i);
                if (m->options.is_bind && !m->source)
                        BAD("mounts[%zu] (%.200s): a bind mount needs a source", i, m->destination);
                if (!m->options.is_bind && !m->type && !(m->options.flags & MS_REMOUNT) && !m->options.propagation)
                        BAD("mounts[%zu] (%.200s): has no type", i, m->destination);
                if (m->uid_map.n && !m->gid_map.n)
                        BAD("mounts[%zu] (%.200s): uidMappings without gidMappings", i, m->destination);
                if (m->gid_map.n && !m->uid_map.n)
                        BAD("mounts[%zu] (%.200s): gidMappings without uidMappings", i, m->destination);
                if ((mapped || m->options.idmap) && !m->options.is_bind)
                        BAD("mounts[%zu] (%.200s): only bind mounts can be id-mapped", i, m->destination);
                if (m->options.idmap && !mapped && !has_ns(s, OCI_NS_USER))
                        BAD("mounts[%zu] (%.200s): idmap needs uidMappings and gidMappings or a user namespace", i,
                            m->destination);
                TRY_WRAP(check_idmap(&m->uid_map, "uidMappings"), "mounts[%zu]", i);
                TRY_WRAP(check_idmap(&m->gid_map, "gidMappings"), "mounts[%zu]", i);
        }
        return NULL;
}

static err *check_absolute(char *const *list, const char *what)
{
        for (size_t i = 0; list && list[i]; i++)
                if (*list[i] != '/')
                        BAD("%s[%zu]: \"%.200s\" is not an absolute path", what, i, list[i]);
        return NULL;
}

static err *check_hooks(const struct oci_spec *s)
{
        for (int kind = 0; kind < OCI_HOOK_MAX_; kind++)
                for (size_t i = 0; i < s->hooks[kind].n; i++) {
                        const struct oci_hook *h = &s->hooks[kind].hook[i];

                        if (!h->path || *h->path != '/')
                                BAD("hooks.%s[%zu]: path must be absolute", oci_hook_name(kind), i);
                        if (h->timeout.set && h->timeout.n <= 0)
                                BAD("hooks.%s[%zu]: timeout must be greater than zero", oci_hook_name(kind), i);
                }
        return NULL;
}

/* ---- resources ---- */

/* "2MB", "1GB", "64KB": becomes part of a file's name. */
static bool page_size_valid(const char *text)
{
        size_t digits = text ? strspn(text, "0123456789") : 0;

        return digits > 0 && digits < 10 && *text != '0' && strchr("KMG", text[digits]) && text[digits] &&
               str_eq(text + digits + 1, "B");
}

static err *check_resources(const struct oci_resources *r)
{
        for (size_t i = 0; i < r->n_hugepages; i++)
                if (!page_size_valid(r->hugepages[i].page_size))
                        BAD("linux.resources.hugepageLimits[%zu]: page size must be like 2MB", i);
        for (size_t i = 0; i < r->n_unified; i++) {
                const char *key = r->unified[i].key;

                if (!*key || *key == '.' || strchr(key, '/') || !strchr(key, '.'))
                        BAD("unified resource \"%.100s\" must be a file name such as memory.high", key);
        }
        for (size_t i = 0; i < r->n_rdma; i++)
                if (!*r->rdma[i].device || strpbrk(r->rdma[i].device, " \t\n"))
                        BAD("linux.resources.rdma: \"%.100s\" is not a device", r->rdma[i].device);
        for (size_t i = 0; i < r->network.n_priorities; i++)
                if (!r->network.priorities[i].name || strpbrk(r->network.priorities[i].name, " \t\n"))
                        BAD("linux.resources.network.priorities[%zu]: not an interface name", i);
        if (r->cpu.idle.set && (r->cpu.idle.n < 0 || r->cpu.idle.n > 1))
                BAD("linux.resources.cpu.idle must be 0 or 1");
        if (r->network.class_id.set && r->network.class_id.n > UINT32_MAX)
                BAD("linux.resources.network.classID is too large");
        if (r->memory.limit.set && r->memory.swap.set && r->memory.swap.n > 0 && r->memory.limit.n > r->memory.swap.n)
                BAD("memory+swap limit should be >= memory limit");
        return NULL;
}

/* ---- seccomp ---- */

/* "When the action doesn't support an errno, the runtime MUST print an error and fail." */
static bool takes_errno(uint32_t action)
{
        return action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE;
}

static err *check_seccomp(const struct oci_spec *spec)
{
        const struct oci_seccomp *s = spec->linux_.seccomp;
        bool notify = false;

        if (s->default_action == SECCOMP_RET_USER_NOTIF)
                BAD("SCMP_ACT_NOTIFY cannot be used as default action");
        if (s->default_errno_ret.set && s->default_errno_ret.n > SECCOMP_RET_DATA)
                BAD("linux.seccomp.defaultErrnoRet is above %d", SECCOMP_RET_DATA);
        if (s->default_errno_ret.set && !takes_errno(s->default_action))
                BAD("linux.seccomp.defaultErrnoRet: the default action takes no errno");
        for (size_t i = 0; i < s->n_rules; i++) {
                if (s->rules[i].errno_ret.set && !takes_errno(s->rules[i].action))
                        BAD("linux.seccomp.syscalls[%zu].errnoRet: the action takes no errno", i);
                if (s->rules[i].action != SECCOMP_RET_USER_NOTIF)
                        continue;
                notify = true;
                /* The runtime itself has to write after the filter is in place. */
                if (strv_contains(s->rules[i].names, "write"))
                        BAD("SCMP_ACT_NOTIFY cannot be used for the write syscall");
        }
        if (notify && !s->listener_path && str_empty(oci_spec_annotation(spec, "run.oci.seccomp.receiver")))
                BAD("seccomp: SCMP_ACT_NOTIFY needs listenerPath");
        return NULL;
}

/* ---- all ---- */

err *oci_spec_check(const struct oci_spec *s)
{
        if (!s->root_path)
                BAD("root must be specified");
        if (!s->process)
                BAD("process property must not be empty");
        TRY(oci_process_check(s->process));
        TRY(check_namespaces(s));
        TRY(check_user_namespace(s));
        TRY(check_sysctls(s));
        TRY(check_mounts(s));
        TRY(check_absolute(s->linux_.masked_paths, "linux.maskedPaths"));
        TRY(check_absolute(s->linux_.readonly_paths, "linux.readonlyPaths"));
        for (size_t i = 0; i < s->linux_.n_devices; i++)
                if (*s->linux_.devices[i].path != '/')
                        BAD("linux.devices[%zu]: path must be absolute", i);
        for (size_t i = 0; i < s->n_annotations; i++)
                if (!*s->annotations[i].key)
                        BAD("annotations: a key is empty");
        TRY(check_hooks(s));
        TRY(check_resources(&s->linux_.resources));
        if (s->linux_.memory_policy)
                TRY(check_memory_policy(s->linux_.memory_policy));
        return s->linux_.seccomp ? check_seccomp(s) : NULL;
}

err *oci_spec_annotation_check(const char *name, const char *value)
{
        static const struct {
                const char *name, *why;
        } refused[] = {
                {"run.oci.seccomp_bpf_data", "a compiled filter is not taken, give its profile as linux.seccomp"},
                {"run.oci.seccomp.plugins",
                 "this program loads no libraries, use a listener (linux.seccomp.listenerPath)"},
                {"run.oci.handler", "there are no handlers, the program is executed as it is"},
                {"run.oci.timens_offset", "use linux.timeOffsets"},
                {"run.oci.systemd.subgroup", "a container is in its scope itself"},
                {"run.oci.systemd.force_cgroup_v1", "not supported"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(refused) && !str_empty(value); i++)
                if (str_eq(name, refused[i].name))
                        return err_new(ERR_UNSUPPORTED, "annotation %s: %s", name, refused[i].why);
        return NULL;
}
