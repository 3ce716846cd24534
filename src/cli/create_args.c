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

#define FLAG_FILE_MAX (16u << 20)

static err *read_flag_file(const char *path, char **ret)
{
        int r = file_read(AT_FDCWD, path, FLAG_FILE_MAX, ret, NULL);

        if (r == -ENOENT)
                return err_new(ERR_INVALID, "open %s: no such file or directory", path);
        return r < 0 ? err_sys(r, "open %s", path) : NULL;
}

/* NAME (from our environment, dropped if unset) or NAME=value. */
static err *add_env(json *env, const char *entry)
{
        _cleanup_free_ char *both = NULL;
        const char *value;

        if (!*entry || *entry == '=')
                return err_new(ERR_USAGE, "invalid argument \"%s\" for \"-e, --env\" flag: invalid environment variable: %s",
                               entry, entry);
        if (strchr(entry, '=')) {
                json_add_str(env, entry);
                return NULL;
        }
        value = getenv(entry);
        if (!value)
                return NULL;
        both = str_format("%s=%s", entry, value);
        if (!both)
                return err_nomem();
        json_add_str(env, both);
        return NULL;
}

static err *add_env_file(json *env, const char *path)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **lines = NULL;

        TRY(read_flag_file(path, &text));
        TRY_WRAP(parse_env_file(path, text, &lines), "docker");
        for (char **l = lines; l && *l; l++)
                TRY(add_env(env, *l));
        return NULL;
}

static err *add_label(json *labels, const char *entry)
{
        const char *eq = strchrnul(entry, '=');
        _cleanup_free_ char *key = strndup(entry, (size_t)(eq - entry));

        if (!key)
                return err_nomem();
        if (!*key)
                return err_new(ERR_USAGE, "invalid argument \"%s\" for \"-l, --label\" flag: invalid label '%s': empty name",
                               entry, entry);
        json_set_str(labels, key, *eq ? eq + 1 : "");
        return NULL;
}

static err *add_label_file(json *labels, const char *path)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **lines = NULL;

        TRY(read_flag_file(path, &text));
        TRY(parse_env_file(path, text, &lines));
        for (char **l = lines; l && *l; l++)
                TRY(add_label(labels, *l));
        return NULL;
}

static err *body_config(json *body, const struct create_args *a, const char *image, char *const *argv)
{
        bool all = !a->attach;
        json *env, *labels;

        json_set_str(body, "Hostname", a->hostname ? a->hostname : "");
        json_set_str(body, "Domainname", a->domainname ? a->domainname : "");
        json_set_str(body, "User", a->user ? a->user : "");
        json_set_bool(body, "AttachStdin", strv_contains(a->attach, "stdin") || (all && a->interactive));
        json_set_bool(body, "AttachStdout", all || strv_contains(a->attach, "stdout"));
        json_set_bool(body, "AttachStderr", all || strv_contains(a->attach, "stderr"));
        json_set_bool(body, "Tty", a->tty);
        json_set_bool(body, "OpenStdin", a->interactive);
        env = json_sub_array(body, "Env");
        for (char **f = a->env_files; f && *f; f++)
                TRY(add_env_file(env, *f));
        for (char **e = a->env; e && *e; e++)
                TRY(add_env(env, *e));
        if (argv && *argv)
                json_set_strv(body, "Cmd", argv);
        json_set_str(body, "Image", image);
        if (a->workdir)
                json_set_str(body, "WorkingDir", a->workdir);
        if (a->entrypoint_given)
                json_add_str(json_sub_array(body, "Entrypoint"), a->entrypoint ? a->entrypoint : "");
        labels = json_sub_object(body, "Labels");
        for (char **f = a->label_files; f && *f; f++)
                TRY(add_label_file(labels, *f));
        for (char **l = a->labels; l && *l; l++)
                TRY(add_label(labels, *l));
        if (a->stop_signal)
                json_set_str(body, "StopSignal", a->stop_signal);
        if (a->stop_timeout_given)
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
                        return err_new(ERR_INVALID,
                                       "invalid volume specification: '%s': a path inside the container must be absolute; "
                                       "to mount something use SOURCE:/PATH", *v);
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

static err *body_files(json *body, json *host, const struct create_args *a)
{
        TRY(body_volumes(body, host, a));
        for (char **m = a->mounts; m && *m; m++) {
                json *mount;

                TRY(create_args_mount(*m, &mount));
                json_add(json_sub_array(host, "Mounts"), mount);
        }
        for (char **t = a->tmpfs; t && *t; t++) {
                const char *colon = strchrnul(*t, ':');
                _cleanup_free_ char *path = strndup(*t, (size_t)(colon - *t));

                if (!path)
                        return err_nomem();
                json_set_str(json_sub_object(host, "Tmpfs"), path, *colon ? colon + 1 : "");
        }
        json_set_bool(host, "ReadonlyRootfs", a->read_only);
        if (a->shm_size)
                json_set_int(host, "ShmSize", a->shm_size);
        return NULL;
}

static err *body_devices(json *host, const struct create_args *a)
{
        static const struct {
                const char *key, *flag;
                size_t offset;
                bool bytes;
        } throttles[] = {
                {"BlkioDeviceReadBps", "device-read-bps", offsetof(struct create_args, read_bps), true},
                {"BlkioDeviceWriteBps", "device-write-bps", offsetof(struct create_args, write_bps), true},
                {"BlkioDeviceReadIOps", "device-read-iops", offsetof(struct create_args, read_iops), false},
                {"BlkioDeviceWriteIOps", "device-write-iops", offsetof(struct create_args, write_iops), false},
        };

        for (char **d = a->devices; d && *d; d++) {
                struct parse_device device = {0};
                json *j = json_new_object();

                TRY(parse_device(*d, &device));
                json_set_str(j, "PathOnHost", device.host);
                json_set_str(j, "PathInContainer", device.container);
                json_set_str(j, "CgroupPermissions", device.access);
                parse_device_done(&device);
                json_add(json_sub_array(host, "Devices"), j);
        }
        for (size_t t = 0; t < ARRAY_SIZE(throttles); t++) {
                char **list = *(char ***)(void *)((char *)(uintptr_t)a + throttles[t].offset);

                for (; list && *list; list++) {
                        struct parse_throttle throttle = {0};
                        json *j;

                        TRY(parse_throttle(*list, throttles[t].flag, throttles[t].bytes, &throttle));
                        j = json_new_object();
                        json_set_str(j, "Path", throttle.path);
                        json_set(j, "Rate", json_new_uint(throttle.rate));
                        parse_throttle_done(&throttle);
                        json_add(json_sub_array(host, throttles[t].key), j);
                }
        }
        return NULL;
}

static err *body_security_opt(json *host, const char *opt)
{
        const char *path = str_after(opt, "seccomp=");
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

static void set_text(json *host, const char *key, const char *text)
{
        if (text)
                json_set_str(host, key, text);
}

static err *body_isolation(json *host, const struct create_args *a)
{
        set_text(host, "NetworkMode", a->network);
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
        for (char **s = a->sysctls; s && *s; s++) {
                const char *eq = strchr(*s, '=');
                _cleanup_free_ char *key = eq ? strndup(*s, (size_t)(eq - *s)) : NULL;

                if (!eq)
                        return err_new(ERR_USAGE, "invalid argument \"%s\" for \"--sysctl\" flag: sysctl '%s' is not allowed",
                                       *s, *s);
                if (!key)
                        return err_nomem();
                json_set_str(json_sub_object(host, "Sysctls"), key, eq + 1);
        }
        set_list(host, "CapAdd", a->cap_add);
        set_list(host, "CapDrop", a->cap_drop);
        set_list(host, "GroupAdd", a->group_add);
        for (char **o = a->security_opt; o && *o; o++)
                TRY(body_security_opt(host, *o));
        json_set_bool(host, "Privileged", a->privileged);
        for (char **n = a->annotations; n && *n; n++) {
                const char *eq = strchrnul(*n, '=');
                _cleanup_free_ char *key = strndup(*n, (size_t)(eq - *n));

                if (!key)
                        return err_nomem();
                json_set_str(json_sub_object(host, "Annotations"), key, *eq ? eq + 1 : "");
        }
        return NULL;
}

static void set_number(json *host, const char *key, int64_t n)
{
        if (n)
                json_set_int(host, key, n);
}

static err *body_limits(json *host, const struct create_args *a)
{
        set_number(host, "Memory", a->memory);
        set_number(host, "MemorySwap", a->memory_swap);
        set_number(host, "MemoryReservation", a->memory_reservation);
        if (a->memory_swappiness_given && a->memory_swappiness != -1)
                json_set_int(host, "MemorySwappiness", a->memory_swappiness);
        set_number(host, "CpuShares", a->cpu_shares);
        set_number(host, "CpuPeriod", a->cpu_period);
        set_number(host, "CpuQuota", a->cpu_quota);
        set_number(host, "NanoCpus", a->nano_cpus);
        set_text(host, "CpusetCpus", a->cpuset_cpus);
        set_text(host, "CpusetMems", a->cpuset_mems);
        if (a->pids_limit_given)
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
        const char *colon;
        _cleanup_free_ char *name = NULL;
        json *j;
        int64_t max = 0;

        if (!policy)
                return NULL;
        colon = strchr(policy, ':');
        name = strndup(policy, strcspn(policy, ":"));
        if (!name)
                return err_nomem();
        if (colon && colon == policy)
                return err_new(ERR_INVALID, "invalid restart policy format: no policy provided before colon");
        if (colon) {
                err *e = parse_int(colon + 1, INT_MIN, INT_MAX, &max);

                if (e) {
                        err_free(e);
                        return err_new(ERR_INVALID, "invalid restart policy format: maximum retry count must be an integer");
                }
        }
        j = json_sub_object(host, "RestartPolicy");
        json_set_str(j, "Name", name);
        json_set_int(j, "MaximumRetryCount", max);
        return NULL;
}

err *create_args_body(const struct create_args *a, const char *image, char *const *argv, json **ret)
{
        _cleanup_json_ json *body = json_new_object();
        json *host = json_sub_object(body, "HostConfig");

        TRY(body_config(body, a, a->rootfs ? "" : image, argv));
        TRY(body_files(body, host, a));
        TRY(body_devices(host, a));
        TRY(body_isolation(host, a));
        TRY(body_limits(host, a));
        TRY(body_restart(host, a->restart));
        json_set_bool(host, "AutoRemove", a->rm);
        if (a->init)
                json_set_bool(host, "Init", true);
        if (a->rootfs) {
                _cleanup_free_ char *real = realpath(image, NULL);

                if (!real)
                        return err_sys(errno, "--rootfs %s", image);
                json_set_str(host, "Rootfs", real);
        }
        if (a->log_driver)
                json_set_str(json_sub_object(host, "LogConfig"), "Type", a->log_driver);
        for (char **o = a->log_opts; o && *o; o++) {
                const char *eq = strchrnul(*o, '=');
                _cleanup_free_ char *key = strndup(*o, (size_t)(eq - *o));

                if (!key)
                        return err_nomem();
                if (strcmp(key, "max-size") != 0 && strcmp(key, "max-file") != 0)
                        return err_new(ERR_INVALID, "unknown log opt '%s' for json-file log driver", key);
                json_set_str(json_sub_object(json_sub_object(host, "LogConfig"), "Config"), key, *eq ? eq + 1 : "");
        }
        *ret = TAKE_PTR(body);
        return NULL;
}
