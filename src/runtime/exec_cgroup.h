/* exec_cgroup.h - the cgroup of an exec session: the container's own, or what `exec --cgroup` chooses below it. */
#pragma once

#include "base/err.h"
#include "sys/cgroup.h"

/* @sub below the clean path @base, clean; owned by the caller. ERR_INVALID: it is not below. */
MUST_USE err *exec_cgroup_below(const char *base, const char *sub, char **ret);

struct exec_cgroup {
        char *path[CGROUP_HIERARCHIES_MAX]; /* of each hierarchy; NULL: the container's */
        bool chosen;
};

/* Parse @args, "[controller[,controller...]:]path" each, relative to the container's cgroup @base. Only what lies below
 * that is taken; that it exists shows when it is opened. Free with exec_cgroup_done(). ERR_INVALID. */
MUST_USE err *exec_cgroup_parse(const struct cgroup_layout *l, const char *base, char *const *args,
                                struct exec_cgroup *ret);
void exec_cgroup_done(struct exec_cgroup *g);

/* The v2 cgroup in which the process @pid is, owned by the caller; NULL if unknown. */
char *exec_cgroup_of(pid_t pid);
