/* trace.h - trace points: every step of the life cycle, from every process that takes part in it.
 *
 * One pipe collects fixed-size records from hod, the monitor, the builder and the child between clone and exec;
 * a record is one write(2) below PIPE_BUF, so that writers need no lock. When nobody listens a point costs one compare.
 * `--explain` prints them for people, the benchmarks add them up. Safe between clone and exec: no memory, no stdio. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trace_point {
#define TRACE_POINT(id, name, what, call, man, shell) TRACE_##id,
#include "base/trace_points.h"
#undef TRACE_POINT
        TRACE_POINT_MAX_
};

/* What is known about a point, for people. Any string may be "". */
struct trace_info {
        const char *name;  /* "mount.overlay" */
        const char *what;  /* what it isolates or does, one line */
        const char *call;  /* system call(s) */
        const char *man;   /* man page or specification section */
        const char *shell; /* the command that does the same by hand */
};
extern const struct trace_info trace_infos[TRACE_POINT_MAX_];

#define TRACE_VERSION 1
#define TRACE_DETAIL 88

struct trace_record {
        uint16_t version;
        uint16_t point;
        int32_t pid;
        int32_t errnum; /* 0, or why the step failed */
        uint32_t pad;
        uint64_t start_ns; /* CLOCK_MONOTONIC */
        uint64_t took_ns;
        char detail[TRACE_DETAIL]; /* terminated: what exactly (a path, a name, a number) */
};

/* Where records go; -1 = off. Set from --explain, or from HOD_TRACE_FD by programs that hod starts. */
extern int trace_fd;

struct trace_span {
        uint64_t start;
        enum trace_point point;
};

/* Begin a step: trace_begin(), where somebody listens. */
struct trace_span trace_begin_(enum trace_point point);
static inline struct trace_span trace_begin(enum trace_point point)
{
        return trace_fd < 0 ? (struct trace_span){0, point} : trace_begin_(point);
}
/* End the step. @detail may be NULL; @errnum 0 for success. Keeps errno. */
void trace_end_(const struct trace_span *span, int errnum, const char *detail);
static inline void trace_end(const struct trace_span *span, int errnum, const char *detail)
{
        if (trace_fd >= 0)
                trace_end_(span, errnum, detail);
}
/* Read one record from the reading end of the pipe. Returns 1, 0 at the end, -errno (-EAGAIN when non-blocking). */
int trace_read(int fd, struct trace_record *ret);
