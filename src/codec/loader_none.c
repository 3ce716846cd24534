/* loader_none.c - see loader.h: in static programs. */
#include <stddef.h>

#include "codec/loader.h"

bool loader_available(void)
{
        return false;
}

void *loader_open(const char *soname)
{
        return NULL;
}

void *loader_symbol(void *library, const char *name)
{
        return NULL;
}
