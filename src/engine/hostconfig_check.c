/* hostconfig_check.c - refuse what docker refuses, in its words. Each check names the flag's rule and nothing else. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "engine/hostconfig.h"
#include "engine/traffic.h"
#include "oci/spec.h"
#include "sys/caps.h"
#include "sys/cgroup.h"

#define MEMORY_MIN (6 << 20)
/* Up to seventeen values each in network.json, while what is published for both families moves to another network: what
 * is written is read again (JSON_MAX_NODES). */
#define PORTS_MAX 11000

static err *check_memory(json *host, char ***warnings)
{
        int64_t memory = json_get_int(host, "Memory", 0), swap = json_get_int(host, "MemorySwap", 0);
        int64_t reservation = json_get_int(host, "MemoryReservation", 0);
        const json *swappiness = json_get(host, "MemorySwappiness");
        int64_t s = json_int(swappiness, -1);

        if (memory != 0 && memory < MEMORY_MIN)
                return err_new(ERR_INVALID, "Minimum memory limit allowed is 6MB");
        if (memory > 0 && swap > 0 && swap < memory)
                return err_new(ERR_INVALID, "Minimum memoryswap limit should be larger than memory limit, see usage");
        if (memory == 0 && swap > 0)
                return err_new(ERR_INVALID,
                               "You should always set the Memory limit when using Memoryswap limit, see usage");
        if (reservation > 0 && reservation < MEMORY_MIN)
                return err_new(ERR_INVALID, "Minimum memory reservation allowed is 6MB");
        if (memory > 0 && reservation > memory)
                return err_new(ERR_INVALID,
                               "Minimum memory limit can not be less than memory reservation limit, see usage");
        if (json_kind(swappiness) == JSON_INT && (s < -1 || s > 100))
                return err_new(ERR_INVALID, "invalid value: %lld. Valid memory swappiness range is 0-100",
                               (long long)s);
        if (memory > 0 && swap == 0)
                json_set_int(host, "MemorySwap", memory <= INT64_MAX / 2 ? memory * 2 : -1);
        if (json_get_bool(host, "OomKillDisable", false)) {
                const struct cgroup_layout *layout;

                TRY(cgroup_layout_get(&layout));
                if (layout->mode == CGROUP_MODE_V2) {
                        TRY(strv_add(warnings,
                                     "Your kernel does not support OomKillDisable. OomKillDisable discarded."));
                        json_set_bool(host, "OomKillDisable", false);
                } else if (memory == 0) {
                        TRY(strv_add(warnings, "OOM killer is disabled for the container, but no memory limit is set, "
                                               "this can result in the system running out of resources."));
                }
        }
        return NULL;
}

static err *check_cpu(const json *host)
{
        int64_t nano = json_get_int(host, "NanoCpus", 0), period = json_get_int(host, "CpuPeriod", 0);
        int64_t quota = json_get_int(host, "CpuQuota", 0), shares = json_get_int(host, "CpuShares", 0);

        if (nano) {
                int64_t cpus = sysconf(_SC_NPROCESSORS_ONLN);

                if (period)
                        return err_new(ERR_INVALID, "Conflicting options: Nano CPUs and CPU Period cannot both be set");
                if (quota)
                        return err_new(ERR_INVALID, "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
                /* docker lets 0.001 through to the kernel, which refuses it; the range it names is what holds. */
                if (nano < 10000000 || nano > cpus * 1000000000)
                        return err_new(ERR_INVALID,
                                       "range of CPUs is from 0.01 to %lld.00, as there are only %lld CPUs available",
                                       (long long)cpus, (long long)cpus);
        }
        if (shares < 0)
                return err_new(ERR_INVALID, "invalid CPU shares (%lld): value must be a positive integer",
                               (long long)shares);
        if (shares == 1)
                return err_new(ERR_INVALID, "the minimum allowed cpu-shares is 2");
        if (shares > 262144)
                return err_new(ERR_INVALID, "the maximum allowed cpu-shares is 262144");
        if (period && (period < 1000 || period > 1000000))
                return err_new(ERR_INVALID,
                               "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
        if (quota > 0 && quota < 1000)
                return err_new(ERR_INVALID, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
        return NULL;
}

/* Are the members of @set among those the kernel has online (@online: "0-3,5")? */
static err *check_set(const char *set, const char *what, const char *flag, const char *online_path)
{
        _cleanup_free_ char *online = NULL;
        int r;

        if (str_empty(set))
                return NULL;
        if (!parse_cpuset_valid(set))
                return err_new(ERR_INVALID, "Invalid value %s for cpuset %s: invalid format: %s", set, flag, set);
        r = file_read(AT_FDCWD, online_path, 4096, &online, NULL);
        if (r < 0) /* a kernel without NUMA has no list of nodes: node 0 */
                online = str_dup("0");
        if (!online)
                return err_nomem();
        online[strcspn(online, "\n")] = '\0';
        if (!parse_cpuset_subset(set, online))
                return err_new(ERR_INVALID, "Requested %s are not available - requested %s, available: %s", what, set,
                               online);
        return NULL;
}

/* What is to be dropped need not be there: it will not be. */
static err *check_caps(const json *host)
{
        static const char *const keys[] = {"CapAdd", "CapDrop"};
        uint64_t effective, permitted, inheritable;
        int r = caps_get(&effective, &permitted, &inheritable);

        if (r < 0)
                return err_sys(r, "reading our capabilities");
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
                const json *list = json_get(host, keys[k]);

                for (size_t i = 0; i < json_len(list); i++) {
                        const char *name = json_str(json_at(list, i));
                        int cap = name ? oci_cap_number(name) : -1;
                        char full[64];

                        if (name && strcasecmp(name, "ALL") == 0)
                                continue;
                        if (cap >= 0 && (k == 1 || permitted >> cap & 1))
                                continue;
                        (void)snprintf(full, sizeof(full), "%s%s",
                                       name && strncasecmp(name, "CAP_", 4) == 0 ? "" : "CAP_", name ? name : "");
                        for (char *p = full; *p; p++)
                                if (*p >= 'a' && *p <= 'z')
                                        *p = (char)(*p - 32);
                        return err_new(ERR_INVALID, "invalid %s: %s: \"%s\"", keys[k],
                                       cap < 0 ? "unknown capability"
                                               : "capability not supported by your kernel or not available in the "
                                                 "current environment",
                                       full);
                }
        }
        return NULL;
}

static bool mode_is(const char *mode, const char *const *plain)
{
        const char *target = str_after(mode, "container:");

        if (target)
                return *target != '\0';
        for (; *plain; plain++)
                if (str_eq(mode, *plain))
                        return true;
        return false;
}

static err *check_modes(const json *config, const json *host)
{
        static const char *const ipc[] = {"", "none", "private", "shareable", "host", NULL};
        static const char *const pid[] = {"", "host", NULL};
        bool own_name = !str_empty(json_get_str(config, "Hostname"));
        const char *ns;

        ns = json_get_str_or(host, "IpcMode", "");
        if (!mode_is(ns, ipc))
                return err_new(ERR_INVALID, "invalid IPC mode: %s", ns);
        ns = json_get_str_or(host, "PidMode", "");
        if (!mode_is(ns, pid))
                return err_new(ERR_INVALID, "invalid PID mode: %s", ns);
        ns = json_get_str_or(host, "UTSMode", "");
        if (*ns && strcmp(ns, "host") != 0)
                return err_new(ERR_INVALID, "invalid UTS mode: %s", ns);
        if (*ns && own_name)
                return err_new(ERR_INVALID, "conflicting options: hostname and the UTS mode");
        ns = json_get_str_or(host, "UsernsMode", "");
        if (*ns && strcmp(ns, "host") != 0)
                return err_new(ERR_INVALID,
                               "invalid USER mode: %s (a user namespace per container is not built yet: "
                               "only \"host\" can be chosen)",
                               ns);
        ns = json_get_str_or(host, "CgroupnsMode", "");
        if (*ns && strcmp(ns, "host") != 0 && strcmp(ns, "private") != 0)
                return err_new(ERR_INVALID, "invalid CGROUP mode: %s", ns);
        return NULL;
}

static err *check_sysctls(const json *host)
{
        const char *net = json_get_str_or(host, "NetworkMode", "");

        JSON_EACH (json_get(host, "Sysctls"), it) {
                if (str_starts(it.key, "net.") && strcmp(net, "host") == 0)
                        return err_new(ERR_INVALID, "sysctl \"%s\" not allowed in host network namespace", it.key);
        }
        return NULL;
}

static err *check_devices(const json *host)
{
        const json *list = json_get(host, "Devices");

        for (size_t i = 0; i < json_len(list); i++) {
                const char *path = json_get_str_or(json_at(list, i), "PathOnHost", "");

                if (access(path, F_OK) < 0)
                        return err_new(ERR_INVALID,
                                       "error gathering device information while adding custom device \"%s\": %s", path,
                                       errno == ENOENT ? "no such file or directory" : strerror(errno));
        }
        return NULL;
}

static err *check_restart(const json *host)
{
        const json *policy = json_get(host, "RestartPolicy");
        const char *name = json_get_str_or(policy, "Name", "no");
        int64_t max = json_get_int(policy, "MaximumRetryCount", 0);

        if (strcmp(name, "no") != 0 && strcmp(name, "always") != 0 && strcmp(name, "on-failure") != 0 &&
            strcmp(name, "unless-stopped") != 0)
                return err_new(ERR_INVALID,
                               "invalid restart policy: unknown policy '%s'; use one of 'no', 'always', 'on-failure', "
                               "or 'unless-stopped'",
                               name);
        if (max < 0)
                return err_new(ERR_INVALID, "invalid restart policy: maximum retry count cannot be negative");
        if (max > 0 && strcmp(name, "on-failure") != 0)
                return err_new(ERR_INVALID,
                               "invalid restart policy: maximum retry count can only be used with 'on-failure'");
        if (strcmp(name, "no") != 0 && json_get_bool(host, "AutoRemove", false))
                return err_new(ERR_INVALID, "conflicting options: cannot specify both --restart and --rm");
        return NULL;
}

static err *check_security(const json *host)
{
        const json *list = json_get(host, "SecurityOpt");

        for (size_t i = 0; i < json_len(list); i++) {
                const char *opt = json_str(json_at(list, i));
                static const char *const flags[] = {
                        "no-new-privileges",      "no-new-privileges=true",  "no-new-privileges=false",
                        "no-new-privileges:true", "no-new-privileges:false", "systempaths=unconfined",
                        "label=disable",          "label:disable",           NULL};
                bool known = false;

                for (const char *const *f = flags; *f && opt; f++)
                        known |= strcmp(opt, *f) == 0;
                if (opt && (str_starts(opt, "seccomp=") || str_starts(opt, "apparmor=") ||
                            str_starts(opt, "seccomp:") || str_starts(opt, "apparmor:")))
                        known = true;
                if (!known)
                        return err_new(ERR_INVALID, "invalid --security-opt %zu: \"%s\"", i + 1, opt ? opt : "");
        }
        return NULL;
}

/* Can this machine weigh block I/O? v1: bfq's or cfq's file; v2: iocost (io.cost.qos in the root) or bfq. */
static err *has_blkio_weight(bool *ret)
{
        static const char *const files[] = {"blkio.weight",  "blkio.bfq.weight",     "io.cost.qos",
                                            "io.bfq.weight", "hod/blkio.bfq.weight", "hod/io.bfq.weight"};
        const struct cgroup_layout *layout;

        *ret = false;
        TRY(cgroup_layout_get(&layout));
        for (size_t i = 0; i < ARRAY_SIZE(files) && layout->of[CGROUP_BLKIO] >= 0; i++)
                *ret |= faccessat(layout->h[layout->of[CGROUP_BLKIO]].fd, files[i], F_OK, 0) == 0;
        return NULL;
}

static err *check_blkio(json *host, char ***warnings)
{
        static const char *const keys[] = {"BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps",
                                           "BlkioDeviceWriteIOps"};
        int64_t weight = json_get_int(host, "BlkioWeight", 0);
        bool can = true;

        if (weight)
                TRY(has_blkio_weight(&can));
        if (!can) {
                TRY(strv_add(warnings, "Your kernel does not support Block I/O weight or the cgroup is not mounted. "
                                       "Weight discarded."));
                json_set_int(host, "BlkioWeight", 0);
        } else if (weight && (weight < 10 || weight > 1000)) {
                return err_new(ERR_INVALID, "Range of blkio weight is from 10 to 1000");
        }
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
                const json *list = json_get(host, keys[k]);

                for (size_t i = 0; i < json_len(list); i++) {
                        const char *path = json_get_str_or(json_at(list, i), "Path", "");
                        struct stat st;

                        if (stat(path, &st) < 0)
                                return err_sys(errno, "stat %s", path);
                        if (!S_ISBLK(st.st_mode))
                                return err_new(ERR_INVALID, "%s: not a block device", path);
                }
        }
        return NULL;
}

err *hostconfig_log_limits(const json *host, uint64_t *ret_size, unsigned *ret_files)
{
        const json *opts = json_get(json_get(host, "LogConfig"), "Config");
        const char *size = json_get_str(opts, "max-size"), *files = json_get_str(opts, "max-file");
        int64_t max_size = 20 << 20, max_files = 3; /* bounded by default; docker's files grow until the disk is full */

        if (size)
                TRY_WRAP(parse_size_unlimited(size, &max_size), "log option max-size");
        if (max_size < -1 || max_size == 0)
                return err_new(ERR_INVALID, "log option max-size: it must be a positive number, not '%s'", size);
        if (files)
                TRY_WRAP(parse_int(files, 1, 10000, &max_files), "log option max-file");
        *ret_size = max_size < 0 ? UINT64_MAX : (uint64_t)max_size;
        *ret_files = (unsigned)max_files;
        return NULL;
}

err *hostconfig_storage_size(const json *host, uint64_t *ret)
{
        int64_t size = 0;

        JSON_EACH (json_get(host, "StorageOpt"), it) {
                if (strcasecmp(it.key, "size") != 0)
                        return err_new(ERR_INVALID, "unknown option %s", it.key);
                TRY_WRAP(parse_size(json_str(it.value) ? json_str(it.value) : "", &size), "--storage-opt size");
                if (size <= 0)
                        return err_new(ERR_INVALID, "--storage-opt size: it must be a positive number, not '%s'",
                                       json_str(it.value));
                if (json_get_str(host, "Rootfs"))
                        return err_new(ERR_UNSUPPORTED, "--storage-opt is not supported with --rootfs: the directory "
                                                        "has the size of its file system");
        }
        *ret = (uint64_t)size;
        return NULL;
}

static err *check_logs(const json *host)
{
        const json *log = json_get(host, "LogConfig");
        unsigned files;
        uint64_t size;

        TRY(hostconfig_storage_size(host, &size));
        if (str_eq(json_get_str(log, "Type"), "none"))
                return json_len(json_get(log, "Config")) ? err_new(ERR_INVALID, "invalid logging opts for driver none")
                                                         : NULL;
        return hostconfig_log_limits(host, &size, &files);
}

/* Now, not at the first start. */
static err *check_annotations(const json *host)
{
        JSON_EACH (json_get(host, "Annotations"), it)
                TRY(oci_spec_annotation_check(it.key, json_str(it.value)));
        return NULL;
}

static err *check_ports(const json *config, const json *host)
{
        const json *bindings = json_get(host, "PortBindings");
        size_t n = 0;

        JSON_EACH (bindings, it)
                n += json_len(it.value);
        if (json_get_bool(host, "PublishAllPorts", false))
                JSON_EACH (json_get(config, "ExposedPorts"), it)
                        n += !json_has(bindings, it.key);
        return n > PORTS_MAX ? err_new(ERR_INVALID, "%zu ports cannot be published by one container: at most %d", n,
                                       PORTS_MAX)
                             : NULL;
}

err *hostconfig_check(const json *config, json *host, char ***warnings)
{
        int64_t oom = json_get_int(host, "OomScoreAdj", 0);
        const char *wd = json_get_str_or(config, "WorkingDir", "");
        const char *signal = json_get_str(config, "StopSignal");
        int number;

        if (oom < -1000 || oom > 1000)
                return err_new(ERR_INVALID, "Invalid value %lld, range for oom score adj is [-1000, 1000]",
                               (long long)oom);
        if (*wd && *wd != '/')
                return err_new(ERR_INVALID, "the working directory '%s' is invalid, it needs to be an absolute path",
                               wd);
        if (!str_empty(signal) && parse_signal(signal, &number) < 0)
                return err_new(ERR_INVALID, "invalid signal: %s", signal);
        if (json_get_int(host, "ShmSize", 0) < 0)
                return err_new(ERR_INVALID, "SHM size can not be less than 0");
        TRY(check_memory(host, warnings));
        TRY(check_cpu(host));
        TRY(check_set(json_get_str(host, "CpusetCpus"), "CPUs", "cpus", "/sys/devices/system/cpu/online"));
        TRY(check_set(json_get_str(host, "CpusetMems"), "memory nodes", "mems", "/sys/devices/system/node/online"));
        TRY(check_blkio(host, warnings));
        TRY(check_caps(host));
        TRY(check_devices(host));
        TRY(check_sysctls(host));
        TRY(check_modes(config, host));
        TRY(check_ports(config, host));
        TRY(traffic_check(host));
        TRY(check_restart(host));
        TRY(check_security(host));
        TRY(check_logs(host));
        TRY(check_annotations(host));
        if (json_get_int(host, "PidsLimit", 0) < 0)
                json_set_int(host, "PidsLimit", -1);
        return NULL;
}
