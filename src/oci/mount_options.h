/* mount_options.h - options of a mount in the runtime specification, translated into what the kernel takes.
 *
 * One table (mount_options.c) holds every MUST, SHOULD and MAY option of runtime-spec 1.3, docker's and crun's.
 * Everything the table does not know is file system data ("size=64m"), kept in order. Later options win over earlier.
 *
 * Two views of the same thing, use the one that fits the system call:
 *   mount(2)                   flags, flags_clear, propagation, data
 *   fsopen/fsmount/setattr     attr_set, attr_clear, sb_flags, rec_set, rec_clear, propagation, data_list */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Options of an id-mapped mount: "idmap" or "ridmap" (with the tree below). */
enum mount_idmap { MOUNT_IDMAP_NONE, MOUNT_IDMAP_ONE, MOUNT_IDMAP_RECURSIVE };

#define MOUNT_PROPAGATIONS_MAX 4

struct mount_options {
        unsigned long flags;       /* MS_* asked for: MS_RDONLY, MS_NOSUID, MS_BIND, MS_REC, MS_REMOUNT, ... */
        unsigned long flags_clear; /* MS_* explicitly not wanted ("rw", "suid", "exec", ...) */
        uint64_t attr_set;         /* MOUNT_ATTR_* for this mount; the atime mode is in the MOUNT_ATTR__ATIME field */
        uint64_t attr_clear; /* includes MOUNT_ATTR__ATIME whenever attr_set chooses an atime mode ("atime" and the
                                like only undo a choice that was made before them in the list) */
        uint64_t sb_flags;   /* subset of flags for fsconfig: MS_SYNCHRONOUS, MS_DIRSYNC, MS_LAZYTIME, MS_I_VERSION,
                                MS_MANDLOCK, MS_SILENT; not MS_RDONLY */
        uint64_t rec_set;    /* MOUNT_ATTR_* for mount_setattr(AT_RECURSIVE): "rro", "rnosuid", ... */
        uint64_t rec_clear;
        unsigned long
                propagation; /* 0, or MS_PRIVATE/SHARED/SLAVE/UNBINDABLE, with MS_REC for the r… forms: the last */
        unsigned long propagations[MOUNT_PROPAGATIONS_MAX]; /* all, in order: "slave", "shared" is both */
        size_t n_propagations;
        enum mount_idmap idmap;
        bool tmpcopyup;     /* tmpfs: begin with what the image has there */
        bool copy_symlink;  /* crun: a symlink source is copied, not followed */
        bool src_nofollow;  /* crun: bind the symlink itself */
        bool dest_nofollow; /* crun: mount on the symlink itself */
        bool is_bind;       /* "bind" or "rbind" was given: the type does not matter then */
        char **data_list;   /* "key" or "key=value" for fsconfig; NULL when there is none */
        char *data;         /* the same joined with commas, NULL when there is none */
};

/* Translate @options (NULL-terminated, may be NULL). @ret is owned by the caller: mount_options_done().
 * Errors: ERR_INVALID for an option with an empty or NUL-bearing name, ERR_LIMIT beyond one page of data or too many
 * propagation options, ERR_NOMEM. */
MUST_USE err *mount_options_parse(char *const *options, struct mount_options *ret);
void mount_options_done(struct mount_options *o);
#define _cleanup_mount_options_ __attribute__((cleanup(mount_options_done)))

/* Name of the @i-th known option in alphabetical order, NULL after the last (for `features`). */
const char *mount_options_name(size_t i);
/* True if @name is an option of the table (not file system data). */
bool mount_options_known(const char *name);
/* One word of linux.rootfsPropagation: "rslave" gives MS_SLAVE|MS_REC. False if unknown. */
bool mount_options_propagation(const char *name, unsigned long *ret);
