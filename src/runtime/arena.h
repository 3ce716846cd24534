/* arena.h - memory that lives as long as a plan: many small pieces, one release.
 * Running out of memory is remembered: allocate freely, ask once with arena_check(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct arena_block;
struct arena {
        struct arena_block *blocks;
        size_t used;
        bool failed;
};

/* Zeroed, aligned for everything; NULL when out of memory (remembered) or @n is 0. */
void *arena_alloc(struct arena *a, size_t n, size_t size);
#define ARENA_NEW(a, type, n) ((type *)arena_alloc((a), (n), sizeof(type)))
char *arena_copy(struct arena *a, const char *text, size_t size);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
MUST_USE err *arena_check(const struct arena *a);
void arena_done(struct arena *a);
