/* spec_names.c - names of the specification and of the kernel: capabilities, limits, namespaces, hooks. */
#include <sched.h>
#include <strings.h>
#include <sys/resource.h>

#include "base/str.h"
#include "oci/spec.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const char *const cap_names[] = {
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_DAC_READ_SEARCH",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETPCAP",
        "CAP_LINUX_IMMUTABLE",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN",
        "CAP_NET_RAW",
        "CAP_IPC_LOCK",
        "CAP_IPC_OWNER",
        "CAP_SYS_MODULE",
        "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE",
        "CAP_SYS_PACCT",
        "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT",
        "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE",
        "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG",
        "CAP_MKNOD",
        "CAP_LEASE",
        "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL",
        "CAP_SETFCAP",
        "CAP_MAC_OVERRIDE",
        "CAP_MAC_ADMIN",
        "CAP_SYSLOG",
        "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND",
        "CAP_AUDIT_READ",
        "CAP_PERFMON",
        "CAP_BPF",
        "CAP_CHECKPOINT_RESTORE",
};

const char *oci_cap_name(unsigned number)
{
        return number < ARRAY_SIZE(cap_names) ? cap_names[number] : NULL;
}

int oci_cap_number(const char *name)
{
        if (strncasecmp(name, "CAP_", 4) == 0)
                name += 4;
        for (size_t i = 0; i < ARRAY_SIZE(cap_names); i++)
                if (strcasecmp(cap_names[i] + 4, name) == 0)
                        return (int)i;
        return -1;
}

int oci_rlimit_number(const char *name)
{
        static const struct {
                const char *name;
                int n;
        } limits[] = {
                {"RLIMIT_AS", RLIMIT_AS},
                {"RLIMIT_CORE", RLIMIT_CORE},
                {"RLIMIT_CPU", RLIMIT_CPU},
                {"RLIMIT_DATA", RLIMIT_DATA},
                {"RLIMIT_FSIZE", RLIMIT_FSIZE},
                {"RLIMIT_LOCKS", RLIMIT_LOCKS},
                {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
                {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
                {"RLIMIT_NICE", RLIMIT_NICE},
                {"RLIMIT_NOFILE", RLIMIT_NOFILE},
                {"RLIMIT_NPROC", RLIMIT_NPROC},
                {"RLIMIT_RSS", RLIMIT_RSS},
                {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
                {"RLIMIT_RTTIME", RLIMIT_RTTIME},
                {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
                {"RLIMIT_STACK", RLIMIT_STACK},
        };

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
                if (str_eq(limits[i].name, name))
                        return limits[i].n;
        return -1;
}

static const struct {
        const char *name, *proc;
        int clone_flag;
} namespaces[OCI_NS_MAX_] = {
        [OCI_NS_MOUNT] = {"mount", "mnt", CLONE_NEWNS},
        [OCI_NS_PID] = {"pid", "pid", CLONE_NEWPID},
        [OCI_NS_NETWORK] = {"network", "net", CLONE_NEWNET},
        [OCI_NS_IPC] = {"ipc", "ipc", CLONE_NEWIPC},
        [OCI_NS_UTS] = {"uts", "uts", CLONE_NEWUTS},
        [OCI_NS_USER] = {"user", "user", CLONE_NEWUSER},
        [OCI_NS_CGROUP] = {"cgroup", "cgroup", CLONE_NEWCGROUP},
        [OCI_NS_TIME] = {"time", "time", CLONE_NEWTIME},
};

const char *oci_ns_name(enum oci_ns ns)
{
        return namespaces[ns].name;
}

const char *oci_ns_proc_name(enum oci_ns ns)
{
        return namespaces[ns].proc;
}

int oci_ns_clone_flag(enum oci_ns ns)
{
        return namespaces[ns].clone_flag;
}

const char *oci_hook_name(enum oci_hook_kind kind)
{
        static const char *const names[OCI_HOOK_MAX_] = {
                [OCI_HOOK_PRESTART] = "prestart",
                [OCI_HOOK_CREATE_RUNTIME] = "createRuntime",
                [OCI_HOOK_CREATE_CONTAINER] = "createContainer",
                [OCI_HOOK_START_CONTAINER] = "startContainer",
                [OCI_HOOK_POSTSTART] = "poststart",
                [OCI_HOOK_POSTSTOP] = "poststop",
        };

        return names[kind];
}
