/* name_index.c - see name_index.h. */
#include "store/name_index.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* "names/<name>"; false: not a name. */
static bool entry_path(const char *name, char path[NAME_MAX + 8])
{
        if (!id_name_valid(name))
                return false;
        (void)snprintf(path, NAME_MAX + 8, "names/%s", name);
        return true;
}

void name_index_put(struct store *s, const char *name, const char *id)
{
        int dir = store_state_fd(s), r;
        char path[NAME_MAX + 8], old[ID_LEN + 1];

        if (!entry_path(name, path) || (name_index_find(s, name, old) && strcmp(old, id) == 0))
                return;
        r = symlinkat(id, dir, path);
        if (r < 0 && errno == ENOENT && mkdirat(dir, "names", 0700) == 0)
                r = symlinkat(id, dir, path);
        if (r < 0 && errno == EEXIST && unlinkat(dir, path, 0) == 0)
                r = symlinkat(id, dir, path);
        if (r < 0)
                log_debug("no index entry for container %s: %s", name, strerror(errno));
}

err *name_index_remove(struct store *s, const char *name)
{
        char path[NAME_MAX + 8];

        if (entry_path(name, path) && unlinkat(store_state_fd(s), path, 0) < 0 && errno != ENOENT)
                return err_sys(errno, "removing %s/%s", store_state(s), path);
        return NULL;
}

bool name_index_find(struct store *s, const char *name, char id[ID_LEN + 1])
{
        char path[NAME_MAX + 8];
        ssize_t n;

        if (!entry_path(name, path))
                return false;
        n = readlinkat(store_state_fd(s), path, id, ID_LEN + 1);
        if (n != ID_LEN)
                return false;
        id[ID_LEN] = '\0';
        return id_valid(id);
}
