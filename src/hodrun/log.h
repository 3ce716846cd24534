/* log.h - lines for stderr or the file of --log, in runc's form, which containerd, docker and podman read:
 * `time="..." level=error msg="..."`, or JSON with the same members. Everything that the libraries log goes there too
 * (base/log.h). */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/log.h"

struct log_request {
        const char *path;   /* of --log: a file, file:PATH; "" or NULL = stderr */
        const char *format; /* text or json */
        const char *level;  /* error, warning or debug; NULL = warning */
        bool debug;
};

/* ERR_INVALID "invalid log-format: x". Where the log cannot be opened, stderr stays. */
MUST_USE err *hodrun_log_open(const struct log_request *r);
/* The reason for which the program ends: logged, and as plain text on stderr if the log is a file. */
void hodrun_log_fatal(const char *text);
