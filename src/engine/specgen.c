/* specgen.c - process, namespaces, security; mounts and resources have files of their own. */
#include "engine/specgen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "engine/defaults.h"
#include "engine/hostconfig.h"
#include "engine/seccomp_default.h"
#include "oci/spec.h"
#include "sys/caps.h"
#include "sys/seccomp_cache.h"

static void add_namespace(json *list, const char *type, const char *path)
{
        json *ns = json_new_object();

        json_set_str(ns, "type", type);
        if (path)
                json_set_str(ns, "path", path);
        json_add(list, ns);
}

static void add_namespaces(json *spec, const json *host, const struct specgen_start *start)
{
        json *list = json_sub_array(specgen_linux(spec), "namespaces");

        add_namespace(list, "mount", NULL);
        if (!str_eq(json_get_str(host, "NetworkMode"), "host"))
                add_namespace(list, "network", start->net_path);
        if (!str_eq(json_get_str(host, "UTSMode"), "host"))
                add_namespace(list, "uts", NULL);
        if (!str_eq(json_get_str(host, "PidMode"), "host"))
                add_namespace(list, "pid", start->pid_path);
        if (!str_eq(json_get_str(host, "IpcMode"), "host"))
                add_namespace(list, "ipc", start->ipc_path);
        if (!str_eq(json_get_str(host, "CgroupnsMode"), "host"))
                add_namespace(list, "cgroup", NULL);
}

err *specgen_caps(const json *host, uint64_t *ret)
{
        uint64_t all = 0, set = SPECGEN_DEFAULT_CAPS, effective, inheritable;
        const json *add = json_get(host, "CapAdd"), *drop = json_get(host, "CapDrop");
        int cap, r;

        /* "All" is what we have ourselves: a machine may have taken some from everybody. */
        r = caps_get(&effective, &all, &inheritable);
        if (r < 0)
                return err_sys(r, "reading our capabilities");
        if (json_get_bool(host, "Privileged", false)) {
                *ret = all;
                return NULL;
        }
        for (size_t i = 0; i < json_len(drop); i++)
                if (strcasecmp(json_str(json_at(drop, i)), "ALL") == 0)
                        set = 0;
        for (size_t i = 0; i < json_len(add); i++)
                if (strcasecmp(json_str(json_at(add, i)), "ALL") == 0)
                        set = all;
        for (size_t i = 0; i < json_len(drop); i++)
                if ((cap = oci_cap_number(json_str(json_at(drop, i)))) >= 0)
                        set &= ~(1ull << cap);
        for (size_t i = 0; i < json_len(add); i++)
                if ((cap = oci_cap_number(json_str(json_at(add, i)))) >= 0)
                        set |= 1ull << cap;
        *ret = set;
        return NULL;
}

static void add_caps(json *process, uint64_t set)
{
        /* Not inheritable, not ambient: a set that survives exec of an unprivileged program (CVE-2022-24769). */
        static const char *const kinds[] = {"bounding", "effective", "permitted"};
        json *caps = json_sub_object(process, "capabilities");

        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
                json *list = json_sub_array(caps, kinds[k]);

                for (int c = 0; c < 64; c++)
                        if (set >> c & 1 && oci_cap_name(c))
                                json_add_str(list, oci_cap_name(c));
        }
}

/* The option's value for "name=value" or "name:value", NULL if @opt is another. */
static const char *opt_value(const char *opt, const char *name)
{
        const char *rest = str_after(opt, name);

        return rest && (*rest == '=' || *rest == ':') ? rest + 1 : NULL;
}

/* The profile is most of a spec's text, and the same for nearly all containers: once its filter is compiled, its name
 * is enough. */
static err *add_default_seccomp(json *spec, const struct specgen_start *start, uint64_t caps)
{
        json *profile;

        if (start->seccomp_name) {
                char file[SECCOMP_DEFAULT_NAME_MAX + 8];

                seccomp_default_name(caps, start->seccomp_name);
                (void)snprintf(file, sizeof(file), "%s" SECCOMP_CACHE_SUFFIX, start->seccomp_name);
                if (start->seccomp_fd >= 0 && file_exists(start->seccomp_fd, file))
                        return NULL;
        }
        TRY(seccomp_default_json(caps, &profile));
        json_set(specgen_linux(spec), "seccomp", profile);
        return NULL;
}

static err *add_security(json *spec, json *process, const json *host, const struct specgen_start *start, uint64_t caps)
{
        const json *opts = json_get(host, "SecurityOpt");
        bool privileged = json_get_bool(host, "Privileged", false);
        _cleanup_json_ json *seccomp = NULL;
        bool confined = !privileged;

        for (size_t i = 0; i < json_len(opts); i++) {
                const char *opt = json_str(json_at(opts, i)), *value = opt_value(opt, "seccomp");

                if (str_starts(opt, "no-new-privileges"))
                        json_set_bool(process, "noNewPrivileges", !str_ends(opt, "false"));
                if (value && strcmp(value, "unconfined") == 0) {
                        confined = false;
                } else if (value && strcmp(value, "builtin") == 0) {
                        confined = true;
                } else if (value) {
                        /* The command line has replaced the file's name by its content, as docker's does. */
                        json_free(seccomp);
                        seccomp = NULL;
                        TRY_WRAP(json_parse(value, strlen(value), &seccomp), "seccomp profile");
                        confined = true;
                }
                value = opt_value(opt, "apparmor");
                if (value && strcmp(value, "unconfined") != 0)
                        json_set_str(process, "apparmorProfile", value);
        }
        if (!confined)
                return NULL;
        if (!seccomp)
                return add_default_seccomp(spec, start, caps);
        json_set(specgen_linux(spec), "seccomp", TAKE_PTR(seccomp));
        return NULL;
}

static err *add_rlimits(json *process, const json *host)
{
        const json *ulimits = json_get(host, "Ulimits");

        for (size_t i = 0; i < json_len(ulimits); i++) {
                json *u = json_at(ulimits, i), *limit = json_new_object();
                _cleanup_free_ char *type = str_format("RLIMIT_%s", json_get_str_or(u, "Name", ""));

                if (!type)
                        return err_nomem();
                for (char *p = type; *p; p++)
                        if (*p >= 'a' && *p <= 'z')
                                *p = (char)(*p - 32);
                json_set_str(limit, "type", type);
                json_set(limit, "hard", json_new_uint((uint64_t)json_get_int(u, "Hard", 0)));
                json_set(limit, "soft", json_new_uint((uint64_t)json_get_int(u, "Soft", 0)));
                json_add(json_sub_array(process, "rlimits"), limit);
        }
        return NULL;
}

/* The user's own comes before a link's. */
static err *add_link_env(json *list, char *const *env, const char *variable)
{
        _cleanup_free_ char *name = strndup(variable, strcspn(variable, "="));

        if (!name)
                return err_nomem();
        if (!strv_env(env, name))
                json_add_str(list, variable);
        return NULL;
}

static err *add_env(json *process, const json *config, char *const *links)
{
        bool tty = json_get_bool(config, "Tty", false), term = false, path = false, hostname = false;
        _cleanup_strv_ char **env = NULL;
        json *list = json_sub_array(process, "env");

        TRY(json_get_strv(config, "Env", &env));
        for (char **p = env; p && *p; p++) {
                path |= str_starts(*p, "PATH=");
                hostname |= str_starts(*p, "HOSTNAME=");
                term |= str_starts(*p, "TERM=");
        }
        /* docker's order: PATH, HOSTNAME, TERM, links, the rest; HOME is added by whoever resolves the user. */
        if (!path)
                json_add_str(list, DEFAULTS_PATH);
        for (char **p = env; p && *p && path; p++)
                if (str_starts(*p, "PATH="))
                        json_add_str(list, *p);
        if (!hostname) {
                _cleanup_free_ char *h = str_format("HOSTNAME=%s", json_get_str_or(config, "Hostname", ""));

                json_add_str(list, h);
        }
        if (tty && !term)
                json_add_str(list, "TERM=xterm");
        for (char *const *p = links; p && *p; p++)
                TRY(add_link_env(list, env, *p));
        for (char **p = env; p && *p; p++)
                if (!str_starts(*p, "PATH=") && strchr(*p, '='))
                        json_add_str(list, *p);
        return NULL;
}

static err *add_process(json *spec, const json *record, const struct specgen_start *start)
{
        const json *config = json_get(record, "Config"), *host = json_get(record, "HostConfig");
        const json *size = json_get(host, "ConsoleSize");
        json *process = json_sub_object(spec, "process"), *user, *console, *args;
        const char *wd = json_get_str_or(config, "WorkingDir", "");
        _cleanup_strv_ char **argv = NULL;
        uint64_t caps;

        json_set_bool(process, "terminal", json_get_bool(config, "Tty", false));
        if (json_int(json_at(size, 0), 0) && json_get_bool(config, "Tty", false)) {
                console = json_sub_object(process, "consoleSize");
                json_set_int(console, "height", json_int(json_at(size, 0), 0));
                json_set_int(console, "width", json_int(json_at(size, 1), 0));
        }
        user = json_sub_object(process, "user");
        json_set_int(user, "uid", 0);
        json_set_int(user, "gid", 0);
        TRY(hostconfig_argv(config, &argv));
        args = json_sub_array(process, "args");
        if (start->init_path) {
                json_add_str(args, SPECGEN_INIT_PATH);
                json_add_str(args, "--");
        }
        for (char **p = argv; *p; p++)
                json_add_str(args, *p);
        TRY(add_env(process, config, start->env));
        json_set_str(process, "cwd", *wd ? wd : "/");
        TRY(specgen_caps(host, &caps));
        add_caps(process, caps);
        TRY(add_rlimits(process, host));
        json_set_int(process, "oomScoreAdj", json_get_int(host, "OomScoreAdj", 0));
        return add_security(spec, process, host, start, caps);
}

static void add_sysctls(json *spec, const json *host)
{
        json *sysctl = json_sub_object(specgen_linux(spec), "sysctl");
        const char *net = json_get_str_or(host, "NetworkMode", "");

        /* As docker: ping and low ports without privilege, in a network namespace of its own only. */
        if (strcmp(net, "host") != 0 && !str_starts(net, "container:") && !str_starts(net, "ns:")) {
                for (size_t i = 0; i < defaults_n_sysctls; i++)
                        json_set_str(sysctl, defaults_sysctls[i].key, defaults_sysctls[i].value);
        }
        JSON_EACH (json_get(host, "Sysctls"), it)
                json_set_str(sysctl, it.key, json_str(it.value));
}

static void copy_paths(json *spec, const json *host, const char *from, const char *to)
{
        if (json_len(json_get(host, from)))
                json_set(specgen_linux(spec), to, json_ref(json_get(host, from)));
}

err *specgen(const json *record, const struct specgen_start *start, json **ret)
{
        const json *config = json_get(record, "Config"), *host = json_get(record, "HostConfig");
        _cleanup_json_ json *spec = json_new_object();
        json *root;

        json_set_str(spec, "ociVersion", "1.2.0");
        TRY(add_process(spec, record, start));
        root = json_sub_object(spec, "root");
        json_set_str(root, "path", start->root_path);
        json_set_bool(root, "readonly", json_get_bool(host, "ReadonlyRootfs", false));
        if (!str_eq(json_get_str(host, "UTSMode"), "host")) {
                json_set_str(spec, "hostname", json_get_str_or(config, "Hostname", ""));
                if (!str_empty(json_get_str(config, "Domainname")))
                        json_set_str(spec, "domainname", json_get_str(config, "Domainname"));
        }
        TRY(specgen_mounts(spec, record, start));
        if (json_len(json_get(host, "Annotations")))
                json_set(spec, "annotations", json_ref(json_get(host, "Annotations")));
        add_namespaces(spec, host, start);
        json_set_str(specgen_linux(spec), "cgroupsPath", start->cgroup);
        TRY(specgen_resources(spec, record));
        TRY(specgen_devices(spec, record));
        add_sysctls(spec, host);
        copy_paths(spec, host, "MaskedPaths", "maskedPaths");
        copy_paths(spec, host, "ReadonlyPaths", "readonlyPaths");
        *ret = TAKE_PTR(spec);
        return NULL;
}
