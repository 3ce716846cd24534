/* cgroup_life.c - what happens to a living cgroup: freeze, kill, list, remove; see cgroup.h. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/cgroup_private.h"

#define FREEZE_TIMEOUT_MS 10000
#define KILL_ROUNDS 50
#define DEPTH_MAX 64

/* ---- time ---- */

static int64_t now_ms(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Sleep longer each time: 0.1 ms, doubling up to 10 ms. */
static void back_off(unsigned *round)
{
        long us = 100l << (*round < 7 ? *round : 7);

        if (us > 10000)
                us = 10000;
        (*round)++;
        (void)nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

/* ---- freeze ---- */

static const struct cgroup_hierarchy *freezer(const struct cgroup_layout *l)
{
        if (l->of[CGROUP_FREEZER] >= 0)
                return &l->h[(int)l->of[CGROUP_FREEZER]];
        return l->mode == CGROUP_MODE_V2 ? &l->h[(int)l->unified] : NULL;
}

bool cgroup_is_frozen(const struct cgroup_layout *l, const char *path)
{
        const struct cgroup_hierarchy *h = freezer(l);
        char state[256];
        uint64_t frozen = 0;

        if (!h || !cgroup_path_ok(path, false))
                return false;
        if (h->v2)
                return cgroup_get_key(h, path, "cgroup.events", "frozen", &frozen) == 0 && frozen == 1;
        return cgroup_get(h, path, "freezer.state", state, sizeof(state)) == 0 && !str_eq(state, "THAWED");
}

static bool freeze_reached(const struct cgroup_hierarchy *h, const char *path, bool frozen)
{
        char state[256];
        uint64_t n;

        if (h->v2)
                return cgroup_get_key(h, path, "cgroup.events", "frozen", &n) == 0 && n == frozen;
        return cgroup_get(h, path, "freezer.state", state, sizeof(state)) == 0 &&
               str_eq(state, frozen ? "FROZEN" : "THAWED");
}

static int freeze_write(const struct cgroup_hierarchy *h, const char *path, bool frozen)
{
        return h->v2 ? cgroup_put(h, path, "cgroup.freeze", frozen ? "1" : "0")
                     : cgroup_put(h, path, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

err *cgroup_freeze(const struct cgroup_layout *l, const char *path, bool frozen)
{
        const struct cgroup_hierarchy *h = freezer(l);
        int64_t end = now_ms() + FREEZE_TIMEOUT_MS;
        unsigned round = 0;
        int r;

        CGROUP_CHECK_PATH(path, false);
        if (!h)
                return cgroup_unavailable(CGROUP_FREEZER);
        r = freeze_write(h, path, frozen);
        if (r == -ENOENT)
                return err_new(ERR_NOT_FOUND, "cgroup: %s does not exist", path);
        while (r == 0 && !freeze_reached(h, path, frozen)) {
                if (now_ms() > end) {
                        if (frozen)
                                (void)freeze_write(h, path, false);
                        return err_new(ERR_TIMEOUT, "cgroup: unable to %s %s", frozen ? "freeze" : "thaw", path);
                }
                back_off(&round);
                /* v1: processes that were forking while it froze keep it in FREEZING for good; asking again helps, and
                 * now and then letting go for a moment (as runc found out). */
                if (!h->v2 && frozen && round % 8 == 0) {
                        if (round % 32 == 0)
                                (void)freeze_write(h, path, false);
                        r = freeze_write(h, path, true);
                }
        }
        return r < 0 ? err_sys(-r, "cgroup: %s %s", frozen ? "freezing" : "thawing", path) : NULL;
}

/* ---- list ---- */

struct pid_list {
        pid_t *pid;
        size_t n;
};

static int list_add_file(struct pid_list *list, int dirfd)
{
        _cleanup_free_ char *text = NULL;
        int r = file_read(dirfd, "cgroup.procs", 16u << 20, &text, NULL);

        if (r < 0)
                return r == -EOPNOTSUPP ? 0 : r; /* v2: threaded cgroups have no processes of their own */
        for (const char *p = text; *p;) {
                int n = 0;

                for (; *p >= '0' && *p <= '9'; p++)
                        n = n * 10 + (*p - '0');
                if (n > 0) {
                        if (mem_grow(&list->pid, list->n, sizeof(pid_t)) < 0)
                                return -ENOMEM;
                        list->pid[list->n++] = n;
                }
                p += *p == '\n';
        }
        return 0;
}

/* Call @f for every directory below @dirfd. */
static int each_child(int dirfd, int (*f)(int dirfd, const char *name, void *arg, int depth), void *arg, int depth)
{
        int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        struct dirent *d;
        DIR *dir;

        if (copy < 0)
                return -errno;
        dir = fdopendir(copy);
        if (!dir) {
                r = -errno;
                (void)file_close(copy);
                return r;
        }
        while (r == 0 && (d = readdir(dir)))
                if (d->d_type == DT_DIR && !str_eq(d->d_name, ".") && !str_eq(d->d_name, ".."))
                        r = f(dirfd, d->d_name, arg, depth);
        (void)closedir(dir);
        return r;
}

static int list_child(int dirfd, const char *name, void *arg, int depth)
{
        _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        int r;

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (depth > DEPTH_MAX)
                return -ELOOP;
        r = list_add_file(arg, fd);
        if (r == 0)
                r = each_child(fd, list_child, arg, depth + 1);
        return r == -ENOENT || r == -ENODEV ? 0 : r; /* it went away meanwhile */
}

/* Hierarchies to ask for processes: containers may make cgroups of their own in any, freezer first as it is also what
 * stops them. */
static const struct cgroup_hierarchy *list_hierarchy(const struct cgroup_layout *l)
{
        if (l->of[CGROUP_FREEZER] >= 0)
                return &l->h[(int)l->of[CGROUP_FREEZER]];
        if (l->mode == CGROUP_MODE_V2)
                return &l->h[(int)l->unified];
        return l->n ? &l->h[0] : NULL;
}

err *cgroup_pids(const struct cgroup_layout *l, const char *path, bool recursive, pid_t **ret, size_t *ret_n)
{
        const struct cgroup_hierarchy *h = list_hierarchy(l);
        struct pid_list list = {0};
        char name[CGROUP_FILE_MAX];
        _cleanup_close_ int fd = -1;
        int r;

        CGROUP_CHECK_PATH(path, false);
        if (!h)
                return err_new(ERR_NOT_FOUND, "cgroup: there are no cgroups on this machine");
        fd = openat(h->fd, cgroup_name(path, NULL, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = fd < 0 ? -errno : list_add_file(&list, fd);
        if (r == 0 && recursive)
                r = each_child(fd, list_child, &list, 0);
        if (r < 0) {
                free(list.pid);
                return r == -ENOENT || r == -ENODEV ? err_new(ERR_NOT_FOUND, "cgroup: %s does not exist", path)
                                                    : err_sys(-r, "cgroup: listing %s", path);
        }
        *ret = list.pid;
        *ret_n = list.n;
        return NULL;
}

/* ---- thaw ---- */

static void thaw_directory(int fd)
{
        if (file_put(fd, "freezer.state", "THAWED") == -ENOENT)
                (void)file_put(fd, "cgroup.freeze", "0");
}

static int thaw_child(int dirfd, const char *name, void *arg, int depth)
{
        _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0 || depth > DEPTH_MAX)
                return 0;
        thaw_directory(fd);
        (void)each_child(fd, thaw_child, arg, depth + 1);
        return 0;
}

void cgroup_thaw_all(const struct cgroup_layout *l, const char *path)
{
        const struct cgroup_hierarchy *h = freezer(l);
        char name[CGROUP_FILE_MAX];
        _cleanup_close_ int fd = -1;

        if (!h || !cgroup_path_ok(path, false))
                return;
        fd = openat(h->fd, cgroup_name(path, NULL, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return;
        thaw_directory(fd);
        (void)each_child(fd, thaw_child, NULL, 0);
}

/* ---- kill ---- */

static err *pids_or_none(const struct cgroup_layout *l, const char *path, struct pid_list *ret)
{
        err *e = cgroup_pids(l, path, true, &ret->pid, &ret->n);

        if (e && err_code(e) == ERR_NOT_FOUND) {
                *ret = (struct pid_list){0};
                return err_free(e);
        }
        return e;
}

static void signal_all(const struct pid_list *list, int signal)
{
        for (size_t i = 0; i < list->n; i++)
                (void)kill(list->pid[i], signal);
}

/* SIGKILL without cgroup.kill: stop the tree from forking, kill, let go, look again. */
static err *kill_by_loop(const struct cgroup_layout *l, const char *path)
{
        const struct cgroup_hierarchy *h = freezer(l);

        for (unsigned round = 0; round < KILL_ROUNDS;) {
                struct pid_list list = {0};
                _cleanup_free_ pid_t *owned = NULL;
                bool alone;

                TRY(pids_or_none(l, path, &list));
                owned = list.pid;
                if (list.n == 0)
                        return NULL;
                /* The first round needs no freezer: nearly always one signal to init ends everything. */
                alone = round == 0;
                if (!alone && h) {
                        (void)freeze_write(h, path, true);
                        free(owned);
                        owned = NULL;
                        list = (struct pid_list){0};
                        TRY(pids_or_none(l, path, &list));
                        owned = list.pid;
                }
                signal_all(&list, SIGKILL);
                if (!alone)
                        cgroup_thaw_all(l, path);
                else if (cgroup_is_frozen(l, path))
                        (void)freeze_write(h, path, false);
                back_off(&round);
        }
        return NULL; /* still dying: uninterruptible or a zombie whose parent sleeps; cgroup_remove() tells */
}

err *cgroup_kill(const struct cgroup_layout *l, const char *path, int signal)
{
        struct pid_list list = {0};
        _cleanup_free_ pid_t *owned = NULL;

        CGROUP_CHECK_PATH(path, false);
        if (signal == SIGKILL) {
                if (l->unified >= 0) {
                        int r = cgroup_put(&l->h[(int)l->unified], path, "cgroup.kill", "1");

                        if (r == 0 && l->mode == CGROUP_MODE_V2)
                                return NULL;
                }
                return kill_by_loop(l, path);
        }
        TRY(pids_or_none(l, path, &list));
        owned = list.pid;
        signal_all(&list, signal);
        return NULL;
}

/* ---- remove ---- */

static int remove_child(int dirfd, const char *name, void *arg, int depth)
{
        if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        if (errno != EBUSY && errno != ENOTEMPTY)
                return -errno;
        _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (depth > DEPTH_MAX)
                return -ELOOP;
        (void)each_child(fd, remove_child, arg, depth + 1);
        (void)unlinkat(dirfd, name, AT_REMOVEDIR); /* what stays is seen by the parent's rmdir */
        return 0;
}

/* One try. 0 when it is gone, -EBUSY when somebody is still inside. */
static int remove_once(const struct cgroup_hierarchy *h, const char *path)
{
        if (unlinkat(h->fd, path + 1, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        if (errno != EBUSY && errno != ENOTEMPTY)
                return -errno;
        int r = remove_child(h->fd, path + 1, NULL, 0);

        if (r < 0)
                return r;
        return faccessat(h->fd, path + 1, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? -EBUSY : 0;
}

err *cgroup_remove(const struct cgroup_layout *l, const char *path, int timeout_ms)
{
        int64_t end = 0;
        unsigned round = 0;

        CGROUP_CHECK_PATH(path, false);
        for (size_t i = 0; i < l->n; i++) {
                int r;

                while ((r = remove_once(&l->h[i], path)) == -EBUSY) {
                        if (!end)
                                end = now_ms() + timeout_ms;
                        if (now_ms() >= end)
                                return err_new(ERR_BUSY, "cgroup: %s still has processes", path);
                        back_off(&round);
                }
                if (r < 0)
                        return err_sys(-r, "cgroup: removing %s", path);
        }
        return NULL;
}

bool cgroup_exists(const struct cgroup_layout *l, const char *path)
{
        if (!cgroup_path_ok(path, false))
                return false;
        for (size_t i = 0; i < l->n; i++)
                if (faccessat(l->h[i].fd, path + 1, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                        return true;
        return false;
}
