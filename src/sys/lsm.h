/* lsm.h - labels of AppArmor and SELinux for the next execve. */
#pragma once

#include <stdbool.h>

/* Does this kernel have it, and is it on? */
bool lsm_apparmor_enabled(void);
bool lsm_selinux_enabled(void);

/* Set what the next execve of this thread gets. @proc_fd: a trusted procfs (not the container's). 0 or -errno; only
 * system calls: safe between clone and exec. */
int lsm_apparmor_onexec(int proc_fd, const char *profile);
int lsm_selinux_onexec(int proc_fd, const char *label);
