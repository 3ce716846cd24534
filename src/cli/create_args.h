/* create_args.h - the flags that `run` and `create` share, and docker's create body made from them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/opt.h"
#include "codec/json.h"

/* Filled by CREATE_OPTS. Lists are NULL-terminated or NULL; numbers are 0 unless given. */
struct create_args {
        /* the program */
        bool interactive, tty, rm, init, rootfs, quiet;
        const char *name, *workdir, *user, *hostname, *domainname, *entrypoint, *cidfile, *stop_signal, *restart, *pull,
                *platform;
        char **env, **env_files, **labels, **label_files, **annotations, **attach, **group_add;
        int64_t stop_timeout;
        /* files */
        char **volumes, **mounts, **tmpfs;
        bool read_only;
        int64_t shm_size;
        /* isolation */
        const char *ip, *ip6, *mac;
        char **network_aliases, **networks, **dns, **dns_search, **dns_options, **link_local_ips, **links;
        const char *pid, *ipc, *uts, *userns, *cgroupns, *cgroup_parent;
        const char *net_rate;
        char **egress;
        bool publish_all;
        char **expose;
        char **publish, **add_host, **sysctls, **cap_add, **cap_drop, **security_opt, **devices, **ulimits;
        bool privileged;
        /* limits */
        int64_t memory, memory_swap, memory_reservation, memory_swappiness, cpu_shares, cpu_period, cpu_quota,
                pids_limit;
        int64_t oom_score_adj, nano_cpus, blkio_weight;
        bool oom_kill_disable;
        const char *cpuset_cpus, *cpuset_mems;
        char **read_bps, **write_bps, **read_iops, **write_iops;
        /* logs */
        const char *log_driver;
        char **log_opts, **storage_opts;
};

extern const char *const pull_policy_words[];

/* Flags of run, create and update. */
#define TRAFFIC_OPTS(T)                                                                                                \
        OPT_LIST(0, "egress", T, egress, "list",                                                                       \
                 "Where it may send: rules allow=TARGET or deny=TARGET with commas, the first that fits decides, the " \
                 "last is deny=* or allow=*; a TARGET is an address, a prefix, a name, *.NAME or *, with :PORT and "   \
                 "/PROTOCOL if wanted (allow=10.0.0.0/8,allow=example.org:443,deny=*)"),                               \
                OPT_STR(0, "net-rate", T, net_rate, "rate[:burst]",                                                    \
                        "Limit each of its networks, in both directions, to RATE (10mbit, 1.5gbit, 100kbps; 0 = no "   \
                        "limit) with bursts of a size (64k)",                                                          \
                        .check = create_args_check_rate)

/* The flags themselves; a struct that embeds create_args as its first member may use them too. In docker's order. */
#define CREATE_OPTS                                                                                                    \
        OPT_LIST(0, "add-host", struct create_args, add_host, "list",                                                  \
                 "Add a custom host-to-IP mapping (host:ip; host-gateway is the host's as the container "              \
                 "reaches it)",                                                                                        \
                 .check = parse_check_add_host),                                                                       \
                OPT_MAP(0, "annotation", struct create_args, annotations, "map",                                       \
                        "Add an annotation to the container (passed through to the OCI runtime)"),                     \
                OPT_LIST('a', "attach", struct create_args, attach, "list", "Attach to STDIN, STDOUT or STDERR",       \
                         .check = parse_check_attach),                                                                 \
                OPT_INT(0, "blkio-weight", struct create_args, blkio_weight,                                           \
                        "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)", .max = 65535), \
                OPT_LIST(0, "cap-add", struct create_args, cap_add, "list", "Add Linux capabilities",                  \
                         .complete = OPT_COMPLETE_CAPABILITY),                                                         \
                OPT_LIST(0, "cap-drop", struct create_args, cap_drop, "list", "Drop Linux capabilities",               \
                         .complete = OPT_COMPLETE_CAPABILITY),                                                         \
                OPT_STR(0, "cgroup-parent", struct create_args, cgroup_parent, "string",                               \
                        "Optional parent cgroup for the container"),                                                   \
                OPT_STR(0, "cgroupns", struct create_args, cgroupns, "string",                                         \
                        "Cgroup namespace to use (host|private)", .def = "private"),                                   \
                OPT_STR(0, "cidfile", struct create_args, cidfile, "string", "Write the container ID to the file",     \
                        .complete = OPT_COMPLETE_FILE),                                                                \
                OPT_INT(0, "cpu-period", struct create_args, cpu_period,                                               \
                        "Limit CPU CFS (Completely Fair Scheduler) period"),                                           \
                OPT_INT(0, "cpu-quota", struct create_args, cpu_quota,                                                 \
                        "Limit CPU CFS (Completely Fair Scheduler) quota"),                                            \
                OPT_INT('c', "cpu-shares", struct create_args, cpu_shares, "CPU shares (relative weight)",             \
                        .deprecated_alias = "cpushare"),                                                               \
                OPT_CPUS(0, "cpus", struct create_args, nano_cpus, "Number of CPUs"),                                  \
                OPT_STR(0, "cpuset-cpus", struct create_args, cpuset_cpus, "string",                                   \
                        "CPUs in which to allow execution (0-3, 0,1)", .deprecated_alias = "cpuset"),                  \
                OPT_STR(0, "cpuset-mems", struct create_args, cpuset_mems, "string",                                   \
                        "MEMs in which to allow execution (0-3, 0,1)"),                                                \
                OPT_LIST(0, "device", struct create_args, devices, "list", "Add a host device to the container"),      \
                OPT_LIST(0, "device-read-bps", struct create_args, read_bps, "list",                                   \
                         "Limit read rate (bytes per second) from a device", .check = parse_check_throttle_bps),       \
                OPT_LIST(0, "device-read-iops", struct create_args, read_iops, "list",                                 \
                         "Limit read rate (IO per second) from a device", .check = parse_check_throttle_iops),         \
                OPT_LIST(0, "device-write-bps", struct create_args, write_bps, "list",                                 \
                         "Limit write rate (bytes per second) to a device", .check = parse_check_throttle_bps),        \
                OPT_LIST(0, "device-write-iops", struct create_args, write_iops, "list",                               \
                         "Limit write rate (IO per second) to a device", .check = parse_check_throttle_iops),          \
                OPT_LIST(0, "dns", struct create_args, dns, "list", "Set custom DNS servers",                          \
                         .check = parse_check_ip),                                                                     \
                OPT_LIST(0, "dns-option", struct create_args, dns_options, "list", "Set DNS options",                  \
                         .alias = "dns-opt"),                                                                          \
                OPT_LIST(0, "dns-search", struct create_args, dns_search, "list", "Set custom DNS search domains",     \
                         .check = parse_check_dns_search),                                                             \
                OPT_STR(0, "domainname", struct create_args, domainname, "string", "Container NIS domain name"),       \
                OPT_STR(0, "entrypoint", struct create_args, entrypoint, "string",                                     \
                        "Overwrite the default ENTRYPOINT of the image"),                                              \
                OPT_LIST('e', "env", struct create_args, env, "list", "Set environment variables",                     \
                         .check = parse_check_env, .complete = OPT_COMPLETE_ENV),                                      \
                OPT_LIST(0, "env-file", struct create_args, env_files, "list",                                         \
                         "Read in a file of environment variables", .complete = OPT_COMPLETE_FILE),                    \
                OPT_LIST(0, "group-add", struct create_args, group_add, "list", "Add additional groups to join"),      \
                OPT_STR('h', "hostname", struct create_args, hostname, "string", "Container host name"),               \
                OPT_FLAG(0, "init", struct create_args, init,                                                          \
                         "Run an init inside the container that forwards signals and reaps processes"),                \
                OPT_FLAG('i', "interactive", struct create_args, interactive, "Keep STDIN open even if not attached"), \
                OPT_STR(0, "ipc", struct create_args, ipc, "string", "IPC mode to use"),                               \
                OPT_LIST('l', "label", struct create_args, labels, "list", "Set meta data on a container",             \
                         .check = parse_check_label),                                                                  \
                OPT_LIST(0, "link", struct create_args, links, "list", "Add link to another container",                \
                         .check = parse_check_link),                                                                   \
                OPT_LIST(0, "label-file", struct create_args, label_files, "list",                                     \
                         "Read in a line delimited file of labels", .complete = OPT_COMPLETE_FILE),                    \
                OPT_STR(0, "log-driver", struct create_args, log_driver, "string",                                     \
                        "Logging driver for the container: json-file or none"),                                        \
                OPT_MAP(0, "log-opt", struct create_args, log_opts, "list", "Log driver options: max-size, max-file"), \
                OPT_SIZE('m', "memory", struct create_args, memory, "Memory limit"),                                   \
                OPT_SIZE(0, "memory-reservation", struct create_args, memory_reservation, "Memory soft limit"),        \
                OPT_SIZE(0, "memory-swap", struct create_args, memory_swap,                                            \
                         "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", .min = -1,             \
                         .max = INT64_MAX),                                                                            \
                OPT_INT(0, "memory-swappiness", struct create_args, memory_swappiness,                                 \
                        "Tune container memory swappiness (0 to 100)", .def = "-1"),                                   \
                OPT_LIST(0, "mount", struct create_args, mounts, "mount",                                              \
                         "Attach a filesystem mount to the container", .check = parse_check_mount),                    \
                OPT_STR(0, "name", struct create_args, name, "string", "Assign a name to the container"),              \
                OPT_STR(0, "ip", struct create_args, ip, "ip", "IPv4 address (e.g., 172.30.100.104)"),                 \
                OPT_STR(0, "ip6", struct create_args, ip6, "ip", "IPv6 address (e.g., 2001:db8::33)"),                 \
                OPT_LIST(0, "link-local-ip", struct create_args, link_local_ips, "list",                               \
                         "Container IPv4/IPv6 link-local addresses"),                                                  \
                OPT_STR(0, "mac-address", struct create_args, mac, "string",                                           \
                        "Container MAC address (e.g., 92:d0:c6:0a:29:33)"),                                            \
                OPT_LIST(0, "network-alias", struct create_args, network_aliases, "list",                              \
                         "Add network-scoped alias for the container", .alias = "net-alias"),                          \
                OPT_LIST(0, "network", struct create_args, networks, "network",                                        \
                         "Network of the container: bridge (default), host, none, container:NAME, ns:PATH, a "         \
                         "network, or "                                                                                \
                         "name=NETWORK with alias=, ip=, ip6=, link-local-ip=, mac-address=, gw-priority=, "           \
                         "driver-opt= "                                                                                \
                         "after commas; several times for several",                                                    \
                         .alias = "net", .deprecated_alias = "net"),                                                   \
                TRAFFIC_OPTS(struct create_args),                                                                      \
                OPT_FLAG(0, "oom-kill-disable", struct create_args, oom_kill_disable, "Disable OOM Killer"),           \
                OPT_INT(0, "oom-score-adj", struct create_args, oom_score_adj,                                         \
                        "Tune host's OOM preferences (-1000 to 1000)"),                                                \
                OPT_STR(0, "pid", struct create_args, pid, "string", "PID namespace to use"),                          \
                OPT_INT(0, "pids-limit", struct create_args, pids_limit,                                               \
                        "Tune container pids limit (set -1 for unlimited)"),                                           \
                OPT_STR(0, "platform", struct create_args, platform, "string",                                         \
                        "Set platform if server is multi-platform capable"),                                           \
                OPT_FLAG(0, "privileged", struct create_args, privileged,                                              \
                         "Give extended privileges to this container"),                                                \
                OPT_LIST(0, "expose", struct create_args, expose, "list", "Expose a port or a range of ports"),        \
                OPT_FLAG('P', "publish-all", struct create_args, publish_all,                                          \
                         "Publish all exposed ports to random ports"),                                                 \
                OPT_LIST('p', "publish", struct create_args, publish, "list",                                          \
                         "Publish a container's port(s) to the host: "                                                 \
                         "[[IP|DEVICE:][HOST-PORT[-RANGE]]:]PORT[-RANGE][/PROTOCOL]"),                                 \
                OPT_STR(0, "pull", struct create_args, pull, "string",                                                 \
                        "Pull image before it is used (\"always\", \"missing\", \"never\", \"newer\")",                \
                        .def = "missing", .choices = pull_policy_words),                                               \
                OPT_FLAG('q', "quiet", struct create_args, quiet, "Suppress the pull output"),                         \
                OPT_FLAG(0, "read-only", struct create_args, read_only,                                                \
                         "Mount the container's root filesystem as read only"),                                        \
                OPT_STR(0, "restart", struct create_args, restart, "string",                                           \
                        "Restart policy to apply when a container exits", .def = "no"),                                \
                OPT_FLAG(0, "rm", struct create_args, rm,                                                              \
                         "Automatically remove the container and its associated anonymous volumes when it exits"),     \
                OPT_FLAG(0, "rootfs", struct create_args, rootfs,                                                      \
                         "The first operand is not an image but an unpacked root file system"),                        \
                OPT_LIST(0, "security-opt", struct create_args, security_opt, "list", "Security Options"),             \
                OPT_SIZE(0, "shm-size", struct create_args, shm_size, "Size of /dev/shm"),                             \
                OPT_STR(0, "stop-signal", struct create_args, stop_signal, "string", "Signal to stop the container",   \
                        .complete = OPT_COMPLETE_SIGNAL),                                                              \
                OPT_INT(0, "stop-timeout", struct create_args, stop_timeout,                                           \
                        "Timeout (in seconds) to stop a container", .min = INT32_MIN, .max = INT32_MAX),               \
                OPT_LIST(0, "storage-opt", struct create_args, storage_opts, "list",                                   \
                         "Storage driver options for the container: size=SIZE"),                                       \
                OPT_LIST(0, "sysctl", struct create_args, sysctls, "map", "Sysctl options",                            \
                         .check = parse_check_sysctl),                                                                 \
                OPT_LIST(0, "tmpfs", struct create_args, tmpfs, "list", "Mount a tmpfs directory"),                    \
                OPT_FLAG('t', "tty", struct create_args, tty, "Allocate a pseudo-TTY"),                                \
                OPT_LIST(0, "ulimit", struct create_args, ulimits, "ulimit", "Ulimit options",                         \
                         .check = parse_check_ulimit),                                                                 \
                OPT_STR('u', "user", struct create_args, user, "string",                                               \
                        "Username or UID (format: <name|uid>[:<group|gid>])"),                                         \
                OPT_STR(0, "userns", struct create_args, userns, "string", "User namespace to use"),                   \
                OPT_STR(0, "uts", struct create_args, uts, "string", "UTS namespace to use"),                          \
                OPT_LIST('v', "volume", struct create_args, volumes, "list", "Bind mount a volume"),                   \
                OPT_STR('w', "workdir", struct create_args, workdir, "string",                                         \
                        "Working directory inside the container")

/* Does -a name @stream ("stdin")? In capitals or not, as docker takes it. */
bool create_args_attaches(const struct create_args *a, const char *stream);

/* docker's create body from @inv: its args begin with a create_args, operands are IMAGE [COMMAND] [ARG...]. Reads the
 * files that flags name. Errors: ERR_INVALID in docker's words, ERR_SYS. */
MUST_USE err *create_args_body(const struct invocation *inv, json **ret);

/* HostConfig.Egress from the lists of --egress, one rule an entry; "" is none. */
MUST_USE err *create_args_egress(json *host, char *const *lists);
MUST_USE err *create_args_check_rate(const char *text);
