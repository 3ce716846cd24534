/* process.h - processes as descriptors: no signal ever goes to a reused pid (clone3, pidfd_open; Linux 5.3).
 * Functions return >= 0 or -errno; no memory, no locks, but for process_pid(). */
#pragma once

#include <linux/sched.h>
#include <stdint.h>
#include <sys/types.h>

/* clone3 without a new stack (as fork does). @flags: CLONE_NEW*, CLONE_PARENT, ...; CLONE_PIDFD is added and the pidfd
 * (O_CLOEXEC) left in @ret_pidfd. With CLONE_PARENT the exit signal is the caller's own, as the kernel demands.
 * @cgroup_fd: CLONE_INTO_CGROUP, or -1. Returns 0 in the child. */
pid_t process_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd);
/* The same where a filter may refuse clone3 (docker's default profile says ENOSYS): by clone(2) then. @flags: only what
 * that can do. */
pid_t process_clone_filtered(unsigned flags, int *ret_pidfd);

/* A descriptor (O_CLOEXEC) of the process that has this pid now. */
int process_of(pid_t pid);
/* The pid of @pidfd as this process sees it, -ESRCH when it has been reaped or is not visible here. Allocates. */
pid_t process_pid(int pidfd);
/* Send it a signal; -ESRCH when it has ended. */
int process_signal(int pidfd, int signal);
/* A copy (O_CLOEXEC) of the descriptor @fd of another process, which takes the right to trace it (Linux 5.6). */
int process_get_fd(int pidfd, int fd);
/* Wait until the process has ended (it need not be our child): 0, or -ETIMEDOUT after @timeout_ms (-1 = for ever). */
int process_wait(int pidfd, int timeout_ms);
/* Reap our child: its wait status as waitpid() gives it in @ret_status. -ECHILD if it is somebody else's. */
int process_reap(int pidfd, int *ret_status);
/* Undo an inherited "ignore SIGCHLD", under which no child can be waited for (wait(2)). */
void process_expect_children(void);
