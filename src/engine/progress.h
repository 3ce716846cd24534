/* progress.h - what a long operation tells while it works: lines about the whole, and about its parts (layers).
 *
 * These are the messages of docker's API: status, id, progressDetail. The front door shows them (cli/progress.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct progress_event {
        const char *id;          /* of the part, e.g. the first 12 digits of a digest; NULL = about the whole */
        const char *status;      /* "Downloading"; without an id the whole line */
        bool amount;             /* current and total mean something */
        bool done;               /* nothing more will come of this part */
        uint64_t current, total; /* bytes; total 0 = unknown */
};

struct progress {
        /* An error ends the operation: ERR_INTERRUPTED, or output that cannot be written. */
        err *(*event)(void *arg, const struct progress_event *e);
        void *arg;
};

/* All accept a NULL @p: nobody listens. */
MUST_USE err *progress_line(const struct progress *p, const char *fmt, ...) PRINTF(2, 3);
MUST_USE err *progress_part(const struct progress *p, const char *id, const char *status);
MUST_USE err *progress_done(const struct progress *p, const char *id, const char *status);
MUST_USE err *progress_amount(const struct progress *p, const char *id, const char *status, uint64_t current,
                              uint64_t total);
/* Says nothing, asks only whether to go on. */
MUST_USE err *progress_check(const struct progress *p);

/* One part whose bytes somebody counts (store/watch.h). */
struct progress_bytes {
        const struct progress *progress;
        const char *id, *status;
        uint64_t total; /* 0 = unknown */
        uint64_t told;
};
/* Of @arg, a struct progress_bytes, there are @bytes now: asks whether to go on each time, tells each megabyte. */
MUST_USE err *progress_bytes(void *arg, uint64_t bytes);
