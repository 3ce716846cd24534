/* home.c - see home.h. */
#include "net/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "sys/link.h"
#include "sys/netlink.h"

#define LINE_MAX 32
#define USE_MAX (16u << 20) /* lines of namespaces that are gone stay until the network goes */
#define MOUNTS_MAX (16u << 20)

/* "net:[number]", as the links of /proc/PID/ns are. */
static err *of_process(const char *process, char ret[LINE_MAX])
{
        char path[40];
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%.16s/ns/net", process);
        n = readlink(path, ret, LINE_MAX - 1);
        if (n < 0)
                return err_sys(errno, "reading %s", path);
        ret[n] = '\0';
        return NULL;
}

static err *read_lines(int use, char ***ret)
{
        _cleanup_free_ char *text = NULL;
        int r = lseek(use, 0, SEEK_SET) < 0 ? -errno : file_read_fd(use, USE_MAX, &text, NULL);

        if (r < 0)
                return err_sys(r, "reading where a network is");
        return strv_split(text, '\n', ret);
}

err *home_note(int use)
{
        _cleanup_strv_ char **lines = NULL;
        char here[LINE_MAX];

        TRY(of_process("self", here));
        TRY(read_lines(use, &lines));
        if (strv_contains(lines, here))
                return NULL;
        (void)snprintf(here + strlen(here), sizeof(here) - strlen(here), "\n");
        /* Others may do so at the same moment, from here or elsewhere: twice is fine, and none is lost. */
        if (fcntl(use, F_SETFL, O_APPEND) < 0 || write(use, here, strlen(here)) < 0)
                return err_sys(errno, "writing where a network is");
        return NULL;
}

/* A process that is there, "" when none is. */
static err *find_process(const char *line, char ret[16])
{
        DIR *d = opendir("/proc");

        *ret = '\0';
        if (!d)
                return err_sys(errno, "reading /proc");
        for (struct dirent *x; !*ret && (x = readdir(d));) {
                char where[LINE_MAX] = "";
                uint64_t pid;

                if (!parse_u64(x->d_name, &pid) || strlen(x->d_name) > 15)
                        continue;
                err_free(of_process(x->d_name, where));
                if (str_eq(where, line))
                        (void)snprintf(ret, 16, "%s", x->d_name);
        }
        (void)closedir(d);
        return NULL;
}

/* The kernel gives the number of one that is gone to the next: is it the one that has the bridge? */
static bool has_bridge(const char *process, const struct network *n)
{
        _cleanup_close_ int ns = -1, fd = -1;
        char path[40];

        (void)snprintf(path, sizeof(path), "/proc/%.16s/ns/net", process);
        ns = open(path, O_RDONLY | O_CLOEXEC);
        fd = ns < 0 ? -1 : netlink_open_in(ns, NETLINK_ROUTE);
        return fd < 0 || link_index(fd, n->link) != -ENODEV;
}

/* `ip netns add` keeps one without processes, by a mount. */
static bool is_mounted(const char *line)
{
        _cleanup_free_ char *text = NULL;

        return file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTS_MAX, &text, NULL) >= 0 && strstr(text, line);
}

err *home_check(int use, const struct network *n)
{
        _cleanup_strv_ char **lines = NULL;
        char here[LINE_MAX], pid[16];

        TRY(of_process("self", here));
        TRY(read_lines(use, &lines));
        for (char **line = lines; line && *line; line++) {
                if (!**line || str_eq(*line, here))
                        continue;
                TRY(find_process(*line, pid));
                if (*pid ? has_bridge(pid, n) : is_mounted(*line))
                        return err_new(ERR_CONFLICT,
                                       "network %s has been made in another network namespace, %s%s%s%s: it can be "
                                       "removed there",
                                       n->name, *line, *pid ? " (that of process " : "", pid, *pid ? ")" : "");
        }
        return NULL;
}

err *home_forget(int use)
{
        return ftruncate(use, 0) < 0 ? err_sys(errno, "writing where a network is") : NULL;
}
