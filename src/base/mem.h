/* mem.h - ownership: cleanup attributes and transfer. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void mem_freep(void *p)
{
        free(*(void **)p);
}

/* Freed when the scope ends. */
#define _cleanup_free_ __attribute__((cleanup(mem_freep)))
/* Calls @f(&variable) when the scope ends. */
#define _cleanup_(f) __attribute__((cleanup(f)))

/* Give away what @p owns and leave NULL behind. */
#define TAKE_PTR(p)                                                                                                    \
        ({                                                                                                             \
                typeof(p) *take_pp_ = &(p);                                                                            \
                typeof(p) take_p_ = *take_pp_;                                                                         \
                *take_pp_ = NULL;                                                                                      \
                take_p_;                                                                                               \
        })

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define _unused_ __attribute__((unused))
#define _noreturn_ __attribute__((noreturn))
/* A large buffer in a function that is called for each file: not zeroed first, as the build has all others. */
#define _uninitialized_ __attribute__((uninitialized))

/* A helper that frees a pointer type: DEFINE_CLEANUP(struct x *, x_free) gives x_freep. */
#define DEFINE_CLEANUP(type, function)                                                                                 \
        static inline void function##p(type *p)                                                                        \
        {                                                                                                              \
                if (*p)                                                                                                \
                        function(*p);                                                                                  \
        }

/* Zeroed array of @n elements of @size, NULL when out of memory or on overflow. */
static inline void *mem_new0(size_t n, size_t size)
{
        return calloc(n, size);
}
#define MEM_NEW0(type, n) ((type *)mem_new0((n), sizeof(type)))

/* Make room for one more element in the array *@array holding @n elements of @size; capacity doubles at powers of two.
 * Returns 0, or -ENOMEM with the array untouched. */
int mem_grow(void *array, size_t n, size_t size);
