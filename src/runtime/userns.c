/* userns.c - see userns.h. */
#include "runtime/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/str.h"
#include "sys/ns.h"
#include "sys/process.h"

static err *write_map(int proc, const char *name, const struct oci_idmaps *maps)
{
        _cleanup_str_ struct str text = {0};
        int r;

        for (size_t i = 0; i < maps->n; i++)
                str_printf(&text, "%u %u %u\n", maps->map[i].container, maps->map[i].host, maps->map[i].size);
        TRY(str_done(&text));
        r = file_put(proc, name, str_text(&text)); /* the kernel takes the whole map in one write, once */
        return r < 0 ? err_sys(-r, "writing %s (%zu ranges, %zu bytes)", name, maps->n, text.len) : NULL;
}

/* ---- without privilege: what the kernel lets anybody map is himself; the rest is /etc/subuid's and its tools' ---- */

static bool is_oneself(const struct oci_idmaps *maps, uint32_t id)
{
        return maps->n == 1 && maps->map[0].size == 1 && maps->map[0].host == id;
}

_noreturn_ static void become_tool(char *const argv[], int err_fd)
{
        static char *const none[] = {NULL};

        if (dup2(err_fd, 1) < 0 || dup2(err_fd, 2) < 0)
                _exit(126);
        (void)syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
        (void)execve(argv[0], argv, none);
        _exit(errno == ENOENT ? 127 : 126);
}

/* Run @argv, with nothing of our environment; what it says is the error. */
static err *run_tool(char *const argv[])
{
        _cleanup_close_ int pidfd = -1, out_r = -1, out_w = -1;
        char said[512] = "";
        int status = 0, p[2], r;
        ssize_t n;
        pid_t pid;

        r = file_pipe(p);
        if (r < 0)
                return err_sys(-r, "making a pipe");
        out_r = p[0];
        out_w = p[1];
        pid = process_clone(CLONE_CLEAR_SIGHAND, -1, &pidfd);
        if (pid < 0)
                return err_sys(-pid, "starting %s", argv[0]);
        if (pid == 0)
                become_tool(argv, out_w);
        out_w = file_close(out_w);
        for (size_t used = 0; used < sizeof(said) - 1; used += (size_t)n) {
                n = read(out_r, said + used, sizeof(said) - 1 - used);
                if (n <= 0)
                        break;
        }
        said[strcspn(said, "\n")] = '\0';
        r = process_reap(pidfd, &status);
        if (r < 0)
                return err_sys(-r, "waiting for %s", argv[0]);
        if (status == 127 << 8)
                return err_new(ERR_UNSUPPORTED,
                               "%s is needed to map more than the caller's own id, and is not installed", argv[0]);
        if (status)
                return err_new(ERR_DENIED, "%s failed: %s", argv[0],
                               said[0] ? said : "it may not map these ids (see /etc/subuid and /etc/subgid)");
        return NULL;
}

/* "newuidmap PID container host size..." */
static err *map_by_tool(const char *tool, pid_t pid, const struct oci_idmaps *maps)
{
        size_t n = 2 + 3 * maps->n;
        _cleanup_strv_ char **argv = NULL;

        argv = MEM_NEW0(char *, n + 1);
        if (!argv)
                return err_nomem();
        argv[0] = str_dup(tool);
        argv[1] = str_format("%d", (int)pid);
        for (size_t i = 0; i < maps->n; i++) {
                argv[2 + 3 * i] = str_format("%u", maps->map[i].container);
                argv[3 + 3 * i] = str_format("%u", maps->map[i].host);
                argv[4 + 3 * i] = str_format("%u", maps->map[i].size);
        }
        for (size_t i = 0; i < n; i++)
                if (!argv[i])
                        return err_nomem();
        return run_tool(argv);
}

static err *write_map_or_tool(int proc, pid_t pid, const char *name, const char *tool, const struct oci_idmaps *maps)
{
        err *e = write_map(proc, name, maps);

        if (!e || err_errno(e) != EPERM || !ns_is_rootless())
                return e;
        err_free(e);
        return map_by_tool(tool, pid, maps);
}

err *userns_write_maps(pid_t pid, const struct oci_idmaps *uids, const struct oci_idmaps *gids)
{
        _cleanup_close_ int proc = -1;
        char path[32];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
        proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (proc < 0)
                return err_sys(errno, "opening %s", path);
        TRY(write_map_or_tool(proc, pid, "uid_map", "/usr/bin/newuidmap", uids));
        /* Groups can be used to forbid: who could drop them would gain (CVE-2014-8989). The kernel wants this said
         * first; newgidmap says it by itself where it is needed. */
        if (ns_is_rootless() && is_oneself(gids, getegid())) {
                r = file_put(proc, "setgroups", "deny");
                if (r < 0 && r != -ENOENT)
                        return err_sys(-r, "writing setgroups \"deny\"");
        }
        return write_map_or_tool(proc, pid, "gid_map", "/usr/bin/newgidmap", gids);
}

/* A process that only is there, until its parent has looked at it or has died: then the other end of @pipe is closed.
 * (PR_SET_PDEATHSIG would be lost in entering a user namespace.) Only system calls. */
static _noreturn_ void stay(const int pipe[2])
{
        char c;

        (void)close(pipe[1]);
        while (read(pipe[0], &c, 1) < 0 && errno == EINTR)
                ;
        _exit(0);
}

err *userns_open(const struct oci_idmaps *uids, const struct oci_idmaps *gids, int *ret_fd)
{
        _cleanup_close_ int pidfd = -1, theirs = -1, ours = -1;
        int status, fd = -1, held[2];
        char path[40];
        pid_t pid;
        err *e;

        if (pipe2(held, O_CLOEXEC) < 0)
                return err_sys(errno, "making a pipe");
        theirs = held[0];
        ours = held[1];
        pid = process_clone(CLONE_NEWUSER, -1, &pidfd);
        if (pid < 0)
                return err_sys(-pid, "making a user namespace");
        if (pid == 0)
                stay(held);
        e = userns_write_maps(pid, uids, gids);
        if (!e) {
                (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
                fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        e = err_sys(errno, "opening %s", path);
        }
        (void)process_signal(pidfd, SIGKILL);
        (void)process_reap(pidfd, &status);
        if (!e)
                *ret_fd = fd;
        return e;
}

/* One line of a map file is ours? */
static bool has_entry(const struct oci_idmaps *maps, unsigned long long container, unsigned long long host,
                      unsigned long long size)
{
        for (size_t i = 0; i < maps->n; i++)
                if (maps->map[i].container == container && maps->map[i].host == host && maps->map[i].size == size)
                        return true;
        return false;
}

static err *compare(pid_t pid, const char *name, const struct oci_idmaps *maps, bool *ret_same)
{
        _cleanup_free_ char *text = NULL;
        size_t lines = 0;
        char path[40];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
        r = file_read(AT_FDCWD, path, 65536, &text, NULL);
        if (r < 0)
                return err_sys(-r, "reading %s", path);
        for (char *line = text, *next; *line; line = next, lines++) {
                uint64_t n[3] = {0};
                char *end = line;

                next = strchrnul(line, '\n');
                if (*next)
                        *next++ = '\0';
                for (size_t i = 0; i < ARRAY_SIZE(n); i++) {
                        char *word = end + strspn(end, " ");

                        end = word + strcspn(word, " ");
                        if (*end)
                                *end++ = '\0';
                        if (!parse_u64(word, &n[i]))
                                break;
                }
                if (!has_entry(maps, n[0], n[1], n[2])) {
                        *ret_same = false;
                        return NULL;
                }
        }
        *ret_same = lines == maps->n;
        return NULL;
}

/* A process of ours goes in, and we look at it from here: ids are shown as we see them. */
static err *look(pid_t pid, int ready, const struct oci_idmaps *uids, const struct oci_idmaps *gids, bool *ret_same)
{
        bool same = false;
        char c;

        if (read(ready, &c, 1) != 1)
                return err_new(ERR_DENIED, "cannot enter the user namespace");
        TRY(compare(pid, "uid_map", uids, &same));
        if (same)
                TRY(compare(pid, "gid_map", gids, &same));
        *ret_same = same;
        return NULL;
}

err *userns_check(int fd, const struct oci_idmaps *uids, const struct oci_idmaps *gids)
{
        _cleanup_close_ int pidfd = -1, ready = -1, theirs = -1, held_r = -1, held_w = -1;
        int status, ends[2], held[2];
        bool same;
        pid_t pid;
        err *e;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_sys(errno, "making a pipe");
        ready = ends[0];
        theirs = ends[1];
        if (pipe2(held, O_CLOEXEC) < 0)
                return err_sys(errno, "making a pipe");
        held_r = held[0];
        held_w = held[1];
        pid = process_clone(0, -1, &pidfd);
        if (pid < 0)
                return err_sys(-pid, "making a process");
        if (pid == 0) {
                if (setns(fd, CLONE_NEWUSER) < 0 || write(theirs, "1", 1) != 1)
                        _exit(1);
                stay(held);
        }
        theirs = file_close(theirs);
        e = look(pid, ready, uids, gids, &same);
        (void)process_signal(pidfd, SIGKILL);
        (void)process_reap(pidfd, &status);
        if (!e && !same)
                e = err_new(ERR_INVALID, "user namespaces enabled, but both namespace path and non-matching mapping "
                                         "specified -- you may only provide one");
        return e;
}
