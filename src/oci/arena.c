/* arena.c - see arena.h. */
#include "oci/arena.h"

#include <stdalign.h>

#define CHUNK 8192

struct chunk {
        struct chunk *next;
        size_t used, size;
        alignas(max_align_t) unsigned char data[];
};

struct oci_arena {
        struct chunk *head;
};

struct oci_arena *oci_arena_new(void)
{
        return MEM_NEW0(struct oci_arena, 1);
}

void oci_arena_free(struct oci_arena *a)
{
        while (a->head) {
                struct chunk *c = a->head;

                a->head = c->next;
                free(c);
        }
        free(a);
}

void *oci_arena_new0(struct oci_arena *a, size_t n, size_t size)
{
        struct chunk *c = a->head;
        size_t bytes;
        void *p;

        if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
                return NULL;
        bytes = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
        if (!c || c->size - c->used < bytes) {
                size_t room = bytes > CHUNK ? bytes : CHUNK;

                c = calloc(1, sizeof(*c) + room);
                if (!c)
                        return NULL;
                c->size = room;
                c->next = a->head;
                a->head = c;
        }
        p = c->data + c->used;
        c->used += bytes;
        return p;
}
