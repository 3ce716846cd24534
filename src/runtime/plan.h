/* plan.h - what the child between clone and exec has to do, as flat arrays.
 *
 * The parent compiles the specification into a plan: every name is checked, every descriptor opened, every piece of
 * memory allocated. The child (child/) only walks it. Strings are borrowed from the spec or live in the plan's arena.
 *
 *   plan_open_* (parent)  →  process_clone  →  child_create() or child_exec()  →  execve
 *
 * The child's way back is a SOCK_SEQPACKET socket: child_report messages, see below. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "oci/spec.h"
#include "runtime/arena.h"
#include "runtime/runtime.h"
#include "sys/cgroup.h"
#include "sys/mountfd.h"
#include "sys/seccomp.h"

/* ---- what the child reports ---- */

/* STEP(id, text): where it failed; the text is completed by the detail and the errno. */
#define PLAN_STEPS(STEP)                                                                                               \
        STEP(NONE, "setting up the container")                                                                         \
        STEP(SYNC, "waiting for the runtime")                                                                          \
        STEP(SELF, "sealing the set-up process")                                                                       \
        STEP(CGROUP, "entering the cgroup")                                                                            \
        STEP(NAMESPACE, "entering namespace ")                                                                         \
        STEP(USERNS, "becoming root of the user namespace")                                                            \
        STEP(NET, "bringing up the loopback device")                                                                   \
        STEP(HOSTNAME, "setting the host name to ")                                                                    \
        STEP(DOMAINNAME, "setting the domain name to ")                                                                \
        STEP(PROPAGATION, "making the mounts private")                                                                 \
        STEP(ROOT, "attaching the root file system")                                                                   \
        STEP(MOUNT, "error mounting ") /* index: mount */                                                              \
        STEP(UNMOUNT, "unmounting ")                                                                                   \
        STEP(DEVICE, "creating device ")                                                                               \
        STEP(CONSOLE, "making the terminal: ")                                                                         \
        STEP(MASK, "masking ")                                                                                         \
        STEP(READONLY, "write-protecting ")                                                                            \
        STEP(SYSCTL, "setting kernel parameter ")                                                                      \
        STEP(PIVOT, "making the root file system the root: ")                                                          \
        STEP(CWD, "chdir to cwd ")                                                                                     \
        STEP(HOOK, "error running ")                                                                                   \
        STEP(KEYRING, "joining a session keyring")                                                                     \
        STEP(RLIMIT, "error setting rlimits for ready process: error setting rlimit type ")                            \
        STEP(OOM, "setting oom_score_adj: ")                                                                           \
        STEP(SCHEDULER, "error setting scheduler")                                                                     \
        STEP(IOPRIO, "failed to set io priority")                                                                      \
        STEP(AFFINITY, "setting the CPU affinity")                                                                     \
        STEP(MEMPOLICY, "setting the memory policy")                                                                   \
        STEP(PERSONALITY, "setting the personality")                                                                   \
        STEP(LABEL, "setting the LSM label ")                                                                          \
        STEP(STDIO, "setting up standard input and output")                                                            \
        STEP(CAPS, "setting capabilities: ")                                                                           \
        STEP(USER, "unable to setup user: ")                                                                           \
        STEP(NNP, "setting no_new_privs")                                                                              \
        STEP(SECCOMP, "installing the seccomp filter")                                                                 \
        STEP(LOOKUP, "exec: ")                                                                                         \
        STEP(START, "waiting for start: ")

enum plan_step {
#define STEP(id, text) PLAN_STEP_##id,
        PLAN_STEPS(STEP)
#undef STEP
                PLAN_STEP_MAX_
};

enum plan_report_kind {
        PLAN_REPORT_FAILED = 1,
        PLAN_REPORT_WANT_CGROUP, /* somebody else has to bring it into its cgroup; waits */
        PLAN_REPORT_WANT_MAP,    /* in its user namespace: waits for the maps of a new one, and for trees */
        PLAN_REPORT_WANT_IDMAP,  /* with a tree's descriptor and its mount's index: may not map its ids itself; waits */
        PLAN_REPORT_WANT_HOOKS,  /* namespaces and mounts are there: runtime hooks may run; waits */
        PLAN_REPORT_TERMINAL,    /* with the master's descriptor */
        PLAN_REPORT_SECCOMP,     /* index: number of the listener among the child's descriptors; waits */
        PLAN_REPORT_PID,         /* exec in stages, split create: index and descriptor are the pid and pidfd of the
                                    process that counts */
        PLAN_REPORT_STAGED,      /* waits in the FIFO for `start` */
        PLAN_REPORT_READY,       /* nothing can fail now but the seccomp call and execve */
};
struct plan_report {
        uint32_t kind;
        uint32_t step;  /* enum plan_step */
        int32_t errnum; /* positive */
        uint32_t index;
        char detail[1520]; /* terminated; long enough for what a hook says */
};

/* What the parent answers. Before it says "go" it may send trees: PLAN_GO_ROOT, PLAN_GO_MOUNT + i. */
enum { PLAN_GO, PLAN_GO_ROOT, PLAN_GO_MOUNT };
struct plan_go {
        int32_t pid;   /* of the container as the runtime sees it, for hooks */
        uint32_t what; /* PLAN_GO, or what the descriptor that comes along is */
};

/* ---- the plan ---- */

enum plan_mount_kind {
        PLAN_MOUNT_NEW,     /* a new file system, made by the child in its namespaces */
        PLAN_MOUNT_TREE,    /* a detached tree; see tree_fd and inside for who opens it */
        PLAN_MOUNT_REMOUNT, /* change attributes of what is mounted there, or its file system */
        PLAN_MOUNT_SYMLINK, /* @source is the target of a link to be made (co-mounted cgroup v1 controllers) */
};
struct plan_mount {
        enum plan_mount_kind kind;
        bool is_dir;           /* what a missing mount point becomes */
        bool ordinary;         /* no symlink may be on the way (proc, sysfs, /dev) */
        bool is_dev;           /* a new file system for /dev */
        bool on_proc, in_proc; /* for /proc itself; for a file of it that may be covered */
        bool nofollow;         /* mount on a final symlink itself */
        bool mode_from_target; /* tmpfs without mode=: keep the mode of what it covers */
        bool copy_up;          /* tmpfs: begin with the content of what it covers */
        bool make_readonly;    /* a new file system that others put something into first: at the end */
        bool bind;             /* TREE of a bind mount: wish and idmap count; else it is finished */
        bool inside;           /* TREE: @source is a path of the container, opened by the child in the mounts' order */
        bool recursive, src_nofollow;
        bool reconfigure; /* REMOUNT: the file system too */
        const char *destination, *source;
        const char *shown; /* what messages call the source */
        const char
                *fallback; /* NEW: bind this directory of the host where a user namespace may not mount it, or NULL */
        struct mount_fs fs;
        int tree_fd;                 /* -1 and not inside: opened in the container's mount namespace, see plan_bind.c */
        int idmap_fd;                /* user namespace whose map the tree gets, -1 = none */
        struct mount_wish wish;      /* bind mounts */
        uint64_t set, clear;         /* REMOUNT */
        uint64_t rec_set, rec_clear; /* "rro" and friends */
        bool idmap_recursive;
        unsigned long propagation[MOUNT_PROPAGATIONS_MAX]; /* MS_*, with MS_REC, one after the other */
        size_t n_propagation;
};

struct plan_device {
        const char *path, *name; /* name: below /dev, when it is directly there */
        mode_t mode;
        unsigned major, minor;
        uid_t uid, gid;
        int tree_fd; /* bind this instead (user namespaces cannot mknod), else -1 */
        bool bind;   /* ... which the child opens, in its mount namespace */
};

struct plan_sysctl {
        const char *path, *value; /* "net/ipv4/ip_forward" */
};

struct plan_hook {
        const char *path;
        char *const *argv, *const *envp;
        int timeout_ms; /* -1 = none */
        unsigned number;
};

struct plan_process {
        char *const *argv;
        char **envp; /* with a free slot before the final NULL for HOME */
        size_t n_env;
        bool want_home; /* HOME is to be looked up in the container's /etc/passwd */
        const char *cwd;
        uid_t uid;
        gid_t gid;
        const gid_t *groups;
        size_t n_groups;
        bool keep_groups; /* the caller's stay */
        mode_t umask;
        struct oci_caps caps;
        const struct oci_rlimit *rlimits;
        size_t n_rlimits;
        bool no_new_privs;
        const char *apparmor, *selinux;
        bool oom_set;
        int oom_score_adj;
        const struct oci_scheduler *scheduler; /* NULL = leave */
        const struct oci_io_priority *io_priority;
        const struct oci_bitmap *affinity_initial, *affinity_final; /* exec: of the parent at the clone; once inside */
        bool affinity_reset; /* neither: all CPUs that the cgroup has, whatever the caller may use */
        bool terminal;
        bool relayed; /* its output is shown on another terminal, which makes the line ends */
        unsigned height, width;
        int stdio[3]; /* ours, above 2 */
        bool fix_stdio_owner;
};

struct plan {
        struct arena arena;
        const char *id;

        /* namespaces */
        uint64_t clone_flags;
        bool new_user, new_net, new_cgroup, new_mount, has_mount;
        bool rootless; /* without privilege over the machine: the child does for itself what only its namespaces allow
                        */
        int user_fd;   /* the user namespace to be joined, -1 = none */
        bool split;    /* a first process joins namespaces, then clones the container: see child/child_split.c */
        bool lower_mount; /* a new mount namespace of another user namespace than ours: trees are opened in it, so that
                             the kernel locks what the container may not change; rootless: always, as nowhere else may
                             we clone them */
        struct {
                int fd, flag;
                const char *name;
        } join[OCI_NS_MAX_]; /* by the child, in order */
        size_t n_join;
        int pid_ns_fd; /* to be entered by the parent: it decides about children only; -1 = no */
        bool new_time;
        const char *time_offsets;                   /* what is written into timens_offsets; NULL = none are given */
        int join_all_pidfd, join_all_flags;         /* exec: everything of one process at once; -1 = no */
        bool wait_cgroup;                           /* it does not enter its cgroup itself: systemd's scope */
        int cgroup_fds[CGROUP_HIERARCHIES_MAX + 2]; /* and of resctrl */
        size_t n_cgroup_fds;
        int delegate_fd; /* cgroup.procs of the cgroup below its own in which the container begins, -1 = none */

        /* file systems */
        int rootfs_fd;  /* detached mount, or a directory when there is nothing to mount; -1: see lower_mount */
        int root_place; /* no mount namespace: where rootfs_fd goes; -1 = it is the directory itself */
        const char *bundle_path, *root_path; /* absolute and clean; root_path NULL: not a directory of the host's */
        struct plan_idmap {
                struct oci_idmaps uids, gids; /* the spec's */
                int fd;
        } * idmaps; /* made so far */
        size_t n_idmaps;
        bool no_pivot, root_readonly;
        unsigned long root_propagation;
        struct plan_mount *mounts;
        size_t n_mounts;
        bool setup_dev;
        struct plan_device *devices;
        size_t n_devices;
        char *const *masked, *const *readonly;
        const char *hostname, *domainname;
        struct plan_sysctl *sysctls;
        size_t n_sysctls;
        struct plan_hook *hooks_container, *hooks_start; /* createContainer, startContainer */
        size_t n_hooks_container, n_hooks_start;
        bool hooks_runtime; /* prestart, createRuntime, network devices: the parent does it when asked */
        int hook_out[2];    /* files for what hooks say, instead of the error message; -1 = none */
        const char *hook_state_before, *hook_state_after; /* JSON around the pid */

        /* process */
        struct plan_process process;
        const char *keyring; /* NULL = keep the inherited one */
        bool personality_set;
        unsigned long personality;
        const struct oci_memory_policy *memory_policy;
        bool has_cpus; /* the container is bound to some: for messages */
        struct seccomp_filter seccomp;
        bool seccomp_set;
        bool open_to_parent; /* to take the listener takes the right to trace the child: an ordinary user has it of a
                                dumpable one only. Where nobody else is who could trace, or nothing could be found. */
        int preserve_fds;

        int proc_fd;   /* the host's procfs (with sysctls a detached clone): the only procfs that is written through */
        int start_fd;  /* see runtime_request */
        int socket;    /* child's end */
        bool exec;     /* one more process, not a container */
        int *attached; /* child_live_add(): see struct child */
        int parent_socket; /* its end; the child closes its copy */
        bool stages;       /* enter a PID namespace that exists last, see child/child_stage.c */
        dev_t self_dev;    /* our own program, which the container must not execute */
        ino_t self_ino;

        int *fds; /* everything to close in the parent */
        size_t n_fds;
};

/* The text of a step. */
const char *plan_step_text(unsigned step);

/* Compile. @r's spec has to outlive the plan. On failure plan_done() releases what was opened. */
MUST_USE err *plan_for_create(struct plan *p, const struct runtime_request *r);
MUST_USE err *plan_for_exec(struct plan *p, const struct runtime_exec *x);
void plan_done(struct plan *p);
/* A plan of nothing. */
void plan_clear(struct plan *p);
/* Set proc_fd. @whole: without what may be mounted in it. */
MUST_USE err *plan_open_proc(struct plan *p, bool whole);

/* Remember @fd for plan_done(), and return it. -1 and an error in the arena when out of memory (closes @fd). */
int plan_own_fd(struct plan *p, int fd);

/* Parts (plan_mounts.c, plan_bind.c, plan_process.c). */
MUST_USE err *plan_add_bind(struct plan *p, const struct runtime_request *r, const struct oci_mount *m,
                            struct plan_mount *to);
/* "/proc/PID/root/dev/shm" is a mount of another container: only inside its own mount namespace can it be cloned, and
 * its path be resolved without its links leading to the host's files. Then @pid_dir is "/proc/PID", and *@ret_path
 * (borrowed) "/dev/shm". */
bool plan_source_is_of_process(const char *source, char pid_dir[32], const char **ret_path);
/* Make an absolute, lexically clean copy of @path (of the bundle @base, if it is relative). NULL: out of memory, which
 * the arena remembers. */
const char *plan_clean_path(struct plan *p, const char *base, const char *path);
/* What follows in the clean @path after the clean directory @dir: "" for itself, "/x", or NULL: not below it. */
const char *plan_path_below(const char *path, const char *dir);
/* Open and send the trees that were left for the mount namespace of the child, whose process is @pidfd; it waits. */
MUST_USE err *plan_send_trees(struct plan *p, pid_t pid, int pidfd, int socket);
/* Answer to PLAN_REPORT_WANT_IDMAP. */
MUST_USE err *plan_idmap_for_child(struct plan *p, unsigned index, int tree);
MUST_USE err *plan_add_mounts(struct plan *p, const struct runtime_request *r, const char *cgroup);
MUST_USE err *plan_open_root(struct plan *p, const struct runtime_request *r);
/* Directory name of a v1 hierarchy, as everybody mounts it: "cpu,cpuacct", "systemd". In the plan's memory. */
char *plan_hierarchy_name(struct plan *p, const struct cgroup_hierarchy *h);
/* Take back what a container without a mount namespace has mounted in ours; its processes are gone. */
void plan_undo_root(const struct plan *p);
/* rootfs_fd becomes a clone of what @path names, with its propagation. */
MUST_USE err *plan_clone_root(struct plan *p, int dirfd, const char *path);
MUST_USE err *plan_set_process(struct plan *p, const struct oci_process *process, const int stdio[3], bool fix_owner);
