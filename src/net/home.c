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
#include "sys/process.h"

#define LINE_MAX 32
#define USE_MAX (16u << 20)
#define MOUNTS_MAX (16u << 20)
#define ENDING_MS 5000
#define CHILDREN_MAX 4096
#define FIRST_PID_NAMESPACE "pid:[4026531836]" /* PROC_PID_INIT_INO: the number that the first one always has */

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

static err *read_text(int use, char **ret, size_t *ret_size)
{
        int r = lseek(use, 0, SEEK_SET) < 0 ? -errno : file_read_fd(use, USE_MAX, ret, ret_size);

        return r < 0 ? err_sys(-r, "reading where a network is") : NULL;
}

static err *read_lines(int use, char ***ret)
{
        _cleanup_free_ char *text = NULL;
        size_t size;

        TRY(read_text(use, &text, &size));
        return strv_split(text, '\n', ret);
}

/* ---- lines of namespaces that are gone ---- */

/* The namespaces that are there: of all processes, and the mounts. */
struct living {
        char **ns;
        char *mounts;
        bool known;
};

static void living_done(struct living *l)
{
        strv_free(l->ns);
        free(l->mounts);
}

/* Only who sees every process knows that nobody is in one. */
static bool sees_all(void)
{
        char where[LINE_MAX] = "";

        return readlink("/proc/self/ns/pid", where, sizeof(where) - 1) > 0 && str_eq(where, FIRST_PID_NAMESPACE);
}

static err *find_living(struct living *ret)
{
        DIR *d = sees_all() ? opendir("/proc") : NULL;
        err *e = NULL;

        if (!d)
                return NULL;
        ret->known = true;
        for (struct dirent *x; !e && (x = readdir(d));) {
                char where[LINE_MAX] = "";
                uint64_t pid;

                if (!parse_u64(x->d_name, &pid))
                        continue;
                e = of_process(x->d_name, where);
                /* One that we may not look at (it has more rights) is who knows where; the first process has not left
                 * the first namespace, in which the kernel's are, too. */
                if (e && err_errno(e) != ENOENT && err_errno(e) != ESRCH && pid != 1)
                        ret->known = false;
                err_free(e);
                e = *where && !strv_contains(ret->ns, where) ? strv_add(&ret->ns, where) : NULL;
        }
        (void)closedir(d);
        ret->known &= file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTS_MAX, &ret->mounts, NULL) >= 0;
        return e;
}

/* Drop what is gone at the end of the @size bytes of @text, the file's, and write @here over another such line, else at
 * the end. Each of these is done or not: whoever is killed here leaves no line that is wrong. */
static err *write_line(int use, char *text, size_t size, const struct living *l, const char *here)
{
        size_t at = 0, end = 0, slot = SIZE_MAX;
        char line[LINE_MAX + 1];
        int n = snprintf(line, sizeof(line), "%s\n", here);

        for (char *newline; (newline = strchr(text + at, '\n'));) { /* half a line is none */
                size_t next = (size_t)(newline - text) + 1;

                *newline = '\0';
                if (!text[at] || (l->known && !strv_contains(l->ns, text + at) && !strstr(l->mounts, text + at))) {
                        if (slot == SIZE_MAX && next - at == (size_t)n)
                                slot = at;
                } else {
                        end = next;
                }
                at = next;
        }
        if (end < size && ftruncate(use, (off_t)end) < 0)
                return err_sys(errno, "writing where a network is");
        if (pwrite(use, line, (size_t)n, (off_t)(slot < end ? slot : end)) != n)
                return err_sys(errno, "writing where a network is");
        return NULL;
}

/* Others may be about to write a line, too, from here or elsewhere. */
static err *note(int use, const char *here)
{
        _cleanup_(living_done) struct living l = {0};
        _cleanup_strv_ char **lines = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size;

        TRY(read_text(use, &text, &size));
        TRY(strv_split(text, '\n', &lines));
        if (strv_contains(lines, here))
                return NULL;
        if (size)
                TRY(find_living(&l));
        return write_line(use, text, size, &l, here);
}

err *home_note(int use)
{
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        _cleanup_strv_ char **lines = NULL;
        char here[LINE_MAX];
        err *e;

        TRY(of_process("self", here));
        TRY(read_lines(use, &lines));
        if (strv_contains(lines, here))
                return NULL;
        if (fcntl(use, F_OFD_SETLKW, &lock) < 0)
                return err_sys(errno, "locking where a network is");
        e = note(use, here);
        lock.l_type = F_UNLCK;
        (void)fcntl(use, F_OFD_SETLKW, &lock);
        return e;
}

/* ---- whoever takes a network away ---- */

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

/* The monitor of a living container has a child: that container, which may be on other networks. */
static bool is_idle_monitor(const char *process)
{
        _cleanup_free_ char *name = NULL, *children = NULL;
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%.16s/comm", process);
        if (file_read(AT_FDCWD, path, 64, &name, NULL) < 0 || !str_eq(name, "hod-monitor\n"))
                return false;
        (void)snprintf(path, sizeof(path), "/proc/%.16s/task/%.16s/children", process, process);
        return file_read(AT_FDCWD, path, CHILDREN_MAX, &children, NULL) < 0 || str_empty(children);
}

/* Does @process end by itself? A monitor does soon, whose container has ended. */
static bool is_ending(const char *process)
{
        uint64_t pid = 0;
        _cleanup_close_ int fd = parse_u64(process, &pid) ? process_of((pid_t)pid) : -ESRCH;

        if (fd < 0)
                return fd == -ESRCH;
        return process_wait(fd, is_idle_monitor(process) ? ENDING_MS : 0) == 0;
}

/* Is there a namespace @line with the network's bridge? @pid: of a process in it, "" if only a mount keeps it. */
static err *look(const char *line, const struct network *n, char pid[16], bool *ret)
{
        do {
                TRY(find_process(line, pid));
                *ret = *pid ? has_bridge(pid, n) : is_mounted(line);
        } while (*ret && *pid && is_ending(pid));
        return NULL;
}

err *home_check(int use, const struct network *n)
{
        _cleanup_strv_ char **lines = NULL;
        char here[LINE_MAX], pid[16];
        bool there;

        TRY(of_process("self", here));
        TRY(read_lines(use, &lines));
        for (char **line = lines; line && *line; line++) {
                if (!**line || str_eq(*line, here))
                        continue;
                TRY(look(*line, n, pid, &there));
                if (there)
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
