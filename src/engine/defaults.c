/* defaults.c - see defaults.h. The lists are docker's as a container sees them (the order too: `inspect` shows it). */
#include "base/mem.h"
#include "engine/defaults.h"

/* clang-format off */
const struct default_path defaults_masked[] = {
        {"/proc/asound", "sound cards of the host"},
        {"/proc/acpi", "lets root switch hardware, suspend the machine"},
        {"/proc/interrupts", "timing of interrupts tells keystrokes and work of others"},
        {"/proc/kcore", "the machine's memory"},
        {"/proc/keys", "keys of other users: keyrings have no namespace of their own"},
        {"/proc/latency_stats", "what the kernel waited for, anywhere on the host"},
        {"/proc/timer_list", "addresses and timers of all processes"},
        {"/proc/timer_stats", "the same on kernels before 4.11"},
        {"/proc/sched_debug", "all processes of the host with their cgroups"},
        {"/proc/scsi", "writing here detaches the host's disks"},
        {"/sys/firmware", "firmware tables, EFI variables that can brick the machine"},
        {"/sys/devices/virtual/powercap", "energy counters leak keys (PLATYPUS)"},
};
const size_t defaults_n_masked = ARRAY_SIZE(defaults_masked);

const struct default_path defaults_readonly[] = {
        {"/proc/bus", "configuration of PCI and USB devices"},
        {"/proc/fs", "settings of mounted file systems"},
        {"/proc/irq", "which CPU serves which interrupt"},
        {"/proc/sys", "settings of the kernel; most are not per container"},
        {"/proc/sysrq-trigger", "reboots and crashes the machine"},
};
const size_t defaults_n_readonly = ARRAY_SIZE(defaults_readonly);

const struct default_mount defaults_mounts[] = {
        {"/proc", "proc", "proc", "nosuid,noexec,nodev", "processes of the container's own pid namespace"},
        {"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k", "only the device nodes below"},
        {"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
         "terminals of its own; gid 5 is tty"},
        {"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro", "the container's network devices; the rest to read"},
        {"/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev", "its own limits, to read"},
        {"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev", "POSIX message queues of its ipc namespace"},
        {"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777", "POSIX shared memory"},
};
const size_t defaults_n_mounts = ARRAY_SIZE(defaults_mounts);

const struct default_device defaults_devices[] = {
        {NULL, 'c', -1, -1, 0, "m", "nodes may be made, so that archives unpack; using them is another matter"},
        {NULL, 'b', -1, -1, 0, "m", "the same"},
        {"/dev/null", 'c', 1, 3, 0666, "rwm", "nothing"},
        {"/dev/zero", 'c', 1, 5, 0666, "rwm", "zeros"},
        {"/dev/full", 'c', 1, 7, 0666, "rwm", "a full disk"},
        {"/dev/random", 'c', 1, 8, 0666, "rwm", "random numbers"},
        {"/dev/urandom", 'c', 1, 9, 0666, "rwm", "random numbers"},
        {"/dev/tty", 'c', 5, 0, 0666, "rwm", "the terminal of the process that opens it"},
        {NULL, 'c', 5, 1, 0, "rwm", "/dev/console: a bind of the container's terminal"},
        {NULL, 'c', 5, 2, 0, "rwm", "/dev/ptmx: a link into its own devpts"},
        {NULL, 'c', 136, -1, 0, "rwm", "terminals of its own devpts"},
        {NULL, 'c', 10, 200, 0, "rwm", "tun: only CAP_NET_ADMIN can use it, and only in its own network namespace"},
};
const size_t defaults_n_devices = ARRAY_SIZE(defaults_devices);

const struct default_link defaults_links[] = {
        {"/dev/fd", "/proc/self/fd"},
        {"/dev/stdin", "/proc/self/fd/0"},
        {"/dev/stdout", "/proc/self/fd/1"},
        {"/dev/stderr", "/proc/self/fd/2"},
        {"/dev/ptmx", "pts/ptmx"},
};
const size_t defaults_n_links = ARRAY_SIZE(defaults_links);

const struct default_sysctl defaults_sysctls[] = {
        {"net.ipv4.ip_unprivileged_port_start", "0", "port 80 without root: the port is the container's own anyway"},
        {"net.ipv4.ping_group_range", "0 2147483647", "ping without a raw socket"},
};
const size_t defaults_n_sysctls = ARRAY_SIZE(defaults_sysctls);
/* clang-format on */
