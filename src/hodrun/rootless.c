/* rootless.c - see rootless.h. */
#include "hodrun/rootless.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/str.h"
#include "sys/cgroup.h"
#include "sys/ns.h"
#include "sys/process.h"

#define ROOT "/run/hodrun"

const char *rootless_root(void)
{
        static char root[4096];
        const char *dir = getenv("XDG_RUNTIME_DIR"), *user = getenv("USER");

        /* In a user namespace $USER tells whether root is meant. */
        if (str_empty(dir) || (geteuid() == 0 && (!ns_in_userns() || (user && str_eq(user, "root")))))
                return ROOT;
        return snprintf(root, sizeof(root), "%s/hodrun", dir) < (int)sizeof(root) ? root : ROOT;
}

err *rootless_cgroups(const char *option, bool *ret)
{
        static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
        static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};

        *ret = ns_is_rootless();
        if (str_empty(option) || strcasecmp(option, "auto") == 0)
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
                if (!str_eq(option, yes[i]) && !str_eq(option, no[i]))
                        continue;
                *ret = str_eq(option, yes[i]);
                return NULL;
        }
        return err_new(ERR_INVALID, "invalid value \"%s\" for --rootless: true, false or auto", option);
}

/* ---- processes ---- */

static bool namespace_of(const char *pid, struct stat *ret)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%.20s/ns/pid", pid);
        return stat(path, ret) == 0;
}

/* Call @f for each process of the container: with a descriptor that was opened before it was found to be one. A
 * container in the namespace of others is its init, as far as we can know. */
static err *each_process(const struct state *s, err *(*f)(pid_t pid, int pidfd, void *arg), void *arg)
{
        _cleanup_close_ int init = state_pidfd(s);
        struct stat own, theirs, st;
        struct dirent *d;
        char number[16];
        err *e = NULL;
        DIR *dir;

        (void)snprintf(number, sizeof(number), "%d", (int)s->pid);
        if (init < 0 || !namespace_of(number, &theirs) || process_signal(init, 0) < 0)
                return NULL; /* it has ended, and its number may be somebody else's */
        if (namespace_of("self", &own) && own.st_ino == theirs.st_ino)
                return f(s->pid, init, arg);
        dir = opendir("/proc");
        if (!dir)
                return err_sys(errno, "opening /proc");
        while (!e && (d = readdir(dir))) {
                _cleanup_close_ int pidfd = -1;
                uint64_t pid;

                if (!parse_u64(d->d_name, &pid))
                        continue;
                pidfd = process_of((pid_t)pid);
                if (pidfd >= 0 && namespace_of(d->d_name, &st) && st.st_ino == theirs.st_ino &&
                    st.st_dev == theirs.st_dev)
                        e = f((pid_t)pid, pidfd, arg);
        }
        (void)closedir(dir);
        return e;
}

struct list {
        pid_t *pids;
        size_t n;
};

static err *list_add(pid_t pid, int pidfd, void *arg)
{
        struct list *list = arg;

        (void)pidfd;
        if (mem_grow(&list->pids, list->n, sizeof(*list->pids)) < 0)
                return err_nomem();
        list->pids[list->n++] = pid;
        return NULL;
}

static err *send(pid_t pid, int pidfd, void *arg)
{
        int r = process_signal(pidfd, *(const int *)arg);

        return r < 0 && r != -ESRCH ? err_sys(-r, "sending a signal to process %d", (int)pid) : NULL;
}

err *rootless_kill(const struct state *s, int signal)
{
        return each_process(s, send, &signal);
}

err *rootless_pids(const struct state *s, pid_t **ret, size_t *ret_n)
{
        struct list list = {NULL, 0};
        const struct cgroup_layout *l;
        err *e;

        if (str_empty(s->cgroup)) {
                e = each_process(s, list_add, &list);
        } else {
                TRY(cgroup_layout_get(&l));
                e = cgroup_pids(l, s->cgroup, true, &list.pids, &list.n);
                if (e && err_code(e) == ERR_NOT_FOUND)
                        e = err_free(e);
        }
        if (e) {
                free(list.pids);
                return e;
        }
        *ret = list.pids;
        *ret_n = list.n;
        return NULL;
}
