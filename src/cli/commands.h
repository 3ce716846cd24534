/* commands.h - the verbs. Each is declared in the file of its name, with its flags; commands.c puts them into the tree. */
#pragma once

#include "base/opt.h"

/* The root: `hod`. Its args are struct global_args (config.h). */
extern const struct command cmd_hod;

/* run.c */
extern const struct command cmd_run, cmd_create;
/* life.c */
extern const struct command cmd_start, cmd_stop, cmd_restart, cmd_kill, cmd_pause, cmd_unpause, cmd_wait, cmd_rm,
        cmd_rename;
/* attach.c, exec.c, logs.c, ps.c */
extern const struct command cmd_attach, cmd_exec, cmd_logs, cmd_ps;
/* inspect.c */
extern const struct command cmd_inspect, cmd_container_inspect, cmd_image_inspect, cmd_volume_inspect;
/* files.c */
extern const struct command cmd_diff, cmd_commit, cmd_export;
/* image.c */
extern const struct command cmd_import, cmd_images, cmd_rmi, cmd_tag, cmd_history;
/* volume.c */
extern const struct command cmd_volume_create, cmd_volume_ls, cmd_volume_rm;
/* cleanup.c */
extern const struct command cmd_internal_cleanup;
