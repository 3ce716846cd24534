/* hostconfig.c - defaults and merging; the checks are in hostconfig_check.c. */
#include "engine/hostconfig.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "engine/defaults.h"

#define CPUS_MAX 4096
#define CPU_LIMIT 65536

/* How a member looks that nobody gave. */
enum shape { NIL, EMPTY_ARRAY, EMPTY_OBJECT, TEXT, ZERO, NO, SKIP /* absent unless given (Go's omitempty) */ };

static const struct {
        const char *key;
        enum shape shape;
        const char *text; /* for TEXT; "" if NULL */
        int64_t number;   /* for ZERO: the number */
} members[] = {
        {"Binds", NIL, NULL, 0},
        {"ContainerIDFile", TEXT, NULL, 0},
        {"LogConfig", SKIP, NULL, 0},
        {"NetworkMode", TEXT, "bridge", 0},
        {"PortBindings", EMPTY_OBJECT, NULL, 0},
        {"RestartPolicy", SKIP, NULL, 0},
        {"AutoRemove", NO, NULL, 0},
        {"VolumeDriver", TEXT, NULL, 0},
        {"VolumesFrom", NIL, NULL, 0},
        {"Mounts", SKIP, NULL, 0},
        {"ConsoleSize", SKIP, NULL, 0},
        {"Annotations", SKIP, NULL, 0},
        {"CapAdd", NIL, NULL, 0},
        {"CapDrop", NIL, NULL, 0},
        {"CgroupnsMode", TEXT, "private", 0},
        {"Dns", EMPTY_ARRAY, NULL, 0},
        {"DnsOptions", EMPTY_ARRAY, NULL, 0},
        {"DnsSearch", EMPTY_ARRAY, NULL, 0},
        {"ExtraHosts", NIL, NULL, 0},
        {"GroupAdd", NIL, NULL, 0},
        {"IpcMode", TEXT, "private", 0},
        {"Cgroup", TEXT, NULL, 0},
        {"Links", NIL, NULL, 0},
        {"OomScoreAdj", ZERO, NULL, 0},
        {"PidMode", TEXT, NULL, 0},
        {"Privileged", NO, NULL, 0},
        {"PublishAllPorts", NO, NULL, 0},
        {"ReadonlyRootfs", NO, NULL, 0},
        {"SecurityOpt", NIL, NULL, 0},
        {"StorageOpt", SKIP, NULL, 0},
        {"Tmpfs", SKIP, NULL, 0},
        {"UTSMode", TEXT, NULL, 0},
        {"UsernsMode", TEXT, NULL, 0},
        {"ShmSize", ZERO, NULL, DEFAULTS_SHM_SIZE},
        {"Sysctls", SKIP, NULL, 0},
        {"Runtime", TEXT, "hod", 0},
        {"Isolation", TEXT, NULL, 0},
        {"CpuShares", ZERO, NULL, 0},
        {"Memory", ZERO, NULL, 0},
        {"NanoCpus", ZERO, NULL, 0},
        {"CgroupParent", TEXT, NULL, 0},
        {"BlkioWeight", ZERO, NULL, 0},
        {"BlkioWeightDevice", EMPTY_ARRAY, NULL, 0},
        {"BlkioDeviceReadBps", EMPTY_ARRAY, NULL, 0},
        {"BlkioDeviceWriteBps", EMPTY_ARRAY, NULL, 0},
        {"BlkioDeviceReadIOps", EMPTY_ARRAY, NULL, 0},
        {"BlkioDeviceWriteIOps", EMPTY_ARRAY, NULL, 0},
        {"CpuPeriod", ZERO, NULL, 0},
        {"CpuQuota", ZERO, NULL, 0},
        {"CpuRealtimePeriod", ZERO, NULL, 0},
        {"CpuRealtimeRuntime", ZERO, NULL, 0},
        {"CpusetCpus", TEXT, NULL, 0},
        {"CpusetMems", TEXT, NULL, 0},
        {"Devices", EMPTY_ARRAY, NULL, 0},
        {"DeviceCgroupRules", NIL, NULL, 0},
        {"DeviceRequests", NIL, NULL, 0},
        {"MemoryReservation", ZERO, NULL, 0},
        {"MemorySwap", ZERO, NULL, 0},
        {"MemorySwappiness", NIL, NULL, 0},
        {"OomKillDisable", NO, NULL, 0},
        {"PidsLimit", NIL, NULL, 0},
        {"Ulimits", EMPTY_ARRAY, NULL, 0},
        {"CpuCount", ZERO, NULL, 0},
        {"CpuPercent", ZERO, NULL, 0},
        {"IOMaximumIOps", ZERO, NULL, 0},
        {"IOMaximumBandwidth", ZERO, NULL, 0},
        {"MaskedPaths", SKIP, NULL, 0},
        {"ReadonlyPaths", SKIP, NULL, 0},
        {"Init", SKIP, NULL, 0},
        {"Rootfs", SKIP, NULL, 0},  /* ours: run an unpacked tree (--rootfs) */
        {"NetRate", SKIP, NULL, 0}, /* ours: --net-rate and --egress */
        {"Egress", SKIP, NULL, 0},
};

static json *member_default(size_t i)
{
        switch (members[i].shape) {
        case EMPTY_ARRAY:
                return json_new_array();
        case EMPTY_OBJECT:
                return json_new_object();
        case TEXT:
                return json_new_str(members[i].text ? members[i].text : "");
        case ZERO:
                return json_new_int(members[i].number);
        case NO:
                return json_new_bool(false);
        case NIL:
        case SKIP:
                break;
        }
        return NULL;
}

/* Is the default wanted although the member was given? (An empty text or a null stands for "not given".) */
static bool is_absent(const json *value, enum shape shape)
{
        if (!value || json_kind(value) == JSON_NULL)
                return true;
        return shape == TEXT && json_kind(value) == JSON_STRING && str_empty(json_str(value));
}

static void complete_nested(json *host)
{
        json *log = json_sub_object(host, "LogConfig"), *restart = json_sub_object(host, "RestartPolicy");

        if (str_empty(json_get_str(log, "Type")))
                json_set_str(log, "Type", "json-file");
        (void)json_sub_object(log, "Config");
        if (str_empty(json_get_str(restart, "Name")))
                json_set_str(restart, "Name", "no");
        if (!json_get(restart, "MaximumRetryCount"))
                json_set_int(restart, "MaximumRetryCount", 0);
        if (!json_get(host, "ConsoleSize")) {
                json *size = json_sub_array(host, "ConsoleSize");

                json_add(size, json_new_int(0));
                json_add(size, json_new_int(0));
        }
        /* What docker's command line calls "default" is shown as what it is. */
        if (str_eq(json_get_str(host, "NetworkMode"), "default"))
                json_set_str(host, "NetworkMode", "bridge");
        if (json_get_int(host, "ShmSize", 0) == 0)
                json_set_int(host, "ShmSize", DEFAULTS_SHM_SIZE);
}

static void set_paths(json *host, const char *key, const struct default_path *paths, size_t n, bool none)
{
        json *list;

        if (json_get(host, key))
                return;
        list = json_sub_array(host, key);
        for (size_t i = 0; !none && i < n; i++)
                json_add_str(list, paths[i].path);
}

/* The last number in the kernel's list of processors ("0-3,8-11"): there may be holes before it. */
static uint64_t last_cpu(void)
{
        _cleanup_free_ char *text = NULL;
        const char *last = NULL;
        uint64_t n = 0;

        if (file_read(AT_FDCWD, DEFAULTS_CPUS, CPUS_MAX, &text, NULL) < 0)
                return 0;
        text[strcspn(text, "\n")] = '\0';
        for (const char *p = text; *p; p++)
                if (p == text || p[-1] == '-' || p[-1] == ',')
                        last = p;
        return last && parse_u64(last, &n) && n < CPU_LIMIT ? n : 0;
}

/* Of every processor; a virtual machine's have none. One that is switched off has lost its own, for now. */
static void add_masked_per_cpu(json *list)
{
        uint64_t last = last_cpu();
        char path[96];

        for (uint64_t i = 0; i <= last; i++) {
                (void)snprintf(path, sizeof(path), DEFAULTS_MASKED_PER_CPU, (unsigned)i);
                if (access(path, F_OK) == 0)
                        json_add_str(list, path);
        }
}

err *hostconfig_complete(const json *given, json **ret)
{
        _cleanup_json_ json *host = json_new_object();
        bool open, usual;

        for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
                json *value = json_get(given, members[i].key);

                /* Nested documents come before the loop reaches later keys so that the order is docker's. */
                if (!is_absent(value, members[i].shape))
                        json_set(host, members[i].key, json_ref(value));
                else if (members[i].shape != SKIP)
                        json_set(host, members[i].key, member_default(i));
                else if (strcmp(members[i].key, "LogConfig") == 0 || strcmp(members[i].key, "RestartPolicy") == 0)
                        (void)json_sub_object(host, members[i].key);
                else if (strcmp(members[i].key, "ConsoleSize") == 0)
                        complete_nested(host);
        }
        JSON_EACH (given, it) {
                bool known = false;

                for (size_t i = 0; i < ARRAY_SIZE(members) && !known; i++)
                        known = strcmp(members[i].key, it.key) == 0;
                if (!known)
                        return err_new(ERR_INVALID, "unknown field HostConfig.%s", it.key);
        }
        complete_nested(host);
        open = json_get_bool(host, "Privileged", false);
        for (size_t i = 0; i < json_len(json_get(host, "SecurityOpt")); i++)
                open |= str_eq(json_str(json_at(json_get(host, "SecurityOpt"), i)), "systempaths=unconfined");
        usual = !open && !json_get(host, "MaskedPaths");
        set_paths(host, "MaskedPaths", defaults_masked, defaults_n_masked, open);
        if (usual)
                add_masked_per_cpu(json_get(host, "MaskedPaths"));
        set_paths(host, "ReadonlyPaths", defaults_readonly, defaults_n_readonly, open);
        *ret = TAKE_PTR(host);
        return NULL;
}

static err *merge_env(const json *given, const json *image, json *config)
{
        json *merged = json_sub_array(config, "Env");
        const json *mine = json_get(given, "Env"), *theirs = json_get(image, "Env");
        bool path = false;

        /* The user's values first, then what the image has and the user has not: docker's order. */
        for (size_t i = 0; i < json_len(mine); i++) {
                const char *entry = json_str(json_at(mine, i));

                if (!entry)
                        return err_new(ERR_INVALID, "Env must be a list of strings");
                path |= str_starts(entry, "PATH=");
                json_add_str(merged, entry);
        }
        for (size_t i = 0; i < json_len(theirs); i++) {
                const char *entry = json_str(json_at(theirs, i));
                bool overridden = false;
                size_t n = entry ? strcspn(entry, "=") : 0;

                for (size_t k = 0; entry && k < json_len(mine) && !overridden; k++) {
                        const char *other = json_str(json_at(mine, k));

                        overridden = strncmp(other, entry, n) == 0 && (other[n] == '=' || other[n] == '\0');
                }
                if (entry && !overridden) {
                        path |= str_starts(entry, "PATH=");
                        json_add_str(merged, entry);
                }
        }
        if (!path)
                json_add_str(merged, DEFAULTS_PATH);
        return NULL;
}

static void unite(json *config, const char *key, const json *given, const json *image, bool null_if_empty)
{
        const json *mine = json_get(given, key), *theirs = json_get(image, key);
        json *both;

        if (null_if_empty && !json_len(mine) && !json_len(theirs)) {
                json_set(config, key, NULL);
                return;
        }
        both = json_sub_object(config, key);
        JSON_EACH (theirs, it)
                json_set(both, it.key, json_ref(it.value));
        JSON_EACH (mine, it)
                json_set(both, it.key, json_ref(it.value));
}

/* A text that falls back to the image's. */
static void text_or(json *config, const char *key, const json *given, const json *image)
{
        const char *mine = json_get_str(given, key), *theirs = json_get_str(image, key);

        json_set_str(config, key, !str_empty(mine) ? mine : theirs ? theirs : "");
}

static json *list_or_null(const json *list)
{
        return json_kind(list) == JSON_ARRAY ? json_ref((json *)(uintptr_t)list) : NULL;
}

err *hostconfig_merge_config(const json *given, const json *image, json **ret)
{
        static const char *const flags[] = {"AttachStdin", "AttachStdout", "AttachStderr"};
        static const char *const more[] = {"Tty", "OpenStdin", "StdinOnce"};
        _cleanup_json_ json *config = json_new_object();
        const json *entrypoint = json_get(given, "Entrypoint"), *cmd = json_get(given, "Cmd");
        bool own, cleared;

        json_set_str(config, "Hostname", json_get_str_or(given, "Hostname", ""));
        json_set_str(config, "Domainname", json_get_str_or(given, "Domainname", ""));
        text_or(config, "User", given, image);
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                json_set_bool(config, flags[i], json_get_bool(given, flags[i], false));
        if (json_len(json_get(given, "ExposedPorts")) || json_len(json_get(image, "ExposedPorts")))
                unite(config, "ExposedPorts", given, image, false);
        for (size_t i = 0; i < ARRAY_SIZE(more); i++)
                json_set_bool(config, more[i], json_get_bool(given, more[i], false));
        TRY(merge_env(given, image, config));

        /* An entrypoint that is given ([""] or [] clears it) drops the image's command. */
        own = json_kind(entrypoint) == JSON_ARRAY;
        cleared = own && (json_len(entrypoint) == 0 ||
                          (json_len(entrypoint) == 1 && str_empty(json_str(json_at(entrypoint, 0)))));
        json_set(config, "Cmd", list_or_null(own || json_len(cmd) ? cmd : json_get(image, "Cmd")));
        if (json_get(image, "Healthcheck"))
                json_set(config, "Healthcheck", json_ref(json_get(image, "Healthcheck")));
        json_set_str(config, "Image", json_get_str_or(given, "Image", ""));
        unite(config, "Volumes", given, image, true);
        text_or(config, "WorkingDir", given, image);
        json_set(config, "Entrypoint", cleared ? NULL : list_or_null(own ? entrypoint : json_get(image, "Entrypoint")));
        json_set(config, "OnBuild", NULL);
        unite(config, "Labels", given, image, false);
        if (json_get_str(given, "StopSignal") || json_get_str(image, "StopSignal"))
                text_or(config, "StopSignal", given, image);
        if (json_kind(json_get(given, "StopTimeout")) == JSON_INT)
                json_set_int(config, "StopTimeout", json_get_int(given, "StopTimeout", 10));
        *ret = TAKE_PTR(config);
        return NULL;
}

err *hostconfig_argv(const json *config, char ***ret)
{
        _cleanup_strv_ char **argv = NULL, **cmd = NULL;

        TRY(json_get_strv(config, "Entrypoint", &argv));
        TRY(json_get_strv(config, "Cmd", &cmd));
        for (char **p = cmd; p && *p; p++)
                TRY(strv_add(&argv, *p));
        if (!strv_len(argv))
                return err_new(ERR_INVALID, "no command specified");
        *ret = TAKE_PTR(argv);
        return NULL;
}
