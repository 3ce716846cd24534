/* user.h - who a container's process is: docker's user string and --group-add, looked up in the container's own
 * /etc/passwd and /etc/group.
 *
 * The files are the image's, so hostile: opened beneath the root by descriptor, regular files only, at most
 * USER_FILE_MAX bytes of each are looked at, lines beyond USER_LINE_MAX and lines that are not well-formed are no
 * entries (docker takes a broken number for 0). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define USER_FILE_MAX (16u << 20)
#define USER_LINE_MAX 65536
#define USER_GROUPS_MAX 65536 /* the kernel's NGROUPS_MAX */

struct user {
        uint32_t uid, gid;
        uint32_t *groups; /* supplementary; begins with gid, as docker's do; owned */
        size_t n_groups;
        char *home; /* "/" when nothing says otherwise; owned */
};
void user_done(struct user *u);

/* Resolve @text, "user", "uid", "user:group", ":group" or ""/NULL for root, and the names or numbers in @groups (NULL
 * or NULL-terminated), inside the tree @rootfs. Rules (as observed in docker, reference/golden 2, 9): a number is a uid
 * whether or not there is an entry; without
 * ":group" the supplementary groups are those that list the user's name; with it there are none; the first entry wins.
 * Errors: ERR_INVALID with docker's words; ERR_SYS; ERR_LIMIT. A missing file is an empty one. */
MUST_USE err *user_resolve(int rootfs, const char *text, char *const *groups, struct user *ret);
