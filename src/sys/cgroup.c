/* cgroup.c - layout, paths, files, create, join; see cgroup.h. Life cycle is in cgroup_life.c. */
#include "sys/cgroup.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/cgroup_private.h"

#define PATH_LIMIT 3800

static const char *const controller_names[CGROUP_CONTROLLER_MAX_] = {
        [CGROUP_CPU] = "cpu",
        [CGROUP_CPUACCT] = "cpuacct",
        [CGROUP_CPUSET] = "cpuset",
        [CGROUP_MEMORY] = "memory",
        [CGROUP_DEVICES] = "devices",
        [CGROUP_FREEZER] = "freezer",
        [CGROUP_BLKIO] = "blkio",
        [CGROUP_PIDS] = "pids",
        [CGROUP_HUGETLB] = "hugetlb",
        [CGROUP_NET_CLS] = "net_cls",
        [CGROUP_NET_PRIO] = "net_prio",
        [CGROUP_RDMA] = "rdma",
        [CGROUP_PERF_EVENT] = "perf_event",
        [CGROUP_MISC] = "misc",
        [CGROUP_SYSTEMD] = "systemd",
};

const char *cgroup_controller_name(enum cgroup_controller c)
{
        return controller_names[c];
}

err *cgroup_unavailable(enum cgroup_controller c)
{
        return err_new(ERR_UNSUPPORTED, "cgroup: controller %s is not available", controller_names[c]);
}

/* ---- paths and files ---- */

bool cgroup_path_ok(const char *path, bool root_ok)
{
        size_t n = path ? strlen(path) : 0;

        if (n == 0 || n > PATH_LIMIT || *path != '/' || (n == 1 && !root_ok))
                return false;
        for (const char *p = path; n > 1 && *p;) {
                size_t part = strcspn(p + 1, "/");

                if (part == 0 || (part == 1 && p[1] == '.') || (part == 2 && p[1] == '.' && p[2] == '.'))
                        return false;
                p += part + 1;
        }
        return true;
}

err *cgroup_path_clean(const char *path, char **ret)
{
        _cleanup_str_ struct str s = {0};

        for (const char *p = path; *p;) {
                size_t part = strcspn(p, "/");

                if (part == 2 && p[0] == '.' && p[1] == '.') {
                        while (s.len && s.data[s.len - 1] != '/')
                                s.data[--s.len] = '\0';
                        if (s.len)
                                s.data[--s.len] = '\0';
                } else if (part && !(part == 1 && *p == '.')) {
                        for (size_t i = 0; i < part; i++)
                                if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
                                        return err_new(ERR_INVALID, "cgroup path has a control character");
                        str_add_char(&s, '/');
                        str_add_n(&s, p, part);
                }
                p += part;
                p += *p == '/';
        }
        TRY(str_done(&s));
        CGROUP_CHECK_PATH(str_text(&s), false);
        return str_take(&s, ret);
}

const char *cgroup_name(const char *path, const char *file, char buf[CGROUP_FILE_MAX])
{
        const char *rel = path + 1;

        if (!file)
                return *rel ? rel : ".";
        if (!*rel)
                return file;
        if (snprintf(buf, CGROUP_FILE_MAX, "%s/%s", rel, file) >= CGROUP_FILE_MAX)
                buf[0] = '\0'; /* paths are at most PATH_LIMIT: only an absurd file name; the open fails */
        return buf;
}

int cgroup_put(const struct cgroup_hierarchy *h, const char *path, const char *file, const char *text)
{
        char name[CGROUP_FILE_MAX];

        return file_put(h->fd, cgroup_name(path, file, name), text);
}

int cgroup_get(const struct cgroup_hierarchy *h, const char *path, const char *file, char *buf, size_t size)
{
        char name[CGROUP_FILE_MAX];
        _cleanup_close_ int fd = openat(h->fd, cgroup_name(path, file, name), O_RDONLY | O_CLOEXEC);
        size_t used = 0;

        if (fd < 0)
                return -errno;
        while (used < size - 1) {
                ssize_t n = read(fd, buf + used, size - 1 - used);

                if (n < 0)
                        return -errno;
                used += (size_t)n;
                /* kernfs gives everything in one read unless it is more than a page; a newline at the end is the end.
                 */
                if (n == 0 || (buf[used - 1] == '\n' && used < 2048))
                        break;
        }
        while (used && buf[used - 1] == '\n')
                used--;
        buf[used] = '\0';
        return 0;
}

static bool text_u64(const char *text, uint64_t *ret)
{
        uint64_t n = 0;

        if (*text < '0' || *text > '9')
                return false;
        for (; *text >= '0' && *text <= '9'; text++)
                if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
                        return false;
        *ret = n;
        return true;
}

int cgroup_get_u64(const struct cgroup_hierarchy *h, const char *path, const char *file, uint64_t *ret)
{
        char buf[64];
        int r = cgroup_get(h, path, file, buf, sizeof(buf));

        if (r < 0)
                return r;
        if (str_eq(buf, "max")) {
                *ret = UINT64_MAX;
                return 0;
        }
        return text_u64(buf, ret) ? 0 : -EINVAL;
}

bool cgroup_text_key(const char *text, const char *key, uint64_t *ret)
{
        size_t n = strlen(key);

        while (text && *text) {
                if (strncmp(text, key, n) == 0 && text[n] == ' ')
                        return text_u64(text + n + 1, ret);
                text = strchr(text, '\n');
                if (text)
                        text++;
        }
        return false;
}

int cgroup_get_key(const struct cgroup_hierarchy *h, const char *path, const char *file, const char *key, uint64_t *ret)
{
        char buf[8192];
        int r = cgroup_get(h, path, file, buf, sizeof(buf));

        if (r < 0)
                return r;
        return cgroup_text_key(buf, key, ret) ? 0 : -ENODATA;
}

err *cgroup_set_failed(int errnum, const char *path, const char *file, const char *text)
{
        if (errnum == ENOMEM)
                return err_nomem();
        if (errnum == EINVAL || errnum == ERANGE || errnum == EOVERFLOW || errnum == ENODEV)
                return err_new(ERR_INVALID, "cgroup: the kernel refuses \"%.100s\" for %s: %s", text, file,
                               strerror(errnum));
        return err_sys(errnum, "cgroup: writing \"%.100s\" to %s/%s", text, path, file);
}

err *cgroup_set(const struct cgroup_hierarchy *h, const char *path, const char *file, const char *text)
{
        int r = cgroup_put(h, path, file, text);

        return r < 0 ? cgroup_set_failed(-r, path, file, text) : NULL;
}

err *cgroup_set_i64(const struct cgroup_hierarchy *h, const char *path, const char *file, int64_t n)
{
        char text[24];

        (void)snprintf(text, sizeof(text), "%lld", (long long)n);
        return cgroup_set(h, path, file, text);
}

err *cgroup_set_u64(const struct cgroup_hierarchy *h, const char *path, const char *file, uint64_t n)
{
        char text[24];

        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
        return cgroup_set(h, path, file, text);
}

int cgroup_mkdir(const struct cgroup_hierarchy *h, const char *path,
                 int (*made)(const struct cgroup_hierarchy *h, const char *path))
{
        char part[PATH_LIMIT + 1];

        if (mkdirat(h->fd, path + 1, 0755) == 0)
                return 0;
        if (errno == EEXIST)
                return 1;
        if (errno != ENOENT)
                return -errno;
        for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                memcpy(part, path, (size_t)(slash - path));
                part[slash - path] = '\0';
                if (mkdirat(h->fd, part + 1, 0755) < 0) {
                        if (errno == EEXIST)
                                continue;
                        return -errno;
                }
                int r = made ? made(h, part) : 0;

                if (r < 0)
                        return r;
        }
        if (mkdirat(h->fd, path + 1, 0755) == 0)
                return 0;
        return errno == EEXIST ? 1 : -errno;
}

/* ---- join ---- */

err *cgroup_join(const struct cgroup_layout *l, const char *path, pid_t pid)
{
        char text[16];

        CGROUP_CHECK_PATH(path, true);
        (void)snprintf(text, sizeof(text), "%d", (int)pid);
        for (size_t i = 0; i < l->n; i++) {
                int r = cgroup_put(&l->h[i], path, "cgroup.procs", text);

                if (r == -ENOENT && l->h[i].v2 && l->mode == CGROUP_MODE_HYBRID)
                        continue; /* not made: see cgroup_create() */
                if (r < 0)
                        return err_sys(-r, "cgroup: putting process %s into %s", text, path);
        }
        return NULL;
}

err *cgroup_join_open(const struct cgroup_layout *l, const char *path, bool with_v2,
                      int ret_fds[CGROUP_HIERARCHIES_MAX], size_t *ret_n)
{
        return cgroup_join_open_each(l, path, NULL, with_v2, ret_fds, ret_n);
}

err *cgroup_join_open_each(const struct cgroup_layout *l, const char *path, char *const *paths, bool with_v2,
                           int ret_fds[CGROUP_HIERARCHIES_MAX], size_t *ret_n)
{
        int fds[CGROUP_HIERARCHIES_MAX] = {0};
        size_t n = 0;

        CGROUP_CHECK_PATH(path, true);
        for (size_t i = 0; i < l->n; i++) {
                const char *here = paths && paths[i] ? paths[i] : path;
                char name[CGROUP_FILE_MAX];
                int fd;

                if (l->h[i].v2 && !with_v2)
                        continue;
                fd = openat(l->h[i].fd, cgroup_name(here, l->h[i].v2 ? "cgroup.procs" : "tasks", name),
                            O_WRONLY | O_CLOEXEC);
                if (fd < 0 && errno == ENOENT && l->h[i].v2 && l->mode == CGROUP_MODE_HYBRID)
                        continue;
                if (fd < 0) {
                        int saved = errno;

                        while (n)
                                (void)file_close(fds[--n]);
                        return err_sys(saved, "cgroup: opening %s", here);
                }
                fds[n++] = fd;
        }
        memcpy(ret_fds, fds, n * sizeof(fds[0]));
        *ret_n = n;
        return NULL;
}

int cgroup_join_self(const int *fds, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (write(fds[i], "0", 1) != 1)
                        return -errno;
        return 0;
}

int cgroup_clone_fd(const struct cgroup_layout *l, const char *path)
{
        char name[CGROUP_FILE_MAX];
        int fd;

        if (l->unified < 0 || !cgroup_path_ok(path, true))
                return -ENOENT;
        fd = openat(l->h[(int)l->unified].fd, cgroup_name(path, NULL, name), O_PATH | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* ---- create, apply ---- */

/* An existing directory may be taken over only if nobody is inside. */
static err *check_existing(const struct cgroup_layout *l, const struct cgroup_hierarchy *h, const char *path)
{
        char buf[64];

        if (cgroup_get(h, path, "cgroup.procs", buf, sizeof(buf)) == 0 && *buf)
                return err_new(ERR_CONFLICT, "container's cgroup is not empty: %s has processes", path);
        if (cgroup_is_frozen(l, path))
                return err_new(ERR_CONFLICT, "container's cgroup unexpectedly frozen: %s", path);
        return NULL;
}

static err *create_one(const struct cgroup_layout *l, size_t i, const char *path, bool *made)
{
        const struct cgroup_hierarchy *h = &l->h[i];
        int r = cgroup_mkdir(h, path, NULL);

        if (r < 0)
                return err_sys(-r, "cgroup: making %s", path);
        *made = r == 0;
        if (r == 1)
                TRY(check_existing(l, h, path));
        return h->v2 ? cgroup_v2_create(h, path) : cgroup_v1_create(h, path);
}

err *cgroup_create(const struct cgroup_layout *l, const char *path)
{
        bool ours;

        return cgroup_create_ours(l, path, &ours);
}

err *cgroup_create_ours(const struct cgroup_layout *l, const char *path, bool *ret_ours)
{
        bool made[CGROUP_HIERARCHIES_MAX] = {false};
        err *e = NULL;
        size_t i;

        CGROUP_CHECK_PATH(path, false);
        *ret_ours = true;
        for (i = 0; i < l->n && !e; i++)
                if (!l->h[i].v2 || l->mode == CGROUP_MODE_V2 || l->join_unified) {
                        e = create_one(l, i, path, &made[i]);
                        *ret_ours &= made[i];
                }
        if (!e)
                return NULL;
        *ret_ours = false;
        while (i--)
                if (made[i])
                        (void)unlinkat(l->h[i].fd, path + 1, AT_REMOVEDIR);
        return e;
}

err *cgroup_adopt(const struct cgroup_layout *l, const char *path)
{
        CGROUP_CHECK_PATH(path, false);
        for (size_t i = 0; i < l->n; i++) {
                const struct cgroup_hierarchy *h = &l->h[i];
                int r;

                if (h->v2 && l->mode != CGROUP_MODE_V2 && !l->join_unified)
                        continue;
                r = cgroup_mkdir(h, path, NULL);
                if (r < 0)
                        return err_sys(-r, "cgroup: making %s", path);
                TRY(h->v2 ? cgroup_v2_create(h, path) : cgroup_v1_create(h, path));
        }
        return NULL;
}

err *cgroup_need(const struct cgroup_layout *l, enum cgroup_controller c, const struct cgroup_hierarchy **ret)
{
        const struct cgroup_hierarchy *h = cgroup_find(l, c);

        if (!h)
                return cgroup_unavailable(c);
        *ret = h;
        return NULL;
}

err *cgroup_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r)
{
        CGROUP_CHECK_PATH(path, false);
        return l->mode == CGROUP_MODE_V2 ? cgroup_v2_apply(l, path, r) : cgroup_v1_apply(l, path, r);
}
