/* userns.c - see userns.h. */
#include "runtime/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/process.h"

static err *write_map(int proc, const char *name, const struct oci_idmaps *maps)
{
        _cleanup_str_ struct str text = {0};
        int r;

        for (size_t i = 0; i < maps->n; i++)
                str_printf(&text, "%u %u %u\n", maps->map[i].container, maps->map[i].host, maps->map[i].size);
        TRY(str_done(&text));
        r = file_put(proc, name, str_text(&text)); /* the kernel takes the whole map in one write, once */
        return r < 0 ? err_sys(-r, "writing %s \"%s\"", name, str_text(&text)) : NULL;
}

err *userns_write_maps(pid_t pid, const struct oci_idmaps *uids, const struct oci_idmaps *gids)
{
        _cleanup_close_ int proc = -1;
        char path[32];

        (void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
        proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (proc < 0)
                return err_sys(errno, "opening %s", path);
        TRY(write_map(proc, "uid_map", uids));
        return write_map(proc, "gid_map", gids);
}

err *userns_open(const struct oci_idmaps *uids, const struct oci_idmaps *gids, int *ret_fd)
{
        _cleanup_close_ int pidfd = -1;
        int status, fd = -1;
        char path[40];
        pid_t pid;
        err *e;

        pid = process_clone(CLONE_NEWUSER, -1, &pidfd);
        if (pid < 0)
                return err_sys(-pid, "making a user namespace");
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        (void)pause();
        }
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
