/* resctrl.c - see resctrl.h. */
#include "sys/resctrl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/resctrl_private.h"

#define USUAL_PLACE "/sys/fs/resctrl"

/* Where else it is mounted, from mountinfo; -1 if nowhere. */
static int open_elsewhere(void)
{
        _cleanup_free_ char *text = NULL;

        if (file_read(AT_FDCWD, "/proc/self/mountinfo", 64u << 20, &text, NULL) < 0)
                return -1;
        for (char *line = text, *next; line && *line; line = next) {
                char *tail, *point = line;

                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                tail = strstr(line, " - resctrl ");
                if (!tail)
                        continue;
                *tail = '\0';
                for (int i = 0; i < 4 && point; i++)
                        point = strchr(point + 1, ' ');
                if (!point)
                        continue;
                point[1 + strcspn(point + 1, " ")] = '\0';
                return open(point + 1, O_PATH | O_DIRECTORY | O_CLOEXEC);
        }
        return -1;
}

int resctrl_open(void)
{
        _cleanup_close_ int fd = open(USUAL_PLACE, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct statfs fs;

        if (fd < 0)
                return -ENODEV; /* the kernel makes the directory where it knows the hardware */
        if (fstatfs(fd, &fs) == 0 && fs.f_type == RDTGROUP_SUPER_MAGIC)
                return TAKE_FD(fd);
        fd = file_close(fd);
        fd = open_elsewhere();
        return fd < 0 ? -ENODEV : TAKE_FD(fd);
}

bool resctrl_has(int root, const char *what)
{
        char name[32];

        (void)snprintf(name, sizeof(name), "info/%s", what);
        return root >= 0 && file_exists(root, name);
}

/* The longest id and closID have 255 bytes each. */
const char *resctrl_group_name(const struct resctrl_group *g, const char *file, char buf[RESCTRL_NAME_LIMIT])
{
        const char *group = !g->clos ? g->id : str_eq(g->clos, "/") ? "." : g->clos;

        if (snprintf(buf, RESCTRL_NAME_LIMIT, "%s%s%s", group, file ? "/" : "", file ? file : "") >= RESCTRL_NAME_LIMIT)
                buf[0] = '\0';
        return buf;
}

const char *resctrl_count_name(const struct resctrl_group *g, const char *file, char buf[RESCTRL_NAME_LIMIT])
{
        char below[320];

        (void)snprintf(below, sizeof(below), "mon_groups/%.255s%s%s", g->id, file ? "/" : "", file ? file : "");
        return resctrl_group_name(g, below, buf);
}

err *resctrl_check(int root, const struct resctrl_group *g)
{
        if (root < 0)
                return err_new(ERR_UNSUPPORTED, "intelRdt is specified in config, but Intel RDT is not enabled");
        if (g->clos && !str_eq(g->clos, "/") &&
            (str_eq(g->clos, ".") || str_eq(g->clos, "..") || strchr(g->clos, '/') || strlen(g->clos) > NAME_MAX))
                return err_new(ERR_INVALID, "invalid intelRdt.ClosID \"%.300s\"", g->clos);
        if (!str_empty(g->l3_schema) && !resctrl_has(root, "L3"))
                return err_new(ERR_UNSUPPORTED,
                               "intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT is not enabled");
        if (!str_empty(g->mb_schema) && !resctrl_has(root, "MB"))
                return err_new(ERR_UNSUPPORTED,
                               "intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is not enabled");
        if (g->monitoring && !resctrl_has(root, "L3_MON"))
                return err_new(ERR_UNSUPPORTED,
                               "intelRdt.enableMonitoring is specified in config, but Intel RDT/CMT is not enabled");
        return NULL;
}

/* What the kernel says about the last failure, for the message of @errnum. */
static err *failed(int root, int errnum, const char *what)
{
        _cleanup_free_ char *text = NULL;
        enum err_code code = errnum == EINVAL ? ERR_INVALID : ERR_SYS;

        if (file_read(root, "info/last_cmd_status", 4096, &text, NULL) < 0 || !*text)
                return errnum == EINVAL ? err_new(code, "intelrdt: unable to %s: %s", what, strerror(errnum))
                                        : err_sys(errnum, "intelrdt: unable to %s", what);
        text[strcspn(text, "\n")] = '\0';
        return errnum == EINVAL
                       ? err_new(code, "intelrdt: unable to %s: %s, last_cmd_status: %s", what, strerror(errnum), text)
                       : err_sys(errnum, "intelrdt: unable to %s, last_cmd_status: %s", what, text);
}

static bool has_schemata(const struct resctrl_group *g)
{
        return !str_empty(g->l3_schema) || !str_empty(g->mb_schema) || (g->schemata && g->schemata[0]);
}

/* All lines in one write: the kernel takes them all or none. */
err *resctrl_set(int root, const struct resctrl_group *g)
{
        _cleanup_str_ struct str text = {0};
        char name[RESCTRL_NAME_LIMIT], what[160];
        int r;

        if (!has_schemata(g))
                return NULL;
        if (!str_empty(g->l3_schema))
                str_printf(&text, "%s\n", g->l3_schema);
        if (!str_empty(g->mb_schema))
                str_printf(&text, "%s\n", g->mb_schema);
        for (size_t i = 0; g->schemata && g->schemata[i]; i++)
                str_printf(&text, "%s\n", g->schemata[i]);
        TRY(str_done(&text));
        r = file_put(root, resctrl_group_name(g, "schemata", name), str_text(&text));
        (void)snprintf(what, sizeof(what), "write \"%.120s\" to schemata", str_text(&text));
        return r < 0 ? failed(root, -r, what) : NULL;
}

err *resctrl_create(int root, const struct resctrl_group *g)
{
        char name[RESCTRL_NAME_LIMIT];
        bool made;
        err *e;

        if (g->clos && !has_schemata(g) && !file_exists(root, resctrl_group_name(g, NULL, name)))
                return err_new(ERR_NOT_FOUND,
                               "clos dir not accessible (must be pre-created when schemata, l3CacheSchema and "
                               "memBwSchema are empty): %s",
                               name);
        made = mkdirat(root, resctrl_group_name(g, NULL, name), 0755) == 0;
        if (!made && errno != EEXIST)
                return failed(root, errno, "make the group");
        e = resctrl_set(root, g);
        if (!e && g->monitoring && mkdirat(root, resctrl_count_name(g, NULL, name), 0755) < 0 && errno != EEXIST)
                e = failed(root, errno, "make the group for monitoring");
        if (e && made)
                (void)unlinkat(root, resctrl_group_name(g, NULL, name), AT_REMOVEDIR);
        return e;
}

err *resctrl_join_open(int root, const struct resctrl_group *g, int ret_fds[2], size_t *ret_n)
{
        char name[RESCTRL_NAME_LIMIT];
        _cleanup_close_ int tasks = openat(root, resctrl_group_name(g, "tasks", name), O_WRONLY | O_CLOEXEC);
        _cleanup_close_ int count = -1;

        if (tasks < 0)
                return failed(root, errno, "open the tasks of the group");
        if (g->monitoring) {
                count = openat(root, resctrl_count_name(g, "tasks", name), O_WRONLY | O_CLOEXEC);
                if (count < 0)
                        return failed(root, errno, "open the tasks of the group for monitoring");
        }
        *ret_n = 1u + (count >= 0);
        ret_fds[0] = TAKE_FD(tasks);
        ret_fds[1] = TAKE_FD(count);
        return NULL;
}

err *resctrl_remove(int root, const struct resctrl_group *g)
{
        char name[RESCTRL_NAME_LIMIT];

        if (g->clos && !g->monitoring)
                return NULL;
        /* A group of our own takes the one for counting with it. */
        if (unlinkat(root, g->clos ? resctrl_count_name(g, NULL, name) : resctrl_group_name(g, NULL, name),
                     AT_REMOVEDIR) < 0 &&
            errno != ENOENT)
                return failed(root, errno, "remove the group");
        return NULL;
}
