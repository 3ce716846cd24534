/* checkpoint_request.c - see checkpoint_request.h. */
#include "runtime/checkpoint_request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "codec/protobuf.h"
#include "runtime/plan.h"
#include "sys/device.h"

#define LOG_LEVEL 4
#define NULL_DEVICE "/dev/null"

/* Fields of criu_opts (images/rpc.proto of CRIU). */
enum {
        OPT_IMAGES_DIR_FD = 1,
        OPT_PID = 2,
        OPT_LEAVE_RUNNING = 3,
        OPT_EXT_UNIX_SK = 4,
        OPT_TCP_ESTABLISHED = 5,
        OPT_EVASIVE_DEVICES = 6,
        OPT_SHELL_JOB = 7,
        OPT_FILE_LOCKS = 8,
        OPT_LOG_LEVEL = 9,
        OPT_LOG_FILE = 10,
        OPT_PAGE_SERVER = 11,
        OPT_NOTIFY_SCRIPTS = 12,
        OPT_ROOT = 13,
        OPT_PARENT_IMG = 14,
        OPT_TRACK_MEM = 15,
        OPT_AUTO_DEDUP = 16,
        OPT_WORK_DIR_FD = 17,
        OPT_LINK_REMAP = 18,
        OPT_EXT_MNT = 23,
        OPT_MANAGE_CGROUPS = 24,
        OPT_CG_ROOT = 25,
        OPT_RST_SIBLING = 26,
        OPT_INHERIT_FD = 27,
        OPT_MANAGE_CGROUPS_MODE = 34,
        OPT_EXTERNAL = 37,
        OPT_EMPTY_NS = 38,
        OPT_JOIN_NS = 39,
        OPT_FREEZE_CGROUP = 44,
        OPT_TCP_SKIP_IN_FLIGHT = 46,
        OPT_LAZY_PAGES = 48,
        OPT_ORPHAN_PTS_MASTER = 50,
        OPT_CONFIG_FILE = 51,
        OPT_TCP_CLOSE = 52,
        OPT_LSM_PROFILE = 53,
        OPT_LSM_MOUNT_CONTEXT = 63,
        OPT_NETWORK_LOCK = 64,
};
enum { REQ_TYPE = 1, REQ_OPTS = 2 };
enum { PAIR_KEY = 1, PAIR_VALUE = 2 }; /* ext_mount_map, inherit_fd, join_namespace, cgroup_root, page server */

/* ---- words ---- */

err *checkpoint_cgroups_parse(const char *text, enum checkpoint_cgroups *ret)
{
        static const struct {
                const char *name;
                enum checkpoint_cgroups mode;
        } modes[] = {{"", CHECKPOINT_CGROUPS_DEFAULT},
                     {"soft", CHECKPOINT_CGROUPS_SOFT},
                     {"full", CHECKPOINT_CGROUPS_FULL},
                     {"strict", CHECKPOINT_CGROUPS_STRICT},
                     {"ignore", CHECKPOINT_CGROUPS_IGNORE}};

        for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
                if (str_eq(text ? text : "", modes[i].name)) {
                        *ret = modes[i].mode;
                        return NULL;
                }
        return err_new(ERR_INVALID, "invalid manage-cgroups-mode value");
}

err *checkpoint_network_lock_parse(const char *text, enum checkpoint_network_lock *ret)
{
        static const char *const names[] = {"", "iptables", "nftables", "skip"};

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (str_eq(text ? text : "", names[i])) {
                        *ret = (enum checkpoint_network_lock)i;
                        return NULL;
                }
        return err_new(ERR_INVALID, "invalid network-lock value: iptables, nftables or skip");
}

/* ---- external mounts ---- */

void checkpoint_mounts_done(struct checkpoint_mounts *m)
{
        arena_done(&m->arena);
        *m = (struct checkpoint_mounts){.mount = NULL};
}

/* criu makes "mnt[KEY]:SOURCE" of the two and looks a key up by its beginning. */
static err *check_name(const char *name)
{
        if (strstr(name, "]:"))
                return err_new(ERR_INVALID, "criu cannot handle mount %s: there is \"]:\" in its name", name);
        for (const char *c = name; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                        return err_new(ERR_INVALID, "criu cannot handle a mount with control characters in its name");
        return NULL;
}

static err *add(struct checkpoint_mounts *m, const char *key, const char *source)
{
        TRY(arena_check(&m->arena));
        TRY(check_name(key));
        TRY(check_name(source));
        m->mount[m->n++] = (struct checkpoint_mount){key, source};
        return NULL;
}

struct search {
        const struct checkpoint_container *c;
        const struct cgroup_layout *layout;
        checkpoint_resolve *resolve;
        void *data;
        struct plan scratch; /* its memory only */
        struct checkpoint_mounts *m;
};

static const char *resolved(struct search *s, const char *destination, bool *ret_is_dir)
{
        const char *clean = plan_clean_path(&s->scratch, "", destination);
        const char *real = clean ? s->resolve(s->data, &s->m->arena, clean, ret_is_dir) : NULL;

        return real ? real : arena_printf(&s->m->arena, "%s", clean ? clean : "");
}

static err *add_bind(struct search *s, const struct oci_mount *mount)
{
        const char *source = plan_clean_path(&s->scratch, s->c->bundle, mount->source ? mount->source : "");
        bool is_dir;

        TRY(arena_check(&s->scratch.arena));
        if (mount->options.src_nofollow || mount->options.dest_nofollow)
                return err_new(ERR_UNSUPPORTED, "criu cannot handle mount %s: it is on, or of, a symbolic link",
                               mount->destination);
        if (mount->uid_map.n || mount->gid_map.n || mount->options.idmap != MOUNT_IDMAP_NONE)
                return err_new(ERR_UNSUPPORTED, "criu cannot handle mount %s: its ids are mapped", mount->destination);
        return add(s->m, resolved(s, mount->destination, &is_dir), arena_printf(&s->m->arena, "%s", source));
}

/* Path of a hierarchy's root as the host has mounted it. */
static err *hierarchy_path(struct search *s, const struct cgroup_hierarchy *h, const char **ret)
{
        char link[40], path[4096];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", h->fd);
        n = readlink(link, path, sizeof(path));
        if (n < 0 || n == (ssize_t)sizeof(path))
                return err_sys(n < 0 ? errno : ENAMETOOLONG, "readlink %s", link);
        *ret = arena_copy(&s->m->arena, path, (size_t)n);
        return arena_check(&s->m->arena);
}

/* As plan_mounts.c has mounted them: the container's own directory of each hierarchy, bound. */
static err *add_cgroup(struct search *s, const struct oci_mount *mount)
{
        const struct cgroup_layout *l = s->layout;
        bool v2 = l->mode == CGROUP_MODE_V2 || str_eq(mount->type, "cgroup2");
        bool whole = l->mode != CGROUP_MODE_V2 && !s->c->spec->linux_.ns[OCI_NS_CGROUP].present;
        const char *at = plan_clean_path(&s->scratch, "", mount->destination), *host = NULL;

        TRY(arena_check(&s->scratch.arena));
        for (size_t i = 0; i < l->n; i++) {
                const char *name = plan_hierarchy_name(&s->scratch, &l->h[i]);

                if (l->h[i].v2 != v2)
                        continue;
                TRY(arena_check(&s->scratch.arena));
                TRY(hierarchy_path(s, &l->h[i], &host));
                TRY(add(s->m, arena_printf(&s->m->arena, "%s%s%s", at, v2 ? "" : "/", v2 ? "" : name),
                        arena_printf(&s->m->arena, "%s%s", host, v2 && whole ? "" : s->c->cgroup)));
        }
        return NULL;
}

static err *add_mounts(struct search *s)
{
        const struct oci_spec *spec = s->c->spec;

        for (size_t i = 0; i < spec->n_mounts; i++) {
                const struct oci_mount *m = &spec->mounts[i];

                if (m->options.flags & MS_REMOUNT)
                        continue;
                if (m->options.is_bind || str_eq(m->type, "bind"))
                        TRY(add_bind(s, m));
                else if (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"))
                        TRY(add_cgroup(s, m));
        }
        return NULL;
}

/* What is not a mount is never looked up. */
static err *add_masks_and_devices(struct search *s)
{
        const struct oci_linux *l = &s->c->spec->linux_;

        for (size_t i = 0; l->masked_paths && l->masked_paths[i]; i++) {
                bool is_dir = false;
                const char *path = resolved(s, l->masked_paths[i], &is_dir);

                if (!is_dir) /* the empty file system over directories is the container's own */
                        TRY(add(s->m, path, NULL_DEVICE));
        }
        if (l->masked_paths)
                TRY(add(s->m, NULL_DEVICE, NULL_DEVICE));
        for (size_t i = 0; i < l->n_devices; i++)
                TRY(add(s->m, l->devices[i].path, l->devices[i].path));
        for (size_t i = 0; i < device_n_defaults; i++)
                TRY(add(s->m, device_defaults[i].path, device_defaults[i].path));
        return NULL;
}

static size_t room(const struct oci_spec *spec)
{
        size_t n = 1 + spec->linux_.n_devices + device_n_defaults;

        for (size_t i = 0; i < spec->n_mounts; i++)
                n += CGROUP_HIERARCHIES_MAX;
        for (size_t i = 0; spec->linux_.masked_paths && spec->linux_.masked_paths[i]; i++)
                n++;
        return n;
}

err *checkpoint_mounts_find(const struct checkpoint_container *c, checkpoint_resolve *resolve, void *data,
                            struct checkpoint_mounts *ret)
{
        struct search s = {.c = c, .resolve = resolve, .data = data, .m = ret};
        err *e;

        *ret = (struct checkpoint_mounts){.mount = NULL};
        ret->mount = ARENA_NEW(&ret->arena, struct checkpoint_mount, room(c->spec));
        TRY(arena_check(&ret->arena));
        TRY(cgroup_layout_get(&s.layout));
        e = add_mounts(&s);
        if (!e)
                e = add_masks_and_devices(&s);
        arena_done(&s.scratch.arena);
        return e;
}

err *checkpoint_freezer_path(const char *cgroup, char **ret)
{
        const struct cgroup_layout *l;
        char link[40], path[4096];
        ssize_t n;
        int i;

        *ret = NULL;
        TRY(cgroup_layout_get(&l));
        i = l->mode == CGROUP_MODE_V2 ? l->unified : l->of[CGROUP_FREEZER];
        if (i < 0 || str_empty(cgroup))
                return NULL;
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", l->h[i].fd);
        n = readlink(link, path, sizeof(path));
        if (n < 0 || n == (ssize_t)sizeof(path))
                return err_sys(n < 0 ? errno : ENAMETOOLONG, "readlink %s", link);
        *ret = str_format("%.*s%s", (int)n, path, cgroup);
        return *ret ? NULL : err_nomem();
}

/* ---- requests ---- */

static void add_pair(struct str *opts, uint32_t field, const char *key, const char *value)
{
        _cleanup_str_ struct str pair = {0};

        protobuf_add_str(&pair, PAIR_KEY, key);
        protobuf_add_str(&pair, PAIR_VALUE, value);
        protobuf_add_message(opts, field, &pair);
}

static void add_number_pair(struct str *opts, uint32_t field, const char *key, int value)
{
        _cleanup_str_ struct str pair = {0};

        protobuf_add_str(&pair, PAIR_KEY, key);
        protobuf_add_int(&pair, PAIR_VALUE, value);
        protobuf_add_message(opts, field, &pair);
}

static void add_cgroup_root(struct str *opts, const char *path)
{
        _cleanup_str_ struct str pair = {0};

        protobuf_add_str(&pair, PAIR_VALUE, path); /* no controller named: all of them */
        protobuf_add_message(opts, OPT_CG_ROOT, &pair);
}

/* A file that may overrule everything else: the container's own (annotation; empty: none), else the machine's. It can
 * name programs that criu runs as root, and annotations may come with an image: only a file that the machine's
 * administrator has put where criu's configuration is. */
static err *add_config_file(struct str *opts, const struct oci_spec *spec)
{
        static const char *const files[] = {"/etc/criu/hodrun.conf", "/etc/criu/runc.conf"};
        const char *file = oci_spec_annotation(spec, "org.criu.config");
        _cleanup_free_ char *clean = NULL;

        if (!file)
                file = access(files[0], F_OK) == 0 ? files[0] : files[1]; /* missing ones criu passes over */
        if (!*file)
                return NULL;
        TRY(path_clean(file, &clean));
        if (!str_eq(clean, file) || !str_starts(file, "/etc/criu/"))
                return err_new(ERR_DENIED, "annotation org.criu.config: %s is not a file below /etc/criu", file);
        protobuf_add_str(opts, OPT_CONFIG_FILE, file);
        return NULL;
}

static err *add_common(struct str *opts, const struct checkpoint_container *c, const struct checkpoint_options *o,
                       const char *log_file)
{
        protobuf_add_int(opts, OPT_IMAGES_DIR_FD, o->image_fd);
        if (o->work_fd >= 0)
                protobuf_add_int(opts, OPT_WORK_DIR_FD, o->work_fd);
        protobuf_add_int(opts, OPT_LOG_LEVEL, LOG_LEVEL);
        protobuf_add_str(opts, OPT_LOG_FILE, log_file);
        protobuf_add_bool(opts, OPT_MANAGE_CGROUPS, true);
        protobuf_add_uint(opts, OPT_MANAGE_CGROUPS_MODE, o->cgroups);
        protobuf_add_bool(opts, OPT_NOTIFY_SCRIPTS, true);
        protobuf_add_bool(opts, OPT_SHELL_JOB, o->shell_job);
        protobuf_add_bool(opts, OPT_EXT_UNIX_SK, o->ext_unix_sk);
        protobuf_add_bool(opts, OPT_TCP_ESTABLISHED, o->tcp_established);
        if (o->tcp_close)
                protobuf_add_bool(opts, OPT_TCP_CLOSE, true);
        protobuf_add_bool(opts, OPT_FILE_LOCKS, o->file_locks);
        protobuf_add_uint(opts, OPT_EMPTY_NS, o->empty_ns);
        protobuf_add_bool(opts, OPT_ORPHAN_PTS_MASTER, true);
        protobuf_add_bool(opts, OPT_AUTO_DEDUP, o->auto_dedup);
        protobuf_add_bool(opts, OPT_LAZY_PAGES, o->lazy_pages);
        if (o->network_lock != CHECKPOINT_LOCK_DEFAULT)
                protobuf_add_uint(opts, OPT_NETWORK_LOCK, o->network_lock);
        return add_config_file(opts, c->spec);
}

static err *finish(enum checkpoint_criu_type type, const struct str *opts, struct str *ret)
{
        protobuf_add_uint(ret, REQ_TYPE, type);
        protobuf_add_message(ret, REQ_OPTS, opts);
        return str_done(ret);
}

/* A namespace that was joined stays outside: criu is told its inode. */
static err *add_external_ns(struct str *opts, const struct oci_namespace *ns, const char *type, const char *key)
{
        _cleanup_free_ char *text = NULL;
        struct stat st;

        if (!ns->present || !ns->path)
                return NULL;
        if (stat(ns->path, &st) < 0)
                return err_sys(errno, "stat %s", ns->path);
        text = str_format("%s[%llu]:%s", type, (unsigned long long)st.st_ino, key);
        if (!text)
                return err_nomem();
        protobuf_add_str(opts, OPT_EXTERNAL, text);
        return NULL;
}

err *checkpoint_request_dump(const struct checkpoint_container *c, const struct checkpoint_options *o,
                             const struct checkpoint_mounts *m, const char *freezer, struct str *ret)
{
        const struct oci_namespace *ns = c->spec->linux_.ns;
        _cleanup_str_ struct str opts = {0};

        TRY(add_common(&opts, c, o, "dump.log"));
        protobuf_add_str(&opts, OPT_ROOT, c->rootfs);
        protobuf_add_int(&opts, OPT_PID, c->pid);
        protobuf_add_bool(&opts, OPT_LEAVE_RUNNING, o->leave_running);
        protobuf_add_bool(&opts, OPT_TCP_SKIP_IN_FLIGHT, o->tcp_skip_in_flight);
        protobuf_add_bool(&opts, OPT_LINK_REMAP, o->link_remap);
        TRY(add_external_ns(&opts, &ns[OCI_NS_NETWORK], "net", CHECKPOINT_NET_KEY));
        TRY(add_external_ns(&opts, &ns[OCI_NS_PID], "pid", CHECKPOINT_PID_KEY));
        if (freezer)
                protobuf_add_str(&opts, OPT_FREEZE_CGROUP, freezer);
        if (o->page_server)
                add_number_pair(&opts, OPT_PAGE_SERVER, o->page_server, o->page_server_port);
        if (o->parent) {
                protobuf_add_str(&opts, OPT_PARENT_IMG, o->parent);
                protobuf_add_bool(&opts, OPT_TRACK_MEM, true);
        }
        for (size_t i = 0; !o->pre_dump && i < m->n; i++) /* "/dev/null" is what masks are in the image */
                add_pair(&opts, OPT_EXT_MNT, m->mount[i].key,
                         str_eq(m->mount[i].source, NULL_DEVICE) ? NULL_DEVICE : m->mount[i].key);
        return finish(o->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP, &opts, ret);
}

/* Other namespaces than network and PID are joined by path. */
static err *add_joined(struct str *opts, const struct oci_spec *spec)
{
        for (unsigned i = 0; i < OCI_NS_MAX_; i++) {
                const struct oci_namespace *ns = &spec->linux_.ns[i];

                if (!ns->present || !ns->path || i == OCI_NS_NETWORK || i == OCI_NS_PID)
                        continue;
                if (i == OCI_NS_CGROUP)
                        return err_new(ERR_UNSUPPORTED, "criu cannot restore into an existing cgroup namespace");
                add_pair(opts, OPT_JOIN_NS, oci_ns_proc_name((enum oci_ns)i), ns->path);
        }
        return NULL;
}

err *checkpoint_request_restore(const struct checkpoint_container *c, const struct checkpoint_options *o,
                                const struct checkpoint_mounts *m, const char *root,
                                const struct checkpoint_inherit *inherit, size_t n_inherit, struct str *ret)
{
        _cleanup_str_ struct str opts = {0};

        TRY(add_common(&opts, c, o, "restore.log"));
        protobuf_add_str(&opts, OPT_ROOT, root);
        protobuf_add_bool(&opts, OPT_EVASIVE_DEVICES, true);
        protobuf_add_bool(&opts, OPT_RST_SIBLING, true);
        if (!str_empty(o->lsm_profile))
                protobuf_add_str(&opts, OPT_LSM_PROFILE, o->lsm_profile);
        if (!str_empty(o->lsm_mount_context))
                protobuf_add_str(&opts, OPT_LSM_MOUNT_CONTEXT, o->lsm_mount_context);
        TRY(add_joined(&opts, c->spec));
        add_cgroup_root(&opts, c->cgroup);
        for (size_t i = 0; i < m->n; i++)
                add_pair(&opts, OPT_EXT_MNT, m->mount[i].key, m->mount[i].source);
        for (size_t i = 0; i < n_inherit; i++)
                add_number_pair(&opts, OPT_INHERIT_FD, inherit[i].key, inherit[i].fd);
        return finish(CRIU_RESTORE, &opts, ret);
}
