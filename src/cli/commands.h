/* commands.h - the verbs of the command line. A verb is one `const struct command` in the file named after it (or after
 * its family); commands.c says where in the tree it stands.
 *
 * To add a verb: write cli/<verb>.c with an args struct, its options, `<verb>_run` and `cmd_<verb>` (version.c is a
 * complete example), declare it here, put it into commands.c, add the file to meson.build. Help, completion, man page
 * and the JSON dump follow by themselves. To add a flag: one OPT_ line and one member. */
#pragma once

#include "base/opt.h"

extern const struct command cmd_hod;

/* containers */
extern const struct command cmd_attach;
extern const struct command cmd_commit;
extern const struct command cmd_container_inspect;
extern const struct command cmd_container_mount;
extern const struct command cmd_container_prune;
extern const struct command cmd_container_publish;
extern const struct command cmd_container_unpublish;
extern const struct command cmd_create;
extern const struct command cmd_diff;
extern const struct command cmd_exec;
extern const struct command cmd_export;
extern const struct command cmd_inspect;
extern const struct command cmd_kill;
extern const struct command cmd_logs;
extern const struct command cmd_pause;
extern const struct command cmd_port;
extern const struct command cmd_ps;
extern const struct command cmd_rename;
extern const struct command cmd_restart;
extern const struct command cmd_rm;
extern const struct command cmd_run;
extern const struct command cmd_start;
extern const struct command cmd_stop;
extern const struct command cmd_unpause;
extern const struct command cmd_update;
extern const struct command cmd_wait;

/* images */
extern const struct command cmd_history;
extern const struct command cmd_image_diff;
extern const struct command cmd_image_copy;
extern const struct command cmd_image_inspect;
extern const struct command cmd_image_pin;
extern const struct command cmd_image_prune;
extern const struct command cmd_image_unpin;
extern const struct command cmd_images;
extern const struct command cmd_image_mount;
extern const struct command cmd_image_unmount;
extern const struct command cmd_import;
extern const struct command cmd_load;
extern const struct command cmd_pull;
extern const struct command cmd_push;
extern const struct command cmd_login;
extern const struct command cmd_logout;
extern const struct command cmd_rmi;
extern const struct command cmd_search;
extern const struct command cmd_save;
extern const struct command cmd_tag;

/* manifest lists */
extern const struct command cmd_manifest_annotate;
extern const struct command cmd_manifest_create;
extern const struct command cmd_manifest_inspect;
extern const struct command cmd_manifest_push;
extern const struct command cmd_manifest_rm;

/* networks */
extern const struct command cmd_network_connect;
extern const struct command cmd_network_create;
extern const struct command cmd_network_disconnect;
extern const struct command cmd_network_inspect;
extern const struct command cmd_network_ls;
extern const struct command cmd_network_prune;
extern const struct command cmd_network_reload;
extern const struct command cmd_network_rm;
/* volumes */
extern const struct command cmd_volume_create;
extern const struct command cmd_volume_inspect;
extern const struct command cmd_volume_ls;
extern const struct command cmd_volume_prune;
extern const struct command cmd_volume_rm;

/* the program itself */
extern const struct command cmd_completion;
extern const struct command cmd_help;
extern const struct command cmd_system_check;
extern const struct command cmd_system_df;
extern const struct command cmd_system_prune;
extern const struct command cmd_info;
extern const struct command cmd_version;

/* hod internal ...: for scripts, the build and hod-monitor */
extern const struct command cmd_internal_cleanup;
extern const struct command cmd_internal_commands;
extern const struct command cmd_internal_complete;
extern const struct command cmd_internal_man;
extern const struct command cmd_internal_markdown;
extern const struct command cmd_internal_pull;
