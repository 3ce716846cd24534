/* child_hook.h - one hook of config.json: its process, its output, its end. No memory, no locks: it also runs between
 * clone and exec. */
#pragma once

#include "runtime/plan.h"

#define CHILD_HOOK_OUTPUT_MAX 700

struct child_hook_result {
        int errnum; /* why it has no status: ETIMEDOUT, or of clone, poll, execve */
        bool unstarted;
        int status;                         /* of waitpid() */
        char out[2][CHILD_HOOK_OUTPUT_MAX]; /* what it wrote to stdout and stderr: the beginning */
};

/* What is around a hook. */
struct child_hook_place {
        int state;       /* file with the state document, for standard input */
        int dirfd;       /* working directory, -1: @dir */
        const char *dir; /* NULL: ours; entered if it is there */
        bool filtered;   /* a seccomp filter is in place */
        int out[2];      /* files for standard output and error; -1: they are in the result */
        int parent;      /* socket of who waits for us: its end is the hook's; -1 = none */
};

/* Run @h and wait for its end. True if it ended with status 0. After a timeout its whole process group is killed. */
bool child_hook_run(const struct plan_hook *h, const struct child_hook_place *place, struct child_hook_result *ret);
/* "exit status 7, stdout: , stderr: ..." of a failed one, cut off at @size. */
void child_hook_describe(const struct plan_hook *h, const struct child_hook_result *r, char *buf, size_t size);
