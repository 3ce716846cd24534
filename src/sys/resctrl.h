/* resctrl.h - the file system by which the kernel shares out cache and memory bandwidth (Intel RDT and its like): a
 * group is a directory with `schemata` (what it may use) and `tasks`; groups for counting lie in its mon_groups.
 *
 * All functions take the root of the mounted file system, so that a test can give them a tree of plain files.
 * Privilege: root. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct resctrl_group {
        const char *id;   /* of the container: the group's name, and that of its group for counting */
        const char *clos; /* NULL: a group of its own, named by the id; "/": the root's */
        const char *l3_schema, *mb_schema;
        char *const *schemata; /* further lines; NULL = none */
        bool monitoring;
};

/* Root of the mounted file system as O_PATH descriptor; -ENODEV if there is none. */
int resctrl_open(void);
/* Does it know @what: "L3", "MB", "L3_MON" (a directory of info/)? */
bool resctrl_has(int root, const char *what);

/* Is the group possible on this machine (@root -1: no resctrl)? ERR_UNSUPPORTED, ERR_INVALID. */
MUST_USE err *resctrl_check(int root, const struct resctrl_group *g);
/* Make the group, if it is not there, and set its schemata. On failure nothing that was made is left.
 * A group that is named but has no schemata must exist. ERR_NOT_FOUND, ERR_INVALID (the kernel refuses the schemata),
 * ERR_SYS; with the kernel's reason. */
MUST_USE err *resctrl_create(int root, const struct resctrl_group *g);
/* The schemata again, for `update`. */
MUST_USE err *resctrl_set(int root, const struct resctrl_group *g);
/* Descriptors of the files to which a process writes "0" to enter; how many are in @ret_n (at most 2). */
MUST_USE err *resctrl_join_open(int root, const struct resctrl_group *g, int ret_fds[2], size_t *ret_n);
/* Remove what was made for the container: its own group; of a named one only the group for counting. Missing parts are
 * fine. */
MUST_USE err *resctrl_remove(int root, const struct resctrl_group *g);

#define RESCTRL_NODES 64

/* What `events` tells of a group; what the machine or the group does not have is 0 or empty. Numbers are the kernel's
 * (Documentation/filesystems/resctrl.rst). */
struct resctrl_stats {
        char l3_mask[64]; /* info/L3/cbm_mask */
        uint64_t l3_min_bits, l3_closids;
        uint64_t mb_gran, mb_linear, mb_min, mb_closids;
        char *l3_root, *l3, *mb_root, *mb; /* lines of schemata, without indent; owned */
        struct {
                uint64_t occupancy, total, local; /* bytes */
        } node[RESCTRL_NODES];                    /* in the order of their numbers */
        size_t n_nodes;
        bool counts_occupancy, counts_bandwidth;
};
/* Of the group for counting, if there is one. ERR_NOMEM. */
MUST_USE err *resctrl_stats_read(int root, const struct resctrl_group *g, struct resctrl_stats *ret);
void resctrl_stats_done(struct resctrl_stats *s);
