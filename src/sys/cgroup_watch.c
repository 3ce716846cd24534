/* cgroup_watch.c - being told of OOM kills; see cgroup.h. v1 writes to an eventfd that was registered; v2's files can
 * be watched by inotify. */
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "sys/cgroup_private.h"

static int watch_v1(const struct cgroup_hierarchy *h, const char *path, struct cgroup_watch *w)
{
        char name[CGROUP_FILE_MAX], text[32];
        _cleanup_close_ int events = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        _cleanup_close_ int oom = openat(h->fd, cgroup_name(path, "memory.oom_control", name), O_RDONLY | O_CLOEXEC);
        int r;

        if (events < 0 || oom < 0)
                return -errno;
        (void)snprintf(text, sizeof(text), "%d %d", events, oom);
        r = cgroup_put(h, path, "cgroup.event_control", text);
        if (r == 0)
                w->fd = TAKE_FD(events);
        return r;
}

static int watch_v2(const struct cgroup_hierarchy *h, const char *path, struct cgroup_watch *w)
{
        static const char *const files[] = {"memory.events", "cgroup.events"};
        _cleanup_close_ int events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

        for (size_t i = 0; events >= 0 && i < ARRAY_SIZE(files); i++) {
                char name[CGROUP_FILE_MAX], link[40];
                _cleanup_close_ int fd = openat(h->fd, cgroup_name(path, files[i], name), O_PATH | O_CLOEXEC);

                if (fd < 0)
                        return -errno;
                (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
                if (inotify_add_watch(events, link, IN_MODIFY) < 0)
                        return -errno;
        }
        if (events < 0)
                return -errno;
        w->kills = cgroup_oom_kills(w->l, path);
        w->fd = TAKE_FD(events);
        return 0;
}

err *cgroup_watch_oom(const struct cgroup_layout *l, const char *path, struct cgroup_watch *ret)
{
        struct cgroup_watch w = {.fd = -1, .l = l, .path = path};
        const struct cgroup_hierarchy *h;
        int r;

        CGROUP_CHECK_PATH(path, false);
        TRY(cgroup_need(l, CGROUP_MEMORY, &h));
        w.v2 = h->v2;
        r = h->v2 ? watch_v2(h, path, &w) : watch_v1(h, path, &w);
        if (r < 0)
                return err_sys(-r, "cgroup: watching %s", path);
        *ret = w;
        return NULL;
}

static bool is_over(const struct cgroup_watch *w, const struct cgroup_hierarchy *h)
{
        uint64_t populated;

        if (w->v2)
                return cgroup_get_key(h, w->path, "cgroup.events", "populated", &populated) < 0 || !populated;
        return faccessat(h->fd, w->path + 1, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

int cgroup_watch_read(struct cgroup_watch *w)
{
        const struct cgroup_hierarchy *h = cgroup_find(w->l, CGROUP_MEMORY);
        char buf[4096];
        uint64_t before = w->kills;
        int n = 0;

        while (read(w->fd, buf, w->v2 ? sizeof(buf) : 8) > 0) /* v1: removing the cgroup counts, too */
                n = 1;
        if (w->v2) {
                w->kills = cgroup_oom_kills(w->l, w->path);
                n = w->kills > before ? (int)(w->kills - before) : 0;
        }
        return is_over(w, h) && (n == 0 || !w->v2) ? -ENODEV : n;
}

void cgroup_watch_done(struct cgroup_watch *w)
{
        w->fd = file_close(w->fd);
}
