/* arena.c - see arena.h. */
#include "runtime/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 8192u

struct arena_block {
        struct arena_block *next;
        size_t size;
        _Alignas(max_align_t) char data[];
};

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
        size_t bytes, align = _Alignof(max_align_t);
        struct arena_block *b = a->blocks;

        if (!n || !size)
                return NULL;
        if (__builtin_mul_overflow(n, size, &bytes) || bytes > (size_t)-1 / 2) {
                a->failed = true;
                return NULL;
        }
        bytes = (bytes + align - 1) & ~(align - 1);
        if (!b || b->size - a->used < bytes) {
                size_t room = bytes > BLOCK_SIZE ? bytes : BLOCK_SIZE;

                b = calloc(1, sizeof(*b) + room);
                if (!b) {
                        a->failed = true;
                        return NULL;
                }
                b->size = room;
                b->next = a->blocks;
                a->blocks = b;
                a->used = 0;
        }
        a->used += bytes;
        return b->data + a->used - bytes;
}

char *arena_copy(struct arena *a, const char *text, size_t size)
{
        char *p = arena_alloc(a, size + 1, 1);

        if (p)
                memcpy(p, text, size);
        return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
        va_list ap, again;
        char *p = NULL;
        int n;

        va_start(ap, fmt);
        va_copy(again, ap);
        n = vsnprintf(NULL, 0, fmt, ap);
        if (n >= 0)
                p = arena_alloc(a, (size_t)n + 1, 1);
        if (p)
                (void)vsnprintf(p, (size_t)n + 1, fmt, again);
        va_end(again);
        va_end(ap);
        return p;
}

err *arena_check(const struct arena *a)
{
        return a->failed ? err_nomem() : NULL;
}

void arena_done(struct arena *a)
{
        for (struct arena_block *b = a->blocks, *next; b; b = next) {
                next = b->next;
                free(b);
        }
        *a = (struct arena){0};
}
