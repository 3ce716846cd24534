/* volume.h - named volumes: ROOT/volumes/<name>/_data, and meta.json beside it. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "codec/json.h"
#include "store/store.h"

/* Make volume @name if it does not exist. Names: [a-zA-Z0-9][a-zA-Z0-9_.-]+. @labels (object of strings) may be NULL.
 * @anonymous: pruned by default. @ret_path: absolute path of _data, owned. @ret_created (may be NULL): made now.
 * ERR_INVALID with docker's texts for a bad name. */
MUST_USE err *volume_ensure(struct store *s, const char *name, const json *labels, bool anonymous, char **ret_path,
                            bool *ret_created);
/* docker's inspect document. ERR_NOT_FOUND "get x: no such volume". */
MUST_USE err *volume_inspect(struct store *s, const char *name, json **ret);
/* Array of inspect documents, by name. An anonymous one has the label com.docker.volume.anonymous, as in docker. */
MUST_USE err *volume_list(struct store *s, json **ret);
/* Remove a volume that no container's record names. ERR_CONFLICT "remove v1: volume is in use - [<id>]";
 * ERR_NOT_FOUND "get x: no such volume" unless @force. */
MUST_USE err *volume_remove(struct store *s, const char *name, bool force);

/* Bytes of its files. ERR_NOT_FOUND. */
MUST_USE err *volume_usage(struct store *s, const char *name, uint64_t *ret);

/* Is it there and empty (or was its filling interrupted)? */
bool volume_is_empty(struct store *s, const char *name);
/* Fill an empty volume with the tree @source_fd: content, owners, modes, xattrs, hardlinks, times; the volume's root
 * gets those of @source_fd. A volume that is not empty is left alone. The tree is untrusted: by descriptor, no symlink
 * is followed, no mount point is crossed. */
MUST_USE err *volume_populate(struct store *s, const char *name, int source_fd);
