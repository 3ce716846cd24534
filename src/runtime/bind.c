/* bind.c - see bind.h. */
#include "runtime/bind.h"

#include <errno.h>
#include <fcntl.h>

int bind_clone(int dirfd, const char *path, const struct plan_mount *m)
{
        return mountfd_clone(dirfd, path,
                             (m->recursive ? AT_RECURSIVE : 0) | (m->src_nofollow ? AT_SYMLINK_NOFOLLOW : 0));
}

int bind_idmap(int fd, const struct plan_mount *m)
{
        return m->idmap_fd < 0 ? 0 : mountfd_idmap(fd, m->idmap_recursive ? AT_RECURSIVE : 0, m->idmap_fd);
}

int bind_propagation(int fd, const struct plan_mount *m)
{
        for (size_t i = 0; i < m->n_propagation; i++) {
                unsigned long flags = m->propagation[i];
                int r = mountfd_set(fd, flags & MS_REC ? AT_RECURSIVE : 0, 0, 0, flags & ~(uint64_t)MS_REC);

                if (r < 0)
                        return r;
        }
        return 0;
}

int bind_finish(int fd, const struct plan_mount *m, const char **ret_what)
{
        int r;

        *ret_what = "failed to set user-requested vfs flags on bind-mount";
        r = mountfd_bind(fd, &m->wish);
        if (r < 0)
                return r;
        *ret_what = "setting recursive attributes";
        r = mountfd_set(fd, AT_RECURSIVE, m->rec_set, m->rec_clear, 0);
        if (r < 0)
                return r;
        *ret_what = "setting the propagation";
        return bind_propagation(fd, m);
}
