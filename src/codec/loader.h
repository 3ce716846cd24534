/* loader.h - shared libraries loaded at first use, where the program may: a static one must not dlopen(3) (it crashes
 * when the machine's libc is another than its own).
 *
 * loader_dlopen.c is in the library of this layer; the static `hod` is linked with loader_none.c, which goes before it.
 * Commands for which that matters are run by `hod-full`, the same program linked dynamically (cli/main.c). */
#pragma once

#include <stdbool.h>

/* Can this program load libraries at all? */
bool loader_available(void);
/* Load @soname ("libzstd.so.1"), never unloaded; NULL: not there, or not available. */
void *loader_open(const char *soname);
/* A symbol of it; NULL: it has none. */
void *loader_symbol(void *library, const char *name);
