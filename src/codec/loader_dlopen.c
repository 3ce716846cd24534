/* loader_dlopen.c - see loader.h: in dynamically linked programs. */
#include <dlfcn.h>

#include "codec/loader.h"

bool loader_available(void)
{
        return true;
}

void *loader_open(const char *soname)
{
        return dlopen(soname, RTLD_NOW | RTLD_LOCAL);
}

void *loader_symbol(void *library, const char *name)
{
        return dlsym(library, name);
}
