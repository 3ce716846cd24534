/* stranger.c - see stranger.h. */
#include "engine/stranger.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/parse.h"
#include "base/str.h"

#define TEXT_MAX 65536
#define TRIES 5
#define PAUSE_US 20000 /* longer than from a start's first port to its monitor */

static bool mentions(int proc, const char *pid, const char *file, const char *id)
{
        _cleanup_free_ char *text = NULL;
        char path[40];
        size_t size;

        (void)snprintf(path, sizeof(path), "%.20s/%s", pid, file);
        return file_read(proc, path, TEXT_MAX, &text, &size) >= 0 && memmem(text, size, id, strlen(id));
}

static bool is_anywhere(DIR *proc, const char *id)
{
        for (struct dirent *d; (d = readdir(proc));) {
                uint64_t pid;

                if (!parse_u64(d->d_name, &pid))
                        continue;
                if (mentions(dirfd(proc), d->d_name, "cgroup", id) ||
                    (mentions(dirfd(proc), d->d_name, "comm", "hod-monitor\n") &&
                     mentions(dirfd(proc), d->d_name, "cmdline", id)))
                        return true;
        }
        return false;
}

bool stranger_lives(const char *id)
{
        DIR *proc = id_valid(id) ? opendir("/proc") : NULL;
        bool found = false;

        if (!proc)
                return false;
        for (unsigned i = 0; i < TRIES && !found; i++) {
                if (i)
                        (void)usleep(PAUSE_US);
                rewinddir(proc);
                found = is_anywhere(proc, id);
        }
        (void)closedir(proc);
        return found;
}
