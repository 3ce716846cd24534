/* explain.h - --explain: the trace points as they happen, in words. */
#pragma once

#include "base/err.h"

/* Start tracing into a pipe; the reading end is given. */
MUST_USE err *explain_start(int *ret_fd);
/* Print what is in the pipe @fd now, on stderr. */
void explain_read(int fd);
/* Print what is left, and the sum by process. */
void explain_end(int fd);
