/* loader_none.c - see loader.h: in static programs. The names of dlopen(3) are ours here, so that a library that was
 * linked in (SQLite and its extensions) cannot load anything either. */
#include <dlfcn.h>
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

void *dlopen(const char *file, int mode)
{
        return NULL;
}

void *dlsym(void *handle, const char *name)
{
        return NULL;
}

int dlclose(void *handle)
{
        return -1;
}

char *dlerror(void)
{
        static char text[] = "this program is static and loads nothing";

        return text;
}
