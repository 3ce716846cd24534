/* cgroup_layout.c - what is mounted where; see cgroup.h.
 *
 * The usual places are tried by name, because /proc/self/mountinfo grows with the number of mounts of the machine (and
 * /proc/self/cgroup takes the global cgroup lock). Co-mounted controllers are the same directory: "cpu" and "cpuacct"
 * are then links to "cpu,cpuacct". */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/cgroup_private.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

static bool want_unified;

struct found {
        dev_t dev;
        ino_t ino;
};

static void layout_init(struct cgroup_layout *l)
{
        *l = (struct cgroup_layout){.mode = CGROUP_MODE_NONE, .unified = -1};
        memset(l->of, -1, sizeof(l->of));
}

void cgroup_layout_close(struct cgroup_layout *l)
{
        for (size_t i = 0; i < l->n; i++)
                (void)file_close(l->h[i].fd);
        layout_init(l);
}

/* Take the hierarchy at @fd (consumed) into the layout for controller @c, unless it is known already. */
static int layout_add(struct cgroup_layout *l, struct found *known, int fd, dev_t parent, int c, bool v2)
{
        _cleanup_close_ int owned = fd;
        struct stat st;

        if (fstat(owned, &st) < 0)
                return -errno;
        if (!l->is_fake && st.st_dev == parent)
                return 0; /* an empty directory of the tmpfs: nothing mounted */
        for (size_t i = 0; i < l->n; i++)
                if (known[i].dev == st.st_dev && (!l->is_fake || known[i].ino == st.st_ino)) {
                        if (v2) /* mounted twice; @c says nothing */
                                return 0;
                        l->h[i].controllers |= 1u << c;
                        l->of[c] = (signed char)i;
                        return 0;
                }
        if (l->n == CGROUP_HIERARCHIES_MAX)
                return -E2BIG;
        known[l->n] = (struct found){st.st_dev, st.st_ino};
        l->h[l->n].fd = TAKE_FD(owned);
        l->h[l->n].v2 = v2;
        if (v2) {
                l->unified = (signed char)l->n;
        } else {
                l->h[l->n].controllers = 1u << c;
                l->of[c] = (signed char)l->n;
        }
        l->n++;
        return 0;
}

static int open_dir(int dirfd, const char *name)
{
        return openat(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int layout_by_name(struct cgroup_layout *l, int root, dev_t parent)
{
        static const char *const together[] = {"cpu,cpuacct", "cpuacct,cpu", "net_cls,net_prio", "net_prio,net_cls"};
        struct found known[CGROUP_HIERARCHIES_MAX];
        int fd;

        for (int c = 0; c < CGROUP_CONTROLLER_MAX_; c++) {
                fd = open_dir(root, cgroup_controller_name(c));
                /* Without the usual links only the common name is there. */
                for (size_t i = 0; fd < 0 && errno == ENOENT && i < ARRAY_SIZE(together); i++) {
                        bool mine = (i < 2 && (c == CGROUP_CPU || c == CGROUP_CPUACCT)) ||
                                    (i >= 2 && (c == CGROUP_NET_CLS || c == CGROUP_NET_PRIO));

                        fd = mine ? open_dir(root, together[i]) : -1;
                        errno = fd < 0 ? ENOENT : 0;
                }
                if (fd < 0 && errno == ENOENT)
                        continue;
                int r = fd < 0 ? -errno : layout_add(l, known, fd, parent, c, false);

                if (r < 0)
                        return r;
        }
        fd = open_dir(root, "unified");
        return fd < 0 ? 0 : layout_add(l, known, fd, parent, 0, true);
}

/* One line of mountinfo: fields before " - " end with the mount point as the fifth; after it: type, source, options. */
static int layout_mountinfo_line(struct cgroup_layout *l, struct found *known, char *line)
{
        char *tail = strstr(line, " - "), *point = line, *options, *end;
        _cleanup_close_ int fd = -1;
        bool v2;

        if (!tail)
                return 0;
        tail += 3;
        v2 = str_starts(tail, "cgroup2 ");
        if (!v2 && !str_starts(tail, "cgroup "))
                return 0;
        for (int i = 0; i < 4 && point; i++)
                point = strchr(point + 1, ' ');
        options = strrchr(tail, ' ');
        if (!point || !options)
                return 0;
        end = strchr(++point, ' ');
        if (!end || strchr(point, '\\')) /* escaped characters: nobody mounts cgroups in such a place */
                return 0;
        *end = '\0';
        fd = open_dir(AT_FDCWD, point);
        if (fd < 0)
                return 0; /* not reachable from here */
        if (v2)
                return layout_add(l, known, TAKE_FD(fd), 0, 0, true);
        for (char *o = options + 1, *next; o && *o; o = next) {
                next = strchr(o, ',');
                if (next)
                        *next++ = '\0';
                if (str_eq(o, "name=systemd"))
                        o += 5;
                for (int c = 0; c < CGROUP_CONTROLLER_MAX_; c++)
                        if (str_eq(o, cgroup_controller_name(c))) {
                                int r, copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

                                r = copy < 0 ? -errno : layout_add(l, known, copy, 0, c, false);
                                if (r < 0)
                                        return r;
                        }
        }
        return 0;
}

static int layout_by_mountinfo(struct cgroup_layout *l)
{
        struct found known[CGROUP_HIERARCHIES_MAX];
        _cleanup_free_ char *text = NULL;
        int r = file_read(AT_FDCWD, "/proc/self/mountinfo", 64u << 20, &text, NULL);

        for (char *line = text, *next; r >= 0 && line && *line; line = next) {
                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                r = layout_mountinfo_line(l, known, line);
        }
        return r;
}

/* Is this process below the root of the v2 hierarchy? Then a container that stays in its cgroup dies with its session.
 */
static bool below_unified_root(void)
{
        char buf[4096];
        _cleanup_close_ int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
        const char *line;

        if (n <= 0)
                return true; /* unknown: the careful answer */
        buf[n] = '\0';
        line = str_starts(buf, "0::") ? buf : strstr(buf, "\n0::");
        return !line || !str_starts(strstr(line, "0::"), "0::/\n");
}

static void layout_finish(struct cgroup_layout *l)
{
        bool v1 = false;

        for (size_t i = 0; i < l->n; i++)
                v1 |= !l->h[i].v2;
        if (l->unified >= 0)
                l->mode = v1 ? CGROUP_MODE_HYBRID : CGROUP_MODE_V2;
        else
                l->mode = v1 ? CGROUP_MODE_V1 : CGROUP_MODE_NONE;
        if (l->mode == CGROUP_MODE_HYBRID)
                l->join_unified = l->is_fake || want_unified || below_unified_root();
        if (l->mode == CGROUP_MODE_V2) {
                struct cgroup_hierarchy *h = &l->h[(int)l->unified];

                h->controllers = cgroup_v2_controllers(h, "/", "cgroup.controllers");
                for (int c = 0; c < CGROUP_CONTROLLER_MAX_; c++)
                        if (h->controllers & (1u << c))
                                l->of[c] = l->unified;
        }
}

static int layout_v2_only(struct cgroup_layout *l, int root)
{
        struct found known[CGROUP_HIERARCHIES_MAX];
        int fd = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : layout_add(l, known, fd, 0, 0, true);
}

err *cgroup_layout_open(int root_fd, bool is_fake, struct cgroup_layout *ret)
{
        struct cgroup_layout l;
        struct stat st;
        struct statfs fs;
        int r;

        layout_init(&l);
        if (fstat(root_fd, &st) < 0 || fstatfs(root_fd, &fs) < 0)
                return err_sys(errno, "cgroup: looking at the root");
        l.is_fake = is_fake;
        if (fs.f_type == CGROUP2_SUPER_MAGIC || (is_fake && file_exists(root_fd, "cgroup.controllers")))
                r = layout_v2_only(&l, root_fd);
        else
                r = layout_by_name(&l, root_fd, st.st_dev);
        if (r < 0) {
                cgroup_layout_close(&l);
                return err_sys(-r, "cgroup: finding the hierarchies");
        }
        layout_finish(&l);
        *ret = l;
        return NULL;
}

void cgroup_layout_join_unified(void)
{
        want_unified = true;
}

err *cgroup_layout_get(const struct cgroup_layout **ret)
{
        static struct cgroup_layout layout;
        static bool known;

        if (!known) {
                _cleanup_close_ int root = open(CGROUP_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);

                layout_init(&layout);
                if (root >= 0)
                        TRY(cgroup_layout_open(root, false, &layout));
                if (layout.n == 0) {
                        int r = layout_by_mountinfo(&layout);

                        if (r < 0) {
                                cgroup_layout_close(&layout);
                                return err_sys(-r, "cgroup: reading mountinfo");
                        }
                        layout_finish(&layout);
                }
                known = true;
        }
        *ret = &layout;
        return NULL;
}

const struct cgroup_hierarchy *cgroup_find(const struct cgroup_layout *l, enum cgroup_controller c)
{
        if (l->of[c] >= 0)
                return &l->h[(int)l->of[c]];
        /* Hybrid: what no v1 hierarchy has taken is on v2. Asked only here: nearly no container needs it. */
        if (l->mode == CGROUP_MODE_HYBRID) {
                const struct cgroup_hierarchy *h = &l->h[(int)l->unified];

                if (cgroup_v2_controllers(h, "/", "cgroup.controllers") & (1u << c))
                        return h;
        }
        return NULL;
}
