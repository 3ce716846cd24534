/* child.h - the code between clone and exec.
 *
 * It runs in a copy of a process whose locks and heap are in an unknown state: no malloc, no stdio, no locks, no
 * functions that might use them. Only system calls, string functions of our own and functions that say "safe between
 * clone and exec". tools/check-child-symbols compares what these objects import with an allow-list.
 *
 * Everything that a container could have prepared (its root file system) is reached by descriptors, with
 * openat2(RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS) on the root's descriptor; the host's names are never used.
 *
 * Functions return 0, or -1 after having described the failure with child_fail(). */
#pragma once

#include "runtime/plan.h"

struct child {
        const struct plan *p;
        int root;   /* the root file system; O_PATH. Before it is attached: the one that the parent sent, or -1 */
        int dev;    /* /dev, when we set it up; else -1 */
        int null;   /* O_PATH on a null device of ours, for masks; -1 until needed */
        int master; /* of the terminal, until it is sent */
        int slave;
        int gate;       /* the FIFO in which `start` waits for our answer */
        int hook_state; /* what hooks get on their standard input; -1 until needed */
        int *attached;  /* descriptors of what child_mounts() has attached so far, by index; NULL = not of interest */
        pid_t pid;      /* as the runtime sees us */
        bool labelled;  /* the LSM label for the program is set already */
        struct plan_report report;
};

/* Become the container's first process, or a session in a container that runs: walk the plan, then exec. */
_noreturn_ void child_create(const struct plan *p);
_noreturn_ void child_exec(const struct plan *p);
/* Enter the container of join_all_pidfd, and mount the plan's mounts there (all, or none) or unmount what is at their
 * destinations. */
_noreturn_ void child_live_add(const struct plan *p);
_noreturn_ void child_live_remove(const struct plan *p);

/* child.c */
int child_fail(struct child *c, enum plan_step step, int errnum, const char *detail);
int child_fail_at(struct child *c, enum plan_step step, int errnum, size_t index, const char *detail);
int child_send(struct child *c, enum plan_report_kind kind, int fd);
int child_say(struct child *c, const struct plan_report *r); /* 0 or -errno */
int child_wait_go(struct child *c);
_noreturn_ void child_end(struct child *c);

/* child_text.c: text without stdio. Cut off at the end of @buf, always terminated. */
struct child_text {
        char *buf;
        size_t size, len;
};
void child_text_add(struct child_text *t, const char *text);
void child_text_quote(struct child_text *t, const char *text); /* "text" */
void child_text_number(struct child_text *t, long n);
#define CHILD_TEXT(name, bytes)                                                                                        \
        char name##_buf[bytes];                                                                                        \
        struct child_text name = {name##_buf, sizeof(name##_buf), 0};                                                  \
        name##_buf[0] = '\0'

/* child_path.c: names inside the root. Return a descriptor (O_PATH), or -errno. */
int child_path_open(int root, const char *path, int flags, uint64_t more_resolve);
/* The deepest directory of where a file would be made at @path, which dangling links may lead elsewhere. */
int child_path_would_be(int root, const char *path);
/* Open @path for mounting on it; make it (and its parents) if missing. @ret_made says whether. */
int child_path_mount_point(int root, const char *path, bool is_dir, uint64_t more_resolve, bool *ret_made);
/* The directory that holds the last component of @path, made if missing; @ret_name points into @path. */
int child_path_parent(int root, const char *path, const char **ret_name);
int child_path_mkdir_p(int root, const char *path, mode_t mode);

/* child_mount.c, child_dev.c, child_mask.c, child_root.c */
int child_mounts(struct child *c);
int child_mounts_readonly(struct child *c); /* those that had to be written to first */
int child_open_trees(struct child *c);      /* of the host, which the parent was not privileged to open for us */
int child_devices(struct child *c);
int child_console(struct child *c);
int child_masks(struct child *c);
int child_root_attach(struct child *c);
int child_root_pivot(struct child *c);
int child_sysctls(struct child *c);
int child_copy_up(int from, int to);

/* child_terminal: for exec, from the container's devpts. */
int child_terminal_open(struct child *c, int root);

/* child_split.c: join namespaces, clone the container, end. Returns in the container only. */
int child_split(struct child *c);

/* child_stage.c */
int child_stage_split(struct child *c);
/* Who waits for `start`, perhaps for days and in sight of others, holds nothing of the host but what that needs. */
int child_close_before_start(struct child *c);

/* child_process.c: what create and exec have in common. */
int child_oom_score(struct child *c);
int child_cwd(struct child *c);
int child_stdio(struct child *c);
int child_control_terminal(struct child *c); /* by the session's leader, after child_stdio() */
int child_process_early(struct child *c);
int child_labels(struct child *c);
void child_new_session(void);
int child_become_user(struct child *c);
int child_seccomp(struct child *c);
int child_late_rlimits(struct child *c); /* those under which we could not have done the rest */
/* child_start.c */
int child_home(struct child *c);
/* The program gets 0, 1, 2 and what it was meant to. Before the filter, which need not permit this. */
int child_close_inherited(struct child *c);
int child_lookup(struct child *c, char path[4096]);
_noreturn_ void child_execve(struct child *c, const char *path);

/* child_hook.c */
/* Write the state document, before a filter could object. */
int child_hooks_state(struct child *c, const char *status);
int child_hooks(struct child *c, const struct plan_hook *hooks, size_t n, const char *kind);
