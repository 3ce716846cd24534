/* device.h - device nodes. Functions return 0, true or -errno; only system calls: safe between clone and exec. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct device {
        const char *path;
        mode_t mode; /* type and permissions */
        unsigned major, minor;
};

/* null zero full random urandom tty: what every container has (runtime-spec, config-linux.md#default-devices). */
extern const struct device device_defaults[];
extern const size_t device_n_defaults;

/* The links of /dev: fd, stdin, stdout, stderr. */
struct device_link {
        const char *name, *target;
};
extern const struct device_link device_links[];
extern const size_t device_n_links;

/* Make the node @name in the directory @dirfd with exactly @mode (whatever the umask), owned by @uid:@gid. A node that
 * is already there must be the same device (else -EEXIST). */
int device_make(int dirfd, const char *name, mode_t mode, unsigned major, unsigned minor, uid_t uid, gid_t gid);
/* Is @fd the null device (character 1:3)? */
bool device_is_null(int fd);
