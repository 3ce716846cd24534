/* progress.h - progress of long commands for people and scripts, and Ctrl-C.
 *
 *   tty    a line a layer, redrawn in place: amount, bar, rate, remaining time
 *   plain  docker's lines, one a change of state; amounts are left out
 *   json   one object a line, as docker's API sends: {"status", "progressDetail": {"current", "total"}, "id"}
 *   none   nothing */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/opt.h"
#include "engine/progress.h"

extern const char *const progress_modes[];

/* The flag, for a command whose args struct @T has `const char *` member @m. */
#define PROGRESS_OPT(T, m)                                                                                             \
        OPT_STR(0, "progress", T, m, "string",                                                                         \
                "How to show progress: on a terminal, as plain lines, as JSON objects one a line, or not at all "      \
                "(\"auto\", \"tty\", \"plain\", \"json\", \"none\")",                                                  \
                .def = "auto", .choices = progress_modes, .strict = true)

/* The signal that ended the operation, 0 = none did. */
int progress_signal(void);
/* From now on a process that ends by a signal says so on @fd as "CODE TEXT", instead of to people on stderr. */
void progress_report_to(int fd);

struct progress_view;
/* Show progress on @out in the given way; "auto" or NULL: tty on a terminal, else plain. From now on SIGINT, SIGTERM
 * and SIGHUP end the operation with ERR_INTERRUPTED at its next message; if none comes within half a second, the
 * process ends there with status 128 + the signal's number. What becomes of the work done so far: @note says it when
 * the operation has ended, @killed when the process does, which may be just after all was done. One at a time. */
MUST_USE err *progress_open(const char *mode, bool quiet, FILE *out, const char *note, const char *killed,
                            struct progress_view **ret);
/* For the operation; borrowed. */
const struct progress *progress_sink(const struct progress_view *v);
/* Draw the last state, let signals do what they did before, free. NULL is fine. */
void progress_close(struct progress_view *v);
DEFINE_CLEANUP(struct progress_view *, progress_close)
#define _cleanup_progress_ __attribute__((cleanup(progress_closep)))
/* What to report when the operation ended with @e: the interruption, if there was one. */
MUST_USE err *progress_result(const struct progress_view *v, err *e);
