/* cgroup_owner.c - handing a v2 cgroup to the user of a container; see cgroup.h. */
#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/cgroup_private.h"

/* What the kernel names in /sys/kernel/cgroup/delegate, one a line; these before Linux 4.15. */
static const char usual[] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";

err *cgroup_give(const struct cgroup_layout *l, const char *path, uid_t uid)
{
        _cleanup_free_ char *text = NULL;
        char name[CGROUP_FILE_MAX];
        _cleanup_close_ int fd = -1;

        CGROUP_CHECK_PATH(path, false);
        if (l->mode != CGROUP_MODE_V2)
                return NULL;
        fd = openat(l->h[(int)l->unified].fd, cgroup_name(path, NULL, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fchown(fd, uid, (gid_t)-1) < 0)
                return err_sys(errno, "cgroup: giving %s to user %u", path, (unsigned)uid);
        if (l->is_fake || file_read(AT_FDCWD, "/sys/kernel/cgroup/delegate", 4096, &text, NULL) < 0)
                text = str_dup(usual);
        if (!text)
                return err_nomem();
        for (char *file = text, *next; file && *file; file = next) {
                next = strchr(file, '\n');
                if (next)
                        *next++ = '\0';
                if (fchownat(fd, file, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
                        return err_sys(errno, "cgroup: giving %s/%s to user %u", path, file, (unsigned)uid);
        }
        return NULL;
}

err *cgroup_sub_open(const struct cgroup_layout *l, const char *path, int *ret_fd)
{
        char name[CGROUP_FILE_MAX];
        int r;

        CGROUP_CHECK_PATH(path, false);
        r = cgroup_mkdir(&l->h[(int)l->unified], path, NULL);
        if (r < 0)
                return err_sys(-r, "cgroup: making %s", path);
        *ret_fd = openat(l->h[(int)l->unified].fd, cgroup_name(path, "cgroup.procs", name), O_WRONLY | O_CLOEXEC);
        return *ret_fd < 0 ? err_sys(errno, "cgroup: opening %s", name) : NULL;
}
