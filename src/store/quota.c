/* quota.c - limits on directories by project quota (ext4, xfs), for --storage-opt size=; see snapshot_private.h. */
#include <errno.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "store/snapshot_private.h"

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#define BLOCK 512u
/* Numbers below are people's (/etc/projects). */
#define FIRST_PROJECT 0x10000000u
#define LAST_PROJECT 0x7fffffffu

/* On the file system of @fd. */
static int quota(int fd, unsigned command, uint32_t project, void *arg)
{
        char device[48];
        struct stat st;

        if (syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), project, arg) == 0)
                return 0;
        if (errno != ENOSYS || fstat(fd, &st) < 0)
                return -errno;
        /* before Linux 5.14 */
        (void)snprintf(device, sizeof(device), "/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
        return syscall(SYS_quotactl, QCMD(command, PRJQUOTA), device, project, arg) < 0 ? -errno : 0;
}

static bool is_enforced(int fd)
{
        struct fs_quota_stat state = {.qs_version = FS_QSTAT_VERSION};

        return quota(fd, Q_XGETQSTAT, 0, &state) == 0 && (state.qs_flags & FS_QUOTA_PDQ_ENFD);
}

static int set_limit(int fd, uint32_t project, uint64_t blocks)
{
        struct fs_disk_quota q = {
                .d_version = FS_DQUOT_VERSION,
                .d_flags = FS_PROJ_QUOTA,
                .d_fieldmask = FS_DQ_BHARD | FS_DQ_BSOFT,
                .d_id = project,
                .d_blk_hardlimit = blocks,
                .d_blk_softlimit = blocks,
        };

        return quota(fd, Q_XSETQLIM, project, &q);
}

/* A number that nothing is counted for; the id's digits are random already. */
static err *free_project(int fd, const char *id, uint32_t *ret)
{
        uint32_t n = 0;

        for (size_t i = 0; i < 8; i++)
                n = n << 4 | (uint32_t)(id[i] <= '9' ? id[i] - '0' : id[i] - 'a' + 10);
        for (unsigned tries = 0; tries < 1000; tries++, n += 0x10001) {
                uint32_t project = FIRST_PROJECT + n % (LAST_PROJECT - FIRST_PROJECT);
                struct fs_disk_quota q = {.d_version = FS_DQUOT_VERSION};
                int r = quota(fd, Q_XGETQUOTA, project, &q);

                if (r < 0 && r != -ENOENT && r != -ESRCH)
                        return err_sys(r, "reading a project quota");
                if (r < 0 || (!q.d_blk_hardlimit && !q.d_bcount && !q.d_icount)) {
                        *ret = project;
                        return NULL;
                }
        }
        return err_new(ERR_LIMIT, "no project number is free");
}

static int set_project(int fd, uint32_t project)
{
        struct fsxattr x;

        if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
                return -errno;
        x.fsx_projid = project;
        x.fsx_xflags |= FS_XFLAG_PROJINHERIT;
        return ioctl(fd, FS_IOC_FSSETXATTR, &x) < 0 ? -errno : 0;
}

err *quota_refuse(const char *shown)
{
        return err_new(ERR_UNSUPPORTED, "--storage-opt is not supported for %s", shown);
}

err *quota_limit(const int *fds, size_t n, const char *id, uint64_t bytes)
{
        uint32_t project = 0;
        int r = 0;

        if (!is_enforced(fds[0]))
                return err_new(ERR_UNSUPPORTED, "--storage-opt is supported only for overlay over xfs with 'pquota' "
                                                "mount option");
        TRY(free_project(fds[0], id, &project));
        r = set_limit(fds[0], project, (bytes + BLOCK - 1) / BLOCK);
        for (size_t i = 0; r == 0 && i < n; i++)
                r = set_project(fds[i], project);
        return r < 0 ? err_sys(r, "setting project quota %u", project) : NULL;
}

void quota_forget(int fd)
{
        struct fsxattr x;
        int r;

        if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0 || x.fsx_projid < FIRST_PROJECT ||
            !(x.fsx_xflags & FS_XFLAG_PROJINHERIT))
                return;
        r = set_limit(fd, x.fsx_projid, 0);
        if (r < 0)
                log_debug("taking project quota %u back: %s", x.fsx_projid, strerror(-r));
}
