/* logs.h - read what a container printed: json-file logs, oldest rotation first, optionally as they grow. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "engine/container.h"

struct logs_options {
        int64_t since_ns, until_ns; /* 0 = no bound */
        int64_t tail;               /* last n lines; -1 = all */
        bool follow;
};

/* One line (with its newline if it had one); @stream is 1 or 2. An error ends the reading and is passed on. */
typedef err *logs_sink(void *ctx, int stream, int64_t time_ns, const char *data, size_t size);

/* Errors: ERR_UNSUPPORTED (a container without a readable log), whatever the sink says. */
MUST_USE err *logs_read(struct container *c, const struct logs_options *o, logs_sink *sink, void *ctx);
