/* seccomp_default.c - the table and its translation. How to change it: a call belongs to exactly one group or to the
 * denied list; capability groups repeat the question the kernel asks anyway, because the container's root may have been
 * given that capability for another reason in a user namespace, and because an unreachable call has no bugs. */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h> /* its version only */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "engine/seccomp_default.h"
#include "sys/seccomp_cache.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)
#define ARGS(a) .args = (a), .n_args = ARRAY_SIZE(a)

/* clone() makes no new namespace: a user namespace gives its creator every capability over a lot of kernel code.
 * (CLONE_NEWTIME cannot be asked of clone(): its bit belongs to the exit signal there.) */
static const struct seccomp_arg no_new_namespace[] = {
        {0, CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
         0},
};

/* PER_LINUX, PER_LINUX32, each with UNAME26, and the question "which one now". READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE and
 * the personalities of other systems weaken the process or reach code that nobody tests. */
static const struct seccomp_arg safe_personality[] = {
        {0, 0xffffffff, 0x0},     {0, 0xffffffff, 0x8},        {0, 0xffffffff, 0x20000},
        {0, 0xffffffff, 0x20008}, {0, 0xffffffff, 0xffffffff},
};

/* Every family up to 47 but AF_ALG (38) and AF_VSOCK (40), as aligned blocks, so that no "not equal" is needed: two of
 * those on one argument do not combine to "neither". */
static const struct seccomp_arg safe_families[] = {
        {0, 0xffffffe0, 0},  /*  0-31: AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, ... */
        {0, 0xfffffffc, 32}, /* 32-35 */
        {0, 0xfffffffe, 36}, /* 36-37 */
        {0, 0xffffffff, 39}, /* 39 AF_NFC */
        {0, 0xffffffff, 41}, /* 41 AF_KCM */
        {0, 0xfffffffe, 42}, /* 42-43 */
        {0, 0xfffffffc, 44}, /* 44-47: AF_XDP, AF_MCTP; 46 and 47 do not exist yet and fail in the kernel */
};

/* clang-format off */
const struct seccomp_group seccomp_groups[] = {
        {"reading and writing what is open: the descriptor was checked when it was made",
         "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek sendfile sendfile64 "
         "copy_file_range splice tee vmsplice readahead fadvise64 fadvise64_64 arm_fadvise64_64 cachestat"},
        {"opening and closing: the kernel's permission checks and the mount namespace decide what is reached",
         "open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 flock ioctl pipe pipe2"},
        {"waiting for descriptors",
         "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl "
         "epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 "
         "timerfd_create timerfd_settime timerfd_settime64 timerfd_gettime timerfd_gettime64"},
        {"looking at files",
         "stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx statfs statfs64 fstatfs fstatfs64 access "
         "faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd name_to_handle_at"},
        {"changing names, owners, modes and times",
         "mkdir mkdirat rmdir link linkat symlink symlinkat unlink unlinkat rename renameat renameat2 chmod fchmod "
         "fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32 fchownat utime utimes utimensat "
         "utimensat_time64 futimesat umask chdir fchdir"},
        {"device nodes: CAP_MKNOD is asked for devices, and the device cgroup decides about their use",
         "mknod mknodat"},
        {"size, space and durability of files",
         "truncate truncate64 ftruncate ftruncate64 fallocate sync syncfs fsync fdatasync sync_file_range "
         "sync_file_range2 arm_sync_file_range"},
        {"extended attributes: trusted.* and security.* ask for capabilities",
         "getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr llistxattr flistxattr removexattr "
         "lremovexattr fremovexattr getxattrat setxattrat listxattrat removexattrat"},
        {"watching files; fanotify_mark only works on a descriptor from fanotify_init, which is a CAP_SYS_ADMIN call",
         "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark"},
        {"POSIX asynchronous I/O of databases (libaio): old and small, unlike io_uring",
         "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64"},
        {"one's own memory",
         "brk mmap mmap2 munmap mremap mprotect madvise msync mincore mlock mlock2 munlock mlockall munlockall "
         "remap_file_pages memfd_create memfd_secret pkey_alloc pkey_free pkey_mprotect membarrier mseal "
         "map_shadow_stack"},
        {"making and ending processes (clone has a rule of its own below)",
         "fork vfork execve execveat exit exit_group wait4 waitid waitpid pidfd_open pidfd_send_signal "
         "process_mrelease restart_syscall"},
        {"threads: locks, identity, thread-local storage, the list of held locks",
         "futex futex_time64 futex_waitv futex_wake futex_wait futex_requeue set_robust_list get_robust_list "
         "set_tid_address gettid set_thread_area get_thread_area rseq tkill tgkill"},
        {"signals: the pid namespace and the owner decide whom they reach",
         "kill rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn rt_sigsuspend "
         "rt_sigtimedwait rt_sigtimedwait_time64 sigaltstack sigaction signal sigpending sigprocmask sigreturn "
         "sigsuspend pause alarm"},
        {"who am I: user, group, session; changing them asks for CAP_SETUID and CAP_SETGID",
         "getpid getppid getpgid getpgrp setpgid getsid setsid getuid getuid32 geteuid geteuid32 getgid getgid32 "
         "getegid getegid32 getresuid getresuid32 getresgid getresgid32 getgroups getgroups32 setuid setuid32 setgid "
         "setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid "
         "setfsuid32 setfsgid setfsgid32 setgroups setgroups32"},
        {"giving up privilege: programs that confine themselves must be able to",
         "capget capset prctl seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self"},
        {"scheduling and limits: raising asks for CAP_SYS_NICE and CAP_SYS_RESOURCE, the cgroup bounds the rest",
         "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam "
         "sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval "
         "sched_rr_get_interval_time64 getpriority setpriority ioprio_get ioprio_set getrlimit ugetrlimit setrlimit "
         "prlimit64 getrusage getcpu times"},
        {"reading clocks and running timers; adjtimex and clock_adjtime ask for CAP_SYS_TIME to change anything",
         "time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep "
         "clock_nanosleep_time64 nanosleep getitimer setitimer timer_create timer_delete timer_getoverrun "
         "timer_gettime timer_gettime64 timer_settime timer_settime64 adjtimex clock_adjtime clock_adjtime64"},
        {"facts about the machine that /proc shows too, and random numbers",
         "uname sysinfo getrandom"},
        {"sockets (socket itself has a rule of its own below)",
         "socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt sendto "
         "sendmsg sendmmsg send recvfrom recvmsg recvmmsg recvmmsg_time64 recv"},
        {"i386 programs of a glibc that still goes through the multiplexer. A filter cannot see the family in it: on a "
         "kernel with AF_ALG or AF_VSOCK only an LSM closes that door for 32-bit programs",
         "socketcall"},
        {"System V and POSIX message queues, semaphores and shared memory of the container's own IPC namespace",
         "ipc msgget msgsnd msgrcv msgctl semget semop semtimedop semtimedop_time64 semctl shmget shmat shmdt shmctl "
         "mq_open mq_unlink mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64 mq_notify "
         "mq_getsetattr"},
        {"debuggers and crash reporters: since 4.8 the tracer is held to its own filter, and the pid namespace and "
         "ptrace_may_access bound whom it sees",
         "ptrace process_vm_readv process_vm_writev"},
        {"of x86: segments of one's own (Wine, old runtimes), TLS base, and the kernel's own return path of user probes, "
         "which kills a process that calls it by itself",
         "arch_prctl modify_ldt uretprobe"},
        {"of arm: instruction cache, breakpoints and TLS of one's own",
         "cacheflush breakpoint set_tls get_tls usr26 usr32"},

        {"processes and threads in the namespaces that they have", "clone",
         .when = SECCOMP_WITHOUT, .caps = CAP(SYS_ADMIN), ARGS(no_new_namespace)},
        {"its flags are in memory, where a filter cannot look; libc falls back to clone when told that it does not exist",
         "clone3",
         .when = SECCOMP_WITHOUT, .caps = CAP(SYS_ADMIN), .errnum = ENOSYS},
        {"compatibility modes that change what uname says and no protection", "personality", ARGS(safe_personality)},
        {"every family but AF_ALG (writes to the page cache have come through it) and AF_VSOCK (it reaches the "
         "hypervisor past every network namespace)", "socket", ARGS(safe_families)},

        {"mounts and namespaces, for containers that were trusted with them",
         "mount umount umount2 mount_setattr move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick statmount "
         "listmount listns setns unshare clone clone3 sethostname setdomainname",
         .when = SECCOMP_WITH, .caps = CAP(SYS_ADMIN)},
        {"quotas, file-system-wide watching, profiler cookies",
         "quotactl quotactl_fd fanotify_init lookup_dcookie",
         .when = SECCOMP_WITH, .caps = CAP(SYS_ADMIN)},
        {"kernel programs", "bpf", .when = SECCOMP_WITH, .caps = CAP(SYS_ADMIN) | CAP(BPF)},
        {"measuring", "perf_event_open", .when = SECCOMP_WITH, .caps = CAP(SYS_ADMIN) | CAP(PERFMON)},
        {"the kernel's log", "syslog", .when = SECCOMP_WITH, .caps = CAP(SYS_ADMIN) | CAP(SYSLOG)},
        {"files by handle: walks out of any root directory", "open_by_handle_at",
         .when = SECCOMP_WITH, .caps = CAP(DAC_READ_SEARCH)},
        {"looking into and reaching into other processes", "kcmp pidfd_getfd process_madvise",
         .when = SECCOMP_WITH, .caps = CAP(SYS_PTRACE)},
        {"a root directory of one's own", "chroot", .when = SECCOMP_WITH, .caps = CAP(SYS_CHROOT)},
        {"kernel modules", "init_module finit_module delete_module", .when = SECCOMP_WITH, .caps = CAP(SYS_MODULE)},
        {"setting the machine's clock", "settimeofday stime clock_settime clock_settime64",
         .when = SECCOMP_WITH, .caps = CAP(SYS_TIME)},
        {"restarting the machine", "reboot", .when = SECCOMP_WITH, .caps = CAP(SYS_BOOT)},
        {"I/O ports", "ioperm iopl", .when = SECCOMP_WITH, .caps = CAP(SYS_RAWIO)},
        {"hanging up terminals", "vhangup", .when = SECCOMP_WITH, .caps = CAP(SYS_TTY_CONFIG)},
        {"where memory lies (NUMA)", "mbind get_mempolicy set_mempolicy set_mempolicy_home_node",
         .when = SECCOMP_WITH, .caps = CAP(SYS_NICE)},
        {"process accounting of the machine", "acct", .when = SECCOMP_WITH, .caps = CAP(SYS_PACCT)},
};
const size_t seccomp_n_groups = ARRAY_SIZE(seccomp_groups);

const struct seccomp_denied seccomp_denied[] = {
        {"runs requests past this filter (openat, connect, ... as data in a ring) and had many holes",
         "io_uring_setup io_uring_enter io_uring_register"},
        {"keeps kernel code waiting in the middle of a copy: the classic help for exploits of races", "userfaultfd"},
        {"keyrings are not separated by containers without a user namespace", "add_key request_key keyctl"},
        {"changes the root of the whole mount namespace; no program inside needs it", "pivot_root"},
        {"starts another kernel", "kexec_load kexec_file_load"},
        {"swap of the machine", "swapon swapoff"},
        {"moves other processes' pages between nodes", "migrate_pages move_pages"},
        {"too new to be judged here (the runtime answers ENOSYS where libseccomp does not know them either)",
         "file_getattr file_setattr uprobe lsm_get_self_attr lsm_set_self_attr lsm_list_modules"},
        {"real mode for DOS emulators: rarely built, never tested", "vm86 vm86old"},
        {"old interfaces with holes of their own, replaced long ago",
         "_sysctl sysfs ustat uselib nfsservctl bdflush idle readdir oldstat oldfstat oldlstat oldolduname olduname "
         "sgetmask ssetmask nice"},
        {"of modules of Linux 2.4", "create_module query_module get_kernel_syms"},
        {"reserved numbers that no kernel implements",
         "afs_syscall break ftime getpmsg gtty lock mpx prof profil putpmsg security stty tuxcall ulimit vserver"},
        {"configuration space of PCI devices, past their drivers (arm)", "pciconfig_iobase pciconfig_read pciconfig_write"},
};
const size_t seccomp_n_denied = ARRAY_SIZE(seccomp_denied);
/* clang-format on */

static bool group_applies(const struct seccomp_group *g, uint64_t caps)
{
        switch (g->when) {
        case SECCOMP_WITH:
                return (caps & g->caps) != 0;
        case SECCOMP_WITHOUT:
                return (caps & g->caps) == 0;
        case SECCOMP_ALWAYS:
                break;
        }
        return true;
}

static json *names_json(const char *calls)
{
        json *names = json_new_array();

        for (const char *p = calls; *p;) {
                size_t n = strcspn(p, " ");

                json_add(names, json_new_str_n(p, n));
                p += n + (p[n] == ' ');
        }
        return names;
}

/* One rule of the profile; @arg may be NULL. */
static void add_rule(json *rules, const struct seccomp_group *g, const struct seccomp_arg *arg)
{
        json *rule = json_new_object();

        json_set(rule, "names", names_json(g->calls));
        if (g->errnum) {
                json_set_str(rule, "action", "SCMP_ACT_ERRNO");
                json_set_int(rule, "errnoRet", g->errnum);
        } else {
                json_set_str(rule, "action", "SCMP_ACT_ALLOW");
        }
        if (arg) {
                json *a = json_new_object();

                json_set_int(a, "index", arg->index);
                json_set_int(a, "value", arg->mask);
                json_set_int(a, "valueTwo", arg->value);
                json_set_str(a, "op", "SCMP_CMP_MASKED_EQ");
                json_add(json_sub_array(rule, "args"), a);
        }
        json_add(rules, rule);
}

err *seccomp_default_json(uint64_t caps, json **ret)
{
        /* The second and third are what the same kernel runs beside the first. */
#if defined(__x86_64__)
        static const char *const arches[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
        static const char *const arches[] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
#error "name this architecture's seccomp constants"
#endif
        _cleanup_json_ json *profile = json_new_object();
        json *list, *rules;

        json_set_str(profile, "defaultAction", "SCMP_ACT_ERRNO");
        json_set_int(profile, "defaultErrnoRet", EPERM);
        list = json_sub_array(profile, "architectures");
        for (size_t i = 0; i < ARRAY_SIZE(arches); i++)
                json_add_str(list, arches[i]);

        rules = json_sub_array(profile, "syscalls");
        for (size_t i = 0; i < seccomp_n_groups; i++) {
                const struct seccomp_group *g = &seccomp_groups[i];

                if (!group_applies(g, caps))
                        continue;
                if (!g->args)
                        add_rule(rules, g, NULL);
                for (size_t k = 0; k < g->n_args; k++)
                        add_rule(rules, g, &g->args[k]);
        }
        if (!profile)
                return err_nomem();
        *ret = TAKE_PTR(profile);
        return NULL;
}

void seccomp_default_name(uint64_t caps, char ret[SECCOMP_DEFAULT_NAME_MAX])
{
        static const int compiler[] = {SECCOMP_CACHE_FORMAT, SCMP_VER_MAJOR, SCMP_VER_MINOR, SCMP_VER_MICRO};
        uint64_t sum = hash_fnv64(HASH_FNV64, compiler, sizeof(compiler));

        sum = hash_fnv64(sum, HOD_VERSION, sizeof(HOD_VERSION));
        for (size_t i = 0; i < seccomp_n_groups; i++) {
                const struct seccomp_group *g = &seccomp_groups[i];

                sum = hash_fnv64(sum, g->calls, strlen(g->calls) + 1);
                sum = hash_fnv64(sum, &g->when, sizeof(g->when));
                sum = hash_fnv64(sum, &g->caps, sizeof(g->caps));
                sum = hash_fnv64(sum, &g->errnum, sizeof(g->errnum));
                sum = hash_fnv64(sum, g->args, g->n_args * sizeof(*g->args));
        }
        (void)snprintf(ret, SECCOMP_DEFAULT_NAME_MAX, "default-%016llx-%llx", (unsigned long long)sum,
                       (unsigned long long)caps);
}
