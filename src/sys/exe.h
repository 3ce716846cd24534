/* exe.h - our own programs as files that nobody can write to, whatever happens to a process that runs them.
 *
 * A process that enters a container still executes our program until its own execve; whoever gets hold of its
 * /proc/PID/exe (or makes us execute "#!/proc/self/exe") has the program's file, on the mount that it was executed from
 * (CVE-2019-5736). So it is executed from a detached, read-only clone of its mount: opening for writing gives EROFS,
 * and a mount that is in no namespace can be neither remounted nor cloned. (As long as the descriptor is open it is in
 * an anonymous namespace, and CAP_SYS_ADMIN could make it writable again: close it as soon as the program runs.) That
 * costs about 10 µs, where copying the program to a sealed memfd costs its size.
 *
 *   engine → hod-monitor: posix_spawn("/proc/self/fd/N") with N from exe_open_protected(), then close(N)
 *   hodrun: exe_protect_self() first of all
 *
 * Privilege: CAP_SYS_ADMIN. */
#pragma once

#include <stdbool.h>

/* A detached read-only clone of the program @path, to be executed through its descriptor; where mounts cannot be cloned
 * (a root that is no mount) a sealed copy in memory. -errno: do not run it. */
int exe_open_protected(const char *path);

/* Is this process executed from a read-only mount? */
bool exe_is_protected(void);

/* Execute ourselves again, protected, unless that is so already. Returns only if nothing was to be done (0) or it
 * cannot be done (-errno). Everything but memory stays: call it first. */
int exe_protect_self(char *const argv[], char *const envp[]);
