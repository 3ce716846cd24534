/* mountfd.h - the mount API by descriptors (fsopen, fsmount, open_tree, move_mount, mount_setattr; Linux 5.2 to 5.12).
 *
 * Nothing here takes a path through a container's root: a mount is made or cloned *detached*, gets its final attributes
 * while nobody can see it, and is then attached from descriptor to descriptor.
 * Every function returns a descriptor or 0, or -errno; all are safe between clone and exec (no memory, no locks).
 * Privilege: CAP_SYS_ADMIN in the user namespace that owns the mount namespace. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

struct mount_param {
        const char *key, *value; /* value NULL: a flag */
};

/* A file system to be made. */
struct mount_fs {
        const char *type, *source; /* source NULL = none */
        const struct mount_param *params;
        size_t n_params;
        unsigned long sb_flags; /* MS_RDONLY, MS_SYNCHRONOUS, MS_DIRSYNC, MS_LAZYTIME, MS_I_VERSION, MS_MANDLOCK */
        uint32_t attrs;         /* MOUNT_ATTR_* of the mount */
        bool pidns;             /* proc: of the PID namespace @pidns_fd, not of ours */
        int pidns_fd;
};

/* Can a procfs be made for the PID namespace @fd by a process outside of it? (Linux 6.17) */
bool mountfd_proc_takes_pidns(int fd);

/* Make a new file system as a detached mount. What the kernel says about a bad parameter is left in @log, which may be
 * NULL ("" if it said nothing). @mode, if not negative, is given as one more parameter "mode". */
int mountfd_new(const struct mount_fs *fs, int mode, char *log, size_t log_size);

/* Read the kernel's message about the last failure on the file system context @fsfd into @log. Keeps errno. */
void mountfd_read_log(int fsfd, char *log, size_t log_size);

/* Detached clone of what @path (below @dirfd; "" = @dirfd itself) names. @flags: AT_RECURSIVE, AT_SYMLINK_NOFOLLOW,
 * AT_EMPTY_PATH. */
int mountfd_clone(int dirfd, const char *path, unsigned flags);

/* Change attributes of the mount @fd. @flags: 0 or AT_RECURSIVE. Nothing to change is success without a call.
 * @propagation: MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0. */
int mountfd_set(int fd, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation);
/* Attributes that the mount @fd has (a read-only file system counts as a read-only mount). */
int mountfd_attrs(int fd, uint64_t *ret);
/* Give the detached mount @fd the id map of the user namespace @userns_fd (Linux 5.12). */
int mountfd_idmap(int fd, unsigned flags, int userns_fd);

/* What somebody asks of a bind mount, MOUNT_ATTR_*. @clear holds what was named ("rw", "dev"); MOUNT_ATTR__ATIME is in
 * it when @set chooses an access time mode. @given: any option was there at all ("defaults" is none). */
struct mount_wish {
        uint64_t set, clear;
        bool given;
};

/* The attributes of a bind mount whose source has @source (f_flags of statfs(2)), by the rules of mount(8) and runc:
 *   - nothing was given: what the source has; else what is not named is cleared, but for the access time mode, which
 *     stays unless one is chosen ("nodiratime" alone chooses relatime).
 *   - @locked: the mount belongs to a less privileged user namespace. ro, nosuid, nodev, noexec and the access time
 *     mode of the source stay (mount_namespaces(7)). -EPERM if the wish says something else. */
int mountfd_wish(const struct mount_wish *wish, unsigned long source, bool locked, uint64_t *ret_set,
                 uint64_t *ret_clear);
/* Give the detached bind mount @fd what @wish says: first without regard to locks; what the kernel then refuses, stays.
 * -EPERM: a locked attribute was named. */
int mountfd_bind(int fd, const struct mount_wish *wish);

/* Change the super block behind the mount @fd, as mount(2) with MS_REMOUNT and no MS_BIND does: only what @fs names
 * (params, sb_flags). @log as in mountfd_new(). */
int mountfd_reconfigure(int fd, const struct mount_fs *fs, char *log, size_t log_size);

/* Attach the detached mount @from on @to (a descriptor of a directory or file). */
int mountfd_attach(int from, int to);

/* pivot_root(2). */
int mountfd_pivot_root(const char *new_root, const char *put_old);
