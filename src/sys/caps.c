/* caps.c - see caps.h. */
#include "sys/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int caps_set_bounding(uint64_t keep)
{
        for (unsigned n = 0; n < 64; n++) {
                int has;

                if (keep >> n & 1)
                        continue;
                has = prctl(PR_CAPBSET_READ, n, 0, 0, 0);
                if (has < 0 && errno == EINVAL)
                        break; /* beyond the last one */
                if (has < 0)
                        return -errno;
                if (has && prctl(PR_CAPBSET_DROP, n, 0, 0, 0) < 0)
                        return -errno;
        }
        return 0;
}

int caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {
                {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
                {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
        };

        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int caps_get(uint64_t *ret_effective, uint64_t *ret_permitted, uint64_t *ret_inheritable)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {{0}};

        if (syscall(SYS_capget, &header, data) < 0)
                return -errno;
        *ret_effective = data[0].effective | (uint64_t)data[1].effective << 32;
        *ret_permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
        *ret_inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
        return 0;
}

int caps_set_ambient(uint64_t ambient)
{
        /* EINVAL: before Linux 4.3 there is no ambient set, hence nothing to clear. */
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && (errno != EINVAL || ambient))
                return -errno;
        for (unsigned n = 0; n < 64; n++)
                if (ambient >> n & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n, 0, 0) < 0)
                        return -errno;
        return 0;
}
