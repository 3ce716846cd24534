/* mem.c - see mem.h. */
#include "base/mem.h"

#include <errno.h>

int mem_grow(void *array, size_t n, size_t size)
{
        void **pp = array;
        size_t want;
        void *p;

        if (n & (n - 1)) /* not a power of two: the last growth left room */
                return 0;
        want = n ? n * 2 : 4;
        if (n && n < 4)
                return 0;
        p = reallocarray(*pp, want, size);
        if (!p)
                return -ENOMEM;
        *pp = p;
        return 0;
}
