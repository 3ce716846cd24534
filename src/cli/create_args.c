/* create_args.c - flags → docker's create body. What can be checked without the engine is checked here. */
#include "cli/create_args.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/network_args.h"
#include "cli/ui.h"
#include "engine/ports.h"
#include "sys/rate.h"

#define FLAG_FILE_MAX (16u << 20)

static err *set_pair(json *to, const char *entry)
{
        const char *eq = strchrnul(entry, '=');
        _cleanup_free_ char *key = strndup(entry, (size_t)(eq - entry));

        if (!key)
                return err_nomem();
        json_set_str(to, key, *eq ? eq + 1 : "");
        return NULL;
}

static err *collect_labels(const struct create_args *a, json *labels)
{
        _cleanup_strv_ char **lines = NULL;

        for (char **f = a->label_files; f && *f; f++) {
                _cleanup_strv_ char **more = NULL;

                TRY(ui_env_file(*f, &more));
                for (char **l = more; l && *l; l++)
                        TRY(strv_add(&lines, *l));
        }
        for (char **l = a->labels; l && *l; l++)
                TRY(strv_add(&lines, *l));
        for (char **l = lines; l && *l; l++)
                TRY(set_pair(labels, *l));
        return NULL;
}

bool create_args_attaches(const struct create_args *a, const char *stream)
{
        for (char **s = a->attach; s && *s; s++)
                if (strcasecmp(*s, stream) == 0)
                        return true;
        return false;
}

static err *body_config(json *body, const struct invocation *inv, const struct create_args *a)
{
        _cleanup_strv_ char **env = NULL;
        bool all = !a->attach;

        json_set_str(body, "Hostname", a->hostname ? a->hostname : "");
        json_set_str(body, "Domainname", a->domainname ? a->domainname : "");
        json_set_str(body, "User", a->user ? a->user : "");
        json_set_bool(body, "AttachStdin", create_args_attaches(a, "stdin") || (all && a->interactive));
        json_set_bool(body, "AttachStdout", all || create_args_attaches(a, "stdout"));
        json_set_bool(body, "AttachStderr", all || create_args_attaches(a, "stderr"));
        json_set_bool(body, "Tty", a->tty);
        json_set_bool(body, "OpenStdin", a->interactive);
        TRY(ui_env(a->env_files, a->env, &env));
        json_set_strv(body, "Env", env);
        if (inv->n_operands > 1)
                json_set_strv(body, "Cmd", inv->operands + 1);
        json_set_str(body, "Image", inv->operands[0]);
        if (a->workdir)
                json_set_str(body, "WorkingDir", a->workdir);
        if (opt_given(inv, &a->entrypoint))
                json_add_str(json_sub_array(body, "Entrypoint"), a->entrypoint);
        TRY(collect_labels(a, json_sub_object(body, "Labels")));
        if (a->stop_signal)
                json_set_str(body, "StopSignal", a->stop_signal);
        if (opt_given(inv, &a->stop_timeout))
                json_set_int(body, "StopTimeout", a->stop_timeout);
        return NULL;
}

/* -v: a path alone is an anonymous volume; ./x and ../x are made absolute as docker's command line does. */
static err *body_volumes(json *body, json *host, const struct create_args *a)
{
        for (char **v = a->volumes; v && *v; v++) {
                _cleanup_free_ char *absolute = NULL;
                const char *colon = strchr(*v, ':');

                if (!**v)
                        return err_new(ERR_INVALID, "invalid empty volume spec");
                if (!colon && **v == '/') {
                        json_set(json_sub_object(body, "Volumes"), *v, json_new_object());
                        continue;
                }
                if (!colon)
                        return err_new(
                                ERR_INVALID,
                                "invalid volume specification: '%s': a path inside the container must be absolute; "
                                "to mount something use SOURCE:/PATH",
                                *v);
                if (**v == '.') {
                        _cleanup_free_ char *source = strndup(*v, (size_t)(colon - *v));
                        char cwd[PATH_MAX];

                        if (!source || !getcwd(cwd, sizeof(cwd)))
                                return err_sys(errno, "finding the working directory");
                        absolute = str_format("%s/%s%s", cwd, source, colon);
                        if (!absolute)
                                return err_nomem();
                } else if (**v == '~' && v[0][1] == '/' && getenv("HOME")) {
                        absolute = str_format("%s%s", getenv("HOME"), *v + 1);
                        if (!absolute)
                                return err_nomem();
                }
                json_add_str(json_sub_array(host, "Binds"), absolute ? absolute : *v);
        }
        return NULL;
}

static void set_text(json *to, const char *key, const char *text)
{
        if (!str_empty(text))
                json_set_str(to, key, text);
}

static void set_number(json *to, const char *key, int64_t n)
{
        if (n)
                json_set_int(to, key, n);
}

static void set_flag(json *to, const char *key, bool on)
{
        if (on)
                json_set_bool(to, key, true);
}

/* One --mount as an element of HostConfig.Mounts. */
static err *body_mount(json *list, const char *text)
{
        _cleanup_(parse_mount_done) struct parse_mount m = {0};
        json *j, *options;

        TRY(parse_mount(text, &m));
        if (m.has_image || !str_empty(m.subpath))
                return err_new(ERR_UNSUPPORTED, "--mount %s: image mounts and volume-subpath are not built yet", text);
        j = json_new_object();
        json_add(list, j);
        json_set_str(j, "Type", m.type);
        set_text(j, "Source", m.source);
        json_set_str(j, "Target", m.target);
        set_flag(j, "ReadOnly", m.read_only);
        if (m.has_bind) {
                options = json_sub_object(j, "BindOptions");
                set_text(options, "Propagation", m.propagation);
                set_flag(options, "NonRecursive", m.non_recursive);
                set_flag(options, "ReadOnlyNonRecursive", m.read_only_non_recursive);
                set_flag(options, "ReadOnlyForceRecursive", m.read_only_force_recursive);
        }
        if (m.has_volume) {
                options = json_sub_object(j, "VolumeOptions");
                set_flag(options, "NoCopy", m.no_copy);
                for (char **l = m.labels; l && *l; l++)
                        TRY(set_pair(json_sub_object(options, "Labels"), *l));
                if (m.driver)
                        json_set_str(json_sub_object(options, "DriverConfig"), "Name", m.driver);
                for (char **o = m.driver_opts; o && *o; o++)
                        TRY(set_pair(json_sub_object(json_sub_object(options, "DriverConfig"), "Options"), *o));
        }
        if (m.has_tmpfs) {
                options = json_sub_object(j, "TmpfsOptions");
                if (m.tmpfs_size > 0)
                        json_set_int(options, "SizeBytes", m.tmpfs_size);
                if (m.tmpfs_mode >= 0)
                        json_set_int(options, "Mode", m.tmpfs_mode);
        }
        return NULL;
}

static err *body_files(json *body, json *host, const struct create_args *a)
{
        TRY(body_volumes(body, host, a));
        for (char **m = a->mounts; m && *m; m++)
                TRY(body_mount(json_sub_array(host, "Mounts"), *m));
        for (char **t = a->tmpfs; t && *t; t++) {
                _cleanup_free_ char *path = NULL, *options = NULL;

                TRY(parse_tmpfs(*t, &path, &options));
                json_set_str(json_sub_object(host, "Tmpfs"), path, options);
        }
        json_set_bool(host, "ReadonlyRootfs", a->read_only);
        set_number(host, "ShmSize", a->shm_size);
        return NULL;
}

static err *body_throttles(json *host, const char *key, char *const *list, bool bytes)
{
        for (; list && *list; list++) {
                _cleanup_(parse_throttle_done) struct parse_throttle t = {0};
                json *j;

                TRY(parse_throttle(*list, bytes, &t));
                j = json_new_object();
                json_set_str(j, "Path", t.path);
                json_set(j, "Rate", json_new_uint(t.rate));
                json_add(json_sub_array(host, key), j);
        }
        return NULL;
}

static err *body_devices(json *host, const struct create_args *a)
{
        for (char **d = a->devices; d && *d; d++) {
                _cleanup_(parse_device_done) struct parse_device device = {0};
                json *j;

                TRY(parse_device(*d, &device));
                j = json_new_object();
                json_set_str(j, "PathOnHost", device.host);
                json_set_str(j, "PathInContainer", device.container);
                json_set_str(j, "CgroupPermissions", device.access);
                json_add(json_sub_array(host, "Devices"), j);
        }
        TRY(body_throttles(host, "BlkioDeviceReadBps", a->read_bps, true));
        TRY(body_throttles(host, "BlkioDeviceWriteBps", a->write_bps, true));
        TRY(body_throttles(host, "BlkioDeviceReadIOps", a->read_iops, false));
        return body_throttles(host, "BlkioDeviceWriteIOps", a->write_iops, false);
}

static err *body_security_opt(json *host, const char *opt)
{
        const char *rest = str_after(opt, "seccomp"), *path = rest && (*rest == '=' || *rest == ':') ? rest + 1 : NULL;
        _cleanup_free_ char *text = NULL, *both = NULL, *compact = NULL;
        _cleanup_json_ json *doc = NULL;
        int r;

        if (!path || strcmp(path, "unconfined") == 0 || strcmp(path, "builtin") == 0) {
                json_add_str(json_sub_array(host, "SecurityOpt"), opt);
                return NULL;
        }
        r = file_read(AT_FDCWD, path, FLAG_FILE_MAX, &text, NULL);
        if (r < 0)
                return err_sys(r, "opening seccomp profile (%s) failed: open %s", path, path);
        TRY_WRAP(json_parse(text, strlen(text), &doc), "seccomp profile (%s)", path);
        TRY(json_print(doc, JSON_COMPACT, &compact));
        both = str_format("seccomp=%s", compact);
        if (!both)
                return err_nomem();
        json_add_str(json_sub_array(host, "SecurityOpt"), both);
        return NULL;
}

static void set_list(json *host, const char *key, char *const *list)
{
        if (list && *list)
                json_set_strv(host, key, list);
}

err *create_args_check_rate(const char *text)
{
        struct rate rate;

        return rate_parse(text, &rate);
}

err *create_args_egress(json *host, char *const *lists)
{
        json *rules = json_new_array();

        json_set(host, "Egress", rules);
        for (; lists && *lists; lists++) {
                _cleanup_strv_ char **words = NULL;

                TRY(strv_split(*lists, ',', &words));
                for (char **w = words; **lists && *w; w++)
                        json_add_str(rules, *w);
        }
        return NULL;
}

static err *body_isolation(json *host, const struct create_args *a)
{
        set_text(host, "PidMode", a->pid);
        set_text(host, "IpcMode", a->ipc);
        set_text(host, "UTSMode", a->uts);
        set_text(host, "UsernsMode", a->userns);
        set_text(host, "CgroupnsMode", a->cgroupns);
        set_text(host, "CgroupParent", a->cgroup_parent);
        for (char **h = a->add_host; h && *h; h++) {
                _cleanup_free_ char *entry = NULL;

                TRY(parse_add_host(*h, &entry));
                json_add_str(json_sub_array(host, "ExtraHosts"), entry);
        }
        set_list(host, "Links", a->links);
        set_list(host, "Dns", a->dns);
        set_list(host, "DnsSearch", a->dns_search);
        set_list(host, "DnsOptions", a->dns_options);
        for (char **s = a->sysctls; s && *s; s++)
                TRY(set_pair(json_sub_object(host, "Sysctls"), *s));
        set_text(host, "NetRate", a->net_rate);
        if (a->egress)
                TRY(create_args_egress(host, a->egress));
        set_list(host, "CapAdd", a->cap_add);
        set_list(host, "CapDrop", a->cap_drop);
        set_list(host, "GroupAdd", a->group_add);
        for (char **o = a->security_opt; o && *o; o++)
                TRY(body_security_opt(host, *o));
        json_set_bool(host, "Privileged", a->privileged);
        for (char **n = a->annotations; n && *n; n++)
                TRY(set_pair(json_sub_object(host, "Annotations"), *n));
        return NULL;
}

static err *body_limits(json *host, const struct invocation *inv, const struct create_args *a)
{
        set_number(host, "Memory", a->memory);
        set_number(host, "MemorySwap", a->memory_swap);
        set_number(host, "MemoryReservation", a->memory_reservation);
        if (a->memory_swappiness != -1)
                json_set_int(host, "MemorySwappiness", a->memory_swappiness);
        set_number(host, "CpuShares", a->cpu_shares);
        set_number(host, "CpuPeriod", a->cpu_period);
        set_number(host, "CpuQuota", a->cpu_quota);
        set_number(host, "NanoCpus", a->nano_cpus);
        set_text(host, "CpusetCpus", a->cpuset_cpus);
        set_text(host, "CpusetMems", a->cpuset_mems);
        if (opt_given(inv, &a->pids_limit))
                json_set_int(host, "PidsLimit", a->pids_limit);
        set_number(host, "BlkioWeight", a->blkio_weight);
        set_number(host, "OomScoreAdj", a->oom_score_adj);
        if (a->oom_kill_disable)
                json_set_bool(host, "OomKillDisable", true);
        for (char **u = a->ulimits; u && *u; u++) {
                struct parse_ulimit limit;
                json *list = json_sub_array(host, "Ulimits"), *j = NULL;

                TRY(parse_ulimit(*u, &limit));
                /* the last of the same name wins */
                for (size_t i = 0; i < json_len(list); i++)
                        if (str_eq(json_get_str(json_at(list, i), "Name"), limit.name))
                                j = json_at(list, i);
                if (!j) {
                        j = json_new_object();
                        json_add(list, j);
                }
                json_set_str(j, "Name", limit.name);
                json_set_int(j, "Hard", limit.hard);
                json_set_int(j, "Soft", limit.soft);
        }
        return NULL;
}

static err *body_restart(json *host, const char *policy)
{
        _cleanup_(parse_restart_done) struct parse_restart r = {0};
        json *j;

        if (str_empty(policy))
                return NULL;
        TRY(parse_restart(policy, &r));
        j = json_sub_object(host, "RestartPolicy");
        json_set_str(j, "Name", r.name);
        json_set_int(j, "MaximumRetryCount", r.count);
        return NULL;
}

/* One container port, and its part of the host's range. */
static void add_port(json *body, json *host, const struct parse_port *p, uint16_t port)
{
        char key[PORTS_KEY_MAX];

        ports_add_binding(json_sub_object(host, "PortBindings"), p, port, key);
        (void)json_sub_object(json_sub_object(body, "ExposedPorts"), key);
}

static err *body_ports(json *body, json *host, const struct create_args *a)
{
        char key[16];

        for (char **text = a->publish; text && *text; text++) {
                _cleanup_(parse_port_done) struct parse_port p = {0};

                TRY(parse_port(*text, &p));
                for (uint32_t port = p.first; port <= p.last; port++)
                        add_port(body, host, &p, (uint16_t)port);
        }
        for (char **text = a->expose; text && *text; text++) {
                _cleanup_(parse_port_done) struct parse_port p = {0};

                TRY(parse_expose(*text, &p));
                for (uint32_t port = p.first; port <= p.last; port++) {
                        (void)snprintf(key, sizeof(key), "%u/%s", port, p.proto);
                        (void)json_sub_object(json_sub_object(body, "ExposedPorts"), key);
                }
        }
        json_set_bool(host, "PublishAllPorts", a->publish_all);
        return NULL;
}

static err *body_storage(json *host, const struct create_args *a)
{
        for (char **o = a->storage_opts; o && *o; o++) {
                if (!strchr(*o, '='))
                        return err_new(ERR_INVALID, "invalid storage option");
                TRY(set_pair(json_sub_object(host, "StorageOpt"), *o));
        }
        return NULL;
}

static err *body_logs(json *host, const struct create_args *a)
{
        json *log = json_sub_object(host, "LogConfig");

        set_text(log, "Type", a->log_driver);
        for (char **o = a->log_opts; o && *o; o++) {
                if (!str_starts(*o, "max-size=") && !str_starts(*o, "max-file="))
                        return err_new(ERR_INVALID, "unknown log opt '%.*s' for json-file log driver",
                                       (int)strcspn(*o, "="), *o);
                TRY(set_pair(json_sub_object(log, "Config"), *o));
        }
        return NULL;
}

err *create_args_body(const struct invocation *inv, json **ret)
{
        const struct create_args *a = inv->args;
        _cleanup_json_ json *body = json_new_object();
        json *host = json_sub_object(body, "HostConfig");

        TRY(body_ports(body, host, a));
        TRY(network_args_body(body, host, a));
        TRY(body_config(body, inv, a));
        TRY(body_files(body, host, a));
        TRY(body_devices(host, a));
        TRY(body_isolation(host, a));
        TRY(body_limits(host, inv, a));
        TRY(body_restart(host, a->restart));
        TRY(body_logs(host, a));
        TRY(body_storage(host, a));
        json_set_bool(host, "AutoRemove", a->rm);
        if (a->cidfile)
                json_set_str(host, "ContainerIDFile", a->cidfile);
        set_flag(host, "Init", a->init);
        if (a->rootfs) {
                _cleanup_free_ char *real = realpath(inv->operands[0], NULL);

                if (!real)
                        return err_sys(errno, "--rootfs %s", inv->operands[0]);
                json_set_str(host, "Rootfs", real);
        }
        *ret = TAKE_PTR(body);
        return NULL;
}
