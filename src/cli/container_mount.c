/* container_mount.c - podman's hod mount and umount of a container: not here, and why. */
#include "cli/commands.h"

static err *refuse(struct invocation *inv)
{
        return err_new(ERR_UNSUPPORTED,
                       "%s: no container's files are mounted on the host: \"hod export\" reads them whether it runs or "
                       "not, \"hod image mount\" mounts what it was made from",
                       inv->name);
}

const struct command cmd_container_mount = {
        .name = "mount",
        .operands = "[CONTAINER...]",
        .max_operands = OPERANDS_ANY,
        .summary = "Refused: a container's files are mounted in the container only",
        .description = "A container's root is mounted in its own namespace only, so that no crash leaves a mount "
                       "behind. `hod export` reads its files whether it runs or not; `hod image mount` mounts what "
                       "it was made from, for reading.",
        .run = refuse,
        .hidden = true,
};
