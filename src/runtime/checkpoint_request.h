/* checkpoint_request.h - criu's requests for a container: which of its mounts and namespaces are the host's. */
#pragma once

#include "base/str.h"
#include "runtime/arena.h"
#include "runtime/checkpoint.h"
#include "runtime/checkpoint_criu.h"

/* A mount of the container whose source is not the container's: criu knows it by @key in the image, and @source is
 * where it comes from when it is restored. Both are borrowed. */
struct checkpoint_mount {
        const char *key, *source;
};
struct checkpoint_mounts {
        struct arena arena;
        struct checkpoint_mount *mount;
        size_t n;
};
void checkpoint_mounts_done(struct checkpoint_mounts *m);
#define _cleanup_checkpoint_mounts_ __attribute__((cleanup(checkpoint_mounts_done)))

/* Where a destination of config.json really is, symlinks of the root file system followed: an absolute path in memory
 * of the arena, or NULL: it does not exist (it is used as it is then). */
typedef const char *checkpoint_resolve(void *data, struct arena *a, const char *destination, bool *ret_is_dir);

/* All external mounts of @c: bind mounts, cgroup v1's hierarchies, masked files, devices. ERR_INVALID for a name that
 * criu would read as something else (CVE-2026-115520: "]:" ends the key). */
MUST_USE err *checkpoint_mounts_find(const struct checkpoint_container *c, checkpoint_resolve *resolve, void *data,
                                     struct checkpoint_mounts *ret);

/* The path of the cgroup that criu may freeze, or NULL: none. Owned by the caller. */
MUST_USE err *checkpoint_freezer_path(const char *cgroup, char **ret);

/* @freezer: path of the cgroup to freeze; NULL: criu stops the processes one by one. @ret: appended. */
MUST_USE err *checkpoint_request_dump(const struct checkpoint_container *c, const struct checkpoint_options *o,
                                      const struct checkpoint_mounts *m, const char *freezer, struct str *ret);

/* What a restored container gets from us, by descriptor numbers of criu's. */
struct checkpoint_inherit {
        const char *key;
        int fd;
};
/* @root: where criu finds the root file system. */
MUST_USE err *checkpoint_request_restore(const struct checkpoint_container *c, const struct checkpoint_options *o,
                                         const struct checkpoint_mounts *m, const char *root,
                                         const struct checkpoint_inherit *inherit, size_t n_inherit, struct str *ret);

/* Key of an external namespace in the image: "extRootNetNS", "extRootPidNS". */
#define CHECKPOINT_NET_KEY "extRootNetNS"
#define CHECKPOINT_PID_KEY "extRootPidNS"
