/* file.h - descriptors and paths.
 *
 * A path is always (directory descriptor, name). Names that something untrusted can influence go through
 * file_open_in(), which resolves beneath the directory as if it were the root and refuses magic links. Everything is
 * O_CLOEXEC. Functions that return int give a descriptor or 0 on success and -errno on failure (they are leaves). */
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

/* Close @fd unless negative; keeps errno; returns -1, so that "fd = file_close(fd)" reads well. */
int file_close(int fd);
static inline void file_closep(int *fd)
{
        *fd = file_close(*fd);
}
#define _cleanup_close_ __attribute__((cleanup(file_closep)))
#define TAKE_FD(fd)                                                                                                    \
        ({                                                                                                             \
                int *take_fdp_ = &(fd);                                                                                \
                int take_fd_ = *take_fdp_;                                                                             \
                *take_fdp_ = -1;                                                                                       \
                take_fd_;                                                                                              \
        })

/* openat2(2) with O_CLOEXEC; @resolve is a set of RESOLVE_*. Retries EAGAIN and EINTR. */
int file_openat2(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve);
/* Open @path inside the tree @rootfd: absolute names and ".." stay inside, magic links are refused. */
int file_open_in(int rootfd, const char *path, int flags, mode_t mode);
/* Open @name directly beneath @dirfd: no slash games, no symlinks at all. */
int file_open_beneath(int dirfd, const char *name, int flags, mode_t mode);

/* mkdir -p beneath @dirfd without following symlinks out (RESOLVE_IN_ROOT). Existing directories are fine.
 * Returns 0. @created (may be NULL) counts the directories made. */
int file_mkdir_p(int dirfd, const char *path, mode_t mode, int *created);

/* Read a whole file of at most @max bytes (-EFBIG beyond). The result is terminated; @ret_size may be NULL. */
int file_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size);
int file_read_fd(int fd, size_t max, char **ret, size_t *ret_size);
/* Write everything, retrying short writes and EINTR. */
int file_write_all(int fd, const void *data, size_t size);
/* write(2) once to an existing file such as one of cgroupfs or procfs. */
int file_put(int dirfd, const char *path, const char *text);

enum file_durability {
        FILE_VOLATILE, /* atomic for readers: temporary name, then rename */
        FILE_DURABLE,  /* also survives a power cut: fsync of file and directory */
};
/* Replace @name in @dirfd atomically. */
int file_replace(int dirfd, const char *name, const void *data, size_t size, mode_t mode, enum file_durability how);
/* The same for who holds a lock that keeps other writers of @name away: what a killed one leaves (one file of this name
 * at most) goes with the next write. */
#define FILE_NEW_FORMAT ".%s.new"
int file_replace_locked(int dirfd, const char *name, const void *data, size_t size, mode_t mode,
                        enum file_durability how);
/* Make the new file @name (-EEXIST). Readers may see a part of it: for directories that nobody reads yet. Removed again
 * on failure. */
int file_create(int dirfd, const char *name, const void *data, size_t size, mode_t mode);

/* Remove @name and everything below it, by descriptor, never following a symlink, never crossing a mount point
 * (-EXDEV). A missing @name is fine. Immune to directories deeper than the descriptor limit. */
int file_remove_tree(int dirfd, const char *name);

/* Exclusive (or shared) flock on @name, created 0600 if missing; waits. Returns the descriptor that holds it. */
int file_lock(int dirfd, const char *name, bool shared);
/* The same without waiting: -EWOULDBLOCK when somebody else holds it. */
int file_try_lock(int dirfd, const char *name, bool shared);

/* A pipe with O_CLOEXEC on both ends. */
int file_pipe(int ret[2]);
/* Set or clear O_NONBLOCK. */
int file_set_nonblock(int fd, bool on);
/* Does @name exist in @dirfd (not following a final symlink)? */
bool file_exists(int dirfd, const char *name);
