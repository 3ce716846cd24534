/* snapshots.h - a container's files as a whole: diff, commit, export. */
#pragma once

#include "base/err.h"
#include "engine/container.h"
#include "store/diff.h"

/* What the container has changed in its image. ERR_UNSUPPORTED with --rootfs. */
MUST_USE err *snapshots_diff(struct container *c, struct diff_list *ret);

struct commit_options {
        const char *name; /* reference or NULL */
        char *const *changes;
        const char *author, *message;
        bool pause;         /* freeze a running container meanwhile */
        struct watch watch; /* bytes of the layer's archive */
};
/* Image id in @ret_id, owned. */
MUST_USE err *snapshots_commit(struct container *c, const struct commit_options *o, char **ret_id);

/* The merged root of @c as a directory descriptor: of a running container its mounted root, else mounted for the
 * purpose, read only. */
MUST_USE err *snapshots_root(struct container *c, int *ret_fd);
/* Write the merged root as a tar to @fd. @watch may be NULL. */
MUST_USE err *snapshots_export(struct container *c, int fd, const struct watch *watch);
