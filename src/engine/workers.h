/* workers.h - the same task on several items at once, each in a process of its own (nothing here is thread-safe); and a
 * stream that another process writes. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "codec/stream.h"

struct workers_task {
        size_t n;
        unsigned parallel; /* at once; 0 = 3 */
        /* In the item's own process. What it finds out it leaves in memory of workers_memory(). */
        err *(*work)(void *arg, size_t i);
        /* In the caller's process, some ten times a second and whenever an item is finished. An error stops all. */
        err *(*tick)(void *arg);
        void *arg;
};
/* Do all of it. The first failure stops the others and is returned, with its code and text. */
MUST_USE err *workers_run(const struct workers_task *t);

/* Zeroed memory that the workers share with the caller; workers_memory_free() takes the same size. */
MUST_USE err *workers_memory(size_t size, void **ret);
void workers_memory_free(void *memory, size_t size);

/* A stream of the bytes that @write puts into its pipe, in a process of its own which ends with the stream. */
MUST_USE err *workers_stream(err *(*write)(void *arg, int fd), void *arg, struct stream **ret);
