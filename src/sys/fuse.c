/* fuse.c - see fuse.h. */
#include "sys/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "sys/mountfd.h"

int fuse_mount(const char *source, uint32_t attrs, int *ret_dev, char *log, size_t log_size)
{
        _cleanup_close_ int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
        char number[16];
        const struct mount_param params[] = {
                {"fd", number},    {"rootmode", "40755"},         {"user_id", "0"},
                {"group_id", "0"}, {"default_permissions", NULL}, {"allow_other", NULL},
        };
        struct mount_fs fs = {
                .type = "fuse",
                .source = source,
                .params = params,
                .n_params = ARRAY_SIZE(params),
                .attrs = attrs,
        };
        int mount;

        if (dev < 0)
                return -errno;
        (void)snprintf(number, sizeof(number), "%d", dev);
        mount = mountfd_new(&fs, -1, log, log_size);
        if (mount >= 0)
                *ret_dev = TAKE_FD(dev);
        return mount;
}
