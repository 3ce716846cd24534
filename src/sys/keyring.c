/* keyring.c - see keyring.h. */
#include "sys/keyring.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What join_session_keyring() gives (possessor: all; user: view, read, link), and search for the user, as runc does:
 * key permissions are four bytes, possessor, user, group, other (keyctl_setperm(3)). */
#define PERMISSIONS 0x3f1b0000u

int keyring_join_session(const char *name)
{
        long id = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0);

        if (id < 0)
                return errno == ENOSYS || errno == EPERM ? 0 : -errno;
        if (syscall(SYS_keyctl, KEYCTL_SETPERM, id, PERMISSIONS, 0, 0) < 0 && errno != EACCES)
                return -errno;
        return 0;
}
