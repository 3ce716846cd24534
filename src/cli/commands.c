/* commands.c - the tree of commands: who stands where, under which names. Order is that of the help. */
#include "cli/commands.h"

#include "cli/config.h"

static const struct subcommand container_commands[] = {
        {&cmd_attach},
        {&cmd_commit},
        {&cmd_create},
        {&cmd_diff},
        {&cmd_exec},
        {&cmd_export},
        {&cmd_container_inspect, "inspect"},
        {&cmd_kill},
        {&cmd_logs},
        {&cmd_ps, "ls", "list ps"},
        {&cmd_pause},
        {&cmd_port},
        {&cmd_container_prune},
        {&cmd_container_publish},
        {&cmd_rename},
        {&cmd_restart},
        {&cmd_rm, NULL, "remove"},
        {&cmd_run},
        {&cmd_start},
        {&cmd_stop},
        {&cmd_unpause},
        {&cmd_container_unpublish},
        {&cmd_update},
        {&cmd_wait},
        {&cmd_container_mount},
        {&cmd_container_mount, "umount", "unmount"},
        {0},
};
static const struct command cmd_container = {
        .name = "container", .summary = "Manage containers", .subcommands = container_commands};

static const struct subcommand image_commands[] = {
        {&cmd_image_copy},
        {&cmd_image_diff, "diff"},
        {&cmd_history},
        {&cmd_import},
        {&cmd_image_inspect, "inspect"},
        {&cmd_load},
        {&cmd_images, "ls", "list"},
        {&cmd_image_mount},
        {&cmd_pull},
        {&cmd_push},
        {&cmd_image_pin},
        {&cmd_image_prune},
        {&cmd_rmi, "rm", "remove"},
        {&cmd_save},
        {&cmd_tag},
        {&cmd_image_unmount, NULL, "umount"},
        {&cmd_image_unpin},
        {0},
};
static const struct command cmd_image = {.name = "image", .summary = "Manage images", .subcommands = image_commands};

static const struct subcommand manifest_commands[] = {
        {&cmd_manifest_annotate}, {&cmd_manifest_create}, {&cmd_manifest_inspect},
        {&cmd_manifest_push},     {&cmd_manifest_rm},     {0},
};
static const struct command cmd_manifest = {
        .name = "manifest", .summary = "Manage image manifests and manifest lists", .subcommands = manifest_commands};
static const struct subcommand network_commands[] = {
        {&cmd_network_connect},
        {&cmd_network_create},
        {&cmd_network_disconnect},
        {&cmd_network_inspect},
        {&cmd_network_ls, NULL, "list"},
        {&cmd_network_prune},
        {&cmd_network_reload},
        {&cmd_network_rm, NULL, "remove"},
        {0},
};
static const struct command cmd_network = {
        .name = "network", .summary = "Manage networks", .subcommands = network_commands};

static const struct subcommand volume_commands[] = {
        {&cmd_volume_create},
        {&cmd_volume_inspect},
        {&cmd_volume_ls, NULL, "list"},
        {&cmd_volume_prune},
        {&cmd_volume_rm, NULL, "remove"},
        {0},
};
static const struct command cmd_volume = {
        .name = "volume", .summary = "Manage volumes", .subcommands = volume_commands};

static const struct subcommand system_commands[] = {
        {&cmd_system_check}, {&cmd_system_df}, {&cmd_info}, {&cmd_system_prune}, {0},
};
static const struct command cmd_system = {.name = "system", .summary = "Manage hod", .subcommands = system_commands};

static const struct subcommand internal_commands[] = {
        {&cmd_internal_cleanup},
        {&cmd_internal_commands},
        {&cmd_internal_complete},
        {&cmd_internal_man},
        {&cmd_internal_markdown},
        {&cmd_internal_pull},
        {0},
};
static const struct command cmd_internal = {
        .name = "internal",
        .summary = "What scripts, the build and hod-monitor call",
        .subcommands = internal_commands,
        .hidden = true,
};

static const struct subcommand root_commands[] = {
        {&cmd_run, .section = SECTION_COMMON},
        {&cmd_exec, .section = SECTION_COMMON},
        {&cmd_ps, .section = SECTION_COMMON},
        {&cmd_pull, .section = SECTION_COMMON},
        {&cmd_push, .section = SECTION_COMMON},
        {&cmd_images, .section = SECTION_COMMON},
        {&cmd_login, .section = SECTION_COMMON},
        {&cmd_logout, .section = SECTION_COMMON},
        {&cmd_search, .section = SECTION_COMMON},
        {&cmd_info, .section = SECTION_COMMON},
        {&cmd_version, .section = SECTION_COMMON},
        {&cmd_container, .section = SECTION_MANAGEMENT},
        {&cmd_image, .section = SECTION_MANAGEMENT},
        {&cmd_manifest, .section = SECTION_MANAGEMENT},
        {&cmd_system, .section = SECTION_MANAGEMENT},
        {&cmd_network, .section = SECTION_MANAGEMENT},
        {&cmd_volume, .section = SECTION_MANAGEMENT},
        {&cmd_attach},
        {&cmd_commit},
        {&cmd_completion},
        {&cmd_create},
        {&cmd_diff},
        {&cmd_export},
        {&cmd_help},
        {&cmd_history},
        {&cmd_import},
        {&cmd_inspect},
        {&cmd_kill},
        {&cmd_load},
        {&cmd_logs},
        {&cmd_pause},
        {&cmd_port},
        {&cmd_rename},
        {&cmd_restart},
        {&cmd_rm},
        {&cmd_rmi},
        {&cmd_save},
        {&cmd_start},
        {&cmd_stop},
        {&cmd_tag},
        {&cmd_unpause},
        {&cmd_update},
        {&cmd_wait},
        {&cmd_internal},
        {&cmd_container_mount},
        {&cmd_container_mount, "umount", "unmount"},
        {0},
};

static const struct opt root_opts[] = {
        GLOBAL_OPTS,
        OPT_END,
};

const struct command cmd_hod = {
        .name = "hod",
        .summary = "A self-sufficient runtime for containers",
        .description =
                "hod runs containers: it makes a root file system from an image, isolates a program in it with the "
                "kernel's "
                "namespaces, control groups, capabilities and system call filters, and looks after it. There is no "
                "daemon.\n"
                "\n"
                "A value of a global option is taken from the first of these that has it: the command line, the "
                "environment, the user's configuration file ($XDG_CONFIG_HOME/hod/config.toml or "
                "~/.config/hod/config.toml), the system's (/etc/hod/config.toml), the default. With --config (or "
                "HOD_CONFIG) only that file is read. The files are TOML; an unknown key is an error.",
        .opts = root_opts,
        .args_size = sizeof(struct global_args),
        .subcommands = root_commands,
};
